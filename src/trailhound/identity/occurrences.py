"""Where a value occurs, by the table `observables`: for people, and for whoever reads `events` and would skip the rest."""

from __future__ import annotations

from collections.abc import Collection

import msgspec

from trailhound.engines import dialect
from trailhound.engines.duckdb import DuckDB
from trailhound.identity.artifacts import NOT_INDEXED, traced
from trailhound.lake import fields
from trailhound.lake.fields import Operand
from trailhound.lake.places import Place, Places

# Columns all of whose values are in the table: as `value`, or as `name`.
_COLUMNS = (
    "principal_uid",
    "actor.user.uid",
    "actor.user.name",
    "actor.user.credential_uid",
    "actor.user.account.uid",
    "actor.invoked_by",
    "cloud.account.uid",
    "src_endpoint.ip",
    "src_endpoint.domain",
    "src_endpoint.uid",
    "http_request.user_agent",
    "user.uid",
    "user.name",
    "session.uid",
    "session.credential_uid",
    "policy.uid",
    "resources.uid",
    "resources.name",
    "resources.account_uid",
)


class Occurrence(msgspec.Struct, frozen=True):
    """One row of `observables`. Times in epoch ms."""

    kind: str
    value: str
    name: str | None
    event_day: str
    operation: str
    place: str
    first_time: int
    last_time: int
    events: int


def where(engine: DuckDB, value: str, *, kind: str | None = None) -> list[Occurrence]:
    """Where `value` (or a thing of that short name) occurs, in any case, the earliest first.

    The table must be up to date; what it does not list is told in docs/how-to/pivot-on-anything.md.
    """
    of_kind = f" AND kind = {dialect.literal(kind)}" if kind else ""
    rows = engine.query(
        f"SELECT * EXCLUDE (week) FROM observables WHERE ({_named(value)}){of_kind} "
        "ORDER BY first_time, kind, value, operation, place"
    )
    return msgspec.convert(rows, list[Occurrence])


class Occurrences:
    """An `Index` of the events that are mounted. `days`: all of theirs; `behind`: those of which the table does not
    tell, so that anything may be there."""

    def __init__(self, engine: DuckDB, days: Collection[str], behind: Collection[str] = ()) -> None:
        self._engine = engine
        self.newest_day = max(days, default="")
        self._behind: Places = dict.fromkeys(behind, Place(None))
        self._operands = {operand for path in _COLUMNS for operand in fields.resolve(path).operands}

    def holds(self, operand: Operand) -> bool:
        return operand in self._operands

    def equal(self, value: str) -> Places:
        bucket = dialect.equals("value", _bucket(value))
        return self._places(f"{_named(value)} OR (kind = 'bucket' AND {bucket})")

    def days_of(self, values: Collection[str]) -> list[str]:
        listed = dialect.listed(sorted({*values, *map(_bucket, values)}))
        where = f"value IN ({listed}) OR name IN ({listed}) OR kind = '{NOT_INDEXED}'"
        rows = self._engine.query(f"SELECT DISTINCT event_day FROM observables WHERE {where}")
        return sorted({row["event_day"] for row in rows} | self._behind.keys())

    def within(self, text: str) -> Places | None:
        piece = traced(text)
        if piece is None:
            return None
        pattern = f"%{dialect.like_escape(piece)}%"
        return self._places(f"{dialect.matches('value', pattern)} OR {dialect.matches('name', pattern)}")

    def _places(self, listed: str) -> Places:
        rows = self._engine.query(
            "SELECT event_day, list(DISTINCT operation) AS calls, count(*) = count(operation) AS named, "
            "min(first_time) AS first, max(last_time) AS last FROM observables "
            f"WHERE {listed} OR kind = '{NOT_INDEXED}' GROUP BY event_day"
        )
        found = {
            row["event_day"]: Place(frozenset(row["calls"]) if row["named"] else None, row["first"], row["last"])
            for row in rows
        }
        return {**found, **self._behind}


def _bucket(value: str) -> str:
    """Of an object only its bucket is listed."""
    return value.partition("/")[0]


def _named(value: str) -> str:
    return f"{dialect.equals('value', value)} OR {dialect.equals('name', value)}"
