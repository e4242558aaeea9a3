"""More than usual: calls, denials, bytes or resources in an hour, against the actor's own active hours.

Usual is the median of the eight weeks before the one at hand, drawn towards the median of the same hour of the day (weekdays and
weekends apart) as far as that has been seen; the spread is the median absolute deviation of the logarithms, from the
median of their own week, so that a level which rises slowly does not look like a wide spread. A median
moves only when half of the hours have moved, so neither one wild day nor a week of an attacker's work shifts it, as a
mean and a fitted dispersion would. The distance is counted in the unit of spread after the transformation that makes
the variance of a negative binomial constant (Anscombe 1948): like a square root for small numbers, where chance
rules as in a Poisson process, like a logarithm for large ones, where people differ by factors.
"""

from __future__ import annotations

import math

from trailhound.detections.baselines.baseline import Baseline
from trailhound.detections.baselines.cube import WEEK, WEEKEND, rows
from trailhound.detections.baselines.scored import DAYS, columns, days
from trailhound.engines.duckdb import DuckDB
from trailhound.lake.times import HOUR

HOURS = "baseline_hours"
_MEASURED = {
    "calls": "sum(events)", "denials": "sum(CASE WHEN denied THEN events ELSE 0 END)", "bytes_out": "sum(bytes_out)",
    "resources": "sum(resources)",
}  # fmt: skip
_WEEKS = 8
_SLOT = 3  # hours of the slot that weigh as much as all the others together
_FULL_WEEK = 8  # active hours from which on a week has a middle of its own
_LEAST_SPREAD = 0.25  # of logarithms: nobody is that regular
_USUAL = 2  # units of spread that are called usual


def more_than_usual(engine: DuckDB, baseline: Baseline) -> str:
    """SQL of hours that hold at least `least`, against the eight weeks before their own."""
    days(engine, baseline)
    measured = f"CAST({_MEASURED[baseline.measure or '']} AS DOUBLE)"
    read = ("events", "denied", "bytes_out", "resources")
    engine.execute(
        f"""CREATE OR REPLACE TEMP TABLE {HOURS} AS
        SELECT actor, day, hour, {measured} AS seen, ln(1 + {measured}) AS size, {WEEK} AS week,
          (hour // {HOUR}) % 24 + CASE WHEN {WEEKEND} THEN 24 ELSE 0 END AS slot
        FROM ({rows(baseline, *read)}) GROUP BY actor, day, hour"""
    )
    engine.execute(
        f"""CREATE OR REPLACE TEMP TABLE {HOURS} AS
        SELECT h.*, CASE WHEN m.hours >= {_FULL_WEEK} THEN abs(size - m.middle) END AS apart FROM {HOURS} AS h
        JOIN (SELECT actor, week, median(size) AS middle, count(*) AS hours FROM {HOURS} GROUP BY ALL) AS m
          USING (actor, week)"""
    )
    before = f"h.actor = w.actor AND h.week BETWEEN w.week - {_WEEKS} AND w.week - 1"
    return f"""
    WITH worth AS (SELECT * FROM {HOURS} WHERE seen >= {baseline.least}),
    every AS (
      SELECT w.actor, w.week, median(h.size) AS whole, coalesce(median(h.apart), mad(h.size)) AS deviation
      FROM (SELECT DISTINCT actor, week FROM worth) AS w JOIN {HOURS} AS h ON {before} GROUP BY ALL),
    same AS (
      SELECT w.actor, w.week, w.slot, median(h.size) AS slotted, count(*) AS slots
      FROM (SELECT DISTINCT actor, week, slot FROM worth) AS w JOIN {HOURS} AS h ON {before} AND h.slot = w.slot
      GROUP BY ALL),
    placed AS (
      SELECT w.*, greatest(1.4826 * deviation, {_LEAST_SPREAD}) AS spread,
        exp((coalesce(slots * slotted, 0) + {_SLOT} * whole) / (coalesce(slots, 0) + {_SLOT})) - 1 AS middle
      FROM worth AS w JOIN every USING (actor, week) LEFT JOIN same USING (actor, week, slot)),
    judged AS (
      SELECT p.*, d.nth AS active, d.history, {_distance("seen")} - {_distance("middle")} AS score
      FROM placed AS p JOIN {DAYS} AS d USING (actor, day) WHERE d.nth >= {baseline.history})
    SELECT {
        columns(
            **{name: name for name in ("actor", "hour", "score", "seen", "active", "history", "middle", "spread")},
            low=_back(f"greatest({_distance('middle')} - {_USUAL}, 0)"),
            high=_back(f"{_distance('middle')} + {_USUAL}"),
        )
    } FROM judged"""


def _distance(number: str) -> str:
    return f"2 / spread * asinh(spread * sqrt({number} + 0.375))"


def _back(distance: str) -> str:
    """The number that lies so far from zero."""
    return f"greatest(pow(sinh(({distance}) * spread / 2) / spread, 2) - 0.375, 0)"


def score(seen: float, middle: float, spread: float) -> float:
    """Units of spread between a number and the usual one."""

    def distance(number: float) -> float:
        return 2 / spread * math.asinh(spread * math.sqrt(number + 0.375))

    return distance(seen) - distance(middle)
