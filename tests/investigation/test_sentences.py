"""Templates and facts: what is ours stays ours, and English stays English."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trailhound.investigation import questions, recommendations, sentences


@given(st.text())
def test_no_value_steers_a_terminal_or_breaks_a_line(text):
    for said in (
        sentences.short(text),
        sentences.quoted(text),
        sentences.name(text),
        sentences.listing([text, text]),
        sentences.render("{{ x }}", {"x": text}),
    ):
        assert said == " ".join(said.split())
        assert said.isprintable() or not said.isascii()
        assert not any(c in said for c in "\x00\x07\x1b\x9b\u202e\u2066\u200b\n")


@given(st.text())
def test_a_quoted_value_cannot_close_its_marks(text):
    said = sentences.quoted(text)
    assert said[0] == "“"
    assert said[-1] == "”"
    assert "”" not in said[1:-1]


@given(st.text())
def test_a_value_is_never_a_template(text):
    assert sentences.render("{{ x | listing }}", {"x": ["{{ 1 + 1 }}" + text]}).startswith("{{ 1 + 1 }}")


@pytest.mark.parametrize(
    ("uid", "said"),
    [
        ("arn:aws:iam::111122223333:user/ann", "ann"),
        ("arn:aws:iam::111122223333:role/deploy", "the role deploy"),
        ("arn:aws:sts::111122223333:assumed-role/deploy/s", "the role deploy"),
        ("arn:aws:iam::111122223333:root", "the root user of 111122223333"),
        ("anonymous", "an anonymous caller"),
        ("ec2.amazonaws.com", "ec2.amazonaws.com"),
        (":assumed-role/", ":assumed-role/"),
        (":root", ":root"),
        ("arn:", "arn:"),
        ("", "(empty)"),
    ],
)
def test_names_of_any_shape_are_said(uid, said):
    assert sentences.name(uid) == said


@pytest.mark.parametrize(
    ("items", "said"),
    [
        ((), "nothing"),
        (None, "nothing"),
        ((None,), "nothing"),
        (("a", None, "b"), "a and b"),
        (("", "a"), "(empty) and a"),
        (tuple("abcdef"), "a, b, c, d and 2 more"),
    ],
)
def test_lists_are_said_without_what_is_absent(items, said):
    assert sentences.listing(items) == said


@pytest.mark.parametrize(
    ("n", "whole", "said"),
    [
        (1, 1, "the call"),
        (2, 2, "both calls"),
        (20, 20, "all twenty calls"),
        (1, 2, "one of the two calls"),
        (7, 20, "seven of the twenty calls"),
        (30, 30, "all 30 calls"),
    ],
)
def test_a_part_of_the_whole_is_said_as_a_person_would(n, whole, said):
    assert sentences.part(n, whole, "call") == said


def test_no_time_at_all_is_less_than_a_second():
    assert sentences.span(0) == "less than a second"
    assert sentences.span(999) == "less than a second"
    assert sentences.span(1_000) == "one second"


def test_no_template_is_worded_in_a_way_that_was_found_wrong():
    words = re.compile(
        r"stood up|standing up|without leave|, it is needed|by hand\b|took, or tried|The owner of \{", re.I
    )
    told = [t for q in questions.questions() for t in (q.asks, q.yes, q.no, q.unknown) if q.id != "operation.by_hand"]
    told += [spec.action for spec in recommendations._specs()]
    assert [text for text in told if words.search(text)] == []
