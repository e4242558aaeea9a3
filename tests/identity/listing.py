"""Records made by hand, the events they become, and what is listed of them."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from trailhound.engines.duckdb import DuckDB
from trailhound.identity.observables import OBSERVABLES
from trailhound.identity.occurrences import Occurrences
from trailhound.lake.arrow import events_table
from trailhound.model import Record
from trailhound.ocsf.normalize import normalize

KEY = "AKIAIOSFODNN7EXAMPLE"
INSTANCE = "i-0abc1234def567890"


def record(number: int = 0, **members: Any) -> dict[str, Any]:
    return {
        "eventVersion": "1.08",
        "eventTime": f"2026-01-{1 + number % 3:02}T00:00:{number % 60:02}Z",
        "eventSource": "ec2.amazonaws.com",
        "eventName": "DescribeInstances",
        "awsRegion": "us-east-1",
        "eventID": f"00000000-0000-4000-8000-{number:012x}",
        "userIdentity": {"type": "IAMUser", "userName": "alice", "arn": "arn:aws:iam::111122223333:user/alice"},
        "recipientAccountId": "111122223333",
        **members,
    }


def columns(records: Iterable[dict[str, Any] | bytes]) -> dict[str, list[Any]]:
    raws = [made if isinstance(made, bytes) else json.dumps(made).encode() for made in records]
    batch = normalize(Record(raw, "source", index) for index, raw in enumerate(raws))
    assert not batch.rejects
    return batch.columns


def listing(records: Iterable[dict[str, Any] | bytes]) -> DuckDB:
    """An engine with `events` and the `observables` of these."""
    engine = DuckDB(threads=1)
    engine.mount_arrow("events", events_table(columns(records)))
    assert OBSERVABLES.prepare
    OBSERVABLES.prepare(engine)
    engine.execute(f"CREATE TEMP TABLE observables AS SELECT *, '' AS week FROM ({OBSERVABLES.select})")
    return engine


def index(engine: DuckDB) -> Occurrences:
    days = [row["event_day"] for row in engine.query("SELECT DISTINCT event_day FROM events")]
    return Occurrences(engine, days)


def values(engine: DuckDB, *places: str) -> set[tuple[str, str]]:
    where = f"WHERE place IN ({', '.join(map(repr, places))})" if places else ""
    return {(row["kind"], row["value"]) for row in engine.query(f"SELECT kind, value FROM observables {where}")}
