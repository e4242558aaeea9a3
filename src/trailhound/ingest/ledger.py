"""What the lake holds and what it does not: the difference between "nothing happened" and "nothing is known"."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta

import msgspec

from trailhound.engines.duckdb import DuckDB
from trailhound.ingest import proofs
from trailhound.ingest.coverage import ALL, Series, Stretch, merged, series, stretches
from trailhound.lake.lake import TableSize
from trailhound.lake.times import DAY, HOUR

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


class Place(msgspec.Struct, frozen=True):
    """Events of one account, Region and category."""

    region: str
    category: str  # Management, Data, NetworkActivity
    first_time: int
    last_time: int
    events: int
    hours: int  # that hold an event
    quiet_hours: int  # that hold none, which may be chance
    missing_hours: int  # that hold none, which can hardly be chance


class AccountStatus(msgspec.Struct, frozen=True):
    account_uid: str
    regions: tuple[str, ...]
    first_time: int
    last_time: int
    events: int
    places: tuple[Place, ...]
    days: dict[str, int]  # YYYY-MM-DD (UTC) → events, from the first day to the last
    gaps: tuple[Stretch, ...]  # all that is not merely quiet


class Delivery(msgspec.Struct, frozen=True):
    """How long events waited until CloudTrail wrote them, by the names of the objects; milliseconds."""

    objects: int  # that say when they were written
    median: int
    longest: int
    late: int  # objects in which an event waited more than an hour


class Status(msgspec.Struct, frozen=True):
    """The lake at a glance. Times in epoch milliseconds, days as YYYY-MM-DD (UTC)."""

    accounts: tuple[AccountStatus, ...]
    completeness: dict[str, float]  # field → share of events that have it
    tables: dict[str, TableSize]
    objects: int  # files and archive members in the ledger
    bytes: int  # of them, as they lie
    records: int
    events: int
    duplicates: int
    rejected: int
    rejects: dict[str, int]  # by reason, the most frequent first
    flags: dict[str, int]  # of events: conflict, repaired, partial ...
    delivery: Delivery | None
    integrity: dict[str, int]  # verified, broken, unverifiable → objects; empty: `verify` has not been run
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
    narrowed: tuple[Stretch, ...] = ()  # when a trail recorded less than it might, or delivered elsewhere
    missing: tuple[Stretch, ...] = ()  # stretches without management events that can hardly be chance, and broken files
    lacking: tuple[Stretch, ...] = ()  # all that the log lacks of the account, in the whole lake
    hours: frozenset[int] = frozenset()  # epoch hours that hold an event of the account, in the whole lake


def status(engine: DuckDB, sizes: dict[str, TableSize]) -> Status:
    counted = ("bytes", "records", "events", "duplicates", "rejected")
    sums = ", ".join(f"CAST(coalesce(sum({name}), 0) AS BIGINT) AS {name}" for name in counted)
    (ledger,) = engine.query(f"SELECT count(*) AS objects, {sums}, max(ingested_at) AS ingested_at FROM ledger")
    rejects = engine.query("SELECT reason AS name, count(*) AS n FROM rejects GROUP BY ALL ORDER BY n DESC, name")
    flags = engine.query(
        "SELECT name, count(*) AS n FROM (SELECT unnest(flags) AS name FROM events) GROUP BY ALL ORDER BY n DESC, name"
    )
    return Status(
        accounts=tuple(_accounts(engine)),
        completeness=_completeness(engine),
        tables=sizes,
        rejects={row["name"]: row["n"] for row in rejects},
        flags={row["name"]: row["n"] for row in flags},
        delivery=_delivery(engine),
        integrity=proofs.counts(engine),
        **ledger,
    )


def coverage(engine: DuckDB, account_uid: str, since: int, until: int) -> Coverage:
    (span,) = engine.query(
        "SELECT min(time) AS first, max(time) AS last, coalesce(max(CASE WHEN api.service.name = 's3.amazonaws.com' "
        "AND metadata.product.feature.name = 'Data' THEN 1 ELSE 0 END), 0) AS data "
        "FROM events WHERE cloud.account.uid = $account",
        {"account": account_uid},
    )
    held = series(engine, account_uid)
    hours = frozenset(merged(held))
    present = {_day(hour * HOUR).isoformat() for hour in hours}
    lacking = stretches(engine, held)
    around = [one for one in lacking if one.since <= until and (one.until is None or one.until > since)]
    return Coverage(
        account_uid=account_uid,
        since=since,
        until=until,
        first_time=span["first"],
        last_time=span["last"],
        empty_days=tuple(day for day in _days(_day(since), _day(until)) if day not in present),
        s3_data_events=bool(span["data"]),
        stopped=tuple((one.since, one.until) for one in lacking if one.kind == "logging_stopped"),
        # Sources left out (KMS, mostly) are no gap of all questions.
        narrowed=tuple(one for one in around if one.kind == "logging_narrowed" and one.what != "sources"),
        missing=tuple(one for one in around if one.kind in ("missing", "broken")),
        lacking=tuple(lacking),
        hours=hours,
    )


def _accounts(engine: DuckDB) -> Iterator[AccountStatus]:
    held = series(engine)
    lacking = stretches(engine, held)
    first_and_last = "min(time) AS first, max(time) AS last, count(*) AS n"
    rows = engine.query(
        f"SELECT coalesce(cloud.account.uid, '') AS account, {first_and_last} FROM events GROUP BY ALL ORDER BY account"
    )
    for row in rows:
        account = row["account"]
        own = [one for one in held if one.account_uid == account]
        without = [one for one in lacking if one.account_uid == account]
        yield AccountStatus(
            account_uid=account,
            regions=tuple(sorted({one.region for one in own if one.region})),
            first_time=row["first"],
            last_time=row["last"],
            events=row["n"],
            places=tuple(_place(one, without) for one in own),
            days=_by_day(merged(own)),
            gaps=tuple(one for one in without if one.kind != "quiet"),
        )


def _place(one: Series, lacking: Sequence[Stretch]) -> Place:
    begin, end = min(one.hours), max(one.hours) + 1
    missing: set[int] = set()
    for stretch in lacking:
        if stretch.kind == "missing" and stretch.region in (ALL, one.region) and stretch.category == one.category:
            missing.update(range(max(begin, stretch.since // HOUR), min(end, (stretch.until or 0) // HOUR)))
    events, held = sum(one.hours.values()), len(one.hours)
    quiet = end - begin - held - len(missing)
    return Place(one.region, one.category, begin * HOUR, end * HOUR, events, held, quiet, len(missing))


def _by_day(hours: dict[int, int]) -> dict[str, int]:
    days = {_day(day * DAY).isoformat(): 0 for day in range(min(hours) // 24, max(hours) // 24 + 1)}
    for hour, count in hours.items():
        days[_day(hour * HOUR).isoformat()] += count
    return days


def _delivery(engine: DuckDB) -> Delivery | None:
    (row,) = engine.query(
        "SELECT count(*) AS objects, CAST(coalesce(median(waited), 0) AS BIGINT) AS median, "
        f"coalesce(max(waited), 0) AS longest, count(*) FILTER (waited > {HOUR}) AS late FROM "
        "(SELECT delivered_time - first_time AS waited FROM ledger WHERE delivered_time - first_time >= 0)"
    )
    return Delivery(**row) if row["objects"] else None


def _completeness(engine: DuckDB) -> dict[str, float]:
    shares = ", ".join(
        f"avg(CASE WHEN {expression} <> '' THEN 1.0 ELSE 0.0 END) AS {name}" for name, expression in _FIELDS.items()
    )
    (row,) = engine.query(f"SELECT {shares} FROM events")
    return {name: round(share, 4) for name, share in row.items() if share is not None}


def _day(ms: int) -> date:
    return datetime.fromtimestamp(ms / 1000, UTC).date()


def _days(first: date, last: date) -> Iterator[str]:
    for offset in range((last - first).days + 1):
        yield (first + timedelta(offset)).isoformat()


def totals(engine: DuckDB) -> dict[str, int | None]:
    """The whole ledger in one row: what was seen, and what became of it."""
    names = {"records": "seen", "events": "events", "duplicates": "duplicates", "rejected": "rejected"}
    sums = ", ".join(f"CAST(coalesce(sum({name}), 0) AS BIGINT) AS {shown}" for name, shown in names.items())
    return engine.query(
        f"SELECT {sums}, count(*) AS files, min(first_time) AS first_time, max(last_time) AS last_time FROM ledger"
    )[0]
