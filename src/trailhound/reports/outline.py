"""An Investigation in reading order: what is numbered, grouped and cited, the same in every format.

Answers are numbered Q1, Q2 ..., events E1, E2 ..., files F1, F2 ..., in the order in which they are shown. Anchors are made of
these numbers only, so that no text of a log ever becomes an attribute or an address.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import NamedTuple

import msgspec

from trailhound.model import (
    Answer,
    Basis,
    Explanation,
    Hop,
    Investigation,
    Lead,
    Moment,
    Observable,
    Resource,
    Source,
    Turn,
)

LISTED = 40  # paragraphs, sentences of one, recommendations, explanations, phases, kinds of resource
ANSWERS_SHOWN = 300
EVENTS_SHOWN = 1_000
FILES_SHOWN = 200
MARKS_SHOWN = 8


class Mark(NamedTuple):
    """A citation: what is printed, and the anchor it leads to (none when the target is not in the document)."""

    label: str
    anchor: str | None


class Said(NamedTuple):
    """An answer, and the explanations it speaks for or against."""

    mark: Mark
    answer: Answer
    speaks_for: tuple[str, ...]
    speaks_against: tuple[str, ...]


class Group(NamedTuple):
    observable: Observable
    answers: tuple[Said, ...]


class Stage(NamedTuple):
    """One step of the method and what was asked in it."""

    number: int
    name: str
    groups: tuple[Group, ...]


class Run(NamedTuple):
    """Consecutive moments that say the same."""

    moments: tuple[Moment, ...]

    @property
    def first(self) -> Moment:
        return self.moments[0]

    @property
    def last(self) -> Moment:
        return self.moments[-1]

    @property
    def event_uids(self) -> tuple[str, ...]:
        return tuple(moment.event_uid for moment in self.moments if moment.event_uid)


class Phase(NamedTuple):
    name: str
    runs: tuple[Run, ...]


class Exhibit(NamedTuple):
    """An event of the evidence index and the places that cite it."""

    mark: Mark
    uid: str
    moment: Moment | None
    places: tuple[Mark, ...]
    files: tuple[Mark, ...]  # in which it stands


class File(NamedTuple):
    """A row of the ledger in which cited events stand, and the answers that cite them."""

    mark: Mark
    source: Source
    answers: tuple[Mark, ...]


class Turning(NamedTuple):
    """An open answer that would change the verdict by itself."""

    mark: Mark
    told: str


class Outline(NamedTuple):
    stages: tuple[Stage, ...]
    answers: dict[str, Said]  # by uid; those shown
    exhibits: dict[str, Exhibit]  # by event uid; all, of which EVENTS_SHOWN have an anchor
    files: dict[str, File]  # by uid of the ledger; all that answers name, of which FILES_SHOWN have an anchor
    bases: dict[Basis, int]  # what answers stood on, without their own sources → how many did
    phases: tuple[Phase, ...]
    resources: dict[str, tuple[Resource, ...]]  # by type
    hops: tuple[Hop, ...]
    turns: tuple[Turning, ...]
    answers_omitted: int

    def marks(
        self, *, answers: Iterable[str] = (), events: Iterable[str] = (), most: int = MARKS_SHOWN
    ) -> tuple[Mark, ...]:
        """Citations of answers, then of events, runs of events drawn together as `E5–E13`."""
        found = dict.fromkeys(self.answers[uid].mark if uid in self.answers else Mark("Q?", None) for uid in answers)
        marks = (*found, *_ranges(dict.fromkeys(self.exhibits[uid].mark for uid in events)))
        hidden = len(marks) - most
        return (*marks[:most], Mark(f"+{hidden}", None)) if hidden > 0 else marks

    def sources(self, answer: Answer, most: int = MARKS_SHOWN) -> tuple[Mark, ...]:
        """The files in which the cited events stand."""
        marks = tuple(self.files[source.uid].mark for source in answer.basis.sources)[:most]
        hidden = answer.basis.sources_count - len(marks)
        return (*marks, Mark(f"+{hidden}", None)) if hidden > 0 else marks

    def asked(self, uid: str) -> str:
        """An answer's question in plain words; and of what, where that is not the finding's own artifact."""
        if uid not in self.answers:
            return uid
        answer = self.answers[uid].answer
        return answer.asks if answer.uid == answer.question else f"{answer.asks} ({answer.observable.value})"

    def revealed(self, lead: Lead) -> tuple[str, ...]:
        """The answers that led to it."""
        return tuple(dict.fromkeys(hop.answer for hop in self.hops if hop.target == lead.observable))

    def said(self, answers: Iterable[str]) -> tuple[Said, ...]:
        return tuple(self.answers[uid] for uid in answers if uid in self.answers)


def outline(investigation: Investigation) -> Outline:
    stages = _stages(investigation)
    said = {one.answer.uid: one for stage in stages for group in stage.groups for one in group.answers}
    moments = sorted(investigation.timeline, key=lambda moment: moment.time)
    finding = investigation.finding
    files = _files(said.values())
    return Outline(
        stages=stages,
        answers=said,
        exhibits=_exhibits(investigation, tuple(said.values()), moments, files),
        files=files,
        bases=_bases(said.values()),
        phases=_phases(moments),
        resources=_by_type(finding.resources if finding else ()),
        hops=investigation.chase.hops if investigation.chase else (),
        turns=tuple(_turning(turn, said[turn.answer]) for turn in investigation.verdict.turns if turn.answer in said),
        answers_omitted=len(investigation.answers) - sum(len(g.answers) for stage in stages for g in stage.groups),
    )


def leading(investigation: Investigation) -> Explanation | None:
    """The explanation best supported by the answers; none when the verdict is open."""
    verdict = investigation.verdict
    if verdict.disposition == "undetermined":
        return None
    return max(verdict.explanations, key=lambda explanation: explanation.score, default=None)


def _stages(investigation: Investigation) -> tuple[Stage, ...]:
    explanations = investigation.verdict.explanations
    shown = investigation.answers[:ANSWERS_SHOWN]
    grouped: dict[int, dict[Observable, list[Answer]]] = {}
    for answer in sorted(shown, key=lambda answer: answer.step):
        groups = grouped.setdefault(answer.step, {})
        groups.setdefault(answer.observable, []).append(answer)
    number = iter(range(1, len(shown) + 1))

    def said(answer: Answer) -> Said:
        position = next(number)
        return Said(
            Mark(f"Q{position}", f"q{position}"),
            answer,
            tuple(e.title for e in explanations if answer.uid in e.for_),
            tuple(e.title for e in explanations if answer.uid in e.against),
        )

    return tuple(
        Stage(
            step,
            investigation.steps[step - 1].name if 0 < step <= len(investigation.steps) else "",
            tuple(Group(observable, tuple(said(a) for a in answers)) for observable, answers in groups.items()),
        )
        for step, groups in grouped.items()
    )


def _turning(turn: Turn, said: Said) -> Turning:
    """The reason that it is open tells what to fetch; the list of unknowns has it."""
    return Turning(said.mark, f"“{said.answer.asks}” answered {turn.verdict} would make it {turn.disposition}.")


def _files(said: Iterable[Said]) -> dict[str, File]:
    """Broken ones first, then in the order in which they are cited."""
    cited: dict[str, dict[Mark, None]] = {}
    sources: dict[str, Source] = {}
    for one in said:
        for source in one.answer.basis.sources:
            sources.setdefault(source.uid, source)
            cited.setdefault(source.uid, {})[one.mark] = None
    ordered = sorted(sources.values(), key=lambda source: source.integrity != "broken")
    return {
        source.uid: File(
            Mark(f"F{position}", f"f{position}" if position <= FILES_SHOWN else None), source, tuple(cited[source.uid])
        )
        for position, source in enumerate(ordered, start=1)
    }


def _bases(said: Iterable[Said]) -> dict[Basis, int]:
    common = (msgspec.structs.replace(one.answer.basis, sources=(), sources_count=0) for one in said)
    return dict(Counter(common).most_common())


def _exhibits(
    investigation: Investigation, said: Sequence[Said], moments: Sequence[Moment], files: dict[str, File]
) -> dict[str, Exhibit]:
    held: dict[str, dict[Mark, None]] = {}
    for one in said:
        for source in one.answer.basis.sources:
            for uid in source.evidence:
                held.setdefault(uid, {})[files[source.uid].mark] = None
    places: dict[str, dict[Mark, None]] = {moment.event_uid: {} for moment in moments if moment.event_uid}
    for mark, uids in _citations(investigation, said):
        for uid in uids:
            places.setdefault(uid, {})[mark] = None
    told = {moment.event_uid: moment for moment in reversed(moments)}
    return {
        uid: Exhibit(
            Mark(f"E{position}", f"e{position}" if position <= EVENTS_SHOWN else None),
            uid,
            told.get(uid),
            tuple(marks),
            tuple(held.get(uid, ())),
        )
        for position, (uid, marks) in enumerate(places.items(), start=1)
    }


def _citations(investigation: Investigation, said: Iterable[Said]) -> Iterator[tuple[Mark, Iterable[str]]]:
    for i, paragraph in enumerate(investigation.narrative[:LISTED], start=1):
        for j, sentence in enumerate(paragraph.sentences[:LISTED], start=1):
            yield Mark(f"sentence {i}.{j}", f"s{i}-{j}"), sentence.evidence
    for i, recommendation in enumerate(investigation.recommendations[:LISTED], start=1):
        yield Mark(f"recommendation {i}", f"r{i}"), recommendation.evidence
    for one in said:
        yield one.mark, one.answer.evidence
    yield Mark("timeline", "timeline"), (moment.event_uid for moment in investigation.timeline if moment.event_uid)
    if investigation.finding:
        yield Mark("finding", "top"), investigation.finding.event_uids
    yield Mark("subject", "top"), investigation.subject.event_uids


def _phases(moments: Iterable[Moment]) -> tuple[Phase, ...]:
    """Stretches of one phase, and within them runs of one sentence, in order of time."""
    return tuple(
        Phase(name, tuple(Run(tuple(run)) for _, run in groupby(stretch, key=lambda m: (m.sentence, m.status))))
        for name, stretch in groupby(moments, key=lambda moment: moment.phase)
    )


def _by_type(resources: Iterable[Resource]) -> dict[str, tuple[Resource, ...]]:
    grouped: dict[str, list[Resource]] = {}
    for resource in resources:
        grouped.setdefault(resource.type, []).append(resource)
    return {name: tuple(found) for name, found in grouped.items()}


def _ranges(marks: Iterable[Mark]) -> Iterator[Mark]:
    """Three or more consecutive event numbers as one mark that leads to the first."""
    ordered = sorted(marks, key=lambda mark: int(mark.label[1:]))
    for _, run in groupby(enumerate(ordered), key=lambda pair: int(pair[1].label[1:]) - pair[0]):
        consecutive = [mark for _, mark in run]
        if len(consecutive) > 2:
            yield Mark(f"{consecutive[0].label}–{consecutive[-1].label}", consecutive[0].anchor)
        else:
            yield from consecutive
