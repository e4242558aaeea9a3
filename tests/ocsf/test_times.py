"""Every way in which CloudTrail writes a time."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trailhound.ocsf.times import epoch_ms, event_time

MOMENT = 1732999397000  # 2024-11-30T20:43:17Z


@pytest.mark.parametrize(
    "text",
    [
        "2024-11-30T20:43:17Z",
        "2024-11-30T20:43:17.000Z",
        "2024-11-30T21:43:17+01:00",
        "2024-11-30T20:43:17",
        "20241130T204317Z",
        "Nov 30, 2024, 8:43:17 PM",
        "Nov 30, 2024 8:43:17 PM",
        "Nov 30, 2024, 8:43:17\u202fPM",
        "1732999397",
        "1732999397000",
        " 2024-11-30T20:43:17Z",
    ],
)
def test_same_moment(text):
    assert epoch_ms(text) == MOMENT


@pytest.mark.parametrize("text", [None, "", "soon", "2024-02-31T00:00:00Z", "Feb 31, 2024, 1:00:00 AM", "12", "NaN"])
def test_no_time(text):
    assert epoch_ms(text) is None


@pytest.mark.parametrize(
    ("text", "hour"), [("12:00:00 AM", 0), ("12:00:00 PM", 12), ("1:00:00 AM", 1), ("11:00:00 PM", 23)]
)
def test_noon_and_midnight(text, hour):
    assert epoch_ms(f"Jan 1, 2024, {text}") == datetime(2024, 1, 1, hour, tzinfo=UTC).timestamp() * 1000


@settings(deadline=None)
@given(st.datetimes(timezones=st.just(UTC)))
def test_event_time_agrees_with_the_calendar(moment):
    moment = moment.replace(microsecond=0)
    time, day = event_time(moment.strftime("%Y-%m-%dT%H:%M:%SZ").zfill(20))
    assert datetime.fromtimestamp(time / 1000, UTC) == moment
    assert day == moment.date().isoformat()


@pytest.mark.parametrize(
    "text",
    ["", "yesterday", "2024-13-01T00:00:00Z", "2024-01-01T00:00:61Z", "2024-01-01T00:00:0٣Z", "2024-01-01T24:00:01Z"],
)
def test_bad_event_time(text):
    with pytest.raises(ValueError, match=f"^{re.escape(text)}$"):
        event_time(text)


def test_event_time_with_fraction_or_offset_falls_on_its_utc_day():
    assert event_time("2024-01-01T00:30:00+02:00") == (1704061800000, "2023-12-31")
