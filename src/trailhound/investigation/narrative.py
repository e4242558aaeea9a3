"""Answers → paragraphs. A sentence is an answer's own; none is written here without its evidence."""

from __future__ import annotations

from collections.abc import Sequence

from trailhound.engines import dialect
from trailhound.investigation import deeds, left_out, sentences
from trailhound.investigation.answers import MOST_EVIDENCE
from trailhound.investigation.evidence import Evidence
from trailhound.investigation.questions import questions
from trailhound.model import Answer, Exhibit, Finding, Paragraph, Sentence, Subject

PARAGRAPHS = ("what happened", "who", "from where", "what was hit", "before and after", "what is not known")
_MOST_REASONS = 4
_SHOWN_OF_EACH = 20  # events of one sentence that are told
_MOST_ASKED = 4  # questions named of one reason


def tell(
    subject: Subject, finding: Finding | None, answers: Sequence[Answer], evidence: Evidence
) -> tuple[Paragraph, ...]:
    places = {q.id: q.narrative for q in questions() if q.narrative}
    told: dict[str, list[tuple[int, Sentence]]] = {name: [] for name in PARAGRAPHS}
    told["what happened"] = list(enumerate(_opening(subject, finding, evidence)))
    told["what is not known"] = list(enumerate([*_left_out(evidence), *_not_known(answers)]))
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


def exhibits(paragraphs: Sequence[Paragraph], evidence: Evidence) -> tuple[Exhibit, ...]:
    """Time, call and caller of the events that these sentences cite, as far as the slices at hand hold them."""
    cited = {uid for p in paragraphs for s in p.sentences for uid in s.evidence[:_SHOWN_OF_EACH]}
    found: dict[str, Exhibit] = {}
    for table in ("subject", "actor", "hands", "place", "deed", "target", "rights", "sign_in"):
        if lacking := sorted(cited - found.keys()):
            listed = ", ".join(dialect.literal(uid) for uid in lacking)
            sql = (
                "SELECT DISTINCT uid, time, coalesce(operation, '') AS operation, coalesce(principal_uid, '') AS principal_uid "
                f"FROM {table} WHERE uid IN ({listed})"
            )
            found |= {row["uid"]: Exhibit(**row) for row in evidence.query(sql)}
    return tuple(sorted(found.values(), key=lambda one: (one.time, one.uid)))


def _opening(subject: Subject, finding: Finding | None, evidence: Evidence) -> list[Sentence]:
    scope = evidence.scope
    said = [_recorded(subject, evidence) if finding is None else _alerted(finding, evidence), deeds.told(evidence)]
    if finding and (looked_for := _first_paragraph(finding.desc)):
        # The rule speaks of all its findings, not of this one: what it says must not read as seen here.
        said.append(f"The rule that alerted ({finding.rule_title}) says of such events in general: “{looked_for}”")
    return [Sentence(text=text, evidence=scope.event_uids[:MOST_EVIDENCE], answers=()) for text in said if text]


def _recorded(subject: Subject, evidence: Evidence) -> str:
    scope = evidence.scope
    mostly = "most of them by" if len(scope.event_uids) > 1 and len(scope.of("user")) > 1 else "by"
    period = (
        f"On {sentences.when(scope.at)}"
        if scope.at == scope.to
        else f"Between {sentences.when(scope.at)} and {sentences.when(scope.to)}"
    )
    return (
        f"{period}, CloudTrail recorded {sentences.count(len(scope.event_uids), 'event')} of {subject.title}, "
        f"{mostly} {sentences.name(scope.principal)} in the AWS account {scope.account}."
    )


def _alerted(finding: Finding, evidence: Evidence) -> str:
    scope = evidence.scope
    same_day = sentences.day(scope.at) == sentences.day(scope.to)
    first = (sentences.clock if same_day else sentences.when)(scope.at)
    span = "" if scope.at == scope.to else f" (the first at {first})"
    where = f"CloudTrail logs of the AWS account {scope.account}"
    return f"On {sentences.when(scope.to)}{span}, {where} alerted: {finding.title.rstrip('.')}."


def _first_paragraph(desc: str) -> str:
    """What a rule looks for; the paragraphs after it are notes for those who keep the rule."""
    return " ".join(sentences.plain(desc).strip().split("\n\n")[0].split())


def _left_out(evidence: Evidence) -> list[Sentence]:
    cited = evidence.scope.event_uids[:MOST_EVIDENCE]
    return [
        Sentence(text=f"Not all was looked at: {gap.because}.", evidence=cited, answers=())
        for gap in left_out.gaps(evidence)
    ]


def _not_known(answers: Sequence[Answer]) -> list[Sentence]:
    """The reasons that left most questions open: what nobody could look at must not read like "nothing found"."""
    reasons: dict[str, list[Answer]] = {}
    for answer in answers:
        if answer.step == 3 and answer.verdict == "unknown" and answer.gaps:
            reasons.setdefault(answer.gaps[0].because, []).append(answer)
    ranked = sorted(reasons.items(), key=lambda item: -len(item[1]))[:_MOST_REASONS]
    return [
        Sentence(
            text=f"Unknown, because {because.rstrip('.')}: {_asked(open_)}",
            evidence=open_[0].evidence,
            answers=tuple(a.uid for a in open_),
        )
        for because, open_ in ranked
    ]


def _asked(open_: Sequence[Answer]) -> str:
    more = len(open_) - _MOST_ASKED
    said = " ".join(answer.asks for answer in open_[:_MOST_ASKED])
    return f"{said} And {sentences.count(more, 'more question')}." if more > 0 else said
