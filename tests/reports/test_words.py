"""How values are said."""

from __future__ import annotations

import unicodedata
from datetime import UTC, datetime

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.reports.example import FINDING, at

from trailhound.reports import words


@given(st.text(alphabet=st.characters(codec=None, exclude_categories=[])))
def test_nothing_that_hides_or_moves_is_left(text: str) -> None:
    left = {unicodedata.category(c) for c in words.visible(text) if c not in "\n\t"}
    assert not left & {"Cc", "Cf", "Cs", "Zl", "Zp"}
    words.visible(text).encode()  # no lone surrogate either


@given(st.text(alphabet=st.characters(min_codepoint=32, max_codepoint=126)))
def test_plain_text_stays_as_it_is(text: str) -> None:
    assert words.visible(text) == text


def test_hidden_characters_are_shown_by_their_code() -> None:
    assert words.visible("a\u202eb\x1b[31m\U000e0041") == "a\\u202eb\\u001b[31m\\U000e0041"


def test_what_is_cut_is_counted() -> None:
    assert words.visible("x" * 5_000, 10) == "x" * 10 + " … and 4,990 more characters"


@given(st.text())
def test_inline_is_one_line(text: str) -> None:
    assert len(words.inline(text).splitlines()) <= 1


@given(st.datetimes(timezones=st.just(UTC)))
def test_times_read_back_to_the_millisecond(moment: datetime) -> None:
    time = round((moment - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds() * 1000)
    read = datetime.fromisoformat(words.iso(time))
    assert round((read - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds() * 1000) == time
    assert words.clock(time).startswith(("Mon ", "Tue ", "Wed ", "Thu ", "Fri ", "Sat ", "Sun "))


@pytest.mark.parametrize("time", [10**18, -(10**18), 253_402_300_800_000])
def test_a_time_beyond_any_calendar_is_told_as_the_number(time: int) -> None:
    assert str(time) in words.clock(time)
    assert str(time) in words.period(time, time + 1)


@pytest.mark.parametrize(
    ("milliseconds", "told"),
    [
        (0, "0 ms"),
        (250, "250 ms"),
        (13_000, "13 s"),
        (244_000, "4 min 4 s"),
        (3_900_000, "1 h 5 min"),
        (86_400_000, "1 day"),
        (90_000_000, "1 day 1 h"),
        (66 * 86_400_000 + 5, "66 days"),
    ],
)
def test_durations_have_two_units(milliseconds: int, told: str) -> None:
    assert words.duration(milliseconds) == told


def test_a_period_names_the_day_once() -> None:
    assert (
        words.period(at("2020-11-06 03:17:35"), at("2020-11-06 03:21:39"))
        == "Fri 2020-11-06 03:17:35Z to 03:21:39Z (4 min 4 s)"
    )
    assert (
        words.period(at("2020-11-06 23:59:59"), at("2020-11-07 00:00:01"))
        == "Fri 2020-11-06 23:59:59Z to Sat 2020-11-07 00:00:01Z (2 s)"
    )


def test_resources_are_counted_as_what_they_are() -> None:
    assert words.how_many(FINDING) == "20 × EC2 Instance (the rule asks for 20 within 5 min)"
    assert words.how_many(msgspec.structs.replace(FINDING, count=23)).startswith("23 values")
    single = msgspec.structs.replace(FINDING, rule_kind="sigma", count=1, threshold=None, window_ms=None, resources=())
    assert words.how_many(single) == "1 event"


def test_a_number_that_may_be_a_time_is_shown_both_ways() -> None:
    assert words.compact(at("2020-11-06 03:02:10")) == "1604631730000 (as a time: Fri 2020-11-06 03:02:10Z)"
    assert words.compact([1, "a"]) == '[1,"a"]'
    assert words.compact(True) == "true"


def test_what_has_no_value_is_not_listed_and_parameters_keep_their_names() -> None:
    assert words.pairs({"ip_address": "1.2.3.4", "last_seen": None}) == (("IP address", "1.2.3.4"),)
    assert words.parameters({"event_uids": ["a"], "from": None}) == (("$event_uids", '["a"]'), ("$from", "null"))
