"""What is true of a simulated history: who did what, which events tell it, what should be found."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import Any

import msgspec

from trailhound.simulation.actors import Event, Performer, Stage
from trailhound.simulation.plot import Deed
from trailhound.simulation.story import Phase
from trailhound.simulation.template import iso


class _Frozen(msgspec.Struct, frozen=True, kw_only=True):
    pass


class Counts(_Frozen, frozen=True, kw_only=True):
    events: int  # records in the log
    quiet: int  # of these, from the quiet account
    plot: int  # of these, from the phases
    unlogged: int  # of the phases, while the trail recorded nothing
    files: int
    bytes: int  # of JSON, before compression


class TruePhase(_Frozen, frozen=True, kw_only=True):
    """A phase as it happened. Times are RFC 3339."""

    name: str
    says: str
    actor: str
    principal_uid: str
    benign: bool
    first_time: str
    last_time: str
    operations: dict[str, int]
    event_uids: tuple[str, ...]  # in the log
    unlogged_event_uids: tuple[str, ...]  # not in the log
    instances: tuple[str, ...]  # ids that its requests name
    bytes_out: int


class TrueActor(_Frozen, frozen=True, kw_only=True):
    principal_uid: str
    addresses: tuple[str, ...]
    country: str
    place: str
    hours: tuple[int, int] | None  # UTC
    mfa: bool


class ExpectedFinding(_Frozen, frozen=True, kw_only=True):
    theme: str
    principal_uid: str
    count: int
    counted: str
    event_uids: tuple[str, ...]


class Truth(_Frozen, frozen=True, kw_only=True):
    """`truth.json`."""

    story: str
    summary: str
    seed: int
    account: str
    region: str
    counts: Counts
    phases: tuple[TruePhase, ...]
    actors: dict[str, TrueActor]
    findings: tuple[ExpectedFinding, ...]
    blind: tuple[str, str] | None
    facts: dict[str, Any]


def phases(stage: Stage, logged: list[Deed], unlogged: list[Deed]) -> tuple[TruePhase, ...]:
    """The phases in the order of the story, from the records themselves."""
    seen: defaultdict[str, list[Event]] = defaultdict(list)
    missing: defaultdict[str, list[Event]] = defaultdict(list)
    for deed in logged:
        seen[deed.phase.name].append(deed.event)
    for deed in unlogged:
        missing[deed.phase.name].append(deed.event)
    told = {phase.name: phase for phase in stage.story.phases}
    return tuple(
        _phase(phase, stage.performers[phase.actor], seen[name], missing[name]) for name, phase in told.items()
    )


def _phase(phase: Phase, performer: Performer, logged: list[Event], unlogged: list[Event]) -> TruePhase:
    records = [msgspec.json.decode(event.text) for event in (*logged, *unlogged)]
    times = [event.time for event in (*logged, *unlogged)]
    return TruePhase(
        name=phase.name,
        says=phase.says,
        actor=phase.actor,
        principal_uid=performer.principal_uid,
        benign=phase.benign,
        first_time=iso(min(times)),
        last_time=iso(max(times)),
        operations=dict(sorted(Counter(record["eventName"] for record in records).items())),
        event_uids=tuple(event.uid for event in logged),
        unlogged_event_uids=tuple(event.uid for event in unlogged),
        instances=tuple(dict.fromkeys(uid for record in records for uid in _instances(record))),
        bytes_out=sum((record.get("additionalEventData") or {}).get("bytesTransferredOut", 0) for record in records),
    )


def _instances(record: dict[str, Any]) -> list[str]:
    parts = (record["requestParameters"], record["responseElements"])
    sets = [part["instancesSet"].get("items", []) for part in parts if part and "instancesSet" in part]
    return [item["instanceId"] for items in sets for item in items if "instanceId" in item]


def actors(stage: Stage) -> dict[str, TrueActor]:
    """Everybody in the story, by the name the story gives them."""
    return {name: _actor(stage.performers[name]) for name in stage.story.actors}


def _actor(performer: Performer) -> TrueActor:
    actor = performer.actor
    return TrueActor(
        principal_uid=performer.principal_uid,
        addresses=actor.addresses,
        country=actor.country,
        place=actor.place,
        hours=actor.routine.hours if actor.routine else None,
        mfa=actor.mfa,
    )


def findings(stage: Stage, told: tuple[TruePhase, ...]) -> tuple[ExpectedFinding, ...]:
    by_name = {phase.name: phase for phase in told}
    return tuple(
        ExpectedFinding(
            theme=expected.theme,
            principal_uid=stage.performers[expected.actor].principal_uid,
            count=expected.count,
            counted=expected.counted,
            event_uids=by_name[expected.phase].event_uids,
        )
        for expected in stage.story.expected
    )
