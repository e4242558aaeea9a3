"""Which findings an exclusion sets aside: against a slow reading of the records themselves."""

from __future__ import annotations

import ipaddress
import json
import time
from collections.abc import Sequence
from typing import Any

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tests.detections.conftest import record

from trailhound.detections.baselines import findings as of_baselines
from trailhound.detections.exclusions.applying import NAMED_AT_MOST, Applied, apply
from trailhound.detections.exclusions.exclusion import Exclusion, exactly, glob
from trailhound.engines.duckdb import DuckDB
from trailhound.lake import times
from trailhound.lake.arrow import events_table
from trailhound.model import Analysis, Finding, Record, Resource
from trailhound.ocsf.normalize import normalize

DAY = "2026-11-24"
RULE = "00000000-0000-0000-0000-00000000000a"
ALICE, BOB = "arn:aws:iam::111122223333:user/alice", "arn:aws:iam::111122223333:user/bob"
SIGNS = ["*", "\\", "'", '"', "a", "A", "%", "\n", "\x00", "ſ", "\u202e", "x"]


def exclusion(**scope: Any) -> Exclusion:
    said = {"reason": "r", "author": "a", "created": "2026-01-01", "expires": "2026-12-31", "file": "e.yml"}
    return Exclusion(**{"rule": (RULE,), **said, **scope})


def finding(number: int = 0, events: Sequence[int] = (), **fields: Any) -> Finding:
    named = {
        "uid": f"finding-{number}",
        "rule_uid": RULE,
        "rule_title": "Some rule",
        "rule_kind": "sigma",
        "level": "low",
    }
    empty = dict.fromkeys(("attacks", "regions", "src_ips", "operations", "resources"), ())
    day = times.interval("2024-01-01").start
    uids = tuple(f"00000000-0000-0000-0000-{event:012d}" for event in events)
    other = {"count": 1, "threshold": None, "window_ms": None, "first_seen_time": day, "last_seen_time": day}
    told = {"title": "t", "desc": "", "principal_uid": ALICE, "principal_name": "alice", "account_uid": "111122223333"}
    return Finding(**{**named, **empty, **other, **told, "event_uids": uids, **fields})


def call(number: int, *, user: str = "alice", **fields: Any) -> dict[str, Any]:
    who = {"type": "IAMUser", "arn": f"arn:aws:iam::111122223333:user/team/{user}", "userName": user}
    return record(number, userIdentity={**who, "accountId": "111122223333"}, **fields)


def lake(records: Sequence[dict[str, Any]]) -> DuckDB:
    engine = DuckDB(threads=1)
    batch = normalize(Record(json.dumps(r).encode(), "s", i) for i, r in enumerate(records))
    assert not batch.rejects
    engine.mount_arrow("stored", events_table(batch.columns))
    engine.execute("CREATE TEMP VIEW events AS FROM stored")
    return engine


def applied(
    records: Sequence[dict[str, Any]], found: Sequence[Finding], known: Sequence[Exclusion], today: str = DAY
) -> Applied:
    engine = lake(records)
    try:
        return apply(engine, found, known, today)
    finally:
        engine.close()


def slow_glob(text: str, value: str) -> bool:
    """As the documentation has it, sign by sign, with every way to go."""
    if not text:
        return not value
    if text[0] == "*":
        return any(slow_glob(text[1:], value[skipped:]) for skipped in range(len(value) + 1))
    sign, rest = (text[1], text[2:]) if text[:2] in ("\\*", "\\\\") else (text[0], text[1:])
    return value[:1] == sign and slow_glob(rest, value[1:])


def slow_call(one: Exclusion, event: dict[str, Any]) -> bool:
    user = event["userIdentity"]["userName"]
    principal = f"arn:aws:iam::111122223333:user/{user}"
    for scope, value in (("principal", principal), ("origin", principal), ("user_agent", event.get("userAgent"))):
        texts = getattr(one, scope)
        if texts and not (value is not None and any(slow_glob(text, value) for text in texts)):
            return False
    if one.account and event["recipientAccountId"] not in one.account:
        return False
    return not one.address or any(_in(event["sourceIPAddress"], network) for network in one.address)


def _in(address: str, network: str) -> bool:
    try:
        return ipaddress.ip_address(address) in ipaddress.ip_network(network)
    except ValueError:
        return False


