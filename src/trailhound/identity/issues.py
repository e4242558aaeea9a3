"""The calls that issue a credential, open a session or make a user, and what each says of the two sides.

ISSUES holds them day by day, as logged. One issue is one act: AssumeRole into another account is logged in both, with
a common `sharedEventID`. The caller's copy holds the whole identity of the caller, that of the role's owner only its
id and account. `collect` makes one row of the copies.
"""

from __future__ import annotations

from trailhound.engines.dialect import listed, literal
from trailhound.engines.duckdb import DuckDB
from trailhound.identity.derive import Daily
from trailhound.lake.attribution import KEY, SESSION_UID, unmasked

OPENED = "linking_issues"

STS = ("AssumeRole", "AssumeRoleWithSAML", "AssumeRoleWithWebIdentity", "AssumeRoot", "GetFederationToken")
TOKENS = ("GetSessionToken", "GetCredentialsForIdentity")
SIGN_INS = ("ConsoleLogin", "SwitchRole")
# Of Identity Center: a person signs in; a role of an account is handed out to the person.
CENTER_SIGN_INS = ("UserAuthentication", "CredentialVerification")
HANDING_OUT = ("GetRoleCredentials", "Federate")
# What lasts until it is deleted: a user, its keys, its password.
MAKING = ("CreateAccessKey", "CreateUser", "CreateLoginProfile", "UpdateLoginProfile")

_OPENING = (*STS, *TOKENS, *SIGN_INS, *CENTER_SIGN_INS, *HANDING_OUT)
# Only the whole record says all of these, and whole records are most of what a lake holds: no others are read.
_TOLD = ("SwitchRole", *CENTER_SIGN_INS, *HANDING_OUT)

# What is read of a request, of a response and of a record, each once.
_REQUEST = (
    "roleArn", "roleName", "role_name", "accountId", "account_id", "sourceIdentity", "durationSeconds",
    "targetPrincipal", "identityId",
)  # fmt: skip
_RESPONSE = (
    "assumedRoleUser.assumedRoleId", "federatedUser.federatedUserId", "sourceIdentity", "accessKey.accessKeyId",
)  # fmt: skip
_RECORD = (
    "additionalEventData.SwitchFrom", "additionalEventData.UserName", "serviceEventDetails.role_name",
    "serviceEventDetails.roleName", "serviceEventDetails.account_id", "serviceEventDetails.accountId",
)  # fmt: skip


def _texts(column: str, names: tuple[str, ...]) -> str:
    """The texts at these places, NULL where the column is no JSON."""
    return f"TRY(json_extract_string({column}, [{', '.join(literal(f'$.{name}') for name in names)}]))"


def _request(name: str) -> str:
    return f"request[{_REQUEST.index(name) + 1}]"


def _response(name: str) -> str:
    return f"response[{_RESPONSE.index(name) + 1}]"


def _record(name: str) -> str:
    return f"record[{_RECORD.index(name) + 1}]"


def _center(name: str, other: str) -> str:
    """What Identity Center was asked for, in one of its spellings."""
    places = [_request(name), _request(other), *(_record(f"serviceEventDetails.{one}") for one in (name, other))]
    return f"CASE WHEN {_one_of(HANDING_OUT)} THEN coalesce({', '.join(places)}) END"


def _one_of(operations: tuple[str, ...]) -> str:
    return f"api.operation IN ({listed(operations)})"


# ARN of a role's session → ARN of the role, as `principal_uid` has it. Session ARNs have no path.
_ROLE = (
    r"regexp_replace(session.uid, '(?s)^arn:([^:]*):sts::([^:]*):assumed-role/([^/]*)/.*$', 'arn:\1:iam::\2:role/\3')"
)
_TARGET = f"regexp_replace({_request('targetPrincipal')}, '^arn:[^:]*:iam::([^:]*):root$', '\\1')"
_ROOT = f"'arn:' || split_part(actor.user.uid, ':', 2) || ':iam::' || {_TARGET} || ':root'"
_TIMES = "TRY_CAST(coalesce({}, '3600') AS BIGINT) * 1000".format(_request("durationSeconds"))
_OWN = "api.operation IN ('GetSessionToken', 'ConsoleLogin', 'SwitchRole')"  # whoever asks gets it
_NOT_YET = f"({_one_of(CENTER_SIGN_INS)} OR (api.operation = 'ConsoleLogin' AND actor.user.type <> 'AssumedRole'))"

