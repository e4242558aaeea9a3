"""True, false, or it depends: on which keys and documents."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple


class Truth(NamedTuple):
    """`value` is None when it depends on `on`, which names keys of the request and policies that are not known."""

    value: bool | None
    on: frozenset[str] = frozenset()

    def __invert__(self) -> Truth:
        return self if self.value is None else Truth(not self.value)


TRUE, FALSE = Truth(True), Truth(False)


def depends(*on: str) -> Truth:
    return Truth(None, frozenset(on))


def every(parts: Iterable[Truth]) -> Truth:
    """False as soon as one is, whatever the others depend on."""
    on: set[str] = set()
    for part in parts:
        if part.value is False:
            return FALSE
        on |= part.on
    return Truth(None, frozenset(on)) if on else TRUE


def some(parts: Iterable[Truth]) -> Truth:
    """True as soon as one is."""
    return ~every(~part for part in parts)
