"""Run baselines: every hour is judged by the hours before it, and told when it is rarer than the stated rate allows."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import groupby
from typing import Any

import msgspec

from trailhound.detections.baselines import calibration, cube, novelty, places, volume
from trailhound.detections.baselines.baseline import Baseline, Kind
from trailhound.detections.baselines.calibration import Measured
from trailhound.detections.baselines.cube import WEEK, WINDOW
from trailhound.detections.baselines.findings import EVENTS, Incident, findings
from trailhound.detections.baselines.scored import DAYS, SCORED
from trailhound.detections.rules import Rule
from trailhound.engines.duckdb import DuckDB
from trailhound.lake.times import DAY, HOUR
from trailhound.model import Finding

KINDS: dict[Kind, Callable[[DuckDB, Baseline], str]] = {
    "first_seen": novelty.first_seen,
    "rare_among_peers": novelty.rare_among_peers,
    "more_than_usual": volume.more_than_usual,
    "unusual_hour": novelty.unusual_hour,
    "impossible_travel": places.impossible_travel,
    "dormant": places.dormant,
    "two_networks": places.two_networks,
}
_NEARLY = 0.8  # as high: a level that lasts is told once, and not whenever it is a little higher


class Judged(msgspec.Struct, frozen=True, kw_only=True):
    """On what a baseline stood, and how often it fires on this log."""

    rule_uid: str
    name: str
    title: str
    actors: int
    too_new: int  # of these, without enough history to be judged on any day
    history: int  # active days (of rare_among_peers: days) that are enough
    days: int  # of log
    stated: float  # false alarms per 1,000 actor-days
    measured: Measured
    threshold: float  # of the last week


class Habits(msgspec.Struct, frozen=True):
    findings: tuple[Finding, ...]
    judged: tuple[Judged, ...]


def judge(engine: DuckDB, rules: Sequence[Rule], *, since: int | None = None, until: int | None = None) -> Habits:
    """Findings of baselines that reach into since <= time < until, from `activity`, `principals` and `events`.

    Only whole hours are judged, and all hours before them are what they are judged by, before `since` too.
    """
    found: list[Finding] = []
    told: list[Judged] = []
    try:
        cube.prepare(engine, until)
        for rule in rules:
            incidents, judged = _one(engine, rule)
            reaching = [one for one in incidents if since is None or one.hours[-1] + HOUR > since]
            found += findings(engine, rule, reaching)
            told.append(judged)
    finally:
        cube.drop(engine, (SCORED, DAYS, EVENTS, novelty.FIRSTS, volume.HOURS))
    return Habits(tuple(found), tuple(told))


def _one(engine: DuckDB, rule: Rule) -> tuple[list[Incident], Judged]:
    baseline = rule.logic
    assert isinstance(baseline, Baseline)
    _score(engine, baseline)
    peaks = [
        (row["week"], row["score"])
        for row in engine.query(f"SELECT {WEEK} AS week, max(score) AS score FROM {SCORED} GROUP BY actor, {WEEK}")
    ]
    young = baseline.kind == "rare_among_peers"
    ripe = f"history < {baseline.history}" if young else f"nth >= {baseline.history}"
    weeks = engine.query(f"SELECT {WEEK} AS week, count(*) AS n FROM {DAYS} WHERE judged AND {ripe} GROUP BY ALL")
    actor_days = {row["week"]: row["n"] for row in weeks}
    limits = calibration.thresholds(baseline, actor_days, peaks)
    fired = [
        row | {"threshold": limits[row["week"]]}
        for row in engine.query(f"SELECT *, {WEEK} AS week FROM {SCORED} ORDER BY actor, hour, value")
        if row["score"] >= limits[row["week"]]
    ]
    (counts,) = engine.query(
        f"SELECT count(*) AS actors, coalesce(sum(short::INT), 0)::BIGINT AS too_new FROM "
        f"(SELECT max(nth) < {baseline.history} AS short FROM {DAYS} GROUP BY actor)"
    )
    (log,) = engine.query(f"SELECT coalesce(max(day) - min(day) + 1, 0) AS days FROM {cube.CUBE}")
    if young:  # it is for the new; what may be too new is the log
        counts["too_new"] = counts["actors"] if log["days"] <= baseline.history else 0
    judged = Judged(
        rule_uid=rule.uid,
        name=rule.name,
        title=rule.title,
        history=baseline.history,
        stated=baseline.rate,
        measured=calibration.measure(limits, actor_days, peaks),
        threshold=limits[max(limits)] if limits else baseline.score,
        **counts,
        **log,
    )
    return list(_incidents(fired, rule.episode_ms)), judged


def _score(engine: DuckDB, baseline: Baseline) -> None:
    """The table of what is at or above the declared score on days that are judged, but for what is a habit of its actor.

    It is one when earlier days scored as high: who often does much is told when doing more than that.
    """
    share = f"(before + 0.5) / (least(coalesce(active, 0), {WINDOW}) + 1)"
    select = KINDS[baseline.kind](engine, baseline)
    engine.execute(
        f"""CREATE OR REPLACE TEMP TABLE {SCORED} AS
        WITH high AS (
          FROM (SELECT *, hour // {DAY} AS day FROM ({select}) WHERE score >= {baseline.score})
          SEMI JOIN (SELECT actor, day FROM {DAYS} WHERE judged) USING (actor, day)),
        peaks AS (SELECT actor, day, max(score) AS peak FROM high GROUP BY actor, day),
        marked AS (
          SELECT now.actor, now.day, count(earlier.day) AS before FROM peaks AS now
          LEFT JOIN peaks AS earlier ON earlier.actor = now.actor AND earlier.peak >= {_NEARLY} * now.peak
            AND earlier.day BETWEEN now.day - {WINDOW} AND now.day - 1
          GROUP BY ALL)
        SELECT high.* FROM high JOIN marked USING (actor, day)
        WHERE {share} <= {baseline.habit} OR score >= {baseline.ceiling}"""
    )


def _incidents(fired: Iterable[dict[str, Any]], episode_ms: int) -> Iterator[Incident]:
    """Hours of one actor that are no further apart than an episode, and never less than an hour, are one."""
    for actor, rows in groupby(fired, key=lambda row: row["actor"]):
        held: list[dict[str, Any]] = []
        for row in rows:
            if held and row["hour"] - held[-1]["hour"] > max(episode_ms, HOUR):
                yield Incident(actor, tuple(held))
                held = []
            held.append(row)
        yield Incident(actor, tuple(held))
