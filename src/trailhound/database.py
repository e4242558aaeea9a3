"""`trailhound.db` of a workspace: what people decided and what others answered. Tables in it only grow."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from trailhound.errors import WorkspaceError

FILE = "trailhound.db"


@contextmanager
def opened(folder: Path, table: str, what: str) -> Iterator[sqlite3.Connection]:
    """A transaction; `table`: its CREATE TABLE IF NOT EXISTS; `what` it holds, for the WorkspaceError if it cannot be used."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with closing(sqlite3.connect(folder / FILE)) as database, database:
            database.execute("PRAGMA journal_mode = WAL")
            database.execute(table)
            yield database
    except (sqlite3.Error, OSError) as error:
        raise WorkspaceError(
            f"{what} cannot be opened: {error}",
            where=str(folder / FILE),
            causes=("the folder is read-only", "the disk is full"),
            next_step="make the folder writable and try again",
        ) from error
