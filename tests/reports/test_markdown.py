"""The Markdown report, read back by a Markdown parser: data is text and nothing else."""

from __future__ import annotations

import re
from collections import Counter

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token
from tests.reports.example import ANSWERS, BRIEF, INVESTIGATION, altered
from tests.reports.hostile import HIDDEN, TEXTS, check_poisoned, poisoned

from trailhound.reports import markdown

PARSER = MarkdownIt("commonmark").enable(["table", "strikethrough"])


def tokens(text: str) -> list[Token]:
    return [token for block in PARSER.parse(text) for token in (block, *(block.children or ()))]


def shape(text: str) -> Counter[str]:
    """How many of each piece of markup; how text is cut into tokens says nothing."""
    return Counter(t.type for t in tokens(text) if t.type not in ("text", "text_special"))


def links(text: str) -> list[str]:
    return [str(token.attrGet("href")) for token in tokens(text) if token.type == "link_open"]


CLEAN = markdown.render(INVESTIGATION)
PLAIN = markdown.render(BRIEF)


def test_it_tells_the_story_then_what_to_do_then_why() -> None:
    headings = re.findall(r"(?m)^## (.*)$", CLEAN)
    assert headings == [
        "Narrative", "Recommendations", "Timeline", "Hours of the week", "What was hit", "Questions and answers",
        "What the answers revealed", "Rival explanations", "What is not known", "Evidence", "What this stands on",
    ]  # fmt: skip
    assert CLEAN.startswith(f"# {INVESTIGATION.subject.title}\n\n**Malicious**, high confidence.")


def test_it_names_whose_rule_it_was() -> None:
    assert "- Rule by: trailhound, Apache-2.0, test, 2026-11-24" in CLEAN.splitlines()


def test_answers_read_back_word_for_word() -> None:
    read = "\n".join("".join(c.content for c in token.children or ()) for token in PARSER.parse(CLEAN))
    for answer in ANSWERS:
        assert answer.sentence in read
        assert answer.asks in read


def test_links_lead_to_the_answers_only() -> None:
    numbers = [int(link.removeprefix("#q")) for link in links(CLEAN)]
    assert numbers
    assert set(numbers) <= set(range(1, len(ANSWERS) + 1))


@pytest.mark.parametrize("text", TEXTS)
def test_hostile_text_stays_text(text: str) -> None:
    hostile = poisoned(BRIEF, text)
    check_poisoned(hostile, text)
    document = markdown.render(hostile)
    assert shape(document) == shape(PLAIN)
    assert links(document) == links(PLAIN)
    assert not set(HIDDEN) & set(document)


@settings(max_examples=30, deadline=None)
@given(st.text(alphabet=st.sampled_from("ab `*_[]()<>|~#-+=.1!\\&$:/@\n\t\r"), max_size=30))
def test_any_markup_stays_text(text: str) -> None:
    document = markdown.render(poisoned(BRIEF, text))
    assert shape(document) == shape(PLAIN)
    assert links(document) == links(PLAIN)


@given(st.text())
@example("1. one")
@example("===")
def test_escaped_text_reads_back_as_itself(text: str) -> None:
    wanted = " ".join(markdown.words.visible(text).split())
    read = PARSER.parse(markdown.escape(text))
    assert "".join(child.content for token in read for child in token.children or ()) == wanted


@given(st.text(alphabet=st.sampled_from("ab` \\|"), max_size=20))
def test_a_code_span_reads_back_as_itself(text: str) -> None:
    (paragraph,) = [token for token in PARSER.parse(f"x {markdown.code(text)} y") if token.type == "inline"]
    spans = [child.content for child in paragraph.children or () if child.type == "code_inline"]
    assert [span.strip() for span in spans] == [" ".join(text.split())]


@given(st.text(alphabet=st.sampled_from("ab`~\n "), max_size=40))
def test_a_block_reads_back_as_itself(text: str) -> None:
    (token,) = PARSER.parse(markdown.block(text, "sql"))
    assert (token.type, token.content) == ("fence", text + "\n")


@pytest.mark.parametrize(
    "text", ["http://evil.example", "HTTPS://evil.example", "www.evil.example", "WWW.evil.example", "me@evil.example"]
)
def test_no_bare_link_is_left_for_renderers_that_make_links_of_text(text: str) -> None:
    assert not re.search(r"(?i)://|www\.|\w@", markdown.escape(text))


def test_a_bare_investigation_says_what_it_lacks() -> None:
    bare = altered(
        finding=None, answers=(), artifacts=(), timeline=(), charts=(), narrative=(), recommendations=(), unknowns=()
    )
    text = markdown.render(bare)
    for said in (
        "No sentence can be said",
        "Nothing is recommended",
        "No event is in the window",
        "names no resource",
        "Every question had the evidence",
    ):
        assert said in text


def test_files_that_are_cited_are_listed_with_their_hash_and_what_is_proven() -> None:
    listed = CLEAN.split("### Files that are cited")[1]
    assert re.search(r"- F1 `\S+20201106T0305Z_b\.json\.gz`: \*\*broken\*\*, SHA-256 `b{64}` \(\[Q\d+\]", listed)
    assert re.search(r"- F2 `\S+20201106T0320Z_a\.json\.gz`: \*\*verified\*\*, SHA-256 `a{64}`", listed)
    assert f"- {len(ANSWERS)} answers: 1,612 objects, 48,211 events, 7 duplicates, 2 rejected" in CLEAN
    assert re.search(r"(?m)^- E\d+ `[0-9a-f-]{36}`.* in F\d", CLEAN)
