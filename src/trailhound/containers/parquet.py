"""Parquet: tables of Security Lake, or any table of events. Each row is read as one JSON object.

A Parquet file is read from its end, so it waits in a temporary file; rows come in batches, whatever its size.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator

import duckdb

from trailhound.containers.found import Broken, Found, Text

_MAGIC = b"PAR1"
_BATCH = 1000  # rows
_SETTINGS = {
    "autoinstall_known_extensions": "false",  # DuckDB would try the network
    "autoload_known_extensions": "false",
    "memory_limit": "512MB",
    "threads": 1,
}


def sniff(head: bytes) -> bool:
    return head.startswith(_MAGIC)


def records(text: Text) -> Iterator[Found]:
    with tempfile.NamedTemporaryFile(prefix="trailhound-", suffix=".parquet") as spool:
        for piece in text.pieces():
            spool.write(piece)
        spool.flush()
        with duckdb.connect(config=_SETTINGS) as connection:
            try:
                connection.execute("SET TimeZone = 'UTC'")
                rows = connection.execute("SELECT to_json(row)::VARCHAR FROM read_parquet(?) AS row", [spool.name])
                while batch := rows.fetchmany(_BATCH):
                    yield from (row.encode() for (row,) in batch)
            except duckdb.Error as error:
                detail = f"a Parquet file that cannot be read: {str(error).splitlines()[0][:200]}"
                yield Broken(None, "parquet_damaged", detail.replace(spool.name, "the file"))
