"""The time zone of a person, inferred from the hours at which they work: said only where the rhythm is clear.

People sleep. Where nearly all hours with calls lie within ten hours of the day, on many days, the middle of
them is taken for one o'clock in the afternoon. That can be wrong by two hours, does not know summer time, and
says nothing of where somebody is: who works at night for another continent looks as if living there.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

_DAY = 24
_WINDOW = 10  # hours of a working day, with what is done before and after
_WITHIN = 0.9  # of the hours with calls, that must lie within it
_USED = 5  # different hours, or it is a job that runs at a set time
_DAYS = 10
_NOON = 13.0  # local time of the middle of a working day
_LATEST = 13  # New Zealand in summer, not Samoa; beyond it the same clock is that of Hawaii


class Zone(msgspec.Struct, frozen=True):
    utc_offset: int  # hours ahead of UTC, give or take two
    because: str  # that it is inferred, and from how much


def zone(active: Sequence[int], days: int) -> Zone | None:
    """None where the rhythm is not clear.

    `active`: for each of the 24 hours of the day (UTC), on how many days there were calls in it; `days`: with calls.
    """
    total = sum(active)
    if days < _DAYS or not total:
        return None
    start = max(range(_DAY), key=lambda hour: (sum(_window(active, hour)), -hour))
    window = _window(active, start)
    within = sum(window)
    if within < _WITHIN * total or sum(map(bool, window)) < _USED:
        return None
    middle = start + sum((place + 0.5) * count for place, count in enumerate(window)) / within
    offset = round(_NOON - middle) % _DAY
    because = (
        f"inferred: {100 * within // total} % of {total:,} active hours on {days:,} days lie between "
        f"{start:02}:00 and {(start + _WINDOW) % _DAY:02}:00 UTC; give or take two hours"
    )
    return Zone(offset - _DAY if offset > _LATEST else offset, because)


def _window(active: Sequence[int], start: int) -> list[int]:
    return [active[(start + place) % _DAY] for place in range(_WINDOW)]
