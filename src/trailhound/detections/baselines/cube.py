"""What baselines read: `activity` and `principals`, with the actor of each row, as temporary tables of the engine.

A call that a service made on somebody's behalf is not that one's habit, and the address of a service is no place:
neither is part of it. Of what kind an actor is, and whose peer, is what the days before its hour tell.
"""

from __future__ import annotations

from collections.abc import Iterable

from trailhound.detections.baselines.baseline import Actor, Baseline
from trailhound.engines import dialect
from trailhound.engines.duckdb import DuckDB
from trailhound.identity.habits import KNOWN
from trailhound.lake.times import DAY, HOUR

# SQL over the number of a day. Mondays begin a week: day 0 was a Thursday.
WEEK, WEEKEND = "(day + 3) // 7", "(day + 3) % 7 >= 5"
CUBE, PLACES = "baseline_cube", "baseline_places"
WINDOW = 90  # days that a habit is learned from

# What is there for an actor: its column, its kind and its peers.
_ACTORS: dict[Actor, tuple[str, str, str]] = {
    "principal": ("principal", "kind", "grp"),
    "origin": ("origin", "origin_kind", "origin_grp"),
    "family": ("family", "kind", "grp"),
    "account": ("account", "kind", "''"),
}
_PUBLIC = "coalesce(contains(a.network, '/'), FALSE)"
_COLUMNS = {
    "call": "CASE WHEN service IS NULL THEN operation ELSE service || ':' || operation END",
    "service": "service",
    "region": "region",
    "ip": "ip",
    "network": "network",
    "country": "country",
    "agent": "agent",
    "principal": "principal",
}
_NO_CLIENTS = "('none', 'other', 'service')"  # families of agents that tell nothing of a client


def prepare(engine: DuckDB, until: int | None) -> None:
    """The rows of whole hours that end by `until`."""
    whole = "" if until is None else f"AND a.hour + {HOUR} <= {dialect.literal(until)}"
    engine.execute(
        f"""CREATE OR REPLACE TEMP TABLE {CUBE} AS
        SELECT a.hour, a.hour // {DAY} AS day, a.account_uid AS account, a.principal_uid AS principal,
          coalesce(a.origin_uid, a.principal_uid) AS origin, coalesce(a.family, a.principal_uid) AS family,
          coalesce(p.kind, 'unknown') AS kind, coalesce(o.kind, p.kind, 'unknown') AS origin_kind,
          coalesce(p.peers, a.account_uid, '') AS grp, coalesce(o.peers, a.account_uid, '') AS origin_grp,
          a.service, a.operation, a.region, a.outcome = 'denied' AS denied, coalesce(a.read_only, FALSE) AS read_only,
          CASE WHEN {_PUBLIC} THEN a.ip END AS ip, CASE WHEN {_PUBLIC} THEN a.network END AS network,
          CASE WHEN {_PUBLIC} THEN a.country END AS country,
          CASE WHEN a.agent NOT IN {_NO_CLIENTS} THEN a.agent END AS agent,
          a.ip AS address, a.events, coalesce(a.resources, 0) AS resources, coalesce(a.bytes_out, 0) AS bytes_out,
          a.first_time, a.last_time
        FROM activity AS a
        ASOF LEFT JOIN {KNOWN} AS p ON p.uid = a.principal_uid AND p.since <= a.hour
        ASOF LEFT JOIN {KNOWN} AS o ON o.uid = a.origin_uid AND o.since <= a.hour
        WHERE a.principal_uid IS NOT NULL AND a.invoked_by IS NULL
          AND coalesce(a.principal_type, '') <> 'AWSService' AND coalesce(p.kind, '') <> 'service' {whole}"""
    )


def rows(baseline: Baseline, *columns: str, where: str = "TRUE") -> str:
    """SQL of the rows that a baseline is about: actor, grp, hour, day, and the columns asked for.

    An actor that was of a kind asked for at some time is there with all its days: see `judged`.
    """
    actor, kind, group = _ACTORS[baseline.actor]
    wanted = [f"{actor} AS actor", f"{group} AS grp", "hour", "day", *columns]
    conditions = [f"{actor} IS NOT NULL", where]
    if baseline.kinds:
        of_kind = dialect.one_of(kind, baseline.kinds)
        conditions.append(f"{actor} IN (SELECT {actor} FROM {CUBE} WHERE {of_kind})")
    if baseline.changes_only:
        conditions.append("NOT read_only")
    return f"SELECT {', '.join(wanted)} FROM {CUBE} WHERE {' AND '.join(conditions)}"


def judged(baseline: Baseline) -> str:
    """SQL over the cube: is the row's actor, as far as it is known by then, of a kind that the baseline judges?"""
    return dialect.one_of(_ACTORS[baseline.actor][1], baseline.kinds) if baseline.kinds else "TRUE"


def value(baseline: Baseline) -> str:
    """SQL of the thing that is used, over the cube."""
    return _COLUMNS[baseline.measure or ""]


HABIT = f"(PARTITION BY actor ORDER BY day RANGE BETWEEN {WINDOW} PRECEDING AND 1 PRECEDING)"  # earlier active days


def drop(engine: DuckDB, tables: Iterable[str]) -> None:
    for table in (CUBE, PLACES, *tables):
        engine.execute(f"DROP TABLE IF EXISTS {dialect.identifier(table)}")
