"""What the hour-of-week chart says, in words and as a picture."""

from __future__ import annotations

import itertools
from xml.etree import ElementTree

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.reports.example import HOURS, INVESTIGATION, TIMELINE
from tests.reports.hostile import TEXTS, poisoned

from trailhound.model import Chart, Moment
from trailhound.reports import charts, svg

SVG = "{http://www.w3.org/2000/svg}"


def parsed(drawing: str) -> ElementTree.Element:
    return ElementTree.fromstring(str(drawing).replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" ', 1))


def with_class(drawing: ElementTree.Element, name: str) -> list[ElementTree.Element]:
    return [element for element in drawing.iter() if name in element.get("class", "").split()]


def test_the_summary_tells_the_rhythm_and_the_alert() -> None:
    rhythm, alert = charts.summary(HOURS)
    total = sum(sum(row) for row in HOURS.values)
    assert (
        rhythm
        == f"{total:,} events up to twelve hours before the finding, in 60 of the 168 hours of the week, all between 07:00 and 18:59 UTC."
    )
    assert alert == "Fri 03:00 to 03:59 UTC: 10 alerting events; 0 events in that hour of the week before."


def test_no_history_is_said_and_not_drawn_as_quiet() -> None:
    empty = msgspec.structs.replace(HOURS, values=tuple((0,) * 24 for _ in range(7)))
    assert "no rhythm to compare with" in charts.summary(empty)[0]


@settings(max_examples=40)
@given(
    st.lists(st.lists(st.integers(0, 2_000_000), max_size=30), max_size=9),
    st.lists(st.lists(st.integers(0, 9), max_size=30), max_size=9),
)
def test_each_cell_is_drawn_and_framed_exactly_when_it_alerts(values: list[list[int]], marks: list[list[int]]) -> None:
    chart = Chart(
        name="hours",
        rows=HOURS.rows,
        columns=HOURS.columns,
        values=tuple(map(tuple, values)),
        marks=tuple(map(tuple, marks)),
    )
    drawing = parsed(svg.heat_map(chart, "label"))
    assert len(drawing.findall(f".//{SVG}g")) == 168
    alerting = sum(1 for row in marks[:7] for mark in row[:24] if mark)
    assert len(with_class(drawing, "alert-frame")) == len(with_class(drawing, "alert-corner")) == alerting
    assert len(with_class(drawing, "level-0")) == sum(
        1 for row in charts.cells(chart) for cell in row if not cell.value
    )


@given(st.integers(0, 10**9))
def test_shades_reach_the_largest_count(top: int) -> None:
    bounds = charts.bounds(top)
    assert list(bounds) == sorted(set(bounds))
    assert bounds[-1] >= top


def test_a_larger_count_is_never_lighter() -> None:
    chart = Chart(name="hours", rows=("Mon",), columns=tuple(map(str, range(24))), values=(tuple(range(24)),), marks=())
    drawing = parsed(svg.heat_map(chart, "label"))
    shades = [int(rect.get("class", "")[-1]) for rect in drawing.iter(f"{SVG}rect")]
    assert shades == sorted(shades)
    assert (shades[0], shades[-1]) == (0, charts.SHADES)


def test_the_timeline_has_a_sign_for_each_moment_and_says_how_it_ended() -> None:
    drawing = parsed(svg.timeline(TIMELINE, "label"))
    assert len(with_class(drawing, "event")) == len(TIMELINE)
    assert len(with_class(drawing, "cross")) == 9
    assert len(with_class(drawing, "alert")) == 10
    assert len(with_class(drawing, "ring")) == 1


@given(
    st.lists(
        st.tuples(st.integers(0, 10**12), st.sampled_from(["before", "sign-in", "alert", "after", "other"])),
        min_size=1,
        max_size=60,
    )
)
def test_signs_stand_inside_the_picture_in_order_of_time(given_moments: list[tuple[int, str]]) -> None:
    moments = [
        Moment(time=time, sentence=str(time), event_uid="", phase=phase, status="success")
        for time, phase in given_moments
    ]
    drawing = parsed(svg.timeline(moments, "label"))
    height = float(drawing.get("viewBox", "").split()[3])
    places = []
    for group in with_class(drawing, "event"):
        dot, title = group.find(f"{SVG}circle"), group.find(f"{SVG}title")
        assert dot is not None
        assert title is not None
        assert 0 < float(dot.get("cx", "")) < svg.WIDTH
        assert 0 < float(dot.get("cy", "")) < height
        places.append((int((title.text or "").split()[-1]), float(dot.get("cx", ""))))
    assert len(places) == len(moments)
    across = [x for _, x in sorted(places)]
    assert all(b >= a - 0.11 for a, b in itertools.pairwise(across))


def test_a_crowd_is_drawn_up_to_a_limit() -> None:
    crowd = [Moment(time=n, sentence="s", event_uid="", phase="alert") for n in range(3 * svg.MOMENTS_DRAWN)]
    assert len(with_class(parsed(svg.timeline(crowd, "label")), "event")) == svg.MOMENTS_DRAWN


@pytest.mark.parametrize("text", TEXTS)
def test_text_never_becomes_an_element(text: str) -> None:
    clean, dirty = (svg.heat_map(HOURS, "label"), svg.timeline(TIMELINE, "label")), poisoned(INVESTIGATION, text)
    drawn = (svg.heat_map(dirty.charts[0], text), svg.timeline(dirty.timeline, text))
    for before, after in zip(clean, drawn, strict=True):
        assert len(list(parsed(after).iter())) == len(list(parsed(before).iter()))