def slow(one: Exclusion, found: Finding, events: dict[str, dict[str, Any]], today: str) -> str:
    if not one.created <= today <= one.expires or not {found.rule_uid, found.rule_title, "all"} & set(one.rule):
        return "no"
    touched = [any(slow_glob(text, r.uid) for text in one.resource) for r in found.resources]
    fits = [slow_call(one, events[uid]) for uid in found.event_uids if uid in events]
    all_there = all(uid in events for uid in found.event_uids)
    if all_there and fits and all(fits) and (not one.resource or (touched and all(touched))):
        return "whole"
    return "part" if any(fits) and (not one.resource or any(touched)) else "no"


agents = st.one_of(st.none(), st.text(st.sampled_from(SIGNS), min_size=1, max_size=5))
addresses = st.sampled_from(["198.51.100.7", "198.51.100.8", "203.0.113.1", "2001:db8::1", "AWS Internal"])
events = st.lists(st.tuples(st.sampled_from(["alice", "bob"]), addresses, agents), min_size=1, max_size=6)
touched = st.lists(st.sampled_from(["bucket", "bucket/key", "bucket*", "i-0abc"]), max_size=3, unique=True)
patterns = st.text(st.sampled_from(SIGNS), min_size=1, max_size=4).filter(lambda text: any(glob(text).parts))


def some(*values: str) -> st.SearchStrategy[tuple[str, ...]]:
    return st.lists(st.sampled_from(values), min_size=1, max_size=2, unique=True).map(tuple)


of_scope = {
    "principal": some(ALICE, BOB, "arn:*:user/alice", "alice", "*/bob", "arn:*"),
    "origin": some(ALICE, BOB, "*alice", "arn*"),
    "address": some("198.51.100.7", "198.51.100.0/24", "203.0.113.0/31", "2001:db8::/32", "::/64"),
    "resource": some("bucket", "bucket/*", "bucket*", "i-*", "bucket\\*"),
    "account": some("111122223333", "444455556666"),
    "user_agent": st.one_of(patterns.map(lambda text: (text,)), st.just(("*a*", "*x*", "*A*"))),
}
# Few at a time, or hardly any exclusion would fit.
scopes = st.tuples(
    st.one_of([st.fixed_dictionaries({name: values}) for name, values in of_scope.items()]),
    st.one_of(st.just({}), *[st.fixed_dictionaries({name: values}) for name, values in of_scope.items()]),
    st.fixed_dictionaries(
        {
            "rule": st.sampled_from([(RULE,), ("Some rule",), ("all",), ("other",), ("other", RULE)]),
            "expires": st.sampled_from([DAY, "2026-12-31", "2026-11-23"]),
            "created": st.sampled_from([DAY, "2026-01-01", "2026-11-25"]),
        }
    ),
).map(lambda parts: parts[0] | parts[1] | parts[2])


@settings(max_examples=60)  # each makes a lake, and derives its sessions
@given(events, touched, st.lists(scopes, min_size=1, max_size=8), st.booleans())
def test_it_hides_what_a_slow_reading_of_the_records_hides(
    made: list[tuple[str, str, str | None]], resources: list[str], known: list[dict[str, Any]], missing: bool
) -> None:
    records = [
        call(n, user=user, sourceIPAddress=ip, userAgent=agent) for n, (user, ip, agent) in enumerate(made, start=1)
    ]
    uids = [*range(1, len(records) + 1), *([99] if missing else [])]
    one = finding(0, uids, resources=tuple(Resource(uid=uid) for uid in resources))
    exclusions = [exclusion(**scope, line=line) for line, scope in enumerate(known, start=1)]
    by_uid = {r["eventID"]: r for r in records}
    expected = [slow(each, one, by_uid, DAY) for each in exclusions]
    got = applied(records, [one], exclusions)
    hidden = [each.line for each, fit in zip(exclusions, expected, strict=True) if fit == "whole"]
    partly = [each.line for each, fit in zip(exclusions, expected, strict=True) if fit == "part"]
    assert [each.line for each in got.hidden.values()] == hidden[:1]
    assert [each.line for each in got.partly.values()] == (partly[:1] if not hidden else [])
    assert got.findings[0].status == ("suppressed" if hidden else "new")


few = st.text("*\\ab", max_size=6)  # so that what stands on both sides of a star overlaps


