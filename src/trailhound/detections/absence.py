"""Of which times the log does not tell what did not happen: beyond its end, and where it is known to lack events."""

from __future__ import annotations

from typing import get_args

from trailhound.engines.dialect import literal
from trailhound.engines.duckdb import DuckDB
from trailhound.ingest import coverage
from trailhound.ingest.coverage import Kind

UNSEEN = "detect_unseen"
# Quiet hours are none, and of what was never recorded no rule would have told anything.
_LACKING = frozenset(get_args(Kind)) - {"quiet", "never_recorded"}


def prepare(engine: DuckDB, *, until: int | None) -> None:
    """UNSEEN: (`account`, NULL for all of them, `since`, `until`, NULL for ever; epoch milliseconds).

    Besides `events` the tables `integrity` and `integrity_periods` are read. `until`: later events are not looked at.
    """
    engine.execute(f"CREATE OR REPLACE TEMP TABLE {UNSEEN} (account VARCHAR, since BIGINT, until BIGINT)")
    engine.execute(f"INSERT INTO {UNSEEN} SELECT NULL, max(time), NULL FROM events")
    if until is not None:
        engine.execute(f"INSERT INTO {UNSEEN} VALUES (NULL, {literal(until)}, NULL)")
    for one in coverage.stretches(engine, coverage.series(engine)):
        if one.kind in _LACKING:
            row = ", ".join(literal(value) for value in (one.account_uid, one.since, one.until))
            engine.execute(f"INSERT INTO {UNSEEN} VALUES ({row})")


def drop(engine: DuckDB) -> None:
    engine.execute(f"DROP TABLE IF EXISTS {UNSEEN}")


def certain(account: str, since: str, until: str) -> str:
    """SQL: is the log whole from `since` to `until`, both part of it, of an account? NULL is no account."""
    return (
        f"NOT EXISTS (SELECT 1 FROM {UNSEEN} AS unseen "
        f"WHERE (unseen.account IS NULL OR unseen.account = coalesce({account}, '')) "
        f"AND unseen.since <= {until} AND coalesce(unseen.until > {since}, TRUE))"
    )
