"""Time: gaps, restarts and stops, and what in the logs explains them."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.integrity.trails import HOUR, START, Trail, checked, ms

from trailhound.integrity.coverage import Asked, _Span, _stretches

MINUTE = timedelta(minutes=1)


def restarted(root: Path, *, calls: bool = True, account: str = "") -> Trail:
    """Stopped at 02:10, started at 04:00: two chains, with or without the calls in the logs."""
    trail = Trail(root).hours(0, 2)
    stop, begin = START + 2 * HOUR + 10 * MINUTE, START + 4 * HOUR
    off = [{**trail.call(stop, "StopLogging"), **({"recipientAccountId": account} if account else {})}]
    trail.digest(START + 2 * HOUR, stop, [trail.log(stop - MINUTE, off if calls else None)])
    on = [trail.call(begin, "StartLogging")] if calls else None
    trail.digest(begin, begin + HOUR, [trail.log(begin + MINUTE, on)], start=True)
    return trail.hours(5, 6)


def test_a_restart_is_a_gap_that_its_calls_explain(tmp_path: Path) -> None:
    restarted(tmp_path)
    found = checked(tmp_path)
    assert found.verdict == "unverifiable"
    gap, stopped = found.faults
    assert (gap.fault, gap.begin, gap.end) == ("gap", ms(START + 2 * HOUR + 10 * MINUTE), ms(START + 4 * HOUR))
    assert gap.detail.startswith("StopLogging at 2026-03-01T02:10:00Z by arn:aws:iam::111122223333:user/mallory, Start")
    assert (stopped.fault, stopped.begin, stopped.end) == ("logging_stopped", gap.begin, gap.end)
    assert [bool(start.explained_by) for start in found.starts] == [False, True]
    assert found.places[0].digests.verified == 5


def test_a_restart_without_calls_is_to_be_explained(tmp_path: Path) -> None:
    restarted(tmp_path, calls=False)
    found = checked(tmp_path)
    assert [fault.fault for fault in found.faults] == ["gap", "unexplained_start"]
    assert "no call in the logs explains it" in found.faults[0].detail


def test_calls_of_another_account_explain_nothing(tmp_path: Path) -> None:
    restarted(tmp_path, account="999999999999")
    assert "no call in the logs explains it" in checked(tmp_path).faults[0].detail


def test_calls_in_a_planted_log_explain_nothing(tmp_path: Path) -> None:
    trail = restarted(tmp_path, calls=False)
    stop = START + 2 * HOUR + 10 * MINUTE
    trail.log(stop - 2 * MINUTE, [trail.call(stop, "StopLogging"), trail.call(START + 4 * HOUR, "StartLogging")])
    found = checked(tmp_path)
    assert [fault.fault for fault in found.faults] == ["unlisted", "gap", "unexplained_start"]
    assert found.stops == ()


def test_a_call_that_was_refused_stops_nothing(tmp_path: Path) -> None:
    trail = Trail(tmp_path)
    refused = {**trail.call(START, "StopLogging"), "errorCode": "AccessDenied"}
    trail.digest(START, START + HOUR, [trail.log(START, [refused])])
    assert checked(tmp_path).verdict == "verified"


def test_seven_minutes_without_logging_are_found_though_no_hour_lacks_a_digest(tmp_path: Path) -> None:
    trail = Trail(tmp_path).hours(0, 1)
    off, on = START + 70 * MINUTE, START + 77 * MINUTE
    calls = [trail.call(off, "StopLogging"), trail.call(on, "StartLogging")]
    trail.digest(START + HOUR, START + 2 * HOUR, [trail.log(on + MINUTE, calls)])
    found = checked(trail.root)
    assert [(fault.fault, fault.begin, fault.end) for fault in found.faults] == [("logging_stopped", ms(off), ms(on))]
    assert found.verdict == "unverifiable"


def test_a_trail_that_stays_stopped_has_no_end(tmp_path: Path) -> None:
    trail = Trail(tmp_path)
    trail.digest(START, START + HOUR, [trail.log(START, [trail.call(START + MINUTE, "DeleteTrail")])])
    assert [(stop.begin, stop.end) for stop in checked(tmp_path).stops] == [(ms(START + MINUTE), None)]


@pytest.mark.parametrize("name", ["CreateTrail", "UpdateTrail", "StartLogging"])
def test_what_explains_a_first_digest(tmp_path: Path, name: str) -> None:
    trail = Trail(tmp_path)
    trail.digest(START, START + HOUR, [trail.log(START, [trail.call(START, name, enableLogFileValidation=True)])])
    (start,) = checked(tmp_path).starts
    assert start.explained_by.startswith(name)


def test_turning_validation_off_explains_the_end_of_digests(tmp_path: Path) -> None:
    trail = Trail(tmp_path)
    off = trail.call(START + MINUTE, "UpdateTrail", enableLogFileValidation=False)
    trail.digest(START, START + HOUR, [trail.log(START, [off])])
    found = checked(tmp_path, until=ms(START + 9 * HOUR))
    assert found.faults[0].fault == "tail_gap"
    assert found.faults[0].detail.startswith("UpdateTrail")
    assert found.stops == (), "it goes on logging, only unproven"


def test_usual_regions_without_digests_are_remarked(tmp_path: Path) -> None:
    Trail(tmp_path).hours(0, 2)
    assert checked(tmp_path).absent_regions == {}
    Trail(tmp_path, region="eu-west-1").hours(0, 2)
    found = checked(tmp_path)
    assert found.verdict == "verified"
    assert len(found.absent_regions["main (us-east-1)"]) == 15


SPANS = st.lists(
    st.builds(
        lambda begin, length, state: _Span(begin, begin + length, state),
        st.integers(-5, 30),
        st.integers(0, 12),
        st.sampled_from(["verified", "unverifiable", "broken"]),
    ),
    max_size=8,
)


@given(spans=SPANS)
def test_stretches_are_what_each_moment_says(spans: list[_Span]) -> None:
    asked = Asked(0, 25, 0)
    by_moment = {}
    for begin, end, state in _stretches(spans, asked):
        assert begin < end
        by_moment |= dict.fromkeys(range(begin, end), state)
    for moment in range(25):
        held = {span.state for span in spans if span.begin <= moment < span.end}
        best = next((state for state in ("verified", "unverifiable", "broken") if state in held), "uncovered")
        assert by_moment[moment] == best
    assert set(by_moment) == set(range(25))


def test_calls_in_a_log_planted_outside_the_period_explain_nothing(tmp_path: Path) -> None:
    trail = restarted(tmp_path, calls=False)
    stop = START + 2 * HOUR + 10 * MINUTE
    trail.log(START - 5 * HOUR, [trail.call(stop, "StopLogging"), trail.call(START + 4 * HOUR, "StartLogging")])
    found = checked(tmp_path, since=ms(START))
    assert [fault.fault for fault in found.faults] == ["gap", "unexplained_start"]
