"""What a call that writes a policy really granted or took away."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import Any, Literal

import msgspec

from trailhound.errors import RequestError
from trailhound.permissions import replay
from trailhound.permissions.difference import Difference, Layers, Permission, difference
from trailhound.permissions.document import Policy, Statement
from trailhound.permissions.escalation import Escalation, opened
from trailhound.permissions.estate import Estate, Held, Holder, Managed, held, statements_of, why
from trailhound.permissions.evaluate import Document
from trailhound.permissions.exposure import Exposure, exposures

Effect = Literal["gains", "loses", "gains and loses", "none", "unknown", "refused"]
_HOLDERS = 50  # of a group or policy that are gone through one by one
_ANYTHING = Statement("Allow", ("*",))


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """What the call means for one principal, role or resource.

    `gained` and `lost` follow from the policies that the log shows. Those in `unknowns` may have granted the same
    before, or may forbid it still. `at_most`: what was there before is not known, so some of `gained` may be old.
    """

    holder: str  # ARN: of a user, role, group or policy; of the role or resource whose policy it is
    effect: Effect
    gained: tuple[Permission, ...] = ()
    lost: tuple[Permission, ...] = ()
    at_most: bool = False
    exposures: tuple[Exposure, ...] = ()  # of what is gained
    lets_in: tuple[Exposure, ...] = ()  # by the whole policy of a resource or role, as it is now
    escalations: tuple[Escalation, ...] = ()
    unknowns: tuple[str, ...] = ()


class Change(msgspec.Struct, frozen=True, kw_only=True):
    event_uid: str
    time: int  # epoch ms, UTC
    operation: str
    kind: str  # what was written: "identity", "managed", "trust", "boundary", "resource", "membership"; "": no policy
    subject: str  # ARN of it
    name: str  # of the policy or group, where it has one
    effect: Effect  # of all parts together; "none" is proven, "unknown" is not
    parts: tuple[Part, ...] = ()


def meaning(records: Iterable[replay.Call], at: str, *, own: Collection[str] = ()) -> Change:
    """The change that the call with event id `at` made.

    `records`: CloudTrail records as JSON has them, in any order, each call of the accounts that writes policies; those
    after `at` are not looked at. `own`: accounts that are no outsiders, beyond those whose log this is.
    Raises RequestError when no record has this id.
    """
    (change,) = meanings(records, [at], own=own)
    return change


def meanings(records: Iterable[replay.Call], at: Collection[str], *, own: Collection[str] = ()) -> list[Change]:
    """`meaning` of several calls, in order of time; the log is replayed once."""
    calls = {str(each.get("eventID")): each for each in records}
    if absent := [uid for uid in at if uid not in calls]:
        raise RequestError(
            f"no record has the event id {absent[0]!r}", next_step="give the id of a call that is in the log"
        )
    ordered = in_order(calls.values())
    seconds: dict[Any, list[replay.Call]] = {}
    for each in ordered:
        seconds.setdefault(each.get("eventTime"), []).append(each)
    ours = frozenset({replay.account(each) for each in ordered} | set(own))
    wanted, found, estate = set(at), [], Estate()
    for call in ordered:
        if len(found) == len(wanted):
            break
        if str(call.get("eventID")) not in wanted:
            replay.apply(estate, call)
            continue
        replay.prove(estate, call)
        before, estate = estate, estate.copy()
        written = replay.apply(estate, call)
        steps = [_Step(before, estate, call, each, ours) for each in written]
        found.append(_change(steps, call, _rival(seconds[call.get("eventTime")], call, written)))
    return found


def in_order(calls: Iterable[replay.Call]) -> list[replay.Call]:
    """By time; the log has no order within a second."""
    return sorted(calls, key=lambda each: (str(each.get("eventTime")), str(each.get("eventID"))))


def _change(steps: Sequence[_Step], call: replay.Call, rival: str) -> Change:
    parts = [part for step in steps for part in _parts(step)]
    if rival:
        parts = [msgspec.structs.replace(each, effect="unknown", unknowns=(*each.unknowns, rival)) for each in parts]
    first = steps[0].written if steps else replay.Written("identity", "")
    return Change(
        event_uid=str(call.get("eventID")),
        time=_milliseconds(call),
        operation=str(call.get("eventName")),
        kind=first.kind if steps else "",
        subject=first.arn,
        name=first.name,
        effect="refused" if call.get("errorCode") else _together({each.effect for each in parts}),
        parts=tuple(parts),
    )


def _milliseconds(call: replay.Call) -> int:
    try:
        return int(datetime.fromisoformat(str(call.get("eventTime"))).timestamp() * 1000)
    except ValueError:
        raise RequestError(f"the call {call.get('eventID')} has no time", where=str(call.get("eventTime"))) from None


def _together(effects: Collection[str]) -> Effect:
    """What some part gains is gained, whatever is not known of the others."""
    gains = "gains" in effects or "gains and loses" in effects
    loses = "loses" in effects or "gains and loses" in effects
    if gains or loses:
        return "gains and loses" if gains and loses else "gains" if gains else "loses"
    return "unknown" if "unknown" in effects else "none"


def _rival(same_second: list[replay.Call], call: replay.Call, written: tuple[replay.Written, ...]) -> str:
    """Times are whole seconds: of two writes in one, the log does not say which came first."""
    for each in same_second:
        if each is not call and {w.arn for w in replay.apply(Estate(), each)} & {w.arn for w in written}:
            return f"whether the call {each.get('eventID')} of the same second came before or after"
    return ""


class _Step(msgspec.Struct, frozen=True):
    before: Estate
    after: Estate
    call: replay.Call
    written: replay.Written
    own: frozenset[str]

    @property
    def day(self) -> str:
        return str(self.call.get("eventTime"))[:10]


def _parts(step: _Step) -> list[Part]:
    kind, arn, _ = step.written
    if kind in ("trust", "resource"):
        return [_policy_of_a_thing(step)]
    if kind in ("membership", "boundary"):
        return [_principal(step, arn, _unknown_before(step))]
    holders = [arn] if kind == "identity" else step.after.attached_to(arn)
    members = [m for each in holders if ":group/" in each for m in step.after.members(each)]
    unknown = _unknown_before(step)
    every = list(dict.fromkeys([*holders, *members]))
    found = [_policy_itself(step, unknown)] if kind == "managed" else []
    found += [_principal(step, each, unknown) for each in every[:_HOLDERS]]
    if len(every) > _HOLDERS:
        more = f"what it means for {len(every) - _HOLDERS} more who hold it"
        found[0] = msgspec.structs.replace(found[0], unknowns=(*found[0].unknowns, more))
    return found


def _unknown_before(step: _Step) -> str:
    """Why it is not known what stood in the place that the call wrote to; empty when it is."""
    kind, arn, name = step.written
    if not arn or step.before.blind:
        return _blind(step)
    holder = step.before.holders.get(arn, Holder())
    seen = {"identity": {*holder.inline, *holder.attached}, "membership": holder.groups}.get(kind, set())
    if kind in ("identity", "membership"):
        known = holder.whole or name in seen or name in holder.gone or _made_within(step.before, name)
        return "" if known else f"whether {arn} had {name} before lies before the log"
    if kind == "boundary":
        return "" if holder.boundary is not None else f"which boundary {arn} had before lies before the log"
    managed = step.before.managed.get(arn)
    created = step.call.get("eventName") == "CreatePolicy"
    if created or (managed and isinstance(managed.versions.get(managed.default), Policy)):
        return ""
    return f"the text of {arn} before the call is not in the log"


def _blind(step: _Step) -> str:
    calls = step.before.blind or step.after.blind
    return f"what the call {calls[0]} wrote, which the log does not show"


def _unknown_after(step: _Step) -> str:
    """Why it is not known what the call wrote; empty when it is."""
    kind, arn, name = step.written
    document: Document = Policy()
    if kind == "identity":
        holder = step.after.holders.get(arn, Holder())
        either = holder if name in holder.attached or name in holder.inline else step.before.holders.get(arn, Holder())
        document = either.inline.get(name, Policy())
        if name.startswith("arn:"):
            document = step.after.document(name, step.day)
    elif kind == "boundary" and name:
        document = step.after.document(name, step.day)
    elif kind == "managed":
        document = step.after.document(arn, step.day)
    elif kind == "membership":
        group = held(step.after, name, step.day)
        return f"what {name} allows: {group.missing[0]}" if group.missing else ""
    return "" if isinstance(document, Policy) else f"the text of {name or arn}: {why(document)}"


def _principal(step: _Step, principal: str, unknown_before: str) -> Part:
    one, other = held(step.before, principal, step.day), held(step.after, principal, step.day)
    missing = dict.fromkeys((*one.missing, *other.missing))
    found = _compared(one, other, principal)
    unknown = tuple(filter(None, (unknown_before, _unknown_after(step))))
    taken_back = step.call.get("eventName", "").startswith(("Delete", "Detach", "Remove"))
    return Part(
        holder=principal,
        effect=_effect(found, unknown),
        gained=found.gained,
        lost=found.lost,
        at_most=bool(unknown_before) and not taken_back,
        escalations=opened(one, other, principal, step.after),
        unknowns=(*unknown, *(each for each in missing if each not in unknown), *_too_many(found)),
    )


def _compared(one: Held, other: Held, principal: str) -> Difference:
    """What is known to differ, and the Denies and bounds that differ though nothing that is known allows what they forbid.

    A policy of a resource, or one older than the log, may allow it. The bound of a user does not hold back what the
    policy of a resource gives, so it counts only where policies of the user are not known."""
    wide = _wide(_layers(one), _layers(other))
    bounds = bool(one.missing or other.missing) or ":role/" in principal
    return _with(difference(_layers(one), _layers(other)), wide, {"deny", "ceiling"} if bounds else {"deny"})


def _wide(one: Layers, other: Layers, anything: Statement = _ANYTHING) -> Difference:
    """The difference if all were allowed besides: only what forbids or bounds can make one then."""
    if max(len(one), len(other)) == 1 and all(each.effect == "Allow" for side in (one, other) for each in side[0]):
        return Difference()
    return difference(*(((*side[0], anything), *side[1:]) for side in (one, other)))


def _with(known: Difference, wide: Difference, causes: set[str]) -> Difference:
    def more(sure: tuple[Permission, ...], other: tuple[Permission, ...]) -> tuple[Permission, ...]:
        told = {(each.cause, each.actions, each.resources) for each in sure}
        return (*sure, *(e for e in other if e.cause in causes and (e.cause, e.actions, e.resources) not in told))

    return Difference(
        gained=more(known.gained, wide.gained),
        lost=more(known.lost, wide.lost),
        complete=known.complete and wide.complete,
    )


def _layers(found: Held) -> Layers:
    return (found.identity,) if found.boundary is None else (found.identity, found.boundary)


def _policy_itself(step: _Step, unknown_before: str) -> Part:
    """A policy that stands by itself, whoever holds it."""
    arn = step.written.arn
    one, other = (statements_of([each.document(arn, step.day)]) for each in (step.before, step.after))
    created = step.call.get("eventName") == "CreatePolicy"
    found = difference((one,), (other,))
    wide = _wide((one,), (other,))
    unknown = tuple(filter(None, (unknown_before, _unknown_after(step))))
    holders = () if created or _made_within(step.before, arn) else (f"who holds {arn} since before the log",)
    merged = _with(found, wide, {"deny"})
    # Nobody holds what has just been made: it grants nothing yet.
    effect: Effect = "none" if created and not unknown else _effect(merged, unknown)
    return Part(
        holder=arn,
        effect=effect,
        gained=merged.gained,
        lost=merged.lost,
        at_most=bool(unknown_before),
        unknowns=(*unknown, *holders, *_too_many(merged)),
    )


def _made_within(estate: Estate, policy: str) -> bool:
    """Nobody had it before the log: its first version was written in it."""
    return "v1" in estate.managed.get(policy, Managed()).versions


def _policy_of_a_thing(step: _Step) -> Part:
    """The trust policy of a role, the policy of a resource."""
    kind, arn, name = step.written
    created = str(step.call.get("eventName")).startswith("Create")
    if kind == "trust":
        sides = [[each.trusts[arn]] if arn in each.trusts else [] for each in (step.before, step.after)]
        known = created or arn in step.before.trusts
    else:
        sides = [list(each.resources.get(arn, {}).values()) for each in (step.before, step.after)]
        known = created or arn in step.before.new or name in step.before.resources.get(arn, {})
    if created:
        sides[0] = []
    unknown = [_blind(step)] if step.after.blind else []
    unknown += [] if known else [f"the policy of {arn} before the call is not in the log"]
    unknown += [f"the policy of {arn}: {why(d)}" for side in sides for d in side if not isinstance(d, Policy)]
    one, other = map(statements_of, sides)
    found = sure = difference((one,), (other,))
    if kind == "resource" and ":kms:" not in arn:  # nobody has a key or a role but by its own policy
        anyone = msgspec.structs.replace(_ANYTHING, principals=(("AWS", "*"),))
        found = _with(sure, _wide((one,), (other,), anyone), {"deny"})
    return Part(
        holder=arn,
        effect=_effect(found, tuple(unknown)),
        gained=found.gained,
        lost=found.lost,
        at_most=not known,
        exposures=exposures(sure.gained, step.own),
        lets_in=exposures(difference(((),), (other,)).gained, step.own),
        unknowns=(*dict.fromkeys(unknown), *_too_many(found)),
    )


def _too_many(found: Difference) -> tuple[str, ...]:
    return () if found.complete else ("the rest: the policies tell more cases apart than are gone through",)


def _effect(found: Difference, unknown: tuple[str, ...]) -> Effect:
    if unknown:
        return "unknown"
    if found.gained or found.lost:
        return "gains and loses" if found.gained and found.lost else "gains" if found.gained else "loses"
    return "none" if found.complete else "unknown"