# `principal_id` and `principal_uid` are those of what was issued, `by_*` of whoever asked for it.
ISSUES = Daily(
    table="issues",
    version=1,
    select=f"""
        SELECT
            event_day,
            metadata.uid AS event_uid,
            time,
            api.operation AS operation,
            cloud.account.uid AS account_uid,
            CASE WHEN api.service.name = 'sts.amazonaws.com' THEN metadata.correlation_uid END AS shared_event_uid,
            CASE
                WHEN api.operation = 'CreateAccessKey' THEN {unmasked(_response("accessKey.accessKeyId"))}
                WHEN NOT {_one_of(HANDING_OUT)} THEN {unmasked("session.credential_uid")}
            END AS credential_uid,
            CASE
                WHEN {_one_of((*MAKING, *CENTER_SIGN_INS))} THEN NULL
                WHEN {_OWN} THEN actor.user.uid_alt
                WHEN api.operation = 'AssumeRoot' THEN {_TARGET}
                WHEN api.operation = 'GetFederationToken' THEN {_response("federatedUser.federatedUserId")}
                ELSE {_response("assumedRoleUser.assumedRoleId")}
            END AS principal_id,
            CASE
                WHEN {_OWN} THEN principal_uid
                WHEN api.operation = 'AssumeRoot' THEN {_ROOT}
                WHEN session.uid IS NOT NULL THEN {_ROLE}
                ELSE user.uid
            END AS principal_uid,
            {_request("roleArn")} AS issuer_uid,
            coalesce(session.expiration_time, time + CASE WHEN api.operation LIKE 'Assume%' THEN {_TIMES} END)
                AS expiration_time,
            coalesce({_response("sourceIdentity")}, {_request("sourceIdentity")}) AS source_identity,
            {_center("account_id", "accountId")} AS for_account_uid,
            {_center("role_name", "roleName")} AS for_role,
            CASE WHEN NOT coalesce({_NOT_YET}, TRUE) THEN {SESSION_UID} END AS by_session_uid,
            {KEY} AS by_credential_uid,
            CASE WHEN api.operation = 'GetCredentialsForIdentity' AND {SESSION_UID} IS NULL
                THEN coalesce({_request("identityId")}, principal_uid) ELSE principal_uid END AS by_principal_uid,
            actor.user.uid_alt AS by_principal_id,
            actor.user.type AS by_type,
            actor.user.account.uid AS by_account_uid,
            nullif(coalesce({unmasked("actor.user.name")}, {unmasked(_record("additionalEventData.UserName"))}), '') AS by_name,
            {_record("additionalEventData.SwitchFrom")} AS switched_from
        FROM (
            SELECT *, {_texts("api.request.data", _REQUEST)} AS request,
                {_texts("api.response.data", _RESPONSE)} AS response
            FROM events WHERE {_one_of((*_OPENING, *MAKING))} AND status_id = 1
        ) LEFT JOIN (
            SELECT metadata.uid AS told_uid, {_texts("raw_data", _RECORD)} AS record
            FROM events WHERE {_one_of(_TOLD)} AND status_id = 1
        ) ON told_uid = metadata.uid""",
)

# The copies of one act; what only one of them holds is taken from it, the caller from the one that knows most of it.
_TAKEN = ("key", "principal_id", "principal_uid", "issuer_uid", "expiration_time", "source_identity")


def collect(engine: DuckDB) -> None:
    """Fill OPENED (`event_uid`, `operation`, `time`, `key` ...) from `issues`: one row an act that opens a session."""
    taken = ", ".join(f"max({name}) OVER copies AS {name}" for name in _TAKEN)
    engine.execute(f"""
        CREATE OR REPLACE TEMP TABLE {OPENED} AS
        SELECT * FROM (
            SELECT * REPLACE ({taken}),
                row_number() OVER (PARTITION BY act ORDER BY by_type = 'AWSAccount', event_uid) AS place
            FROM (
                SELECT *, CASE WHEN shared_event_uid IS NULL THEN event_uid
                    ELSE operation || ' ' || shared_event_uid END AS act
                FROM (SELECT * RENAME (credential_uid AS key, by_session_uid AS by_uid, by_credential_uid AS by_key,
                    by_principal_id AS by_id, by_account_uid AS by_account, for_account_uid AS for_account)
                    FROM issues WHERE operation NOT IN ({listed(MAKING)}))
            )
            WINDOW copies AS (PARTITION BY act)
        ) WHERE place = 1""")
