"""Take evidence away: a *yes* may become *unknown*, but never *no*."""

from __future__ import annotations

import pytest

_DAYS = [f"event_day <> '2020-11-{day:02d}'" for day in range(1, 6)]
_HOURS = [f"time - time % 3600000 <> epoch_ms(TIMESTAMP '2020-11-06 0{hour}:00:00')" for hour in range(3)]
_LENGTHS = [f"event_day >= '{day}'" for day in ("2020-09-02", "2020-10-15", "2020-11-02", "2020-11-05", "2020-11-06")]
_ENDS = ["time <= epoch_ms(TIMESTAMP '2020-11-06 03:21:39')", "time <= epoch_ms(TIMESTAMP '2020-11-06 03:30:00')"]
_FIELDS = ["http_request.user_agent", "src_endpoint.ip"]


def _verdicts(investigation):
    return {a.question: a.verdict for a in investigation.answers if a.step == 3}


@pytest.fixture(scope="module")
def whole(case):
    return _verdicts(case("roboman1").investigate())


@pytest.mark.parametrize("kept", [*_DAYS, *_HOURS, *_LENGTHS, *_ENDS])
def test_no_yes_becomes_a_no(case, whole, kept):
    story = case("roboman1")
    alert = ", ".join(f"'{uid}'" for uid in story.finding.event_uids)
    try:
        story.keep(f"({kept}) OR metadata.uid IN ({alert})")
        left = _verdicts(story.investigate())
    finally:
        story.keep("TRUE")
    flipped = [q for q, verdict in whole.items() if verdict == "yes" and left.get(q) == "no"]
    assert flipped == []


_READS, _HOME = "read_only IS NOT TRUE", "cloud.region <> 'us-east-1'"


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("roboman1", _READS),
        ("roboman1", _HOME),
        ("policy_attached", _READS),
        ("s3_exfiltration", _HOME),
        ("sdk_overwritten", _READS),
        ("trail_stopped", _HOME),
    ],
)
def test_no_yes_becomes_a_no_where_a_trail_records_less(case, name, kept):
    story = case(name)
    before = _verdicts(story.investigate())
    alert = ", ".join(f"'{uid}'" for uid in story.finding.event_uids)
    try:
        story.keep(f"({kept}) OR metadata.uid IN ({alert})")
        left = _verdicts(story.investigate())
    finally:
        story.keep("TRUE")
    assert [q for q, verdict in before.items() if verdict == "yes" and left.get(q) == "no"] == []


def test_no_yes_becomes_a_no_where_the_day_after_is_missing_and_the_log_goes_on(case):
    story = case("policy_attached")
    before, to = _verdicts(story.investigate()), story.finding.last_seen_time
    try:
        story.keep(f"NOT time BETWEEN {to + 1} AND {to + 24 * 3_600_000}")
        left = _verdicts(story.investigate())
    finally:
        story.keep("TRUE")
    assert [q for q, verdict in before.items() if verdict == "yes" and left.get(q) == "no"] == []
    assert left["operation.what_followed"] == "unknown"


def test_without_any_history_nothing_is_claimed_to_be_new(case):
    story = case("roboman1")
    alert = ", ".join(f"'{uid}'" for uid in story.finding.event_uids)
    try:
        story.keep(f"metadata.uid IN ({alert})")
        left = _verdicts(story.investigate())
    finally:
        story.keep("TRUE")
    for question in (
        "time.off_hours",
        "operation.first_time",
        "operation.cadence",
        "user.outside_role",
        "ip_address.seen_before",
        "instance.first_seen",
        "instance.stopped_before",
    ):
        assert left[question] == "unknown", question
