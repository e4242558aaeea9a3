"""Calls and gaps in order → every state that a resource was in. Pure: a reducer over what each call wrote."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby, permutations
from typing import Any, NamedTuple

from trailhound.states.kinds import EXISTS, Kind
from trailhound.states.places import Call
from trailhound.states.writes import Effect, Written, written

_ALL_ORDERS = 5  # calls of one second that are put into every order; of more, each comes last once


class Hole(NamedTuple):
    """Time in which calls may be missing from the log; `until`: None, for it does not end."""

    since: int
    until: int | None
    because: str
    kind: str = ""

    def holds(self, time: int) -> bool:
        return self.since <= time and (self.until is None or time < self.until)


class Cell(NamedTuple):
    """A value and the calls that it stands on; where `because` says why, it is not known. Of an element of a set or
    map, None: it is known not to be there."""

    value: Any = None
    events: tuple[str, ...] = ()
    because: str = ""

    @property
    def told(self) -> tuple[Any, bool]:
        """What is compared: not by which call it is known."""
        return self.value, not self.because


class Field(NamedTuple):
    """An attribute. Of a set or map `rest` is what every element is that `entries` does not name."""

    rest: Cell
    entries: Mapping[str, Cell] = {}
    time: int | None = None  # when it was last written, epoch ms

    def at(self, key: str) -> Cell:
        return self.entries.get(key, self.rest)

    @property
    def told(self) -> Any:
        return self.rest.told, {key: cell.told for key, cell in self.entries.items() if cell.told != self.rest.told}


State = dict[str, Field]


class Step(NamedTuple):
    """From `time` on. `calls`: those of that second that wrote; none where a hole begins."""

    time: int
    calls: tuple[Call, ...]
    state: State


class _Conflict(NamedTuple):
    """What a call shows not to have been so before it."""

    attribute: str
    key: str | None
    because: str


class History:
    """`names`: all by which calls may name the resource; `before`: why nothing is known before the first call."""

    def __init__(
        self, kind: Kind, names: Sequence[str], calls: Sequence[Call], holes: Sequence[Hole], before: str
    ) -> None:
        self.kind = kind
        self._names = names
        self.steps = [Step(-1, (), _nothing(kind, before))]
        moments = [(time, tuple(group)) for time, group in groupby(_once(calls), key=lambda call: call.time)]
        begins = [(hole.since, ()) for hole in holes]
        for time, group in sorted([*moments, *begins], key=lambda one: (one[0], not one[1])):
            self._advance(time, group, [hole for hole in holes if hole.holds(time)])

    def at(self, time: int) -> Step:
        """The last step at or before a time, epoch ms."""
        return self.steps[bisect_right(self.steps, time, key=lambda step: step.time) - 1]

    def _advance(self, time: int, calls: Sequence[Call], holes: Sequence[Hole]) -> None:
        now = self.steps[-1].state
        wrote = [(call, effects) for call in calls if any(effects := written(self.kind, call, self._names))]
        if len(wrote) == 1 and (proven := self._proven(now, *wrote[0])) and self.steps[-1].time < time - 1:
            now = {**now, **proven}
            self.steps.append(Step(time - 1, (), now))
        if wrote:
            now, conflicts = self._together(now, wrote)
            for conflict in conflicts:
                self._mend(conflict)
        for hole in holes:
            now = {
                name: field
                if hole.kind and self.kind.attribute(name).survives == hole.kind
                else Field(Cell(None, field.rest.events, hole.because))
                for name, field in now.items()
            }
        if wrote or holes:
            self.steps.append(Step(time, tuple(call for call, _ in wrote), now))

    def _proven(self, now: State, call: Call, what: Written) -> State:
        """What was not known, and what the answer of a call tells that it was just before."""
        return {
            effect.attribute: Field(Cell(effect.value, (call.uid,)))
            for effect in what.effects
            if effect.how == "proves" and now[effect.attribute].rest.because
        }

    def _together(self, now: State, wrote: Sequence[tuple[Call, Written]]) -> tuple[State, list[_Conflict]]:
        """The log has whole seconds: of calls in one, every order counts that the calls themselves allow."""
        outcomes = [self._in_order(now, order) for order in _orders(wrote)]
        fewest = min(len(conflicts) for _, conflicts in outcomes)
        allowed = [one for one in outcomes if len(one[1]) == fewest]
        state, conflicts = allowed[0]
        events = tuple(call.uid for call, _ in wrote)
        because = f"of calls of one second ({', '.join(call.operation for call, _ in wrote)}) the log does not say which came last"
        return {
            name: field
            if all(other[name].told == field.told for other, _ in allowed)
            else Field(Cell(None, events, because), time=wrote[0][0].time)
            for name, field in state.items()
        }, conflicts

    def _in_order(self, state: State, order: Sequence[tuple[Call, Written]]) -> tuple[State, list[_Conflict]]:
        conflicts: list[_Conflict] = []
        for call, what in order:
            state, more = self._apply(state, call, what)
            conflicts += more
        return state, conflicts

    def _apply(self, before: State, call: Call, what: Written) -> tuple[State, list[_Conflict]]:
        there = before[EXISTS].rest
        known, is_there = not there.because, there.value is True
        if what.creates and not what.again and known and is_there:
            unique = self.kind.prefix not in ("", "arn:")
            if unique:  # asked for again, with the same token
                return before, [_Conflict(EXISTS, None, "")]
        state, conflicts = dict(before), list[_Conflict]()
        if (what.proves and not what.creates and known and not is_there) or (
            what.creates and not what.again and known and is_there
        ):
            because = f"{call.operation} shows that it was {'deleted' if is_there else 'made'} in between by a call that the log lacks"
            conflicts.append(_Conflict(EXISTS, None, because))
            state = {name: Field(Cell(None, (call.uid,), because)) for name in state}
        if what.proves:
            state[EXISTS] = Field(Cell(True, (call.uid,)), time=call.time)
        for effect in what.effects:
            if not (effect.if_new and not (known and not is_there)):
                conflicts += self._effect(state, effect, call)
        if what.ends:
            gone = Field(Cell(None, (call.uid,)), time=call.time)
            state = dict.fromkeys(state, gone) | {EXISTS: Field(Cell(False, (call.uid,)), time=call.time)}
        return state, conflicts

    def _effect(self, state: State, effect: Effect, call: Call) -> list[_Conflict]:
        """Change the state, and say what of it cannot have been so."""
        conflicts: list[_Conflict] = []
        field, spec = state[effect.attribute], self.kind.attribute(effect.attribute)
        many, event = spec.holds != "one", (call.uid,)
        shows = f"{call.operation} shows that it was changed in between by a call that the log lacks"
        match effect.how:
            case "proves":
                if not field.rest.because and field.rest.value != effect.value:
                    conflicts.append(_Conflict(effect.attribute, None, shows))
            case "forgets":
                state[effect.attribute] = Field(Cell(None, event, effect.because), time=call.time)
            case "sets":
                rest = Cell(None if many else effect.value, event)
                entries = {key: Cell(value, event) for key, value in effect.value.items()} if many else {}
                state[effect.attribute] = Field(rest, entries, call.time)
            case "adds":
                entries = {**field.entries, **{key: Cell(value, event) for key, value in effect.value.items()}}
                state[effect.attribute] = Field(field.rest, entries, call.time)
            case "removes":
                entries = dict(field.entries)
                for key, value in effect.value.items():
                    name = _named(field, key, spec.ids)
                    if name is None:
                        because = (
                            f"{call.operation} took away what is named by an id, and what that was is not in the log"
                        )
                        state[effect.attribute] = Field(Cell(None, event, because), time=call.time)
                        return conflicts
                    was = field.at(name)
                    if spec.strict and was.told == (None, True):
                        conflicts.append(_Conflict(effect.attribute, name, shows))
                    entries[name] = _removed(was, None if spec.ids else value, call)
                state[effect.attribute] = Field(field.rest, entries, call.time)
        return conflicts

    def _mend(self, conflict: _Conflict) -> None:
        """What was believed since the last write is not known: something was missed. When, the log does not say."""
        if not conflict.because:
            return
        last = self.steps[-1].state[conflict.attribute]
        wrong = last.at(conflict.key) if conflict.key else last.rest
        for position in range(len(self.steps) - 1, -1, -1):
            step = self.steps[position]
            names = list(step.state) if conflict.attribute == EXISTS else [conflict.attribute]
            field = step.state[conflict.attribute]
            if (field.at(conflict.key) if conflict.key else field.rest) != wrong:
                break
            doubt = Cell(None, wrong.events, conflict.because)
            mended = {
                name: step.state[name]._replace(entries={**step.state[name].entries, conflict.key: doubt})
                if conflict.key
                else Field(doubt, time=step.state[name].time)
                for name in names
            }
            self.steps[position] = step._replace(state={**step.state, **mended})


def _nothing(kind: Kind, because: str) -> State:
    return {name: Field(Cell(None, (), because)) for name in (EXISTS, *kind.attributes)}


def _once(calls: Sequence[Call]) -> list[Call]:
    """In order of time; of the copies that several accounts have of a call, one."""
    found: dict[str, Call] = {}
    for call in sorted(calls, key=lambda one: (one.time, one.uid)):
        found.setdefault(call.copy or call.uid, call)
    return list(found.values())


def _orders(wrote: Sequence[tuple[Call, Written]]) -> Iterator[Sequence[tuple[Call, Written]]]:
    if len(wrote) <= _ALL_ORDERS:
        yield from permutations(wrote)
        return
    for position in range(len(wrote)):
        yield [*wrote[:position], *wrote[position + 1 :], wrote[position]]


def _named(field: Field, key: str, ids: str) -> str | None:
    """The key that is meant; None: an id of something that is not known."""
    if not ids or not key.startswith(ids):
        return key
    return next((name for name, cell in field.entries.items() if cell.value == key), None)


def _removed(was: Cell, value: Any, call: Call) -> Cell:
    """`value`: only if this is its value."""
    if value in (None, True) or was.told == (value, True):
        return Cell(None, (call.uid,))
    if not was.because:
        return was
    return Cell(
        None,
        (call.uid,),
        f"{call.operation} took it away if it had a certain value, and which it had is not in the log",
    )
