"""Who stands behind each issuing event: a session of the log, a principal, or nobody that the log names.

The role owner's copy of an AssumeRole from another account holds the caller's id alone. A user's id is that user's
for ever, so any other event of the user names it; a session's id names role and session name, so the sessions of
that id that were alive are those it may have been, provided that the trail of its account is in the log: else others
may have been opened there unseen. Who is then still unknown is a broken edge.
"""

from __future__ import annotations

from trailhound.engines.dialect import time_text
from trailhound.engines.duckdb import DuckDB
from trailhound.identity.identity_center import PERSONS, persons
from trailhound.identity.issues import OPENED
from trailhound.identity.linking import LINKS, NODES, SHOWN, SKEW
from trailhound.lake.times import HOUR

CALLERS, CANDIDATES, STEPS = "linking_callers", "linking_candidates", "linking_steps"

_LONGEST = 12 * HOUR  # no session of a role outlasts twelve hours

ACCOUNTS = "linking_accounts"
_KNOWN = f"IN (SELECT account_uid FROM {ACCOUNTS})"  # their trails are in the log

_SESSION_ARN = r"'(?s)^arn:([^:]*):sts::([^:]*):assumed-role/([^/]*)/(.*)$'"
# The principal that a console session switched from: of a session the role, of a user the ARN without its path.
_SWITCHED = rf"""CASE WHEN contains(switched_from, ':assumed-role/')
    THEN regexp_replace(switched_from, {_SESSION_ARN}, 'arn:\1:iam::\2:role/\3')
    ELSE regexp_replace(switched_from, '(?s):user/.*/([^/]*)$', ':user/\1') END"""


def steps(engine: DuckDB) -> None:
    """Fill STEPS: one row a session, with its parent (a session, else a principal), how sure, and where it breaks."""
    engine.execute(
        f"CREATE OR REPLACE TEMP TABLE {ACCOUNTS} AS SELECT DISTINCT cloud.account.uid AS account_uid FROM events"
    )
    _callers(engine)
    persons(engine)
    _candidates(engine)
    _broken(engine)


def _callers(engine: DuckDB) -> None:
    """Of each issuing event the caller's session, or its principal, or what sessions to look for (`sought_*`)."""
    engine.execute(f"""
        CREATE OR REPLACE TEMP TABLE {CALLERS} AS
        WITH users AS (
            SELECT principal_id AS by_id, min(principal_uid) AS user_uid FROM credentials
            WHERE type = 'IAMUser' AND NOT contains(principal_id, ':')
            GROUP BY principal_id HAVING count(DISTINCT principal_uid) = 1
        )
        SELECT event_uid, operation, time AS issued_time, expiration_time, source_identity AS issued_source_identity,
            by_key, by_account, by_id, by_type,
            CASE WHEN switched_from IS NULL THEN by_uid END AS by_uid,
            CASE WHEN switched_from IS NOT NULL THEN {_SWITCHED}
                WHEN by_type = 'AWSAccount' THEN coalesce(user_uid, by_principal_uid)
                ELSE by_principal_uid END AS by_principal_uid,
            CASE WHEN switched_from IS NULL AND by_uid IS NULL AND by_type IN ('AWSAccount', 'AssumedRole')
                AND contains(by_id, ':') THEN by_id END AS sought_id,
            CASE WHEN contains(switched_from, ':assumed-role/')
                THEN regexp_extract(switched_from, {_SESSION_ARN}, 4) END AS sought_name,
            coalesce(by_type = 'AWSAccount' AND user_uid IS NULL, FALSE) AS unnamed,
            unnamed AND coalesce(by_account NOT {_KNOWN}, TRUE) AS unseen
        FROM {OPENED} LEFT JOIN users USING (by_id)""")


def _candidates(engine: DuckDB) -> None:
    """Sessions that were alive when one of their id or name opened another, the one that began last first."""
    name = "substr(above.principal_id, strpos(above.principal_id, ':') + 1)"
    engine.execute(f"""
        CREATE OR REPLACE TEMP TABLE {CANDIDATES} AS
        WITH asking AS (
            SELECT nodes.uid, nodes.principal_uid, nodes.session_uid, callers.* EXCLUDE (expiration_time)
            FROM {LINKS} JOIN {NODES} AS nodes USING (uid, principal_uid) JOIN {CALLERS} AS callers USING (event_uid)
            ANTI JOIN {PERSONS} AS persons USING (uid, principal_uid)
            WHERE sought_id IS NOT NULL OR sought_name IS NOT NULL
        ), lasting AS (
            SELECT nodes.*, greatest(coalesce(expiration_time, nodes.created_time + {_LONGEST}), last_seen_time) AS until
            FROM {NODES} AS nodes LEFT JOIN {LINKS} USING (uid, principal_uid)
            LEFT JOIN {CALLERS} USING (event_uid)
        ), found AS (
            SELECT asking.uid, asking.principal_uid, asking.issued_time, asking.session_uid AS own_session, above
            FROM asking JOIN lasting AS above ON above.principal_id = asking.sought_id
            UNION ALL
            SELECT asking.uid, asking.principal_uid, asking.issued_time, asking.session_uid, above
            FROM asking JOIN lasting AS above
                ON above.principal_uid = asking.by_principal_uid AND {name} = asking.sought_name
        )
        SELECT uid, principal_uid, above.uid AS above_uid, above.principal_uid AS above_principal_uid,
            count(DISTINCT above.session_uid) OVER (PARTITION BY uid, principal_uid) AS sessions,
            row_number() OVER (PARTITION BY uid, principal_uid
                ORDER BY above.created_time DESC, above.uid, above.principal_uid) AS place
        FROM found
        WHERE above.created_time <= issued_time + {SKEW} AND above.until >= issued_time - {SKEW}
            AND above.session_uid <> own_session""")


