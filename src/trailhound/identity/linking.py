"""Each session joined to what opened it: the strongest evidence first, and how strong it is.

The steps, in order; a session that one of them explains is left alone by those that follow:

    issued_key        an event issued the very access key: certain
    session_created   an event opened a session of this id within two seconds of its beginning
    console_sign_in   a sign-in did; switch_role: a change of role in the console did
    identity_center_sign_in   the person signed in to Identity Center, and this is the session of its portal
    instance_profile, service_linked_role, session_issuer, own_identity, identity_center, on_behalf_of: what AWS writes
                      into the record itself
    instance_name     the session is named like an instance, which whoever opened it may have chosen

A failed call opens nothing and is no evidence here.
"""

from __future__ import annotations

from trailhound.engines.dialect import listed, literal
from trailhound.engines.duckdb import DuckDB
from trailhound.identity.issues import OPENED, SIGN_INS
from trailhound.lake.times import HOUR

NODES, LINKS = "linking_nodes", "linking_links"

SKEW = 2_000  # ms between the call that opens a session and the time of creation that its records bear
_CONTRADICTED = 5_000  # ms beyond which the two speak against each other
SIGNED_IN = 12 * HOUR  # how long after a sign-in to Identity Center what is done there is put down to it
SHOWN = 200  # characters of a name in a sentence
RESERVED = ":role/aws-reserved/sso.amazonaws.com/"  # the path of roles that only Identity Center opens

_SIGN_INS = listed(SIGN_INS)
NAME = "substr(nodes.principal_id, strpos(nodes.principal_id, ':') + 1)"
# Its own records name the person or account: whoever opened the session is the same.
_ITSELF = "nodes.type IN ('IAMUser', 'IdentityCenterUser') OR (nodes.type = 'Root' AND nodes.via IS DISTINCT FROM 'assumed_root')"
# The Identity Center user that AWS names in the record, as `principal_uid` has it.
PERSON = "'arn:' || split_part(nodes.principal_uid, ':', 2) || ':identitystore:::user/' || nodes.on_behalf_of"
_PATH = r"regexp_replace(nodes.issuer_uid, '(?s):(user|role)/.*/([^/]*)$', ':\1/\2')"
_BY = "(issues.by_uid, issues.by_key, issues.by_principal_uid, issues.by_id)"
_BY_OPERATION = (
    "CASE operation WHEN 'ConsoleLogin' THEN 'console_sign_in' WHEN 'SwitchRole' THEN 'switch_role' "
    "ELSE 'session_created' END"
)


def link(engine: DuckDB) -> None:
    """Fill NODES, one row a session, and LINKS, at most one a session, from `credentials` and ISSUES."""
    _nodes(engine)
    engine.execute(
        f"CREATE OR REPLACE TEMP TABLE {LINKS} (uid VARCHAR, principal_uid VARCHAR, event_uid VARCHAR, "
        "established VARCHAR, confidence VARCHAR, by_principal_uid VARCHAR, root_uid VARCHAR)"
    )
    _by_key(engine)
    _by_creation(engine)
    _by_portal(engine)
    _by_record(engine)
    _unused(engine)


def _nodes(engine: DuckDB) -> None:
    engine.execute(f"""
        CREATE OR REPLACE TEMP TABLE {NODES} AS
        SELECT uid, principal_uid, min(session_uid) AS session_uid, min(credential_uid) AS credential_uid,
            min(principal_id) AS principal_id, min(account_uid) AS account_uid, min(type) AS type,
            min(issuer_uid) AS issuer_uid, min(source_identity) AS source_identity, min(via) AS via, min(on_behalf_of) AS on_behalf_of,
            min(created_time) AS created_time, min(first_seen_time) AS first_seen_time,
            max(last_seen_time) AS last_seen_time, CAST(sum(events) AS BIGINT) AS events,
            arg_min(first_event_uid, (first_seen_time, first_event_uid)) AS first_event_uid,
            count(DISTINCT created_time) > 1 OR count(DISTINCT principal_id) > 1
                OR count(DISTINCT on_behalf_of) > 1 AS contradictory
        FROM credentials WHERE session_uid IS NOT NULL GROUP BY uid, principal_uid""")


