"""Answers → paragraphs. A sentence is an answer's own; none is written here without its evidence."""

from __future__ import annotations

from collections.abc import Sequence

from trailhound.investigation import sentences
from trailhound.investigation.answers import MOST_EVIDENCE
from trailhound.investigation.evidence import Evidence
from trailhound.investigation.questions import questions
from trailhound.model import Answer, Finding, Paragraph, Sentence, Subject

PARAGRAPHS = ("what happened", "who", "from where", "what was hit", "before and after", "what is not known")
_MOST_REASONS = 4


def tell(
    subject: Subject, finding: Finding | None, answers: Sequence[Answer], evidence: Evidence
) -> tuple[Paragraph, ...]:
    places = {q.id: q.narrative for q in questions() if q.narrative}
    told: dict[str, list[tuple[int, Sentence]]] = {name: [] for name in PARAGRAPHS}
    told["what happened"] = list(enumerate(_opening(subject, finding, evidence)))
    told["what is not known"] = list(enumerate(_not_known(answers)))
    for answer in answers:
        place = places.get(answer.question)
        if place and answer.step == 3 and answer.verdict in place.tell and answer.sentence:
            sentence = Sentence(text=answer.sentence, evidence=answer.evidence, answers=(answer.uid,))
            told[place.paragraph].append((place.order, sentence))
    return tuple(
        Paragraph(paragraph=name, sentences=tuple(s for _, s in sorted(told[name], key=lambda item: item[0])))
        for name in PARAGRAPHS
        if told[name]
    )


def _opening(subject: Subject, finding: Finding | None, evidence: Evidence) -> list[Sentence]:
    scope = evidence.scope
    cited = scope.event_uids[:MOST_EVIDENCE]
    if finding is None:
        text = (
            f"Between {sentences.when(scope.at)} and {sentences.when(scope.to)}, CloudTrail recorded "
            f"{sentences.count(len(scope.event_uids), 'event')} of {subject.title}, most of them by "
            f"{sentences.name(scope.principal)} in the AWS account {scope.account}."
        )
        return [Sentence(text=text, evidence=cited, answers=())]
    span = "" if scope.at == scope.to else f" (the first at {sentences.clock(scope.at)})"
    where = f"CloudTrail logs of the AWS account {scope.account}"
    text = f"On {sentences.when(scope.to)}{span}, {where} alerted: {finding.title.rstrip('.')}."
    opening = [Sentence(text=text, evidence=cited, answers=())]
    if finding.desc:
        opening.append(Sentence(text=" ".join(finding.desc.split()), evidence=cited[:1], answers=()))
    return opening


def _not_known(answers: Sequence[Answer]) -> list[Sentence]:
    """The reasons that left most questions open: what nobody could look at must not read like "nothing found"."""
    reasons: dict[str, list[Answer]] = {}
    for answer in answers:
        if answer.step == 3 and answer.verdict == "unknown" and answer.gaps:
            reasons.setdefault(answer.gaps[0].because, []).append(answer)
    ranked = sorted(reasons.items(), key=lambda item: -len(item[1]))[:_MOST_REASONS]
    return [
        Sentence(
            text=f"Unknown, because {because}: {sentences.listing([a.asks for a in open_])}",
            evidence=open_[0].evidence,
            answers=tuple(a.uid for a in open_),
        )
        for because, open_ in ranked
    ]
