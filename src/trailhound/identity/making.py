"""Who made a user, its password or its long-term key: the doors that an identity opened for somebody.

A key is used by whoever holds it. The log says who made it, not to whom it was given; so a call with it stays a call of
the user, and that its maker stands behind the call is *possible*, never more. Of what somebody made for itself there is
no such doubt.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

import msgspec

from trailhound.engines.dialect import listed
from trailhound.engines.duckdb import DuckDB
from trailhound.identity.issues import MAKING

# SQL over `issues`: the calls that made what lasts.
MADE = f"operation IN ({listed(MAKING)})"


class Made(msgspec.Struct, frozen=True, kw_only=True):
    """One call that made a user, its password or its key."""

    operation: str
    event_uid: str
    time: int  # epoch milliseconds
    principal_uid: str  # the user
    credential_uid: str | None  # the key, where it is one
    by_principal_uid: str
    by_session_uid: str | None  # the session of who made it: `sessions.uid`
    by_origin_uid: str  # who stood behind that session
    by_origin_confidence: Literal["certain", "likely", "possible", "broken"]
    itself: bool  # by the user's own hand
    confidence: Literal["certain", "possible"]  # that who made it also uses it


def making(engine: DuckDB, identities: Iterable[str]) -> list[Made]:
    """All that was made for these identities or by them, also in sessions that lead back to them, in order of time."""
    rows = engine.query(
        f"""
        SELECT *, coalesce(by_origin_uid = principal_uid AND by_origin_confidence <> 'broken', FALSE) AS itself,
            CASE WHEN itself AND by_origin_confidence = 'certain' THEN 'certain' ELSE 'possible' END AS confidence
        FROM (
            SELECT issues.operation, event_uid, time, issues.principal_uid, issues.credential_uid, by_principal_uid,
                by_session_uid, coalesce(origin_uid, by_principal_uid) AS by_origin_uid,
                CASE WHEN by_session_uid IS NULL THEN 'certain' ELSE coalesce(origin_confidence, 'broken') END
                    AS by_origin_confidence
            FROM issues LEFT JOIN sessions ON sessions.uid = by_session_uid AND sessions.principal_uid = by_principal_uid
            WHERE issues.{MADE} AND issues.principal_uid IS NOT NULL
        )
        WHERE list_contains($identities, principal_uid) OR list_contains($identities, by_origin_uid)
        ORDER BY time, event_uid""",
        {"identities": sorted(set(identities))},
    )
    return msgspec.convert(rows, list[Made])
