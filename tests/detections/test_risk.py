"""The risk of a finding by itself, held against a plain reading of the records that came before it."""

from __future__ import annotations

import json
import random
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import iptocc
import msgspec
import pytest
from tests.detections.conftest import record
from tests.detections.test_ocsf_finding import ANALYSIS, FINDING

from trailhound.detections.precedent import precedents
from trailhound.detections.risk import (
    APPROVED,
    ATTEMPT,
    BY_LEVEL,
    MACHINE_ELSEWHERE,
    NEW_CALL,
    NEW_CLIENT,
    NEW_COUNTRY,
    PRODUCTION,
    REPEATED,
    USUAL_PLACE,
    alone,
)
from trailhound.engines.duckdb import DuckDB
from trailhound.identity.derive import derive
from trailhound.identity.tables import DERIVED
from trailhound.lake import times
from trailhound.lake.arrow import events_table
from trailhound.lake.lake import Lake
from trailhound.lake.times import DAY, HOUR
from trailhound.model import Finding, Record
from trailhound.ocsf.normalize import normalize
from trailhound.settings import Change, Production, Settings

START = times.interval("2024-01-01").start
HOME, ABROAD = "73.85.12.9", "180.163.251.231"
BARE = Settings()
AGENTS = {"aws-cli/2.0": "aws-cli", "Boto3/1.2": "boto3", "APN/1.0 HashiCorp/1.0 Terraform/0.14.7": "terraform"}
CALLS = ("DescribeInstances", "StopInstances", "TerminateInstances")

Lakes = Callable[[list[dict[str, Any]]], DuckDB]


@pytest.fixture
def lake(tmp_path: Path) -> Lakes:
    def make(records: list[dict[str, Any]]) -> DuckDB:
        made, engine = Lake.create(tmp_path / str(len(records))), DuckDB(threads=1)
        batch = normalize(Record(json.dumps(r).encode(), "s", i) for i, r in enumerate(records))
        assert not batch.rejects
        made.append("events", events_table(batch.columns))
        derive(made, DERIVED)
        made.mount(engine)
        return engine

    return make


def call(number: int, at: int, name: str = "DescribeInstances", who: str = "alice", **fields: Any) -> dict[str, Any]:
    identity = {"type": "IAMUser", "userName": who, "arn": arn(who), "accountId": "111122223333"}
    ordinary = {"sourceIPAddress": HOME, "userAgent": "aws-cli/2.0", "userIdentity": identity}
    return record(number, eventTime=times.text(at)[:19] + "Z", eventName=name, **{**ordinary, **fields})


def arn(who: str) -> str:
    return f"arn:aws:iam::111122223333:user/{who}"


def finding(at: int = START + 20 * DAY, name: str = "TerminateInstances", **fields: Any) -> Finding:
    given: dict[str, Any] = {
        "level": "medium", "resources": (), "first_seen_time": at, "last_seen_time": at, "operations": (name,),
        "src_ips": (HOME,), "origin_uid": arn("alice"), "principal_uid": arn("alice"),
    }  # fmt: skip
    return msgspec.structs.replace(FINDING, **{**given, **fields})


def month(**last: Any) -> list[dict[str, Any]]:
    """Alice looks at instances on twenty days from home, and terminates one on the next."""
    calm = [call(day, START + day * DAY + HOUR) for day in range(20)]
    return [*calm, call(99, START + 20 * DAY, "TerminateInstances", **last)]


def points(engine: DuckDB, *found: Finding, settings: Settings = BARE) -> dict[str, int]:
    """Of the first, without its level: words → points."""
    own = alone(engine, found, settings)[found[0].uid]
    assert own.reasons[0].points == BY_LEVEL[found[0].level]
    assert own.score == sum(reason.points for reason in own.reasons)
    return {reason.text: reason.points for reason in own.reasons[1:]}


