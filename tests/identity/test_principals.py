"""Principals: counted as a slow reading counts, and taken for what the log shows, or for nothing."""

from __future__ import annotations

import json
import random
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from tests.identity.readings import DIMENSIONS, HOUR, cube, engine_of, lake_of, origins, some
from tests.lake.rows import DAY, START, Row, event

from trailhound.identity.kinds import KINDS, Facts, judge
from trailhound.lake.lake import Lake
from trailhound.workspace import Workspace

ACCOUNT = "111111111111"
ALICE, RUNNER = f"arn:aws:iam::{ACCOUNT}:user/alice", f"arn:aws:iam::{ACCOUNT}:user/runner-x"
GITHUB = f"arn:aws:iam::{ACCOUNT}:oidc-provider/token.actions.githubusercontent.com:sts.amazonaws.com:repo:acme/app:ref:refs/heads/main"
MONDAY = START - 4 * DAY - 3 * HOUR  # 2020-11-02T00:00:00Z


def principals(lake: Lake) -> dict[str, Row]:
    return {row["uid"]: row for row in lake.query("principals", "SELECT * FROM principals")}


def most_used(counts: Counter[str]) -> list[str]:
    return sorted(counts, key=lambda value: (-counts[value], value))[:20]


@pytest.mark.parametrize("seed", range(4))
def test_what_is_counted_equals_a_slow_reading(tmp_path: Path, seed: int) -> None:
    lake = lake_of(tmp_path, some(random.Random(seed), 0, 500, days=20))
    check_against_slow_reading(lake)


def test_principals_of_real_attacks_equal_a_slow_reading(shared_data: Path, tmp_path: Path) -> None:
    Workspace(tmp_path).ingest([shared_data / "stratus"])
    check_against_slow_reading(Lake(tmp_path))
    found = principals(Lake(tmp_path))
    assert {row["kind"] for row in found.values()} <= set(KINDS)
    assert all(row["reasons"] and all(row["reasons"]) for row in found.values())


