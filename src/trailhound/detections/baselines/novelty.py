"""What an actor had not done before: something new in its hands, something that no peer does, an unusual hour.

The surprise is the negative decimal logarithm of how often such a thing happens. Of an actor that meets something
new on every third day, one more new thing surprises little; so habits of every kind need no list of exceptions.
"""

from __future__ import annotations

from trailhound.detections.baselines.baseline import Baseline
from trailhound.detections.baselines.cube import HABIT, WEEKEND, rows, value
from trailhound.detections.baselines.scored import DAYS, LEARNING, columns, days, surprise
from trailhound.engines.duckdb import DuckDB
from trailhound.lake.times import DAY, HOUR

FIRSTS = "baseline_firsts"


def first_seen(engine: DuckDB, baseline: Baseline) -> str:
    """SQL of first uses, by actors that seldom use something new, of what few of their peers use."""
    _firsts(engine, baseline)
    return f"""
    WITH renewed AS (
      SELECT d.*, f.day IS NOT NULL AS new FROM {DAYS} AS d
      LEFT JOIN (SELECT DISTINCT actor, day FROM {FIRSTS}) AS f USING (actor, day)),
    learned AS (
      SELECT *, count(*) FILTER (nth >= {LEARNING}) OVER earlier AS active,
        count(*) FILTER (new AND nth >= {LEARNING}) OVER earlier AS habit
      FROM renewed WINDOW earlier AS {HABIT}),
    judged AS (
      SELECT f.actor, f.hour, f.value, f.known, f.alike, p.peers, d.active, d.habit, d.history
      FROM {FIRSTS} AS f JOIN learned AS d USING (actor, day) JOIN ({
        _peers(0)
    }) AS p ON p.actor = f.actor AND p.hour = f.hour
      WHERE d.nth >= {baseline.history})
    SELECT {
        columns(
            **{
                name: name
                for name in ("actor", "hour", "value", "known", "habit", "active", "history", "peers", "alike")
            },
            score=f"{surprise('habit', 'active')} + {surprise('alike', 'peers')}",
            seen="1",
        )
    } FROM judged"""


def rare_among_peers(engine: DuckDB, baseline: Baseline) -> str:
    """SQL of first uses, by actors without a history of their own, of what hardly any peer with a history used."""
    _firsts(engine, baseline)
    return f"""
    WITH judged AS (
      SELECT f.actor, f.hour, f.value, f.known, f.alike, p.peers, d.nth, d.history
      FROM {FIRSTS} AS f JOIN {DAYS} AS d USING (actor, day)
      JOIN ({_peers(baseline.history)}) AS p ON p.actor = f.actor AND p.hour = f.hour
      WHERE d.history < {baseline.history} AND p.peers >= {baseline.peers} AND f.alike <= p.peers)
    SELECT {
        columns(
            **{name: name for name in ("actor", "hour", "value", "known", "history", "peers", "alike")},
            active="nth",
            score=surprise("alike", "peers"),
            seen="1",
        )
    } FROM judged"""


def _firsts(engine: DuckDB, baseline: Baseline) -> None:
    """Actor and value, the hour of first use, and how many who were its peers by then had used it before that hour."""
    days(engine, baseline, f"{value(baseline)} IS NOT NULL")
    engine.execute(
        f"""CREATE OR REPLACE TEMP TABLE {FIRSTS} AS
        WITH used AS (
          SELECT actor, value, min(hour) AS hour, arg_min(day, hour) AS day
          FROM ({rows(baseline, f"{value(baseline)} AS value", where=f"{value(baseline)} IS NOT NULL")})
          GROUP BY actor, value),
        firsts AS (SELECT used.*, d.grp FROM used JOIN {DAYS} AS d USING (actor, day)),
        held AS (
          SELECT m.grp, used.value, greatest(m.since, used.hour) AS since, m.until
          FROM used JOIN ({_MEMBERS}) AS m USING (actor) WHERE coalesce(m.until > used.hour, TRUE)),
        steps AS ({_steps("held", "grp, value")}),
        alike AS ({_running("steps", "grp, value")})
        SELECT firsts.*, coalesce(alike.n, 0) AS alike,
          count(*) OVER (PARTITION BY actor ORDER BY hour RANGE BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS known
        FROM firsts LEFT JOIN alike USING (grp, value, hour)"""
    )


