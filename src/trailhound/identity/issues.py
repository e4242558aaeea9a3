"""Which events issue a credential or open a session, and what each says of the two sides.

One issue is one act: AssumeRole into another account is logged in both, with a common `sharedEventID`. The caller's
copy holds the whole identity of the caller, that of the role's owner only its id and account.
"""

from __future__ import annotations

from trailhound.engines.dialect import json_text, literal
from trailhound.engines.duckdb import DuckDB
from trailhound.lake.attribution import KEY, SESSION_UID, unmasked

ISSUES = "linking_issues"

STS = ("AssumeRole", "AssumeRoleWithSAML", "AssumeRoleWithWebIdentity", "AssumeRoot", "GetFederationToken")
TOKENS = ("GetSessionToken", "GetCredentialsForIdentity", "GetRoleCredentials")
SIGN_INS = ("ConsoleLogin", "SwitchRole")


# What is read of a request and of a response, each once.
_REQUEST = (
    "roleName", "role_name", "accountId", "account_id", "sourceIdentity", "durationSeconds", "targetPrincipal",
    "identityId",
)  # fmt: skip
_RESPONSE = ("assumedRoleUser.assumedRoleId", "federatedUser.federatedUserId", "sourceIdentity")


def _texts(column: str, names: tuple[str, ...]) -> str:
    """The texts at these places, NULL where the column is no JSON."""
    return f"TRY(json_extract_string({column}, [{', '.join(literal(f'$.{name}') for name in names)}]))"


def _request(name: str) -> str:
    return f"request[{_REQUEST.index(name) + 1}]"


def _response(name: str) -> str:
    return f"response[{_RESPONSE.index(name) + 1}]"


# ARN of a role's session → ARN of the role, as `principal_uid` has it. Session ARNs have no path.
_ROLE = (
    r"regexp_replace(session.uid, '(?s)^arn:([^:]*):sts::([^:]*):assumed-role/([^/]*)/.*$', 'arn:\1:iam::\2:role/\3')"
)
_TARGET = f"regexp_replace({_request('targetPrincipal')}, '^arn:[^:]*:iam::([^:]*):root$', '\\1')"
_ROOT = f"'arn:' || split_part(actor.user.uid, ':', 2) || ':iam::' || {_TARGET} || ':root'"
_TIMES = "TRY_CAST(coalesce({}, '3600') AS BIGINT) * 1000".format(_request("durationSeconds"))

# One row an event. `principal_id` and `principal_uid` are those of what was issued, `by_*` of whoever asked for it.
_EVENTS = f"""
    SELECT
        metadata.uid AS event_uid,
        time,
        api.operation AS operation,
        CASE WHEN api.service.name = 'sts.amazonaws.com' THEN metadata.correlation_uid END AS shared,
        CASE WHEN api.operation <> 'GetRoleCredentials' THEN {unmasked("session.credential_uid")} END AS key,
        CASE
            WHEN api.operation IN ('GetSessionToken', 'ConsoleLogin', 'SwitchRole') THEN actor.user.uid_alt
            WHEN api.operation = 'AssumeRoot' THEN {_TARGET}
            WHEN api.operation = 'GetFederationToken' THEN {_response("federatedUser.federatedUserId")}
            ELSE {_response("assumedRoleUser.assumedRoleId")}
        END AS principal_id,
        CASE
            WHEN api.operation IN ('GetSessionToken', 'ConsoleLogin', 'SwitchRole') THEN principal_uid
            WHEN api.operation = 'AssumeRoot' THEN {_ROOT}
            WHEN session.uid IS NOT NULL THEN {_ROLE}
            ELSE user.uid
        END AS principal_uid,
        coalesce(session.expiration_time, time + CASE WHEN api.operation LIKE 'Assume%' THEN {_TIMES} END)
            AS expiration_time,
        coalesce({_response("sourceIdentity")}, {_request("sourceIdentity")}) AS source_identity,
        CASE WHEN api.operation = 'GetRoleCredentials' THEN
            coalesce({_request("accountId")}, {_request("account_id")}) END AS for_account,
        CASE WHEN api.operation = 'GetRoleCredentials' THEN
            coalesce({_request("roleName")}, {_request("role_name")}) END AS for_role,
        CASE WHEN api.operation <> 'ConsoleLogin' OR actor.user.type = 'AssumedRole' THEN {SESSION_UID} END AS by_uid,
        {KEY} AS by_key,
        CASE WHEN api.operation = 'GetCredentialsForIdentity' AND {SESSION_UID} IS NULL
            THEN coalesce({_request("identityId")}, principal_uid) ELSE principal_uid END AS by_principal_uid,
        actor.user.uid_alt AS by_id,
        actor.user.type AS by_type,
        actor.user.account.uid AS by_account,
        actor.user.name AS by_name
    FROM (
        SELECT *, {_texts("api.request.data", _REQUEST)} AS request, {_texts("api.response.data", _RESPONSE)} AS response
        FROM events
        WHERE api.operation IN ({", ".join(map(literal, (*STS, *TOKENS, *SIGN_INS)))}) AND status_id = 1
    )"""

# Only the whole record holds it, and whole records are most of what a lake holds: no others are read.
_SWITCHES = f"""
    SELECT metadata.uid AS event_uid, TRY({json_text("raw_data", "$.additionalEventData.SwitchFrom")}) AS switched_from
    FROM events WHERE api.operation = 'SwitchRole' AND status_id = 1"""

# The copies of one act; what only one of them holds is taken from it, the caller from the one that knows most of it.
_TAKEN = ("key", "principal_id", "principal_uid", "expiration_time", "source_identity")


def collect(engine: DuckDB) -> None:
    """Fill ISSUES (`event_uid`, `operation`, `time`, `key` ...) from `events`: one row an act that succeeded."""
    taken = ", ".join(f"max({name}) OVER copies AS {name}" for name in _TAKEN)
    engine.execute(f"""
        CREATE OR REPLACE TEMP TABLE {ISSUES} AS
        SELECT * FROM (
            SELECT * REPLACE ({taken}),
                row_number() OVER (PARTITION BY act ORDER BY by_type = 'AWSAccount', event_uid) AS place
            FROM (SELECT *, CASE WHEN shared IS NULL THEN event_uid ELSE operation || ' ' || shared END AS act
                FROM ({_EVENTS}) LEFT JOIN ({_SWITCHES}) USING (event_uid))
            WINDOW copies AS (PARTITION BY act)
        ) WHERE place = 1""")
