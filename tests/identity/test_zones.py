"""The time zone of a person is told where the rhythm is clear, and only there."""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from trailhound.identity.zones import zone


def working(offset: int, days: int, dice: random.Random) -> list[int]:
    """On how many days a person in that zone, at work from about 9 to 18, made calls in each hour (UTC)."""
    active = [0] * 24
    for _ in range(days):
        begin, end = 9 + dice.choice([-1, 0, 0, 1]), 17 + dice.choice([0, 0, 1])
        for hour in range(begin, end):
            active[(hour - offset) % 24] += dice.random() < 0.7
    return active


@given(st.integers(-9, 13), st.integers(15, 90), st.integers())
def test_the_zone_of_a_person_at_work_is_told_within_two_hours(offset: int, days: int, seed: int) -> None:
    found = zone(working(offset, days, random.Random(seed)), days)
    assert found is not None
    assert -10 <= found.utc_offset <= 13
    assert (found.utc_offset - offset + 2) % 24 <= 4, "two zones a day apart have the same clock"
    assert found.because.startswith("inferred: ")


@given(st.integers(1, 400))
def test_who_works_all_day_has_no_zone(days: int) -> None:
    assert zone([days] * 24, days) is None


def test_no_zone_is_told_from_little() -> None:
    assert zone(working(2, 9, random.Random(1)), 9) is None, "nine days"
    nightly = [0] * 24
    nightly[3] = 60
    assert zone(nightly, 60) is None, "a job at three o'clock"
    assert zone([0] * 24, 0) is None