# Who was in which group from which hour to which; `first`: the actor's first hour of all.
_MEMBERS = f"""
SELECT actor, grp, hour AS since, lead(hour) OVER moved AS until, first FROM (
  SELECT actor, day, grp, hour, lag(grp) OVER passing AS left_grp, min(hour) OVER (PARTITION BY actor) AS first
  FROM {DAYS} WINDOW passing AS (PARTITION BY actor ORDER BY day))
WHERE left_grp IS DISTINCT FROM grp WINDOW moved AS (PARTITION BY actor ORDER BY day)"""


def _steps(held: str, by: str) -> str:
    """SQL of how the number of those who hold something changes, hour by hour."""
    return f"""
      SELECT {by}, hour, sum(step)::BIGINT AS step FROM (
        SELECT {by}, since AS hour, 1 AS step FROM {held}
        UNION ALL SELECT {by}, until, -1 FROM {held} WHERE until IS NOT NULL)
      GROUP BY ALL"""


def _running(steps: str, by: str) -> str:
    """SQL of that number before each hour."""
    return f"""
      SELECT {by}, hour, sum(step) OVER (
        PARTITION BY {by} ORDER BY hour RANGE BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS n
      FROM {steps}"""


def _peers(known_for: int) -> str:
    """SQL of actor, hour → others of its group by then that were there so many days before."""
    return f"""
    WITH members AS (SELECT *, greatest(since, first + {known_for * DAY}) AS settled FROM ({_MEMBERS})),
    held AS (SELECT grp, settled AS since, until FROM members WHERE coalesce(until > settled, TRUE)),
    moments AS (SELECT DISTINCT actor, grp, hour FROM {FIRSTS}),
    steps AS (
      FROM ({_steps("held", "grp")}) UNION ALL SELECT DISTINCT grp, hour, 0 FROM moments),
    settled AS (SELECT DISTINCT * FROM ({_running("steps", "grp")}))
    SELECT m.actor, m.hour, coalesce(s.n, 0) - coalesce(own.settled < m.hour, FALSE)::INT AS peers FROM moments AS m
    JOIN settled AS s USING (grp, hour)
    LEFT JOIN members AS own ON own.actor = m.actor AND own.since <= m.hour AND coalesce(own.until > m.hour, TRUE)"""


def unusual_hour(engine: DuckDB, baseline: Baseline) -> str:
    """SQL of hours of the day (weekdays and weekends apart) at which an actor is hardly ever active.

    Both what lies an hour around it and what lies four hours around it count: an evening that grows longer surprises
    less than a night.
    """
    days(engine, baseline)
    return f"""
    WITH hours AS (
      SELECT DISTINCT actor, day, hour, CAST((hour // {HOUR}) % 24 AS INTEGER) AS clock, {WEEKEND} AS weekend
      FROM ({rows(baseline)})),
    near AS ({_around(1)}), wide AS ({_around(4)})
    SELECT {
        columns(
            actor="h.actor",
            hour="h.hour",
            value="printf('%02d:00 UTC on a %s', h.clock, CASE WHEN h.weekend THEN 'weekend' ELSE 'weekday' END)",
            score=f"{surprise('near.habit', 'd.nth')} + {surprise('wide.habit', 'd.nth')}",
            seen="1",
            habit="near.habit",
            active="d.nth",
            history="d.history",
        )
    } FROM hours AS h JOIN near USING (actor, day, weekend, clock) JOIN wide USING (actor, day, weekend, clock)
    JOIN {DAYS} AS d USING (actor, day) WHERE d.nth >= {baseline.history}"""


def _around(reach: int) -> str:
    """SQL of actor, day, hour of the day → on how many earlier days it was active so many hours around it."""
    beside = ", ".join(f"({n})" for n in range(-reach, reach + 1))
    return f"""
      SELECT *, row_number() OVER (PARTITION BY actor, weekend, clock ORDER BY day) - 1 AS habit FROM (
        SELECT DISTINCT actor, day, weekend, (clock + beside + 24) % 24 AS clock
        FROM hours, (VALUES {beside}) AS v(beside))"""
