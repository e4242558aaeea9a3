"""The report on a terminal."""

from __future__ import annotations

import io
import re

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console
from tests.reports.example import ANSWERS, BRIEF, INVESTIGATION, TERMINATED, USER, altered
from tests.reports.hostile import HIDDEN, TEXTS, poisoned

from trailhound.model import Exhibit, Gap, Investigation, Unknown
from trailhound.reports import text
from trailhound.reports.outline import outline


def printed(investigation: Investigation, width: int = 120, *, colour: bool = False) -> str:
    out = io.StringIO()
    console = Console(
        file=out, width=width, force_terminal=colour, color_system="standard" if colour else None, legacy_windows=False
    )
    text.render(investigation, console)
    return out.getvalue()


def flat(shown: str) -> str:
    return " ".join(shown.split())


def test_it_tells_verdict_story_advice_answers_and_unknowns_in_this_order() -> None:
    shown = printed(INVESTIGATION)
    places = [
        shown.index(part)
        for part in (
            "Malicious, high confidence",
            "Narrative",
            "Evidence",
            "What the answers revealed",
            "Rival explanations",
            "Recommendations",
            "Questions and answers",
            "What is not known",
        )
    ]
    assert places == sorted(places)
    for paragraph in INVESTIGATION.narrative:
        for sentence in paragraph.sentences:
            assert flat(sentence.text) in flat(shown)


def _section(shown: str, name: str) -> str:
    return re.split(r"(?m)^[A-Z][a-z]+(?: [a-z]+)* *$", shown.split(f"\n{name}", 1)[1], maxsplit=1)[0]


def test_every_sentence_carries_the_numbers_of_the_events_it_stands_on() -> None:
    shown, exhibits = flat(printed(INVESTIGATION)), outline(INVESTIGATION).exhibits
    for paragraph in INVESTIGATION.narrative:
        for sentence in paragraph.sentences:
            numbers = re.escape(flat(sentence.text)) + r" \[E(\d+)"
            found = re.search(numbers, shown)
            assert found, sentence.text
            assert f"E{found[1]}" in {exhibits[uid].mark.label for uid in sentence.evidence}


@pytest.mark.parametrize("width", [80, 100])
def test_the_evidence_is_a_short_list_of_time_call_caller_and_id(width: int) -> None:
    cited = {uid for p in INVESTIGATION.narrative for s in p.sentences for uid in s.evidence}
    told = tuple(
        Exhibit(uid=uid, time=TERMINATED[0], operation="TerminateInstances", principal_uid=USER)
        for uid in sorted(cited)
    )
    listed = _section(printed(altered(exhibits=told), width), "Evidence")
    lines = re.findall(r"(E\d+) +2020-11-06 03:17:35Z TerminateInstances by Roboman1\s+([0-9a-f-]{36})", listed)
    labels = {exhibit.mark.label: uid for uid, exhibit in outline(INVESTIGATION).exhibits.items()}
    assert lines
    assert all(labels[label] == uid for label, uid in lines)
    assert len(lines) == min(len(cited), text.EXHIBITS)
    assert ("more" in listed) == (len(cited) > text.EXHIBITS)


def test_each_rival_explanation_is_told_with_the_answers_that_weigh() -> None:
    rivals = flat(_section(printed(INVESTIGATION), "Rival explanations"))
    for one in INVESTIGATION.verdict.explanations:
        assert f"{flat(one.title)} ({one.score:+d}: " in rivals


def test_every_question_is_printed_beside_its_answer() -> None:
    shown = printed(INVESTIGATION, 240)
    assert all(flat(answer.asks) in flat(shown) for answer in ANSWERS)


def test_a_reason_is_given_once_and_then_referred_to() -> None:
    gap = Gap(what="history", because="no history: the log begins too late", how_to_get="ingest more")
    said = [
        msgspec.structs.replace(
            a, uid=f"q{n}", verdict="unknown", gaps=(gap,), sentence="No history: the log begins too late."
        )
        for n, a in enumerate(ANSWERS[:5])
    ]
    unknowns = tuple(Unknown(question=a.uid, because=gap.because, how_to_get=gap.how_to_get) for a in said)
    shown = flat(printed(altered(answers=tuple(said), unknowns=unknowns)))
    assert shown.lower().count("the log begins too late") == 2  # at the first question, and among the gaps
    assert shown.count("Not known, for the reason given at Q1.") == 4
    assert "5 questions: Q1, Q2, Q3, Q4, Q5" in shown


def test_verdicts_are_words_with_a_sign() -> None:
    shown = printed(INVESTIGATION)
    for verdict, sign in (("yes", "✓ yes"), ("no", "✗ no"), ("unknown", "? unknown")):
        assert len(re.findall(rf"{re.escape(sign)} ", shown)) == sum(answer.verdict == verdict for answer in ANSWERS)


@pytest.mark.parametrize("width", [60, 80, 100, 240])
def test_lines_fit_the_terminal_and_never_exceed_100_columns(width: int) -> None:
    assert max(cell_len(line) for line in printed(INVESTIGATION, width).splitlines()) <= min(width, 100)


def test_colour_is_the_consoles_decision() -> None:
    assert "\x1b[" not in printed(INVESTIGATION)
    assert "\x1b[" in printed(INVESTIGATION, colour=True)


@pytest.mark.parametrize("hostile", TEXTS)
def test_hostile_text_moves_and_hides_nothing(hostile: str) -> None:
    shown = printed(poisoned(BRIEF, hostile))
    assert not set(HIDDEN) & set(shown)
    assert max(cell_len(line) for line in shown.splitlines()) <= 100


def test_a_hostile_text_sets_no_colour_and_no_link() -> None:
    mine = set(re.findall(r"\x1b[^m\\]*[m\\]", printed(INVESTIGATION, colour=True)))
    theirs = set(
        re.findall(
            r"\x1b[^m\\]*[m\\]",
            printed(poisoned(INVESTIGATION, "\x1b[35m[magenta]\x1b]8;;http://e.example\x1b\\"), colour=True),
        )
    )
    assert theirs == mine


@settings(max_examples=15, deadline=None)
@given(st.text(max_size=20))
def test_any_text_fits(hostile: str) -> None:
    shown = printed(poisoned(BRIEF, hostile))
    assert all(cell_len(line) <= 100 for line in shown.split("\n"))
    assert all(c.isprintable() or c == "\n" for c in shown)


def test_a_bare_investigation_says_what_it_lacks() -> None:
    bare = altered(finding=None, answers=(), timeline=(), narrative=(), recommendations=(), unknowns=())
    shown = printed(bare)
    assert "No sentence can be said" in shown
    assert "Nothing is recommended" in shown


def test_what_the_answers_stood_on_is_one_line_and_a_broken_file_is_named() -> None:
    shown = flat(printed(INVESTIGATION, 100))
    assert shown.count("answers stood on") == 1
    assert f"{len(ANSWERS)} answers stood on 1,612 objects, 48,211 events, 7 duplicates, 2 rejected" in shown
    assert re.search(r"! broken, and cited in Q\d+, .*20201106T0305Z_b\.json\.gz", shown)
