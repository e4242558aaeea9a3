"""Which credentials were used on each day, and what the records say of how each came about."""

from __future__ import annotations

from trailhound.engines.dialect import json_text
from trailhound.identity.derive import Daily
from trailhound.lake.attribution import KEY, SESSION_UID, SITTING_UID

# A user at the sign-in page has neither key nor session, but an id that no other user ever has.
_USER = "CASE WHEN actor.user.type IN ('IAMUser', 'Root') THEN actor.user.uid_alt END"
_CONTEXT = "$.userIdentity.sessionContext."


def _said(path: str) -> str:
    """By its place in the record: a name that a caller wrote into a parameter is not it."""
    return f"TRY({json_text('raw_data', path)})"


# The same in all records of a session, and whole records are most of what a lake holds: one is read of each.
CREDENTIALS = Daily(
    table="credentials",
    version=2,
    select=f"""
        WITH used AS MATERIALIZED (
            SELECT
                event_day,
                coalesce({SESSION_UID}, {KEY}, {_USER}) AS uid,
                {SITTING_UID} AS session_uid,
                min({KEY}) AS credential_uid,
                principal_uid,
                min(actor.user.uid_alt) AS principal_id,
                min(actor.user.account.uid) AS account_uid,
                min(actor.user.type) AS type,
                min(actor.session.issuer) AS issuer_uid,
                min(actor.session.created_time) AS created_time,
                min(time) AS first_seen_time,
                max(time) AS last_seen_time,
                count(*) AS events,
                arg_min(metadata.uid, (time, metadata.uid)) AS first_event_uid
            FROM events
            WHERE coalesce({SESSION_UID}, {KEY}, {_USER}) IS NOT NULL
            GROUP BY ALL
        ), said AS (
            SELECT metadata.uid AS first_event_uid, {_said(_CONTEXT + "sourceIdentity")} AS source_identity,
                {_said("$.userIdentity.onBehalfOf.userId")} AS on_behalf_of,
                CASE
                    WHEN {_said(_CONTEXT + "ec2RoleDelivery")} IS NOT NULL THEN 'instance'
                    WHEN {_said(_CONTEXT + "assumedRoot")} = 'true' THEN 'assumed_root'
                    WHEN {_said("$.sessionCredentialFromConsole")} = 'true' THEN 'console'
                END AS via
            FROM events
            WHERE metadata.uid IN (SELECT first_event_uid FROM used WHERE session_uid IS NOT NULL)
        )
        SELECT used.*, said.source_identity, said.on_behalf_of, said.via FROM used LEFT JOIN said USING (first_event_uid)""",
)
