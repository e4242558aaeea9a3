"""What was before a finding: how often the identity behind it had been seen, with these calls, from there, with that.

Read from the hourly table `activity`, and only from hours that ended before the finding began, so what comes later
changes nothing. A finding is in `activity` with the cells of its identity, calls, addresses and hours: if none of
them succeeded, the finding did not; if one did, the finding is taken to have.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import msgspec

from trailhound.detections.findings import as_table
from trailhound.engines.duckdb import DuckDB
from trailhound.identity.habits import DIMENSIONS, KNOWN
from trailhound.identity.sessions import RANKS
from trailhound.lake.times import HOUR
from trailhound.model import Finding

Outcome = Literal["success", "attempt", "unknown"]

_ASKED, _CELLS, _NOW = "risk_findings", "risk_cells", "risk_now"
_SHOWN = ("call", "network", "country", "agent")
_BEGIN = f"(first_seen_time - (first_seen_time % {HOUR} + {HOUR}) % {HOUR})"


class Precedent(msgspec.Struct, frozen=True):
    """Days by value: on how many days before the finding its identity had shown what it shows in the finding."""

    days: int = 0  # on which the identity was seen before
    calls: Mapping[str, int] = {}
    networks: Mapping[str, int] = {}
    countries: Mapping[str, int] = {}
    agents: Mapping[str, int] = {}
    outcome: Outcome = "unknown"
    kind: str = "unknown"  # of the identity, as known by then: see `principals`
    confidence: str = ""  # of the way from the session to the identity; empty: there is no session between them


def actor(finding: Finding) -> str:
    """The identity behind a finding, as far as it is known."""
    return finding.origin_uid or finding.principal_uid


def precedents(engine: DuckDB, found: Sequence[Finding]) -> dict[str, Precedent]:
    """By uid of the finding. Reads `activity`, `principals` and `sessions`."""
    if not found:
        return {}
    engine.mount_arrow(f"{_ASKED}_rows", as_table(found))
    try:
        _prepare(engine)
        seen = {row.pop("finding"): row for row in engine.query(_OUTCOMES)}
        for row in engine.query(_HISTORY):
            seen[row["finding"]]["days"] = row["days"]
        shown: dict[str, dict[str, dict[str, int]]] = {}
        for row in engine.query(_BEFORE):
            shown.setdefault(row["finding"], {}).setdefault(row["dimension"], {})[row["value"]] = row["days"]
        for uid, values in shown.items():
            seen[uid] |= {_FIELDS[dimension]: days for dimension, days in values.items()}
        return {uid: msgspec.convert(row, Precedent) for uid, row in seen.items()}
    finally:
        for table in (_ASKED, _CELLS, _NOW):
            engine.execute(f"DROP TABLE IF EXISTS {table}")


_FIELDS = {"call": "calls", "network": "networks", "country": "countries", "agent": "agents"}


def _prepare(engine: DuckDB) -> None:
    engine.execute(
        f"CREATE OR REPLACE TEMP TABLE {_ASKED} AS SELECT uid AS finding, principal_uid AS principal, "
        f"coalesce(nullif(origin_uid, ''), principal_uid) AS actor, first_seen_time AS since, last_seen_time AS until, "
        f"{_BEGIN} AS begin, operations, src_ips FROM {_ASKED}_rows"
    )
    dimensions = ", ".join(f"{DIMENSIONS[name]} AS {name}" for name in _SHOWN)  # type: ignore[index]
    engine.execute(
        f"CREATE OR REPLACE TEMP TABLE {_CELLS} AS SELECT coalesce(origin_uid, principal_uid) AS actor, hour, event_day, "
        f"operation, ip, outcome, {dimensions} FROM activity "
        f"WHERE coalesce(origin_uid, principal_uid) IN (SELECT actor FROM {_ASKED}) GROUP BY ALL"
    )
    # Hours one by one: equality is a hash join where a range would be a nested loop.
    engine.execute(
        f"CREATE OR REPLACE TEMP TABLE {_NOW} AS "
        f"WITH hours AS (SELECT *, unnest(range(begin, until + 1, {HOUR})) AS hour FROM {_ASKED}) "
        f"SELECT hours.finding, hours.since, cells.* FROM hours JOIN {_CELLS} AS cells USING (actor, hour) "
        "WHERE list_contains(operations, operation) AND (len(src_ips) = 0 OR list_contains(src_ips, ip))"
    )


_OUTCOMES = f"""
SELECT asked.finding, coalesce(outcome, 'unknown') AS outcome, coalesce(kind, 'unknown') AS kind,
  coalesce(confidence, '') AS confidence
FROM {_ASKED} AS asked
LEFT JOIN (SELECT finding, CASE WHEN bool_or(outcome = 'success') THEN 'success'
    WHEN bool_or(outcome = 'unknown') THEN 'unknown' ELSE 'attempt' END AS outcome FROM {_NOW} GROUP BY finding) USING (finding)
ASOF LEFT JOIN {KNOWN} AS known ON known.uid = asked.actor AND known.since <= asked.since
LEFT JOIN (SELECT finding, {RANKS}[max(coalesce(list_position({RANKS}, origin_confidence), 4))] AS confidence
    FROM {_ASKED} AS a JOIN sessions AS s ON s.principal_uid = a.principal AND s.origin_uid = a.actor
      AND s.first_seen_time <= a.until AND s.last_seen_time >= a.since
    WHERE a.actor <> a.principal GROUP BY finding) USING (finding)"""

_HISTORY = f"""
SELECT finding, count(*) FILTER (hour + {HOUR} <= since) AS days FROM {_ASKED}
JOIN (SELECT actor, event_day, min(hour) AS hour FROM {_CELLS} GROUP BY ALL) USING (actor) GROUP BY finding"""

_BEFORE = f"""
WITH now AS (
  SELECT DISTINCT finding, actor, since, dimension, value FROM (UNPIVOT {_NOW} ON {", ".join(_SHOWN)} INTO NAME dimension VALUE value)
), days AS (
  SELECT actor, dimension, value, event_day, min(hour) AS hour
  FROM (UNPIVOT {_CELLS} ON {", ".join(_SHOWN)} INTO NAME dimension VALUE value) GROUP BY ALL
)
SELECT finding, dimension, value, count(*) FILTER (days.hour + {HOUR} <= since) AS days
FROM now JOIN days USING (actor, dimension, value) GROUP BY ALL"""