def _add(engine: DuckDB, select: str) -> None:
    """Links of sessions that have none yet; `nodes` in `select` are those."""
    engine.execute(f"""
        INSERT INTO {LINKS}
        WITH nodes AS (SELECT * FROM {NODES} ANTI JOIN {LINKS} USING (uid, principal_uid)),
        issues AS (SELECT * FROM {OPENED}) {select}""")


def _by_key(engine: DuckDB) -> None:
    """Copies that share no `sharedEventID` are one act too; callers that differ are not."""
    _add(
        engine,
        f""", callers AS (
            SELECT key, greatest(
                count(DISTINCT {_BY}) FILTER (by_type IS DISTINCT FROM 'AWSAccount'),
                count(DISTINCT by_id) FILTER (by_type = 'AWSAccount')) AS callers
            FROM issues WHERE key IS NOT NULL GROUP BY key
        ), found AS (
            SELECT nodes.uid, nodes.principal_uid, event_uid,
                CASE WHEN contradictory OR callers > 1 OR abs(time - coalesce(created_time, time)) > {_CONTRADICTED}
                    OR first_seen_time < time - {_CONTRADICTED} THEN 'possible' ELSE 'certain' END AS confidence,
                row_number() OVER (PARTITION BY nodes.uid, nodes.principal_uid ORDER BY by_type = 'AWSAccount',
                    abs(time - coalesce(created_time, first_seen_time)), event_uid) AS place
            FROM nodes JOIN issues ON issues.key = nodes.uid
                AND coalesce(issues.principal_uid = nodes.principal_uid, TRUE)
            JOIN callers USING (key)
        )
        SELECT uid, principal_uid, event_uid, 'issued_key', confidence, NULL, NULL FROM found WHERE place = 1""",
    )


def _by_creation(engine: DuckDB) -> None:
    """By id of the session and second of creation. Of a session that is the caller's own, who it is is certain.

    An event that issued another key opened another session; but the console makes keys of its own for one session.
    """
    for sign_ins in (False, True):
        _add(
            engine,
            f""", near AS (
                SELECT nodes.uid, nodes.principal_uid, event_uid, operation, nodes.type AS type, ({_ITSELF}) AS itself,
                    contradictory OR (via IS DISTINCT FROM 'console' AND (
                        (key IS NOT NULL AND credential_uid IS NOT NULL)
                        OR (NOT {sign_ins} AND count(*) OVER (PARTITION BY event_uid) > 1))) AS doubtful,
                    row_number() OVER (PARTITION BY nodes.uid, nodes.principal_uid
                        ORDER BY abs(time - created_time), event_uid) AS place,
                    {_BY} AS caller
                FROM nodes JOIN issues ON issues.principal_id = nodes.principal_id
                    AND coalesce(issues.principal_uid = nodes.principal_uid, TRUE)
                    AND time BETWEEN created_time - {SKEW} AND created_time + {SKEW}
                    AND (operation IN ({_SIGN_INS})) = {sign_ins}
            ), callers AS (
                SELECT uid, principal_uid, count(DISTINCT caller) AS callers FROM near GROUP BY uid, principal_uid
            )
            SELECT uid, principal_uid, event_uid,
                {_BY_OPERATION},
                CASE WHEN itself THEN 'certain' WHEN doubtful OR callers > 1 THEN 'possible' ELSE 'likely' END,
                NULL, NULL
            FROM near JOIN callers USING (uid, principal_uid) WHERE place = 1""",
        )


