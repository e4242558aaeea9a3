"""The plot: the phases of a story, call by call, in order of time."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from random import Random
from typing import NamedTuple

import msgspec

from trailhound.simulation import calls
from trailhound.simulation.actors import BEGIN_SESSION, Event, Performer, Stage
from trailhound.simulation.story import Phase, Step
from trailhound.simulation.template import Moment


class Deed(NamedTuple):
    """One event of the plot, labelled."""

    phase: Phase
    event: Event


def deeds(stage: Stage, seed: int) -> Iterator[Deed]:
    """Every event of the story's phases. An actor has its own sessions here, apart from its quiet days."""
    moment = Moment(Random(f"{seed}/plot"))
    for start, phase in _occurrences(stage.story.phases):
        performer = stage.performers[phase.actor]
        moment.n = 0
        before = start
        for step in phase.steps:
            first = int(step.at.timestamp()) if step.at else before + int(step.after)
            for event in _step(performer, step, first, moment, phase.region):
                yield Deed(phase, event)
            before = moment.time


def _occurrences(phases: tuple[Phase, ...]) -> list[tuple[int, Phase]]:
    starts = [(at, phase) for phase in phases for at in phase.at or (_first(phase),)]
    return [(int(at.timestamp()), phase) for at, phase in sorted(starts, key=lambda start: start[0])]


def _first(phase: Phase) -> datetime:
    first = phase.steps[0].at
    assert first is not None  # the loader has complained otherwise
    return first


def _step(performer: Performer, step: Step, first: int, moment: Moment, region: str) -> Iterator[Event]:
    uses = _uses(step, performer.stage)
    for number, use in enumerate(uses):
        moment.time = first + int(step.over * number / max(len(uses) - 1, 1))
        if step.call == BEGIN_SESSION:
            yield from performer.begin(moment)
            continue
        if calls.find(step.call).identity == "session":
            yield from performer.begin(moment)
        else:
            performer.arrive(moment)
        moment.n += 1
        yield performer.perform(use, moment, region)


def _uses(step: Step, stage: Stage) -> list[Step]:
    if not step.each:
        return [step] * step.times
    return [msgspec.structs.replace(step, values={**member, **step.values}) for member in stage.fleet(step.each)]