@pytest.mark.parametrize("seed", range(6))
def test_what_was_before_is_what_a_plain_reading_of_the_records_finds(lake: Lakes, seed: int) -> None:
    dice = random.Random(seed)
    records = [
        call(
            number, START + dice.randrange(12 * 24) * HOUR + dice.randrange(60) * 60_000, dice.choice(CALLS),
            dice.choice(("alice", "bob")), sourceIPAddress=dice.choice((HOME, "73.85.12.77", ABROAD)),
            userAgent=dice.choice(list(AGENTS)), **({"errorCode": "AccessDenied"} if dice.random() < 0.6 else {}),
        )
        for number in range(120)
    ]  # fmt: skip
    found, plain = [], {}
    for number in range(20):
        chosen = dice.sample([r for r in records if r["userIdentity"]["userName"] == "alice"], dice.randint(1, 3))
        ordered = sorted(times.interval(one["eventTime"]).start for one in chosen)
        found.append(
            finding(
                ordered[0], uid=str(number), last_seen_time=ordered[-1], src_ips=tuple({r["sourceIPAddress"] for r in chosen}),
                operations=tuple({r["eventName"] for r in chosen}),
            )
        )  # fmt: skip
        plain[str(number)] = slowly(records, found[-1])
    for uid, before in precedents(lake(records), found).items():
        told = before.days, before.calls, before.networks, before.countries, before.agents, before.outcome
        assert told == plain[uid]


def slowly(records: list[dict[str, Any]], one: Finding) -> tuple[Any, ...]:
    def hour(row: dict[str, Any]) -> int:
        return times.interval(row["eventTime"]).start // HOUR * HOUR

    own = [row for row in records if row["userIdentity"]["arn"] == one.origin_uid]
    now = [
        row
        for row in own
        if one.first_seen_time // HOUR * HOUR <= hour(row) <= one.last_seen_time
        and row["eventName"] in one.operations
        and row["sourceIPAddress"] in one.src_ips
    ]
    before = [row for row in own if hour(row) + HOUR <= one.first_seen_time]

    def days(shown: Callable[[dict[str, Any]], str]) -> dict[str, int]:
        seen = defaultdict(set)
        for row in before:
            seen[shown(row)].add(row["eventTime"][:10])
        return {shown(row): len(seen[shown(row)]) for row in now}

    return (
        len({row["eventTime"][:10] for row in before}),
        days(lambda row: f"ec2:{row['eventName']}"),
        days(lambda row: row["sourceIPAddress"].rpartition(".")[0] + ".0/24"),
        days(lambda row: iptocc.country_code(row["sourceIPAddress"])),
        days(lambda row: AGENTS[row["userAgent"]]),
        "success" if any("errorCode" not in row for row in now) else "attempt",
    )


def test_the_first_call_of_its_kind_from_a_usual_place(lake: Lakes) -> None:
    assert points(lake(month()), finding()) == {
        "the first time that alice called ec2:TerminateInstances in 20 days of calls before": NEW_CALL,
        "alice came from a network and with a client that are usual for it": USUAL_PLACE,
    }


def test_a_new_country_and_a_new_client(lake: Lakes) -> None:
    engine = lake(month(sourceIPAddress=ABROAD, userAgent="Boto3/1.2"))
    told = points(engine, finding(src_ips=(ABROAD,)))
    assert list(told.values()) == [NEW_CALL, NEW_COUNTRY, NEW_CLIENT]
    assert "the first time that alice came from CN in 20 days of calls before" in told


def test_what_comes_later_changes_nothing(lake: Lakes) -> None:
    later = [call(200 + day, START + (21 + day) * DAY, "TerminateInstances") for day in range(9)]
    assert points(lake([*month(), *later]), finding()) == points(lake(month()), finding())


def test_missing_history_takes_nothing_off_and_is_named(lake: Lakes) -> None:
    short = [call(day, START + (18 + day) * DAY) for day in range(2)] + month()[-1:]
    own = alone(lake(short), [finding()], Settings())["ab12"]
    assert own.score == BY_LEVEL["medium"]
    assert own.unknown == ("what is usual: alice was seen on 2 days before, and 7 are needed",)
    nobody = alone(lake(month()), [finding(origin_uid="x", principal_uid="x")], Settings())["ab12"]
    assert (nobody.score, len(nobody.unknown)) == (BY_LEVEL["medium"], 2)
    assert "whether its calls succeeded" in nobody.unknown[1]


