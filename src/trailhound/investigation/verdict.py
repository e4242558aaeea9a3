"""Answers → rival explanations, weighed, what follows from the weights, and what would change it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Literal

import msgspec

from trailhound import catalog
from trailhound.investigation import pivots
from trailhound.investigation.questions import Question, questions
from trailhound.model import Answer, Conclusion, Disposition, Explanation, Turn, Verdict

_TURNS = 6  # open answers that are named
_CONFIDENCE = Literal["low", "medium", "high"]


class _Story(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    title: str
    would_change_if: str
    malicious_from: int = 0  # the score from which the harm that it is about is believed
    like: str = ""  # the explanation whose weights it shares
    weighs: dict[str, dict[Verdict, int]] = {}  # question → verdict → weight, before what the question says
    established_by: dict[str, Verdict] = {}

    def weight(self, name: str, asked: Question, verdict: Verdict) -> int:
        own = self.weighs.get(asked.id, {}).get(verdict)
        if own is not None:
            return own
        said = asked.weighs.get(verdict, {})
        return said.get(name, said.get(self.like, 0))


def conclude(third: Sequence[Answer], fourth: Sequence[Answer] = ()) -> Conclusion:
    """Weigh the answers about the finding's own artifacts, and those about what they revealed; an unknown weighs nothing."""
    by_id = {q.id: q for q in questions()}
    explanations = []
    for name, story in _stories().items():
        said = {a.uid: story.weight(name, by_id[a.question], a.verdict) for a in third}
        said |= {a.uid: pivots.weight(a).get(name, 0) for a in fourth}
        heaviest = sorted(said.items(), key=lambda item: -abs(item[1]))
        explanations.append(
            Explanation(
                name=name,
                title=story.title,
                score=sum(said.values()),
                for_=tuple(uid for uid, weight in heaviest if weight > 0),
                against=tuple(uid for uid, weight in heaviest if weight < 0),
                would_change_if=story.would_change_if,
            )
        )
    explanations.sort(key=lambda e: -e.score)
    scores = {e.name: e.score for e in explanations}
    given: dict[str, Verdict] = {a.question: a.verdict for a in third}
    disposition = _disposition(scores, given)
    turns = _turns(third, scores, given, disposition)
    return Conclusion(
        disposition=disposition,
        confidence=_confidence(scores, disposition, _open(third), turns=bool(turns)),
        explanations=tuple(explanations),
        turns=turns,
    )


def _disposition(scores: Mapping[str, int], given: Mapping[str, Verdict]) -> Disposition:
    """`given`: the answers by question, of which some may establish a harmless explanation."""
    harm, harmless = _sides(scores)
    stories = _stories()
    if any(0 < stories[name].malicious_from <= score and score >= harmless + 4 for name, score in scores.items()):
        return "malicious"
    if harm >= 3 and harm > harmless and harm >= max(scores.values()):
        return "suspicious"
    established = any(given.get(q) == v for story in stories.values() for q, v in story.established_by.items())
    if established and harmless >= 4 and harmless >= harm + 3:
        return "benign"
    return "undetermined"


def _sides(scores: Mapping[str, int]) -> tuple[int, int]:
    """The best explanation of those that mean harm, and of those that an answer can establish as harmless."""
    stories = _stories()
    harm = max(score for name, score in scores.items() if stories[name].malicious_from)
    return harm, max(score for name, score in scores.items() if stories[name].established_by)


def _confidence(scores: Mapping[str, int], disposition: Disposition, open_: float, *, turns: bool) -> _CONFIDENCE:
    """High only if little that weighs is open, and nothing that is open would turn the verdict by itself."""
    harm, harmless = _sides(scores)
    margin = harmless - harm if disposition == "benign" else harm - harmless
    if disposition == "undetermined" or open_ > 0.5 or margin < 2:
        return "low"
    return "high" if open_ < 0.25 and margin >= 6 and not turns else "medium"


def _open(asked: Sequence[Answer]) -> float:
    """How much of the weight that these questions can bring is not known, 0 to 1."""
    weights = {a.question: reach(a.question) for a in asked}
    return sum(weights[a.question] for a in asked if a.verdict == "unknown") / max(sum(weights.values()), 1)


def _turns(
    asked: Sequence[Answer], scores: Mapping[str, int], given: Mapping[str, Verdict], now: Disposition
) -> tuple[Turn, ...]:
    """Open answers that would change the verdict by themselves, those first that would move it most."""
    found: list[tuple[int, Turn]] = []
    by_id = {q.id: q for q in questions()}
    for answer in asked:
        if answer.verdict != "unknown":
            continue
        for verdict in possible(by_id[answer.question]):
            moved = _moves(answer.question, verdict)
            then = {name: score + moved.get(name, 0) for name, score in scores.items()}
            turned = _disposition(then, {**given, answer.question: verdict})
            if turned != now:
                by = max((abs(weight) for weight in moved.values()), default=0)
                found.append((by, Turn(answer=answer.uid, verdict=verdict, disposition=turned)))
    return tuple(turn for _, turn in sorted(found, key=lambda one: -one[0])[:_TURNS])


def possible(asked: Question) -> tuple[Verdict, ...]:
    """The verdicts that can be said; what has no sentence for one can never be given it."""
    said: tuple[tuple[Verdict, str], ...] = (("yes", asked.yes), ("no", asked.no))
    return tuple(verdict for verdict, sentence in said if sentence)


@cache
def _moves(asked: str, verdict: Verdict) -> Mapping[str, int]:
    by_id = {q.id: q for q in questions()}
    return {name: story.weight(name, by_id[asked], verdict) for name, story in _stories().items()}


@cache
def reach(asked: str) -> int:
    """The most that an answer to it can weigh."""
    verdicts: tuple[Verdict, ...] = ("yes", "no")
    return max((abs(weight) for verdict in verdicts for weight in _moves(asked, verdict).values()), default=0)


@cache
def _stories() -> dict[str, _Story]:
    path = catalog.PACKS / "explanations.yml"
    return catalog.load(path, dict[str, _Story])
