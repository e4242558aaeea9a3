"""Conditions that no event can meet, as far as that can be told without events. Never wrong, not complete."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator

from trailhound.detections.fields import Field
from trailhound.detections.predicate import All, Any, Not, Pattern, Predicate, Present, Slot, Test, Text, Wildcard
from trailhound.detections.rules import Correlation, Operator, Threshold

_RE = {Wildcard.MANY: ".*", Wildcard.ONE: "."}
_MANY = 10  # rules of a correlation beyond which its condition is not tried out


def contradiction(predicate: Predicate) -> Field | None:
    """A field that would have to be two things at once for the predicate to hold."""
    match predicate:
        case Any(parts):
            found = [contradiction(part) for part in parts]
            return found[0] if found and all(found) else None
        case All():
            needed = list(_needed(predicate))
            inner = (contradiction(part) for part in needed if not isinstance(part, Test | Not))
            return next(filter(None, [_torn(needed), *inner]), None)
        case _:
            return None


def _needed(predicate: Predicate) -> Iterator[Predicate]:
    """What all has to hold, with `and` within `and` laid flat."""
    if isinstance(predicate, All):
        for part in predicate.parts:
            yield from _needed(part)
    else:
        yield predicate


def _torn(needed: list[Predicate]) -> Field | None:
    wanted: dict[Field, list[tuple[Test, bool]]] = {}
    for part in needed:
        test, positive = (part.part, False) if isinstance(part, Not) else (part, True)
        if isinstance(test, Test) and not test.field.multiple:
            wanted.setdefault(test.field, []).append((test, positive))
    return next((field for field, tests in wanted.items() if _at_odds(tests)), None)


def _at_odds(tests: list[tuple[Test, bool]]) -> bool:
    """Is there no value that passes all tests of this one field?"""
    there = any(positive for _, positive in tests)
    if there and any(isinstance(test.match, Present) and not positive for test, positive in tests):
        return True
    listed = [test for test, positive in tests if positive and _constants(test) is not None]
    if not listed:
        return False
    first = max(listed, key=_is_cased)
    values = _constants(first) or []
    exact = _is_cased(first)
    return not any(all(_passes(value, test, exact) in (positive, None) for test, positive in tests) for value in values)


def _is_cased(test: Test) -> bool:
    return isinstance(test.match, Text) and test.match.cased


def _constants(test: Test) -> list[str] | None:
    """The values that it allows, where these can be listed."""
    if not isinstance(test.match, Text):
        return None
    plain = ["".join(map(str, pattern)) for pattern in test.match.patterns if all(isinstance(p, str) for p in pattern)]
    return plain if len(plain) == len(test.match.patterns) else None


def _passes(value: str, test: Test, exact: bool) -> bool | None:
    """None where it cannot be told; not `exact`: the value may be written in any case."""
    match test.match:
        case Text(patterns, cased):
            said = [_like(value, pattern, cased and exact) for pattern in patterns]
            met = True if True in said else None if None in said else False
            return None if met and cased and not exact else met
        case Present():
            return True
        case _:
            return None


def _like(value: str, pattern: Pattern, cased: bool) -> bool | None:
    if any(isinstance(part, Slot) for part in pattern):
        return None
    written = "".join(re.escape(part) if isinstance(part, str) else _RE[part] for part in pattern)  # type: ignore[index]
    flags = re.DOTALL if cased else re.DOTALL | re.IGNORECASE
    return re.fullmatch(written, value, flags) is not None


def unreachable(correlation: Correlation) -> bool:
    """Can no window meet the condition? A window ends in an event, so that at least one is in it."""
    if correlation.expression:
        rules = range(len(correlation.bases))
        if len(rules) > _MANY or correlation.chains:
            return False
        signs = {"AND": "and", "OR": "or", "NOT": "not"}
        asked = re.sub(r"AND|OR|NOT", lambda found: signs[found[0]], correlation.expression)
        choices = itertools.product((False, True), repeat=len(rules))
        return not any(_holds(asked, choice) for choice in choices if any(choice))
    most = len(correlation.bases) if correlation.kind == "temporal" else None
    whole = correlation.kind in ("event_count", "value_count", "temporal")
    return not any(
        (not whole or (number >= 1 and number == int(number) and (most is None or number <= most)))
        and all(_meets(number, threshold) for threshold in correlation.thresholds)
        for number in _tried(correlation.thresholds)
    )


def _holds(expression: str, choice: tuple[bool, ...]) -> bool:
    """`expression` is ours: p0, p1 ..., and, or, not and parentheses."""
    tokens = re.sub(r"p(\d+)", lambda found: str(choice[int(found[1])]), expression)
    return bool(eval(tokens, {"__builtins__": {}}))  # noqa: S307 - the text is written by correlations._expression


def _tried(thresholds: tuple[Threshold, ...]) -> Iterator[float]:
    """Every limit, and a number, a whole one too, of each stretch between two of them and beyond."""
    limits = sorted({threshold.number for threshold in thresholds})
    yield 1
    for limit in limits:
        yield from (limit, limit // 1 + 1, limit - 1, limit + 1)
    for one, other in itertools.pairwise(limits):
        yield (one + other) / 2


def _meets(number: float, threshold: Threshold) -> bool:
    operator: Operator = threshold.operator
    limit = threshold.number
    return {
        "gt": number > limit, "gte": number >= limit, "lt": number < limit, "lte": number <= limit,
        "eq": number == limit, "neq": number != limit,
    }[operator]  # fmt: skip


def has_substance(predicate: Predicate, *, positive: bool = True) -> bool:
    """Does anything in it ask for a value, and not only for what is not there?"""
    match predicate:
        case Test():
            return positive and not isinstance(predicate.match, Present) and not _takes_all(predicate)
        case Not(part):
            return has_substance(part, positive=not positive)
        case All(parts):
            return any(has_substance(part, positive=positive) for part in parts)
        case Any(parts):
            return bool(parts) and all(has_substance(part, positive=positive) for part in parts)


def _takes_all(test: Test) -> bool:
    if not isinstance(test.match, Text):
        return False
    return any(pattern and all(part is Wildcard.MANY for part in pattern) for pattern in test.match.patterns)
