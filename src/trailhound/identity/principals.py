"""Principals: one row for each, with what kind of actor it is and why, and what is usual for it.

All of it is counted over `activity`, `sessions` and `credentials`, never over events, and over the whole log: a
row says what is known now, and is no witness of what was usual before a time.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import msgspec

from trailhound.engines.duckdb import DuckDB, Rows
from trailhound.identity import kinds
from trailhound.identity.derive import Whole
from trailhound.identity.habits import DIMENSIONS, HOUR_OF_DAY
from trailhound.identity.kinds import Facts
from trailhound.identity.zones import zone
from trailhound.lake import arrow
from trailhound.lake.tables import TABLES
from trailhound.lake.times import DAY

_LISTED = 20
_LISTS = {"countries": "country", "networks": "network", "agents": "agent", "regions": "region", "services": "service"}
_WEEKEND = f"((hour // {DAY} + 3) % 7 + 7) % 7 >= 5"  # the first of January 1970 was a Thursday
_ACCOUNT = r"regexp_extract(principal_uid, '(?s)^arn:[^:]*:[^:]*:[^:]*:([^:]*):', 1)"
_AWS_ACCOUNT = "CASE WHEN principal_type = 'AWSAccount' THEN split_part(principal_uid, ':', 1) END"
_INTERACTIVE = "agent IN ('browser', 'console')"
_CI_SESSION = (
    "'(?i)(^|[-_./])(ci|github|githubactions|gitlab|jenkins|circleci|buildkite|codebuild|awscodebuild)([-_./0-9]|$)'"
)

_COUNTED = f"""
SELECT principal_uid AS uid, min(family) AS family, max(issuer_uid) AS issuer_uid,
  coalesce(list_sort(list(DISTINCT principal_type) FILTER (principal_type IS NOT NULL)), []) AS types,
  coalesce(list_sort(list(DISTINCT account_uid) FILTER (account_uid IS NOT NULL)), []) AS accounts,
  sum(CASE WHEN account_uid = coalesce({_AWS_ACCOUNT}, {_ACCOUNT}) THEN events ELSE 0 END)::BIGINT AS own,
  min(first_time) AS first_seen_time, max(last_time) AS last_seen_time, sum(events)::BIGINT AS events,
  count(DISTINCT event_day) AS days, count(DISTINCT hour) AS hours_active,
  count(DISTINCT hour) FILTER ({_WEEKEND}) AS weekend,
  coalesce(sum(events) FILTER (operation = 'ConsoleLogin' AND outcome = 'success'), 0)::BIGINT AS sign_ins,
  coalesce(sum(events) FILTER (console AND service <> 'signin.amazonaws.com'), 0)::BIGINT AS console,
  coalesce(sum(events) FILTER (is_mfa), 0)::BIGINT AS mfa,
  coalesce(sum(events) FILTER (invoked_by IS NOT NULL), 0)::BIGINT AS invoked,
  coalesce(sum(events) FILTER ({_INTERACTIVE}), 0)::BIGINT AS interactive
FROM activity GROUP BY principal_uid"""

_HOURS = f"""
SELECT uid, list(calls ORDER BY place) AS hours, list(active ORDER BY place) AS active FROM (
  SELECT uid, place, coalesce(calls, 0) AS calls, coalesce(active, 0) AS active
  FROM (SELECT DISTINCT principal_uid AS uid, unnest(range(24)) AS place FROM activity)
  LEFT JOIN (SELECT principal_uid AS uid, {HOUR_OF_DAY} AS place, sum(events)::BIGINT AS calls,
    count(DISTINCT event_day) AS active FROM activity GROUP BY ALL) USING (uid, place))
GROUP BY uid"""

# A step that is only possible is no reason to call its session a person's. Where the chain breaks, who opened the
# session is known as far as it goes: an id of another account.
_SESSIONS = """
SELECT uid, sum(sessions)::BIGINT AS sessions, sum(sessions) FILTER (opener IS NOT NULL)::BIGINT AS opened,
  list({'opener': opener, 'sessions': sessions} ORDER BY sessions DESC, opener) FILTER (opener IS NOT NULL) AS openers
FROM (
  SELECT uid, opener, count(*) AS sessions FROM (
    SELECT principal_uid AS uid, coalesce(session_uid, sessions.uid) AS session, min(CASE
      WHEN confidence NOT IN ('certain', 'likely') THEN NULL
      WHEN ends_with(parent_principal_uid, '.amazonaws.com') THEN parent_principal_uid
      WHEN origin_confidence NOT IN ('certain', 'likely') THEN parent_principal_uid
      WHEN origin_uid <> principal_uid THEN origin_uid END) AS opener
    FROM sessions GROUP BY ALL)
  GROUP BY ALL)
