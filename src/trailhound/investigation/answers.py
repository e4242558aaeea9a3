"""One question, one scope → one answer with three values.

The rule that keeps "no" honest: a *yes* needs only the evidence it shows; a *no* also needs that
everything was there to be looked at. What was not makes the answer *unknown* and is named as its gap.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from trailhound.investigation import sentences
from trailhound.investigation.evidence import Evidence
from trailhound.investigation.questions import Needs, Question
from trailhound.investigation.scope import DAY, HOUR, day
from trailhound.lake import times
from trailhound.model import Answer, Gap, Observable, Verdict

MOST_EVIDENCE = 50
MOST_LISTED = 50
_CONTROL = {"answer", "because", "how_to_get", "evidence"}


def ask(question: Question, evidence: Evidence, *, step: int = 3, uid: str = "") -> Answer:
    """Ask the question of all artifacts of its kind in the scope."""
    values = evidence.scope.of(question.kind)
    row = evidence.row(question, values)
    facts = {k: _fact(v) for k, v in row.items() if k not in _CONTROL}
    verdict, gaps = _verdict(question, evidence, row)
    cited = _cited(row.get("evidence"), evidence)
    return Answer(
        uid=uid or question.id,
        question=question.id,
        asks=question.asks,
        step=step,
        observable=Observable(kind=question.kind, value=_shown(values) or evidence.scope.principal),
        verdict=verdict,
        sentence=_sentence(question, verdict, evidence, facts, values, gaps),
        facts=facts,
        evidence=tuple(cited[:MOST_EVIDENCE]),
        evidence_count=len(cited),
        query=evidence.shown(question.sql),
        parameters=evidence.used(question.sql, values),
        gaps=tuple(gaps),
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
    gaps = _missing(question.needs, evidence)
    if row["answer"] is None:
        how = row.get("how_to_get") or "the question says what it covers; ingest or record what is missing"
        gaps.append(Gap(what="evidence", because=row.get("because") or "the log does not say", how_to_get=how))
    if gaps:
        return "unknown", gaps
    if row["answer"]:
        gaps = _missing(question.yes_needs, evidence)
        return ("unknown", gaps) if gaps else ("yes", [])
    gaps = _missing(question.no_needs, evidence)
    if row.get("since") is not None:
        gaps += _history(row["since"], evidence)
    return ("unknown", gaps) if gaps else ("no", [])


def _missing(needs: Needs, evidence: Evidence) -> list[Gap]:
    """What these needs ask for and the evidence does not hold."""
    scope, coverage, gaps = evidence.scope, evidence.coverage, []
    if needs.history:
        gaps += _history(scope.at - times.duration(needs.history), evidence)
    if needs.after:
        gaps += _after(scope.to + times.duration(needs.after), evidence)
    if needs.actor_days and not gaps:
        active = _active_days(evidence)
        if active < needs.actor_days:
            because = f"no history: {sentences.name(scope.principal)} was active on {sentences.count(active, 'day')} before, {sentences.number(needs.actor_days)} are needed"
            gaps.append(Gap(what="actor_history", because=because, how_to_get="ingest more of the actor's history"))
    if needs.data_events and not coverage.s3_data_events:
        because = f"no S3 data events of account {scope.account} are in the log"
        gaps.append(Gap(what="data_events", because=because, how_to_get="ingest a trail that records S3 data events; if none does, S3 server access logs"))
    if needs.single_actor and len(scope.of("user")) > 1:
        because = f"{len(scope.of('user'))} principals are involved, not one"
        gaps.append(Gap(what="single_actor", because=because, how_to_get="investigate each principal on its own"))
    if needs.purpose and not _purpose(evidence):
        because = f"the purpose of account {scope.account} is not recorded"
        gaps.append(Gap(what="purpose", because=because, how_to_get=f"write it under [accounts.{scope.account}] in trailhound.toml"))
    if needs.country and not _has_country(evidence):
        because = "the address has no country" if scope.of("ip_address") else "the calls came from an AWS service, not from an address"
        gaps.append(Gap(what="country", because=because, how_to_get="look the address up by hand"))
    return gaps


def _history(since: int, evidence: Evidence) -> list[Gap]:
    """Gaps of the account's log between `since` and the end of the finding."""
    scope, coverage = evidence.scope, evidence.coverage
    account, first = scope.account, coverage.first_time
    how = f"ingest the trail's files of account {account} from {day(since)} on"
    if first is None or day(first) > day(since):
        begins = f"begins on {day(first)}" if first else "is empty"
        return [Gap(what="history", because=f"no history: the log of account {account} {begins}, it is needed from {day(since)}", how_to_get=how)]
    empty = [d for d in coverage.empty_days if day(since) <= d <= day(scope.to)]
    if empty:
        return [Gap(what="history", because=f"the log of account {account} has nothing of {sentences.listing(empty)}", how_to_get=how)]
    if hours := _missing_hours(since, evidence):
        because = f"the log of account {account} has nothing of the hour{'s' if len(hours) > 1 else ''} from {sentences.listing(hours)} UTC, though it hardly ever has an empty hour"
        return [Gap(what="hour", because=because, how_to_get=how)]
    for begin, end in coverage.stopped:
        if begin < scope.at and (end is None or end >= since):
            until = sentences.when(end) if end else "the end of the log"
            return [Gap(what="logging_stopped", because=f"logging was stopped from {sentences.when(begin)} to {until}", how_to_get="look for another trail, or the services' own logs")]
    return []


