"""Tables of an investigation that are no slice of the events: what the program knows, row by row."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from types import NoneType
from typing import Any, get_args, get_origin, get_type_hints

import msgspec

from trailhound.engines import dialect
from trailhound.engines.duckdb import DuckDB

_TYPES = {int: "BIGINT", bool: "BOOLEAN", tuple: "VARCHAR[]"}  # all else is text


def hold(
    engine: DuckDB, table: str, row: type[msgspec.Struct], rows: Sequence[Any], fields: Iterable[str] = ()
) -> None:
    """Make `rows` readable as `table`; its columns are the fields of `row`, all of them or those that are named."""
    kinds = get_type_hints(row)
    columns = tuple(fields) or tuple(kinds)
    engine.execute(f"CREATE OR REPLACE TEMP TABLE {table} ({', '.join(f'{c} {_type(kinds[c])}' for c in columns)})")
    if rows:
        cells = (", ".join(_cell(getattr(one, column)) for column in columns) for one in rows)
        engine.execute(f"INSERT INTO {table} VALUES ({'), ('.join(cells)})")


def _type(kind: Any) -> str:
    told = next((one for one in get_args(kind) if one is not NoneType), kind) if NoneType in get_args(kind) else kind
    return _TYPES.get(get_origin(told) or told, "VARCHAR")


def _cell(value: Any) -> str:
    if isinstance(value, tuple):
        return "[" + ", ".join(map(dialect.literal, value)) + "]"
    return dialect.literal(value)
