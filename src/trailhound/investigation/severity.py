"""Answers and verdict → how urgent it is: P1, P2 or P3, and why (packs/severity.yml)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Literal

import msgspec

from trailhound import catalog
from trailhound.model import Answer, Disposition, Severity, Triage, Verdict

_Priority = Literal["P1", "P2", "P3"]
_LOWER: dict[str, str] = {"P1": "P2", "P2": "P3", "P3": "P3"}
_UNAUTHORISED: dict[Disposition, tuple[Verdict, str]] = {
    "malicious": ("yes", "the verdict is malicious"),
    "suspicious": ("yes", "the verdict is suspicious: nothing shows that it was authorised"),
    "undetermined": ("unknown", "the verdict is open, so it counts one step less"),
    "benign": ("no", "the verdict is benign"),
}


class _Spec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    pass


class _Asked(_Spec, frozen=True, kw_only=True):
    asks: str
    yes: str
    no: str
    unknown: str
    answers: dict[Literal["yes", "no"], dict[str, Verdict]]


class _Reason(_Spec, frozen=True, kw_only=True):
    says: str
    answers: dict[str, Verdict] = {}
    unless: dict[str, Verdict] = {}
    user_types: tuple[str, ...] = ()
    whatever_for: bool = False


class _Frame(_Spec, frozen=True, kw_only=True):
    triage: dict[str, _Asked]
    reasons: dict[_Priority, tuple[_Reason, ...]]


def severity(
    disposition: Disposition, answers: Sequence[Answer], user_type: str, beyond: Sequence[Answer] = ()
) -> Severity:
    """By the triage frame: what makes it P1 or P2, if it was unauthorised; an open verdict counts one step less.

    `beyond`: answers about what these revealed. Whoever the actor made may go on when the actor does not.
    """
    frame = _frame()
    asked = (*answers, *beyond)
    triage = (_unauthorised(disposition), *(_triage(one, asked) for one in frame.triage.values()))
    if disposition == "benign":
        return Severity(priority="P3", reasons=(), triage=triage)
    found = [
        (level, reason, triaged)
        for level, reasons in frame.reasons.items()
        for reason in reasons
        if (triaged := _holds(reason, answers, user_type))
    ]
    open_ = disposition == "undetermined"
    levels = [_LOWER[level] if open_ and not reason.whatever_for else level for level, reason, _ in found]
    reasons = tuple(triaged for _, _, triaged in found)
    return Severity(
        priority="P1" if "P1" in levels else "P2" if "P2" in levels else "P3", reasons=reasons, triage=triage
    )


def _unauthorised(disposition: Disposition) -> Triage:
    verdict, sentence = _UNAUTHORISED[disposition]
    return Triage(asks="Was it unauthorised?", verdict=verdict, sentence=sentence, answers=())


def _triage(asked: _Asked, answers: Sequence[Answer]) -> Triage:
    """*yes* by any of its answers; *no* only by all of those that were asked."""
    positive = [a for a in answers if asked.answers["yes"].get(a.question) == a.verdict]
    if positive:
        return Triage(asks=asked.asks, verdict="yes", sentence=asked.yes, answers=tuple(a.uid for a in positive))
    relevant = [a for a in answers if a.question in asked.answers["no"]]
    if relevant and all(asked.answers["no"][a.question] == a.verdict for a in relevant):
        return Triage(asks=asked.asks, verdict="no", sentence=asked.no, answers=tuple(a.uid for a in relevant))
    return Triage(asks=asked.asks, verdict="unknown", sentence=asked.unknown, answers=())


def _holds(reason: _Reason, answers: Sequence[Answer], user_type: str) -> Triage | None:
    if any(reason.unless.get(a.question) == a.verdict for a in answers):
        return None
    why = tuple(a.uid for a in answers if reason.answers.get(a.question) == a.verdict)
    if not why and user_type not in reason.user_types:
        return None
    return Triage(asks="", verdict="yes", sentence=reason.says, answers=why)


@cache
def _frame() -> _Frame:
    return catalog.load(catalog.PACKS / "severity.yml", _Frame)
