"""What is usual is answered as of a time, and as a slow reading of the events before it answers."""

from __future__ import annotations

import random
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.identity.readings import HOUR, OTHERS, ROLES, USERS, engine_of, lake_of, some
from tests.lake.rows import DAY, START, Row, event

from trailhound.engines.duckdb import DuckDB
from trailhound.identity import habits
from trailhound.identity.habits import Actor, Dimension
from trailhound.identity.zones import zone

NAMES = [who["principal_uid"] for who in (*USERS, *ROLES, *OTHERS)]
ACTORS = [
    *(Actor("principal", name) for name in NAMES),
    *(Actor("origin", name) for name in NAMES[:4]),
    Actor("family", "arn:aws:iam::111:role/app-*"),
    *(Actor("account", name) for name in ("111", "333", "nobody")),
]
ASKED: list[Callable[[DuckDB, Actor, int], Any]] = [
    habits.record,
    habits.rhythm,
    habits.usual_zone,
    *(lambda engine, actor, at, name=name: habits.seen(engine, actor, at, name) for name in habits.DIMENSIONS),
    *(
        lambda engine, actor, at, name=name, value=value: habits.rarity(engine, actor, at, name, value)
        for name, value in (("service", "s3.amazonaws.com"), ("country", "US"), ("call", "ec2:RunInstances"))
    ),
]


@pytest.mark.parametrize("seed", range(2))
def test_later_events_change_no_earlier_answer(tmp_path: Path, seed: int) -> None:
    dice = random.Random(seed)
    rows = some(dice, 0, 500)
    at = START + 5 * DAY + dice.randrange(DAY)
    begun = at // HOUR * HOUR  # the hour in which `at` lies is not over
    earlier = [row for row in rows if row["time"] < begun]
    before, after = (
        engine_of(lake_of(tmp_path / name, found)) for name, found in (("before", earlier), ("after", rows))
    )
    for actor in ACTORS:
        for ask in ASKED:
            assert ask(before, actor, at) == ask(after, actor, at)


def test_an_hour_is_seen_when_it_has_ended_and_not_before(tmp_path: Path) -> None:
    engine = engine_of(lake_of(tmp_path, [event(1, START, principal_uid="x")]))
    who = Actor("principal", "x")
    assert habits.record(engine, who, START + HOUR - 1) is None
    assert habits.seen(engine, who, START + HOUR - 1, "call") == []
    found = habits.record(engine, who, START + HOUR)
    assert found is not None
    assert found.events == 1


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> tuple[DuckDB, list[Row]]:
    engine = engine_of(lake_of(tmp_path_factory.mktemp("told"), some(random.Random(11), 0, 700)))
    return engine, engine.query("SELECT * FROM activity")


def mine(cells: list[Row], actor: Actor, at: int) -> list[Row]:
    name = {"principal": "principal_uid", "origin": "origin_uid", "family": "family", "account": "account_uid"}[
        actor.by
    ]
    return [cell for cell in cells if cell[name] == actor.uid and cell["hour"] + HOUR <= at]


def value_of(cell: Row, dimension: Dimension) -> str | None:
    placed = cell["invoked_by"] is None and cell["network"] not in ("aws service", "AWS Internal", "other", "none")
    service = (cell["service"] or "").replace(".amazonaws.com", "")
    return {
        "call": f"{service}:{cell['operation']}",
        "service": cell["service"],
        "address": cell["ip"] if placed else None,
        "network": cell["network"] if placed else None,
        "country": cell["country"] if placed else None,
        "agent": cell["agent"] if cell["invoked_by"] is None else None,
        "region": cell["region"],
        "role": cell["principal_uid"] if cell["principal_uid"] != cell["origin_uid"] else None,
    }[dimension]


@pytest.mark.parametrize("actor", ACTORS, ids=str)
def test_answers_equal_a_slow_reading(told: tuple[DuckDB, list[Row]], actor: Actor) -> None:
    engine, cells = told
    at = START + 7 * DAY + 12345
    own = mine(cells, actor, at)
    found = habits.record(engine, actor, at)
    assert (found is None) == (not own)
    if found:
        assert found.events == sum(cell["events"] for cell in own)
        assert found.denied == sum(cell["events"] for cell in own if cell["outcome"] == "denied")
        assert found.failed == sum(cell["events"] for cell in own if cell["outcome"] == "failure")
        assert found.bytes_out == sum(cell["bytes_out"] for cell in own)
        assert (found.days, found.hours) == (len({c["event_day"] for c in own}), len({c["hour"] for c in own}))
        assert (found.first_time, found.last_time) == (
            min(c["first_time"] for c in own),
            max(c["last_time"] for c in own),
        )
    for dimension in habits.DIMENSIONS:
        values = {value for cell in own if (value := value_of(cell, dimension)) is not None}  # type: ignore[arg-type]
        answered = habits.seen(engine, actor, at, dimension)  # type: ignore[arg-type]
        assert {one.value for one in answered} == values
        for one in answered:
            showing = [cell for cell in own if value_of(cell, dimension) == one.value]  # type: ignore[arg-type]
            assert one.events == sum(cell["events"] for cell in showing)
            assert one.first_time == min(cell["first_time"] for cell in showing)