@example("a*a", "a")
@given(few | st.text(st.sampled_from(SIGNS), max_size=8), few | st.text(st.sampled_from(SIGNS), max_size=8))
def test_a_star_is_the_only_wildcard(text: str, value: str) -> None:
    assert glob(text).fits(value) == slow_glob(text, value)
    assert glob(exactly(value)).exact == value


def test_a_hostile_value_does_not_slow_a_wildcard_down() -> None:
    before = time.process_time()
    assert not glob("*a" * 50 + "b").fits("a" * 100_000)
    assert time.process_time() - before < 1


def test_one_call_that_does_not_fit_keeps_the_finding_in_sight() -> None:
    records = [
        *(call(n, sourceIPAddress="198.51.100.7") for n in range(1, 40)),
        call(40, sourceIPAddress="203.0.113.9"),
    ]
    got = applied(records, [finding(0, range(1, 41))], [exclusion(address=("198.51.100.0/24",), line=3)])
    assert not got.hidden
    assert got.findings[0].status == "new"
    assert got.findings[0].status_reason == "the exclusion e.yml:3 fits only a part of it"


def test_one_resource_more_keeps_the_finding_in_sight() -> None:
    known = [exclusion(resource=("logs", "logs/*"))]
    names = (["logs", "logs/a"], ["logs", "secrets"], [])
    found = [finding(n, [1], resources=tuple(Resource(uid=uid) for uid in own)) for n, own in enumerate(names)]
    got = applied([call(1)], found, known)
    assert (list(got.hidden), list(got.partly)) == (["finding-0"], ["finding-1"])


@pytest.mark.parametrize(
    ("rule", "hides"), [(RULE, True), ("Some rule", True), ("all", True), ("some rule", False), ("other", False)]
)
@pytest.mark.parametrize("principal", [ALICE, "*alice"])
def test_a_rule_is_named_by_its_id_or_its_title(rule: str, principal: str, hides: bool) -> None:
    assert (
        bool(applied([call(1)], [finding(0, [1])], [exclusion(rule=(rule,), principal=(principal,))]).hidden) == hides
    )


def test_an_address_is_in_networks_of_its_own_version_only() -> None:
    records = [call(1, sourceIPAddress="203.0.113.1"), call(2, sourceIPAddress="198.51.100.7")]
    known = [exclusion(address=("203.0.113.1", "::/64"))]
    assert list(applied(records, [finding(0, [1]), finding(1, [1, 2])], known).hidden) == ["finding-0"]


@pytest.mark.parametrize("more", [{}, {"principal": (ALICE,)}])
def test_an_account_is_the_one_that_received_the_event(more: dict[str, Any]) -> None:
    records = [call(1), call(2, recipientAccountId="444455556666")]
    got = applied(records, [finding(n, [n]) for n in (1, 2)], [exclusion(account=("444455556666",), **more)])
    assert list(got.hidden) == ["finding-2"]


def test_an_event_that_is_no_longer_in_the_lake_keeps_the_finding_in_sight() -> None:
    got = applied([call(1)], [finding(0, [1, 2])], [exclusion(principal=(ALICE,))])
    assert not got.hidden
    assert got.partly


def test_two_exclusions_that_each_fit_a_half_do_not_make_one() -> None:
    halves = [exclusion(principal=(who,)) for who in (ALICE, BOB)]
    got = applied([call(1), call(2, user="bob")], [finding(0, [1, 2])], halves)
    assert not got.hidden
    assert applied([call(1), call(2, user="bob")], [finding(0, [1, 2])], [exclusion(principal=(ALICE, BOB))]).hidden


def test_the_last_day_is_whole_and_in_utc() -> None:
    one = exclusion(principal=(ALICE,), created="2026-11-01", expires="2026-11-24")
    states = [one.state(day) for day in ("2026-10-31", "2026-11-01", "2026-11-24", "2026-11-25")]
    assert states == ["not yet", "active", "active", "expired"]
    assert applied([call(1)], [finding(0, [1])], [one], "2026-11-24").hidden
    assert not applied([call(1)], [finding(0, [1])], [one], "2026-11-25").hidden


