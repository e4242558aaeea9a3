"""Correlations of every kind against a slow reading that looks at each window by itself."""

from __future__ import annotations

import json
import random
import re
from collections import Counter
from typing import Any

import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tests.detections.conftest import record
from tests.detections.slow_correlations import Found, Hit, correlate, ways
from tests.detections.slow_sigma import values

from trailhound.lake import times

_START = times.interval("2024-01-01").start
_RULES = {"a": ["A", "X"], "b": ["B", "X"], "c": ["C"]}  # an X is a hit of two rules
_NUMBERS = ["1", "2", "2.5", "-1", "10", "x", ""]
_FIELDS = ("requestParameters.g", "requestParameters.h", "requestParameters.v", "userIdentity.userName")
_UNITS = {60: "60s", 300: "5m", 3600: "1h"}

_SOME = st.one_of(st.none(), st.sampled_from("pq"), st.lists(st.sampled_from("pqr"), max_size=2))
_VALUE = st.one_of(st.none(), st.sampled_from([1, 2, 3, 2.5, *_NUMBERS]), st.lists(st.integers(0, 3), max_size=2))
_EVENT = st.fixed_dictionaries(
    {"name": st.sampled_from("AABBCXY"), "second": st.integers(0, 20).map(lambda n: n * 60) | st.integers(0, 1200),
     "g": _SOME, "h": _SOME, "v": _VALUE, "user": st.sampled_from(["u", "w"])}
)  # fmt: skip
_EVENTS = st.lists(_EVENT, min_size=1, max_size=14)
_GROUPS = st.sampled_from(
    [[], ["userIdentity.userName"], ["requestParameters.g"], ["both"], ["both", "requestParameters.h"]]
)
_ALIASES = {"both": {"a": "requestParameters.g", "b": "requestParameters.h", "c": "userIdentity.userName"}}


@st.composite
def _limits(draw: st.DrawFn, numbers: st.SearchStrategy[Any]) -> dict[str, Any]:
    if draw(st.booleans()):
        return {
            draw(st.sampled_from(["gt", "gte"])): draw(numbers),
            draw(st.sampled_from(["lt", "lte", "neq"])): draw(numbers),
        }
    return {draw(st.sampled_from(["gt", "gte", "lt", "lte", "eq", "neq"])): draw(numbers)}


@st.composite
def _counting(draw: st.DrawFn) -> dict[str, Any]:
    kind = draw(st.sampled_from(
        ["event_count", "value_count", "value_sum", "value_avg", "value_median", "value_percentile", "temporal"]
    ))  # fmt: skip
    rules = draw(st.lists(st.sampled_from("abc"), min_size=1, max_size=3, unique=True))
    condition = draw(_limits(st.integers(0, 4)))
    if kind == "value_percentile":  # where two ways of rounding could differ no window stands
        condition = draw(_limits(st.sampled_from([0.1234, 1.4321, 2.2341])))
        condition["percentile"] = draw(st.sampled_from([0, 50, 90, 99.5, 100]))
    if kind.startswith("value_"):
        condition["field"] = "requestParameters.v"
    if kind == "value_count" and draw(st.booleans()):
        condition["field"] = ["requestParameters.v", "userIdentity.userName"]
    return {"type": kind, "rules": rules, "condition": condition}


_EXPRESSION = st.recursive(
    st.sampled_from("abc"),
    lambda inner: st.one_of(
        inner.map(lambda one: f"not ({one})"),
        st.tuples(inner, st.sampled_from(["and", "or", "and not"]), inner).map(lambda t: f"({t[0]}) {t[1]} ({t[2]})"),
    ),
    max_leaves=4,
)


def _named(expression: str) -> list[str]:
    return list(dict.fromkeys(re.findall(r"\b[abc]\b", expression)))


@st.composite
def _extended(draw: st.DrawFn) -> dict[str, Any]:
    expression = draw(_EXPRESSION)
    rules = draw(st.permutations(_named(expression)))
    spec = {"type": draw(st.sampled_from(["temporal", "temporal_ordered"])), "rules": rules, "condition": expression}
    if len(rules) > 1 and draw(st.booleans()):
        spec |= {"type": "temporal_ordered", "condition": {"gte": draw(st.integers(1, len(rules)))}}
    return spec


@st.composite
def _specs(draw: st.DrawFn, kinds: st.SearchStrategy[dict[str, Any]]) -> dict[str, Any]:
    spec = draw(kinds) | {
        "group-by": draw(_GROUPS),
        "timespan": draw(st.sampled_from(sorted(_UNITS))),
        "aliases": _ALIASES,
    }
    return {**spec, "aliases": {name: {r: m[r] for r in spec["rules"]} for name, m in _ALIASES.items()}}


