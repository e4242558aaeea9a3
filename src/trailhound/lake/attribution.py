"""Which session an event belongs to, and who stands at its root: columns beside those that are stored.

A session is read off the event itself. Its origin stands in the table `sessions`, one join away.
"""

from __future__ import annotations

import re

from trailhound.engines.dialect import listed
from trailhound.ocsf.schema import Column
from trailhound.vocab.aws import MASKS

# Prefixes of credentials that last until they are deleted: using one opens no session.
LONG_TERM = ("AKIA", "ACCA")


def unmasked(expression: str) -> str:
    """NULL where the log has a mask instead of the value."""
    return f"(CASE WHEN {expression} NOT IN ({listed(sorted(MASKS))}) THEN {expression} END)"


# SQL over `events`: the access key, where the log shows one.
KEY = unmasked("actor.user.credential_uid")
_TEMPORARY = f"(left({KEY}, 4) NOT IN ({listed(LONG_TERM)}))"
_BEGUN = "(actor.user.uid_alt || '@' || actor.session.created_time)"

# SQL over `events`: `sessions.uid` of the credential that made the call; NULL for a long-term key, a service, a
# caller from another account. Join on `principal_uid` too: a key that an anonymiser made alike is no key.
SESSION_UID = f"(CASE WHEN {_TEMPORARY} THEN {KEY} WHEN {KEY} IS NULL THEN {_BEGUN} END)"

# SQL over `events`: what one sitting has in common. A console session has many keys and one time of creation.
SITTING_UID = f"(CASE WHEN {SESSION_UID} IS NOT NULL THEN coalesce({_BEGUN}, {KEY}) END)"

# Columns that `events` has while somebody looks at them: see `trailhound.identity.origins`.
ATTRIBUTED = (
    Column("session_uid", "string", "", "the session of the caller: `sessions.session_uid`; empty where there is none"),
    Column("origin_uid", "string", "", "the identity at the root of that session; without a session the principal"),
)

_MENTIONED = re.compile(r"\b(session|origin)(_uid)?\b", re.IGNORECASE)


def mentioned(*texts: str) -> bool:
    """May a statement or an expression look at one of these columns?"""
    return any(_MENTIONED.search(text) for text in texts)
