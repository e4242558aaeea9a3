"""What is usual for an actor, as of a time: read from `activity` alone, and only from hours that ended before.

So a question about Tuesday sees what was before Tuesday, and what comes later never changes its answer. The
SQL of what an actor is and of what can be seen of it (`ACTORS`, `DIMENSIONS`, `HOUR_OF_WEEK`, `BEFORE`) is
over the table, for whoever asks of all actors at once.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Literal, NamedTuple

import msgspec

from trailhound.engines.duckdb import DuckDB
from trailhound.identity.zones import Zone, zone
from trailhound.lake.times import HOUR

By = Literal["principal", "origin", "family", "account"]
Dimension = Literal["call", "service", "address", "network", "country", "agent", "region", "role"]

WEEK = 168  # hours

# SQL over `activity`: who is one actor.
ACTORS: Mapping[str, str] = MappingProxyType(
    {"principal": "principal_uid", "origin": "origin_uid", "family": "family", "account": "account_uid"}
)
# A service that calls on somebody's behalf, and AWS within itself, are not places.
PLACED = "(invoked_by IS NULL AND network NOT IN ('aws service', 'AWS Internal', 'other', 'none'))"
# SQL over `activity`: what can be seen of an actor; NULL where the cell shows nothing of the kind.
DIMENSIONS: Mapping[str, str] = MappingProxyType(
    {
        "call": "coalesce(replace(service, '.amazonaws.com', ''), '') || ':' || operation",
        "service": "service",
        "address": f"CASE WHEN {PLACED} THEN ip END",
        "network": f"CASE WHEN {PLACED} THEN network END",
        "country": f"CASE WHEN {PLACED} THEN country END",
        "agent": "CASE WHEN invoked_by IS NULL THEN agent END",
        "region": "region",
        "role": "CASE WHEN principal_uid <> origin_uid THEN principal_uid END",
    }
)
# SQL over `activity`: 0 to 23, UTC; and 0 to 167, from Monday 00:00 UTC. The first of January 1970 was a Thursday.
HOUR_OF_DAY = f"(hour // {HOUR} % 24 + 24) % 24"
HOUR_OF_WEEK = f"((hour // {HOUR} + 72) % {WEEK} + {WEEK}) % {WEEK}"
# SQL over `activity`: the hour had ended by `$at`, epoch milliseconds.
BEFORE = f"hour + {HOUR} <= $at"
# SQL over `activity`: what an actor must have in common with its peers besides the account.
SORT = "coalesce(principal_type, '') || coalesce(regexp_extract(issuer_uid, ':role(/.+/)[^/]+$', 1), '')"


class Actor(NamedTuple):
    by: By
    uid: str


class Record(msgspec.Struct, frozen=True):
    """All that an actor did."""

    first_time: int
    last_time: int
    days: int  # with calls
    hours: int  # with calls
    events: int
    denied: int
    failed: int  # for another reason
    bytes_out: int


class Seen(msgspec.Struct, frozen=True):
    """One value that was seen of an actor."""

    value: str
    first_time: int
    last_time: int
    days: int
    events: int


class Rhythm(msgspec.Struct, frozen=True):
    """168 numbers each, by hour of the week from Monday 00:00 UTC."""

    weeks: int  # with calls; weeks begin on Monday
    calls: tuple[int, ...]
    active: tuple[int, ...]  # in how many weeks there were calls in that hour
    bytes_out: tuple[int, ...]
    every: float | None  # cadence: median hours from one hour with calls to the next


class Rarity(msgspec.Struct, frozen=True):
    own: int  # calls of the actor that show the value
    peers: int
    peers_having: int  # that show it, too


def record(engine: DuckDB, actor: Actor, at: int) -> Record | None:
    """None when the actor was not seen before `at`, epoch milliseconds."""
    rows = engine.query(
        "SELECT min(first_time) AS first_time, max(last_time) AS last_time, count(DISTINCT event_day) AS days, "
        "count(DISTINCT hour) AS hours, sum(events)::BIGINT AS events, "
        "coalesce(sum(events) FILTER (outcome = 'denied'), 0)::BIGINT AS denied, "
        "coalesce(sum(events) FILTER (outcome = 'failure'), 0)::BIGINT AS failed, sum(bytes_out) AS bytes_out "
        f"FROM activity WHERE {_of(actor)} HAVING count(*) > 0",
        _bound(actor, at),
    )
    return msgspec.convert(rows[0], Record) if rows else None


def seen(engine: DuckDB, actor: Actor, at: int, dimension: Dimension) -> list[Seen]:
    """Every value that was seen of the actor before `at`, the earliest first."""
    rows = engine.query(
        f"SELECT {DIMENSIONS[dimension]} AS value, min(first_time) AS first_time, max(last_time) AS last_time, "
        "count(DISTINCT event_day) AS days, sum(events)::BIGINT AS events "
        f"FROM activity WHERE {_of(actor)} GROUP BY value HAVING value IS NOT NULL ORDER BY first_time, value",
        _bound(actor, at),
    )
    return msgspec.convert(rows, list[Seen])


def rhythm(engine: DuckDB, actor: Actor, at: int) -> Rhythm:
    """Hours and cadence before `at`; all zero when the actor was not seen."""
    rows = engine.query(
        f"WITH hours AS (SELECT hour, {HOUR_OF_WEEK} AS place, week, sum(events) AS calls, sum(bytes_out) AS bytes_out "
        f"FROM activity WHERE {_of(actor)} GROUP BY ALL), "
        f"gaps AS (SELECT *, (hour - lag(hour) OVER (ORDER BY hour)) / {HOUR} AS gap FROM hours) "
        "SELECT place, sum(calls)::BIGINT AS calls, count(*) AS active, sum(bytes_out)::HUGEINT AS bytes_out, "
        "(SELECT count(DISTINCT week) FROM hours) AS weeks, (SELECT median(gap) FROM gaps) AS every "
        "FROM gaps GROUP BY place",
        _bound(actor, at),
    )
    by_place = {row["place"]: row for row in rows}
    series = {
        name: tuple(int(by_place[place][name]) if place in by_place else 0 for place in range(WEEK))
        for name in ("calls", "active", "bytes_out")
    }
    any_row = rows[0] if rows else {"weeks": 0, "every": None}
    return Rhythm(weeks=any_row["weeks"], every=any_row["every"], **series)


def rarity(engine: DuckDB, actor: Actor, at: int, dimension: Dimension, value: str) -> Rarity:
    """How many peers show `value`, before `at`.

    Peers are the other actors of the same account and sort (type of identity, path of the role) that used at
    least half of the services that the actor used; who that is, is decided by the same hours.
    """
    who = ACTORS[actor.by]
    rows = engine.query(
        f"WITH cells AS (SELECT {who} AS actor, coalesce(account_uid, '') AS account, principal_type, issuer_uid, service, "
        f"coalesce(sum(events) FILTER ({DIMENSIONS[dimension]} = $value), 0)::BIGINT AS showing "
        f"FROM activity WHERE {BEFORE} AND {who} IS NOT NULL GROUP BY ALL), "
        f"past AS MATERIALIZED (SELECT actor, account, {SORT} AS sort, service, showing FROM cells), "
        "own AS (SELECT * FROM past WHERE actor = $actor), "
        "used AS (SELECT DISTINCT service FROM own WHERE service IS NOT NULL), "
        "kin AS (SELECT DISTINCT account, sort FROM own), "
        "peers AS (SELECT actor FROM past JOIN kin USING (account, sort) WHERE actor <> $actor GROUP BY actor "
        "HAVING 2 * count(DISTINCT service) FILTER (service IN (SELECT service FROM used)) >= (SELECT count(*) FROM used)) "
        "SELECT (SELECT coalesce(sum(showing), 0) FROM own)::BIGINT AS own, (SELECT count(*) FROM peers) AS peers, "
        "(SELECT count(DISTINCT actor) FROM past SEMI JOIN peers USING (actor) WHERE showing > 0) AS peers_having",
        {**_bound(actor, at), "value": value},
    )
    return msgspec.convert(rows[0], Rarity)


def usual_zone(engine: DuckDB, actor: Actor, at: int) -> Zone | None:
    """The time zone that the hours before `at` speak for; None where they are not clear. Of people only."""
    rows = engine.query(
        f"SELECT {HOUR_OF_DAY} AS place, count(DISTINCT event_day) AS active, "
        f"(SELECT count(DISTINCT event_day) FROM activity WHERE {_of(actor)}) AS days "
        f"FROM activity WHERE {_of(actor)} GROUP BY place",
        _bound(actor, at),
    )
    active = {row["place"]: row["active"] for row in rows}
    return zone([active.get(hour, 0) for hour in range(24)], rows[0]["days"] if rows else 0)


def _of(actor: Actor) -> str:
    return f"{ACTORS[actor.by]} = $actor AND {BEFORE}"


def _bound(actor: Actor, at: int) -> dict[str, Any]:
    return {"actor": actor.uid, "at": at}
