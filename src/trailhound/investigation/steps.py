"""The five steps, in order: identify, gather, ask, pivot, tell. One frozen document comes out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from trailhound.engines.duckdb import DuckDB
from trailhound.investigation import (
    after_answers,
    gaps,
    left_out,
    narrative,
    pivots,
    recommendations,
    replay,
    sentences,
    severity,
    timeline,
    verdict,
)
from trailhound.investigation import answers as asking
from trailhound.investigation import scope as scoping
from trailhound.investigation.evidence import Evidence
from trailhound.investigation.questions import questions
from trailhound.lake.places import Index
from trailhound.model import (
    Answer,
    Artifact,
    Cited,
    Finding,
    Gap,
    Investigation,
    Observable,
    Paragraph,
    Sentence,
    Step,
    Subject,
    Unknown,
)
from trailhound.settings import Settings

STEPS = (
    "event identification",
    "initial artifact gathering",
    "artifact analysis",
    "additional artifact analysis",
    "narrative and recommendation",
)


class Inputs(msgspec.Struct, frozen=True, kw_only=True):
    """What an investigation may read, and what it must name as its foundation."""

    engine: DuckDB
    settings: Settings
    findings: Sequence[Finding]
    index: Index | None = None  # of the engine's events
    as_of: Mapping[str, Any]
    versions: Mapping[str, str]


def investigate(
    inputs: Inputs,
    scope: scoping.Scope,
    *,
    finding: Finding | None,
    observable: Observable | None,
    progress: asking.Progress | None = None,
) -> Investigation:
    """Run all five steps over one scope. Same lake, settings and versions: same bytes."""
    evidence = Evidence(inputs.engine, scope, inputs.settings, inputs.findings, index=inputs.index)
    subject = Subject(
        title=finding.title
        if finding
        else f"{observable.kind} {sentences.short(observable.value)}"
        if observable
        else scope.principal,
        finding_uid=finding.uid if finding else None,
        observable=observable,
        window=(scope.at, scope.to),
        event_uids=scope.event_uids,
    )
    fitting = [question for question in questions() if asking.applies(question, evidence)]
    third = asking.ask_all(fitting, evidence, progress=progress)
    third = (*third, *after_answers.ask_all(third, evidence))
    artifacts, moments, charts = _artifacts(evidence), timeline.moments(evidence), timeline.charts(evidence)
    broken, unproven = gaps.altered(subject.event_uids, evidence)
    paragraphs = narrative.tell(subject, finding, third, evidence)
    if unproven:
        paragraphs = _qualified(paragraphs, subject, unproven[0], whole=broken == len(subject.event_uids))
    chase, fourth = pivots.chase(third, evidence, inputs.engine, inputs.findings)
    conclusion = verdict.conclude(third, fourth)
    urgency = severity.severity(conclusion.disposition, third, scope.user_type, fourth)
    conclusion = msgspec.structs.replace(conclusion, severity=urgency)
    actions = recommendations.recommend(conclusion, (*third, *fourth), evidence)
    paragraphs = narrative.conclude(paragraphs, conclusion, chase, (*third, *fourth))
    document = Investigation(
        uid="",
        subject=subject,
        as_of=dict(inputs.as_of),
        finding=finding,
        steps=_steps(third, fourth),
        answers=(*third, *fourth),
        artifacts=artifacts,
        timeline=moments,
        charts=charts,
        verdict=conclusion,
        narrative=paragraphs,
        recommendations=actions,
        unknowns=(*_left_out(subject, evidence), *_unproven(subject, unproven), *_unknowns((*third, *fourth))),
        versions=dict(inputs.versions),
        exhibits=narrative.exhibits(paragraphs, evidence),
        chase=chase,
    )
    uids = replay.cited(document)
    hashes = replay.hashes(inputs.engine, uids, evidence.days(uids))
    cited = tuple(Cited(uid=uid, sha256=hashes[uid]) for uid in sorted(hashes))
    document = msgspec.structs.replace(document, cited=cited)
    return msgspec.structs.replace(document, uid=replay.uid_of(document))


def _artifacts(evidence: Evidence) -> tuple[Artifact, ...]:
    countries = {row["value"]: row for row in evidence.query("SELECT * FROM context WHERE list_contains($ips, value)")}
    seen = {
        row["ip"]: row
        for row in evidence.query("SELECT ip, min(time) AS first, max(time) AS last FROM place GROUP BY ip")
    }
    scope, found = evidence.scope, []
    for kind, values in sorted(scope.values.items()):
        for value in values:
            about = countries.get(value, {})
            context = {k: about[k] for k in ("country",) if about.get(k)} if kind == "ip_address" else {}
            if context.get("country"):
                context["country_name"] = sentences.country(context["country"]).removeprefix("the ")
            first, last = scope.spans[kind][value]
            times = seen.get(value, {}) if kind == "ip_address" else {}
            found.append(
                Artifact(
                    kind=kind,
                    value=value,
                    first_seen=times.get("first", first),
                    last_seen=times.get("last", last),
                    events=scope.counts[kind][value],
                    context=context,
                )
            )
    return tuple(found)


def _steps(third: Sequence[Answer], fourth: Sequence[Answer]) -> tuple[Step, ...]:
    asked = {3: third, 4: fourth}
    return tuple(
        Step(name=name, questions=tuple(a.uid for a in asked.get(number, ())))
        for number, name in enumerate(STEPS, start=1)
    )


def _left_out(subject: Subject, evidence: Evidence) -> tuple[Unknown, ...]:
    asked = f"Was all looked at that concerns “{sentences.short(subject.title)}”?"
    return tuple(Unknown(question=asked, because=g.because, how_to_get=g.how_to_get) for g in left_out.gaps(evidence))


def _qualified(paragraphs: Sequence[Paragraph], subject: Subject, gap: Gap, *, whole: bool) -> tuple[Paragraph, ...]:
    """What alerted is told first, and by no answer: where files that are proven altered say it, that is told with it."""
    text = f"{'This' if whole else 'Not all of this'} is {'not ' if whole else ''}proven: {gap.because}."
    sentence = Sentence(text=text, evidence=subject.event_uids[: asking.MOST_EVIDENCE], answers=())
    first = msgspec.structs.replace(paragraphs[0], sentences=(*paragraphs[0].sentences, sentence))
    return (first, *paragraphs[1:])


def _unproven(subject: Subject, found: Sequence[Gap]) -> tuple[Unknown, ...]:
    """The events that are asked about, where they stand in files that are proven altered."""
    asked = f"Did what “{sentences.short(subject.title)}” tells happen as the log says?"
    return tuple(Unknown(question=asked, because=gap.because, how_to_get=gap.how_to_get) for gap in found)


def _unknowns(given: Sequence[Answer]) -> tuple[Unknown, ...]:
    return tuple(
        Unknown(
            question=a.uid,
            because="; ".join(g.because for g in a.gaps),
            how_to_get="; ".join(dict.fromkeys(g.how_to_get for g in a.gaps)),
        )
        for a in given
        if a.verdict == "unknown"
    )
