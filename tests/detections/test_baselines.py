"""Every kind of baseline against a slow reading of the same hours in plain Python, and what must hold of all of them."""

from __future__ import annotations

import math
import random
from collections import defaultdict
from collections.abc import Iterator
from itertools import pairwise
from statistics import median
from typing import Any

import pytest
from bench.estate import ACCOUNT, DAY, HOUR, START, Person, cell, mount
from hypothesis import given, settings
from hypothesis import strategies as st

from trailhound.detections.baselines import cube
from trailhound.detections.baselines.baseline import Baseline
from trailhound.detections.baselines.judge import KINDS, judge
from trailhound.detections.rules import Rule
from trailhound.engines.duckdb import DuckDB
from trailhound.model import Finding

Row = dict[str, Any]
ACTORS = [Person(f"arn:aws:iam::{ACCOUNT}:user/{name}", "human", "team", 0, 0, "DE") for name in "abcd"]
LEARNING, WINDOW = 5, 90


@pytest.fixture(scope="module")
def engine() -> Iterator[DuckDB]:
    engine = DuckDB(threads=1)
    yield engine
    engine.close()


def baseline(kind: str, **more: Any) -> Baseline:
    usual: dict[str, Any] = {"actor": "origin", "history": 6, "rate": 1000, "score": 0, "ceiling": 1e9}
    return Baseline(kind=kind, **{**usual, **more})  # type: ignore[arg-type]


def rule(logic: Baseline, episode_ms: int = HOUR) -> Rule:
    line = "{actor}|{seen}|{expected}|{measured}|{history_days}|{active_days}|{peers}|{peers_alike}|{count}"
    return Rule(uid="r", name="n", title="t", description="d", level="low", kind="baseline", logic=logic, template=line,
                episode_ms=episode_ms)  # fmt: skip