@pytest.mark.parametrize("actor", ACTORS, ids=str)
def test_the_rhythm_equals_a_slow_reading(told: tuple[DuckDB, list[Row]], actor: Actor) -> None:
    engine, cells = told
    at = START + 9 * DAY
    own = mine(cells, actor, at)
    found = habits.rhythm(engine, actor, at)
    monday = 1604275200000  # 2020-11-02, a Monday
    for place in range(168):
        there = [cell for cell in own if (cell["hour"] - monday) // HOUR % 168 == place]
        assert found.calls[place] == sum(cell["events"] for cell in there)
        assert found.bytes_out[place] == sum(cell["bytes_out"] for cell in there)
        assert found.active[place] == len({cell["week"] for cell in there})
    hours = sorted({cell["hour"] for cell in own})
    gaps = [(later - earlier) / HOUR for earlier, later in pairwise(hours)]
    assert found.every == (median(gaps) if gaps else None)
    assert found.weeks == len({cell["week"] for cell in own})


@pytest.mark.parametrize("actor", [actor for actor in ACTORS if actor.by == "principal"], ids=str)
def test_peers_equal_a_slow_reading(told: tuple[DuckDB, list[Row]], actor: Actor) -> None:
    engine, cells = told
    at = START + 8 * DAY
    past = [cell for cell in cells if cell["hour"] + HOUR <= at]

    def sort(cell: Row) -> tuple[str, str, str]:
        path = (cell["issuer_uid"] or "").partition(":role")[2].rpartition("/")[0] + "/"
        return cell["account_uid"] or "", cell["principal_type"] or "", path if len(path) > 1 else ""

    def services(uid: str, among: set[tuple[str, str, str]]) -> set[str]:
        return {c["service"] for c in past if c["principal_uid"] == uid and c["service"] and sort(c) in among}

    sorts = {sort(cell) for cell in past if cell["principal_uid"] == actor.uid}
    used = services(actor.uid, sorts)
    kin = {c["principal_uid"] for c in past if sort(c) in sorts} - {actor.uid}
    peers = {uid for uid in kin if 2 * len(services(uid, sorts) & used) >= len(used)}
    having = {c["principal_uid"] for c in past if c["principal_uid"] in peers and value_of(c, "region") == "eu-west-1"}
    found = habits.rarity(engine, actor, at, "region", "eu-west-1")
    assert (found.peers, found.peers_having) == (len(peers), len(having))


HOSTILE = ["'; DROP TABLE activity; --", "\x00", "x" * 100_000, '"', "$at", "é\u202e"]


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_names_are_bound_and_not_run(told: tuple[DuckDB, list[Row]], text: str) -> None:
    engine, _ = told
    assert habits.record(engine, Actor("principal", text), START + DAY) is None
    assert habits.rarity(engine, Actor("principal", NAMES[0]), START + DAY, "call", text).peers_having == 0


def working(offset: int, days: int, dice: random.Random) -> list[int]:
    """On how many days a person in that zone, at work from about 9 to 18, made calls in each hour (UTC)."""
    active = [0] * 24
    for _ in range(days):
        begin, end = 9 + dice.choice([-1, 0, 0, 1]), 17 + dice.choice([0, 0, 1])
        for hour in range(begin, end):
            active[(hour - offset) % 24] += dice.random() < 0.7
    return active


@given(st.integers(-9, 13), st.integers(15, 90), st.integers())
def test_the_zone_of_a_person_at_work_is_told_within_two_hours(offset: int, days: int, seed: int) -> None:
    found = zone(working(offset, days, random.Random(seed)), days)
    assert found is not None
    assert -10 <= found.utc_offset <= 13
    assert (found.utc_offset - offset + 2) % 24 <= 4, "two zones a day apart have the same clock"
    assert found.because.startswith("inferred: ")


@given(st.integers(1, 400))
def test_who_works_all_day_has_no_zone(days: int) -> None:
    assert zone([days] * 24, days) is None


def test_no_zone_is_told_from_little(tmp_path: Path) -> None:
    assert zone(working(2, 9, random.Random(1)), 9) is None, "nine days"
    nightly = [0] * 24
    nightly[3] = 60
    assert zone(nightly, 60) is None, "a job at three o'clock"
    assert zone([0] * 24, 0) is None
