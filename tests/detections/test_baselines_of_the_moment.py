"""What kind an actor is, and who its peers are, changes; an hour is judged by what was known then."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from bench.estate import DAY, HOUR, START, mount
from tests.detections.test_baselines import ACTORS, Row, baseline, firsts, hours, rule

from trailhound.detections.baselines import cube
from trailhound.detections.baselines.baseline import Baseline
from trailhound.detections.baselines.judge import KINDS, judge
from trailhound.engines.duckdb import DuckDB
from trailhound.lake import arrow
from trailhound.lake.tables import TABLES


@pytest.fixture(scope="module")
def engine() -> Iterator[DuckDB]:
    engine = DuckDB(threads=1)
    yield engine
    engine.close()


MOVED = {actor.uid: START + day * DAY for actor, day in zip(ACTORS, (0, 12, 20, 28), strict=True)}


def moved(engine: DuckDB, rows: list[Row]) -> None:
    """Machines of one team until a day of their own, people of another from then on."""
    mount(engine, rows, ACTORS)
    listed = " ".join(f"WHEN '{uid}' THEN {day}" for uid, day in MOVED.items())
    known = engine.query(
        f"SELECT uid, [0, CASE uid {listed} END] AS known_since, ['ci', 'human'] AS known_kinds, "
        "['before', 'after'] AS known_peers FROM principals"
    )
    columns = {name: [row[name] for row in known] for name in known[0]}
    declared = [column for column in TABLES["principals"].columns if column.path in columns]
    engine.mount_arrow("principals", arrow.table(declared, columns))


def test_peers_are_those_of_the_moment(engine: DuckDB) -> None:
    """Whoever was last seen in the group before an hour is a peer in it, and has used what it used by then."""
    rows = hours(7)
    first, expected = firsts(rows, "service"), {}
    for (actor, value), hour in first.items():
        group = hour >= MOVED[actor]
        last = {
            other: max((row["hour"] for row in rows if row["origin_uid"] == other and row["hour"] < hour), default=None)
            for other in MOVED if other != actor
        }  # fmt: skip
        peers = {other for other, at in last.items() if at is not None and (at >= MOVED[other]) == group}
        days = {row["hour"] // DAY for row in rows if row["origin_uid"] == actor and row["hour"] // DAY < hour // DAY}
        if len(days) >= 1:
            expected[actor, hour, value] = (len(peers), sum(first.get((one, value), hour) < hour for one in peers))
    moved(engine, rows)
    cube.prepare(engine, None)
    found = engine.query(KINDS["first_seen"](engine, baseline("first_seen", measure="service", history=1)))
    assert {(row["actor"], row["hour"], row["value"]): (row["peers"], row["alike"]) for row in found} == expected
    assert len(set(expected.values())) > 3


def test_an_hour_is_judged_by_the_kind_that_was_known_then_with_all_days_before(engine: DuckDB) -> None:
    rows = hours(7)
    moved(engine, rows)
    people = told_of(engine, baseline("unusual_hour", kinds=("human",)))
    everybody = told_of(engine, baseline("unusual_hour"))
    assert people == {key: seen for key, seen in everybody.items() if key[1] >= MOVED[key[0]]}
    assert 0 < len(people) < len(everybody)


def told_of(engine: DuckDB, logic: Baseline) -> dict[tuple[str, int], str]:
    found = judge(engine, [rule(logic)]).findings
    return {(f.principal_uid, f.first_seen_time // HOUR * HOUR): f.analysis.seen for f in found if f.analysis}