def _missing_hours(since: int, evidence: Evidence) -> list[str]:
    """Hours without any event of the account, in the last two days before the alert, where that is out of the ordinary.

    An account that sleeps at night has quiet hours; one that never does has missing ones.
    """
    scope = evidence.scope
    begin = max(since, scope.at - 2 * DAY) // HOUR
    usual = range(scope.at // HOUR - 14 * 24, scope.at // HOUR + 1)
    if sum(hour in evidence.busy_hours for hour in usual) < 0.95 * len(usual):
        return []
    return [sentences.when(h * HOUR)[:16] for h in range(begin, scope.to // HOUR + 1) if h not in evidence.busy_hours]


def _after(until: int, evidence: Evidence) -> list[Gap]:
    scope, coverage = evidence.scope, evidence.coverage
    last = coverage.last_time or scope.to
    if last < until:
        because = f"the log of account {scope.account} ends at {sentences.when(last)}, it is needed until {sentences.when(until)}"
        return [Gap(what="later", because=because, how_to_get="ingest what was delivered since, and ask again")]
    stopped = [begin for begin, end in coverage.stopped if begin < until and (end is None or end > scope.to)]
    if stopped:
        because = f"logging was stopped at {sentences.when(min(stopped))}"
        return [Gap(what="logging_stopped", because=because, how_to_get="look for another trail, or the services' own logs")]
    return []


def _active_days(evidence: Evidence) -> int:
    # The last twelve hours are left out: what is asked about must not be its own history.
    sql = f"SELECT count(DISTINCT day) AS days FROM actor WHERE time < $at - {DAY // 2}"
    return evidence.query(sql)[0]["days"]


def _has_country(evidence: Evidence) -> bool:
    sql = "SELECT count(*) AS known FROM context WHERE list_contains($ips, value) AND country IS NOT NULL"
    return evidence.query(sql)[0]["known"] > 0


def _purpose(evidence: Evidence) -> str:
    account = evidence.settings.accounts.get(evidence.scope.account)
    return account.purpose if account else ""


def _sentence(
    question: Question, verdict: Verdict, evidence: Evidence, facts: Mapping[str, Any], values: Sequence[str], gaps: Sequence[Gap]
) -> str:
    template = {"yes": question.yes, "no": question.no, "unknown": question.unknown or f"Unknown: {question.asks}"}[verdict]
    scope = evidence.scope
    known = {
        "principal": scope.principal, "account": scope.account, "operations": list(scope.operations), "values": list(values),
        "ips": list(scope.of("ip_address")), "at": scope.at, "to": scope.to, "purpose": _purpose(evidence),
        "person": evidence.settings.person(scope.principal), "expected": evidence.settings.expected,
    }
    text = sentences.render(template, {**known, **facts})
    if text.startswith(("the ", "an ", "none ", "no ")):  # never a name: names keep their case
        text = text[0].upper() + text[1:]
    # An unknown says why in the same breath, or it reads like a no.
    if verdict == "unknown" and gaps and " because " not in text:
        text = f"{text.rstrip('.')} ({gaps[0].because})." if not text.endswith("?") else f"{text} ({gaps[0].because})"
    return text


def _cited(found: Any, evidence: Evidence) -> list[str]:
    """Evidence in order, without repeats; an answer that found nothing stands on the events that raised the question."""
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
