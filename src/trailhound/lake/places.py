"""Where in `events` to look: an index tells the days and calls in which a value can occur, so that no other is read."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from math import inf, isfinite
from typing import NamedTuple, Protocol

from trailhound.engines import dialect
from trailhound.lake.fields import Operand


class Place(NamedTuple):
    """Within one day. Times in epoch ms."""

    calls: frozenset[str] | None  # None: any
    first: float = -inf
    last: float = inf


Places = Mapping[str, Place]  # by day


class Index(Protocol):
    """What it leaves out cannot match; what it names may."""

    newest_day: str  # of the events, as far as is known

    def holds(self, operand: Operand) -> bool:
        """Whether all values of this column are in it."""
        ...

    def equal(self, value: str) -> Places:
        """Where any such column has this value, in any case."""
        ...

    def days_of(self, values: Collection[str]) -> list[str]:
        """On which days any such column has one of these values, as it is written here."""
        ...

    def within(self, text: str) -> Places | None:
        """Where the record as delivered contains this text, in any case; None: it may be anywhere."""
        ...


def both(one: Places | None, other: Places | None) -> Places | None:
    if one is None or other is None:
        return other if one is None else one
    found = dict[str, Place]()
    for day in one.keys() & other.keys():
        (calls, first, last), (more, begin, end) = one[day], other[day]
        calls = more if calls is None else calls if more is None else calls & more
        if (calls is None or calls) and max(first, begin) <= min(last, end):
            found[day] = Place(calls, max(first, begin), min(last, end))
    return found


def either(one: Places | None, other: Places | None) -> Places | None:
    if one is None or other is None:
        return None
    found = dict(one)
    for day, place in other.items():
        calls, first, last = found.get(day, place)
        more = None if calls is None or place.calls is None else calls | place.calls
        found[day] = Place(more, min(first, place.first), max(last, place.last))
    return found


def condition(places: Places) -> str:
    """SQL over `events` that holds wherever something can be; for the partitions and the order of the table."""
    if not places:
        return "FALSE"
    day, operation = dialect.column("event_day"), dialect.column("api.operation")
    wide = [name for name, place in places.items() if place.calls is None]
    calls = {call for place in places.values() for call in place.calls or ()}
    first, last = min(place.first for place in places.values()), max(place.last for place in places.values())
    limits = [f"{day} IN ({dialect.listed(sorted(places))})"]
    if calls:
        called = f"{operation} IN ({dialect.listed(sorted(calls))})"
        limits.append(f"({day} IN ({dialect.listed(sorted(wide))}) OR {called})" if wide else called)
    limits += [f"time {sign} {int(limit)}" for sign, limit in ((">=", first), ("<=", last)) if isfinite(limit)]
    return " AND ".join(limits)
