"""Did one who gained permissions use them, and when?"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cache

import msgspec

from trailhound.permissions import actions
from trailhound.permissions.change import Change
from trailhound.permissions.difference import Permission
from trailhound.permissions.replay import Call
from trailhound.vocab import aws, tsv


class Use(msgspec.Struct, frozen=True, kw_only=True):
    """Calls after the change that it made possible, as far as the known policies tell; failed ones are none.

    None found is not none made: PassRole is never a call, and objects and messages are logged only where it is chosen.
    """

    holder: str
    event_uids: tuple[str, ...]  # in order of time
    actions: tuple[str, ...]  # compared by name alone: calls seldom name their resource as policies do


def uses(change: Change, records: Sequence[Call]) -> tuple[Use, ...]:
    """For each principal that gained: its own calls, and those of its sessions, of an action that it gained.

    `records`: CloudTrail records as JSON has them, in any order. Calls in the second of the change are left out.
    """
    gained = {part.holder: _gained(part.gained) for part in change.parts if part.gained}
    found: dict[str, list[tuple[str, str, str]]] = {}
    at = next((str(each.get("eventTime")) for each in records if each.get("eventID") == change.event_uid), "")
    for record in records:
        holder = caller(record)
        if holder not in gained or record.get("errorCode") or str(record.get("eventTime")) <= at:
            continue
        for action in needed(record) & gained[holder]:
            found.setdefault(holder, []).append((str(record["eventTime"]), str(record.get("eventID")), action))
    return tuple(
        Use(
            holder=holder,
            event_uids=tuple(dict.fromkeys(uid for _, uid, _ in sorted(calls))),
            actions=tuple(sorted({actions.spelled(action) for _, _, action in calls})),
        )
        for holder, calls in sorted(found.items())
    )


def _gained(permissions: Iterable[Permission]) -> frozenset[str]:
    found: set[str] = set()
    for each in permissions:
        named = {name for pattern in each.actions for name in actions.named(pattern)}
        found |= named - {name.lower() for name in each.not_actions}
    return frozenset(found)


def caller(record: Call) -> str:
    """ARN of the user or role behind a call, without path and session; empty where there is none."""
    identity = record.get("userIdentity")
    arn = identity.get("arn") if isinstance(identity, Mapping) else None
    return aws.principal_arn(arn) if isinstance(arn, str) else ""


def needed(record: Call) -> frozenset[str]:
    """The actions that a call needed, in lower case; an action that the call has by another name is among them only
    where `vocab/call_actions.tsv` says so."""
    service, call = aws.service_of(str(record.get("eventSource"))), aws.undated(str(record.get("eventName")))
    written = _renamed().get((service, call), _renamed().get((service, "*"), f"{service}:{{}}"))
    return frozenset(each.replace("{}", call).lower() for each in written.split("|") if each)


@cache
def _renamed() -> dict[tuple[str, str], str]:
    return {(service, call): written for service, call, written in tsv.rows("call_actions")}
