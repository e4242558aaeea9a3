"""Splunk's export: `{"result": {"_raw": "<the record>", ...}}` a line, or `{"results": [{"_raw": ...}]}`.

A result without `_raw` is put together from its fields, which Splunk names `userIdentity.arn` and so on.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from trailhound.containers.found import Found, reader
from trailhound.containers.rows import record_of

KEYS = ("result", "results", "_raw")


class _Line(msgspec.Struct):
    result: msgspec.Raw


class _Page(msgspec.Struct):
    results: list[msgspec.Raw]


class _Result(msgspec.Struct):
    raw: str = msgspec.field(name="_raw")


_read_line, _read_page, _read_result, _read_fields = (
    reader(_Line),
    reader(_Page),
    reader(_Result),
    reader(dict[str, Any]),
)


def contents(value: bytes) -> Iterator[Found] | None:
    if page := _read_page(value):
        return (_held(bytes(result)) or bytes(result) for result in page.results)
    line = _read_line(value)
    found = _held(bytes(line.result) if line else value)
    return None if found is None else iter((found,))


def _held(result: bytes) -> Found | None:
    """The record in a result, or one made of its fields."""
    found = _read_result(result)
    if found:
        return found.raw.encode()
    fields = _read_fields(result)
    return None if fields is None or not any("." in name for name in fields) else record_of(fields)