def _broken(engine: DuckDB) -> None:
    """`missing` says what is not in the log, by which account's trail would hold it."""
    began = f"coalesce(', which began at ' || {time_text('created_time')}, '')"
    of_several = "CASE WHEN sessions > 1 AND NOT unseen THEN 'which of ' || sessions || ' sessions ' ELSE 'who ' END"
    known = "'; the log knows ' || sessions || ' of that id at that moment, and there may be others'"
    others = f"CASE WHEN sessions > 0 THEN {known} ELSE '' END"
    who = f"{of_several} || left(by_id, {SHOWN}) || ' was'"
    engine.execute(f"""
        CREATE OR REPLACE TEMP TABLE {STEPS} AS
        WITH joined AS (
            SELECT nodes.*, links.event_uid, links.established, links.confidence AS own, callers.operation,
                callers.issued_time, callers.expiration_time, issued_source_identity, by_key, by_account, by_id, by_type,
                CASE WHEN person_principal_uid IS NOT NULL THEN person_uid
                    WHEN coalesce(by_uid <> nodes.uid, FALSE) THEN by_uid
                    WHEN candidates.sessions = 1 AND NOT unseen THEN above_uid END AS parent_uid,
                coalesce(person_principal_uid, CASE WHEN candidates.sessions = 1 AND NOT unseen THEN above_principal_uid END,
                    callers.by_principal_uid, links.by_principal_uid) AS parent_principal_uid,
                CASE WHEN person_principal_uid IS NULL THEN links.root_uid END AS root_uid, candidates.sessions, unseen,
                person_principal_uid, person_event_uid AS parent_event_uid, person_confidence, person_missing,
                person_principal_uid IS NULL AND coalesce(unnamed OR coalesce(by_uid = nodes.uid, FALSE) OR sought_id IS NOT NULL
                    OR sought_name IS NOT NULL, FALSE) AS unsure
            FROM {NODES} AS nodes LEFT JOIN {LINKS} AS links USING (uid, principal_uid)
            LEFT JOIN {CALLERS} AS callers ON callers.event_uid = links.event_uid
            LEFT JOIN {CANDIDATES} AS candidates
                ON candidates.uid = nodes.uid AND candidates.principal_uid = nodes.principal_uid AND place = 1
            LEFT JOIN {PERSONS} AS persons ON persons.uid = nodes.uid AND persons.principal_uid = nodes.principal_uid
        )
        SELECT * REPLACE (CASE WHEN missing IS NOT NULL THEN NULL WHEN unsure AND own = 'certain' THEN 'likely'
            WHEN own = 'possible' THEN own ELSE coalesce(person_confidence, own) END AS own) FROM (
            SELECT *, CASE
                WHEN person_missing IS NOT NULL THEN person_missing
                WHEN established IS NULL AND account_uid {_KNOWN} THEN
                    'no event in the log opens this session' || {began} || ': the call would stand in the trail of '
                    || 'account ' || account_uid
                WHEN established IS NULL THEN
                    'the trail of account ' || coalesce(account_uid, '(not named)') || ' is not in the log: the call '
                    || 'that opened this session' || {began} || ' would stand there'
                WHEN NOT unsure OR parent_uid IS NOT NULL THEN NULL
                WHEN by_type <> 'AWSAccount' THEN
                    'the log does not say ' || {who} || ' that opened this session'
                WHEN by_account {_KNOWN} THEN
                    'the trail of account ' || by_account || ' does not hold its copy of this ' || operation
                    || ', which would say ' || {who}
                ELSE 'the trail of account ' || coalesce(by_account, '(not named)') || ' is not in the log: its copy of '
                    || 'this ' || operation || ' would say ' || {who} || {others}
            END AS missing FROM joined
        )""")
