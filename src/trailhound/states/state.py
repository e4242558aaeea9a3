"""A resource and a moment → its attributes, each with its calls."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any, Literal

import msgspec

from trailhound.lake.times import text
from trailhound.states.calls import Log, Subject
from trailhound.states.conclusions import CONCLUSIONS, Conclusion
from trailhound.states.history import Cell, Field, History, Step
from trailhound.states.kinds import EXISTS, Attribute, kind
from trailhound.states.places import Call

Known = Literal["known", "in part", "unknown"]
_NO_BLOCK = Field(Cell(None, (), "no call writes it"))


class Value(msgspec.Struct, frozen=True, kw_only=True):
    """What an attribute was. Of a set or map that is known in part, `value` has what was surely in it, and `not_in`
    what surely was not."""

    known: Known
    value: Any = None  # None: known to be none; a list of a set, an object of a map
    not_in: tuple[str, ...] = ()
    because: str = ""  # why it is not known, or not whole
    event_uids: tuple[str, ...] = ()  # the calls that it stands on


class Fact(Value, frozen=True, kw_only=True):
    attribute: str
    since: int | None = None  # when it was last written, epoch ms
    not_covered: str = ""  # what changes it without a call that the log could have
    how_to_get: str = ""


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """What one call wrote, or several of the same second."""

    time: int
    attribute: str
    before: Value
    after: Value
    event_uids: tuple[str, ...]
    operations: tuple[str, ...]
    principal_uids: tuple[str, ...]


class State(msgspec.Struct, frozen=True, kw_only=True):
    """A resource at a moment. Times in epoch ms."""

    kind: str
    value: str  # the form by which it is known: see `events.resources`
    account_uid: str
    at: int
    log_begins: int  # of its account
    log_ends: int
    exists: Value
    facts: tuple[Fact, ...]  # none where it is known not to exist
    changes: tuple[Change, ...]  # all up to that moment, in order of time


class Resource:
    """One resource of the log through all of its time."""

    def __init__(
        self, log: Log, kind_name: str, about: Subject, calls: Sequence[Call], account: Resource | None
    ) -> None:
        self.kind_name, self.kind, self.about = kind_name, kind(kind_name), about
        self.span = log.span(about.account)
        holes = log.holes(self.kind, about.account, {call.region for call in calls})
        before = (
            f"the log of account {about.account} begins at {text(self.span.first)}, and no call up to then writes this"
        )
        self.history = History(self.kind, about.names, calls, holes, before)
        self._account = account
        self._times = {call.uid: call.time for call in calls}

    def first_of(self, event_uids: Sequence[str]) -> int | None:
        """The time of the earliest of these calls, epoch ms."""
        others = self._account.first_of(event_uids) if self._account else None
        times = [self._times[uid] for uid in event_uids if uid in self._times]
        return min([*times, *([] if others is None else [others])], default=None)

    def at(self, time: int) -> State:
        step = self.history.at(time)
        late = (
            f"the log of account {self.about.account} ends at {text(self.span.last)}" if time > self.span.last else ""
        )
        exists = _value(step.state[EXISTS], "one", late)
        facts = () if exists.known == "known" and exists.value is False else tuple(self._facts(step, time, late))
        return State(
            kind=self.kind_name,
            value=self.about.uid,
            account_uid=self.about.account,
            at=time,
            log_begins=self.span.first,
            log_ends=self.span.last,
            exists=exists,
            facts=facts,
            changes=tuple(self.changes(0, time)),
        )

    def changes(self, since: int, until: int) -> Iterator[Change]:
        """Every write of that time, epoch ms, in order; one that writes what was there already is none."""
        for before, step in pairwise(self.history.steps):
            if not step.calls or not since <= step.time <= until:
                continue
            changed = {name for name, field in step.state.items() if field.told != before.state[name].told}
            pairs = [(name, before.state[name], step.state[name]) for name in step.state if name in changed]
            for one in CONCLUSIONS.get(self.kind_name, ()):
                if changed & {*one.rests_on}:
                    old, new = (Field(self._concluded(one, each, step.time)) for each in (before, step))
                    pairs += [(one.name, old, new)] if old.told != new.told else []
            for name, old, new in pairs:
                yield Change(
                    time=step.time,
                    attribute=name,
                    before=_value(old, self.kind.attribute(name).holds),
                    after=_value(new, self.kind.attribute(name).holds),
                    event_uids=tuple(call.uid for call in step.calls),
                    operations=tuple(dict.fromkeys(call.operation for call in step.calls)),
                    principal_uids=tuple(dict.fromkeys(call.principal_uid for call in step.calls)),
                )

    def _facts(self, step: Step, time: int, late: str) -> Iterator[Fact]:
        how = self.kind.read_now.format(
            shlex.quote(self.about.names[-1] if self.kind.prefix != "arn:" else self.about.uid)
        )
        for name, spec in self.kind.attributes.items():
            yield _fact(name, step.state[name], spec, late, how)
        for one in CONCLUSIONS.get(self.kind_name, ()):
            yield self._conclusion(one, step, time, late, how)

    def _concluded(self, one: Conclusion, step: Step, time: int) -> Cell:
        block = self._account.history.at(time).state["access_block"] if self._account else _NO_BLOCK
        return one.conclude(step.state, block, self.about.account)

    def _conclusion(self, one: Conclusion, step: Step, time: int, late: str, how: str) -> Fact:
        cell = self._concluded(one, step, time)
        known: Known = "unknown" if cell.because or late else "known"
        times = [t for name in one.rests_on if (t := step.state[name].time) is not None]
        return Fact(
            attribute=one.name,
            known=known,
            value=cell.value if known == "known" else None,
            because=late or cell.because,
            event_uids=cell.events,
            since=max(times, default=None) if known == "known" else None,
            how_to_get="" if known == "known" else _now(how),
        )


def resource(log: Log, kind_name: str, value: str) -> Resource:
    """By id, name or ARN. Raises RequestError when the log names none, or several."""
    return resources(log, kind_name, [log.subject(kind(kind_name), value)])[0]


def resources(log: Log, kind_name: str, about: Sequence[Subject]) -> list[Resource]:
    """Several of one kind cost little more than one."""
    accounts = {one.account for one in about} if kind_name == "bucket" else ()
    blocks = {uid: resource(log, "account", uid) for uid in accounts}
    found = zip(about, log.calls(kind(kind_name), about), strict=True)
    return [Resource(log, kind_name, one, calls, blocks.get(one.account)) for one, calls in found]


def _fact(name: str, field: Field, spec: Attribute, late: str, how: str) -> Fact:
    value = _value(field, spec.holds, late)
    return Fact(
        attribute=name,
        since=field.time,
        not_covered=spec.not_covered,
        how_to_get="" if value.known == "known" else _now(how),
        **msgspec.structs.asdict(value),
    )


def _now(how: str) -> str:
    return f"ingest what is missing; what it is by now, not then: {how}"


def _value(field: Field, holds: str, late: str = "") -> Value:
    events = _events([field.rest, *field.entries.values()])
    if late:
        return Value(known="unknown", because=late, event_uids=events)
    if holds == "one":
        known: Known = "unknown" if field.rest.because else "known"
        return Value(known=known, value=field.rest.value, because=field.rest.because, event_uids=events)
    there = {
        key: cell.value for key, cell in sorted(field.entries.items()) if not cell.because and cell.value is not None
    }
    absent = tuple(sorted(key for key, cell in field.entries.items() if cell.told == (None, True)))
    unsure = [cell.because for cell in field.entries.values() if cell.because]
    because = next((why for why in (field.rest.because, *unsure) if why), "")
    known = "known" if not because else "in part" if there or absent else "unknown"
    return Value(
        known=known,
        value=None if known == "unknown" else sorted(there) if holds == "set" else there,
        not_in=absent if because else (),
        because=because,
        event_uids=events,
    )


def _events(cells: Sequence[Cell]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(uid for cell in cells for uid in cell.events))
