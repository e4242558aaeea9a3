"""What an empty hour means: quiet, missing, or the recording was switched."""

from __future__ import annotations

import math
import random
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.ingest.logs import Json, log_file, record

from trailhound.engines.duckdb import DuckDB
from trailhound.ingest.coverage import UNLIKELY, Stretch, chance_of_none, merged, series, stretches
from trailhound.ingest.ingest import ingest
from trailhound.ingest.ledger import coverage, status
from trailhound.lake import arrow
from trailhound.lake.lake import Lake
from trailhound.lake.tables import TABLES
from trailhound.lake.times import HOUR

ACCOUNT = "111122223333"
DAYS = 14


def at(time: str) -> int:
    return int(datetime.fromisoformat(time).replace(tzinfo=UTC).timestamp() * 1000)


def on(number: int, hour: int, **changes: object) -> Json:
    moment = datetime.fromtimestamp(at("2024-05-01T00:00:00") / 1000 + hour * 3600 + number % 3600, UTC)
    return record(number, eventTime=f"{moment:%Y-%m-%dT%H:%M:%SZ}", **changes)


def lacking(tmp_path: Path, lake: Lake, records: list[Json]) -> list[Stretch]:
    ingest(lake, [str(log_file(tmp_path / "a.json", records))])
    engine = DuckDB()
    lake.mount(engine)
    return [one for one in stretches(engine, series(engine)) if one.kind != "never_recorded"]


def busy(per_hour: int, *, without: set[int] = frozenset(), **changes: object) -> list[Json]:  # type: ignore[assignment]
    seeded = random.Random(7)
    hours = [hour for hour in range(DAYS * 24) if hour not in without]
    counts = [(hour, max(1, per_hour + seeded.randint(-3, 3))) for hour in hours]
    numbered = [hour for hour, count in counts for _ in range(count)]
    return [on(number, hour, **changes) for number, hour in enumerate(numbered)]


def test_a_log_without_a_hole_lacks_nothing(tmp_path: Path, lake: Lake) -> None:
    assert lacking(tmp_path, lake, busy(20)) == []


def test_an_hour_that_is_always_busy_is_missed(tmp_path: Path, lake: Lake) -> None:
    (found,) = lacking(tmp_path, lake, busy(20, without={200}))
    begin = at("2024-05-01T00:00:00") + 200 * HOUR
    assert (found.kind, found.region, found.since, found.until) == ("missing", "all", begin, begin + HOUR)
    assert found.because.startswith(("about 19 events are usual in this hour", "about 20 events"))


def test_a_region_is_missed_though_others_go_on(tmp_path: Path, lake: Lake) -> None:
    here = busy(20)
    there = [on(100_000 + n, h, awsRegion="eu-west-1") for n, h in enumerate(h for h in range(336) for _ in range(12))]
    hole = [one for one in there if not "2024-05-09T03" <= one["eventTime"] < "2024-05-09T09"]
    (found,) = lacking(tmp_path, lake, here + hole)
    assert (found.kind, found.region) == ("missing", "eu-west-1")
    assert (found.since, found.until) == (at("2024-05-09T03:00:00"), at("2024-05-09T09:00:00"))


def test_a_region_that_ends_before_the_log_does_is_missed(tmp_path: Path, lake: Lake) -> None:
    there = [on(100_000 + n, h, awsRegion="eu-west-1") for n, h in enumerate(h for h in range(200) for _ in range(9))]
    (found,) = lacking(tmp_path, lake, busy(20) + there)
    assert (found.kind, found.region, found.until) == ("missing", "eu-west-1", at("2024-05-15T00:00:00"))


