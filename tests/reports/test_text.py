"""The report on a terminal."""

from __future__ import annotations

import io
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console
from tests.reports.example import ANSWERS, BRIEF, INVESTIGATION, altered
from tests.reports.hostile import HIDDEN, TEXTS, poisoned

from trailhound.model import Investigation
from trailhound.reports import text


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
            "Recommendations",
            "Questions and answers",
            "What is not known",
        )
    ]
    assert places == sorted(places)
    for paragraph in INVESTIGATION.narrative:
        assert flat(" ".join(sentence.text for sentence in paragraph.sentences)) in flat(shown)


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
