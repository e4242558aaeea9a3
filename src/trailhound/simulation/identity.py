"""Identifiers as AWS forms them, and `userIdentity` in its shapes.

Identifiers come from a hash of what they identify, so a user has the same principal id in every file
and every run of a story.
"""

from __future__ import annotations

import base64
import hashlib
from functools import lru_cache
from typing import Any, NamedTuple

import msgspec


@lru_cache(maxsize=1024)
def unique_id(prefix: str, *parts: str) -> str:
    """An IAM unique id, `AIDA...`, `AROA...`: 21 characters."""
    return prefix + base64.b32encode(_digest(*parts)).decode()[:17]


def resource_id(prefix: str, *parts: str) -> str:
    """An EC2 id of the long form: `i-` and 17 hexadecimal digits."""
    return f"{prefix}-{_digest(*parts).hex()[:17]}"


def access_key(prefix: str, account: str, bits: int) -> str:
    """An access key, `AKIA...` or `ASIA...`, 20 characters, that carries its account as real ones do.

    Behind the prefix stand 80 bits in base 32: one, then the account in 40, then 39 of chance.
    """
    chance = bits & ((1 << 39) - 1)
    value = (1 << 79) | ((int(account) & ((1 << 40) - 1)) << 39) | chance
    return prefix + base64.b32encode(value.to_bytes(10, "big")).decode()


@lru_cache(maxsize=1024)
def long_term_key(account: str, user: str) -> str:
    """The access key of a user: one each, for ever."""
    return access_key("AKIA", account, int.from_bytes(_digest("key", account, user)[:8], "big"))


def _digest(*parts: str) -> bytes:
    return hashlib.sha256("/".join(parts).encode()).digest()


class Session(NamedTuple):
    """What the records of one caller have in common, from its first call until its credentials end."""

    identities: tuple[str, ...]  # userIdentity, JSON; a console session has several, one for each of its keys
    arn: str
    address: str
    name: str = ""  # role session name
    key: str = ""
    ends: int = 0  # epoch seconds


class Who(NamedTuple):
    """An identity of IAM: a user or a role, with its path."""

    kind: str  # "user" or "role"
    account: str
    path: str  # "/" or "/Development/"
    name: str

    @property
    def arn(self) -> str:
        return f"arn:aws:iam::{self.account}:{self.kind}{self.path}{self.name}"

    @property
    def principal_uid(self) -> str:
        """The ARN without its path: how the events table names the actor."""
        return f"arn:aws:iam::{self.account}:{self.kind}/{self.name}"

    @property
    def unique_id(self) -> str:
        return unique_id("AIDA" if self.kind == "user" else "AROA", self.account, self.name)


def who(kind: str, account: str, path_and_name: str) -> Who:
    """From `Development/Roboman1`."""
    path, _, name = path_and_name.rpartition("/")
    return Who(kind, account, f"/{path}/" if path else "/", name)


def user(user: Who, key: str, attributes: dict[str, str] | None = None) -> dict[str, Any]:
    """An IAM user; with `attributes` when it works with temporary or console credentials."""
    found: dict[str, Any] = {
        "type": "IAMUser",
        "principalId": user.unique_id,
        "arn": user.arn,
        "accountId": user.account,
        "accessKeyId": key,
        "userName": user.name,
    }
    if attributes is not None:
        found["sessionContext"] = {"sessionIssuer": {}, "webIdFederationData": {}, "attributes": attributes}
    return found


def signing_in(user: Who, *, known: bool) -> dict[str, Any]:
    """A user at the sign-in page. Before the password is accepted (`known`) the log has no ARN."""
    if known:
        return {
            "type": "IAMUser",
            "principalId": user.unique_id,
            "arn": user.arn,
            "accountId": user.account,
            "userName": user.name,
        }
    return {
        "type": "IAMUser",
        "principalId": user.unique_id,
        "accountId": user.account,
        "accessKeyId": "",
        "userName": user.name,
    }


def assumed_role(role: Who, session: str, key: str, began: str, *, mfa: bool, delivery: str = "") -> dict[str, Any]:
    """A session of a role; `delivery` is how an instance received it (`2.0`: IMDSv2)."""
    context: dict[str, Any] = {
        "sessionIssuer": {
            "type": "Role",
            "principalId": role.unique_id,
            "arn": role.arn,
            "accountId": role.account,
            "userName": role.name,
        },
        "webIdFederationData": {},
        "attributes": {"creationDate": began, "mfaAuthenticated": "true" if mfa else "false"},
    }
    if delivery:
        context["ec2RoleDelivery"] = delivery
    return {
        "type": "AssumedRole",
        "principalId": f"{role.unique_id}:{session}",
        "arn": session_arn(role, session),
        "accountId": role.account,
        "accessKeyId": key,
        "sessionContext": context,
    }


def session_arn(role: Who, session: str) -> str:
    """The ARN of a role's session, in which the path is lost."""
    return f"arn:aws:sts::{role.account}:assumed-role/{role.name}/{session}"


def service(name: str) -> dict[str, Any]:
    """An AWS service that acts by itself."""
    return {"type": "AWSService", "invokedBy": name}


def other_account(account: str, principal_id: str) -> dict[str, Any]:
    """A caller from another account, as the owner of the resource sees it."""
    return {"type": "AWSAccount", "principalId": principal_id, "accountId": account}


def encode(identity: dict[str, Any]) -> str:
    return msgspec.json.encode(identity).decode()
