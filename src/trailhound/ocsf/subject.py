"""Whom an event is about: the user signing in (3002) or acted upon (3001), the session issued, the policy."""

from __future__ import annotations

from typing import Any, NamedTuple

from trailhound.ocsf.actor import Actor
from trailhound.ocsf.classify import ACCOUNT_CHANGE, AUTHENTICATION, Kind
from trailhound.ocsf.resources import Resource
from trailhound.ocsf.times import epoch_ms
from trailhound.vocab.aws import principal_arn

PATHS: tuple[str, ...] = (
    "user.name",
    "user.uid",
    "session.uid",
    "session.credential_uid",
    "session.expiration_time",
    "is_mfa",
    "policy.uid",
)
_ACTED_UPON = ("AWS::IAM::User", "AWS::IAM::Role")
_POLICY_MEMBERS = ("policyArn", "permissionsBoundary", "policyName")


class Subject(NamedTuple):
    """The columns of `PATHS`."""

    user_name: str | None = None
    user_uid: str | None = None
    session_uid: str | None = None
    session_credential_uid: str | None = None
    session_expiration_time: int | None = None
    is_mfa: bool | None = None
    policy_uid: str | None = None


NONE = Subject()


def subject(
    kind: Kind, who: Actor, request: Any, response: Any, *, mfa_used: str | None, found: tuple[Resource, ...]
) -> Subject:
    """`request`, `response`: parsed requestParameters and responseElements; `mfa_used`: "Yes", "No" or nothing."""
    name = uid = policy = mfa = None
    if kind.class_uid == AUTHENTICATION and (role := _text(request, "roleArn")):
        name, uid = _text(request, "roleSessionName"), principal_arn(role)
    elif kind.class_uid == AUTHENTICATION:
        name, uid = who.name, None if who.flags else who.principal_uid
        mfa = {"yes": True, "no": False}.get((mfa_used or "").lower())
    elif kind.class_uid == ACCOUNT_CHANGE:
        user = next((one for acted_upon in _ACTED_UPON for one in found if one[2] == acted_upon), None)
        if user is not None:
            uid, name = user[:2]
        policy = next(filter(None, (_text(request, member) for member in _POLICY_MEMBERS)), None)
    issued = _member(response, kind.session) if kind.session else None
    if not issued:
        return Subject(name, uid, None, None, None, mfa, policy)
    session = _text(_member(response, "assumedRoleUser") or _member(response, "federatedUser"), "arn")
    expires = epoch_ms(_text(issued, "expiration"))
    return Subject(name, uid, session, _text(issued, "accessKeyId"), expires, mfa, policy)


def _member(value: Any, key: str) -> dict[str, Any]:
    found = value.get(key) if isinstance(value, dict) else None
    return found if isinstance(found, dict) else {}


def _text(value: Any, key: str) -> str | None:
    found = value.get(key) if isinstance(value, dict) else None
    if isinstance(found, int | float) and not isinstance(found, bool):
        return str(found)
    return found or None if isinstance(found, str) else None
