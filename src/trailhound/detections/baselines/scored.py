"""The shape in which every kind hands over what it found: one row per actor, hour and value, with its score."""

from __future__ import annotations

from trailhound.detections.baselines.baseline import Baseline
from trailhound.detections.baselines.cube import judged, rows
from trailhound.engines.duckdb import DuckDB

# What a kind has no use for is NULL.
COLUMNS = {
    "actor": "VARCHAR",
    "hour": "BIGINT",
    "since": "BIGINT",  # hour from which on its evidence is to be looked for; NULL: the hour itself
    "value": "VARCHAR",  # what was seen: a country, a call; of kinds that count nothing but numbers NULL
    "score": "DOUBLE",
    "seen": "DOUBLE",
    "low": "DOUBLE",  # of what was expected
    "high": "DOUBLE",
    "known": "BIGINT",  # values that the actor had used before
    "habit": "BIGINT",  # of its active days, those on which the same happened
    "active": "BIGINT",  # active days it was learned from
    "history": "BIGINT",  # days since its first
    "peers": "BIGINT",
    "alike": "BIGINT",
    "middle": "DOUBLE",  # of what is usual, and
    "spread": "DOUBLE",  # how far it spreads: see `volume`
}
SCORED, DAYS = "baseline_scored", "baseline_days"
LEARNING = 5  # active days: on an actor's first days all is new


def surprise(happened: str, of: str) -> str:
    """SQL of how much it surprises that something happens, which did so many times of so many: 2 is one in a hundred."""
    return f"-log10(({happened} + 0.5) / ({of} + 1))"


def days(engine: DuckDB, baseline: Baseline, where: str = "TRUE") -> None:
    """The table of an actor's active days, each with how many came before: `nth`, and how many since the first.

    `judged`: was it known by then to be of a kind that the baseline is about?
    """
    engine.execute(
        f"""CREATE OR REPLACE TEMP TABLE {DAYS} AS
        SELECT actor, day, min(grp) AS grp, min(hour) AS hour, bool_or(judged) AS judged,
          row_number() OVER (PARTITION BY actor ORDER BY day) - 1 AS nth,
          day - min(day) OVER (PARTITION BY actor) AS history
        FROM ({rows(baseline, f"{judged(baseline)} AS judged", where=where)}) GROUP BY actor, day"""
    )


def columns(**given: str) -> str:
    """SQL of all columns, from expressions for some of them."""
    assert given.keys() <= COLUMNS.keys()
    return ", ".join(f"CAST({given.get(name, 'NULL')} AS {kind}) AS {name}" for name, kind in COLUMNS.items())
