"""A row of a table of events → the record it holds, or a record put together from its columns."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from trailhound.containers import scan, struct_text
from trailhound.containers.found import NOT_JSON, Partial

PARTIAL = "partial"

# Columns that hold the record itself.
_ORIGINALS = ("eventjson", "cloudtrailevent", "raw", "eventoriginal", "rawdata", "message")
_PUNCTUATION = re.compile(r"[\W_]+")
_PLAIN_PATH = re.compile(r"\w+(?:\.[\w-]+)+", re.ASCII)
_US_TIME = re.compile(r"(\d\d?)/(\d\d?)/(\d{4}),? (\d\d?):(\d\d):(\d\d)(\.\d+)? ([AP])M", re.ASCII)
_ABSENT = (None, "")


class _Column(NamedTuple):
    path: tuple[str, ...]
    kind: str
    alias: bool  # known by another name than its own


def _columns() -> tuple[dict[str, _Column], dict[str, str]]:
    """Columns by their bare name; and the members of a record by their name in lower case."""
    lines = Path(__file__).with_name("columns.tsv").read_text("utf-8").splitlines()
    rows = [line.split("\t") for line in lines if not line.startswith("#")][1:]
    columns, spelled = {}, {}
    for path, kind, also in rows:
        parts = tuple(path.split("."))
        spelled |= {part.lower(): part for part in parts}
        columns |= dict.fromkeys(also.split(), _Column(parts, kind, alias=True))
        columns[bare(path)] = _Column(parts, kind, alias=False)
    return columns, spelled


@lru_cache(4096)
def bare(name: str) -> str:
    """A column's name without case, blanks and punctuation."""
    return _PUNCTUATION.sub("", name).lower()


_COLUMNS, _SPELLED = _columns()


def is_table(names: list[str]) -> bool:
    """Whether columns of these names hold events; `message` alone may be anything."""
    known = {bare(name) for name in names}
    if known & set(_ORIGINALS[:-1]):
        return True
    return len(known & _COLUMNS.keys()) > 1 and bool(known & {"eventname", "message"})


def record_of(cells: Mapping[str, Any]) -> bytes | Partial | None:
    """The record a row holds, or one made of its columns, or None when they name no event.

    Columns that are no field of a record stay in it under their own name.
    """
    originals = {bare(name): text for name, text in cells.items() if isinstance(text, str)}
    for name in _ORIGINALS:
        text = originals.get(name, "").strip()
        if text.startswith("{") or (text.startswith("[") and scan.fault(text.encode("utf-8", "replace")) is None):
            return text.encode("utf-8", "surrogateescape")
    record: dict[str, Any] = {}
    columns = [(_COLUMNS.get(bare(name)), name, value) for name, value in cells.items() if value not in _ABSENT]
    # Own names before others, whole parts before their members: what is set already stays.
    columns.sort(key=lambda column: (column[0].alias, len(column[0].path)) if column[0] else (True, 99))
    for column, name, value in columns:
        if column:
            put(record, column.path, _converted(value, column))
        elif _PLAIN_PATH.fullmatch(name) and (first := _COLUMNS.get(bare(name.split(".")[0]))):
            put(record, (*first.path, *name.split(".")[1:]), value)
        else:
            record.setdefault(name, value)
    if not isinstance(record.get("eventName"), str):
        return None
    try:
        return Partial(msgspec.json.encode(_utf8(record)), (PARTIAL,))
    except (msgspec.MsgspecError, RecursionError, UnicodeEncodeError):
        return None


def put(record: dict[str, Any], path: tuple[str, ...], value: Any) -> None:
    if value is None:
        return
    for name in path[:-1]:
        inner = record.setdefault(name, {})
        if not isinstance(inner, dict):
            return
        record = inner
    record.setdefault(path[-1], value)


def _converted(value: Any, column: _Column) -> Any:
    if column.kind == "part":
        return _part(value, column)
    if column.kind == "flag":
        return {"true": True, "false": False, "yes": True, "no": False}.get(str(value).lower(), value)
    if column.kind == "time":
        return _time(str(value))
    text = str(value)
    return text.lower() if column.kind == "word" or isinstance(value, bool) else text


def _part(value: Any, column: _Column) -> Any:
    if isinstance(value, str):
        value = _parsed(value)
    name = column.path[0]
    if name in ("userIdentity", "resources", "tlsDetails", "addendum"):
        return _respelled(value, "ARN" if name == "resources" else "arn")
    return value


def _parsed(text: str) -> Any:
    if text == "null":
        return None
    try:
        return msgspec.json.decode(text)
    except NOT_JSON:
        found = struct_text.parse(text)
        return text if found is None else found


def _respelled(value: Any, arn: str) -> Any:
    """Athena writes the names within a struct in lower case."""
    if isinstance(value, dict):
        return {
            arn if name == "arn" else _SPELLED.get(name, name): _respelled(item, arn)
            for name, item in value.items()
            if item is not None
        }
    return [_respelled(item, arn) for item in value] if isinstance(value, list) else value


def _time(text: str) -> str:
    """As the log viewers of Azure write it; all other forms are read as they are."""
    match = _US_TIME.fullmatch(text)
    if match is None:
        return text
    month, day, year, hour, minute, second, fraction, half = match.groups()
    hours = int(hour) % 12 + (12 if half == "P" else 0)
    return f"{year}-{month:>02}-{day:>02}T{hours:02d}:{minute}:{second}{fraction or ''}Z"


def _utf8(value: Any) -> Any:
    """Bytes that were no UTF-8 become U+FFFD."""
    if isinstance(value, str):
        return value if value.isascii() else value.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    if isinstance(value, dict):
        return {_utf8(name): _utf8(item) for name, item in value.items()}
    return [_utf8(item) for item in value] if isinstance(value, list) else value
