"""Answers → paragraphs. A sentence is an answer's own; none is written here without its evidence."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from trailhound.engines import dialect
from trailhound.investigation import deeds, left_out, pivots, sentences, verdict
from trailhound.investigation.answers import MOST_EVIDENCE
from trailhound.investigation.evidence import Evidence
from trailhound.investigation.questions import questions
from trailhound.model import Answer, Chase, Conclusion, Exhibit, Finding, Paragraph, Sentence, Subject

PARAGRAPHS = ("what happened", "who", "from where", "what was hit", "before and after", "what is not known")
BEYOND, ASSESSMENT = "beyond the alert", "what it amounts to"  # told when step 4 is done
_MOST_REASONS = 4
_SHOWN_OF_EACH = 20  # events of one sentence that are told
_MOST_ASKED = 4  # questions named of one reason
_MOST_ASIDE = 4  # artifacts named that were set aside, or not followed
_MOST_TURNS = 2
_OF_EACH = 5  # events of each answer, where a sentence stands on several


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


def conclude(
    paragraphs: Sequence[Paragraph], conclusion: Conclusion, chase: Chase, answers: Sequence[Answer]
) -> tuple[Paragraph, ...]:
    """With what step 4 found before what is not known, and what all of it amounts to at the end."""
    by_uid = {answer.uid: answer for answer in answers}
    subject = paragraphs[0].sentences[0].evidence  # what alerted: the ground of what stands on no answer
    beyond = Paragraph(paragraph=BEYOND, sentences=tuple(_beyond(chase, by_uid, subject)))
    amounts = Paragraph(paragraph=ASSESSMENT, sentences=tuple(_amounts(conclusion, by_uid, subject)))
    told = [p for p in paragraphs if p.paragraph != PARAGRAPHS[-1]]
    unknown = [p for p in paragraphs if p.paragraph == PARAGRAPHS[-1]]
    return tuple(p for p in (*told, beyond, *unknown, amounts) if p.sentences)


def exhibits(paragraphs: Sequence[Paragraph], evidence: Evidence) -> tuple[Exhibit, ...]:
    """Time, call and caller of the events that these sentences cite."""
    lacking = {uid for p in paragraphs for s in p.sentences for uid in s.evidence[:_SHOWN_OF_EACH]}
    days = dialect.listed(evidence.days(lacking))
    found: list[Exhibit] = []
    for where in ([f"event_day IN ({days})"] if days else []) + ["TRUE"]:  # first where the ledger says that they are
        if lacking:
            sql = (
                "SELECT DISTINCT metadata.uid AS uid, time, coalesce(api.operation, '') AS operation, "
                f"coalesce(principal_uid, '') AS principal_uid FROM events WHERE {where} "
                f"AND metadata.uid IN ({dialect.listed(sorted(lacking))})"
            )
            found += [Exhibit(**row) for row in evidence.query(sql)]
            lacking -= {one.uid for one in found}
    return tuple(sorted(found, key=lambda one: (one.time, one.uid)))


def _beyond(chase: Chase, answers: Mapping[str, Answer], subject: tuple[str, ...]) -> Iterator[Sentence]:
    """What speaks of harm, or leads on, of the artifacts that were followed; then those that were not, and why."""
    for lead in chase.leads:
        asked = [answers[uid] for uid in lead.answers]
        telling = [answer for answer in asked if _tells(answer)]
        for answer in telling:
            yield Sentence(text=answer.sentence, evidence=answer.evidence, answers=(answer.uid,))
        if asked and not telling:
            open_ = sum(answer.verdict == "unknown" for answer in asked)
            left = f"; {sentences.part(open_, len(asked), 'question')} about it stayed open" if open_ else ""
            name = sentences.name(lead.observable.value)
            yield _of(f"Of {name} nothing is known that speaks of harm or leads on{left}.", asked, subject)
    revealed = {hop.target: hop.answer for hop in reversed(chase.hops)}
    for status, says in (("set aside", "Set aside as no news"), ("not followed", "Not followed")):
        leads = [lead for lead in chase.leads if lead.status == status]
        named = [f"{sentences.name(lead.observable.value)} ({lead.reason})" for lead in leads[:_MOST_ASIDE]]
        if named:
            more = [f"{sentences.number(len(leads) - _MOST_ASIDE)} more"] if len(leads) > _MOST_ASIDE else []
            why = [answers[revealed[lead.observable]] for lead in leads[:_MOST_ASIDE]]
            yield _of(f"{says}: {'; '.join([*named, *more])}.", why, subject)


def _tells(answer: Answer) -> bool:
    by_id = {q.id: q for q in questions()}
    return bool(pivots.weight(answer)) or (answer.verdict == "yes" and bool(by_id[answer.question].pivots))


def _amounts(conclusion: Conclusion, answers: Mapping[str, Answer], subject: tuple[str, ...]) -> Iterator[Sentence]:
    """The verdict, its best explanation and the next, what would turn it, and how urgent it is."""
    best, second = conclusion.explanations[:2]
    verdict = (
        "The verdict is open"
        if conclusion.disposition == "undetermined"
        else f"The verdict is {conclusion.disposition}, with {conclusion.confidence} confidence"
    )
    against = f" and {sentences.count(len(best.against), 'answer')} against it" if best.against else ""
    text = (
        f"{verdict}: the best explanation is “{best.title}” ({best.score:+d}, with "
        f"{sentences.count(len(best.for_), 'answer')} for{against or ' it'}), the next “{second.title}” ({second.score:+d})."
    )
    yield _of(text, [answers[uid] for uid in (*best.for_, *best.against)], subject)
    for turn in conclusion.turns[:_MOST_TURNS]:
        answer = answers[turn.answer]
        yield _of(
            f"It would be {turn.disposition} if this were answered {turn.verdict}: {answer.asks}", [answer], subject
        )
    severity = conclusion.severity
    if severity and severity.reasons:
        reasons = ", ".join(reason.sentence for reason in severity.reasons)
        why = [answers[uid] for reason in severity.reasons for uid in reason.answers]
        yield _of(f"By the triage frame it is {severity.priority}: {reasons}.", why, subject)


def _of(text: str, why: Sequence[Answer], subject: tuple[str, ...]) -> Sentence:
    """A sentence that stands on several answers: on the first events of each."""
    evidence = tuple(dict.fromkeys(uid for answer in why for uid in answer.evidence[:_OF_EACH])) or subject
    return Sentence(text=text, evidence=evidence[:MOST_EVIDENCE], answers=tuple(dict.fromkeys(a.uid for a in why)))


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
    first, last = (sentences.local(time, evidence.settings.zone) for time in (scope.at, scope.to))
    period = f"On {first}" if scope.at == scope.to else f"Between {first} and {last}"
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
    return (
        f"On {sentences.local(scope.to, evidence.settings.zone)}{span}, {where} alerted: {finding.title.rstrip('.')}."
    )


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
    """The reasons that leave most weight open: what nobody could look at must not read like "nothing found"."""
    reasons: dict[str, list[Answer]] = {}
    for answer in answers:
        if answer.step == 3 and answer.verdict == "unknown" and answer.gaps:
            reasons.setdefault(answer.gaps[0].because, []).append(answer)
    heaviest = {because: sorted(open_, key=lambda a: -verdict.reach(a.question)) for because, open_ in reasons.items()}
    ranked = sorted(heaviest.items(), key=lambda item: -sum(verdict.reach(a.question) for a in item[1]))[:_MOST_REASONS]
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
