"""Azure Log Analytics, where Sentinel keeps CloudTrail: `{"tables": [{"columns": [...], "rows": [[...]]}]}`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from trailhound.containers.found import Broken, Found, excerpt, reader
from trailhound.containers.rows import record_of

KEYS = ("tables",)


class _Column(msgspec.Struct):
    name: str


class _Table(msgspec.Struct):
    columns: list[_Column]
    rows: list[list[Any]]


class _Answer(msgspec.Struct):
    tables: list[_Table]


_read = reader(_Answer)


def contents(value: bytes) -> Iterator[Found] | None:
    answer = _read(value)
    return None if answer is None else _rows(answer.tables)


def _rows(tables: list[_Table]) -> Iterator[Found]:
    for table in tables:
        names = [column.name for column in table.columns]
        for row in table.rows:
            shown = excerpt(msgspec.json.encode(row))
            broken = Broken(None, "no_event_name", "a row without a record or an event name", shown)
            yield record_of(dict(zip(names, row, strict=False))) or broken
