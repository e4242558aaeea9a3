"""Rules as text, events as plain records, and what fires."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from trailhound.detections.detect import Detected, detect
from trailhound.detections.placeholders import Placeholders
from trailhound.detections.sigma import load_rules
from trailhound.engines.duckdb import DuckDB
from trailhound.lake import arrow
from trailhound.lake.arrow import events_table
from trailhound.lake.tables import TABLES
from trailhound.model import Record
from trailhound.ocsf.normalize import normalize

Fires = Callable[..., Detected]


def record(number: int, **fields: Any) -> dict[str, Any]:
    """An ordinary record whose eventID ends in its number; `None` leaves a field out."""
    ordinary = {
        "eventVersion": "1.08",
        "userIdentity": {"type": "IAMUser", "userName": "alice", "accountId": "111122223333"},
        "eventTime": "2024-01-01T00:00:00Z",
        "eventSource": "ec2.amazonaws.com",
        "eventName": "DescribeInstances",
        "awsRegion": "us-east-1",
        "sourceIPAddress": "198.51.100.7",
        "eventID": f"00000000-0000-0000-0000-{number:012d}",
        "eventType": "AwsApiCall",
        "recipientAccountId": "111122223333",
    }
    return {key: value for key, value in {**ordinary, **fields}.items() if value is not None}


def numbers(found: Detected) -> set[int]:
    """The numbers of the records that are in a finding."""
    return {int(uid[-12:]) for finding in found.findings for uid in finding.event_uids}


@pytest.fixture(scope="module")
def fires(tmp_path_factory: pytest.TempPathFactory) -> Fires:
    """Run one rule file (text) over records."""
    folder, engine = tmp_path_factory.mktemp("rules"), DuckDB(threads=1)
    for table in ("integrity", "integrity_periods"):
        engine.mount(table, [], ddl=arrow.ddl(TABLES[table].columns))

    def run(rule: str, records: Sequence[dict[str, Any]], placeholders: Placeholders | None = None) -> Detected:
        path: Path = folder / "rule.yml"
        path.write_text(rule, "utf-8")
        rules = load_rules([path])
        assert not rules.errors, str(rules.errors[0])
        batch = normalize(Record(json.dumps(r).encode(), "s", i) for i, r in enumerate(records))
        assert not batch.rejects
        engine.mount_arrow("events", events_table(batch.columns))
        return detect(engine, rules, placeholders=placeholders)

    return run


def rule(detection: dict[str, Any], **extra: Any) -> str:
    """A rule around a detection section."""
    return yaml.safe_dump(
        {
            "title": "t",
            "id": str(uuid.uuid5(uuid.NAMESPACE_OID, json.dumps(detection, sort_keys=True))),
            "logsource": {"product": "aws", "service": "cloudtrail"},
            "detection": detection,
            "level": "low",
            **extra,
        }
    )
