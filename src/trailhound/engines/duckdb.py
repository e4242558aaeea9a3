"""DuckDB: one in-memory connection per process, reading the Parquet files of a lake snapshot.

In memory, because a DuckDB database file locks out every other process, even readers.
"""

from __future__ import annotations

import weakref
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb

from trailhound.engines.dialect import identifier, literal
from trailhound.errors import QueryError

Rows = list[dict[str, Any]]


class DuckDB:
    """`query(sql, params)` → rows. Tables are mounted by name; nothing is ever written through it."""

    name = "duckdb"

    def __init__(
        self, *, threads: int | None = None, memory_limit: str = "1GB", temp_directory: Path | None = None
    ) -> None:
        # Auto-install is on by default and tries the network even on a cast to INET.
        config: dict[str, Any] = {
            "autoinstall_known_extensions": "false",
            "autoload_known_extensions": "false",
            "memory_limit": memory_limit,
            "preserve_insertion_order": "false",
        }
        if threads:
            config["threads"] = threads
        if temp_directory:
            config["temp_directory"] = str(temp_directory)
        self._connection = duckdb.connect(config=config)
        self._connection.execute("SET TimeZone = 'UTC'")
        # A file of a lake never changes, and its footer, for so many columns, takes longer to read than a column of it.
        self._connection.execute("SET parquet_metadata_cache = true")
        # On by default in what looks like a session of a person, and printed among the results.
        self._connection.execute("SET enable_progress_bar = false")
        # With the engine, or at exit: a connection that is alive then prints pages of "nanobind: leaked".
        self._closed = weakref.finalize(self, self._connection.close)

    def close(self) -> None:
        self._closed()

    def mount(self, table: str, files: Sequence[str], *, ddl: str, partition: str | None = None) -> None:
        """Make `files` (Parquet) readable as `table`; `ddl` names the columns when there is no file yet."""
        name = identifier(table)
        self._connection.execute(f"DROP VIEW IF EXISTS {name}")
        if not files:
            self._connection.execute(f"CREATE OR REPLACE TABLE empty_{table} ({ddl})")
            self._connection.execute(f"CREATE VIEW {name} AS FROM empty_{table}")
            return
        hive = f", hive_partitioning = true, hive_types = {{{literal(partition)}: VARCHAR}}" if partition else ""
        listed = ", ".join(literal(path) for path in files)
        self._connection.execute(f"CREATE VIEW {name} AS FROM read_parquet([{listed}]{hive})")

    def mount_arrow(self, table: str, data: Any) -> None:
        """Make anything with the Arrow C stream interface readable as `table`."""
        self._connection.register(table, data)

    def unmount(self, table: str) -> None:
        """Forget what `mount_arrow` made readable."""
        self._connection.unregister(table)

    def execute(self, sql: str, params: Mapping[str, Any] | None = None) -> None:
        """For temporary tables and views of this process."""
        self._run(sql, params)

    @contextmanager
    def as_written(self) -> Iterator[None]:
        """Within, tables are joined in the order of the statement, the last one held in memory.

        How many rows are left of a table whose partitions are chosen by day is estimated as next to none, and then the
        events themselves are held.
        """
        self._connection.execute("SET disabled_optimizers = 'join_order,build_side_probe_side'")
        try:
            yield
        finally:
            self._connection.execute("RESET disabled_optimizers")

    def query(self, sql: str, params: Mapping[str, Any] | None = None) -> Rows:
        result = self._run(sql, params)
        names = [column[0] for column in result.description]
        return [dict(zip(names, row, strict=True)) for row in result.fetchall()]

    def stream(self, sql: str, params: Mapping[str, Any] | None = None) -> Any:
        """The result through the Arrow C stream interface, run when it is read, for writing into the lake."""
        with _explained(sql):
            return self._connection.sql(sql, params=_mentioned(sql, params))

    def confine(self, directories: Sequence[Path]) -> None:
        """For SQL written by users: no file, network or setting outside the lake, for good."""
        allowed = ", ".join(literal(f"{d}/") for d in directories)
        self._connection.execute(f"SET allowed_directories = [{allowed}]")
        self._connection.execute("SET enable_external_access = false")
        self._connection.execute("SET lock_configuration = true")

    def _run(self, sql: str, params: Mapping[str, Any] | None) -> duckdb.DuckDBPyConnection:
        with _explained(sql):
            return self._connection.execute(sql, _mentioned(sql, params))


def _mentioned(sql: str, params: Mapping[str, Any] | None) -> dict[str, Any]:
    """DuckDB refuses a named parameter that the statement does not mention."""
    return {key: value for key, value in (params or {}).items() if f"${key}" in sql}


@contextmanager
def _explained(sql: str) -> Iterator[None]:
    try:
        yield
    except duckdb.Error as error:
        raise QueryError(
            str(error).split("\n\n")[0],
            where=sql if len(sql) < 500 else sql[:500] + " ...",
            causes=("a column or function that does not exist", "a value of another type"),
            next_step='`trailhound sql "DESCRIBE events"` lists the columns',
        ) from error
