"""Which session an event belongs to, and who stands at its root, as columns beside those that are stored.

A session is read off the event itself. Its origin stands in the table `sessions`, one join away; the join costs a
tenth of a second per million events even where nobody looks at its column, so `attribute` is for whoever does.
"""

from __future__ import annotations

import re

from trailhound.engines.dialect import literal
from trailhound.engines.duckdb import DuckDB
from trailhound.vocab.aws import MASKS

# Prefixes of credentials that last until they are deleted: using one opens no session.
LONG_TERM = ("AKIA", "ACCA")

_NO_KEY = ", ".join(map(literal, sorted(MASKS)))

# SQL over `events`: the access key, where the log shows one.
KEY = f"(CASE WHEN actor.user.credential_uid NOT IN ({_NO_KEY}) THEN actor.user.credential_uid END)"
_TEMPORARY = f"(left({KEY}, 4) NOT IN ({', '.join(map(literal, LONG_TERM))}))"
_BEGUN = "(actor.user.uid_alt || '@' || actor.session.created_time)"

# SQL over `events`: `sessions.uid` of the credential that made the call; NULL for a long-term key, a service, a
# caller from another account. Join on `principal_uid` too: a key that an anonymiser made alike is no key.
SESSION_UID = f"(CASE WHEN {_TEMPORARY} THEN {KEY} WHEN {KEY} IS NULL THEN {_BEGUN} END)"

# SQL over `events`: what one sitting has in common. A console session has many keys and one time of creation.
SITTING_UID = f"(CASE WHEN {SESSION_UID} IS NOT NULL THEN coalesce({_BEGUN}, {KEY}) END)"

DERIVED_COLUMNS = ("session_uid", "origin_uid")

_STORED = "stored_events"
_MENTIONED = re.compile(r"\b(origin|session_uid|origin_uid)\b", re.IGNORECASE)


def mentioned(*texts: str) -> bool:
    """May a statement or an expression look at the columns that `attribute` adds?"""
    return any(_MENTIONED.search(text) for text in texts)


def attribute(engine: DuckDB) -> None:
    """Give the engine's `events` the columns `session_uid` and `origin_uid`; `sessions` must be mounted.

    The origin of an event without a session is its principal.
    """
    engine.execute(f"ALTER VIEW events RENAME TO {_STORED}")
    engine.execute(
        f"CREATE VIEW events AS SELECT {_STORED}.*, {SITTING_UID} AS session_uid, "
        f"coalesce(known.origin, {_STORED}.principal_uid) AS origin_uid FROM {_STORED} "
        "LEFT JOIN (SELECT uid AS known_uid, principal_uid AS known_principal, origin_uid AS origin FROM sessions) "
        f"AS known ON known_uid = {SESSION_UID} AND known_principal = principal_uid"
    )
