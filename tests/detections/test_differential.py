"""Compiled rules against a slow, obvious reading of the same rule in plain Python."""

from __future__ import annotations

import json
import re
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.detections.conftest import numbers, record, rule

_TEXT = st.text(alphabet="abA%_.'\"! é", min_size=1, max_size=4).filter(lambda t: t.strip() == t)
_PATTERN = st.text(alphabet="abA%_.'! *?", min_size=1, max_size=4).filter(lambda t: t.strip() == t)
_FIELDS = ("eventName", "errorCode", "requestParameters.a", "requestParameters.b.c", "userIdentity.userName")
_MODIFIERS = ("", "|contains", "|startswith", "|endswith", "|contains|all", "|cased", "|exists", "|neq")


@st.composite
def _item(draw: st.DrawFn) -> tuple[str, Any]:
    field, modifier = draw(st.sampled_from(_FIELDS)), draw(st.sampled_from(_MODIFIERS))
    if modifier == "|exists":
        return field + modifier, draw(st.booleans())
    if modifier == "|contains|all":
        return field + modifier, draw(st.lists(_PATTERN, min_size=1, max_size=2))
    if modifier == "|neq":
        return field + modifier, draw(_TEXT)
    if modifier == "" and draw(st.booleans()) and draw(st.booleans()):
        return field, None
    return field + modifier, draw(st.one_of(_PATTERN, st.lists(_PATTERN, min_size=1, max_size=3)))


_SELECTION = st.lists(_item(), min_size=1, max_size=2).map(dict)
_CONDITIONS = ("sel1", "not sel1", "sel1 and not sel2", "sel1 or sel2", "1 of sel*", "all of sel*", "not 1 of sel*")
_VALUE = st.one_of(_TEXT, st.lists(_TEXT, min_size=1, max_size=2))


@st.composite
def _records(draw: st.DrawFn) -> list[dict[str, Any]]:
    found = []
    for number in range(draw(st.integers(1, 6))):
        request = draw(
            st.one_of(
                st.none(), st.fixed_dictionaries({}, optional={"a": _VALUE, "b": st.fixed_dictionaries({"c": _VALUE})})
            )
        )
        name, error = draw(_TEXT), draw(st.one_of(st.none(), _TEXT))
        who = {"type": "IAMUser", "userName": draw(_TEXT), "accountId": "111122223333"}
        found.append(record(number, eventName=name, errorCode=error, requestParameters=request, userIdentity=who))
    return found


def _values(event: dict[str, Any], path: str) -> list[str]:
    here: Any = event
    for key in path.split("."):
        here = here.get(key) if isinstance(here, dict) else None
    return [] if here is None else here if isinstance(here, list) else [here]


def _like(text: str, pattern: str, cased: bool) -> bool:
    expression = "".join({"*": ".*", "?": "."}.get(c, re.escape(c)) for c in pattern)
    return re.fullmatch(expression, text, re.DOTALL | (0 if cased else re.IGNORECASE)) is not None


def _holds(event: dict[str, Any], key: str, wanted: Any) -> bool:
    field, *modifiers = key.split("|")
    found = _values(event, field)
    if modifiers == ["exists"]:
        return bool(found) == wanted
    if wanted is None:
        return not found
    if modifiers == ["neq"]:
        return not any(_like(value, wanted, False) for value in found)
    around = {"contains": ("*", "*"), "startswith": ("", "*"), "endswith": ("*", "")}
    before, after = around.get(modifiers[0] if modifiers else "", ("", ""))
    patterns = [before + w + after for w in (wanted if isinstance(wanted, list) else [wanted])]
    matched = [any(_like(value, p, "cased" in modifiers) for value in found) for p in patterns]
    return all(matched) if "all" in modifiers else any(matched)


def _expected(condition: str, one: dict[str, Any], two: dict[str, Any], events: list[dict[str, Any]]) -> set[int]:
    def fires(event: dict[str, Any]) -> bool:
        a, b = (all(_holds(event, key, wanted) for key, wanted in s.items()) for s in (one, two))
        return {
            "sel1": a, "not sel1": not a, "sel1 and not sel2": a and not b, "sel1 or sel2": a or b,
            "1 of sel*": a or b, "all of sel*": a and b, "not 1 of sel*": not (a or b),
        }[condition]  # fmt: skip

    return {number for number, event in enumerate(events) if fires(event)}


@settings(max_examples=250)
@given(st.sampled_from(_CONDITIONS), _SELECTION, _SELECTION, _records())
def test_a_rule_means_what_it_says(fires, condition, one, two, events):
    text = rule({"sel1": one, "sel2": two, "condition": condition})
    assert numbers(fires(text, events)) == _expected(condition, one, two, events), json.dumps([condition, one, two])


@given(
    st.text(min_size=1, max_size=20).filter(lambda t: "\0" not in t and not any("\ud800" <= c <= "\udfff" for c in t))
)
def test_no_value_of_a_rule_breaks_out_of_the_sql(fires, value):
    plain = value.replace("\\", "").replace("*", "").replace("?", "") or "x"
    text = rule({"sel": {"userAgent|contains": plain}, "condition": "sel"})
    found = fires(text, [record(0, userAgent=f"<{plain}>"), record(1, userAgent="'; DROP TABLE events; --é")])
    assert 0 in numbers(found)