def _by_portal(engine: DuckDB) -> None:
    """A session of Identity Center's portal, by its own credential, else by the person's last sign-in before it."""
    _add(
        engine,
        f""", near AS (
            SELECT nodes.uid, nodes.principal_uid, event_uid,
                row_number() OVER (PARTITION BY nodes.uid, nodes.principal_uid
                    ORDER BY by_key IS DISTINCT FROM nodes.uid, time DESC, event_uid) AS place
            FROM nodes JOIN issues ON operation = 'UserAuthentication' AND by_id = nodes.principal_id
                AND time BETWEEN nodes.first_seen_time - {SIGNED_IN} AND nodes.first_seen_time + {SKEW}
            WHERE nodes.type = 'IdentityCenterUser'
        )
        SELECT uid, principal_uid, event_uid, 'identity_center_sign_in', 'certain', NULL, NULL FROM near WHERE place = 1""",
    )


def _by_record(engine: DuckDB) -> None:
    """What AWS alone can write: the paths are reserved, the context is not the caller's.

    Which person a role of Identity Center was handed out to is told by `identity_center`.
    """
    service = "split_part(split_part(issuer_uid, ':role/aws-service-role/', 2), '/', 1)"
    _add(
        engine,
        f"""
        SELECT uid, principal_uid, NULL, established,
            CASE established WHEN 'on_behalf_of' THEN 'likely' WHEN 'instance_name' THEN 'possible' ELSE 'certain' END,
            by_principal, CASE WHEN by_principal = 'ec2.amazonaws.com' THEN name ELSE by_principal END
        FROM (
            SELECT uid, principal_uid, {NAME} AS name, CASE
                WHEN {_ITSELF} THEN 'own_identity'
                WHEN type = 'FederatedUser' AND issuer_uid IS NOT NULL THEN 'session_issuer'
                WHEN via = 'instance' THEN 'instance_profile'
                WHEN contains(issuer_uid, ':role/aws-service-role/') THEN 'service_linked_role'
                WHEN contains(issuer_uid, {literal(RESERVED)}) THEN 'identity_center'
                WHEN on_behalf_of IS NOT NULL THEN 'on_behalf_of'
                WHEN regexp_full_match({NAME}, 'i-[0-9A-Za-z]{{8,17}}') AND type = 'AssumedRole' THEN 'instance_name'
            END AS established, CASE established
                WHEN 'own_identity' THEN principal_uid
                WHEN 'session_issuer' THEN {_PATH}
                WHEN 'service_linked_role' THEN {service}
                WHEN 'identity_center' THEN 'sso.amazonaws.com'
                WHEN 'on_behalf_of' THEN {PERSON}
                ELSE 'ec2.amazonaws.com'
            END AS by_principal
            FROM nodes
        ) WHERE established IS NOT NULL""",
    )


def _unused(engine: DuckDB) -> None:
    """Sessions that were opened and never seen: their holder may still use them."""
    _add(
        engine,
        f""", unused AS (
            SELECT *, coalesce(key, principal_id || '@' || time) AS uid FROM issues
            ANTI JOIN {LINKS} AS known USING (event_uid)
        )
        SELECT uid, principal_uid, min(event_uid),
            CASE WHEN min(key) IS NULL THEN min({_BY_OPERATION}) ELSE 'issued_key' END,
            CASE WHEN count(DISTINCT {_BY.replace("issues.", "")}) > 1 THEN 'possible' ELSE 'certain' END, NULL, NULL
        FROM unused ANTI JOIN {NODES} AS seen USING (uid, principal_uid)
        WHERE uid IS NOT NULL AND principal_uid IS NOT NULL GROUP BY uid, principal_uid""",
    )
    engine.execute(f"""
        INSERT INTO {NODES} BY NAME
        SELECT links.uid, links.principal_uid, coalesce(principal_id || '@' || time, uid) AS session_uid,
            key AS credential_uid, principal_id, split_part(links.principal_uid, ':', 5) AS account_uid,
            issuer_uid, time AS created_time, 0 AS events, source_identity, FALSE AS contradictory
        FROM {LINKS} AS links JOIN (SELECT * EXCLUDE (principal_uid) FROM {OPENED}) USING (event_uid)
        WHERE (links.uid, links.principal_uid) NOT IN (SELECT (uid, principal_uid) FROM {NODES})""")
