"""Sigma read slowly and in the most obvious way: plain Python over parsed JSON, nothing shared with the compiler.

A rule's `detection` is what YAML gives: mappings, lists, scalars. A record is a dict.
"""

from __future__ import annotations

import base64
import ipaddress
import itertools
import json
import re
from datetime import UTC, datetime
from typing import Any

_NUMBER = re.compile(r"-?\d+(\.\d+)?([eE][+-]?\d+)?")
_DASHES = "-/–—―"
_AROUND = {"contains": (".*", ".*"), "startswith": ("", ".*"), "endswith": (".*", "")}


def values(record: dict[str, Any], path: str) -> list[str]:
    """Texts at a path; lists on the way and at its end are walked through; null is no value."""
    nodes: list[Any] = [record]
    for key in path.split("."):
        children = [node[key] for node in nodes if isinstance(node, dict) and key in node]
        nodes = [each for child in children for each in (child if isinstance(child, list) else [child])]
    return [_text(node) for node in nodes if node is not None]


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def matches(detection: dict[str, Any], record: dict[str, Any], known: dict[str, list[str]] | None = None) -> bool:
    """Does a rule's `detection` fire? Its condition is given as Python: see `condition`."""
    conditions = detection["condition"]
    return any(
        condition(one, detection, record, known or {})
        for one in (conditions if isinstance(conditions, list) else [conditions])
    )


def condition(text: str, detection: dict[str, Any], record: dict[str, Any], known: dict[str, list[str]]) -> bool:
    """Names become what they say of the record; Python's own `and`, `or` and `not` do the rest."""
    names = [name for name in detection if name not in ("condition", "rules")]

    def of(found: re.Match[str]) -> str:
        pattern = found[2]
        chosen = [
            name
            for name in names
            if not name.startswith("_") and (pattern == "them" or re.fullmatch(pattern.replace("*", ".*"), name))
        ]
        said = [selection(detection[name], record, known) for name in chosen]
        return str(all(said) if found[1] == "all" else any(said))

    text = re.sub(r"\b(1|any|all) of ([\w*]+)", of, text)
    said = {name: selection(detection[name], record, known) for name in names if re.search(rf"\b{name}\b", text)}
    return bool(eval(text, {}, said))


def selection(definition: Any, record: dict[str, Any], known: dict[str, list[str]]) -> bool:
    """A mapping: all of it. A list: any of it. Anything else is a keyword."""
    if isinstance(definition, dict):
        return all(item(key, value, record, known) for key, value in definition.items())
    if isinstance(definition, list):
        return any(selection(each, record, known) for each in definition)
    return item("", definition, record, known)


def item(key: str, wanted: Any, record: dict[str, Any], known: dict[str, list[str]]) -> bool:
    field, *modifiers = key.split("|")
    listed = wanted if isinstance(wanted, list) else [wanted]
    said = [_one(field, modifiers, each, record, known) for each in listed]
    met = all(said) if "all" in modifiers else any(said)
    return not met if "neq" in modifiers else met


def _one(field: str, modifiers: list[str], wanted: Any, record: dict[str, Any], known: dict[str, list[str]]) -> bool:
    if not field:
        return _keyword(str(wanted), modifiers, record)
    found = values(record, field)
    if wanted is None:
        return not found
    if "exists" in modifiers:
        return bool(found) == wanted
    if "fieldref" in modifiers:
        return any(_related(one, other, modifiers) for one in found for other in values(record, wanted))
    return any(_value(one, modifiers, wanted, known) for one in found)


def _related(one: str, other: str, modifiers: list[str]) -> bool:
    if "cased" not in modifiers:
        one, other = fold(one), fold(other)
    if "contains" in modifiers:
        return other in one
    if "startswith" in modifiers:
        return one.startswith(other)
    return one.endswith(other) if "endswith" in modifiers else one == other


