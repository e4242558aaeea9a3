"""The quiet account: what its people, machines and services do on days when nothing happens."""

from __future__ import annotations

from bisect import bisect
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from itertools import accumulate
from random import Random
from typing import NamedTuple

from trailhound.simulation.actors import Event, Performer, Stage
from trailhound.simulation.story import Routine, Segment
from trailhound.simulation.template import Moment

_DAY = 86400
_BURST_SECONDS = 25  # the calls of one burst fall into this time


class _Shift(NamedTuple):
    """One actor on one day, and how many events it leaves."""

    performer: Performer
    routine: Routine
    begin: int  # epoch seconds
    end: int
    events: int
    passed: float  # of the history, when the day begins


def days(stage: Stage, history: list[Segment], seed: int) -> Iterator[tuple[int, Iterator[Event]]]:
    """The events of the quiet account, day by day: the day's end in epoch seconds, and its events.

    Every segment has exactly as many events as it says, dealt to actors by share and to days by their hours.
    """
    pools: dict[str, list[str]] = {}
    for segment in history:
        shifts = list(_shifts(stage, segment, history))
        for day in sorted({shift.begin // _DAY for shift in shifts}):
            today = [shift for shift in shifts if shift.begin // _DAY == day]
            yield (day + 1) * _DAY, _events(today, day, seed, pools)


def _events(shifts: list[_Shift], day: int, seed: int, pools: dict[str, list[str]]) -> Iterator[Event]:
    for shift in shifts:
        yield from _shift_events(shift, Moment(Random(f"{seed}/{day}/{shift.performer.name}"), pools))


def _shift_events(shift: _Shift, moment: Moment) -> Iterator[Event]:
    performer = shift.performer
    habits = [habit for habit in shift.routine.calls if habit.since <= shift.passed]
    weights = list(accumulate(habit.weight for habit in habits))
    total, names, random = weights[-1], len(performer.session_names), moment.random
    for time in _times(shift, moment):
        moment.time = time
        opened = performer.begin(moment, int(random() * names))
        if opened:  # opening a session is what it did this time
            yield from opened
            continue
        moment.n += 1
        yield performer.perform(habits[bisect(weights, random() * total)], moment)


def _times(shift: _Shift, moment: Moment) -> list[int]:
    """When it calls: anywhere in the shift, or in bursts, as people do."""
    random, burst = moment.random, shift.routine.burst
    span = shift.end - shift.begin
    if burst == 1:
        return sorted(shift.begin + int(random() * span) for _ in range(shift.events))
    starts = [shift.begin + int(random() * max(span - _BURST_SECONDS, 1)) for _ in range(-(-shift.events // burst))]
    times = (start + int(random() * min(_BURST_SECONDS, span)) for start in starts for _ in range(burst))
    return sorted(times)[: shift.events]


def _shifts(stage: Stage, segment: Segment, history: list[Segment]) -> Iterator[_Shift]:
    """Deal the events of a segment. Rounding is carried on, so that nothing is lost on thin days."""
    planned = [
        (performer, performer.actor.routine, *hours, passed)
        for midnight in _midnights(segment)
        for passed in [_passed(midnight, history)]
        for performer in list(stage.performers.values())
        if performer.actor.routine and _works(performer.actor.routine, midnight, passed)
        for hours in _hours(performer.actor.routine, midnight, segment)
    ]
    weights = [
        routine.share / _part(routine) * (end - begin) / _DAY * 24 / _length(routine)
        for _, routine, begin, end, _ in planned
    ]
    scale = segment.events / sum(weights) if planned else 0.0
    before = 0
    for (performer, routine, begin, end, passed), reached in zip(planned, accumulate(weights), strict=True):
        now = min(int(reached * scale + 0.5), segment.events)
        if now > before:
            yield _Shift(performer, routine, begin, end, now - before, passed)
        before = now


def _length(routine: Routine) -> int:
    return routine.hours[1] - routine.hours[0]


def _part(routine: Routine) -> float:
    """Of all days, those that it works on: who rests at weekends does the same in fewer days."""
    return len(_weekdays(routine)) / 7 / routine.every * (routine.during[1] - routine.during[0])


def _weekdays(routine: Routine) -> Sequence[int]:
    return routine.days or range(5 if routine.weekdays else 7)


def _works(routine: Routine, midnight: datetime, passed: float) -> bool:
    there = routine.during[0] <= passed < routine.during[1]
    return there and midnight.weekday() in _weekdays(routine) and _week(midnight) % routine.every == 0


def _week(midnight: datetime) -> int:
    """Number of the week that begins on Monday."""
    return (midnight.toordinal() - 1) // 7


def _passed(midnight: datetime, history: list[Segment]) -> float:
    begin, end = history[0].since, history[-1].until
    return min(max((midnight - begin) / (end - begin), 0), 1)


def _midnights(segment: Segment) -> Iterator[datetime]:
    midnight = segment.since.replace(hour=0, minute=0, second=0, microsecond=0)
    while midnight < segment.until:
        yield midnight
        midnight += timedelta(days=1)


def _hours(routine: Routine, midnight: datetime, segment: Segment) -> list[tuple[int, int]]:
    """Begin and end of the work on that day, within the segment."""
    start = int(midnight.timestamp())
    begin = max(start + routine.hours[0] * 3600, int(segment.since.timestamp()))
    end = min(start + routine.hours[1] * 3600, int(segment.until.timestamp()))
    return [(begin, end)] if begin < end else []