def check_against_slow_reading(lake: Lake) -> None:
    engine = engine_of(lake)
    events = engine.query("SELECT * FROM events")
    by_uid: dict[str, list[tuple[Row, int]]] = {}
    for key, (count, *_) in cube(events, origins(engine)).items():
        cell = dict(zip(DIMENSIONS, key, strict=True))
        by_uid.setdefault(cell["principal_uid"], []).append((cell, count))
    sessions = engine.query("SELECT * FROM sessions")
    found = principals(lake)
    assert found.keys() == by_uid.keys()
    for uid, row in found.items():
        own = [one for one in events if one["principal_uid"] == uid]
        times = [one["time"] for one in own]
        assert (row["events"], row["first_seen_time"], row["last_seen_time"]) == (len(own), min(times), max(times))
        assert row["days"] == len({one["event_day"] for one in own})
        assert row["hours"] == [sum(time // HOUR % 24 == hour for time in times) for hour in range(24)]
        assert lists_of(row) == expected_lists(by_uid[uid])
        keys = Counter(one["actor"]["user"]["credential_uid"] for one in own)
        assert row["credentials"] == most_used(Counter({k: n for k, n in keys.items() if (k or "").startswith("AKIA")}))
        assert row["sessions"] == len(
            {one["session_uid"] or one["uid"] for one in sessions if one["principal_uid"] == uid}
        )
        assert set(row["origins"]) == {
            one["origin_uid"] for one in sessions if one["principal_uid"] == uid and one["origin_uid"] != uid
        }


def lists_of(row: Row) -> dict[str, list[str]]:
    return {name: row[name] for name in ("countries", "networks", "agents", "regions", "services")}


def expected_lists(cells: list[tuple[Row, int]]) -> dict[str, list[str]]:
    counts: dict[str, Counter[str]] = {name: Counter() for name in ("country", "network", "agent", "region", "service")}
    for cell, count in cells:
        placed = cell["invoked_by"] is None and cell["network"] not in ("aws service", "AWS Internal", "other", "none")
        for name, counter in counts.items():
            shown = placed if name in ("country", "network") else name != "agent" or cell["invoked_by"] is None
            if shown and cell[name] is not None:
                counter[cell[name]] += count
    plural = {
        "country": "countries",
        "network": "networks",
        "agent": "agents",
        "region": "regions",
        "service": "services",
    }
    return {plural[name]: most_used(counter) for name, counter in counts.items()}


# ---- kinds


class History:
    """Calls and sessions of one account, as CloudTrail would have them."""

    def __init__(self) -> None:
        self.rows: list[Row] = []

    def call(
        self, uid: str, type_: str = "IAMUser", at: int = MONDAY, operation: str = "DescribeInstances", **columns: Any
    ) -> None:
        defaults = {"cloud__account__uid": ACCOUNT, "api__service__name": "ec2.amazonaws.com", "status_id": 1}
        who = {"principal_uid": uid, "actor__user__type": type_}
        self.rows.append(event(len(self.rows), at, operation, **{**defaults, **who, **columns}))

    def session(
        self, role: str, opener: str, opener_type: str, name: str, at: int, operation: str = "AssumeRole", **used: Any
    ) -> None:
        """`opener` opens a session of the role, which makes one call."""
        key, role_id = f"ASIA{len(self.rows):016}", f"AROA{role[-6:].upper()}"
        short = role.rpartition("/")[2]
        self.call(
            opener,
            opener_type,
            at,
            operation,
            api__service__name="sts.amazonaws.com",
            actor__invoked_by=opener if opener_type == "AWSService" else None,
            session__credential_uid=key,
            session__uid=f"arn:aws:sts::{ACCOUNT}:assumed-role/{short}/{name}",
            user__uid=role,
            api__response__data=json.dumps({"assumedRoleUser": {"assumedRoleId": f"{role_id}:{name}"}}),
        )
        self.unexplained(role, name, at + 1000, key, **used)

    def unexplained(self, role: str, name: str, at: int, key: str, **used: Any) -> None:
        """A call of a session that nothing in the log opened."""
        session = {
            "actor__user__uid_alt": f"AROA{role[-6:].upper()}:{name}",
            "actor__user__credential_uid": key,
            "actor__session__created_time": at - 1000,
            "actor__session__issuer": role,
            "actor__user__account__uid": ACCOUNT,
        }
        self.call(role, "AssumedRole", at, **{**session, **used})

    def principals(self, folder: Path) -> dict[str, Row]:
        return principals(lake_of(folder, self.rows))


def role(name: str) -> str:
    return f"arn:aws:iam::{ACCOUNT}:role/{name}"


@pytest.mark.parametrize(
    ("opener", "type_", "expected", "named"),
    [
        ("ec2.amazonaws.com", "AWSService", "workload", "EC2 instances"),
        ("lambda.amazonaws.com", "AWSService", "workload", "Lambda functions"),
        ("ecs-tasks.amazonaws.com", "AWSService", "workload", "ECS tasks"),
        ("codebuild.amazonaws.com", "AWSService", "ci", "CodeBuild"),
        ("config.amazonaws.com", "AWSService", "service", "config.amazonaws.com"),
        (GITHUB, "WebIdentityUser", "ci", "GitHub Actions"),
        (
            GITHUB.replace("token.actions.githubusercontent.com", "oidc.eks.eu-west-1.amazonaws.com/id/AB"),
            "WebIdentityUser",
            "workload",
            "EKS pods",
        ),
        (
            GITHUB.replace("token.actions.githubusercontent.com", "gitlab.acme.example"),
            "WebIdentityUser",
            "ci",
            "GitLab",
        ),
    ],
)
def test_a_role_is_what_opens_its_sessions(tmp_path: Path, opener: str, type_: str, expected: str, named: str) -> None:
    history = History()
    operation = "AssumeRoleWithWebIdentity" if type_ == "WebIdentityUser" else "AssumeRole"
    for number in range(3):
        history.session(role("worker"), opener, type_, f"s-{number}", MONDAY + number * DAY, operation)
    found = history.principals(tmp_path)[role("worker")]
    assert found["kind"] == expected
    assert f"{named} opened 3 of its 3 sessions" in found["reasons"]


@pytest.mark.parametrize(
    ("opener", "type_"),
    [
        (
            GITHUB.replace("token.actions.githubusercontent.com", "evil.example").replace("acme", "gitlab.acme"),
            "WebIdentityUser",
        ),
        ("evil.example:token.actions.githubusercontent.com:gitlab", "WebIdentityUser"),
        (f"{ACCOUNT}:gitlab", "Unknown"),
        (f"arn:aws:iam::{ACCOUNT}:user/gitlab.ec2.amazonaws.com", "IAMUser"),
    ],
)
def test_a_name_that_names_a_provider_is_no_provider(tmp_path: Path, opener: str, type_: str) -> None:
    history = History()
    history.session(role("worker"), opener, type_, "GitHubActions", MONDAY, "AssumeRoleWithWebIdentity")
    assert history.principals(tmp_path)[role("worker")]["kind"] == "unknown"


def test_a_role_that_people_open_is_a_persons(tmp_path: Path) -> None:
    history = History()
    history.call(
        ALICE,
        operation="ConsoleLogin",
        api__service__name="signin.amazonaws.com",
        metadata__event_code="AwsConsoleSignIn",
    )
    history.session(role("admin"), ALICE, "IAMUser", "alice", MONDAY + HOUR)
    found = history.principals(tmp_path)
    assert found[ALICE]["kind"] == "human"
    assert "signed in to the console 1 time" in found[ALICE]["reasons"]
    assert found[role("admin")]["kind"] == "human"
    assert found[role("admin")]["reasons"] == ["user/alice opened 1 of its 1 session"]
    assert found[role("admin")]["origins"] == [ALICE]


def test_a_role_that_people_and_machines_open_in_equal_parts_is_unknown(tmp_path: Path) -> None:
    history = History()
    history.call(
        ALICE,
        operation="ConsoleLogin",
        api__service__name="signin.amazonaws.com",
        metadata__event_code="AwsConsoleSignIn",
    )
    history.session(role("shared"), ALICE, "IAMUser", "alice", MONDAY + HOUR)
    history.session(role("shared"), "ec2.amazonaws.com", "AWSService", "i-0123456789abcdef0", MONDAY + 2 * HOUR)
    found = history.principals(tmp_path)[role("shared")]
    assert found["kind"] == "unknown"
    assert found["reasons"][0].startswith("its reasons contradict each other")
    assert "user/alice opened 1 of its 2 sessions" in found["reasons"]


def test_who_failed_to_sign_in_did_not_sign_in(tmp_path: Path) -> None:
    history = History()
    history.call(
        ALICE,
        operation="ConsoleLogin",
        api__service__name="signin.amazonaws.com",
        status_id=2,
        metadata__event_code="AwsConsoleSignIn",
    )
    assert history.principals(tmp_path)[ALICE]["kind"] == "unknown"


@pytest.mark.parametrize(
    "agent", ["Mozilla/5.0 (X11)", "console.amazonaws.com", "GitHubActions", "terraform", "ec2.amazonaws.com"]
)
def test_a_lying_agent_decides_nothing(tmp_path: Path, agent: str) -> None:
    history = History()
    for number in range(40):
        history.call(RUNNER.replace("runner-x", "svc"), at=MONDAY + number * 11 * HOUR, http_request__user_agent=agent)
    assert [row["kind"] for row in history.principals(tmp_path).values()] == ["unknown"]


@pytest.mark.parametrize("name", ["GitHubActions", "i-0123456789abcdef0", "alice@acme.example", "jenkins-{}"])
def test_a_session_name_decides_nothing(tmp_path: Path, name: str) -> None:
    history = History()
    for number in range(30):
        history.unexplained(role("target"), name.format(number), MONDAY + number * 11 * HOUR, f"ASIA{number:016}")
    assert history.principals(tmp_path)[role("target")]["kind"] == "unknown"


def test_plain_kinds(tmp_path: Path) -> None:
    history = History()
    history.call("anonymous", "AWSAccount")
    history.call(f"arn:aws:iam::{ACCOUNT}:root", "Root")
    history.call("222222222222:AIDAOTHER", "AWSAccount")
    history.call("arn:aws:iam::222222222222:role/vendor", "AssumedRole")
    history.call("arn:aws:iam::222222222222:root", "Root")
    history.call("cloudtrail.amazonaws.com", "AWSService")
    history.call("AWS Internal", None)  # type: ignore[arg-type]
    linked = f"arn:aws:iam::{ACCOUNT}:role/aws-service-role/config.amazonaws.com/AWSServiceRoleForConfig"
    history.call(role("AWSServiceRoleForConfig"), "AssumedRole", actor__session__issuer=linked)
    people = f"arn:aws:iam::{ACCOUNT}:role/aws-reserved/sso.amazonaws.com/AWSReservedSSO_Admin_0123456789abcdef"
    history.call(role("AWSReservedSSO_Admin_0123456789abcdef"), "AssumedRole", actor__session__issuer=people)
    history.call(role("AWSServiceRoleForFake"), "AssumedRole", actor__session__issuer=role("AWSServiceRoleForFake"))
    history.call(RUNNER, actor__session__is_mfa=True)
    found = history.principals(tmp_path)
    assert {uid: row["kind"] for uid, row in found.items()} == {
        "anonymous": "anonymous",
        f"arn:aws:iam::{ACCOUNT}:root": "root",
        "222222222222:AIDAOTHER": "other_account",
        "arn:aws:iam::222222222222:role/vendor": "other_account",
        "arn:aws:iam::222222222222:root": "other_account",
        "cloudtrail.amazonaws.com": "service",
        "AWS Internal": "service",
        role("AWSServiceRoleForConfig"): "service",
        role("AWSReservedSSO_Admin_0123456789abcdef"): "human",
        role("AWSServiceRoleForFake"): "unknown",
        RUNNER: "human",
    }
    assert found[role("AWSReservedSSO_Admin_0123456789abcdef")]["family"] == role("AWSReservedSSO_Admin_*")
    assert found[role("AWSServiceRoleForConfig")]["peers"].startswith(f"service {ACCOUNT} /aws-service-role/config")


def test_a_rhythm_and_a_name_together_say_what_an_unexplained_key_is(tmp_path: Path) -> None:
    history = History()
    for hour in range(8 * 24):
        history.call(RUNNER.replace("runner-x", "jenkins"), at=MONDAY + hour * HOUR)
        history.call(RUNNER.replace("runner-x", "svc"), at=MONDAY + hour * HOUR)
        if hour // 24 % 7 < 5 and 8 <= hour % 24 < 17:
            for week in range(3):
                history.call(RUNNER.replace("runner-x", "ann.lee"), at=MONDAY + hour * HOUR + week * 14 * DAY)
    found = {uid.rpartition("/")[2]: row for uid, row in history.principals(tmp_path).items()}
    assert {name: row["kind"] for name, row in found.items()} == {"jenkins": "ci", "svc": "unknown", "ann.lee": "human"}
    assert "it is at work 24.0 hours a day, on 8 days" in found["jenkins"]["reasons"]
    assert found["ann.lee"]["utc_offset"] in (-1, 0, 1)
    assert found["ann.lee"]["utc_offset_reason"].startswith("inferred")
    assert found["jenkins"]["utc_offset"] is None


def test_numbered_roles_are_one_family(tmp_path: Path) -> None:
    history = History()
    names = {
        "ci-1": "ci-*",
        "ci-204": "ci-*",
        "team-07-deploy": "team-*-deploy",
        "a_1_2_3": "a_*_*_*",
        "stack-Role-1ABCDEF2GHIJK": "stack-Role-*",
        "run-3f2a9c81de": "run-*",
        "order-events": "order-events",
        "s3-reader": "s3-reader",
        "api.v2": "api.v2",
    }
    for name in names:
        history.call(role(name), "AssumedRole")
    history.call(RUNNER.replace("runner-x", "bob-2"))
    found = history.principals(tmp_path)
    assert {name: found[role(name)]["family"] for name in names} == {
        name: role(family) for name, family in names.items()
    }
    assert found[RUNNER.replace("runner-x", "bob-2")]["family"].endswith("user/bob-2"), (
        "people with a number are no family"
    )


def facts(**changed: Any) -> Facts:
    counts = dict.fromkeys(
        ("weekend", "sign_ins", "console", "mfa", "invoked", "interactive", "sessions", "delivered"), 0
    )
    plain = {
        "uid": RUNNER,
        "types": ["IAMUser"],
        "issuer_uid": None,
        "accounts": [ACCOUNT],
        "own": 10,
        "events": 10,
        "days": 2,
    }
    rest = {"hours_active": 4, "active": [0] * 24, "openers": {}, "names": 0, "alike": 0, "ci_names": 0}
    return Facts(**{**counts, **plain, **rest, **changed})


@pytest.mark.parametrize(
    "uid",
    ["", ":", "::::::", "arn:aws:iam::1:role/", "\x00", "x" * 1_000_000, "arn:aws:iam::1:role/a\n/b", "\u202e", "*"],
)
@pytest.mark.parametrize("type_", ["IAMUser", "AssumedRole", "AWSAccount", "WebIdentityUser", "???"])
def test_any_name_is_judged(uid: str, type_: str) -> None:
    verdict = judge(facts(uid=uid, types=[type_], openers={uid: 3}, sessions=3), {})
    assert verdict.kind in KINDS
    assert verdict.reasons
    assert verdict.kind in ("unknown", "other_account")
