"""userIdentity → who acted.

`principal_uid` is the same for all sessions of one principal, different for different ones, and never
empty. It is the ARN of the user or role without path where there is one; else what comes nearest:

    IAMUser, Root, Role, AssumedRole   arn:aws:iam::ACCOUNT:user/NAME, :root, :role/NAME
    FederatedUser                      arn:aws:sts::ACCOUNT:federated-user/NAME
    AWSAccount, Directory, Unknown     ACCOUNT:PRINCIPALID, or ACCOUNT:NAME
    IdentityCenterUser                 arn:aws:identitystore:::user/USERID
    SAMLUser, WebIdentityUser          the principal id, which names provider and subject
    AWSService, and records without type   the service: ec2.amazonaws.com
    anonymous                          anonymous

Where the record does not tell who it was, it reads ACCOUNT:unknown (or the mask the log has instead
of a name) and the event carries the flag `unknown_principal`: such events may have several authors.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

from msgspec import Raw, Struct, field

from trailhound.ocsf.record import decode_leniently
from trailhound.ocsf.times import epoch_ms
from trailhound.vocab.aws import MASKS, is_mask, principal_arn

_LONGEST = 4096  # bytes of an identity worth remembering; AWS writes about 600
UNKNOWN = ("unknown_principal",)
_ANONYMOUS = frozenset({"anonymous", "anonymous_principal"})
_UNIQUE_ID = re.compile(r"A[A-Z]{3}[A-Z0-9]{12,}")  # AIDA..., AROA...: never given out twice


class Actor(NamedTuple):
    """The columns that userIdentity decides, then what other columns need of it."""

    type: str | None
    name: str | None
    uid: str | None
    uid_alt: str | None
    credential_uid: str | None
    account_uid: str | None
    session_created_time: int | None
    session_is_mfa: bool | None
    session_issuer: str | None
    invoked_by: str | None
    idp_name: str | None
    principal_uid: str
    owner_account: str | None  # the caller's account, or that of the role behind the session
    flags: tuple[str, ...]


PATHS: tuple[str, ...] = (
    "actor.user.type",
    "actor.user.name",
    "actor.user.uid",
    "actor.user.uid_alt",
    "actor.user.credential_uid",
    "actor.user.account.uid",
    "actor.session.created_time",
    "actor.session.is_mfa",
    "actor.session.issuer",
    "actor.invoked_by",
    "actor.idp.name",
)


class _Issuer(Struct, rename="camel"):
    arn: str | None = None
    account_id: str | None = None


class _Attributes(Struct, rename="camel"):
    creation_date: str | None = None
    mfa_authenticated: str | None = None


class _WebIdentity(Struct, rename="camel"):
    federated_provider: str | None = None


class _Context(Struct, rename="camel"):
    session_issuer: _Issuer = field(default_factory=_Issuer)
    attributes: _Attributes = field(default_factory=_Attributes)
    web_id_federation_data: _WebIdentity = field(default_factory=_WebIdentity)


class _OnBehalfOf(Struct, rename="camel"):
    user_id: str | None = None


class _Identity(Struct, rename="camel"):
    type: str | None = None
    user_name: str | None = None
    principal_id: str | None = None
    arn: str | None = None
    account_id: str | None = None
    access_key_id: str | None = None
    credential_id: str | None = None
    invoked_by: str | None = None
    identity_provider: str | None = None
    session_context: _Context = field(default_factory=_Context)
    on_behalf_of: _OnBehalfOf = field(default_factory=_OnBehalfOf)


def actor(user_identity: bytes, partition: str) -> Actor:
    """`user_identity`: the JSON text; `partition`: of the event's Region, for where no ARN says it."""
    # Identities repeat byte for byte within a session, and reading one costs more than all else of a record.
    return _remembered(user_identity, partition) if len(user_identity) <= _LONGEST else _read(user_identity, partition)


def _read(user_identity: bytes, partition: str) -> Actor:
    who = decode_leniently(Raw(user_identity), _Identity)
    session = who.session_context
    principal, known = _principal(who, partition)
    account = who.account_id or None
    return Actor(
        type=who.type or None,
        name=who.user_name or None,
        uid=who.arn or None,
        uid_alt=who.principal_id or who.on_behalf_of.user_id or None,
        credential_uid=who.access_key_id or who.credential_id or None,
        account_uid=account,
        session_created_time=epoch_ms(session.attributes.creation_date),
        session_is_mfa={"true": True, "false": False}.get((session.attributes.mfa_authenticated or "").lower()),
        session_issuer=session.session_issuer.arn or None,
        invoked_by=who.invoked_by or None,
        idp_name=who.identity_provider or session.web_id_federation_data.federated_provider or None,
        principal_uid=principal,
        owner_account=account or session.session_issuer.account_id or None,
        flags=() if known else UNKNOWN,
    )


_remembered = lru_cache(8192)(_read)


def _principal(who: _Identity, partition: str) -> tuple[str, bool]:
    """(principal_uid, whether it tells one principal from all others)."""
    account, name = _text(who.account_id), _text(who.user_name)
    # The part after the colon is the session; a principal id that is only the account names nobody.
    unsessioned = _text(who.principal_id).partition(":")[0]
    principal = "" if unsessioned == account else unsessioned
    if {account.lower(), unsessioned.lower()} & _ANONYMOUS:
        return "anonymous", True
    arn = _text(who.arn) or _text(who.session_context.session_issuer.arn)
    if arn and arn not in MASKS:
        return principal_arn(arn), True
    if who.type == "Root" and (account or unsessioned):
        return f"arn:{partition}:iam::{account or unsessioned}:root", True
    if who.type == "IAMUser" and account and name and not is_mask(name):
        return f"arn:{partition}:iam::{account}:user/{name}", True
    if who.type == "FederatedUser" and (found := _text(who.principal_id)).count(":") == 1:
        return f"arn:{partition}:sts::{found.replace(':', ':federated-user/')}", True
    if who.type in ("SAMLUser", "WebIdentityUser") and principal:
        return _text(who.principal_id), True
    if user := _text(who.on_behalf_of.user_id):
        return f"arn:{partition}:identitystore:::user/{user}", True
    if who.type in (None, "", "AWSService") and (service := _text(who.invoked_by)):
        return service, True
    scope = account or _text(who.identity_provider)
    return _within(scope, principal or name, unique=_UNIQUE_ID.fullmatch(principal) is not None)


def _within(scope: str, name: str, *, unique: bool = False) -> tuple[str, bool]:
    """A name says who only together with what it is unique in, unless it is unique by itself."""
    if name:
        return f"{scope or 'unknown'}:{name}", bool(scope or unique) and not is_mask(name)
    return (f"{scope}:unknown" if scope else "unknown"), False


def refine(found: Actor, *, user_name: str | None, service: str | None) -> Actor:
    """Who acted, by what stands outside userIdentity: the user name of an Identity Center sign-in, or,
    for events that a service reports of itself, the service."""
    if user_name and not is_mask(user_name):
        principal, known = _within(found.account_uid or "", user_name)
        return found._replace(name=found.name or user_name, principal_uid=principal, flags=() if known else UNKNOWN)
    if service:
        return found._replace(principal_uid=service, flags=())
    return found


def _text(value: str | None) -> str:
    return (value or "").strip()
