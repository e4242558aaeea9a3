"""What several attributes mean together. Sources: the Amazon S3 User Guide, "Blocking public access"; the IAM User Guide.

Every conclusion is three-valued: what it depends on and is not known makes it unknown, and is named.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from trailhound.permissions.difference import difference
from trailhound.permissions.document import Policy, Unreadable, read
from trailhound.permissions.exposure import exposures
from trailhound.permissions.truth import FALSE, TRUE, Truth, depends, every, some
from trailhound.states.history import Cell, Field, State

_PUBLIC = ("AllUsers", "AuthenticatedUsers")


class Conclusion(NamedTuple):
    name: str
    rests_on: tuple[str, ...]  # attributes
    conclude: Callable[[State, Field, str], Cell]  # (state, the account's access block, account)
    holds: str = "one"


def public(state: State, account_block: Field, account: str) -> Cell:
    """Whether anyone may do anything with a bucket: by its policy or ACL, unless a block stands before it."""
    blocks = {"bucket": state["access_block"], "account": account_block}

    def blocked(flag: str) -> Truth:
        return some(_flag(field, flag, f"the access block of the {whose}") for whose, field in blocks.items())

    no_acls = _is(state["ownership"].rest, "BucketOwnerEnforced", "who owns its objects")
    by_acl = every((_acl(state["acl_groups"]), ~blocked("IgnorePublicAcls"), ~no_acls))
    by_policy = every((_policy(state["policy"].rest, account), ~blocked("RestrictPublicBuckets")))
    return _cell(some((by_acl, by_policy)), state, account_block)


def trusted(state: State, _: Field, account: str) -> Cell:
    """Who may assume a role, by its trust policy; conditions beside each."""
    cell = state["trust_policy"].rest
    if cell.because:
        return cell
    policy = read(cell.value)
    assert isinstance(policy, Policy)  # or it would not be a value
    found = difference(((),), (policy.statements,))
    if not found.complete:
        return cell._replace(value=None, because="the trust policy has too many cases to go through")
    named = exposures(found.gained, [account])
    return cell._replace(value={" if ".join((one.principal, *one.conditions)): one.reach for one in named})


def in_force(state: State, _: Field, __: str) -> Cell:
    """The text of a managed policy that counts."""
    version = state["default_version"].rest
    if version.because:
        return version
    found = state["versions"].at(version.value)
    return found._replace(events=(*version.events, *found.events)) if not found.because else found


CONCLUSIONS: Mapping[str, tuple[Conclusion, ...]] = {
    "bucket": (Conclusion("public", ("policy", "acl_groups", "access_block", "ownership"), public),),
    "role": (Conclusion("trusted", ("trust_policy",), trusted, "map"),),
    "policy": (Conclusion("document", ("default_version", "versions"), in_force),),
}


def _flag(field: Field, flag: str, what: str) -> Truth:
    cell = field.at(flag)
    return depends(_why(cell, what)) if cell.because else TRUE if cell.value is True else FALSE


def _is(cell: Cell, value: Any, what: str) -> Truth:
    return depends(_why(cell, what)) if cell.because else TRUE if cell.value == value else FALSE


def _acl(field: Field) -> Truth:
    if any(cell.value and key.split()[0] in _PUBLIC for key, cell in field.entries.items()):
        return TRUE
    return depends(_why(field.rest, "its ACL")) if field.rest.because else FALSE


def _policy(cell: Cell, account: str) -> Truth:
    if cell.because:
        return depends(_why(cell, "its policy"))
    if cell.value is None:
        return FALSE
    policy = read(cell.value)
    if isinstance(policy, Unreadable):
        return depends(f"its policy: {policy.because}")
    found = difference(((),), (policy.statements,))
    reach = {one.reach: one for one in exposures(found.gained, [account])}
    if "public" in reach:
        return TRUE
    if narrow := reach.get("public under conditions"):
        return depends(f"how far the conditions of its policy narrow it: {', '.join(narrow.conditions)}")
    return FALSE if found.complete else depends("its policy, which has too many cases to go through")


def _why(cell: Cell, what: str) -> str:
    return f"{what}: {cell.because}"


def _cell(truth: Truth, state: State, account_block: Field) -> Cell:
    fields = [*(state[name] for name in ("policy", "acl_groups", "access_block", "ownership")), account_block]
    cells = [cell for field in fields for cell in (field.rest, *field.entries.values()) if not cell.because]
    events = tuple(dict.fromkeys(uid for cell in cells for uid in cell.events))
    if truth.value is None:
        reasons: dict[str, list[str]] = {}
        for what, _, because in (one.partition(": ") for one in sorted(truth.on)):
            reasons.setdefault(because, []).append(what)
        return Cell(
            None,
            events,
            "; ".join(f"it depends on {' and '.join(what)}: {because}" for because, what in reasons.items()),
        )
    return Cell(truth.value, events)