GROUP BY uid"""

_ORIGINS = """
SELECT uid, list(origin_uid ORDER BY sessions DESC, origin_uid) AS origins FROM (
  SELECT principal_uid AS uid, origin_uid, count(DISTINCT coalesce(session_uid, sessions.uid)) AS sessions
  FROM sessions WHERE origin_uid <> principal_uid GROUP BY ALL)
GROUP BY uid"""

_KEYS = """
SELECT uid, list(credential_uid ORDER BY events DESC, credential_uid) AS credentials FROM (
  SELECT principal_uid AS uid, credential_uid, sum(events) AS events FROM credentials
  WHERE session_uid IS NULL AND credential_uid IS NOT NULL GROUP BY ALL)
GROUP BY uid"""

_NAMES = f"""
SELECT uid, sum(names)::BIGINT AS names, max(names) AS alike, sum(ci_names)::BIGINT AS ci_names FROM (
  SELECT uid, regexp_replace(name, '[0-9a-f]{{8,}}|[0-9]+', '#', 'g') AS form, count(*) AS names,
    count(*) FILTER (regexp_matches(name, {_CI_SESSION})) AS ci_names
  FROM (SELECT DISTINCT principal_uid AS uid, name FROM sessions WHERE name IS NOT NULL) GROUP BY ALL)
GROUP BY uid"""

_DELIVERED = """
SELECT principal_uid AS uid, count(DISTINCT session_uid) AS delivered FROM credentials WHERE via = 'instance'
GROUP BY principal_uid"""


def _most_used(name: str) -> str:
    value = DIMENSIONS[_LISTS[name]]
    return (
        f"SELECT uid, list(value ORDER BY events DESC, value)[:{_LISTED}] AS {name} FROM (SELECT principal_uid AS uid, "
        f"{value} AS value, sum(events) AS events FROM activity GROUP BY ALL) WHERE value IS NOT NULL GROUP BY uid"
    )


def _make(engine: DuckDB) -> Any:
    parts = [_HOURS, _SESSIONS, _ORIGINS, _KEYS, _NAMES, _DELIVERED, *map(_most_used, _LISTS)]
    joined = " ".join(f"LEFT JOIN ({part}) USING (uid)" for part in parts)
    rows = engine.query(f"SELECT * FROM ({_COUNTED}) {joined} ORDER BY uid")
    verdicts = _verdicts(rows)
    columns = [column.path for column in TABLES["principals"].columns]
    described = [_described(row, verdicts[row["uid"]]) for row in rows]
    return arrow.table(TABLES["principals"].columns, {name: [row[name] for row in described] for name in columns})


def _verdicts(rows: Rows) -> dict[str, kinds.Verdict]:
    """Roles last: what they are depends on who opened their sessions."""
    found: dict[str, kinds.Verdict] = {}
    known: dict[str, str] = {}
    for row in sorted(rows, key=lambda row: (":role/" in row["uid"], row["uid"])):
        found[row["uid"]] = kinds.judge(_facts(row), known)
        if ":role/" not in row["uid"]:
            known[row["uid"]] = found[row["uid"]].kind
    return found


def _facts(row: Mapping[str, Any]) -> Facts:
    openers = {one["opener"]: one["sessions"] for one in row["openers"] or ()}
    counts = {name: row[name] or 0 for name in ("names", "alike", "ci_names", "delivered")}
    return msgspec.convert({**row, **counts, "openers": openers, "sessions": row["opened"] or 0}, Facts)


def _described(row: Mapping[str, Any], verdict: kinds.Verdict) -> dict[str, Any]:
    uid, services = row["uid"], row["services"] or []
    rhythm = zone(row["active"], row["days"]) if verdict.kind == "human" else None
    path = re.search(r":role(/(?:.*/)?)[^/]+$", row["issuer_uid"] or "", re.DOTALL)
    found = {
        **row,
        "name": kinds.short(uid).rpartition("/")[2] or uid,
        "account_uid": kinds.account_of(uid, row["types"]) or None,
        "kind": verdict.kind,
        "reasons": verdict.reasons,
        "path": path[1] if path else None,
        "sessions": row["sessions"] or 0,
        "utc_offset": rhythm.utc_offset if rhythm else None,
        "utc_offset_reason": rhythm.because if rhythm else None,
    }
    main = services[:1] if verdict.kind in ("workload", "service", "unknown") else []
    found["peers"] = " ".join(filter(None, [verdict.kind, found["account_uid"], found["path"], *main]))
    for name in ("origins", "credentials", *_LISTS):
        found[name] = (row[name] or [])[:_LISTED]
    return found


PRINCIPALS = Whole(table="principals", version=1, make=_make, needs=("activity", "sessions", "credentials"))
