"""Who stood behind a finding: the identity at the root of the session in which its principal first appears in it."""

from __future__ import annotations

from collections.abc import Sequence

import arro3.core as ac
import msgspec

from trailhound.engines.dialect import literal
from trailhound.engines.duckdb import DuckDB
from trailhound.identity.sessions import ORIGIN, at_hand
from trailhound.lake import times
from trailhound.model import Finding

_ASKED = "detect_asked_events"
_LOOKED_AT = 50  # events of a finding


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
    days = {times.text(time)[:10] for one in found for time in (one.first_seen_time, one.last_seen_time)}
    rows = engine.query(
        f"SELECT finding, arg_min(origin_of.origin, (time, asked.uid)) AS origin FROM events "
        f"JOIN {_ASKED} AS asked ON metadata.uid = asked.uid AND events.principal_uid = asked.principal "
        f"LEFT JOIN {ORIGIN} WHERE event_day BETWEEN {literal(min(days))} AND {literal(max(days))} GROUP BY finding"
    )
    origins = {row["finding"]: row["origin"] for row in rows}
    return [msgspec.structs.replace(one, origin_uid=origins.get(one.uid) or one.principal_uid) for one in found]
