"""The order of things, and the hours of the week: what a reader would rather see than read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from trailhound.investigation import sentences
from trailhound.investigation.evidence import Evidence
from trailhound.model import Chart, Moment

MOST_MOMENTS = 200
_OUTCOME: dict[int, Literal["success", "failure", ""]] = {0: "", 1: "success", 2: "failure"}
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")

# Whatever changed something, signed in, failed or is the alert itself; reads are summed up in one line.
_ACTS = """
SELECT uid, time, operation, status_id, status_detail, origin, class_uid, list_contains($event_uids, uid) AS alert,
  list_sort(list_distinct(list_transform(resources, lambda r: coalesce(r.name, r.uid)))) AS named, principal_uid
FROM actor WHERE time BETWEEN $at - 10800000 AND $to + 86400000
  AND (read_only IS NOT TRUE OR class_uid = 3002 OR status_id = 2 OR list_contains($event_uids, uid))
ORDER BY alert DESC, abs(time - $at), uid LIMIT {most}
"""
_READS = """
SELECT min(time) AS time, first(uid ORDER BY time, uid) AS uid, count(*) AS calls, max(time) AS last,
  list_sort(list(DISTINCT operation)) AS operations
FROM actor WHERE read_only AND class_uid <> 3002 AND status_id = 1 AND time BETWEEN $at - 3600000 AND $at
  AND NOT list_contains($event_uids, uid) HAVING count(*) > 0
"""
_BIRTHS = """
SELECT min(time) AS time, first(uid ORDER BY time, uid) AS uid, count(DISTINCT resource_uid) AS things,
  count(DISTINCT uid) AS calls, max(time) AS last,
  first(principal_uid ORDER BY time, uid) AS principal_uid, operation
FROM target WHERE status_id = 1 AND time < $at - 10800000 AND NOT list_contains($event_uids, uid)
  AND operation IN ('RunInstances', 'CreateBucket', 'CreateTrail', 'CreatePolicy', 'CreateUser', 'PutBucketPolicy',
    'DeleteBucketPublicAccessBlock', 'PutBucketPublicAccessBlock') GROUP BY operation
"""
_HOURS = """
SELECT CAST(((time - time % 86400000) / 86400000 + 3) % 7 AS INTEGER) AS weekday, hour,
  count(*) FILTER (time < $at - 43200000) AS past, count(*) FILTER (list_contains($event_uids, uid)) AS alert
FROM actor GROUP BY ALL
"""


def moments(evidence: Evidence) -> tuple[Moment, ...]:
    """At most 200 lines, in order of time; the alert's own events come first when room is short."""
    scope = evidence.scope
    found = [_act(row, scope.at) for row in evidence.query(_ACTS.format(most=MOST_MOMENTS))]
    for row in evidence.query(_READS):
        calls, last = sentences.count(row["calls"], "read-only call"), sentences.clock(row["last"])
        text = f"{calls} until {last} ({sentences.listing(row['operations'])})"
        found.append(Moment(time=row["time"], sentence=text, event_uid=row["uid"], phase="before", status="success"))
    for row in evidence.query(_BIRTHS):
        calls, last = row["calls"], sentences.when(row["last"])
        more = f" in {sentences.number(calls)} calls, the last at {last}" if calls > 1 else ""
        by = sentences.name(row["principal_uid"])
        text = f"{row['operation']} by {by} ({sentences.number(row['things'])} of these{more})"
        found.append(Moment(time=row["time"], sentence=text, event_uid=row["uid"], phase="before", status="success"))
    return tuple(sorted(found, key=lambda m: (m.time, m.event_uid)))


def _act(row: dict[str, Any], at: int) -> Moment:
    origin = f" from {row['origin']}" if row["origin"] else ""
    if row["operation"] == "ConsoleLogin":
        text, phase = ("sign-in" if row["status_id"] == 1 else "failed sign-in") + origin, "sign-in"
    else:
        on = f" on {sentences.listing(row['named'])}" if row["named"] else ""
        failed = (
            f" failed: {sentences.short(row['status_detail'] or 'no reason given')}" if row["status_id"] == 2 else ""
        )
        text, phase = f"{row['operation']}{on}{origin}{failed}", "before" if row["time"] < at else "after"
    phase = "alert" if row["alert"] else phase
    outcome = _OUTCOME[row["status_id"]]
    return Moment(time=row["time"], sentence=text, event_uid=row["uid"], phase=phase, status=outcome)


def charts(evidence: Evidence) -> tuple[Chart, ...]:
    """`hours`: the actor's events by day and hour of the week, and the alert's."""
    past, alert = _week(), _week()
    for row in evidence.query(_HOURS):
        past[row["weekday"]][row["hour"]] += row["past"]
        alert[row["weekday"]][row["hour"]] += row["alert"]
    return (
        Chart(
            name="hours",
            rows=_DAYS,
            columns=tuple(f"{h:02d}" for h in range(24)),
            values=_frozen(past),
            marks=_frozen(alert),
        ),
    )


def _week() -> list[list[int]]:
    return [[0] * 24 for _ in range(7)]


def _frozen(rows: Sequence[Sequence[int]]) -> tuple[tuple[int, ...], ...]:
    return tuple(tuple(row) for row in rows)
