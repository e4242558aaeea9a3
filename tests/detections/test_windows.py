"""Correlations against a plain reading: every window that ends at an event, closed at both ends."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.detections.conftest import numbers, record, rule

from trailhound.detections.placeholders import Placeholders, Production

_SPAN = 300


def _correlation(kind: str, threshold: int) -> str:
    field = {"field": "requestParameters.x"} if kind == "value_count" else {}
    return json.dumps(
        {
            "title": "c",
            "id": "7a1f4a52-5d4b-4b3c-8f3e-0f1d2c3b4a59",
            "correlation": {
                "type": kind,
                "rules": ["base"],
                "group-by": ["userIdentity.userName"],
                "timespan": "5m",
                "condition": {**field, "gte": threshold},
            },
            "level": "low",
        }
    )


def _at(second: int) -> str:
    return (datetime(2024, 1, 1, tzinfo=UTC) + timedelta(seconds=second)).strftime("%Y-%m-%dT%H:%M:%SZ")


def _event(number: int, second: int, user: str, value: str) -> dict:
    who = {"type": "IAMUser", "userName": user, "accountId": "111122223333"}
    return record(number, eventName="Do", eventTime=_at(second), userIdentity=who, requestParameters={"x": value})


_EVENTS = st.lists(
    st.tuples(st.integers(0, 1200), st.sampled_from("uv"), st.sampled_from("pqrs")), min_size=1, max_size=14
)


@settings(max_examples=120)
@pytest.mark.parametrize("kind", ["event_count", "value_count"])
@given(_EVENTS, st.integers(2, 4))
def test_windows_slide_and_are_closed(fires, kind, events, threshold):
    base = rule({"sel": {"eventName": "Do"}, "condition": "sel"}, name="base")
    found = fires(f"{base}\n---\n{_correlation(kind, threshold)}", [_event(i, *e) for i, e in enumerate(events)])
    expected = set()
    for end, user, _ in events:
        inside = [i for i, (t, u, _) in enumerate(events) if u == user and end - _SPAN <= t <= end]
        counted = inside if kind == "event_count" else {events[i][2] for i in inside}
        expected |= set(inside) if len(counted) >= threshold else set()
    assert numbers(found) == expected


_HEADLINE = (
    rule(
        {
            "sel": {
                "eventName": "TerminateInstances",
                "status": "success",
                "resource.uid|expand": "%production_instances%",
            },
            "condition": "sel",
        },
        name="base",
        logsource={"product": "aws", "service": "cloudtrail", "category": "resource"},
    )
    + "\n---\n"
    + _correlation("value_count", 20).replace("requestParameters.x", "resource.uid")
)


def _terminated(number: int, second: int, *ids: str, user: str = "u") -> dict:
    who = {"type": "IAMUser", "userName": user, "accountId": "111122223333"}
    request = {"instancesSet": {"items": [{"instanceId": i} for i in ids]}}
    return record(
        number, eventName="TerminateInstances", eventTime=_at(second), userIdentity=who, requestParameters=request
    )


_IDS = [f"i-{n:017x}" for n in range(20)]


@pytest.mark.parametrize(
    ("shown", "events", "found"),
    [
        ("twenty in one call", [_terminated(0, 0, *_IDS)], 1),
        ("twenty calls", [_terminated(n, n * 10, i) for n, i in enumerate(_IDS)], 1),
        ("nineteen", [_terminated(0, 0, *_IDS[:19])], 0),
        ("exactly 300 seconds", [_terminated(0, 0, *_IDS[:19]), _terminated(1, 300, _IDS[19])], 1),
        ("301 seconds", [_terminated(0, 0, *_IDS[:19]), _terminated(1, 301, _IDS[19])], 0),
        ("across a clock boundary", [_terminated(0, 3500, *_IDS[:10]), _terminated(1, 3700, *_IDS[10:])], 1),
        ("two users with ten each", [_terminated(0, 0, *_IDS[:10]), _terminated(1, 0, *_IDS[10:], user="v")], 0),
        ("one instance twenty times", [_terminated(n, n, _IDS[0]) for n in range(20)], 0),
        ("twenty that are not production", [_terminated(0, 0, *(f"i-{n:08x}" for n in range(20)))], 0),
    ],
)
def test_instances_are_counted_and_not_calls(fires, shown, events, found):
    production = Placeholders(production=Production(ids=_IDS))
    assert len(fires(_HEADLINE, events, production).findings) == found, shown


def test_a_rule_whose_placeholder_is_empty_is_named_as_skipped(fires):
    found = fires(_HEADLINE, [_terminated(0, 0, *_IDS)])
    assert found.findings == ()
    assert any("production_instances" in skipped.reason for skipped in found.skipped)


@settings(max_examples=60)
@given(st.lists(st.tuples(st.sampled_from([0, 0, 1, 900, 900, 1800]), st.sampled_from("uvw")), min_size=6, max_size=60))
def test_events_of_one_second_are_one_episode(fires, events):
    """Each user's events in a row, none more than five minutes after the one before, are one finding, never two."""
    base = rule({"sel": {"eventName": "Do"}, "condition": "sel"}, name="base")
    records = [_event(i, second, user, "p") for i, (second, user) in enumerate(events)]
    found = fires(f"{base}\n---\n{_correlation('event_count', 2)}", records).findings
    bursts = {(user, second // 900) for second, user in events}
    expected = sum(sum((u, s // 900) == burst for s, u in events) > 1 for burst in bursts)
    assert len(found) == len({finding.uid for finding in found}) == expected
