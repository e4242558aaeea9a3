"""The table `sessions`, and the columns `session_uid` and `origin_uid` of `events`, for as long as somebody looks at them.

The columns are a join, which costs a tenth of a second per million events even where they are not read.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from trailhound.engines.duckdb import DuckDB
from trailhound.identity import sessions
from trailhound.identity.credentials import CREDENTIALS
from trailhound.identity.issues import ISSUES
from trailhound.lake.attribution import SITTING_UID

_STORED = "stored_events"


@contextmanager
def with_sessions(engine: DuckDB) -> Iterator[None]:
    """There is a table `sessions` within: that of the lake, or one of the events at hand where there is none."""
    if sessions.at_hand(engine):
        yield
        return
    for table in (CREDENTIALS, ISSUES):
        engine.execute(f"CREATE OR REPLACE TEMP TABLE {table.table} AS {table.select}")
    engine.execute(f"CREATE OR REPLACE TEMP TABLE sessions AS {sessions.rows(engine)}")
    try:
        yield
    finally:
        for table in ("credentials", "issues", "sessions", *sessions.TEMPORARY):
            engine.execute(f"DROP TABLE IF EXISTS {table}")


@contextmanager
def attributed(engine: DuckDB, *, wanted: bool = True) -> Iterator[None]:
    """`events` has the columns within."""
    if not wanted:
        yield
        return
    with with_sessions(engine):
        engine.execute(f"ALTER VIEW events RENAME TO {_STORED}")
        try:
            engine.execute(f"""
                CREATE TEMP VIEW events AS
                SELECT events.*, {SITTING_UID} AS session_uid,
                    coalesce(origin_of.origin, events.principal_uid) AS origin_uid
                FROM {_STORED} AS events LEFT JOIN {sessions.ORIGIN}""")
            yield
        finally:
            engine.execute("DROP VIEW IF EXISTS events")
            engine.execute(f"ALTER VIEW {_STORED} RENAME TO events")
