"""Principals: one row for each, with what kind of actor it is and why, and what is usual for it.

All of it is counted over `activity`, `sessions` and `credentials`, never over events, and over the whole log: a
row says what is known now. Only its `known_*` lists tell what it was taken for at a time: see `habits.KNOWN`.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Mapping
from typing import Any, NamedTuple

from trailhound.engines.duckdb import DuckDB, Rows
from trailhound.identity import facts, kinds
from trailhound.identity.derive import Whole
from trailhound.identity.habits import DIMENSIONS, HOUR_OF_DAY
from trailhound.identity.kinds import Facts
from trailhound.identity.zones import zone
from trailhound.lake import arrow
from trailhound.lake.tables import TABLES
from trailhound.lake.times import DAY

_LISTED = 20
_LISTS = {"countries": "country", "networks": "network", "agents": "agent", "regions": "region", "services": "service"}

_COUNTED = """
SELECT principal_uid AS uid, min(family) AS family, min(first_time) AS first_seen_time, max(last_time) AS last_seen_time,
  sum(events)::BIGINT AS events, count(DISTINCT event_day) AS days
FROM activity GROUP BY principal_uid"""

_HOURS = f"""
SELECT uid, list(calls ORDER BY place) AS hours FROM (
  SELECT uid, place, coalesce(calls, 0) AS calls
  FROM (SELECT DISTINCT principal_uid AS uid, unnest(range(24)) AS place FROM activity)
  LEFT JOIN (SELECT principal_uid AS uid, {HOUR_OF_DAY} AS place, sum(events)::BIGINT AS calls FROM activity GROUP BY ALL)
    USING (uid, place))
GROUP BY uid"""

_SESSIONS = """
SELECT principal_uid AS uid, count(DISTINCT coalesce(session_uid, sessions.uid)) AS sessions FROM sessions
GROUP BY principal_uid"""

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


def _most_used(name: str) -> str:
    value = DIMENSIONS[_LISTS[name]]
    return (
        f"SELECT uid, list(value ORDER BY events DESC, value)[:{_LISTED}] AS {name} FROM (SELECT principal_uid AS uid, "
        f"{value} AS value, sum(events) AS events FROM activity GROUP BY ALL) WHERE value IS NOT NULL GROUP BY uid"
    )


def _make(engine: DuckDB) -> Any:
    parts = [_HOURS, _SESSIONS, _ORIGINS, _KEYS, *map(_most_used, _LISTS)]
    joined = " ".join(f"LEFT JOIN ({part}) USING (uid)" for part in parts)
    rows = engine.query(f"SELECT * FROM ({_COUNTED}) {joined} ORDER BY uid")
    known = _known(facts.by_day(engine))
    columns = [column.path for column in TABLES["principals"].columns]
    described = [_described(row, known[row["uid"]]) for row in rows]
    return arrow.table(TABLES["principals"].columns, {name: [row[name] for row in described] for name in columns})


class _Spells(NamedTuple):
    """What a principal was taken for, from when on: on its first day what that showed, later what the days before had."""

    since: list[int]  # epoch milliseconds, ascending
    kinds: list[str]
    peers: list[str]

    def add(self, day: int, kind: str, peers: str) -> None:
        """`day`: the beginning of the one that showed it."""
        if not self.since or (kind, peers) != (self.kinds[-1], self.peers[-1]):
            self.since.append(day + DAY if self.since else day)
            self.kinds.append(kind)
            self.peers.append(peers)

    def kind(self, day: int) -> str:
        """As it was known at the end of a day."""
        return self.kinds[bisect_right(self.since, day + DAY) - 1] if self.since[0] <= day else "unknown"


class _Known(NamedTuple):
    """Of a principal: all facts, what they come to, and what it was taken for before."""

    facts: Facts
    main: str
    verdict: kinds.Verdict
    spells: _Spells


def _known(days: Mapping[str, Rows]) -> dict[str, _Known]:
    """Roles last: what they are depends on who opened their sessions."""
    found: dict[str, _Known] = {}
    others: dict[str, _Known] = {}
    for uid in sorted(days, key=lambda uid: (":role/" in uid, uid)):
        spells, standing = _Spells([], [], []), facts.Standing(0, Facts(uid), "")
        for standing in facts.standings(uid, days[uid]):
            openers = {one: others[one].spells.kind(standing.since) for one in standing.facts.openers if one in others}
            kind = kinds.judge(standing.facts, openers).kind
            spells.add(standing.since, kind, _peers(kind, standing.facts, standing.main))
        openers = {one: others[one].verdict.kind for one in standing.facts.openers if one in others}
        found[uid] = _Known(standing.facts, standing.main, kinds.judge(standing.facts, openers), spells)
        if ":role/" not in uid:
            others[uid] = found[uid]
    return found


def _peers(kind: str, of: Facts, main: str) -> str:
    """The group that it is compared with."""
    service = main if kind in ("workload", "service", "unknown") else ""
    return " ".join(filter(None, [kind, kinds.account_of(of.uid, of.types), _path(of), service]))


def _path(of: Facts) -> str | None:
    found = re.search(r":role(/(?:.*/)?)[^/]+$", of.issuer_uid or "", re.DOTALL)
    return found[1] if found else None


def _described(row: Mapping[str, Any], known: _Known) -> dict[str, Any]:
    own, verdict = known.facts, known.verdict
    rhythm = zone(own.active, own.days) if verdict.kind == "human" else None
    found = {
        **row,
        "name": kinds.short(own.uid).rpartition("/")[2] or own.uid,
        "account_uid": kinds.account_of(own.uid, own.types) or None,
        "kind": verdict.kind,
        "reasons": verdict.reasons,
        "path": _path(own),
        "peers": _peers(verdict.kind, own, known.main),
        "known_since": known.spells.since,
        "known_kinds": known.spells.kinds,
        "known_peers": known.spells.peers,
        "sessions": row["sessions"] or 0,
        "utc_offset": rhythm.utc_offset if rhythm else None,
        "utc_offset_reason": rhythm.because if rhythm else None,
    }
    for name in ("origins", "credentials", *_LISTS):
        found[name] = (row[name] or [])[:_LISTED]
    return found


PRINCIPALS = Whole(table="principals", version=2, make=_make, needs=("activity", "sessions", "credentials"))
