"""Answers → rival explanations, weighed, and what follows from the weights."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Literal

import msgspec

from trailhound import catalog
from trailhound.investigation.questions import questions
from trailhound.model import Answer, Conclusion, Disposition, Explanation, Verdict


class _Story(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    title: str
    would_change_if: str
    established_by: dict[str, Verdict] = {}


def conclude(answers: Sequence[Answer]) -> Conclusion:
    """Weigh the answers to the finding's own questions; an unknown weighs nothing."""
    weights = {q.id: q.weighs for q in questions()}
    asked = [a for a in answers if a.step == 3]
    explanations = []
    for name, story in _stories().items():
        said = {a.uid: weights[a.question].get(a.verdict, {}).get(name, 0) for a in asked}
        explanations.append(
            Explanation(
                name=name,
                title=story.title,
                score=sum(said.values()),
                for_=tuple(uid for uid, weight in said.items() if weight > 0),
                against=tuple(uid for uid, weight in said.items() if weight < 0),
                would_change_if=story.would_change_if,
            )
        )
    explanations.sort(key=lambda e: -e.score)
    unknown = sum(a.verdict == "unknown" for a in asked) / max(len(asked), 1)
    return Conclusion(
        disposition=_disposition(explanations, _established(asked)),
        confidence=_confidence(explanations, unknown),
        explanations=tuple(explanations),
    )


def _established(asked: Sequence[Answer]) -> bool:
    """Whether an answer establishes one of the harmless explanations."""
    given = {a.question: a.verdict for a in asked}
    return any(given.get(q) == v for story in _stories().values() for q, v in story.established_by.items())


def _disposition(ranked: Sequence[Explanation], established: bool) -> Disposition:
    score = {e.name: e.score for e in ranked}
    harmless = max(score["authorised"], score["automation"])
    if score["compromise"] >= 8 and score["compromise"] >= harmless + 4:
        return "malicious"
    if score["compromise"] >= 3 and score["compromise"] > harmless:
        return "suspicious"
    if established and harmless >= 4 and harmless >= score["compromise"] + 3:
        return "benign"
    return "undetermined"


def _confidence(ranked: Sequence[Explanation], unknown: float) -> Literal["low", "medium", "high"]:
    margin = ranked[0].score - ranked[1].score
    if unknown > 0.5 or margin < 2:
        return "low"
    return "high" if unknown < 0.25 and margin >= 6 else "medium"


@cache
def _stories() -> dict[str, _Story]:
    path = catalog.PACKS / "explanations.yml"
    return catalog.load(path, dict[str, _Story])