def test_a_baseline_has_its_level_from_what_is_new_and_is_not_raised_for_it(lake: Lakes) -> None:
    engine = lake(month(sourceIPAddress=ABROAD))
    assert not points(engine, finding(src_ips=(ABROAD,), analysis=ANALYSIS))


def test_a_mere_attempt(lake: Lakes) -> None:
    assert points(lake(month(errorCode="AccessDenied")), finding())["none of its calls succeeded"] == ATTEMPT
    both = [*month(errorCode="AccessDenied"), call(98, START + 20 * DAY, "TerminateInstances")]
    assert "none of its calls succeeded" not in points(lake(both), finding())


def test_production_is_what_the_settings_say(lake: Lakes) -> None:
    engine = lake(month())
    touching = finding(resources=FINDING.resources)
    instances = Settings(production=Production(instances=("i-1",)))
    assert points(engine, touching, settings=instances)["it touched production: i-1"] == PRODUCTION
    account = Settings(production=Production(accounts=("111122223333",)))
    assert "production account" in alone(engine, [finding()], account)["ab12"].reasons[-1].text
    own = alone(engine, [touching], Settings())["ab12"]
    assert "which instances are production" in own.unknown[-1]
    assert "[production]" in own.unknown[-1]


def test_an_approved_change_covers_who_what_and_when(lake: Lakes) -> None:
    engine = lake(month())
    change = Change(
        reason="release 42",
        principal="user/alice",
        operations=("TerminateInstances",),
        since="2024-01-20",
        until="2024-01-21",
    )
    told = points(engine, finding(), settings=Settings(changes=(change,)))
    assert told["an approved change covers it: release 42"] == APPROVED
    for other in (
        {"principal": "user/bob"},
        {"principal": "lice"},
        {"operations": ("StopInstances",)},
        {"until": "2024-01-20"},
    ):
        changed = Settings(changes=(msgspec.structs.replace(change, **other),))
        assert APPROVED not in points(engine, finding(), settings=changed).values(), other


def test_what_a_rule_finds_again_and_again_over_weeks_weighs_less(lake: Lakes) -> None:
    engine = lake(month())
    weekly = [finding(START + day * DAY, uid=str(day)) for day in (1, 8, 15)]
    told = points(engine, finding(), *weekly)
    assert told["the same rule found the same of alice on 3 days before, since 2024-01-02"] == REPEATED
    for others in (weekly[:2], [msgspec.structs.replace(one, rule_uid="other") for one in weekly]):
        assert REPEATED not in points(engine, finding(), *others).values()
    intruder = [finding(START + day * DAY, uid=str(day)) for day in (16, 17, 18, 19)]
    assert REPEATED not in points(engine, finding(), *intruder).values(), "four days in a row are no habit"


def test_a_machine_elsewhere_and_a_root_user(lake: Lakes) -> None:
    identity = {"type": "Root", "arn": "arn:aws:iam::111122223333:root", "accountId": "111122223333"}
    root = identity["arn"]
    engine = lake([*month(), call(300, START + 20 * DAY, "TerminateInstances", userIdentity=identity)])
    assert "the root user did it" in points(engine, finding(origin_uid=root, principal_uid=root))
    robot = [call(n, START + n * HOUR, who="ci-runner") for n in range(20 * 24)]
    abroad = call(999, START + 20 * DAY, "TerminateInstances", who="ci-runner", sourceIPAddress=ABROAD)
    told = points(
        lake([*robot, abroad]),
        finding(origin_uid=arn("ci-runner"), principal_uid=arn("ci-runner"), src_ips=(ABROAD,)),
    )
    assert told["ci-runner is a machine, and machines do not travel"] == MACHINE_ELSEWHERE
