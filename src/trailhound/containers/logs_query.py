"""A query of CloudWatch Logs Insights: `{"results": [[{"field": "@message", "value": "<the record>"}, ...]]}`.

A row without `@message` is put together from the fields the query asked for.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from trailhound.containers.found import Broken, Found, excerpt, reader
from trailhound.containers.rows import record_of

KEYS = ("results",)


class _Page(msgspec.Struct):
    results: list[list[msgspec.Raw]]


class _Cell(msgspec.Struct):
    field: str
    value: str = ""


_read_page, _read_row = reader(_Page), reader(list[_Cell])


def contents(value: bytes) -> Iterator[Found] | None:
    if page := _read_page(value):
        return (msgspec.json.encode(row) for row in page.results)
    cells = _read_row(value)
    if not cells:
        return None
    row = {cell.field: cell.value for cell in cells}
    found = record_of(row)
    return iter((found or Broken(None, "no_event_name", "a row without a record or an event name", excerpt(value)),))
