"""Verdict and answers → what to do (packs/recommendations.yml)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, Literal

import msgspec

from trailhound import catalog
from trailhound.investigation import pivots, sentences
from trailhound.investigation.evidence import Evidence
from trailhound.model import Answer, Conclusion, Disposition, Recommendation, Verdict


class _When(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    dispositions: tuple[Disposition, ...]
    user_types: tuple[str, ...] = ()
    operations: tuple[str, ...] = ()
    answers: dict[str, tuple[str, ...]] = {}
    about: tuple[
        Literal["finding", "actor", "many"], ...
    ] = ()  # a finding; whoever is one, or all that touched a thing
    followed: bool = False  # the answers led to somebody else of whom they tell harm


class _Spec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    id: str
    playbook: str
    urgency: Literal["now", "today", "this week"]
    when: _When
    action: str
    why: dict[str, tuple[Verdict, ...]]  # answers that are a reason for it, if that is how they came out
    breaks: str = ""


def recommend(verdict: Conclusion, answers: Sequence[Answer], evidence: Evidence) -> tuple[Recommendation, ...]:
    """`answers`: of step 3 and 4; what holds, and what is said, is about the finding's own but where others are named."""
    given = {a.question: a for a in answers if a.step == 3}
    facts = _facts(given, evidence)
    # Ways in that the actor made are to be removed; here are those to which the answers led beside them.
    harmful = [
        a for a in answers
        if a.step == 4 and pivots.harm(a) and a.observable.value.rsplit("/", 1)[-1] not in (facts["ways_in"] or ())
    ]  # fmt: skip
    facts["followed"] = list(dict.fromkeys(a.observable.value for a in harmful))
    rows = evidence.query("SELECT DISTINCT operation FROM subject WHERE status_id IS DISTINCT FROM 2")
    done = {row["operation"] for row in rows}  # what only failed has nothing to be undone
    return tuple(
        _make(spec, given, harmful, facts)
        for spec in _specs()
        if _holds(spec.when, verdict, given, evidence)
        and (harmful or not spec.when.followed)
        and (not spec.when.operations or done.intersection(spec.when.operations))
    )


def _holds(when: _When, verdict: Conclusion, given: Mapping[str, Answer], evidence: Evidence) -> bool:
    scope = evidence.scope
    about = "finding" if scope.finding_uid else "actor" if scope.one_actor else "many"
    return (
        verdict.disposition in when.dispositions
        and (not when.user_types or (scope.one_actor and scope.user_type in when.user_types))
        and (not when.about or about in when.about)
        and all(q in given and given[q].verdict in verdicts for q, verdicts in when.answers.items())
    )


def _make(
    spec: _Spec, given: Mapping[str, Answer], harmful: Sequence[Answer], facts: Mapping[str, Any]
) -> Recommendation:
    why = [given[q] for q, verdicts in spec.why.items() if q in given and given[q].verdict in verdicts]
    why += harmful if spec.when.followed else ()
    cited = tuple(dict.fromkeys(uid for answer in why for uid in answer.evidence[:5]))
    return Recommendation(
        action=sentences.render(spec.action, facts),
        why=tuple(answer.uid for answer in why),
        evidence=cited or facts["event_uids"],
        playbook=spec.playbook,
        breaks=(sentences.render(spec.breaks, facts),) if spec.breaks else (),
        urgency=spec.urgency,
    )


def _facts(given: Mapping[str, Answer], evidence: Evidence) -> dict[str, Any]:
    def fact(question: str, name: str) -> Any:
        return given[question].facts.get(name) if question in given else None

    scope = evidence.scope
    return {
        "principal": scope.principal,
        "principals": scope.of("user"),
        "person": evidence.settings.person(scope.principal),
        "event_uids": scope.event_uids[:5],
        "opened_by": [one for one in fact("access_key.issued", "by") or () if not one.endswith(".amazonaws.com")],
        "services": fact("user.access", "services"),
        "made": fact("instance.backups", "made"),
        "last_backup": fact("instance.backups", "last"),
        "buckets": list(scope.of("bucket")),
        "outflow": fact("bucket.read", "bytes") or 0,
        "ways_in": fact("user.persistence", "names"),
    }


@cache
def _specs() -> tuple[_Spec, ...]:
    return catalog.load(catalog.PACKS / "recommendations.yml", tuple[_Spec, ...])
