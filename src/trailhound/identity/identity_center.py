"""Which person of Identity Center stands behind a session of one of its roles.

Only Identity Center opens these roles, and it names the session after the user. The keys that it hands out are not
logged with the person, so who it was is told, the strongest first, by

    the user that AWS names in the session's own records (`onBehalfOf`): certain
    a call to Identity Center that handed out this role of this account at this moment: likely, if the caller bears the
        name of the session, or no name is known of the caller
    what the one user of that name did there within twelve hours before, if it has handed out other roles of this
        account: possible

Else the chain breaks: a name may have been given twice, and in two organisations.
"""

from __future__ import annotations

from trailhound.engines.dialect import listed, literal
from trailhound.engines.duckdb import DuckDB
from trailhound.identity.issues import CENTER_SIGN_INS, HANDING_OUT, OPENED
from trailhound.identity.linking import LINKS, NAME, NODES, PERSON, RESERVED, SHOWN, SIGNED_IN, SKEW

PERSONS = "linking_persons"

_PORTAL, _USERS = "linking_portal", "linking_users"
TEMPORARY = (PERSONS, _PORTAL, _USERS)

_BROWSER = 60_000  # ms in which a browser carries what `Federate` says to the sign-in page
_HASH = 17  # characters that follow the permission set in the name of its role: _0123456789abcdef


def persons(engine: DuckDB) -> None:
    """Fill PERSONS from NODES, LINKS and OPENED: one row for each session of a role of Identity Center.

    `person_uid` (its session at the portal, else NULL), `person_principal_uid`, `person_event_uid` (what tells it),
    `person_confidence`, and `person_missing`, which says why the person is not known.
    """
    _portal(engine)
    unnamed = "'sso.amazonaws.com:' || name"
    shown = f"left(name, {SHOWN})"
    engine.execute(f"""
        CREATE OR REPLACE TEMP TABLE {PERSONS} AS
        WITH reserved AS (
            SELECT nodes.uid, nodes.principal_uid, nodes.account_uid, nodes.created_time, nodes.contradictory,
                nodes.on_behalf_of, {NAME} AS name, {PERSON} AS person, split_part(nodes.principal_uid, ':', 6) AS role
            FROM {NODES} AS nodes JOIN {LINKS} AS links USING (uid, principal_uid) LEFT JOIN {OPENED} USING (event_uid)
            WHERE contains(nodes.issuer_uid, {literal(RESERVED)})
                AND coalesce(operation IN ('AssumeRoleWithSAML', 'ConsoleLogin'), TRUE)
        ), centers AS (
            SELECT for_account AS account_uid, string_agg(DISTINCT account_uid, ', ' ORDER BY account_uid) AS accounts
            FROM {_PORTAL} WHERE for_account IS NOT NULL GROUP BY for_account
        ), told AS ({_HANDED_OUT} UNION ALL {_SIGNED_IN}), best AS (
            SELECT *, count(DISTINCT user_uid) OVER same AS persons,
                row_number() OVER (PARTITION BY uid, principal_uid ORDER BY tier, apart, event_uid) AS place
            FROM told WINDOW same AS (PARTITION BY uid, principal_uid, tier)
        )
        SELECT reserved.uid, reserved.principal_uid, by_uid AS person_uid, event_uid AS person_event_uid,
            CASE WHEN by_uid IS NOT NULL THEN by_principal_uid ELSE coalesce(person, user_uid, {unnamed}) END
                AS person_principal_uid,
            CASE WHEN contradictory THEN 'possible' WHEN person IS NOT NULL THEN 'certain'
                WHEN persons > 1 OR doubtful THEN 'possible' WHEN tier < {_LAST} THEN 'likely' ELSE 'possible' END
                AS person_confidence,
            CASE
                WHEN person IS NOT NULL OR user_uid IS NOT NULL THEN NULL
                WHEN accounts IS NULL THEN 'the trail of the account of Identity Center is not in the log: its '
                    || 'GetRoleCredentials or Federate would say which user ' || {shown} || ' was'
                ELSE 'no call to Identity Center in the trail of account ' || accounts || ' hands out this session: '
                    || 'it would say which user ' || {shown} || ' was'
            END AS person_missing
        FROM reserved LEFT JOIN (SELECT * FROM best WHERE place = 1) USING (uid, principal_uid)
        LEFT JOIN centers USING (account_uid)""")


