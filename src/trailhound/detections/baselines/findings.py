"""Incidents → `model.Finding`: the events behind the hours, and one line that says what is not normal about them."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from typing import Any, NamedTuple

from trailhound.detections import findings as lines
from trailhound.detections.baselines import volume
from trailhound.detections.baselines.baseline import DIMENSIONS, Baseline, words
from trailhound.detections.baselines.cube import rows, value
from trailhound.detections.rules import Rule
from trailhound.engines import dialect
from trailhound.engines.duckdb import DuckDB, Rows
from trailhound.lake.times import DAY
from trailhound.model import Analysis, Finding, Resource

EVENTS = "baseline_events"

_MOST_EVENTS = 1_000  # that a finding names; `count` says how many there were of what was counted
_MOST_LOOKED_AT = 50_000  # events of one finding
_NAME = re.compile(r"\{([^{}]*)\}")
_KEYS = {  # of a row of the cube → of the event
    "operation": "api.operation", "service": "api.service.name", "account": "cloud.account.uid",
    "region": "cloud.region",
}  # fmt: skip


class Incident(NamedTuple):
    """Rows of `scored.COLUMNS`, each with its threshold, of one actor, by hour."""

    actor: str
    rows: tuple[dict[str, Any], ...]

    @property
    def hours(self) -> list[int]:
        return [row["hour"] for row in self.rows]

    @property
    def highest(self) -> dict[str, Any]:
        return max(self.rows, key=lambda row: (row["score"], -row["hour"]))


def findings(engine: DuckDB, rule: Rule, incidents: Sequence[Incident]) -> list[Finding]:
    """Findings of one baseline; what the events themselves do not bear out is left out."""
    baseline = rule.logic
    assert isinstance(baseline, Baseline)
    if not incidents:
        return []
    _events(engine, baseline, incidents)
    if baseline.kind == "two_networks":
        borne_out = _of_one_credential(engine)
        incidents = [one if number in borne_out else Incident(one.actor, ()) for number, one in enumerate(incidents)]
    elif baseline.measure == "resources":
        distinct = _distinct_resources(engine)
        incidents = [_recounted(one, number, distinct) for number, one in enumerate(incidents)]
    facts = _facts(engine)
    return [_finding(rule, baseline, one, facts.get(number, {})) for number, one in enumerate(incidents) if one.rows]


def _events(engine: DuckDB, baseline: Baseline, incidents: Sequence[Incident]) -> None:
    """The events of the rows of the cube that fired, by the number of their finding."""
    fired = ", ".join(
        f"({number}, {dialect.literal(one.actor)}, {row['hour']}, "
        f"{row['since'] if row['since'] is not None else row['hour']}, {dialect.literal(row['value'])})"
        for number, one in enumerate(incidents)
        for row in one.rows
    )
    used = baseline.measure in DIMENSIONS
    named = f"{value(baseline)} AS value" if used else "NULL AS value"
    where = {"denials": "denied", "bytes_out": "bytes_out > 0"}.get(baseline.measure or "", "TRUE")
    where = {"impossible_travel": "country IS NOT NULL", "two_networks": "network IS NOT NULL"}.get(
        baseline.kind, where
    )
    cells = rows(baseline, named, "principal", *_KEYS, "address", "network", "first_time", "last_time", where=where)
    # Plain equality with who did it, which is always known, lets the engine skip what is of nobody concerned.
    keys = " AND ".join(
        f"coalesce({dialect.column(path)}, '') = coalesce(c.{name}, '')" for name, path in _KEYS.items()
    )
    engine.execute(
        f"""CREATE OR REPLACE TEMP TABLE {EVENTS} AS
        WITH fired AS (FROM (VALUES {fired}) AS v(finding, actor, hour, since, value)),
        cells AS (
          SELECT DISTINCT f.finding, c.* EXCLUDE (value) FROM fired AS f JOIN ({cells}) AS c ON c.actor = f.actor
            AND c.hour BETWEEN f.since AND f.hour {"AND c.value = f.value" if used else ""})
        SELECT c.finding, c.hour, c.network, e.time, e.metadata.uid AS uid, e.principal_uid AS principal,
          e.cloud.account.uid AS account, e.cloud.region AS region, e.src_endpoint.ip AS ip,
          e.api.operation AS operation, e.actor.user.credential_uid AS credential, e.resources
        FROM (SELECT * FROM events WHERE event_day IN ({_days(incidents)})) AS e JOIN cells AS c
          ON e.principal_uid = c.principal AND {keys} AND coalesce(e.src_endpoint.ip, e.src_endpoint.domain, '') = coalesce(c.address, '')
          AND e.time BETWEEN c.first_time AND c.last_time
        QUALIFY row_number() OVER (PARTITION BY c.finding ORDER BY e.time, e.metadata.uid) <= {_MOST_LOOKED_AT}"""
    )


def _days(incidents: Sequence[Incident]) -> str:
    ends = {
        (row["since"] if row["since"] is not None else row["hour"], row["hour"])
        for one in incidents
        for row in one.rows
    }
    days = {day for begin, end in ends for day in range(begin // DAY, end // DAY + 1)}
    return ", ".join(f"strftime(make_timestamp_ms({day * DAY}), '%Y-%m-%d')" for day in sorted(days))


def _of_one_credential(engine: DuckDB) -> set[int]:
    """Findings in which one credential, and not two of one actor, was on two networks at once."""
    return {
        row["finding"]
        for row in engine.query(
            f"""WITH stays AS (
              SELECT finding, hour, credential, network, min(time) AS came, max(time) AS went FROM {EVENTS}
              WHERE credential IS NOT NULL GROUP BY ALL)
            SELECT DISTINCT finding FROM (SELECT *, max(went) OVER (
              PARTITION BY finding, hour, credential ORDER BY came, network
              ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS others FROM stays) WHERE came <= others"""
        )
    }


def _distinct_resources(engine: DuckDB) -> dict[tuple[int, int], int]:
    counted = engine.query(
        f"SELECT finding, hour, count(DISTINCT item.uid) AS n FROM {EVENTS}, {dialect.unnest('resources', 'r')} "
        "GROUP BY finding, hour"
    )
    return {(row["finding"], row["hour"]): row["n"] for row in counted}


def _recounted(incident: Incident, number: int, distinct: dict[tuple[int, int], int]) -> Incident:
    """The cube counts a resource as often as it is named: hours that are too many by distinct ones, too."""
    recounted = [row | {"seen": distinct.get((number, row["hour"]), 0)} for row in incident.rows]
    scored = [row | {"score": volume.score(row["seen"], row["middle"], row["spread"])} for row in recounted]
    return Incident(incident.actor, tuple(row for row in scored if row["score"] >= row["threshold"]))


def _facts(engine: DuckDB) -> dict[int, dict[str, Any]]:
    """By finding, what its events are and name."""
    listed = ", ".join(
        f"list(DISTINCT {name} ORDER BY {name}) FILTER ({name} IS NOT NULL) AS {name}s"
        for name in ("region", "ip", "operation")
    )
    found: Rows = engine.query(
        f"""SELECT finding, {listed}, mode(principal ORDER BY principal) AS principal,
          mode(account ORDER BY account) AS account, min(time) AS first, max(time) AS last,
          list(uid ORDER BY time, uid)[:{_MOST_EVENTS}] AS uids,
          list(resources ORDER BY time, uid)[:{_MOST_EVENTS}] AS resources
        FROM {EVENTS} GROUP BY finding"""
    )
    return {row["finding"]: row for row in found}


def _finding(rule: Rule, baseline: Baseline, incident: Incident, facts: dict[str, Any]) -> Finding:
    analysis = _analysis(baseline, incident)
    principal = facts.get("principal") or (incident.actor if baseline.actor != "account" else "")
    count = _count(baseline, incident)
    named = {"count": f"{count:,}", "actor": lines.plain(lines.principal_name(incident.actor)), **_told(analysis)}
    return Finding(
        uid=hashlib.sha256("\x1f".join([rule.uid, incident.actor, str(incident.hours[0])]).encode()).hexdigest()[:32],
        rule_uid=rule.uid,
        rule_title=rule.title,
        rule_kind=rule.kind,
        level=rule.level,
        title=_NAME.sub(lambda name: named[name[1]], rule.template),
        desc=rule.description,
        attacks=lines.techniques(rule.tags),
        first_seen_time=facts.get("first", incident.hours[0]),
        last_seen_time=facts.get("last", incident.hours[-1]),
        event_uids=tuple(dict.fromkeys(facts.get("uids", ()))),
        count=count,
        threshold=None,
        window_ms=None,
        principal_uid=principal,
        principal_name=lines.principal_name(principal),
        account_uid=facts.get("account") or (incident.actor if baseline.actor == "account" else ""),
        regions=tuple(facts.get("regions") or ()),
        src_ips=tuple(facts.get("ips") or ()),
        operations=tuple(facts.get("operations") or ()),
        resources=_resources(facts),
        falsepositives=rule.falsepositives,
        references=rule.references,
        tags=rule.tags,
        rule_author=rule.author,
        rule_license=rule.license,
        rule_status=rule.status,
        rule_date=rule.date,
        analysis=analysis,
    )


def _analysis(baseline: Baseline, incident: Incident) -> Analysis:
    top = incident.highest
    return Analysis(
        kind=baseline.kind,
        actor=incident.actor,
        measured=words(baseline),
        expected=_expected(baseline, top),
        seen=_seen(incident),
        score=round(top["score"], 3),
        threshold=round(top["threshold"], 3),
        history_days=top["history"],
        active_days=top["active"],
        peers=top["peers"],
        peers_alike=top["alike"],
    )


def _expected(baseline: Baseline, row: dict[str, Any]) -> str:
    if row["high"] is not None:
        low, high = (lines.number(row[name]) for name in ("low", "high"))
        return f"{low} to {high}"
    if row["known"] is not None:
        return f"one of {row['known']:,} known"
    if row["habit"] is not None:
        return f"{row['habit']:,} of {row['active']:,} active days"
    return "one country within any flight" if baseline.kind == "impossible_travel" else ""


def _seen(incident: Incident) -> str:
    top = incident.highest
    if top["value"] is None:
        return lines.number(top["seen"])
    values = sorted({row["value"] for row in incident.rows}, key=lambda value: (value != top["value"], value))
    return lines.some(values)


def _count(baseline: Baseline, incident: Incident) -> int:
    if baseline.measure in DIMENSIONS:
        return len({row["value"] for row in incident.rows})
    if baseline.kind in ("more_than_usual", "two_networks", "dormant"):
        return round(incident.highest["seen"])
    return len(incident.rows)


def _told(analysis: Analysis) -> dict[str, str]:
    numbers = ("history_days", "active_days", "peers", "peers_alike")
    return {name: f"{getattr(analysis, name) or 0:,}" for name in numbers} | {
        "seen": analysis.seen,
        "expected": analysis.expected,
        "measured": analysis.measured,
    }


def _resources(facts: dict[str, Any]) -> tuple[Resource, ...]:
    found: dict[str, str] = {}
    for named in facts.get("resources", ()):
        for resource in named or ():
            if resource["uid"] is not None:
                found.setdefault(resource["uid"], resource["type"] or "")
    return tuple(Resource(uid=uid, type=kind) for uid, kind in found.items())
