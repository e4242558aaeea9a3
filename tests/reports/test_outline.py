"""Numbering, grouping and citing."""

from __future__ import annotations

import msgspec
from hypothesis import given
from hypothesis import strategies as st
from tests.reports.example import ANSWERS, FAILURES, INVESTIGATION, SUCCESS, TERMINATIONS, UID, altered

from trailhound.reports import outline as module
from trailhound.reports.outline import Exhibit, Mark, Outline, leading, outline


def test_every_answer_is_shown_once_under_its_step_and_observable() -> None:
    plan = outline(INVESTIGATION)
    shown = [said.answer.uid for stage in plan.stages for group in stage.groups for said in group.answers]
    assert sorted(shown) == sorted(answer.uid for answer in ANSWERS)
    assert [(stage.number, stage.name) for stage in plan.stages] == [
        (3, "artifact analysis"),
        (4, "additional artifact analysis"),
    ]
    for stage in plan.stages:
        assert all(said.answer.observable == group.observable for group in stage.groups for said in group.answers)


def test_labels_count_in_reading_order() -> None:
    plan = outline(INVESTIGATION)
    marks = [said.mark for stage in plan.stages for group in stage.groups for said in group.answers]
    assert marks == [Mark(f"Q{n}", f"q{n}") for n in range(1, len(ANSWERS) + 1)]


def test_every_event_the_document_names_is_an_exhibit_that_says_where() -> None:
    plan = outline(INVESTIGATION)
    cited = {uid for p in INVESTIGATION.narrative for s in p.sentences for uid in s.evidence}
    cited |= {uid for answer in ANSWERS for uid in answer.evidence} | {m.event_uid for m in INVESTIGATION.timeline}
    assert cited | set(TERMINATIONS) == set(plan.exhibits)
    places = {place.label for place in plan.exhibits[SUCCESS].places}
    assert {"sentence 2.2", "recommendation 1", plan.answers[UID["user.mfa"]].mark.label, "timeline"} <= places


def test_events_in_a_row_are_one_mark() -> None:
    marks = outline(INVESTIGATION).marks(answers=[UID["user.failed_sign_ins"]], events=(*FAILURES, SUCCESS))
    assert [mark.label for mark in marks] == ["Q15", "E6–E15"]


def test_an_answer_that_is_not_in_the_document_is_no_link() -> None:
    assert outline(INVESTIGATION).marks(answers=["nowhere"]) == (Mark("Q?", None),)


@given(st.sets(st.integers(1, 60)))
def test_marks_name_just_the_events_given(numbers: set[int]) -> None:
    exhibits = {str(n): Exhibit(Mark(f"E{n}", f"e{n}"), str(n), None, (), ()) for n in range(1, 61)}
    marks = list(module._ranges(exhibits[str(n)].mark for n in numbers))
    named = [int(end[1:]) for mark in marks for end in mark.label.split("–")]
    assert named == sorted(named)
    spans = [[int(end[1:]) for end in mark.label.split("–")] for mark in marks]
    assert {n for span in spans for n in range(span[0], span[-1] + 1)} == numbers


def test_many_marks_are_cut_and_counted() -> None:
    plan = outline(INVESTIGATION)
    marks = plan.marks(answers=[answer.uid for answer in ANSWERS])
    assert len(marks) == module.MARKS_SHOWN + 1
    assert marks[-1] == Mark(f"+{len(ANSWERS) - module.MARKS_SHOWN}", None)


def test_runs_hold_all_moments_in_order_of_time() -> None:
    shuffled = altered(timeline=INVESTIGATION.timeline[::-1])
    plan = outline(shuffled)
    times = [moment.time for phase in plan.phases for run in phase.runs for moment in run.moments]
    assert times == sorted(moment.time for moment in INVESTIGATION.timeline)
    failures = next(phase for phase in plan.phases if phase.name == "sign-in").runs[0]
    assert (len(failures.moments), failures.first.status) == (9, "failure")


def test_too_many_answers_are_cut_and_counted() -> None:
    many = tuple(msgspec.structs.replace(ANSWERS[0], uid=f"answer {n}") for n in range(module.ANSWERS_SHOWN + 7))
    plan = outline(altered(answers=many))
    assert (len(plan.answers), plan.answers_omitted) == (module.ANSWERS_SHOWN, 7)


def test_the_leading_explanation_has_the_highest_score_and_none_leads_when_open() -> None:
    found = leading(INVESTIGATION)
    assert found is not None
    assert found.name == "compromise"
    open_verdict = msgspec.structs.replace(INVESTIGATION.verdict, disposition="undetermined")
    assert leading(altered(verdict=open_verdict)) is None


def test_an_open_question_is_told_in_plain_words() -> None:
    plan = outline(INVESTIGATION)
    open_ = [a for a in ANSWERS if a.verdict == "unknown"]
    said = [plan.asked(one.question) for one in INVESTIGATION.unknowns]
    assert said == [a.asks if a.step == 3 else f"{a.asks} ({a.observable.value})" for a in open_]


def test_an_open_question_about_something_else_says_about_what() -> None:
    answer = msgspec.structs.replace(ANSWERS[0], uid="user.kind/eve", question="user.kind", step=4)
    plan = outline(altered(answers=(answer,)))
    assert plan.asked("user.kind/eve") == f"{answer.asks} ({answer.observable.value})"
    assert plan.asked("never.asked") == "never.asked"


def test_an_empty_investigation_has_an_outline() -> None:
    bare = altered(finding=None, answers=(), timeline=(), narrative=(), recommendations=())
    plan = outline(bare)
    assert isinstance(plan, Outline)
    assert not plan.stages
    assert set(plan.exhibits) == set(INVESTIGATION.subject.event_uids)