def _records(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    found = []
    for number, one in enumerate(events):
        who = {"type": "IAMUser", "userName": one["user"], "accountId": "111122223333"}
        at = times.text(_START + 1000 * one["second"])
        found.append(
            record(number, eventName=one["name"], eventTime=at, userIdentity=who,
                   requestParameters={key: one[key] for key in "ghv"})
        )  # fmt: skip
    return found


def _written(title: str, spec: dict[str, Any], **more: Any) -> str:
    own = {key: value for key, value in spec.items() if value != []} | {"timespan": _UNITS[spec["timespan"]]}
    return yaml.safe_dump({"title": title, "name": title, "correlation": own, **more}, sort_keys=False)


_BASES = "\n---\n".join(
    yaml.safe_dump(
        {"title": name, "name": name, "logsource": {"product": "aws"},
         "detection": {"sel": {"eventName": called}, "condition": "sel"}}
    )
    for name, called in _RULES.items()
)  # fmt: skip


def _hits(records: list[dict[str, Any]], events: list[dict[str, Any]], rules: list[str]) -> list[Hit]:
    return [
        Hit(number, one["second"], rule, {field: values(records[number], field) for field in _FIELDS})
        for number, one in enumerate(events)
        for rule in rules
        if one["name"] in _RULES[rule]
    ]


def _seen(detected: Any, title: str) -> Counter[frozenset[int]]:
    own = [finding for finding in detected.findings if finding.rule_title == title]
    return Counter(frozenset(int(uid[-12:]) for uid in finding.event_uids) for finding in own)


def _expected(spec: dict[str, Any], events: list[dict[str, Any]], *, after: bool = False) -> Found:
    ends = max(one["second"] for one in events)
    return correlate(spec, _hits(_records(events), events, spec["rules"]), ends, after=after)


@settings(max_examples=150)
@given(_specs(_counting()), _EVENTS)
@example({"type": "event_count", "rules": ["a"], "condition": {"gte": 2}, "group-by": ["requestParameters.g"],
          "timespan": 60, "aliases": {}}, [{"name": "A", "second": 0, "g": ["p", "p"], "h": None, "v": 1, "user": "u"}])  # fmt: skip
def test_what_is_counted_in_windows(fires, spec, events):
    found = fires(f"{_BASES}\n---\n{_written('t', spec)}", _records(events))
    assert _seen(found, "t") == Counter(_expected(spec, events).findings), json.dumps(spec)
    assert not found.skipped


def _refused(spec: dict[str, Any], *, after: bool) -> bool:
    """What can never be met, and absences of nothing in particular, are no rules."""
    chosen = list(ways(spec))
    unheard = after and (not any(gone for _, gone in chosen) or not all(there for there, _ in chosen))
    return spec["type"] == "temporal_ordered" and (not chosen or unheard)


def _example(name: str, second: int) -> dict[str, Any]:
    return {"name": name, "second": second, "g": None, "h": None, "v": None, "user": "u"}


def _check(fires: Any, spec: dict[str, Any], events: list[dict[str, Any]], *, after: bool = False) -> None:
    more = {"trailhound": {"window": "after"}} if after else {}
    text = f"{_BASES}\n---\n{_written('t', spec, **more)}"
    if _refused(spec, after=after):
        with pytest.raises(AssertionError, match=r"never be met|window: after"):
            fires(text, _records(events))
        return
    found = _seen(fires(text, _records(events)), "t")
    assert found == Counter(_expected(spec, events, after=after).findings), json.dumps(spec)


@settings(max_examples=150)
@given(_specs(_extended()), _EVENTS)
@example({"type": "temporal_ordered", "rules": ["a", "b"], "condition": "(a) or ((a) and (b))", "timespan": 300,
          "aliases": {}}, [_example("A", 0), _example("B", 60)])  # fmt: skip
def test_what_is_there_and_in_which_order(fires, spec, events):
    _check(fires, spec, events)


@settings(max_examples=150)
@given(_specs(_EXPRESSION.map(lambda one: {"rules": _named(one), "condition": one})), _EVENTS)
def test_what_does_not_follow(fires, spec, events):
    _check(fires, spec | {"type": "temporal_ordered"}, events, after=True)


@settings(max_examples=100)
@given(_specs(_counting()), _specs(_counting()), _EVENTS, st.booleans())
def test_a_correlation_of_a_correlation(fires, inner, outer, events, generate):
    """Its hits are the events whose window is full; its findings hold all events of those that it stands on."""
    group = [each for each in outer["group-by"] if each != "both"]
    outer = outer | {"rules": ["inner"], "group-by": group, "aliases": {}}
    inner = inner | {"generate": generate}
    text = f"{_BASES}\n---\n{_written('outer', outer)}\n---\n{_written('inner', inner)}"
    below = _expected(inner, events)
    records = _records(events)
    hits = [
        Hit(n, events[n]["second"], "inner", {field: values(records[n], field) for field in _FIELDS})
        for n in below.fired
    ]
    above = correlate(outer, hits, max(one["second"] for one in events))
    whole = [own.union(*(one for one in below.findings if own & one)) for own in above.findings]
    found = fires(text, records)
    assert _seen(found, "outer") == Counter(whole), json.dumps([inner, outer])
    assert not _seen(found, "inner")
    assert bool(_seen(found, "a")) == (
        (generate or "a" not in inner["rules"]) and any(one["name"] in "AX" for one in events)
    )


def _dense(dice: random.Random) -> list[dict[str, Any]]:
    """Events close to each other, many at equal times and exactly a timespan apart, in no order."""
    return [
        {
            "name": dice.choice("AABBCXY"), "second": 60 * dice.randrange(24) + dice.choice([0, 0, 0, 30]),
            "g": dice.choice(["p", "p", "q", None, ["p", "q"], ["q", "q", None]]), "h": dice.choice(["p", "q", None, "P"]),
            "v": dice.choice([1, 2, 3, "2", 2.5, None, "x", [1, 3], [2, 2]]), "user": dice.choice("uuw"),
        }
        for _ in range(dice.randrange(8, 30))
    ]  # fmt: skip


def _expression(dice: random.Random, depth: int = 0) -> str:
    kind = dice.choice(["name", "not", "and", "or", "and not"] if depth < 3 else ["name"])
    if kind == "name":
        return dice.choice("abc")
    if kind == "not":
        return f"not ({_expression(dice, depth + 1)})"
    return f"({_expression(dice, depth + 1)}) {kind} ({_expression(dice, depth + 1)})"


def _any_spec(dice: random.Random) -> tuple[dict[str, Any], bool]:
    """A correlation of any kind that is no nonsense, and whether its windows lie after their events."""
    span, group = (
        dice.choice(sorted(_UNITS)),
        dice.choice([[], ["userIdentity.userName"], ["requestParameters.g"], ["both"]]),
    )
    rules = dice.sample("abc", dice.randrange(1, 4))
    kind = dice.choice([*_COUNTED, "temporal", "temporal_ordered", "temporal_ordered", "after", "after"])
    spec: dict[str, Any] = {"type": kind, "rules": rules, "group-by": group, "timespan": span}
    numbers = [0.1234, 1.4321, 2.2341] if kind == "value_percentile" else range(1, 5)
    operators = ["gt", "gte", "gte", "lt", "lte", "eq", "neq"]
    spec["condition"] = {dice.choice(operators): dice.choice(numbers) for _ in range(dice.randrange(1, 3))}
    if kind.startswith("value"):
        spec["condition"]["field"] = "requestParameters.v"
    if kind == "value_percentile":
        spec["condition"]["percentile"] = dice.choice([0, 50, 90, 99.5, 100])
    if kind in ("temporal_ordered", "after") or (kind == "temporal" and dice.random() < 0.5):
        spec["condition"] = _expression(dice)
        spec["rules"] = dice.sample(_named(spec["condition"]), len(_named(spec["condition"])))
        spec["type"] = "temporal" if kind == "temporal" else "temporal_ordered"
    if kind == "temporal_ordered" and dice.random() < 0.4:
        spec |= {"rules": rules, "condition": {"gte": dice.randrange(1, len(rules) + 1)}}
    spec["aliases"] = {name: {r: m[r] for r in spec["rules"]} for name, m in _ALIASES.items()}
    return (spec, kind == "after") if not _refused(spec, after=kind == "after") else _any_spec(dice)


_COUNTED = ("event_count", "value_count", "value_sum", "value_avg", "value_median", "value_percentile")


@pytest.mark.parametrize("seed", range(40))
def test_many_correlations_over_dense_histories(fires, seed):
    dice = random.Random(seed)
    events, specs = _dense(dice), [_any_spec(dice) for _ in range(24)]
    written = [
        _written(f"t{n}", spec, **({"trailhound": {"window": "after"}} if after else {}))
        for n, (spec, after) in enumerate(specs)
    ]
    found = fires("\n---\n".join([_BASES, *written]), _records(events))
    for n, (spec, after) in enumerate(specs):
        expected = Counter(_expected(spec, events, after=after).findings)
        assert _seen(found, f"t{n}") == expected, json.dumps([spec, after])
