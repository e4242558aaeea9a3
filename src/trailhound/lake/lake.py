"""The lake: Delta tables in one folder, written by one process at a time, read by any number.

A table is a folder of Parquet files and a log that says which of them count; a commit is one new file
in the log, so whoever is killed while writing leaves the table as it was. Two locks stand beside them:
`.lock` is held by the one that writes, `.readers` is shared by all that have files mounted, so that
files which no longer count are deleted only while nobody reads.
"""

from __future__ import annotations

import fcntl
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import IO, Any
from urllib.parse import unquote

import arro3.core as ac
import msgspec
from deltalake import ColumnProperties, DeltaTable, WriterProperties, write_deltalake
from deltalake.exceptions import DeltaError, TableNotFoundError

from trailhound.engines import dialect
from trailhound.engines.duckdb import DuckDB, Rows
from trailhound.errors import WorkspaceError
from trailhound.lake import arrow
from trailhound.lake.tables import TABLES

FORMAT = 4  # of the tables; 3: analysis of findings, hashes in integrity; 4: authors of rules
KEPT = "kept.json"  # versions of the events table whose files are never deleted
MARKER = "lake.json"

_ROW_GROUP = 32_768  # rows; the unit that a reader skips when its operations do not match
_SMALL = 5_000  # rows of a file that is better read as part of another
_MANY = 16  # files of one partition


class _Marker(msgspec.Struct):
    format: int


class Snapshot(msgspec.Struct, frozen=True):
    """Which version of each table is mounted; -1 for one that holds nothing yet."""

    versions: dict[str, int]


class TableSize(msgspec.Struct, frozen=True):
    rows: int
    bytes: int
    files: int


class _DataFile(msgspec.Struct, frozen=True):
    rows: int
    bytes: int
    partition: str | None


