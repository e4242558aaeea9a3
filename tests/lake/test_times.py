"""A written time is an interval, as wide as its last digit."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trailhound.errors import QueryError
from trailhound.lake import times

DAY = 86_400_000


@pytest.mark.parametrize(
    ("written", "start", "width"),
    [
        ("2020-11-06", "2020-11-06T00:00:00+00:00", DAY),
        ("2020-11-06T03", "2020-11-06T03:00:00+00:00", 3_600_000),
        ("2020-11-06 03:21Z", "2020-11-06T03:21:00+00:00", 60_000),
        ("2020-11-06T03:21:39z", "2020-11-06T03:21:39+00:00", 1_000),
        ("2020-11-06T03:21:39.5", "2020-11-06T03:21:39.500+00:00", 100),
        ("2020-11-06T03:21:39.512Z", "2020-11-06T03:21:39.512+00:00", 1),
        ("2020-11-06T03:21+05:30", "2020-11-05T21:51:00+00:00", 60_000),
        ("2020-11-06T03:21:39-05:00", "2020-11-06T08:21:39+00:00", 1_000),
    ],
)
def test_a_time_covers_what_was_not_written(written: str, start: str, width: int) -> None:
    expected = times.milliseconds(datetime.fromisoformat(start))
    assert times.interval(written) == (expected, expected + width)


@pytest.mark.parametrize(
    "written", ["", "yesterday", "2020-02-30", "2020-11-06T25", "06.11.2020", "2020-11-06T03:21:39+99:00", "2020-1-1"]
)
def test_what_is_no_time_is_refused_with_an_example(written: str) -> None:
    with pytest.raises(QueryError) as raised:
        times.interval(written)
    assert "2020-11-06" in raised.value.next_step


@given(st.integers(0, 253_402_300_799_999))
def test_a_time_that_was_printed_is_read_back(moment: int) -> None:
    found = times.interval(times.text(moment))
    assert found.start == moment
    assert found.end - found.start == (1 if moment % 1000 else 1000)


@given(st.integers(0, 7_000_000_000), st.integers(-14, 14))
def test_an_offset_is_the_same_moment(seconds: int, hours: int) -> None:
    local = datetime.fromtimestamp(seconds, timezone(timedelta(hours=hours)))
    assert times.interval(local.isoformat()).start == seconds * 1000


@pytest.mark.parametrize(
    ("written", "expected"), [("7d", 7 * DAY), ("90s", 90_000), ("1h30m", 5_400_000), ("250ms", 250), ("2W", 14 * DAY)]
)
def test_durations(written: str, expected: int) -> None:
    assert times.duration(written) == expected


@pytest.mark.parametrize("written", ["", "7", "d", "7 d", "7y", "-7d", "1.5h", "7dd"])
def test_what_is_no_duration_is_refused(written: str) -> None:
    with pytest.raises(QueryError, match="not a duration"):
        times.duration(written)
