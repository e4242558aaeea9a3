"""One question, one scope → one answer with three values.

The rule that keeps "no" honest: a *yes* needs only the evidence it shows; a *no* also needs that
everything was there to be looked at. What was not makes the answer *unknown* and is named as its gap.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from trailhound.investigation import gaps, sentences, unseen
from trailhound.investigation.evidence import Evidence
from trailhound.investigation.questions import Needs, Question
from trailhound.model import Answer, Gap, Observable, Verdict

MOST_EVIDENCE = 50
MOST_LISTED = 50
_CONTROL = {"answer", "because", "how_to_get", "evidence"}


def ask(question: Question, evidence: Evidence, *, step: int = 3, uid: str = "") -> Answer:
    """Ask the question of all artifacts of its kind in the scope."""
    values = evidence.scope.of(question.kind)
    row = evidence.row(question, values)
    facts = {k: _fact(v) for k, v in row.items() if k not in _CONTROL}
    verdict, missing = _verdict(question, evidence, row)
    cited = _cited(row.get("evidence"), evidence)
    return Answer(
        uid=uid or question.id,
        question=question.id,
        asks=question.asks,
        step=step,
        observable=Observable(kind=question.kind, value=_shown(values) or evidence.scope.principal),
        verdict=verdict,
        sentence=_sentence(question, verdict, {**_known(evidence, values), **facts}, missing),
        facts=facts,
        evidence=tuple(cited[:MOST_EVIDENCE]),
        evidence_count=len(cited),
        query=evidence.shown(question.sql),
        parameters=evidence.used(question.sql, values),
        gaps=tuple(missing),
        covers=question.covers,
        not_covered=question.not_covered,
    )


def applies(question: Question, evidence: Evidence) -> bool:
    """Whether the question makes sense here at all."""
    scope, when = evidence.scope, question.applies
    if question.kind not in ("time",) and not scope.of(question.kind):
        return False
    if when.operations and not any(op.startswith(when.operations) for op in scope.operations):
        return False
    return not when.user_types or scope.user_type in when.user_types


def _verdict(question: Question, evidence: Evidence, row: Mapping[str, Any]) -> tuple[Verdict, list[Gap]]:
    missing = _missing(question.needs, evidence)
    if row["answer"] is None:
        because = " ".join(sentences.plain(row.get("because") or "the log does not say").split())
        how = row.get("how_to_get") or "ingest or record what the question says it covers"
        missing.append(Gap(what="evidence", because=because, how_to_get=how))
    if missing:
        return "unknown", missing
    given: Verdict = "yes" if row["answer"] else "no"
    missing = _missing(question.yes_needs if row["answer"] else question.no_needs, evidence)
    if given == "no" and row.get("since") is not None:
        missing += gaps.history(row["since"], evidence)
    return ("unknown", missing) if missing else (given, [])


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