def _value(text: str, modifiers: list[str], wanted: Any, known: dict[str, list[str]]) -> bool:
    unit = next((each for each in modifiers if each in ("minute", "hour", "day", "week", "month", "year")), None)
    operator = next((each for each in modifiers if each in ("lt", "lte", "gt", "gte")), None)
    if unit:
        return _compare(_part(text, unit), operator or "eq", wanted)
    if operator:
        return _compare(float(text) if _NUMBER.fullmatch(text) else None, operator, wanted)
    if "re" in modifiers:
        return _regex(text, modifiers, wanted)
    if "cidr" in modifiers:
        return _in_network(text, wanted)
    if isinstance(wanted, bool):
        return fold(text) == str(wanted).lower()
    if isinstance(wanted, int | float):
        return text in (str(wanted), f"{wanted}.0") if isinstance(wanted, int) else text == repr(wanted)
    before, after = next((_AROUND[each] for each in modifiers if each in _AROUND), ("", ""))
    cased = "cased" in modifiers
    return any(like(text, one, before, after, cased=cased) for one in _written(modifiers, wanted, known))


def _compare(number: float | None, operator: str, wanted: float) -> bool:
    if number is None:
        return False
    return {
        "lt": number < wanted, "lte": number <= wanted, "gt": number > wanted, "gte": number >= wanted,
        "eq": number == wanted,
    }[operator]  # fmt: skip


def _part(text: str, unit: str) -> int | None:
    try:
        time = datetime.fromisoformat(text).astimezone(UTC)
    except ValueError:
        return None
    return time.isocalendar().week if unit == "week" else getattr(time, unit)


def _regex(text: str, modifiers: list[str], pattern: str) -> bool:
    flags = sum({"i": re.IGNORECASE, "m": re.MULTILINE, "s": re.DOTALL}.get(each, 0) for each in modifiers)
    if "m" not in modifiers:
        pattern = pattern.replace("$", r"\Z")  # Python's own $ also stands before a last newline
    return re.search(pattern, text, flags) is not None


def _in_network(text: str, network: str) -> bool:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return False
    wide = ipaddress.ip_network(network, strict=False)
    return address.version == wide.version and address in wide


def _written(modifiers: list[str], wanted: str, known: dict[str, list[str]]) -> list[str]:
    """The patterns that a value stands for once its encodings are done."""
    if "expand" in modifiers:
        return known[wanted.strip("%")]
    if "windash" in modifiers:
        places = [found.start() for found in re.finditer(r"\B[-/]\b", wanted)]
        return [
            "".join(dict(zip(places, dashes, strict=True)).get(n, c) for n, c in enumerate(wanted))
            for dashes in itertools.product(_DASHES, repeat=len(places))
        ]
    data = wanted.encode()
    if "wide" in modifiers or "utf16le" in modifiers:
        data = wanted.encode("utf-16-le")
    elif "utf16be" in modifiers:
        data = wanted.encode("utf-16-be")
    elif "utf16" in modifiers:
        data = b"\xff\xfe" + wanted.encode("utf-16-le")
    if "base64" in modifiers:
        return [base64.b64encode(data).decode()]
    if "base64offset" in modifiers:
        return [_offset(data, before) for before in range(3)]
    return [wanted]


def _offset(data: bytes, before: int) -> str:
    """The characters of Base64 that these bytes alone decide, where `before` others stand in front of them."""
    encoded = base64.b64encode(b"\0" * before + data + b"\0\0\0").decode()
    first, last = 8 * before, 8 * (before + len(data))
    return "".join(c for n, c in enumerate(encoded) if first <= 6 * n and 6 * n + 6 <= last)


def _keyword(wanted: str, modifiers: list[str], record: dict[str, Any]) -> bool:
    raw = json.dumps(record)
    bare = wanted.strip("*")
    spellings = {bare, json.dumps(bare)[1:-1], json.dumps(bare, ensure_ascii=False)[1:-1]}
    return any(each in raw if "cased" in modifiers else fold(each) in fold(raw) for each in spellings)


def fold(text: str) -> str:
    """Lower case, one character for one."""
    return "".join(character.lower()[0] for character in text)


def escape(text: str) -> str:
    return re.sub(r"([\\*?])", r"\\\1", text)


def like(text: str, pattern: str, before: str, after: str, *, cased: bool) -> bool:
    r"""`*` and `?`; a backslash takes their meaning from them, and from another backslash before them."""
    written, place = "", 0
    while place < len(pattern):
        character, following = pattern[place], pattern[place + 1 : place + 2]
        if character == "\\" and following in ("\\", "*", "?") and following:
            written, place = written + re.escape(following), place + 2
            continue
        written += {"*": ".*", "?": "."}.get(character, re.escape(character if cased else fold(character)))
        place += 1
    return re.fullmatch(before + written + after, text if cased else fold(text), re.DOTALL) is not None
