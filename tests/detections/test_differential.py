"""Compiled rules against a slow, obvious reading of the same rule in plain Python."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import pairwise, product
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tests.detections.conftest import numbers, record, rule
from tests.detections.slow_sigma import escape, matches

from trailhound.detections.placeholders import Placeholders

_LETTERS = "abAB%_.'\"!* ?\\-/éÉİßΣςK\n"
_TEXT = st.text(alphabet=_LETTERS, max_size=5)
_SHORT = st.text(alphabet="abA%_.'!é", min_size=1, max_size=3)
_PLAIN = st.text(alphabet="ab%_.'! é", min_size=1, max_size=4)
_REGEX = st.sampled_from(["a", "^a", "b$", "^$", "a.b", "[ab]+", "a|B", "(ab)*_", "^.$", "a{2}", r"\.", "'", "^a$|b"])
_ADDRESSES = ("10.0.0.7", "10.1.2.3", "198.51.100.7", "2001:db8::1", "::ffff:10.0.0.1", "10.0.0", "a")
_TIMES = ("2024-01-01T00:00:00Z", "2024-12-30T23:59:59Z", "2020-02-29T12:30:00+02:00", "yesterday")
_KNOWN = {"some": ["a", "B*", "_", "é'"], "one": ["b"]}

_SCALARS = st.one_of(
    _TEXT, _SHORT, st.booleans(), st.integers(-2, 3), st.sampled_from([1.5, 12, 2**53 + 1, None, *_ADDRESSES, *_TIMES])
)
_VALUE = st.one_of(
    _SCALARS,
    st.lists(_SCALARS, max_size=3),
    st.fixed_dictionaries({}, optional={"c": st.one_of(_SCALARS, st.lists(_SCALARS, max_size=2))}),
    st.lists(st.fixed_dictionaries({}, optional={"c": _SCALARS, "d": _SHORT}), max_size=3),
)
_FIELDS = (
    "requestParameters.a", "requestParameters.b", "requestParameters.b.c", "responseElements.a", "additionalEventData.b.c",
    "errorMessage", "userIdentity.userName",
)  # fmt: skip
_AFFIX = ("", "|contains", "|startswith", "|endswith", "|cased", "|cased|contains", "|endswith|cased")
_TAKES: dict[str, tuple[tuple[str, ...], st.SearchStrategy[Any]]] = {
    "text": (_AFFIX, st.one_of(_TEXT, _SHORT)),
    "windash": (("|windash", "|windash|contains", "|cased|windash"), st.sampled_from(["-a", " -b", "/a -b", "a-b"])),
    "encoded": (
        ("|base64", "|wide|base64", "|utf16le|base64", "|utf16be|base64|contains", "|utf16|base64",
         "|base64offset|contains", "|wide|base64offset|contains", "|base64offset|cased|contains"), st.sampled_from(["a", "ab", "abc", "ab'd"])),
    "regex": (("|re", "|re|i", "|re|m", "|re|i|s"), _REGEX),
    "cidr": (("|cidr",), st.sampled_from(["10.0.0.0/8", "10.0.0.9/24", "0.0.0.0/0", "198.51.100.7/32"])),
    "number": (("|lt", "|lte", "|gt", "|gte"), st.sampled_from([0, 1, 1.5, -1])),
    "time": (("|minute", "|hour", "|day", "|week", "|month", "|year", "|hour|gte", "|week|lt"), st.sampled_from([0, 1, 10, 29, 30, 2024])),
    "field": (("|fieldref", "|fieldref|contains", "|fieldref|startswith", "|fieldref|endswith", "|cased|fieldref"), st.sampled_from(_FIELDS)),
    "scalar": (("",), st.one_of(st.none(), st.booleans(), st.integers(-2, 3), st.just(1.5), st.just(2**53 + 1))),
    "placeholder": (("|expand", "|cased|expand"), st.sampled_from(["%some%", "%one%"])),
}  # fmt: skip
_ENCODED = ["YQ==", "YWI=", "YWJj", "xYWJjx", "YWIn", "YQBiAA==", "//5hAA==", "AGEAYg==", "x YWIgYWJj", "FiYw", "hYm"]


@st.composite
def _item(draw: st.DrawFn) -> tuple[str, Any]:
    field = draw(st.sampled_from(_FIELDS))
    if draw(st.integers(0, 9)) == 0:
        return f"{field}|exists", draw(st.booleans())
    modifiers, value = _TAKES[draw(st.sampled_from(sorted(_TAKES)))]
    key = field + draw(st.sampled_from(modifiers)) + draw(st.sampled_from(["", "", "", "|neq", "|all"]))
    listed = draw(st.booleans()) or key.endswith("|all")
    return key, draw(st.lists(value, min_size=1, max_size=3)) if listed else draw(value)


_MAPPING = st.lists(_item(), min_size=1, max_size=2).map(dict)
_SELECTION = st.one_of(
    _MAPPING, _MAPPING, st.lists(_MAPPING, min_size=1, max_size=2), st.lists(_PLAIN, min_size=1, max_size=2),
    st.lists(_PLAIN, min_size=1, max_size=2).map(lambda words: {"|all": words}),
)  # fmt: skip
_NAMES = ("sel1", "sel2", "_x", "other")
_ATOMS = st.sampled_from([*_NAMES, "1 of sel*", "all of sel*", "any of them", "all of them", "not _x"])
_CONDITION = st.recursive(
    _ATOMS,
    lambda inner: st.one_of(
        inner.map(lambda one: f"not ({one})"),
        st.tuples(_ATOMS, inner).map(lambda t: f"{t[0]} and not {t[1]} or {t[0]}"),
        st.tuples(inner, st.sampled_from(["and", "or", "and not"]), inner).map(lambda t: f"({t[0]}) {t[1]} ({t[2]})"),
    ),
    max_leaves=4,
)


@st.composite
def _records(draw: st.DrawFn) -> list[dict[str, Any]]:
    some = st.fixed_dictionaries({}, optional={"a": st.one_of(_VALUE, st.sampled_from(_ENCODED)), "b": _VALUE})
    found = []
    for number in range(draw(st.integers(1, 6))):
        who = {"type": "IAMUser", "userName": draw(_SHORT), "accountId": "111122223333"}
        parts = {name: draw(st.one_of(st.none(), some)) for name in _CONTAINERS}
        found.append(record(number, userIdentity=who, errorMessage=draw(st.one_of(st.none(), _SHORT)), **parts))
    return found


_CONTAINERS = ("requestParameters", "responseElements", "additionalEventData")


def _detection(selections: list[Any], condition: Any) -> dict[str, Any]:
    return {**dict(zip(_NAMES, selections, strict=True)), "condition": condition}


@settings(max_examples=200)
@given(
    st.lists(_SELECTION, min_size=4, max_size=4), st.one_of(_CONDITION, st.lists(_CONDITION, min_size=1, max_size=2)),
    _records(),
)  # fmt: skip
def test_a_rule_means_what_it_says(fires, selections, condition, events):
    detection = _detection(selections, condition)
    found = fires(rule(detection), events, Placeholders(values=_KNOWN))
    expected = {n for n, event in enumerate(events) if matches(detection, event, _KNOWN)}
    assert numbers(found) == expected, json.dumps(detection)


_VALUES: dict[str, list[Any]] = {  # by kind: values that tests of it are tried on, each with each
    "text": [
        "",
        "a",
        "A",
        "ab",
        "Ab",
        "aAb",
        "%",
        "_",
        "a_b",
        "a%b",
        "*",
        "a*",
        "?",
        "'",
        "\\",
        "a\\b",
        "é",
        "É",
        "İ",
        "i",
        "ß",
        "Σ",
        "ς",
        "σ",
        "K",
        "k",
        "\n",
        "a\nb",
        " a ",
    ],
    "windash": ["-a", "/A", "x –b", "—a —b", "a-b", "/a /b", " -B", "―a", "~a"],
    "encoded": [*_ENCODED, "yWJj", "xx YWIn", "AGEAYgBj", "YQBiAGMA", "//5hAGIA", "AGEA"],
    "regex": ["a", "A", "b", "ab", "AB_", "a\n", "a\nb", "\nb", "aa", "a.b", ".", "'", "", "é"],
    "cidr": [*_ADDRESSES, "255.255.255.255", "010.0.0.7", "10.0.0.7 "],
    "number": [0, 1, 1.5, 2, -1, "0", "1.5", "1e1", "x", "nan", "inf", "", " 1", True],
    "time": list(_TIMES),
    "field": ["a", "A", "aB", "AB", "b", "", "é", "É", 1, "1"],
    "scalar": [True, False, "true", "TRUE", "1", "1.0", 1, 1.5, "1.5", 0, "0.0", 2**53, 2**53 + 1, -2],
    "placeholder": ["a", "A", "B*", "Bx", "bX", "b", "_", "x", "É'", "é'"],
}
_WANTED: dict[str, list[Any]] = {
    "text": ["", "a", "A", "aB", "%", "_", "a?b", "*b", "\\*", "a\\b", "\\\\", "'", "é", "İ", "ß", "ς", "K", "\n"],
    "windash": ["-a", " -b", "/a -b", "a-b"],
    "encoded": ["a", "ab", "abc", "ab'"],
    "regex": ["a", "^a", "b$", "^$", "a.b", "[ab]+", "a|B", "(ab)*_", "^.$", "a{2}", r"\.", "'", "^a$|b", "É"],
    "cidr": ["10.0.0.0/8", "10.0.0.9/24", "0.0.0.0/0", "198.51.100.7/32"],
    "number": [0, 1, 1.5, -1],
    "time": [0, 1, 10, 29, 30, 52, 2024],
    "field": ["requestParameters.a", "requestParameters.b.c"],
    "scalar": [None, True, False, 1, 0, -2, 1.5, 2**53 + 1],
    "placeholder": ["%some%", "%one%"],
}


@pytest.mark.parametrize("kind", sorted(_TAKES))
def test_every_modifier_of_every_value(fires, kind):
    """Each alone, negated, and with another value; on one value, on none, and on lists of them."""
    field, pool = "requestParameters.a", _VALUES[kind]
    held = [None, *pool, [], *([one, other, None] for one, other in pairwise(pool))]
    others = pool if kind == "field" else [pool[0]]
    events = [
        record(n, requestParameters={"a": one, "b": {"c": other}})
        for n, (one, other) in enumerate(product(held, others))
    ]
    asked = [
        {field + modifier + more: value}
        for modifier in _TAKES[kind][0]
        for more in ("", "|neq")
        for value in _WANTED[kind]
    ]
    asked += [
        {field + modifier + more: list(some)}
        for modifier in _TAKES[kind][0]
        for more in ("", "|all", "|neq", "|all|neq")
        for some in pairwise(_WANTED[kind])
    ]
    detections = [{"sel": selection, "condition": "sel"} for selection in asked]
    text = "\n---\n".join(rule(one, title=str(n)) for n, one in enumerate(detections))
    found = fires(text, events, Placeholders(values=_KNOWN)).findings
    seen: dict[str, set[int]] = {}
    for finding in found:
        seen.setdefault(finding.rule_title, set()).update(int(uid[-12:]) for uid in finding.event_uids)
    for n, one in enumerate(detections):
        expected = {number for number, event in enumerate(events) if matches(one, event, _KNOWN)}
        assert seen.get(str(n), set()) == expected, json.dumps(one)


@settings(max_examples=80)
@given(_MAPPING, _MAPPING, _CONDITION, st.lists(_SELECTION, min_size=4, max_size=4),
       st.sampled_from(["any", [], ["t1"], ["other", "t1"], "t1", ["other"]]), _records())  # fmt: skip
def test_a_filter_lets_through_what_it_says_of_the_rules_that_it_names(
    fires, one, other, condition, selections, names, events
):
    detection, filtering = {"sel1": one, "condition": "not not sel1"}, _detection(selections, condition)
    unfiltered = {"sel1": other, "condition": "sel1"}
    source = {"product": "aws", "service": "cloudtrail"}
    text = "\n---\n".join(
        [
            yaml.safe_dump({"title": "f", "logsource": source, "filter": {**filtering, "rules": names}}),
            rule(detection, name="t1", title="t1"),
            rule(unfiltered, name="other", id="3b0a8a52-5d4b-4b3c-8f3e-0f1d2c3b4a50", title="other"),
        ]
    )
    found = fires(text, events, Placeholders(values=_KNOWN)).findings
    for title, own in (("t1", detection), ("other", unfiltered)):
        seen = {int(uid[-12:]) for finding in found if finding.rule_title == title for uid in finding.event_uids}
        named = names in ("any", []) or title in names
        expected = {
            n
            for n, event in enumerate(events)
            if matches(own, event, _KNOWN) and (not named or matches(filtering, event, _KNOWN))
        }
        assert seen == expected, json.dumps([own, filtering, names])


@example("é\0'")
@given(st.text(min_size=1, max_size=20).filter(lambda t: not any("\ud800" <= c <= "\udfff" for c in t)))
def test_no_value_of_a_rule_breaks_out_of_the_sql(fires, value):
    plain = value.replace("\\", "").replace("*", "").replace("?", "") or "x"
    text = rule({"sel": {"userAgent|contains": plain}, "condition": "sel"})
    found = fires(text, [record(0, userAgent=f"<{plain}>"), record(1, userAgent="'; DROP TABLE events; --é")])
    assert 0 in numbers(found)


@pytest.fixture(scope="module")
def real(shared_data: Path) -> list[dict[str, Any]]:
    found = [one for path in sorted((shared_data / "stratus").glob("*.json")) for one in json.loads(path.read_bytes())]
    return list({one["eventID"]: one for one in found}.values())


def _leaves(value: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for key, below in value.items():
            yield from _leaves(below, (*path, key))
    elif isinstance(value, list):
        for below in value:
            yield from _leaves(below, path)
    elif value is not None:
        yield ".".join(path), value


@settings(max_examples=60)
@given(st.randoms(use_true_random=False))
def test_what_real_records_say_is_read_alike(fires, real, dice):
    """Tests of values that stand in records of emulated attacks, over all of these."""

    def item() -> tuple[str, Any]:
        within = {key: value for key, value in dice.choice(real).items() if key in (*_CONTAINERS, "tlsDetails")}
        path, value = dice.choice([*_leaves(within), ("userIdentity.userName", "alice")])
        if not isinstance(value, str):
            return path, value
        low = dice.randrange(len(value) + 1)
        part = escape(value[low : low + dice.randrange(1, 12)])
        kind = dice.choice(["", "|contains", "|cased|contains", "|startswith", "|exists", "|neq"])
        wanted = {
            "": escape(value).swapcase(),
            "|startswith": escape(value[:5]),
            "|exists": True,
            "|neq": escape(value),
        }
        return path + kind, wanted.get(kind, part)

    detection = {"sel1": dict([item(), item()]), "sel2": dict([item()]), "condition": "sel2 or sel1 and not sel2"}
    events = dice.sample(real, min(len(real), 150))
    found = numbers(fires(rule(detection), [{**e, "eventID": _uid(n)} for n, e in enumerate(events)]))
    assert found == {n for n, event in enumerate(events) if matches(detection, event)}, json.dumps(detection)


def _uid(number: int) -> str:
    return f"00000000-0000-0000-0000-{number:012d}"
