"""Findings of one lineage that lie near in time are one incident, and their risks add up."""

from __future__ import annotations

import random

import msgspec
from hypothesis import given
from hypothesis import strategies as st
from tests.detections.test_ocsf_finding import FINDING

from trailhound.detections.incidents import NEAR, Assessed, ranked
from trailhound.detections.risk import BY_LEVEL, risk
from trailhound.lake.times import DAY, HOUR
from trailhound.model import LEVELS, Finding, Reason, Risk

TACTICS = ("initial-access", "discovery", "persistence", "impact")


def finding(number: int, *, at: int = 0, lasts: int = 0, **fields) -> Finding:
    return msgspec.structs.replace(
        FINDING,
        uid=f"f{number}",
        first_seen_time=at,
        last_seen_time=at + lasts,
        **{"attacks": (), "tags": (), **fields},
    )


def low(number: int, tactic: str, **fields) -> Finding:
    return finding(number, level="low", tags=(f"attack.{tactic}",), **fields)


def alone(found: list[Finding]) -> dict[str, Risk]:
    return {one.uid: risk(BY_LEVEL[one.level], [Reason(points=BY_LEVEL[one.level], text="level")]) for one in found}


def assessed(*found: Finding) -> Assessed:
    return ranked(found, alone(list(found)))


some = st.builds(
    lambda number, at, lasts, who, level, tactic, status: finding(
        number, at=at * HOUR, lasts=lasts * HOUR, origin_uid=who, level=level, tags=(f"attack.{tactic}",), status=status
    ),
    st.integers(0, 10**6), st.integers(0, 300), st.integers(0, 60), st.sampled_from(["a", "b", ""]), st.sampled_from(LEVELS),
    st.sampled_from(TACTICS), st.sampled_from(["new", "new", "closed", "suppressed"]),
)  # fmt: skip
several = st.lists(some, min_size=1, max_size=14, unique_by=lambda one: one.uid)


def slowly(found: list[Finding]) -> set[frozenset[str]]:
    """By the words of the documentation, pair by pair: who is near whom, and who is near to those."""

    def span(one: Finding) -> tuple[int, int]:
        return max(one.first_seen_time, one.last_seen_time - DAY), one.last_seen_time

    def near(one: Finding, other: Finding) -> bool:
        (begin, end), (other_begin, other_end) = span(one), span(other)
        same = (one.origin_uid or one.principal_uid) == (other.origin_uid or other.principal_uid)
        return same and begin <= other_end + DAY and other_begin <= end + DAY

    groups: list[set[str]] = []
    for one in found:
        touched = [group for group in groups if any(near(one, other) for other in found if other.uid in group)]
        groups = [group for group in groups if group not in touched] + [{one.uid}.union(*touched)]
    return {frozenset(group) for group in groups}


@given(several)
def test_who_is_near_whom_is_one_incident(found: list[Finding]) -> None:
    assert {frozenset(one.finding_uids) for one in assessed(*found).incidents} == slowly(found)


@given(several, st.integers())
def test_the_order_in_which_findings_come_does_not_matter(found: list[Finding], seed: int) -> None:
    mixed = random.Random(seed).sample(found, len(found))
    assert msgspec.json.encode(assessed(*mixed)) == msgspec.json.encode(assessed(*found))


@given(several)
def test_every_finding_is_in_its_incident_with_a_bounded_and_explained_risk(found: list[Finding]) -> None:
    result = assessed(*found)
    assert sorted(one.uid for one in result.findings) == sorted(one.uid for one in found)
    for incident in result.incidents:
        members = [one for one in result.findings if one.incident_uid == incident.uid]
        assert tuple(one.uid for one in members) == incident.finding_uids
        assert members[0].risk == incident.risk
        for one in members:
            assert one.risk
            assert one.risk.alone <= one.risk.score <= incident.risk.score or one.status != incident.status
            assert 1 <= one.risk.score <= 100
            assert sum(reason.points for reason in one.risk.reasons) == one.risk.score


@given(several, some)
def test_one_more_finding_never_lowers_the_risk_of_its_lineage(found: list[Finding], more: Finding) -> None:
    found = [
        msgspec.structs.replace(one, status="new", origin_uid="a", first_seen_time=0, last_seen_time=0) for one in found
    ]
    more = msgspec.structs.replace(more, uid="more", status="new", origin_uid="a", first_seen_time=0, last_seen_time=0)
    (before,), (after,) = assessed(*found).incidents, assessed(*found, more).incidents
    assert after.risk.score >= before.risk.score


def test_weak_signals_over_tactics_outrank_one_lone_medium_finding() -> None:
    weak = [low(number, tactic, origin_uid="weak", at=number * HOUR) for number, tactic in enumerate(TACTICS[:3])]
    lone = finding(9, level="medium", origin_uid="lone")
    first, second = assessed(*weak, lone).incidents
    assert (first.origin_uid, first.tactics) == ("weak", TACTICS[:3])
    assert first.risk.score > second.risk.score == second.risk.alone == 40
    assert "2 more findings of" in first.risk.reasons[-1].text
    assert "over 3 tactics" in first.risk.reasons[-1].text


def test_more_of_one_tactic_adds_less_and_less() -> None:
    many = [low(number, "discovery") for number in range(500)]
    scores = [assessed(*many[:number]).incidents[0].risk.score for number in (1, 2, 3, 500)]
    assert scores == sorted(scores)
    assert scores[-1] < 40, "five hundred low findings of one kind are less than one of medium level"


def test_what_is_decided_adds_nothing_and_is_never_at_the_top() -> None:
    open_one = low(1, "discovery")
    closed = finding(2, level="critical", status="closed")
    (incident,) = assessed(open_one, closed).incidents
    assert (incident.status, incident.level, incident.risk.score) == ("new", "low", 20)
    first, second = assessed(
        low(1, "discovery", origin_uid="a"), msgspec.structs.replace(closed, origin_uid="b")
    ).incidents
    assert (first.origin_uid, second.status) == ("a", "closed")


def test_an_incident_keeps_its_uid_while_it_grows() -> None:
    begun = [low(1, "discovery"), low(2, "impact", at=HOUR)]
    grown = [*begun, finding(3, at=2 * HOUR, level="critical"), low(4, "persistence", at=2 * HOUR + NEAR)]
    assert {one.uid for one in assessed(*begun).incidents} == {one.uid for one in assessed(*grown).incidents}
    apart = [*grown, low(5, "impact", at=3 * HOUR + 2 * NEAR)]
    assert len(assessed(*apart).incidents) == 2


def test_a_finding_that_lasts_for_weeks_does_not_bind_what_lies_weeks_apart() -> None:
    long = low(1, "initial-access", lasts=60 * DAY)
    early, late = low(2, "discovery", at=DAY), low(3, "impact", at=60 * DAY)
    assert {frozenset(one.finding_uids) for one in assessed(long, early, late).incidents} == {
        frozenset({"f2"}), frozenset({"f1", "f3"}),
    }  # fmt: skip
    alone_late = next(one for one in assessed(early, late).incidents if "f3" in one.finding_uids)
    assert alone_late.uid in {one.uid for one in assessed(long, early, late).incidents}


def test_callers_without_credentials_are_told_apart_by_their_address() -> None:
    one, other = (finding(n, origin_uid="anonymous", src_ips=(ip,)) for n, ip in enumerate(("192.0.2.1", "192.0.2.2")))
    assert len(assessed(one, other).incidents) == 2
    assert len(assessed(one, msgspec.structs.replace(other, src_ips=one.src_ips)).incidents) == 1
