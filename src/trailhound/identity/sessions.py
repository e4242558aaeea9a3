"""Sessions: one row for each temporary credential that was issued or used, with who stood behind it.

For other derived tables: `SESSION_UID` is SQL over `events` that gives `sessions.uid` (NULL where there is no
session), `ORIGIN` is the join that finds the row, and `ORIGINS_BY_DAY` tells the days whose origins changed.
"""

from __future__ import annotations

from trailhound.lake.attribution import SESSION_UID

__all__ = ["ORIGIN", "ORIGINS_BY_DAY", "SESSION_UID"]

# `FROM events LEFT JOIN {ORIGIN}` gives `origin_of.origin`; with `coalesce(origin_of.origin, events.principal_uid)`
# an event without a session is its own origin. At most one row matches an event.
ORIGIN = (
    "(SELECT uid AS of_uid, principal_uid AS of_principal, origin_uid AS origin FROM sessions) AS origin_of "
    f"ON origin_of.of_uid = {SESSION_UID} AND origin_of.of_principal = events.principal_uid"
)

# `Daily.also` of a table that holds origins; it needs `sessions` and `credentials`.
ORIGINS_BY_DAY = (
    "SELECT event_day, CAST(bit_xor(hash(uid, principal_uid, origin_uid)) AS VARCHAR) AS stamp "
    "FROM credentials JOIN sessions USING (uid, principal_uid) WHERE origin_uid <> principal_uid GROUP BY event_day"
)
