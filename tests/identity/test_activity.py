"""The hourly cube says what the events say, in every sum."""

from __future__ import annotations

import json
import random
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
from tests.identity.readings import (
    DIMENSIONS,
    MEASURES,
    USERS,
    add,
    cube,
    engine_of,
    lake_of,
    origins,
    some,
)
from tests.lake.rows import DAY, START, Row, event

from trailhound.identity.derive import derive
from trailhound.identity.tables import DERIVED
from trailhound.lake.lake import Lake
from trailhound.workspace import Workspace


def cells(lake: Lake) -> dict[tuple[Any, ...], tuple[int, ...]]:
    rows = lake.query("activity", "SELECT * FROM activity")
    found = {tuple(row[name] for name in DIMENSIONS): tuple(row[name] for name in MEASURES) for row in rows}
    assert len(found) == len(rows), "two rows of the same cell"
    return found


@pytest.mark.parametrize("seed", range(6))
def test_the_cube_equals_a_slow_reading_of_the_same_events(tmp_path: Path, seed: int) -> None:
    lake = lake_of(tmp_path, some(random.Random(seed), 0, 600))
    engine = engine_of(lake)
    expected = cube(engine.query("SELECT * FROM events"), origins(engine))
    assert cells(lake) == expected
    assert any(key[DIMENSIONS.index("console")] for key in expected)


def test_the_cube_of_real_attacks_equals_a_slow_reading(shared_data: Path, tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    workspace.ingest([shared_data / "stratus"])
    lake = Lake(tmp_path)
    engine = engine_of(lake)
    assert cells(lake) == cube(engine.query("SELECT * FROM events"), origins(engine))
    agents = {row["agent"] for row in engine.query("SELECT DISTINCT agent FROM activity")}
    assert "stratus-red-team" in agents


def test_sums_over_any_grouping_are_those_of_the_events(tmp_path: Path) -> None:
    lake = lake_of(tmp_path, some(random.Random(7), 0, 400))
    engine = engine_of(lake)
    of_events = {
        "principal_uid": "principal_uid",
        "operation": "api.operation",
        "region": "cloud.region",
        "account_uid": "cloud.account.uid",
        "event_day": "event_day",
        "ip": "coalesce(src_endpoint.ip, src_endpoint.domain)",
    }
    for names in [(), *combinations(of_events, 1), *combinations(of_events, 2), tuple(of_events)]:
        by_cell = "".join(f"{name}, " for name in names)
        by_event = "".join(f"{of_events[name]} AS {name}, " for name in names)
        summed = (
            f"SELECT {by_cell} sum(events) AS n, sum(resources) AS r, sum(bytes_out) AS b FROM activity GROUP BY ALL"
        )
        counted = (
            f"SELECT {by_event} count(*) AS n, sum(len(resources)) AS r, sum(coalesce(traffic.bytes_out, 0)) AS b "
            "FROM events GROUP BY ALL"
        )
        assert sorted(map(str, engine.query(summed))) == sorted(map(str, engine.query(counted)))


@pytest.mark.parametrize("seed", range(3))
def test_events_in_any_order_and_any_batches_give_the_same_tables(tmp_path: Path, seed: int) -> None:
    dice = random.Random(seed)
    rows = some(dice, 0, 200)
    whole = lake_of(tmp_path / "whole", rows)
    shuffled = dice.sample(rows, len(rows))
    bits = lake_of(tmp_path / "bits", shuffled[:70], shuffled[70:150], shuffled[150:])
    assert in_order(whole) == in_order(bits)
    assert whole.query("principals", "SELECT * FROM principals") == bits.query("principals", "SELECT * FROM principals")


def in_order(lake: Lake) -> list[Row]:
    """Rows as they lie in their files, week by week: the names of the files tell no order."""
    rows = lake.query("activity", "SELECT * FROM activity")
    return sorted(rows, key=lambda row: row["week"])


def test_a_session_told_apart_later_changes_the_origin_of_days_that_are_past(tmp_path: Path) -> None:
    role = "arn:aws:iam::111:role/ops"
    used = event(
        1,
        START + DAY,
        principal_uid=role,
        actor__user__type="AssumedRole",
        actor__user__uid_alt="AROAOPS:alice",
        actor__user__credential_uid="ASIAOPS",
        actor__session__created_time=START + DAY - 1000,
    )
    issued = event(
        2,
        START + DAY - 1000,
        "AssumeRole",
        **USERS[0],
        actor__user__credential_uid="AKIAALICE",
        api__service__name="sts.amazonaws.com",
        status_id=1,
        session__credential_uid="ASIAOPS",
        session__uid="arn:aws:sts::111:assumed-role/ops/alice",
        user__uid=role,
        api__response__data=json.dumps({"assumedRoleUser": {"assumedRoleId": "AROAOPS:alice"}}),
    )
    lake = lake_of(tmp_path, [used], [issued])
    found = lake.query("activity", f"SELECT origin_uid FROM activity WHERE principal_uid = '{role}'")
    assert [row["origin_uid"] for row in found] == [USERS[0]["principal_uid"]]


@pytest.mark.parametrize(
    ("record", "version", "expected"),
    [
        ({"sessionCredentialFromConsole": "true"}, "1.08", True),
        ({"sessionCredentialFromConsole": "true"}, "1.11", True),
        ({"sessionCredentialFromConsole": True}, "1.10", True),
        ({"sessionCredentialFromConsole": "false"}, "1.08", False),
        ({"requestParameters": {"sessionCredentialFromConsole": "true"}}, "1.08", False),
        ({"userAgent": '"sessionCredentialFromConsole":"true"'}, "1.08", False),
        ({}, "1.08", False),
    ],
)
def test_only_the_record_itself_says_that_a_call_came_from_the_console(
    tmp_path: Path, record: Row, version: str, *, expected: bool
) -> None:
    lake = lake_of(
        tmp_path, [event(1, START, principal_uid="x", metadata__product__version=version, raw_data=json.dumps(record))]
    )
    assert [row["console"] for row in lake.query("activity", "SELECT console FROM activity")] == [expected]


def test_bytes_beyond_all_measure_do_not_end_the_derivation(tmp_path: Path) -> None:
    huge = [event(n, START, principal_uid="x", traffic__bytes_out=2**63 - 1) for n in range(3)]
    lake = lake_of(tmp_path, huge)
    assert [row["bytes_out"] for row in lake.query("activity", "SELECT bytes_out FROM activity")] == [2**63 - 1]


def test_only_the_day_that_changed_is_counted_again(tmp_path: Path) -> None:
    lake = lake_of(tmp_path, [event(n, START + n * DAY, principal_uid="x") for n in range(9)])
    add(lake, [event(99, START + 2 * DAY, principal_uid="y")])
    assert derive(lake, DERIVED)["activity"] == 1
