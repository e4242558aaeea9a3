"""Splunk's export: `{"result": {"_raw": "<the record>", ...}}` a line, or `{"results": [{"_raw": ...}]}`.

A result without `_raw` is put together from its fields, which Splunk names `userIdentity.arn` and so on.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from trailhound.containers.found import Found, reader
from trailhound.containers.rows import record_of


class _Line(msgspec.Struct):
    result: dict[str, Any]


class _Page(msgspec.Struct):
    results: list[msgspec.Raw]


class _Result(msgspec.Struct):
    raw: str = msgspec.field(name="_raw")


_read_line, _read_page, _read_result = reader(_Line), reader(_Page), reader(_Result)


def sniff(value: bytes) -> bool:
    return b'"_raw"' in value or b'"result"' in value or b'"results"' in value


def contents(value: bytes) -> Iterator[Found] | None:
    if line := _read_line(value):
        found = record_of(line.result)
        return None if found is None else iter((found,))
    if page := _read_page(value):
        return map(bytes, page.results)
    result = _read_result(value)
    return iter((result.raw.encode(),)) if result else None
