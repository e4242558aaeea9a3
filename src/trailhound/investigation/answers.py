"""One question, one scope → one answer with three values.

The rule that keeps "no" honest: a *yes* needs only the evidence it shows; a *no* also needs that
everything was there to be looked at. What was not makes the answer *unknown* and is named as its gap.
What is proven not to be as it was delivered is no evidence, and counts as not there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import chain
from typing import Any

import msgspec

from trailhound.investigation import gaps, sentences, unseen
from trailhound.investigation.evidence import Evidence
from trailhound.investigation.questions import Needs, Question
from trailhound.investigation.scope import Scope
from trailhound.model import Answer, Gap, Observable, Verdict

MOST_EVIDENCE = 50
MOST_LISTED = 50
_CONTROL = {"answer", "because", "how_to_get", "evidence"}
_OF_ALL = ("time", "case")  # kinds of which every investigation has one, and none that is named


Progress = Callable[[int, int], None]


def ask(question: Question, evidence: Evidence) -> Answer:
    """Ask the question of all artifacts of its kind in the scope."""
    (answer,) = ask_all([question], evidence)
    return answer


def ask_all(
    asked: Sequence[Question], evidence: Evidence, *, step: int = 3, about: str = "", progress: Progress | None = None
) -> tuple[Answer, ...]:
    """Ask these questions; those about one new artifact name it in their uid. Where all cited events stand is looked up at once."""
    rows = []
    for done, question in enumerate(asked):
        if progress:
            progress(done, len(asked))
        rows.append(evidence.row(question, about_what(question, evidence.scope)))
    cited = [_cited(row.get("evidence"), evidence) for row in rows]
    places = evidence.places(chain.from_iterable(cited))
    evidence.ledger.read(chain.from_iterable(places.values()))
    return tuple(
        _answer(question, evidence, row, uids, step, f"{question.id}/{about}" if about else question.id)
        for question, row, uids in zip(asked, rows, cited, strict=True)
    )


def _answer(
    question: Question, evidence: Evidence, row: Mapping[str, Any], cited: Sequence[str], step: int, uid: str
) -> Answer:
    values = about_what(question, evidence.scope)
    facts = {k: _fact(v) for k, v in row.items() if k not in _CONTROL}
    verdict, missing = _verdict(question, evidence, row, cited)
    told = {**_known(evidence, values), **facts}
    if verdict == "unknown" and row["answer"] and missing[0].what == "integrity":
        sentence = f"By broken files alone: {_sentence(question, 'yes', told, ())}"
    else:
        sentence = _sentence(question, verdict, told, missing)
    return Answer(
        uid=uid,
        question=question.id,
        asks=question.asks,
        step=step,
        observable=Observable(kind=question.kind, value=_shown(values) or evidence.scope.principal),
        verdict=verdict,
        sentence=sentence,
        facts=facts,
        evidence=tuple(cited[:MOST_EVIDENCE]),
        evidence_count=len(cited),
        query=evidence.shown(question.sql),
        parameters=evidence.used(question.sql, values),
        basis=evidence.basis(question.sql, cited, shown=MOST_EVIDENCE),
        gaps=tuple(missing),
        covers=question.covers,
        not_covered=question.not_covered,
    )


def about_what(question: Question, scope: Scope) -> tuple[str, ...]:
    """The artifacts that it is asked of, all at once."""
    return scope.of(question.kind) or scope.typed(question.resource_types)


def applies(question: Question, evidence: Evidence) -> bool:
    """Whether the question makes sense here at all, and can be asked before the others."""
    scope, when = evidence.scope, question.applies
    if question.of_answers:
        return False
    values = about_what(question, scope)
    if not values and question.kind not in _OF_ALL:
        return False
    if when.values and not any(value.startswith(when.values) for value in values):
        return False
    if when.operations and not any(op.startswith(when.operations) for op in scope.operations):
        return False
    return not when.user_types or scope.user_type in when.user_types


def _verdict(
    question: Question, evidence: Evidence, row: Mapping[str, Any], cited: Sequence[str]
) -> tuple[Verdict, list[Gap]]:
    """The answer and what speaks against it: of an *unknown*, the reasons; of a *yes*, that some of it is not proven.

    What stands in a file that is proven altered is no evidence: a *yes* needs other events, a *no* bears none such.
    """
    broken, altered = gaps.altered(cited, evidence)
    missing = _missing(question.needs, evidence)
    if row["answer"] is None:
        because = " ".join(sentences.plain(row.get("because") or "the log does not say").split())
        how = row.get("how_to_get") or "ingest or record what the question says it covers"
        missing.append(Gap(what="evidence", because=because, how_to_get=how))
    if missing:
        return "unknown", [*missing, *altered]
    given: Verdict = "yes" if row["answer"] else "no"
    missing = _missing(question.yes_needs if row["answer"] else question.no_needs, evidence)
    if given == "no" and row.get("since") is not None:
        missing += gaps.history(row["since"], evidence)
    if missing or (altered and (given == "no" or broken == len(cited))):
        return "unknown", [*missing, *altered]
    return given, altered


def _missing(needs: Needs, evidence: Evidence) -> list[Gap]:
    return [*gaps.missing(needs, evidence), *unseen.missing(needs, evidence)]


def _known(evidence: Evidence, values: Sequence[str]) -> dict[str, Any]:
    """What every sentence may mention beside its own facts."""
    scope = evidence.scope
    return {
        "principal": scope.principal,
        "account": scope.account,
        "operations": list(scope.operations),
        "values": list(values),
        "ips": list(scope.of("ip_address")),
        "at": scope.at,
        "to": scope.to,
        "log_begins": evidence.parameters["log_begins"],
        "log_ends": evidence.parameters["log_ends"],
        "data_events": evidence.coverage.s3_data_events,
        "purpose": gaps.purpose(evidence),
        "person": evidence.settings.person(scope.principal),
        "expected": evidence.settings.expected,
    }


def _sentence(question: Question, verdict: Verdict, facts: Mapping[str, Any], missing: Sequence[Gap]) -> str:
    if verdict == "unknown" and not question.unknown:  # the reason is all there is to say
        return missing[0].because[0].upper() + missing[0].because[1:] + "."
    template = {"yes": question.yes, "no": question.no, "unknown": question.unknown}[verdict]
    text = sentences.render(template, facts)
    if text.startswith(("the ", "an ", "none ", "no ")):  # never a name: names keep their case
        text = text[0].upper() + text[1:]
    # An unknown says why in the same breath, or it reads like a no.
    if verdict == "unknown" and missing and " because " not in template:
        end = "" if text.endswith("?") else "."
        text = f"{text.rstrip('.')} ({missing[0].because}){end}"
    if verdict == "yes" and missing:
        text = f"{text} (But {missing[0].because}.)"
    return text


def _cited(found: Any, evidence: Evidence) -> list[str]:
    """In order, without repeats; an answer that found nothing stands on the events that raised the question."""
    uids = [found] if isinstance(found, str) else [uid for uid in found or () if uid]
    return list(dict.fromkeys(uids)) or list(evidence.scope.event_uids)


def _fact(value: Any) -> Any:
    if isinstance(value, list):
        return [_fact(v) for v in value[:MOST_LISTED]]
    if isinstance(value, str) and len(value) > 500:
        return value[:500] + "…"
    return msgspec.to_builtins(value)


def _shown(values: Sequence[str]) -> str:
    shown = ", ".join(values[:MOST_LISTED])
    return shown + (f" and {len(values) - MOST_LISTED} more" if len(values) > MOST_LISTED else "")
