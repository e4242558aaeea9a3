"""The issuing events of a log, read plainly: part of the slow reading of sessions."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

Row = dict[str, Any]
OPENING = {
    "AssumeRole", "AssumeRoleWithSAML", "AssumeRoleWithWebIdentity", "AssumeRoot", "GetFederationToken",
    "GetSessionToken", "GetCredentialsForIdentity", "GetRoleCredentials", "ConsoleLogin", "SwitchRole",
    "Federate", "UserAuthentication", "CredentialVerification",
}  # fmt: skip


def role_of(arn: str) -> str:
    """ARN of the role of a session's ARN, of a user without its path."""
    head, kind, rest = re.fullmatch(r"(arn:[^:]*:[^:]*:[^:]*:[^:]*:)([^/]*)/(.*)", arn, re.DOTALL).groups()  # type: ignore[union-attr]
    if kind == "assumed-role":
        return head.replace(":sts:", ":iam:") + "role/" + rest.split("/")[0]
    return f"{head}{kind}/{rest.rsplit('/', 1)[-1]}" if kind in ("user", "role") else arn


def issuing(events: Iterable[Row]) -> list[Row]:
    """Issuing events that succeeded; the copies in several trails are one."""
    found: dict[Any, list[Row]] = {}
    for row in events:
        if row["api.operation"] in OPENING and row["status_id"] == 1:
            shared = row["metadata.correlation_uid"] if row["api.service.name"] == "sts.amazonaws.com" else None
            act = (row["api.operation"], shared) if shared else row["metadata.uid"]
            found.setdefault(act, []).append(_act(row))
    merged = []
    for copies in found.values():
        copies.sort(key=lambda one: (one["by_type"] == "AWSAccount", one["event"]))
        act = dict(copies[0])
        for name in ("key", "id", "principal", "role", "expires", "source_identity"):
            act[name] = max((one[name] for one in copies if one[name] is not None), default=None)
        merged.append(act)
    return sorted(merged, key=lambda act: act["event"])


def _act(row: Row) -> Row:
    operation, record = row["api.operation"], row["record"]
    request, response = record.get("requestParameters") or {}, record.get("responseElements") or {}
    opened_id = (response.get("assumedRoleUser") or {}).get("assumedRoleId")
    principal = role_of(row["session.uid"]) if row["session.uid"] else row["user.uid"]
    if operation in ("GetSessionToken", "ConsoleLogin", "SwitchRole"):
        opened_id, principal = row["actor.user.uid_alt"], row["principal_uid"]
    elif operation == "GetFederationToken":
        opened_id = (response.get("federatedUser") or {}).get("federatedUserId")
    elif operation == "AssumeRoot":
        opened_id = request.get("targetPrincipal")
        caller = row["actor.user.uid"]
        principal = f"arn:{caller.split(':')[1]}:iam::{opened_id}:root" if caller and opened_id else None
    by_principal = row["principal_uid"]
    if operation == "GetCredentialsForIdentity" and not row["session"]:
        by_principal = request.get("identityId") or by_principal
    expires = row["session.expiration_time"]
    if expires is None and operation.startswith("Assume"):
        expires = row["time"] + 1000 * request.get("durationSeconds", 3600)
    more, details = record.get("additionalEventData") or {}, record.get("serviceEventDetails") or {}
    center = operation in ("GetRoleCredentials", "Federate")
    chosen = (
        tuple(
            next((place[name] for place in (request, details) for name in names if place.get(name) is not None), None)
            for names in (("account_id", "accountId"), ("role_name", "roleName"))
        )
        if center
        else (None, None)
    )
    signs_in = operation in ("UserAuthentication", "CredentialVerification")
    if signs_in:
        opened_id = None
    return {
        "event": row["metadata.uid"],
        "time": row["time"],
        "operation": operation,
        "key": None if center else row["session.credential_uid"],
        "id": opened_id,
        "principal": principal,
        "expires": expires,
        "source_identity": response.get("sourceIdentity") or request.get("sourceIdentity"),
        "account": row["cloud.account.uid"],
        "role": request.get("roleArn"),
        "for": chosen,
        "by": row["session"]
        if not signs_in and (operation != "ConsoleLogin" or row["actor.user.type"] == "AssumedRole")
        else None,
        "by_key": row["actor.user.credential_uid"],
        "by_principal": by_principal,
        "by_id": row["actor.user.uid_alt"],
        "by_type": row["actor.user.type"],
        "by_account": row["actor.user.account.uid"],
        "by_name": row["actor.user.name"] or more.get("UserName"),
        "from": more.get("SwitchFrom") if operation == "SwitchRole" else None,
    }
