"""What the lake says of itself: spans, gaps, completeness, and when a trail was stopped."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from tests.ingest.logs import Json, log_file, record

from trailhound.engines.duckdb import DuckDB
from trailhound.ingest.ingest import ingest
from trailhound.ingest.ledger import Coverage, coverage, status
from trailhound.lake.lake import Lake

ACCOUNT, OTHER = "111122223333", "444455556666"


def at(time: str) -> int:
    return int(datetime.fromisoformat(time).replace(tzinfo=UTC).timestamp() * 1000)


def on(number: int, time: str, **changes: object) -> Json:
    return record(number, eventTime=f"{time}Z", **changes)


def trail_call(number: int, time: str, operation: str, name: str, **changes: object) -> Json:
    call = {"eventSource": "cloudtrail.amazonaws.com", "eventName": operation, "requestParameters": {"name": name}}
    return on(number, time, **call | changes)


@pytest.fixture
def engine(tmp_path: Path, lake: Lake) -> DuckDB:
    records = [
        on(1, "2024-05-01T10:00:00"),
        on(2, "2024-05-02T10:00:00", awsRegion="eu-west-1", userAgent=None),
        on(3, "2024-05-05T10:00:00", sourceIPAddress="AWS Internal"),
        on(4, "2024-05-08T10:00:00", awsRegion="eu-west-1"),
        on(5, "2024-05-03T10:00:00", recipientAccountId=OTHER, eventSource="s3.amazonaws.com", eventCategory="Data"),
    ]
    ingest(lake, [str(log_file(tmp_path / "a.json.gz", [*records, records[0], "17", "{}"]))])
    engine = DuckDB()
    lake.mount(engine)
    return engine


def test_status_shows_spans_and_gaps_of_each_account(engine: DuckDB) -> None:
    first, second = status(engine, {}).accounts
    assert (first.account_uid, first.regions, first.events) == (ACCOUNT, ("eu-west-1", "us-east-1"), 4)
    assert (first.first_time, first.last_time) == (at("2024-05-01T10:00:00"), at("2024-05-08T10:00:00"))
    assert [gap.kind for gap in first.gaps] == ["never_recorded"]
    assert first.days == {f"2024-05-0{day}": int(day in (1, 2, 5, 8)) for day in range(1, 9)}
    east = next(place for place in first.places if place.region == "us-east-1")
    assert (east.events, east.hours, east.quiet_hours, east.missing_hours) == (2, 2, 95, 0)
    assert (second.account_uid, second.events, second.gaps) == (OTHER, 1, ())


def test_status_adds_up(engine: DuckDB) -> None:
    found = status(engine, {})
    assert found.records == found.events + found.duplicates + found.rejected == 8
    assert (found.events, found.duplicates, found.rejects) == (5, 1, {"no_event_name": 1, "not_an_object": 1})
    assert found.completeness["user_agent"] == 0.8
    assert found.completeness["source"] == found.completeness["principal"] == 1.0
    assert found.completeness["response_elements"] == 0.0


def test_status_of_nothing(lake: Lake) -> None:
    engine = DuckDB()
    lake.mount(engine)
    found = status(engine, {})
    assert (found.accounts, found.completeness, found.records, found.ingested_at) == ((), {}, 0, None)


def test_coverage_names_the_days_of_which_nothing_is_known(engine: DuckDB) -> None:
    found = coverage(engine, ACCOUNT, at("2024-04-30T23:59:59"), at("2024-05-05T00:00:00"))
    assert found.empty_days == ("2024-04-30", "2024-05-03", "2024-05-04")
    assert (found.first_time, found.last_time) == (at("2024-05-01T10:00:00"), at("2024-05-08T10:00:00"))


def test_coverage_knows_whether_reads_of_objects_would_have_left_a_trace(engine: DuckDB) -> None:
    day = at("2024-05-01T00:00:00")
    assert not coverage(engine, ACCOUNT, day, day).s3_data_events
    assert coverage(engine, OTHER, day, day).s3_data_events


def test_coverage_of_an_account_that_is_not_in_the_log(engine: DuckDB) -> None:
    day = at("2024-05-01T00:00:00")
    assert coverage(engine, "999999999999", day, day) == Coverage(
        account_uid="999999999999",
        since=day,
        until=day,
        first_time=None,
        last_time=None,
        empty_days=("2024-05-01",),
        s3_data_events=False,
        stopped=(),
    )


ARN = f"arn:aws:cloudtrail:us-east-1:{ACCOUNT}:trail/main"


@pytest.mark.parametrize(
    ("calls", "stopped"),
    [
        ([("10:00", "StopLogging", "main"), ("10:07", "StartLogging", ARN)], [("10:00", "10:07")]),
        ([("10:00", "StopLogging", ARN), ("10:03", "DeleteTrail", "main")], [("10:00", None)]),
        ([("10:00", "DeleteTrail", "main"), ("10:05", "StartLogging", "other")], [("10:00", None)]),
        ([("10:00", "StartLogging", "main")], []),
        (
            [("10:00", "StopLogging", "a"), ("10:01", "StopLogging", "b"), ("10:02", "StartLogging", "b")],
            [("10:00", None), ("10:01", "10:02")],
        ),
    ],
)
def test_coverage_names_the_periods_in_which_a_trail_was_stopped(
    tmp_path: Path, lake: Lake, calls: list[tuple[str, str, str]], stopped: list[tuple[str, str | None]]
) -> None:
    def ms(clock: str | None) -> int | None:
        return at(f"2024-05-01T{clock}:00") if clock else None

    records = [
        trail_call(n, f"2024-05-01T{time}:00", operation, name) for n, (time, operation, name) in enumerate(calls)
    ]
    failed = trail_call(90, "2024-05-01T09:00:00", "StopLogging", "main", errorCode="AccessDenied")
    foreign = trail_call(91, "2024-05-01T09:00:00", "StopLogging", "main", recipientAccountId=OTHER)
    ingest(lake, [str(log_file(tmp_path / "a.json", [*records, failed, foreign]))])
    engine = DuckDB()
    lake.mount(engine)
    found = coverage(engine, ACCOUNT, at("2024-05-01T00:00:00"), at("2024-05-02T00:00:00"))
    assert list(found.stopped) == [(ms(begin), ms(end)) for begin, end in stopped]
