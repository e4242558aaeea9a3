"""What a rule's condition says of one event: a small tree, without SQL and without Sigma.

Every node is two-valued. A test of a field that is absent is false, so `not` of it is true. A field with several
values (a list in the record) passes a test when any of its values does; `not` negates that.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from enum import Enum
from typing import Literal

import msgspec

from trailhound.detections.fields import Field
from trailhound.engines.dialect import TimeUnit

Operator = Literal["<", "<=", ">", ">="]


class Wildcard(Enum):
    MANY = "*"  # any number of characters, none too
    ONE = "?"


class Slot(msgspec.Struct, frozen=True):
    """A place for the values of the placeholder `%name%`."""

    name: str


Pattern = tuple[str | Wildcard | Slot, ...]  # () is the empty string


class Text(msgspec.Struct, frozen=True):
    """The value is, as a whole, one of these; without regard to case unless `cased`."""

    patterns: tuple[Pattern, ...]
    cased: bool = False


class Listed(msgspec.Struct, frozen=True):
    """The value stands in a table (`value`, `folded`, `until`: epoch milliseconds up to which it counts)."""

    table: str
    cased: bool = False


class Regex(msgspec.Struct, frozen=True):
    pattern: str  # RE2, found anywhere; flags inline


class Network(msgspec.Struct, frozen=True):
    """Bounds in the form of `src_ip_hex`; `parse`: the field is text, of which IPv4 addresses are understood."""

    low: str
    high: str
    parse: bool


class Present(msgspec.Struct, frozen=True):
    """There is a value, and it is not JSON null."""


class Compare(msgspec.Struct, frozen=True):
    operator: Operator
    number: int | float


class Moment(msgspec.Struct, frozen=True):
    """A part of a time, UTC."""

    unit: TimeUnit
    number: int
    operator: Operator | Literal["="] = "="


class Reference(msgspec.Struct, frozen=True):
    """The value equals that of another field, or starts, ends with or contains it; without regard to case unless `cased`."""

    other: Field
    relation: Literal["equals", "starts", "ends", "contains"] = "equals"
    cased: bool = False


Match = Text | Listed | Regex | Network | Present | Compare | Moment | Reference


class Test(msgspec.Struct, frozen=True):
    field: Field
    match: Match


class All(msgspec.Struct, frozen=True):
    parts: tuple[Predicate, ...]  # none: true


class Any(msgspec.Struct, frozen=True):
    parts: tuple[Predicate, ...]  # none: false


class Not(msgspec.Struct, frozen=True):
    part: Predicate


Predicate = All | Any | Not | Test
TRUE, FALSE = All(()), Any(())


def tests(predicate: Predicate) -> Iterator[Test]:
    match predicate:
        case Test():
            yield predicate
        case Not(part):
            yield from tests(part)
        case All(parts) | Any(parts):
            for part in parts:
                yield from tests(part)


def columns(predicate: Predicate) -> frozenset[str]:
    """Paths of the events table that it reads."""
    found: set[str] = set()
    for test in tests(predicate):
        found.update(test.field.columns)
        if isinstance(test.match, Reference):
            found.update(test.match.other.columns)
        elif isinstance(test.match, Listed):
            found.add("time")
    return frozenset(found)


def slots(predicate: Predicate) -> frozenset[str]:
    """Names of the placeholders that it waits for."""
    patterns = (p for test in tests(predicate) if isinstance(test.match, Text) for p in test.match.patterns)
    return frozenset(part.name for pattern in patterns for part in pattern if isinstance(part, Slot))


def rewrite(predicate: Predicate, change: Callable[[Test], Predicate]) -> Predicate:
    match predicate:
        case Test():
            return change(predicate)
        case Not(part):
            return Not(rewrite(part, change))
        case All(parts):
            return All(tuple(rewrite(part, change) for part in parts))
        case Any(parts):
            return Any(tuple(rewrite(part, change) for part in parts))


def without(predicate: Predicate, met: Callable[[Test], bool]) -> Predicate:
    """What is left to ask where `relax` to the tests that are `met` is known to hold: conjuncts of these hold too."""
    if isinstance(predicate, All):
        return conjunction(without(part, met) for part in predicate.parts)
    return TRUE if all(met(test) for test in tests(predicate)) else predicate


def relax(predicate: Predicate, known: Callable[[Test], bool]) -> Predicate:
    """A weaker predicate over `known` tests only: whatever meets `predicate` meets it.

    A test that is not known may turn out either way: it becomes true where it stands, and false under a `not`.
    """
    return _bound(predicate, known, TRUE)


def _bound(predicate: Predicate, known: Callable[[Test], bool], otherwise: Predicate) -> Predicate:
    match predicate:
        case Test():
            return predicate if known(predicate) else otherwise
        case Not(part):
            return negation(_bound(part, known, FALSE if otherwise == TRUE else TRUE))
        case All(parts):
            return conjunction(_bound(part, known, otherwise) for part in parts)
        case Any(parts):
            return disjunction(_bound(part, known, otherwise) for part in parts)


def negation(part: Predicate) -> Predicate:
    return FALSE if part == TRUE else TRUE if part == FALSE else Not(part)


def conjunction(parts: Iterable[Predicate]) -> Predicate:
    kept = tuple(part for part in parts if part != TRUE)
    return FALSE if FALSE in kept else kept[0] if len(kept) == 1 else All(kept)


def disjunction(parts: Iterable[Predicate]) -> Predicate:
    kept = tuple(part for part in parts if part != FALSE)
    return TRUE if TRUE in kept else kept[0] if len(kept) == 1 else Any(kept)
