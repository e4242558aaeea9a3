"""The HTML report as text: what is in it, in which order, and what never is. A real browser looks at it elsewhere."""

from __future__ import annotations

import re
from collections import Counter
from html.parser import HTMLParser

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.reports.example import ANSWERS, BRIEF, FINDING, INVESTIGATION, NARRATIVE, altered
from tests.reports.hostile import HIDDEN, TEXTS, check_poisoned, poisoned

from trailhound.model import Investigation, Moment, Recommendation, Source
from trailhound.reports import html, outline, reading

SECTIONS = [
    "top",
    "narrative",
    "recommendations",
    "timeline",
    "hours",
    "resources",
    "questions",
    "chase",
    "explanations",
    "unknowns",
    "evidence",
    "basis",
]


class Reading(HTMLParser):
    """Tags in order, attributes, and text."""

    def __init__(self, document: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.text = ""
        self.feed(document)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs

    def handle_data(self, data: str) -> None:
        self.text += data

    def all(self, name: str) -> list[str]:
        return [value or "" for key, value in self.attributes if key == name]


CLEAN = Reading(html.render(INVESTIGATION))
PLAIN = Reading(html.render(BRIEF))


def test_the_same_investigation_gives_the_same_bytes() -> None:
    again = msgspec.json.decode(msgspec.json.encode(INVESTIGATION), type=Investigation)
    assert html.render(again) == html.render(INVESTIGATION)


def test_sections_come_in_reading_order() -> None:
    assert [name for name in CLEAN.all("id") if name in SECTIONS] == SECTIONS


def test_it_says_who_what_when_where_and_how_sure() -> None:
    head = " ".join(CLEAN.text.split())
    for said in (
        "Malicious, high confidence",
        "Fri 2020-11-06 03:17:35Z to 03:21:39Z",
        "Roboman1",
        "0123456789",
        "180.163.251.231",
        "20 × EC2 Instance",
    ):
        assert said in head


def test_every_answer_tells_its_question_its_words_and_its_query() -> None:
    text = " ".join(CLEAN.text.split())
    for answer in ANSWERS:
        for said in (
            answer.asks,
            answer.sentence,
            answer.covers,
            answer.not_covered,
            *(gap.how_to_get for gap in answer.gaps),
        ):
            assert said in text
    assert CLEAN.text.count(ANSWERS[0].query) == len(ANSWERS)


def test_every_event_is_listed_in_the_evidence() -> None:
    for uid in FINDING.event_uids:
        assert uid in CLEAN.text


def test_nothing_is_fetched_run_or_styled_from_elsewhere() -> None:
    assert not {"script", "link", "img", "iframe", "object", "form", "base"} & set(CLEAN.tags)
    assert all(value.startswith("#") for value in CLEAN.all("href"))
    assert not [name for name, _ in CLEAN.attributes if name.startswith("on") or name in ("style", "src", "srcset")]
    assert any(policy.startswith("default-src 'none'; style-src 'sha256-") for policy in CLEAN.all("content"))


@pytest.mark.parametrize("text", TEXTS)
def test_hostile_text_stays_text(text: str) -> None:
    hostile = poisoned(BRIEF, text)
    check_poisoned(hostile, text)
    document = html.render(hostile)
    reading = Reading(document)
    assert Counter(reading.tags) == Counter(PLAIN.tags)
    assert Counter(name for name, _ in reading.attributes) == Counter(name for name, _ in PLAIN.attributes)
    assert reading.all("href") == PLAIN.all("href")
    assert reading.all("id") == PLAIN.all("id")
    assert not set(HIDDEN) & set(document)


@settings(max_examples=20, deadline=None)
@given(st.text(max_size=60))
def test_any_text_stays_text(text: str) -> None:
    reading = Reading(html.render(poisoned(BRIEF, text)))
    assert Counter(reading.tags) == Counter(PLAIN.tags)
    assert reading.all("id") == PLAIN.all("id")


def test_a_query_is_never_cut() -> None:
    long = "SELECT " + ", ".join(f"{n} AS <c{n}>" for n in range(2_000))
    text = Reading(html.render(altered(answers=(msgspec.structs.replace(ANSWERS[0], query=long),)))).text
    assert long in text


def test_ids_are_unique() -> None:
    assert len(CLEAN.all("id")) == len(set(CLEAN.all("id")))


def test_a_bare_investigation_says_what_it_lacks() -> None:
    bare = altered(
        finding=None,
        answers=(),
        artifacts=(),
        timeline=(),
        charts=(),
        narrative=(),
        recommendations=(),
        unknowns=(),
        versions={},
        as_of={},
    )
    text = " ".join(Reading(html.render(bare)).text.split())
    for said in (
        "No sentence can be said",
        "Nothing is recommended",
        "No event is in the window",
        "names no resource",
        "Every question had the evidence",
    ):
        assert said in text


def test_size_is_bounded_and_what_is_left_out_is_counted() -> None:
    moments = tuple(Moment(time=n, sentence=f"call {n}", event_uid=f"event {n}", phase="alert") for n in range(1_500))
    answers = tuple(msgspec.structs.replace(ANSWERS[0], uid=str(n), sentence="long " * 5_000) for n in range(400))
    advice = tuple(
        Recommendation(action=str(n), why=(), evidence=(), playbook="", breaks=(), urgency="now") for n in range(100)
    )
    large = altered(timeline=moments, answers=answers, recommendations=advice)
    document = html.render(large)
    assert len(document) < 5_000_000
    events_left = len(outline.outline(large).exhibits) - outline.EVENTS_SHOWN
    for left in (400 - outline.ANSWERS_SHOWN, 1_500 - 200, 100 - outline.LISTED, events_left):
        assert f"and {left:,} more, which the JSON document holds" in document
    reading = Reading(document)
    assert {href[1:] for href in reading.all("href")} <= set(reading.all("id"))


def test_from_a_sentence_to_its_file() -> None:
    """Sentence → event → file, by links alone; the broken file comes first."""
    document = html.render(INVESTIGATION)
    sentence = NARRATIVE[1].sentences[1]
    cited = re.search(rf"{re.escape(sentence.text)}<sup.*?</sup>", document)
    assert cited
    events = re.findall(r'href="#(e\d+)"', cited[0])
    entry = re.search(rf'<li id="{events[0]}">.*?</li>', document, re.DOTALL)
    assert entry
    assert 'in <a href="#f1">F1</a>' in entry[0]
    file = re.search(r'<li id="f1">.*?</li>', document, re.DOTALL)
    assert file
    assert "20201106T0305Z_b.json.gz" in file[0]
    assert "b" * 64 in file[0]
    assert "<strong>broken</strong>" in file[0]


def test_what_answers_stood_on_is_one_line_for_all_that_share_it() -> None:
    line = "1,612 objects, 48,211 events, 7 duplicates, 2 rejected (and 1 of no known account); 1,608 verified, 1 broken, 3 unverifiable"
    basis = CLEAN.text.split("The log that was looked at")[1]
    assert f"{len(ANSWERS)} answers: {line}" in basis
    assert basis.count(line) == 1


def test_files_beyond_the_limit_are_counted() -> None:
    many = tuple(Source(uid=f"u{n}", name=f"{n}.gz", sha256="", integrity="unchecked", evidence=()) for n in range(20))
    answers = tuple(
        msgspec.structs.replace(
            ANSWERS[0], uid=f"q{k}",
            basis=msgspec.structs.replace(
                ANSWERS[0].basis, sources_count=25,
                sources=tuple(msgspec.structs.replace(one, uid=f"{k}-{one.uid}") for one in many)),
        )
        for k in range(12)
    )  # fmt: skip
    read = Reading(html.render(altered(answers=answers)))
    assert len([value for value in read.all("id") if re.fullmatch(r"f\d+", value)]) == outline.FILES_SHOWN
    assert "and 40 more, which the JSON document holds." in read.text
    assert "F8 +17" in read.text


@pytest.mark.parametrize("poison", TEXTS)
def test_the_document_comes_out_of_the_page_as_it_went_in(poison: str, tmp_path) -> None:
    document = poisoned(INVESTIGATION, poison[:400])  # whole, it would be too large to be carried
    path = tmp_path / "report.html"
    path.write_text(html.render(document) + "\n", "utf-8")
    assert reading.read(path) == (document, [])
