"""Sigma's correlations read slowly: every window is looked at by itself, in plain Python.

A hit is one event of one rule: its number, its time in seconds, the values of its fields. Windows belong to a hit.
"""

from __future__ import annotations

import itertools
import operator
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from statistics import median
from typing import Any, NamedTuple

_OPERATORS = {
    "gt": operator.gt, "gte": operator.ge, "lt": operator.lt, "lte": operator.le, "eq": operator.eq, "neq": operator.ne,
}  # fmt: skip


class Hit(NamedTuple):
    event: int
    time: int
    part: str  # the rule
    fields: dict[str, list[str]]


class Row(NamedTuple):
    """A hit with one combination of the values of its fields."""

    event: int
    time: int
    value: str | None
    part: str


class Found(NamedTuple):
    findings: list[frozenset[int]]  # events of each
    fired: set[int]  # events whose window is full


def correlate(spec: dict[str, Any], hits: Iterable[Hit], ends: int, *, after: bool = False) -> Found:
    """`spec`: a correlation as YAML gives it, its timespan in seconds; `ends`: the last second of the log."""
    findings: list[frozenset[int]] = []
    fired: set[int] = set()
    for rows in _groups(spec, hits).values():
        full = sorted({row for row in rows if _full(spec, row, rows, ends, after=after)}, key=lambda row: row.time)
        fired |= {row.event for row in full}
        findings += _findings([row.time for row in full], rows, spec["timespan"], after=after)
    return Found(findings, fired)


def _groups(spec: dict[str, Any], hits: Iterable[Hit]) -> dict[tuple[str, ...], set[Row]]:
    groups: dict[tuple[str, ...], set[Row]] = defaultdict(set)
    wanted = spec.get("condition")
    counted = wanted.get("field") if isinstance(wanted, dict) else None
    fields = [counted] if isinstance(counted, str) else counted or []
    ordered = spec["type"].startswith("temporal")
    for hit in hits:
        aliases = {name: mapping[hit.part] for name, mapping in spec.get("aliases", {}).items()}
        by = [hit.fields[aliases.get(name, name)] for name in spec.get("group-by", [])]
        for group in itertools.product(*by):
            for values in itertools.product(*(hit.fields[aliases.get(name, name)] for name in fields)):
                value = "\x1f".join(values) if values else None
                if not spec["type"].startswith("value_") or spec["type"] == "value_count" or _number(value) is not None:
                    groups[group].add(Row(hit.event, hit.time, value, hit.part if ordered else ""))
    return groups


def _number(text: str | None) -> float | None:
    return float(text) if text is not None and re.fullmatch(r"-?\d+(\.\d+)?([eE][+-]?\d+)?", text) else None


def _full(spec: dict[str, Any], row: Row, rows: set[Row], ends: int, *, after: bool) -> bool:
    span, kind, wanted = spec["timespan"], spec["type"], spec.get("condition")
    low, high = (row.time, row.time + span) if after else (row.time - span, row.time)
    window = [one for one in rows if low <= one.time <= high]
    if after and not high < ends:
        return False  # the log does not tell
    if kind == "temporal_ordered":
        return any(_in_order(row, window, *way, after=after) for way in ways(spec))
    if isinstance(wanted, str):
        return _holds(wanted, {rule: any(one.part == rule for one in window) for rule in spec["rules"]}) is True
    measure = _measure(spec, window)
    return all(_OPERATORS[key](measure, number) for key, number in _limits(spec))


def _limits(spec: dict[str, Any]) -> list[tuple[str, float]]:
    wanted = spec.get("condition") or {"gte": len(spec["rules"])}
    return [(key, number) for key, number in wanted.items() if key in _OPERATORS]


def _measure(spec: dict[str, Any], window: list[Row]) -> float:
    numbers = sorted(number for row in window if (number := _number(row.value)) is not None)
    match spec["type"]:
        case "event_count":
            return len(window)
        case "value_count":
            return len({row.value for row in window})
        case "temporal":
            return len({row.part for row in window})
        case "value_sum":
            return sum(numbers)
        case "value_avg":
            return sum(numbers) / len(numbers)
        case "value_median":
            return median(numbers)
        case _:
            place = spec["condition"]["percentile"] / 100 * (len(numbers) - 1)
            low = numbers[int(place)]
            high = numbers[min(int(place) + 1, len(numbers) - 1)]
            return low + (high - low) * (place - int(place))


def ways(spec: dict[str, Any]) -> Iterator[tuple[list[str], set[str]]]:
    """The smallest choices of rules that are there, and of rules that are not, which make the condition true."""
    rules, wanted = spec["rules"], spec.get("condition")
    choices = []
    for said in itertools.product((True, False, None), repeat=len(rules)):
        choice = dict(zip(rules, said, strict=True))
        there = [rule for rule in rules if choice[rule]]
        gone = {rule for rule in rules if choice[rule] is False}
        if isinstance(wanted, str):
            met = _holds(wanted, choice) is True
        else:
            met = not gone and all(_OPERATORS[key](len(there), number) for key, number in _limits(spec))
        if met:
            choices.append((there, gone))
    for there, gone in choices:
        smaller = (1 for t, g in choices if (t, g) != (there, gone) and set(t) <= set(there) and g <= gone)
        if not any(smaller):
            yield there, gone


class _Said:
    """True, False, or None where nothing is said: an `and` of it is not known, unless something else is False."""

    def __init__(self, value: bool | None) -> None:
        self.value = value

    def __invert__(self) -> _Said:
        return _Said(None if self.value is None else not self.value)

    def __and__(self, other: _Said) -> _Said:
        both = {self.value, other.value}
        return _Said(False if False in both else None if None in both else True)

    def __or__(self, other: _Said) -> _Said:
        return ~(~self & ~other)


def _holds(condition: str, said: dict[str, bool | None]) -> bool | None:
    signs = {"and": "&", "or": "|", "not": "~"}
    written = re.sub(r"\b(and|or|not)\b", lambda found: signs[found[0]], condition)
    return eval(written, {}, {name: _Said(value) for name, value in said.items()}).value


def _in_order(row: Row, window: list[Row], there: list[str], gone: set[str], *, after: bool) -> bool:
    """Does a chain of the rules that are there end in the row, or begin in it?"""
    if any(one.part in gone for one in window):
        return False
    if not there:
        return True
    if row.part != (there[0] if after else there[-1]):
        return False
    others = there[1:] if after else there[:-1]
    for chain in itertools.product(*([one for one in window if one.part == rule] for rule in others)):
        times = [row.time, *(one.time for one in chain)] if after else [*(one.time for one in chain), row.time]
        if times == sorted(times):
            return True
    return False


def _findings(fired: list[int], rows: set[Row], span: int, *, after: bool) -> Iterator[frozenset[int]]:
    """Windows that overlap are one finding, with all events in any of them."""
    runs: list[list[int]] = []
    for time in fired:
        if runs and time - runs[-1][-1] <= span:
            runs[-1].append(time)
        else:
            runs.append([time])
    for run in runs:
        low, high = (run[0], run[-1] + span) if after else (run[0] - span, run[-1])
        yield frozenset(row.event for row in rows if low <= row.time <= high)
