"""Sessions: one row for each temporary credential that was issued or used, with who stood behind it.

For other derived tables: `SESSION_UID` is SQL over `events` that gives `sessions.uid` (NULL where there is no
session), `ORIGIN` is the join that finds the row, and `ORIGINS_BY_DAY` tells the days whose origins changed.
"""

from __future__ import annotations

from typing import Any

from trailhound.engines.duckdb import DuckDB
from trailhound.identity import callers, identity_center, issues, linking
from trailhound.identity.callers import ACCOUNTS, CALLERS, CANDIDATES, STEPS
from trailhound.identity.derive import Whole
from trailhound.identity.issues import OPENED
from trailhound.identity.linking import LINKS, NODES
from trailhound.lake.attribution import SESSION_UID

__all__ = ["ORIGIN", "ORIGINS_BY_DAY", "SESSIONS", "SESSION_UID"]

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

_CHAINS = "linking_chains"
TEMPORARY = (
    OPENED,
    NODES,
    LINKS,
    ACCOUNTS,
    CALLERS,
    CANDIDATES,
    *identity_center.TEMPORARY,
    STEPS,
    _CHAINS,
)  # tables that `rows` makes
# How sure a step or a chain is, the surest first.
RANKS = "['certain', 'likely', 'possible', 'broken']"
_RANK = f"coalesce(list_position({RANKS}, own), 4)"
_CIRCLE = "the sessions that opened one another lead in a circle: their records contradict each other"
_NAME = "substr(principal_id, strpos(principal_id, ':') + 1)"


def rows(engine: DuckDB) -> str:
    """SQL that gives the table, from `credentials`, `issues` and the accounts of `events`; makes the temporary tables that it reads."""
    issues.collect(engine)
    linking.link(engine)
    callers.steps(engine)
    _walk(engine)
    while _agreed(engine):
        _walk(engine)
    return _ROWS


def at_hand(engine: DuckDB) -> bool:
    """Whether the table `sessions` of a lake is mounted, and was derived: beside an empty one credentials are known."""
    views = engine.query("SELECT 1 FROM duckdb_views() WHERE view_name IN ('sessions', 'credentials')")
    return len(views) == 2 and bool(engine.query("SELECT 1 FROM sessions UNION ALL SELECT 1 FROM credentials LIMIT 1"))


def _make(engine: DuckDB) -> Any:
    return engine.stream(rows(engine))


def _walk(engine: DuckDB) -> None:
    """From the roots down: each session is reached once, those of a circle never."""
    engine.execute(f"""
        CREATE OR REPLACE TEMP TABLE {_CHAINS} AS
        WITH RECURSIVE chains AS (
            SELECT uid, principal_uid, {_RANK} AS rank,
                CASE WHEN missing IS NULL OR coalesce(by_id, person_principal_uid) IS NOT NULL THEN 1 ELSE 0 END AS depth,
                CASE
                    WHEN parent_principal_uid IS NULL THEN principal_uid
                    WHEN root_uid IS NOT NULL THEN root_uid
                    WHEN parent_principal_uid = 'ec2.amazonaws.com' AND starts_with({_NAME}, 'i-') THEN {_NAME}
                    ELSE parent_principal_uid
                END AS origin_uid
            FROM {STEPS} WHERE parent_uid IS NULL
            UNION ALL
            SELECT steps.uid, steps.principal_uid, greatest(above.rank, {_RANK}), above.depth + 1, above.origin_uid
            FROM {STEPS} AS steps JOIN chains AS above
                ON steps.parent_uid = above.uid AND steps.parent_principal_uid = above.principal_uid
        )
        SELECT * FROM chains""")


def _agreed(engine: DuckDB) -> bool:
    """Mend breaks at which all that is known speaks of one origin; whether any was, so that others may follow.

    Either all sessions that may have opened this one have it, or all sessions with the same sourceIdentity.
    """
    identity = "coalesce({0}source_identity, {0}issued_source_identity)"
    before = _breaks(engine)
    engine.execute(f"""
        UPDATE {STEPS} AS steps SET own = 'likely', missing = NULL,
            parent_uid = agreed.above[1], parent_principal_uid = agreed.above[2]
        FROM (
            SELECT found.uid, found.principal_uid, arg_min((above_uid, above_principal_uid), place) AS above
            FROM {CANDIDATES} AS found LEFT JOIN {_CHAINS} AS chains
                ON chains.uid = above_uid AND chains.principal_uid = above_principal_uid
            GROUP BY found.uid, found.principal_uid
            HAVING count(DISTINCT origin_uid) = 1 AND max(coalesce(rank, 4)) < 4
        ) AS agreed
        WHERE missing IS NOT NULL AND NOT unseen AND agreed.uid = steps.uid
            AND agreed.principal_uid = steps.principal_uid""")
    engine.execute(f"""
        UPDATE {STEPS} AS steps SET established = 'source_identity', own = 'likely', missing = NULL,
            parent_principal_uid = agreed.origin_uid, root_uid = agreed.origin_uid
        FROM (
            SELECT {identity.format("")} AS identity, min(origin_uid) AS origin_uid
            FROM {STEPS} JOIN {_CHAINS} USING (uid, principal_uid)
            WHERE rank < 3 AND identity IS NOT NULL GROUP BY identity HAVING count(DISTINCT origin_uid) = 1
        ) AS agreed
        WHERE missing IS NOT NULL AND agreed.identity = {identity.format("steps.")}""")
    return _breaks(engine) < before


def _breaks(engine: DuckDB) -> int:
    return engine.query(f"SELECT count(missing) AS breaks FROM {STEPS}")[0]["breaks"]


_ROWS = f"""
    SELECT uid, session_uid, credential_uid, principal_uid, account_uid,
        CASE WHEN contains(principal_id, ':') THEN {_NAME} END AS name,
        operation,
        event_uid AS issued_event_uid,
        coalesce(created_time, issued_time) AS created_time,
        expiration_time, first_seen_time, last_seen_time, events,
        CASE WHEN rank IS NOT NULL THEN parent_uid END AS parent_uid,
        by_key AS parent_credential_uid,
        parent_principal_uid,
        parent_event_uid,
        established,
        CASE WHEN rank IS NOT NULL THEN own END AS confidence,
        coalesce(origin_uid, principal_uid) AS origin_uid,
        coalesce({RANKS}[rank], 'broken') AS origin_confidence,
        coalesce(depth, 0) AS depth,
        CASE WHEN rank IS NULL THEN '{_CIRCLE}' ELSE missing END AS broken,
        coalesce(source_identity, issued_source_identity) AS source_identity
    FROM {STEPS} LEFT JOIN {_CHAINS} USING (uid, principal_uid)
    ORDER BY uid, principal_uid"""

SESSIONS = Whole(table="sessions", version=2, make=_make, needs=("credentials", "issues", "events"))
