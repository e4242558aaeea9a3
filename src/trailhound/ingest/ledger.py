"""What the lake holds and what it does not: the difference between "nothing happened" and "nothing is known"."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, timedelta

import msgspec

from trailhound.engines import dialect
from trailhound.engines.duckdb import DuckDB
from trailhound.lake.tables import TABLES

# What an investigation leans on, and when a row has it. Addresses: a call between services has none, and says so.
_FIELDS = {
    "principal": "principal_uid",
    "access_key": "actor.user.credential_uid",
    "source": "coalesce(src_endpoint.ip, src_endpoint.domain)",
    "user_agent": "http_request.user_agent",
    "region": "cloud.region",
    "account": "cloud.account.uid",
    "request_parameters": "api.request.data",
    "response_elements": "api.response.data",
}


class AccountStatus(msgspec.Struct, frozen=True):
    account_uid: str
    regions: tuple[str, ...]
    first_time: int
    last_time: int
    events: int
    gaps: tuple[tuple[str, str], ...]  # first and last day of each stretch between the two without any event


class Status(msgspec.Struct, frozen=True):
    """The lake at a glance. Times in epoch milliseconds, days as YYYY-MM-DD (UTC)."""

    accounts: tuple[AccountStatus, ...]
    completeness: dict[str, float]  # field → share of events that have it
    tables: dict[str, int]  # rows
    objects: int  # files and archive members in the ledger
    bytes: int  # of them, as they lie
    records: int
    events: int
    duplicates: int
    rejected: int
    rejects: dict[str, int]  # by reason, the most frequent first
    ingested_at: int | None  # the last time


class Coverage(msgspec.Struct, frozen=True):
    """What the log can say about one account between two times."""

    account_uid: str
    since: int
    until: int
    first_time: int | None  # of the account's events in the whole lake
    last_time: int | None
    empty_days: tuple[str, ...]  # from `since` to `until`, without any event of the account
    s3_data_events: bool  # whether any are in the lake: without them, reads of objects leave no trace
    stopped: tuple[tuple[int, int | None], ...]  # when a trail was stopped, and started again; None: never seen


def status(engine: DuckDB) -> Status:
    counted = ("bytes", "records", "events", "duplicates", "rejected")
    sums = ", ".join(f"CAST(coalesce(sum({name}), 0) AS BIGINT) AS {name}" for name in counted)
    (ledger,) = engine.query(f"SELECT count(*) AS objects, {sums}, max(ingested_at) AS ingested_at FROM ledger")
    rejects = engine.query("SELECT reason, count(*) AS n FROM rejects GROUP BY reason ORDER BY n DESC, reason")
    return Status(
        accounts=tuple(_accounts(engine)),
        completeness=_completeness(engine),
        tables={name: engine.query(f"SELECT count(*) AS n FROM {name}")[0]["n"] for name in TABLES},
        rejects={row["reason"]: row["n"] for row in rejects},
        **ledger,
    )


def coverage(engine: DuckDB, account_uid: str, since: int, until: int) -> Coverage:
    (span,) = engine.query(
        "SELECT min(time) AS first, max(time) AS last, coalesce(max(CASE WHEN api.service.name = 's3.amazonaws.com' "
        "AND metadata.product.feature.name = 'Data' THEN 1 ELSE 0 END), 0) AS data "
        "FROM events WHERE cloud.account.uid = $account",
        {"account": account_uid},
    )
    rows = engine.query(
        "SELECT DISTINCT event_day AS day FROM events "
        "WHERE cloud.account.uid = $account AND event_day BETWEEN $first AND $last",
        {"account": account_uid, "first": _day(since).isoformat(), "last": _day(until).isoformat()},
    )
    present = {row["day"] for row in rows}
    return Coverage(
        account_uid=account_uid,
        since=since,
        until=until,
        first_time=span["first"],
        last_time=span["last"],
        empty_days=tuple(day for day in _days(_day(since), _day(until)) if day not in present),
        s3_data_events=bool(span["data"]),
        stopped=tuple(_stopped(engine, account_uid)),
    )


def _accounts(engine: DuckDB) -> Iterator[AccountStatus]:
    rows = engine.query(
        "SELECT coalesce(cloud.account.uid, '') AS account, coalesce(cloud.region, '') AS region, "
        "min(time) AS first, max(time) AS last, count(*) AS n FROM events GROUP BY 1, 2 ORDER BY 1, 2"
    )
    days: defaultdict[str, set[str]] = defaultdict(set)
    for row in engine.query("SELECT DISTINCT coalesce(cloud.account.uid, '') AS account, event_day AS day FROM events"):
        days[row["account"]].add(row["day"])
    for account in sorted(days):
        own = [row for row in rows if row["account"] == account]
        first, last = min(row["first"] for row in own), max(row["last"] for row in own)
        regions = tuple(row["region"] for row in own if row["region"])
        missing = (day for day in _days(_day(first), _day(last)) if day not in days[account])
        yield AccountStatus(account, regions, first, last, sum(row["n"] for row in own), tuple(_stretches(missing)))


def _completeness(engine: DuckDB) -> dict[str, float]:
    shares = ", ".join(
        f"avg(CASE WHEN {expression} <> '' THEN 1.0 ELSE 0.0 END) AS {name}" for name, expression in _FIELDS.items()
    )
    (row,) = engine.query(f"SELECT {shares} FROM events")
    return {name: round(share, 4) for name, share in row.items() if share is not None}


def _stopped(engine: DuckDB, account_uid: str) -> Iterator[tuple[int, int | None]]:
    """Each trail by itself: stopped or deleted, until it is started again."""
    trail = dialect.json_text("api.request.data", "$.name")
    rows = engine.query(
        f"SELECT time, api.operation AS operation, {trail} AS trail FROM events "
        "WHERE cloud.account.uid = $account AND api.service.name = 'cloudtrail.amazonaws.com' AND status_id = 1 "
        "AND api.operation IN ('StopLogging', 'DeleteTrail', 'StartLogging') ORDER BY time",
        {"account": account_uid},
    )
    began: dict[str, int] = {}
    periods: list[tuple[int, int | None]] = []
    for row in rows:
        trail = (row["trail"] or "").rpartition("/")[2]  # named by ARN or by name
        if row["operation"] != "StartLogging":
            began.setdefault(trail, row["time"])
        elif trail in began:
            periods.append((began.pop(trail), row["time"]))
    yield from sorted([*periods, *((time, None) for time in began.values())], key=lambda period: period[0])


def _day(ms: int) -> date:
    return datetime.fromtimestamp(ms / 1000, UTC).date()


def _days(first: date, last: date) -> Iterator[str]:
    for offset in range((last - first).days + 1):
        yield (first + timedelta(offset)).isoformat()


def _stretches(days: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Days in order → first and last of each run of neighbours."""
    run: list[date] = []
    for day in map(date.fromisoformat, days):
        if run and day - run[-1] > timedelta(1):
            yield run[0].isoformat(), run[-1].isoformat()
            run = []
        run.append(day)
    if run:
        yield run[0].isoformat(), run[-1].isoformat()
