"""Derived tables are equal to what the events say, whatever came when."""

from __future__ import annotations

import random
import shutil
from pathlib import Path
from typing import Any

import pytest
from tests.lake.rows import DAY, START, Row, event

from trailhound.engines.duckdb import DuckDB
from trailhound.identity.derive import STATE, Daily, Whole, derive, week
from trailhound.lake.arrow import events_table
from trailhound.lake.lake import Lake
from trailhound.lake.tables import TABLES
from trailhound.ocsf.schema import COLUMNS

COUNTS = Daily(
    table="observables",
    version=1,
    select=(
        "SELECT 'operation' AS kind, api.operation AS value, NULL AS name, event_day, api.operation AS operation, 'request' AS place, "
        "min(time) AS first_time, max(time) AS last_time, count(*) AS events FROM events GROUP BY ALL"
    ),
)


def _principals(engine: DuckDB) -> Any:
    return engine.stream(
        "SELECT value AS uid, value AS name, NULL::VARCHAR AS account_uid, 'unknown' AS kind, []::VARCHAR[] AS reasons, "
        "value AS family, NULL::VARCHAR AS path, '' AS peers, "
        "[]::BIGINT[] AS known_since, []::VARCHAR[] AS known_kinds, []::VARCHAR[] AS known_peers, min(first_time) AS first_seen_time, max(last_time) AS last_seen_time, "
        "sum(events)::BIGINT AS events, count(*) AS days, 0::BIGINT AS sessions, []::VARCHAR[] AS origins, "
        "[]::VARCHAR[] AS credentials, []::VARCHAR[] AS countries, []::VARCHAR[] AS networks, []::VARCHAR[] AS agents, "
        "[]::VARCHAR[] AS regions, []::VARCHAR[] AS services, []::BIGINT[] AS hours, NULL::INTEGER AS utc_offset, "
        "NULL::VARCHAR AS utc_offset_reason FROM observables GROUP BY value ORDER BY value"
    )


DECLARED = (COUNTS, Whole("principals", 1, _principals, needs=("observables",)))


def add(lake: Lake, rows: list[Row]) -> None:
    lake.append("events", events_table({column.path: [row[column.path] for row in rows] for column in COLUMNS}))


def held(lake: Lake) -> list[Any]:
    return [lake.query(name, f"SELECT * FROM {name} ORDER BY ALL") for name in ("observables", "principals")]


def some(dice: random.Random, first: int, count: int) -> list[Row]:
    """Events of five weeks, in no order of time."""
    operations = ("DescribeInstances", "RunInstances", "GetObject")
    return [event(first + n, START + dice.randrange(35 * DAY), dice.choice(operations)) for n in range(count)]


@pytest.mark.parametrize("seed", range(4))
def test_what_is_derived_as_events_come_equals_what_is_derived_at_the_end(tmp_path: Path, seed: int) -> None:
    dice = random.Random(seed)
    batches = [some(dice, 1000 * n, dice.randrange(1, 60)) for n in range(5)]
    growing, anew = Lake.create(tmp_path / "growing"), Lake.create(tmp_path / "anew")
    for batch in batches:
        add(growing, batch)
        if dice.random() < 0.7:
            derive(growing, DECLARED)
        if dice.random() < 0.4:
            growing.compact()
    derive(growing, DECLARED)
    add(anew, [row for batch in batches for row in batch])
    derive(anew, DECLARED)
    assert held(growing) == held(anew)
    assert sum(row["events"] for row in held(anew)[0]) == sum(map(len, batches))


def test_only_days_that_changed_are_derived(tmp_path: Path) -> None:
    lake = Lake.create(tmp_path)
    add(lake, [event(n, START + n * DAY) for n in range(20)])
    assert derive(lake, DECLARED) == {"observables": 20, "principals": 1}
    assert derive(lake, DECLARED) == {}
    lake.close()
    assert derive(Lake(shutil.copytree(tmp_path, tmp_path / "copy")), DECLARED) == {}
    add(lake, [event(99, START + 3 * DAY)])
    assert derive(lake, DECLARED) == {"observables": 1, "principals": 1}
    assert len(lake.files("observables")) == 3 + 1  # a file a week, and nothing left of those it replaced


def test_a_declaration_that_changed_is_derived_again(tmp_path: Path) -> None:
    lake = Lake.create(tmp_path)
    add(lake, [event(n, START + n * DAY) for n in range(3)])
    derive(lake, DECLARED)
    other = COUNTS._replace(version=2, select=COUNTS.select.replace("'operation' AS kind", "'call' AS kind"))
    derive(lake, (other, DECLARED[1]))
    assert {row["kind"] for row in held(lake)[0]} == {"call"}


def test_a_table_of_another_shape_is_derived_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lake = Lake.create(tmp_path)
    add(lake, [event(n, START + n * DAY) for n in range(3)])
    older = TABLES["observables"]._replace(columns=tuple(c for c in TABLES["observables"].columns if c.path != "name"))
    with monkeypatch.context() as patch:
        patch.setitem(TABLES, "observables", older)
        derive(lake, DECLARED)
    assert derive(Lake(tmp_path), DECLARED) == {"observables": 3, "principals": 1}
    assert all("name" in row for row in held(lake)[0])


def test_a_state_that_is_lost_or_broken_derives_anew(tmp_path: Path) -> None:
    lake = Lake.create(tmp_path)
    add(lake, [event(n, START + n * DAY) for n in range(3)])
    derive(lake, DECLARED)
    before = held(lake)
    for damage in (b"", b"{", b'{"observables": 3}'):
        (tmp_path / STATE).write_bytes(damage)
        assert derive(lake, DECLARED) == {"observables": 3, "principals": 1}
        assert held(lake) == before


def test_a_day_whose_dependence_changed_is_derived_again(tmp_path: Path) -> None:
    lake = Lake.create(tmp_path)
    add(lake, [event(n, START + n * DAY) for n in range(3)])
    depending = COUNTS._replace(
        needs=("principals",), also="SELECT '2020-11-07' AS event_day, sum(events) AS stamp FROM principals"
    )
    # Principals come after: the second run sees what the first one made, and the day that depends on it follows.
    for number, expected in enumerate((3, 2, 2)):
        add(lake, [event(90 + number, START)])
        assert derive(lake, (depending, DECLARED[1]))["observables"] == expected


def test_weeks_begin_on_monday_across_years() -> None:
    assert [week(day) for day in ("2020-11-02", "2020-11-08", "2021-01-01", "2024-02-29")] == [
        "2020-11-02",
        "2020-11-02",
        "2020-12-28",
        "2024-02-26",
    ]
