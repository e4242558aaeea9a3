"""Whom a policy of a resource or a role lets in from outside.

Sources: the Amazon S3 User Guide, "The meaning of public"; the IAM User Guide, "Principal".
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Literal

import msgspec

from trailhound.permissions.difference import Permission
from trailhound.vocab import aws

Reach = Literal[
    "public", "public under conditions", "outside", "own account", "service", "identity provider", "unknown"
]

# Conditions on these leave a policy that names everyone non-public, if their values are fixed.
_NARROWING = (
    *("aws:sourceip", "aws:sourcearn", "aws:sourcevpc", "aws:sourcevpce", "aws:sourceowner", "aws:sourceaccount"),
    *("aws:principalorgid", "aws:principalorgpaths", "aws:principalarn", "aws:principalaccount", "aws:userid"),
    *(
        "s3:dataaccesspointarn",
        "s3:dataaccesspointaccount",
        "sns:endpoint",
        "kms:calleraccount",
        "lambda:functionurlauthtype",
    ),
)


class Exposure(msgspec.Struct, frozen=True, order=True):
    """One who gained access to a resource, or may take a role."""

    reach: Reach
    principal: str  # "anyone", "account 111122223333", an ARN, a service, "Federated ..."
    conditions: tuple[str, ...] = ()


def exposures(gained: Iterable[Permission], own: Collection[str]) -> tuple[Exposure, ...]:
    """`own`: accounts that are no outsiders."""
    found = {
        Exposure(_reach(principal, permission.conditions, own), principal, permission.conditions)
        for permission in gained
        for principal in permission.principals
    }
    return tuple(sorted(found))


def _reach(principal: str, conditions: Iterable[str], own: Collection[str]) -> Reach:
    if principal == "anyone":
        return "public under conditions" if any(map(_narrows, conditions)) else "public"
    if principal.startswith("Federated "):
        return "identity provider"
    if principal.startswith("CanonicalUser "):
        return "unknown"
    arn = aws.parse_arn(principal)
    account = arn.account if arn else principal.removeprefix("account ")
    if account.isdigit():
        return "own account" if account in own else "outside"
    return "service" if principal.endswith((".amazonaws.com", ".amazonaws.com.cn", ".amazon.com")) else "unknown"


def _narrows(condition: str) -> bool:
    operator, key, *_ = condition.split(" ")
    positive = (
        "Not" not in operator and "IfExists" not in operator and not operator.startswith(("ForAllValues", "Null"))
    )
    return positive and key in _NARROWING
