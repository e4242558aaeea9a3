"""Where an actor is: two countries with too little time between, one credential on two networks, and long silence."""

from __future__ import annotations

from trailhound.detections.baselines.baseline import Baseline
from trailhound.detections.baselines.cube import CUBE, HABIT, PLACES, rows
from trailhound.detections.baselines.scored import DAYS, LEARNING, columns, days, surprise
from trailhound.engines import dialect
from trailhound.engines.duckdb import DuckDB
from trailhound.lake.times import DAY, HOUR
from trailhound.vocab import tsv

_JET = 1000  # km/h; no scheduled flight is faster from door to door
_INSTANTLY = 10  # times as fast as that: how much faster tells nothing more
_AT_ONCE = HOUR // 60  # milliseconds; clocks and caches make less of a gap meaningless
_EARTH = 6371  # km


def impossible_travel(engine: DuckDB, baseline: Baseline) -> str:
    """SQL of changes of country faster than any flight; the score is how many times as fast.

    The distance is the least between the circles in which the people of two countries live: a bound from below.
    """
    days(engine, baseline)
    _places(engine)
    return f"""
    WITH stays AS (
      SELECT actor, hour, day, country, min(first_time) AS came, max(last_time) AS went
      FROM ({rows(baseline, "country", "first_time", "last_time", where="country IS NOT NULL")})
      GROUP BY actor, hour, day, country),
    before AS (
      SELECT *, lag(country) OVER earlier AS left_country, lag(went) OVER earlier AS left_at
      FROM stays WINDOW earlier AS (PARTITION BY actor ORDER BY came, country)),
    changes AS (SELECT *, greatest(came - left_at, {_AT_ONCE}) AS gap FROM before WHERE left_country <> country),
    trips AS (
      SELECT c.*, {_distance("a", "b")} AS km FROM changes AS c
      JOIN {PLACES} AS a ON a.country = c.left_country JOIN {PLACES} AS b ON b.country = c.country)
    SELECT {
        columns(
            actor="t.actor",
            hour="t.hour",
            since=f"left_at - left_at % {HOUR}",
            value="printf('%s and %s, at least %d km apart, within %d min', "
            "left_country, t.country, CAST(km AS BIGINT), CAST(ceil(gap / 60000.0) AS BIGINT))",
            score=f"least(km / (gap / {HOUR}.0) / {_JET}, {_INSTANTLY})",
            seen="1",
            active="d.nth",
            history="d.history",
        )
    } FROM trips AS t JOIN {DAYS} AS d USING (actor, day) WHERE d.nth >= {baseline.history} AND km > 0"""


def _places(engine: DuckDB) -> None:
    listed = ", ".join(f"({dialect.literal(row[0])}, {', '.join(row[1:])})" for row in tsv.rows("countries"))
    engine.execute(f"CREATE OR REPLACE TEMP TABLE {PLACES} AS FROM (VALUES {listed}) AS v(country, lat, lon, radius)")


def _distance(one: str, other: str) -> str:
    """SQL of kilometres between two circles on the globe (haversine), 0 where they meet."""
    chord = (
        f"pow(sin(radians({other}.lat - {one}.lat) / 2), 2) + cos(radians({one}.lat)) * cos(radians({other}.lat)) "
        f"* pow(sin(radians({other}.lon - {one}.lon) / 2), 2)"
    )
    return f"greatest({2 * _EARTH} * asin(least(sqrt({chord}), 1)) - {one}.radius - {other}.radius, 0)"


def two_networks(engine: DuckDB, baseline: Baseline) -> str:
    """SQL of hours in which an actor's calls from one network began before those from another had ended."""
    days(engine, baseline, "network IS NOT NULL")
    return f"""
    WITH used AS ({rows(baseline, "network", "first_time", "last_time", where="network IS NOT NULL")}),
    several AS (SELECT actor, hour FROM used GROUP BY actor, hour HAVING min(network) <> max(network)),
    stays AS (
      SELECT actor, day, hour, network, min(first_time) AS came, max(last_time) AS went
      FROM used SEMI JOIN several USING (actor, hour) GROUP BY actor, day, hour, network),
    before AS (
      SELECT *, max(went) OVER (
        PARTITION BY actor, hour ORDER BY came, network ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS others
      FROM stays),
    at_once AS (SELECT DISTINCT actor, day, hour FROM before WHERE came <= others),
    named AS (SELECT actor, hour, count(*) AS seen, string_agg(network, ', ' ORDER BY network) AS networks
      FROM stays JOIN at_once USING (actor, hour) GROUP BY actor, hour),
    learned AS (
      SELECT d.*, count(*) FILTER (nth >= {LEARNING}) OVER earlier AS active,
        count(a.day) FILTER (nth >= {LEARNING}) OVER earlier AS habit
      FROM {DAYS} AS d LEFT JOIN (SELECT DISTINCT actor, day FROM at_once) AS a USING (actor, day)
      WINDOW earlier AS {HABIT})
    SELECT {
        columns(
            actor="n.actor",
            hour="n.hour",
            value="n.networks",
            score=surprise("d.habit", "d.active"),
            seen="n.seen",
            habit="d.habit",
            active="d.active",
            history="d.history",
        )
    } FROM named AS n JOIN {DAYS} AS own ON own.actor = n.actor AND own.day = n.hour // {DAY}
    JOIN learned AS d ON d.actor = own.actor AND d.day = own.day WHERE d.nth >= {baseline.history}"""


def dormant(engine: DuckDB, baseline: Baseline) -> str:
    """SQL of returns after a silence longer than any before; only days on which its account's log holds something are counted."""
    days(engine, baseline)
    return f"""
    WITH homes AS (SELECT actor, min(account) AS account FROM ({rows(baseline, "account")}) GROUP BY actor),
    logged AS (
      SELECT account, day, row_number() OVER (PARTITION BY account ORDER BY day) AS number
      FROM (SELECT account, day FROM {CUBE} GROUP BY ALL)),
    numbered AS (
      SELECT d.*, max(l.number) AS number FROM {DAYS} AS d JOIN homes USING (actor)
      JOIN logged AS l ON l.account = homes.account AND l.day <= d.day GROUP BY ALL),
    silences AS (
      SELECT *, number - lag(number) OVER (PARTITION BY actor ORDER BY day) - 1 AS silent FROM numbered),
    learned AS (
      SELECT *, max(silent) OVER (PARTITION BY actor ORDER BY day ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)
        AS longest FROM silences)
    SELECT {
        columns(
            actor="actor",
            hour="hour",
            score="silent / greatest(coalesce(longest, 0), 1.0)",
            seen="silent",
            low="0",
            high="coalesce(longest, 0)",
            active="nth",
            history="history",
        )
    } FROM learned WHERE nth >= {baseline.history} AND silent >= {baseline.least}"""
