"""Templates: what is put in comes out as JSON, whatever characters it has."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trailhound.simulation.identity import Session
from trailhound.simulation.template import Moment, between, choice, iso, launch, retire, template


def moment(seed: int = 1) -> Moment:
    found = Moment(Random(seed))
    found.session = Session(("{}",), "arn", "192.0.2.1")
    return found


plain = st.text().filter(lambda text: "$" not in text)


@given(plain, plain)
def test_any_text_survives_as_a_constant_and_as_a_draw(constant: str, drawn: str) -> None:
    made = template({"a": "<$one>", "b": "[${two}]"}, {"one": constant}, {"two": choice([drawn])})
    assert json.loads(made.render(moment())) == {"a": f"<{constant}>", "b": f"[{drawn}]"}


@given(
    st.recursive(st.none() | st.booleans() | st.integers(-(2**53), 2**53) | plain, lambda x: st.lists(x, max_size=3))
)
def test_a_value_of_any_type_keeps_its_type(value: object) -> None:
    made = template({"a": "$$value"}, {"value": value}, {})
    assert json.loads(made.render(moment())) == {"a": value}


def test_a_list_has_one_item_for_each_element() -> None:
    shape = {"items": {"each": "instances", "item": {"id": "$id", "nth": "$$index", "name": "$name"}}}
    made = template(shape, {"instances": ["i-1", {"id": "i-2", "name": "web"}], "name": "app"}, {})
    assert json.loads(made.render(moment()))["items"] == [
        {"id": "i-1", "nth": 0, "name": "app"},
        {"id": "i-2", "nth": 1, "name": "web"},
    ]


def test_a_slot_in_two_places_has_one_value_and_numbered_slots_differ() -> None:
    made = template({"a": "$uuid", "b": "$uuid", "c": "$uuid_2"}, {}, {})
    found = json.loads(made.render(moment()))
    assert found["a"] == found["b"] != found["c"]
    assert re.fullmatch(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", found["a"])


def test_a_slot_without_a_value_is_named() -> None:
    with pytest.raises(LookupError, match="bucket"):
        template({"a": "$bucket"}, {}, {})


@given(st.integers(-50, 50), st.integers(0, 50), st.integers())
def test_between_includes_both_ends_and_nothing_else(low: int, span: int, seed: int) -> None:
    draw, now = between(low, low + span), moment(seed)
    drawn = {int(draw(now)) for _ in range(40)}
    assert drawn <= set(range(low, low + span + 1))
    assert span > 2 or drawn == set(range(low, low + span + 1))


def test_instances_retire_in_the_order_in_which_they_were_launched() -> None:
    now = moment()
    launched = [launch("web")(now) for _ in range(3)]
    assert [retire("web")(now) for _ in range(3)] == launched
    assert retire("web")(now) not in launched  # launched before the log began


@given(st.integers(0, 4102444800))
def test_times_are_written_as_the_standard_library_writes_them(seconds: int) -> None:
    assert iso(seconds) == datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
