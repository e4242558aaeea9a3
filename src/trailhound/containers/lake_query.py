"""A query of CloudTrail Lake: `{"QueryResultRows": [[{"eventID": ...}, {"eventName": ...}, ...]]}`.

The column `eventJson` holds the record; a row without it is put together from the others.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from trailhound.containers.found import Broken, Found, excerpt, reader
from trailhound.containers.rows import record_of

KEYS = ("QueryResultRows",)


class _Page(msgspec.Struct):
    QueryResultRows: list[msgspec.Raw]


_read_page, _read_row = reader(_Page), reader(list[dict[str, str | None]])


def contents(value: bytes) -> Iterator[Found] | None:
    if page := _read_page(value):
        return map(bytes, page.QueryResultRows)
    cells = _read_row(value)
    if not cells or any(len(cell) != 1 for cell in cells):
        return None
    row = {name: text for cell in cells for name, text in cell.items()}
    if len(row) < len(cells):
        return None
    found = record_of(row)
    return iter((found or Broken(None, "no_event_name", "a row without a record or an event name", excerpt(value)),))