def test_nights_and_weekends_of_an_office_are_quiet(tmp_path: Path, lake: Lake) -> None:
    office = {h for h in range(DAYS * 24) if not 8 <= h % 24 < 18 or (h // 24 + 2) % 7 >= 5}
    found = lacking(tmp_path, lake, busy(20, without=office))
    assert found
    assert {one.kind for one in found} == {"quiet"}


def test_a_working_day_of_an_office_is_missed(tmp_path: Path, lake: Lake) -> None:
    office = {h for h in range(DAYS * 24) if not 8 <= h % 24 < 18 or (h // 24 + 2) % 7 >= 5}
    found = lacking(tmp_path, lake, busy(20, without=office | set(range(7 * 24, 8 * 24))))
    (missed,) = [one for one in found if one.kind == "missing"]
    assert missed.since <= at("2024-05-08T08:00:00") < at("2024-05-08T18:00:00") <= (missed.until or 0)


def trail(number: int, hour: int, operation: str, **request: object) -> Json:
    call: dict[str, Any] = {"eventSource": "cloudtrail.amazonaws.com", "eventName": operation}
    return on(number, hour, **call, requestParameters=request)


def plain(**selector: object) -> dict[str, object]:
    return {
        "trailName": "main",
        "eventSelectors": [{"readWriteType": "All", "includeManagementEvents": True} | selector],
    }


def advanced(*fields: dict[str, object]) -> dict[str, object]:
    management = {"field": "eventCategory", "equals": ["Management"]}
    return {"trailName": "main", "advancedEventSelectors": [{"fieldSelectors": [management, *fields]}]}


@pytest.mark.parametrize(
    ("call", "request_", "what", "says"),
    [
        ("PutEventSelectors", plain(includeManagementEvents=False), "management", "records no management events"),
        ("PutEventSelectors", plain(readWriteType="ReadOnly"), "management", "records reads only"),
        ("PutEventSelectors", plain(readWriteType="WriteOnly"), "management", "records writes only"),
        ("PutEventSelectors", plain(excludeManagementEventSources=["kms.amazonaws.com"]), "sources", "leaves out kms"),
        ("PutEventSelectors", advanced({"field": "readOnly", "equals": ["false"]}), "management", "writes only"),
        ("PutEventSelectors", advanced({"field": "eventSource", "notEquals": ["kms.amazonaws.com"]}), "sources", "kms"),
        ("UpdateTrail", {"name": "main", "isMultiRegionTrail": False}, "regions", "records one Region only"),
        ("UpdateTrail", {"name": "main", "includeGlobalServiceEvents": False}, "global_services", "global services"),
        ("UpdateTrail", {"name": "main", "s3BucketName": "elsewhere"}, "bucket", "the bucket elsewhere"),
    ],
)
def test_a_trail_that_is_told_to_record_less(
    tmp_path: Path, lake: Lake, call: str, request_: dict[str, object], what: str, says: str
) -> None:
    (found,) = lacking(tmp_path, lake, [trail(1, 5, call, **request_)])
    assert (found.kind, found.what, found.until) == ("logging_narrowed", what, None)
    assert says in found.because


@pytest.mark.parametrize("request_", [plain(), advanced(), {"name": "main"}, {}])
def test_a_trail_that_records_all_is_no_gap(tmp_path: Path, lake: Lake, request_: dict[str, object]) -> None:
    assert lacking(tmp_path, lake, [trail(1, 5, "PutEventSelectors", **request_)][: len(request_) > 1]) == []


def test_selectors_end_what_selectors_began(tmp_path: Path, lake: Lake) -> None:
    records = [trail(1, 5, "PutEventSelectors", **plain(readWriteType="WriteOnly"))]
    records += [trail(2, 5, "PutEventSelectors", **plain())]
    (found,) = lacking(tmp_path, lake, records)
    assert (found.since, found.until) == (at("2024-05-01T05:00:01"), at("2024-05-01T05:00:02"))


def test_hours_of_a_stopped_trail_are_named_by_the_stop(tmp_path: Path, lake: Lake) -> None:
    records = busy(20, without=set(range(201, 205)))
    records += [trail(900_001, 200, "StopLogging", name="main"), trail(900_002, 205, "StartLogging", name="main")]
    (found,) = lacking(tmp_path, lake, records)
    assert (found.kind, found.what) == ("logging_stopped", "logging")


def test_data_events_that_were_never_recorded(tmp_path: Path, lake: Lake) -> None:
    ingest(lake, [str(log_file(tmp_path / "a.json", [on(1, 1)]))])
    engine = DuckDB()
    lake.mount(engine)
    (found,) = stretches(engine, series(engine))
    assert (found.kind, found.category) == ("never_recorded", "Data")
    other = log_file(tmp_path / "b.json", [on(2, 1, eventCategory="Data", eventSource="s3.amazonaws.com")])
    ingest(lake, [str(other)])
    lake.mount(engine)
    assert stretches(engine, series(engine)) == []


@given(st.dictionaries(st.integers(0, 23), st.integers(0, 50)), st.integers(0, 500), st.integers(1, 60))
def test_chance_is_a_chance_and_falls_with_time(by_hour: dict[int, int], since: int, length: int) -> None:
    hours = {day * 24 + hour: n for day in range(28) for hour, n in by_hour.items() if n}
    one, expected = chance_of_none(hours, range(28 * 24), since, since + length)
    longer, more = chance_of_none(hours, range(28 * 24), since, since + length + 1)
    assert one is not None
    assert longer is not None
    assert 0 <= longer <= one <= 1
    assert 0 <= expected <= more
    assert math.isclose(expected, sum(by_hour.get(hour % 24, 0) for hour in range(since, since + length)))


@given(st.integers(0, 10_000))
def test_coins_are_not_missing(seed: int) -> None:
    """An account that is awake every second hour, by chance, has no missing hours."""
    seeded = random.Random(seed)
    hours = {hour: 1 for hour in range(28 * 24) if seeded.random() < 0.5}
    for since in range(0, 28 * 24 - 6, 5):
        chance, _ = chance_of_none(hours, range(28 * 24), since, since + 6)
        assert chance is not None
        assert chance > UNLIKELY


def test_series_add_up(tmp_path: Path, lake: Lake) -> None:
    records = busy(3) + [on(700_000 + n, n, awsRegion="eu-west-1", eventCategory="Data") for n in range(50)]
    ingest(lake, [str(log_file(tmp_path / "a.json", records))])
    engine = DuckDB()
    lake.mount(engine)
    held = series(engine)
    assert sum(merged(held).values()) == len(records)
    assert {(one.region, one.category) for one in held} == {("us-east-1", "Management"), ("eu-west-1", "Data")}


def proven(lake: Lake, *periods: tuple[str, int, int, str], broken: tuple[str, int, int] | None = None) -> None:
    """As `verify` leaves it: hours of a Region with what digests say of them."""
    base = at("2024-05-01T00:00:00")
    run = {"path": "logs", "checked_at": 1, "since": base, "until": base + DAYS * 24 * HOUR, "account_uid": ACCOUNT}
    rows = [
        run | {"region": region, "begin": base + b * HOUR, "end": base + e * HOUR, "state": state, "because": ""}
        for region, b, e, state in periods
    ]
    columns = TABLES["integrity_periods"].columns
    lake.append("integrity_periods", arrow.table(columns, {c.path: [row[c.path] for row in rows] for c in columns}))
    if broken:
        region, b, e = broken
        row = run | {
            "region": region,
            "begin": base + b * HOUR,
            "end": base + e * HOUR,
            "state": "broken",
            "kind": "log",
        }
        row |= {"place": "s3://b/AWSLogs/x.json.gz", "detail": "it is not there", "fault": "log_missing"}
        columns = TABLES["integrity"].columns
        lake.append("integrity", arrow.table(columns, {c.path: [row.get(c.path)] for c in columns}))


@pytest.mark.parametrize(
    ("periods", "kind"),
    [
        ([("us-east-1", 199, 203, "verified")], "quiet"),
        ([("us-east-1", 199, 201, "verified"), ("us-east-1", 201, 202, "verified")], "quiet"),
        ([("us-east-1", 199, 201, "verified")], "missing"),  # late deliveries would be listed an hour later
        ([("us-east-1", 199, 201, "verified"), ("us-east-1", 201, 203, "unverifiable")], "missing"),
        ([("eu-west-1", 199, 203, "verified")], "missing"),
        ([("us-east-1", 201, 203, "verified")], "missing"),
        ([("us-east-1", 199, 203, "broken")], "missing"),
    ],
)
def test_digests_tell_a_quiet_hour_from_a_missing_one(
    tmp_path: Path, lake: Lake, periods: list[tuple[str, int, int, str]], kind: str
) -> None:
    proven(lake, *periods)
    (found,) = lacking(tmp_path, lake, busy(20, without={200}))
    assert found.kind == kind
    assert ("digests prove" in found.because) == (kind == "quiet")


def test_a_file_that_digests_miss_is_a_hole_though_other_files_fill_the_hour(tmp_path: Path, lake: Lake) -> None:
    proven(lake, ("us-east-1", 0, 200, "verified"), broken=("us-east-1", 200, 201))
    (found,) = lacking(tmp_path, lake, busy(20))
    base = at("2024-05-01T00:00:00")
    assert (found.kind, found.since, found.until) == ("broken", base + 199 * HOUR, base + 201 * HOUR)
    assert "x.json.gz: it is not there" in found.because
    engine = DuckDB()
    lake.mount(engine)
    assert coverage(engine, ACCOUNT, base, base + DAYS * 24 * HOUR).missing == (found,)
    assert status(engine, {}).integrity == {"broken": 1}
