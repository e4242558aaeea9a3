"""Records, and files of them."""

from __future__ import annotations

import gzip
import json
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from trailhound.engines.duckdb import DuckDB
from trailhound.lake.lake import Lake

Json = dict[str, Any]


def record(number: int, **changes: Any) -> Json:
    """A record of its own; the same for the same number."""
    minute, hour, day = number % 60, number // 60 % 24, number // 1440 % 28 + 1
    return {
        "eventVersion": "1.08",
        "userIdentity": {
            "type": "IAMUser",
            "arn": "arn:aws:iam::111122223333:user/alice",
            "accountId": "111122223333",
            "userName": "alice",
        },
        "eventTime": f"2024-05-{day:02}T{hour:02}:{minute:02}:00Z",
        "eventSource": "ec2.amazonaws.com",
        "eventName": ("DescribeInstances", "StopInstances", "RunInstances")[number % 3],
        "awsRegion": "us-east-1",
        "sourceIPAddress": "203.0.113.7",
        "userAgent": "aws-cli/2.15.0",
        "requestParameters": {"instancesSet": {"items": [{"instanceId": f"i-{number:08x}"}]}},
        "responseElements": None,
        "eventID": str(uuid.UUID(int=number + (1 << 120))),
        "eventType": "AwsApiCall",
        "recipientAccountId": "111122223333",
    } | changes


def log_file(path: Path, records: Sequence[Json | str]) -> Path:
    """A file as CloudTrail delivers it; gzip when the name says so."""
    texts = [one if isinstance(one, str) else json.dumps(one, separators=(",", ":")) for one in records]
    data = ('{"Records":[' + ",".join(texts) + "]}").encode()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(data, mtime=0) if path.suffix == ".gz" else data)
    return path


def query(lake: Lake, sql: str) -> list[tuple[Any, ...]]:
    engine = DuckDB()
    lake.mount(engine)
    rows = [tuple(row.values()) for row in engine.query(sql)]
    lake.close()
    return rows