def test_what_somebody_decided_is_left_as_it_is() -> None:
    closed = finding(0, [1], status="closed", status_reason="done")
    got = applied([call(1)], [closed], [exclusion(principal=(ALICE,))])
    assert got.findings == (closed,)
    assert not got.hidden


def test_a_baseline_that_names_only_its_first_events_is_never_set_aside() -> None:
    assert of_baselines._MOST_EVENTS == NAMED_AT_MOST
    shape = {"kind": "", "actor": ALICE, "measured": "", "expected": "", "seen": "", "score": 1.0, "threshold": 1.0}
    analysis = Analysis(**shape, history_days=1, active_days=1)
    records = [call(n) for n in range(1, NAMED_AT_MOST + 1)]
    full = finding(0, range(1, NAMED_AT_MOST + 1), analysis=analysis)
    fewer = finding(1, range(1, NAMED_AT_MOST), analysis=analysis)
    got = applied(records, [full, fewer], [exclusion(principal=(ALICE,))])
    assert list(got.hidden) == [fewer.uid]
    assert list(got.partly) == [full.uid]


def test_the_origin_is_that_of_the_session_which_made_the_call() -> None:
    role = "arn:aws:iam::111122223333:role/deploy"
    session = {
        "type": "AssumedRole",
        "principalId": "AROAEXAMPLE:ci",
        "arn": "arn:aws:sts::111122223333:assumed-role/deploy/ci",
        "accountId": "111122223333",
        "accessKeyId": "ASIAEXAMPLE1",
        "sessionContext": {
            "sessionIssuer": {"type": "Role", "arn": role},
            "attributes": {"creationDate": "2024-01-01T00:00:00Z"},
        },
    }
    opened = call(
        1,
        eventSource="sts.amazonaws.com",
        eventName="AssumeRole",
        requestParameters={"roleArn": role, "roleSessionName": "ci"},
        responseElements={
            "credentials": {"accessKeyId": "ASIAEXAMPLE1"},
            "assumedRoleUser": {"assumedRoleId": "AROAEXAMPLE:ci", "arn": session["arn"]},
        },
    )
    used = record(2, userIdentity=session, eventTime="2024-01-01T00:01:00Z")
    found = [finding(0, [2], principal_uid=role)]
    assert applied([opened, used], found, [exclusion(origin=(ALICE,))]).hidden
    assert not applied([opened, used], found, [exclusion(origin=(role,))]).hidden
    assert applied([opened, used], found, [exclusion(principal=(role,))]).hidden


@pytest.mark.parametrize("scope", ["principal", "address", "user_agent", "resource"])
def test_ten_thousand_exclusions_of_one_rule_are_quick(scope: str) -> None:
    values = {
        "principal": lambda n: f"arn:aws:iam::111122223333:user/u{n}",
        "address": lambda n: f"10.{n // 256}.{n % 256}.0/24",
        "user_agent": lambda n: f"agent {n}",
        "resource": lambda n: f"bucket-{n}/*",  # not to be looked up: the worst there is
    }
    known = [exclusion(**{scope: (values[scope](n),)}, line=n) for n in range(10_000)]
    records = [
        call(n, user=f"u{n}", sourceIPAddress=f"10.0.{n % 256}.9", userAgent=f"agent {n}") for n in range(1, 201)
    ]
    found = [finding(n, [n], resources=(Resource(uid=f"bucket-{n}/key"),)) for n in range(1, 201)]
    before = time.process_time()
    got = applied(records, found, known)
    assert time.process_time() - before < 3
    assert [one.line for one in got.hidden.values()] == list(range(1, 201))


def test_nothing_is_read_where_no_exclusion_names_the_rule() -> None:
    engine = DuckDB(threads=1)  # without a table `events`
    others = [exclusion(rule=("other",), principal=(ALICE,)), exclusion(principal=(ALICE,), expires="2026-01-02")]
    assert apply(engine, [finding(0, [1])], others, DAY).findings == (finding(0, [1]),)
    engine.close()


def test_the_finding_says_which_exclusion_and_why() -> None:
    one = exclusion(principal=(ALICE,), reason="nightly", author="carol", line=7)
    got = applied([call(1)], [finding(0, [1])], [one])
    assert got.findings[0].status_reason == "excluded by e.yml:7 (carol, until 2026-12-31): nightly"
    assert msgspec.structs.replace(got.findings[0], status="new", status_reason="") == finding(0, [1])
