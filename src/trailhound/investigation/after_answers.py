"""Questions about the other answers: what they speak for, what is still open, what would have prevented it.

They read two tables in place of slices of the log: `answers`, one row for each that was given, and `weights`, what each
verdict on each of these questions weighs for each explanation.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from trailhound.investigation import answers as asking
from trailhound.investigation.evidence import Evidence
from trailhound.investigation.questions import Question, questions
from trailhound.investigation.tables import hold
from trailhound.model import Answer

_MOST_CITED = 5  # events of one answer that an answer about it cites


class _Given(msgspec.Struct, frozen=True):
    question: str
    verdict: str
    asks: str
    sentence: str
    because: str
    how_to_get: str
    evidence: tuple[str, ...]


class _Weight(msgspec.Struct, frozen=True):
    question: str
    verdict: str
    explanation: str
    weight: int


def ask(question: Question, evidence: Evidence) -> Answer:
    """One of them, where the others were not asked yet."""
    fitting = [each for each in questions() if asking.applies(each, evidence)]
    _hold(asking.ask_all(fitting, evidence), evidence)
    return asking.ask(question, evidence)


def ask_all(given: Sequence[Answer], evidence: Evidence) -> tuple[Answer, ...]:
    """All of them, of the answers that were given."""
    _hold(given, evidence)
    return asking.ask_all([each for each in questions() if each.of_answers], evidence)


def _hold(given: Sequence[Answer], evidence: Evidence) -> None:
    by_id = {question.id: question for question in questions()}
    told = [
        _Given(
            answer.question,
            answer.verdict,
            answer.asks,
            answer.sentence,
            "; ".join(gap.because for gap in answer.gaps),
            "; ".join(gap.how_to_get for gap in answer.gaps),
            answer.evidence[:_MOST_CITED],
        )
        for answer in given
    ]
    weights = [
        _Weight(answer.question, verdict, explanation, weight)
        for answer in given
        for verdict, weighed in by_id[answer.question].weighs.items()
        for explanation, weight in weighed.items()
    ]
    hold(evidence.engine, "answers", _Given, told)
    hold(evidence.engine, "weights", _Weight, weights)
