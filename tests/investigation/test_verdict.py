"""The verdict against a slow reading of the packs, over answers that come out in any way."""

from __future__ import annotations

from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.reports.example import ANSWERS

from trailhound import catalog
from trailhound.investigation import severity, verdict
from trailhound.investigation.questions import questions
from trailhound.model import Answer

QUESTIONS = {q.id: q for q in questions()}
STORIES: dict[str, Any] = catalog.documents(catalog.PACKS / "explanations.yml")[0]
WEIGHED = sorted(
    {*(q for q in QUESTIONS if QUESTIONS[q].weighs), *(q for s in STORIES.values() for q in s.get("weighs", ()))}
)


def _answer(name: str, came_out: str) -> Answer:
    return msgspec.structs.replace(ANSWERS[0], uid=name, question=name, verdict=came_out, step=3)


@st.composite
def _given(draw: st.DrawFn) -> list[Answer]:
    asked = draw(st.lists(st.sampled_from(WEIGHED), min_size=1, max_size=30, unique=True))
    return [_answer(name, draw(st.sampled_from(("yes", "no", "unknown")))) for name in asked]


def _weight(story: str, answer: Answer) -> int:
    spec, said = STORIES[story], QUESTIONS[answer.question].weighs.get(answer.verdict, {})
    own = spec.get("weighs", {}).get(answer.question, {})
    if answer.verdict in own:
        return own[answer.verdict]
    return said[story] if story in said else said.get(spec.get("like", ""), 0)


@settings(max_examples=60, deadline=None)
@given(_given())
def test_each_explanation_has_the_weight_of_its_answers(answers: list[Answer]) -> None:
    found = verdict.conclude(answers)
    assert {one.name for one in found.explanations} == set(STORIES)
    for one in found.explanations:
        weights = {answer.uid: _weight(one.name, answer) for answer in answers}
        assert one.score == sum(weights.values())
        assert set(one.for_) == {uid for uid, weight in weights.items() if weight > 0}
        assert set(one.against) == {uid for uid, weight in weights.items() if weight < 0}


@settings(max_examples=40, deadline=None)
@given(_given())
def test_what_would_turn_the_verdict_does_and_nothing_else_would(answers: list[Answer]) -> None:
    found = verdict.conclude(answers)
    told = {(turn.answer, turn.verdict): turn.disposition for turn in found.turns}
    turning = {}
    for answer in answers:
        for came_out in verdict.possible(QUESTIONS[answer.question]) if answer.verdict == "unknown" else ():
            other = [a if a is not answer else _answer(answer.question, came_out) for a in answers]
            if (then := verdict.conclude(other).disposition) != found.disposition:
                turning[answer.uid, came_out] = then
    assert told.items() <= turning.items()
    assert len(told) == min(len(turning), verdict._TURNS)


@settings(max_examples=40, deadline=None)
@given(_given(), st.integers(1, 40))
def test_an_unknown_that_weighs_nothing_changes_nothing(answers: list[Answer], more: int) -> None:
    weightless = [q for q in QUESTIONS if q not in WEIGHED][:more]
    assert verdict.conclude([*answers, *(_answer(q, "unknown") for q in weightless)]) == verdict.conclude(answers)


def test_harm_from_the_actors_own_place_is_rather_the_owners_than_a_strangers() -> None:
    harm = [_answer(q, "yes") for q in ("policy.created_and_attached", "policy.administrator", "user.persistence")]
    own = verdict.conclude([*harm, _answer("ip_address.foreign", "no"), _answer("ip_address.seen_before", "yes")])
    strange = verdict.conclude([*harm, _answer("ip_address.foreign", "yes"), _answer("ip_address.seen_before", "no")])
    assert own.explanations[0].name == "insider"
    assert strange.explanations[0].name == "compromise"


def test_severity_follows_the_triage_frame() -> None:
    hit = [_answer("instance.production", "yes"), _answer("operation.succeeded", "yes")]
    of = lambda disposition, answers, who="IAMUser": severity.severity(disposition, answers, who).priority  # noqa: E731
    assert of("malicious", hit) == "P1"
    assert of("undetermined", hit) == "P2"
    assert of("benign", hit) == "P3"
    assert of("malicious", [hit[0], _answer("operation.succeeded", "no")]) == "P3"
    assert of("malicious", [_answer("user.persistence", "yes")]) == "P2"
    assert of("suspicious", [], "Root") == "P1"
    assert of("undetermined", [_answer("bucket.opened_to_all", "yes")]) == "P1"


def test_what_was_not_looked_at_is_no_no_in_the_triage() -> None:
    asked = {one.asks: one for one in severity.severity("malicious", [_answer("bucket.read", "no")], "").triage}
    assert asked["Is data concerned?"].verdict == "no"
    found = severity.severity("malicious", [_answer("bucket.read", "no"), _answer("bucket.written", "unknown")], "")
    assert {one.asks: one.verdict for one in found.triage}["Is data concerned?"] == "unknown"


def test_it_goes_on_while_whom_the_actor_made_goes_on() -> None:
    actor, made = (_answer("time.still_going_on", came_out) for came_out in ("no", "yes"))
    of = lambda beyond: {t.asks: t.verdict for t in severity.severity("malicious", [actor], "", beyond).triage}  # noqa: E731
    assert of([])["Is it still going on?"] == "no"
    assert of([made])["Is it still going on?"] == "yes"
    assert of([_answer("time.still_going_on", "unknown")])["Is it still going on?"] == "unknown"


def test_severity_asks_only_questions_that_exist() -> None:
    spec = catalog.documents(catalog.PACKS / "severity.yml")[0]
    named = {q for one in spec["triage"].values() for answers in one["answers"].values() for q in answers}
    named |= {
        q
        for reasons in spec["reasons"].values()
        for r in reasons
        for q in {**r.get("answers", {}), **r.get("unless", {})}
    }
    assert named <= QUESTIONS.keys()
    assert {q for story in STORIES.values() for q in story.get("weighs", {})} <= QUESTIONS.keys()
