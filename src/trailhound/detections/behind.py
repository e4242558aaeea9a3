"""Who stood behind an event, a finding: the identity at the root of its session, from the table `sessions`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import arro3.core as ac
import msgspec

from trailhound.detections.candidates import CANDIDATES, HITS, again
from trailhound.engines.dialect import identifier, literal
from trailhound.engines.duckdb import DuckDB
from trailhound.identity.sessions import ORIGIN, at_hand
from trailhound.lake import times
from trailhound.model import Finding

BEHIND = "detect_behind"

_ASKED = "detect_asked_events"
_SOUGHT = "detect_sought"
_LOOKED_AT = 50  # events of a finding


def collect(engine: DuckDB, rules: Iterable[int]) -> None:
    """BEHIND (`row`, `origin`): of hits of these rules, those behind whose session another identity stands."""
    engine.execute(f"CREATE OR REPLACE TEMP TABLE {BEHIND} (row BIGINT, origin VARCHAR)")
    if not at_hand(engine):
        return
    principal, listed = identifier("principal_uid"), ", ".join(map(str, sorted(rules)))
    events = again(
        engine,
        _SOUGHT,
        f"{HITS} JOIN {CANDIDATES} USING (row) WHERE rule IN ({listed}) "
        f"AND {principal} IN (SELECT principal_uid FROM sessions WHERE origin_uid <> principal_uid)",
    )
    if events:
        engine.execute(
            f"INSERT INTO {BEHIND} SELECT row, min(origin) FROM {events} JOIN {ORIGIN} "
            "WHERE events.principal_uid = sought.principal AND origin <> sought.principal GROUP BY row"
        )


def drop(engine: DuckDB) -> None:
    for table in (BEHIND, _SOUGHT):
        engine.execute(f"DROP TABLE IF EXISTS {table}")


def attribute(engine: DuckDB, found: Sequence[Finding]) -> list[Finding]:
    """The findings with `origin_uid`, from the table `sessions`; as they are where there is none."""
    asked = [(one.uid, uid, one.principal_uid) for one in found for uid in one.event_uids[:_LOOKED_AT]]
    if not asked or not at_hand(engine):
        return list(found)
    names = ("finding", "uid", "principal")
    columns = {
        name: ac.Array(values, type=ac.DataType.string())
        for name, values in zip(names, map(list, zip(*asked, strict=True)), strict=True)
    }
    engine.mount_arrow(_ASKED, ac.Table.from_pydict(columns))
    days = {times.day(time) for one in found for time in (one.first_seen_time, one.last_seen_time)}
    rows = engine.query(
        f"SELECT finding, arg_min(origin_of.origin, (time, asked.uid)) AS origin FROM events "
        f"JOIN {_ASKED} AS asked ON metadata.uid = asked.uid AND events.principal_uid = asked.principal "
        f"LEFT JOIN {ORIGIN} WHERE event_day BETWEEN {literal(min(days))} AND {literal(max(days))} GROUP BY finding"
    )
    origins = {row["finding"]: row["origin"] for row in rows}
    return [msgspec.structs.replace(one, origin_uid=origins.get(one.uid) or one.principal_uid) for one in found]