def hours(seed: int, days: int = 40) -> list[Row]:
    """Some weeks of four actors, with something of everything that a baseline looks at."""
    chance = random.Random(seed)
    rows = []
    for actor in ACTORS:
        for day in range(days):
            if chance.random() < 0.35:
                continue
            for _ in range(chance.randrange(1, 4)):
                hour = START + day * DAY + chance.choice((8, 9, 10, 14, 23)) * HOUR
                came = hour + chance.randrange(HOUR // 2)
                rows.append(
                    cell(actor, hour, country=chance.choice(("DE", "DE", "DE", "FR", "AU", "ZZ", None)),
                         network=chance.choice(("203.0.113.0/24",) * 3 + ("192.0.2.0/24", "private")),
                         service=chance.choice("aaaabc"), region=chance.choice(("r1", "r1", "r2")), read_only=False,
                         outcome=chance.choice(("success", "denied")), events=chance.randrange(1, 60),
                         first_time=came, last_time=came + chance.randrange(HOUR // 2)))  # fmt: skip
    return rows


def scored(engine: DuckDB, rows: list[Row], logic: Baseline) -> dict[tuple[Any, ...], float]:
    """(actor, hour, value) → score, by the engine."""
    mount(engine, rows, ACTORS)
    cube.prepare(engine, None)
    found = engine.query(KINDS[logic.kind](engine, logic))
    return {(row["actor"], row["hour"], row["value"]): row["score"] for row in found}


def same(found: dict[Any, float], expected: dict[Any, float]) -> None:
    assert found.keys() == expected.keys()
    assert all(math.isclose(found[key], expected[key], rel_tol=1e-9, abs_tol=1e-9) for key in expected)


def surprise(happened: int, of: int) -> float:
    return -math.log10((happened + 0.5) / (of + 1))


def active(rows: list[Row]) -> dict[str, list[int]]:
    """Actor → its active days, ascending."""
    days = defaultdict(set)
    for row in rows:
        days[row["origin_uid"]].add(row["hour"] // DAY)
    return {actor: sorted(found) for actor, found in days.items()}


def places(rows: list[Row]) -> list[Row]:
    """A country without a public network is no place."""
    return [row for row in rows if "/" in (row["network"] or "")]


def firsts(rows: list[Row], column: str) -> dict[tuple[str, str], int]:
    found: dict[tuple[str, str], int] = {}
    for row in rows:
        key = (row["origin_uid"], row[column])
        found[key] = min(found.get(key, row["hour"]), row["hour"])
    return found


def alike(first: dict[tuple[str, str], int], value: str, actor: str, hour: int) -> int:
    return sum(v == value and a != actor and at < hour for (a, v), at in first.items())


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("column", ["service", "region", "country", "network"])
def test_first_seen(engine: DuckDB, seed: int, column: str) -> None:
    rows = hours(seed)
    used = [row for row in (places(rows) if column in ("country", "network") else rows) if row[column] is not None]
    first, days = firsts(used, column), active(used)
    expected = {}
    for (actor, value), hour in first.items():
        before = [day for day in days[actor] if day < hour // DAY]
        if len(before) < 6:
            continue
        counted = [day for n, day in enumerate(before) if n >= LEARNING and day >= hour // DAY - WINDOW]
        new = {at // DAY for (a, _), at in first.items() if a == actor}
        peers = sum(other != actor and min(at for (a, _), at in first.items() if a == other) < hour for other in days)
        own = surprise(len(new & set(counted)), len(counted))
        expected[actor, hour, value] = own + surprise(alike(first, value, actor, hour), peers)
    same(scored(engine, rows, baseline("first_seen", measure=column)), expected)


@pytest.mark.parametrize("seed", range(4))
def test_rare_among_peers(engine: DuckDB, seed: int) -> None:
    rows = [row for row in hours(seed) if row["origin_uid"] != ACTORS[0].uid or row["hour"] >= START + 25 * DAY]
    first, days = firsts(rows, "service"), active(rows)
    begun = {actor: min(at for (a, _), at in first.items() if a == actor) for actor in days}
    expected = {}
    for (actor, value), hour in first.items():
        peers = sum(other != actor and begun[other] < hour - 14 * DAY for other in days)
        used = alike(first, value, actor, hour)
        if hour // DAY - days[actor][0] < 14 and peers >= 2 and used <= peers:
            expected[actor, hour, value] = surprise(used, peers)
    assert expected
    same(scored(engine, rows, baseline("rare_among_peers", measure="service", history=14, peers=2)), expected)


def distance(number: float, spread: float) -> float:
    return 2 / spread * math.asinh(spread * math.sqrt(number + 0.375))


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("measure", ["calls", "denials"])
def test_more_than_usual(engine: DuckDB, seed: int, measure: str) -> None:
    rows = hours(seed, days=80)
    counted: dict[tuple[str, int], int] = defaultdict(int)
    for row in rows:
        counted[row["origin_uid"], row["hour"]] += (
            row["events"] if measure == "calls" or row["outcome"] == "denied" else 0
        )
    days, expected = active(rows), {}
    for (actor, hour), seen in counted.items():
        monday = (hour // DAY + 3) // 7
        before = {at: n for (a, at), n in counted.items() if a == actor and 1 <= monday - (at // DAY + 3) // 7 <= 8}
        nth = sum(day < hour // DAY for day in days[actor])
        if seen < 20 or not before or nth < 6:
            continue
        sizes = [math.log1p(n) for n in before.values()]
        whole = median(sizes)
        weeks = defaultdict(list)
        for at, n in before.items():
            weeks[(at // DAY + 3) // 7].append(math.log1p(n))
        apart = [abs(size - median(week)) for week in weeks.values() if len(week) >= 8 for size in week]
        spread = max(1.4826 * median(apart or [abs(size - whole) for size in sizes]), 0.25)
        slot = [
            math.log1p(n)
            for at, n in before.items()
            if (at // HOUR) % 24 == (hour // HOUR) % 24 and weekend(at) == weekend(hour)
        ]
        drawn = (len(slot) * (median(slot) if slot else 0) + 3 * whole) / (len(slot) + 3)
        expected[actor, hour, None] = distance(seen, spread) - distance(math.expm1(drawn), spread)
    assert expected
    same(scored(engine, rows, baseline("more_than_usual", measure=measure, least=20)), expected)


def weekend(hour: int) -> bool:
    return (hour // DAY + 3) % 7 >= 5


@pytest.mark.parametrize("seed", range(4))
def test_unusual_hour(engine: DuckDB, seed: int) -> None:
    rows, expected = hours(seed), {}
    days = active(rows)
    for actor, hour in {(row["origin_uid"], row["hour"]) for row in rows}:
        own = [row["hour"] for row in rows if row["origin_uid"] == actor and row["hour"] // DAY < hour // DAY]
        nth = sum(day < hour // DAY for day in days[actor])
        if nth < 6:
            continue
        clock, score = hour // HOUR % 24, 0.0
        for reach in (1, 4):
            near = {
                at // DAY for at in own
                if weekend(at) == weekend(hour) and min((at // HOUR - clock) % 24, (clock - at // HOUR) % 24) <= reach
            }  # fmt: skip
            score += surprise(len(near), nth)
        named = f"{clock:02d}:00 UTC on a {'weekend' if weekend(hour) else 'weekday'}"
        expected[actor, hour, named] = score
    same(scored(engine, rows, baseline("unusual_hour")), expected)


@pytest.mark.parametrize("seed", range(4))
def test_dormant(engine: DuckDB, seed: int) -> None:
    rows = [
        row
        for row in hours(seed, days=80)
        if row["origin_uid"] != ACTORS[1].uid or not 20 <= (row["hour"] - START) // DAY < 55
    ]
    logged, expected = sorted({row["hour"] // DAY for row in rows}), {}
    for actor, days in active(rows).items():
        silent = [logged.index(day) - logged.index(before) - 1 for before, day in pairwise(days)]
        for n, gap in enumerate(silent):
            if gap >= 3 and n + 1 >= 6:
                hour = min(
                    row["hour"] for row in rows if row["origin_uid"] == actor and row["hour"] // DAY == days[n + 1]
                )
                expected[actor, hour, None] = gap / max([1, *silent[:n]])
    assert expected
    same(scored(engine, rows, baseline("dormant", least=3)), expected)


@pytest.mark.parametrize("seed", range(4))
def test_two_networks(engine: DuckDB, seed: int) -> None:
    rows = places(hours(seed))
    spans: dict[tuple[str, int], dict[str, tuple[int, int]]] = defaultdict(dict)
    for row in rows:
        held = spans[row["origin_uid"], row["hour"]]
        came, went = held.get(row["network"], (row["first_time"], row["last_time"]))
        held[row["network"]] = (min(came, row["first_time"]), max(went, row["last_time"]))
    at_once = {
        key for key, held in spans.items()
        if any(a[0] <= b[1] and b[0] <= a[1] for n, a in held.items() for m, b in held.items() if n != m)
    }  # fmt: skip
    expected, days = {}, active(rows)
    for actor, hour in at_once:
        before = [day for day in days[actor] if day < hour // DAY]
        counted = set(before[LEARNING:])
        happened = {at // DAY for a, at in at_once if a == actor} & counted
        if len(before) >= 6:
            expected[actor, hour, ", ".join(sorted(spans[actor, hour]))] = surprise(len(happened), len(counted))
    same(scored(engine, hours(seed), baseline("two_networks")), expected)


def test_travel_is_measured_between_the_circles_in_which_people_live(engine: DuckDB) -> None:
    """Germany to Australia: 14,500 km between the centres, less the two radii, in three hours."""
    rows = [cell(ACTORS[0], START + day * DAY, country="DE") for day in range(8)]
    there = START + 7 * DAY + HOUR
    rows += [cell(ACTORS[0], there, country="AU", first_time=rows[-1]["last_time"] + 3 * HOUR)]
    rows += [
        cell(ACTORS[0], there + 4 * HOUR, country="ZZ"),
        cell(ACTORS[0], there + DAY, country="AU", network="private"),
    ]
    (found,) = scored(engine, rows, baseline("impossible_travel")).items()
    assert found[0][:2] == (ACTORS[0].uid, there)
    centres = haversine((51.0, 10.3), (-29.1, 135.0))
    assert math.isclose(found[1], (centres - 430 - 1920) / 3 / 1000, rel_tol=1e-6)


def haversine(one: tuple[float, float], other: tuple[float, float]) -> float:
    (a, b), (c, d) = ([math.radians(x) for x in point] for point in (one, other))
    cosine = math.sin(a) * math.sin(c) + math.cos(a) * math.cos(c) * math.cos(d - b)
    return 6371 * math.acos(cosine)


ALL = [
    baseline("first_seen", measure="service", rate=20), baseline("rare_among_peers", measure="service", history=14, peers=1),
    baseline("more_than_usual", measure="calls", score=1, rate=50), baseline("unusual_hour", rate=20),
    baseline("impossible_travel", score=1, ceiling=50), baseline("dormant", least=2), baseline("two_networks", rate=20),
]  # fmt: skip


def told(engine: DuckDB, rows: list[Row], logic: Baseline, **span: int) -> list[Finding]:
    mount(engine, rows, ACTORS)
    return list(judge(engine, [rule(logic)], **span).findings)


@settings(max_examples=8)
@given(seed=st.integers(0, 10_000), day=st.integers(15, 38))
def test_what_comes_later_changes_no_judgement(seed: int, day: int) -> None:
    rows, cut, engine = hours(seed), START + day * DAY, DuckDB(threads=1)
    for logic in ALL:
        before = told(engine, [row for row in rows if row["hour"] < cut], logic)
        after = told(engine, rows, logic, until=cut)
        whole = {f.uid for f in told(engine, rows, logic)}
        assert before == after
        assert {f.uid for f in before} <= whole
    engine.close()


@settings(max_examples=8)
@given(seed=st.integers(0, 10_000), order=st.randoms(use_true_random=False))
def test_the_order_of_arrival_changes_nothing(seed: int, order: random.Random) -> None:
    rows, engine = hours(seed), DuckDB(threads=2)
    for logic in ALL:
        found = told(engine, rows, logic)
        shuffled = list(rows)
        order.shuffle(shuffled)
        assert told(engine, shuffled, logic) == found
    engine.close()


HOSTILE = ["'; DROP TABLE events; --", "{actor}", "\x1b[31m\u202e", "x" * 100_000, "", "%s%d", '"', "\\", "𝔘\x00"]


@pytest.mark.parametrize("value", HOSTILE, ids=range(len(HOSTILE)))
@pytest.mark.parametrize("measure", ["service", "country", "network", "agent", "principal", "call", "ip", "region"])
def test_hostile_values_are_values(engine: DuckDB, measure: str, value: str) -> None:
    column = {"principal": "principal_uid", "call": "operation"}.get(measure, measure)
    rows = [cell(ACTORS[0], START + day * DAY) for day in range(20)]
    new = f"{value}/24" if measure == "network" else value
    rows.append(cell(ACTORS[0], START + 20 * DAY, **{column: new}))
    found = told(engine, rows, baseline("first_seen", measure=measure))
    assert all(len(f.title) < 1_000 and "\x1b" not in f.title and "\u202e" not in f.title for f in found)
    assert len(found) == 1


def test_hostile_actors_are_actors(engine: DuckDB) -> None:
    for name in HOSTILE:
        strange = ACTORS[0]._replace(uid=f"arn:aws:iam::{ACCOUNT}:user/{name}")
        rows = [cell(strange, START + day * DAY) for day in range(20)] + [
            cell(strange, START + 20 * DAY, service="new")
        ]
        (found,) = told(engine, rows, baseline("first_seen", measure="service"))
        assert found.analysis
        assert found.analysis.actor == strange.uid
        assert len(found.title) < 1_000


def test_a_service_and_what_it_does_for_somebody_are_nobodys_habit(engine: DuckDB) -> None:
    rows = [cell(ACTORS[0], START + day * DAY) for day in range(20)]
    rows.append(cell(ACTORS[0], START + 20 * DAY, service="new", invoked_by="cloudformation.amazonaws.com"))
    rows += [cell(ACTORS[1], START + day * DAY, principal_type="AWSService") for day in range(20)]
    rows.append(cell(ACTORS[1], START + 20 * DAY, principal_type="AWSService", service="new"))
    assert told(engine, rows, baseline("first_seen", measure="service")) == []


def test_too_little_history_is_told_and_no_alarm(engine: DuckDB) -> None:
    rows = [cell(ACTORS[0], START + day * DAY) for day in range(5)] + [cell(ACTORS[0], START + 5 * DAY, service="new")]
    rows += [cell(ACTORS[1], START + day * DAY) for day in range(10)]
    mount(engine, rows, ACTORS)
    habits = judge(engine, [rule(baseline("first_seen", measure="service"))])
    assert habits.findings == ()
    (judged,) = habits.judged
    assert (judged.actors, judged.too_new, judged.days) == (2, 1, 10)


def test_hours_that_adjoin_are_one_finding(engine: DuckDB) -> None:
    rows = [cell(ACTORS[0], START + day * DAY) for day in range(20)]
    for n, hour in enumerate((0, 1, 2, 6)):
        rows.append(cell(ACTORS[0], START + 20 * DAY + hour * HOUR, service=f"new{n}"))
    found = told(engine, rows, baseline("first_seen", measure="service"))
    assert [f.count for f in found] == [3, 1]
    assert [len(f.event_uids) for f in found] == [6, 2]


def test_what_was_told_before_is_not_told_again_unless_it_reaches_into_the_time_asked(engine: DuckDB) -> None:
    rows = [cell(ACTORS[0], START + day * DAY) for day in range(20)] + [
        cell(ACTORS[0], START + 20 * DAY, service="new")
    ]
    logic = baseline("first_seen", measure="service")
    assert len(told(engine, rows, logic, since=START + 20 * DAY)) == 1
    assert told(engine, rows, logic, since=START + 21 * DAY) == []
    assert told(engine, rows, logic, until=START + 20 * DAY) == []