class Lake:
    """The lake in folder `root`. Every method raises WorkspaceError if the folder cannot be used."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._locked = 0
        self._lock_file: IO[bytes] | None = None
        self._readers_file: IO[bytes] | None = None
        self._tables: dict[str, DeltaTable] = {}
        try:
            made = msgspec.json.decode((root / MARKER).read_bytes(), type=_Marker)
        except (OSError, msgspec.MsgspecError) as error:
            raise WorkspaceError(
                "this is not a workspace",
                where=str(root),
                causes=("nothing has been ingested yet", "another folder is meant"),
                next_step="`trailhound ingest SOURCE...` makes one; --workspace names another",
            ) from error
        if made.format != FORMAT:
            newer = made.format > FORMAT
            raise WorkspaceError(
                f"the workspace is of format {made.format}, this trailhound reads and writes format {FORMAT}",
                where=str(root),
                causes=(f"it was made by {'a newer' if newer else 'an older'} trailhound",),
                next_step="upgrade trailhound" if newer else "ingest the same logs into a new workspace",
            )

    @classmethod
    def create(cls, root: Path) -> Lake:
        """The lake in `root`, made if it is not there."""
        try:
            if not (root / MARKER).exists():
                root.mkdir(parents=True, exist_ok=True)
                (root / MARKER).write_bytes(msgspec.json.encode(_Marker(FORMAT)))
        except OSError as error:
            raise _unwritable(root, error) from error
        return cls(root)

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Hold the right to write, waiting for it; may be taken again by who has it."""
        if not self._locked:
            self._lock_file = self._open_lock(".lock")
            fcntl.flock(self._lock_file, fcntl.LOCK_EX)
        self._locked += 1
        try:
            yield
        finally:
            self._locked -= 1
            if not self._locked and self._lock_file:
                self._lock_file.close()

    def append(self, table: str, data: Any) -> None:
        """Add rows in one commit; `data` is anything with the Arrow C stream interface."""
        with self.lock():
            self._write(table, data, mode="append")

    def upsert(self, table: str, data: ac.Table, key: str, replaced: Iterable[str] = ()) -> None:
        """Add rows in one commit; rows with one of their `key` values, or one of `replaced`, make way for them."""
        keys = sorted({*data[key].to_pylist(), *replaced})
        if not keys:
            return
        with self.lock():
            name = dialect.identifier(key)
            known = self.query(
                table, f"SELECT DISTINCT {name} AS key FROM {table} WHERE {name} IN ({dialect.listed(keys)})"
            )
            if known:
                # New rows must fit the predicate of what they replace, so it speaks of their keys, too.
                wanted = {*data[key].to_pylist(), *(row["key"] for row in known)}
                self._write(table, data, mode="overwrite", predicate=f"{key} IN ({dialect.listed(sorted(wanted))})")
            elif data.num_rows:
                self._write(table, data, mode="append")

    def keep(self, snapshot: Snapshot) -> None:
        """Never delete the files of this snapshot of the events: something decided refers to it."""
        version = snapshot.versions["events"]
        with self.lock():
            kept = self._kept()
            if version >= 0 and version not in kept:
                self.write_file(KEPT, msgspec.json.encode(sorted([*kept, version])))

    def mount_kept(self, engine: DuckDB, version: int) -> None:
        """Make the events readable as they were in a version that was kept. Raises WorkspaceError if it was not."""
        if version not in self._kept():
            raise WorkspaceError(
                f"version {version} of the events was not kept",
                where=str(self.root),
                causes=("nothing was decided on it",),
                next_step=f"kept are: {', '.join(map(str, self._kept())) or 'none'}",
            )
        layout = TABLES["events"]
        files = self._paths(DeltaTable(str(self.root / "events"), version=version))
        engine.mount("events", files, ddl=arrow.ddl(layout.columns), partition=layout.partition)

    def write_file(self, name: str, content: bytes) -> None:
        """A file beside the tables: whole or not at all, whatever happens meanwhile."""
        path = self.root / name
        written = path.with_name(f"{name}.new")
        try:
            written.write_bytes(content)
            written.replace(path)
        except OSError as error:
            raise _unwritable(self.root, error) from error

    def _kept(self) -> list[int]:
        try:
            return msgspec.json.decode((self.root / KEPT).read_bytes(), type=list[int])
        except FileNotFoundError:
            return []
        except (OSError, msgspec.MsgspecError) as error:
            raise WorkspaceError(
                "which snapshots are kept cannot be read",
                where=str(self.root / KEPT),
                causes=("the file was changed by hand",),
                next_step="restore it; it is a JSON list of versions of the events table",
            ) from error

    def mount(self, engine: DuckDB, tables: Iterable[str] = tuple(TABLES)) -> Snapshot:
        """Make tables, as they are now, readable on `engine`; their files stay until `close`."""
        if self._readers_file is None:
            self._readers_file = self._open_lock(".readers")
            fcntl.flock(self._readers_file, fcntl.LOCK_SH)
        return Snapshot({name: self._mount(engine, name) for name in tables})

    def close(self) -> None:
        """Let go of the files that are mounted."""
        if self._readers_file:
            self._readers_file.close()
            self._readers_file = None

    def _mount(self, engine: DuckDB, name: str) -> int:
        layout, delta = TABLES[name], self._delta(name)
        engine.mount(name, self._paths(delta), ddl=arrow.ddl(layout.columns), partition=layout.partition)
        return delta.version() if delta else -1

    def query(self, table: str, sql: str) -> Rows:
        """Rows of a statement over one table as it is, while nobody writes."""
        with self.lock():
            self._mount(self.engine, table)
            return self.engine.query(sql)

    @cached_property
    def engine(self) -> DuckDB:
        """The lake's own, for what it must know while it writes: small, and nothing of it in the way of others."""
        return DuckDB(threads=1, memory_limit="300MB", temp_directory=self.root / ".spill")

    def files(self, table: str) -> list[str]:
        """Paths of the Parquet files that make up the table now."""
        return self._paths(self._delta(table))

    def partitions(self, table: str) -> dict[str, list[str]]:
        """Partition → paths of its Parquet files, as they are now."""
        marker, found = f"{TABLES[table].partition}=", dict[str, list[str]]()
        for path in sorted(self.files(table)):
            found.setdefault(Path(path).parent.name.removeprefix(marker), []).append(path)
        return found

    def reshape(self, table: str) -> bool:
        """Empty a derived table whose columns are not those declared, as another trailhound leaves it; was it one?"""
        with self.lock():
            delta, columns = self._delta(table), TABLES[table].columns
            if delta is None or [field.name for field in delta.schema().fields] == [column.path for column in columns]:
                return False
            empty = arrow.table(columns, {column.path: [] for column in columns})
            self._write(table, empty, mode="overwrite", schema_mode="overwrite")
            return True

    def replace(self, table: str, rows: Any, partitions: Sequence[str] = ()) -> None:
        """Make these partitions, or the whole of a table that has none, hold nothing but `rows`, in one commit."""
        layout = TABLES[table]
        with self.lock():
            if self._delta(table) is None:
                self._write(table, rows, mode="append")
            else:
                where = f"{layout.partition} IN ({dialect.listed(partitions)})" if layout.partition else None
                self._write(table, rows, mode="overwrite", predicate=where)

    def sizes(self) -> dict[str, TableSize]:
        sizes = {}
        for name in TABLES:
            files = self._data_files(name)
            sizes[name] = TableSize(sum(f.rows for f in files), sum(f.bytes for f in files), len(files))
        return sizes

    def compact(self) -> int:
        """Rewrite partitions that lie in several small files as one sorted file each; how many were."""
        with self.lock():
            rewritten = 0
            for name in TABLES:
                partitions: dict[str | None, list[_DataFile]] = {}
                for file in self._data_files(name):
                    partitions.setdefault(file.partition, []).append(file)
                for partition, files in partitions.items():
                    if _scattered(files):
                        self._rewrite(name, partition)
                        rewritten += 1
            if rewritten:
                self.vacuum()
            return rewritten

    def flag(self, day: str, event_uids: Sequence[str], flag: str) -> None:
        """Add a flag to events of one day, in one commit."""
        marked = (
            f"CASE WHEN metadata.uid IN ({dialect.listed(event_uids)}) AND NOT list_contains(flags, {dialect.literal(flag)})"
            f" THEN list_append(flags, {dialect.literal(flag)}) ELSE flags END AS flags"
        )
        with self.lock():
            self._rewrite("events", day, replace=marked)

    def remove(self, day: str, places: Iterable[tuple[str, int]]) -> None:
        """Remove the events of one day that came from these places (source_uid, source_index), in one commit."""
        listed = ", ".join(f"({dialect.literal(uid)}, {index})" for uid, index in sorted(places))
        with self.lock():
            self._rewrite("events", day, keep=f"(source_uid, source_index) NOT IN ({listed})")

    def _rewrite(self, name: str, partition: str | None, *, replace: str = "", keep: str = "TRUE") -> None:
        layout = TABLES[name]
        self._mount(self.engine, name)
        where = f"{layout.partition} = {dialect.literal(partition)}" if partition else None
        rows = self.engine.stream(
            f"SELECT * {f'REPLACE ({replace})' if replace else ''} FROM {name} WHERE {where or 'TRUE'} AND {keep} "
            f"ORDER BY {', '.join(dialect.column(path) for path in layout.sort)}"
        )
        self._write(name, rows, mode="overwrite", predicate=where)

    def vacuum(self) -> None:
        """Delete files that no longer count, unless somebody may be reading them."""
        with self._open_lock(".readers") as readers:
            try:
                fcntl.flock(readers, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return
            for name in TABLES:
                if delta := self._delta(name):
                    kept = self._kept() if name == "events" else None
                    delta.vacuum(retention_hours=0, dry_run=False, enforce_retention_duration=False, keep_versions=kept)

    def _write(self, name: str, data: Any, *, mode: Any, predicate: str | None = None, schema_mode: Any = None) -> None:
        layout = TABLES[name]
        plain = ColumnProperties(dictionary_enabled=False, statistics_enabled="NONE")
        properties = WriterProperties(
            compression="ZSTD",
            compression_level=1,  # level 3 takes a third longer and makes nothing smaller
            max_row_group_size=_ROW_GROUP,
            column_properties=dict.fromkeys(layout.unique, plain),
        )
        try:
            write_deltalake(
                str(self.root / name),
                data,
                mode=mode,
                predicate=predicate,
                schema_mode=schema_mode,
                partition_by=[layout.partition] if layout.partition else None,
                writer_properties=properties,
                target_file_size=1 << 40,  # one file a partition and write: sorting is lost across files
                configuration={"delta.dataSkippingNumIndexedCols": "1"},
            )
        except (DeltaError, OSError) as error:
            raise _unwritable(self.root, error) from error

    def _delta(self, name: str) -> DeltaTable | None:
        """The table as it is now; reading on in its log is ten times quicker than opening it again."""
        try:
            if name in self._tables:
                self._tables[name].update_incremental()
            else:
                self._tables[name] = DeltaTable(str(self.root / name))
        except TableNotFoundError:
            return None
        except (DeltaError, OSError) as error:
            raise WorkspaceError(
                f"the table {name} cannot be read: {error}",
                where=str(self.root / name),
                causes=("files were removed or changed by hand", "no permission to read the folder"),
                next_step="restore the folder from a copy, or ingest again into a new workspace",
            ) from error
        return self._tables[name]

    def _paths(self, delta: DeltaTable | None) -> list[str]:
        if delta is None:
            return []
        # The URI of the folder is percent-encoded; what is below it is not.
        folder = delta.table_uri.removeprefix("file://")
        return [unquote(folder) + uri[len(folder) :] for uri in delta.file_uris()]

    def _data_files(self, name: str) -> list[_DataFile]:
        delta = self._delta(name)
        if delta is None:
            return []
        actions = ac.Table.from_arrow(delta.get_add_actions(flatten=True))
        partition = TABLES[name].partition
        partitions = actions[f"partition.{partition}"].to_pylist() if partition else [None] * len(actions)
        counts = zip(actions["num_records"].to_pylist(), actions["size_bytes"].to_pylist(), partitions, strict=True)
        return [_DataFile(rows or 0, size or 0, day) for rows, size, day in counts]

    def _open_lock(self, name: str) -> IO[bytes]:
        try:
            return open(self.root / name, "ab")
        except OSError as error:
            raise _unwritable(self.root, error) from error


def _scattered(files: Sequence[_DataFile]) -> bool:
    """Whether to put them together pays: what has been written is written again only once it has grown by a part."""
    small = sum(file.rows for file in files if file.rows < _SMALL)
    return len(files) > _MANY or (len(files) > 1 and 4 * small >= sum(file.rows for file in files))


def _unwritable(root: Path, error: Exception) -> WorkspaceError:
    text = str(error)
    if "No space left" in text or "os error 28" in text:
        causes, next_step = ("the disk is full",), "free some space and run it again: what was written before is whole"
    elif "ermission denied" in text or "Read-only" in text:
        causes, next_step = ("the folder may not be written to",), "make it writable, or name another by --workspace"
    elif isinstance(error, FileNotFoundError | NotADirectoryError | FileExistsError):
        causes, next_step = ("no folder can be made there",), "name another by --workspace"
    else:
        causes, next_step = (text.partition("\n")[0][:300],), "run it again: what was written before is whole"
    return WorkspaceError("the workspace cannot be written", where=str(root), causes=causes, next_step=next_step)