def _portal(engine: DuckDB) -> None:
    """What persons did at Identity Center, and which names each is known by.

    An older record of a sign-in names the person only by name, and bears the account in place of an id.
    """
    ours = listed((*CENTER_SIGN_INS, *HANDING_OUT))
    engine.execute(f"""
        CREATE OR REPLACE TEMP TABLE {_PORTAL} AS
        SELECT event_uid, time, operation, account_uid, for_account, for_role, by_uid, lower(by_name) AS by_name,
            by_principal_uid, CASE WHEN by_id <> coalesce(by_account, '') THEN by_id END AS user_id
        FROM {OPENED} WHERE operation IN ({ours})""")
    engine.execute(f"""
        CREATE OR REPLACE TEMP TABLE {_USERS} AS
        WITH known AS (
            SELECT user_id, coalesce(min(by_principal_uid) FILTER (starts_with(by_principal_uid, 'arn:')),
                min(by_principal_uid)) AS user_uid, list(DISTINCT by_name) FILTER (by_name IS NOT NULL) AS names
            FROM {_PORTAL} WHERE user_id IS NOT NULL GROUP BY user_id
        )
        SELECT event_uid, coalesce(known.user_uid, by_principal_uid) AS user_uid,
            coalesce(names, CASE WHEN by_name IS NULL THEN [] ELSE [by_name] END) AS names
        FROM {_PORTAL} AS portal LEFT JOIN known USING (user_id)""")


_LAST = 4  # the tier of a sign-in alone

# Of each session: the calls that may have handed it out. By the user that AWS names, by name, by a caller without one.
_HANDED_OUT = f"""
    SELECT uid, principal_uid, event_uid, by_uid, by_principal_uid, user_uid, abs(time - created_time) AS apart,
        CASE WHEN user_id = on_behalf_of THEN 1 WHEN list_contains(names, lower(name)) THEN 2 ELSE 3 END AS tier,
        tier = 3 AND count(DISTINCT name) OVER (PARTITION BY event_uid) > 1 AS doubtful
    FROM reserved JOIN {_PORTAL} ON for_account = reserved.account_uid
        AND starts_with(role, 'role/AWSReservedSSO_' || for_role || '_')
        AND length(role) = length('role/AWSReservedSSO_' || for_role) + {_HASH}
        AND time BETWEEN created_time - CASE operation WHEN 'Federate' THEN {_BROWSER} ELSE {SKEW} END
            AND created_time + {SKEW}
    JOIN {_USERS} USING (event_uid)
    WHERE CASE WHEN on_behalf_of IS NOT NULL THEN user_id = on_behalf_of
        ELSE list_contains(names, lower(name)) OR len(names) = 0 END"""

# Of each session: what the user of its name did before, at an Identity Center that hands out roles of its account;
# nothing if several bear the name there.
_SIGNED_IN = f"""
    SELECT uid, principal_uid, event_uid, by_uid, by_principal_uid, user_uid, abs(time - created_time) AS apart,
        {_LAST} AS tier, FALSE AS doubtful
    FROM (
        SELECT *, min(user_uid) OVER bearing IS DISTINCT FROM max(user_uid) OVER bearing AS several
        FROM reserved JOIN (SELECT DISTINCT for_account, account_uid AS center FROM {_PORTAL} WHERE for_account IS NOT NULL)
            ON for_account = reserved.account_uid
        JOIN {_PORTAL} AS portal ON portal.account_uid = center
        JOIN {_USERS} USING (event_uid)
        WHERE on_behalf_of IS NULL AND list_contains(names, lower(name))
        WINDOW bearing AS (PARTITION BY uid, reserved.principal_uid)
    ) WHERE NOT several AND time BETWEEN created_time - {SIGNED_IN} AND created_time + {SKEW}"""
