"""Where in `events` to look: an index tells the days and calls in which a value can occur, so that no other is read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from trailhound.engines import dialect
from trailhound.lake.fields import Operand

Places = Mapping[str, frozenset[str] | None]  # day → calls in which it can occur; None: in any


class Index(Protocol):
    """What it leaves out cannot match; what it names may."""

    def holds(self, operand: Operand) -> bool:
        """Whether all values of this column are in it."""
        ...

    def equal(self, value: str) -> Places:
        """Where any such column has this value, in any case."""
        ...

    def within(self, text: str) -> Places | None:
        """Where the record as delivered contains this text, in any case; None: it may be anywhere."""
        ...


def both(first: Places | None, second: Places | None) -> Places | None:
    if first is None or second is None:
        return second if first is None else first
    found = dict[str, frozenset[str] | None]()
    for day in first.keys() & second.keys():
        one, other = first[day], second[day]
        calls = other if one is None else one if other is None else one & other
        if calls is None or calls:
            found[day] = calls
    return found


def either(first: Places | None, second: Places | None) -> Places | None:
    if first is None or second is None:
        return None
    found = dict(first)
    for day, calls in second.items():
        known = found.get(day, frozenset())
        found[day] = None if calls is None or known is None else calls | known
    return found


def condition(places: Places) -> str:
    """SQL over `events` that holds wherever something can be; for the partitions and the order of the table."""
    if not places:
        return "FALSE"
    wide = [day for day, calls in places.items() if calls is None]
    calls = sorted({call for among in places.values() for call in among or ()})
    days = f"{dialect.column('event_day')} IN ({_listed(places)})"
    if not calls:
        return days
    called = f"{dialect.column('api.operation')} IN ({_listed(calls)})"
    return (
        f"{days} AND ({dialect.column('event_day')} IN ({_listed(wide)}) OR {called})"
        if wide
        else f"{days} AND {called}"
    )


def _listed(values: Mapping[str, object] | list[str]) -> str:
    return ", ".join(map(dialect.literal, sorted(values)))
