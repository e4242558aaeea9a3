"""What an identity, role or resource could do or let do at a moment, as far as the log tells."""

from __future__ import annotations

from collections.abc import Collection, Iterable

import msgspec

from trailhound.permissions import replay
from trailhound.permissions.change import in_order
from trailhound.permissions.difference import Permission, difference
from trailhound.permissions.document import Policy
from trailhound.permissions.escalation import Escalation, opened
from trailhound.permissions.estate import Estate, Held, Holder, Managed, held, statements_of, why
from trailhound.permissions.evaluate import Document
from trailhound.permissions.exposure import Exposure, exposures


class Holding(msgspec.Struct, frozen=True, kw_only=True):
    """All that the log shows to bear on one principal or resource.

    `allowed` follows from the policies that are known; those in `unknowns` may allow more, or forbid it. A name that no
    call of the log writes to has nothing but unknowns.
    """

    holder: str  # ARN
    policies: tuple[str, ...] = ()  # its own: names of inline policies, ARNs of those attached
    groups: tuple[str, ...] = ()  # ARNs
    boundary: str | None = None  # ARN; "": none; None: not known
    allowed: tuple[Permission, ...] = ()
    in_other_versions: tuple[Permission, ...] = ()  # of a policy: what those allow that are not in force
    holders: tuple[str, ...] = ()  # of a policy: ARNs, also of the members of groups
    lets_in: tuple[Permission, ...] = ()  # by the trust policy of a role, by the policy of a resource
    exposures: tuple[Exposure, ...] = ()
    escalations: tuple[Escalation, ...] = ()
    unknowns: tuple[str, ...] = ()


def holding(records: Iterable[replay.Call], holder: str, day: str, *, own: Collection[str] = ()) -> Holding:
    """After all these calls, on a day, "2026-01-31", by which the texts of AWS's own policies are chosen.

    `records`: as for `meaning`, those up to the moment alone. `holder`: ARN, of users and roles without path.
    """
    calls = in_order(records)
    estate = Estate()
    for call in calls:
        replay.apply(estate, call)
    ours = frozenset({replay.account(each) for each in calls} | set(own))
    if ":iam:" not in holder:
        return _of_resource(estate, holder, ours)
    return _of_policy(estate, holder, day) if ":policy/" in holder else _of_principal(estate, holder, day, ours)


def _of_principal(estate: Estate, holder: str, day: str, own: Collection[str]) -> Holding:
    found, known = held(estate, holder, day), estate.holders.get(holder, Holder())
    layers = (found.identity,) if found.boundary is None else (found.identity, found.boundary)
    allowed = difference(((),) * len(layers), layers)
    trusts = [estate.trusts[holder]] if holder in estate.trusts else []
    lets_in = difference(((),), (statements_of(trusts),))
    unknowns = [*found.missing, *_unread(holder, trusts)]
    if ":role/" in holder and not trusts:
        unknowns.append(f"whom {holder} trusts")
    if not (allowed.complete and lets_in.complete):
        unknowns.append("the rest: the policies tell more cases apart than are gone through")
    return Holding(
        holder=holder,
        policies=(*sorted(known.inline), *sorted(known.attached)),
        groups=tuple(sorted(known.groups)),
        boundary=known.boundary,
        allowed=allowed.gained,
        lets_in=lets_in.gained,
        exposures=exposures(lets_in.gained, own),
        escalations=opened(Held((), None, found.missing), found, holder, estate),
        unknowns=tuple(unknowns),
    )


def _of_policy(estate: Estate, holder: str, day: str) -> Holding:
    managed = estate.managed.get(holder, Managed())
    document = estate.document(holder, day)
    others = [each for version, each in managed.versions.items() if version != managed.default]
    allowed, other = (difference(((),), (statements_of(each),)) for each in ([document], others))
    attached = estate.attached_to(holder)
    members = (member for each in attached if ":group/" in each for member in estate.members(each))
    unknowns = _unread(holder, [document, *others])
    if "v1" not in managed.versions:
        unknowns.append(f"other versions of {holder}, and who holds it, since before the log")
    return Holding(
        holder=holder,
        allowed=allowed.gained,
        in_other_versions=other.gained,
        holders=tuple(dict.fromkeys([*attached, *members])),
        unknowns=tuple(unknowns),
    )


def _of_resource(estate: Estate, holder: str, own: Collection[str]) -> Holding:
    documents = list(estate.resources.get(holder, {}).values())
    found = difference(((),), (statements_of(documents),))
    unknowns = _unread(holder, documents)
    if holder not in estate.new:
        unknowns.append(f"the policy of {holder} that is older than the log")
    return Holding(
        holder=holder, lets_in=found.gained, exposures=exposures(found.gained, own), unknowns=tuple(unknowns)
    )


def _unread(holder: str, documents: Iterable[Document]) -> list[str]:
    return [f"the policy of {holder}: {why(each)}" for each in documents if not isinstance(each, Policy)]
