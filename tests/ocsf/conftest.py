"""Records in, rows and documents out; documents are held against the published schema."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import jsonschema_rs
import pytest
from ocsf_json_schema import OcsfJsonSchemaEmbedded, get_ocsf_schema

from trailhound.engines.duckdb import DuckDB
from trailhound.lake.arrow import events_table
from trailhound.model import Record
from trailhound.ocsf.normalize import normalize
from trailhound.ocsf.schema import OCSF_VERSION

CLASSES = {3001: "account_change", 3002: "authentication", 6003: "api_activity"}
Row = dict[str, Any]


@pytest.fixture(scope="session")
def record() -> Callable[..., dict[str, Any]]:
    """An ordinary record; fields given replace its own, `...` leaves one out."""
    ordinary = {
        "eventVersion": "1.11",
        "userIdentity": {
            "type": "IAMUser",
            "principalId": "AIDAEXAMPLE",
            "arn": "arn:aws:iam::111122223333:user/staff/alice",
            "accountId": "111122223333",
            "accessKeyId": "AKIAEXAMPLE",
            "userName": "alice",
        },
        "eventTime": "2024-05-06T07:08:09Z",
        "eventSource": "ec2.amazonaws.com",
        "eventName": "DescribeInstances",
        "awsRegion": "us-east-1",
        "sourceIPAddress": "198.51.100.23",
        "userAgent": "aws-cli/2.15.0",
        "requestParameters": None,
        "responseElements": None,
        "requestID": "00000000-aaaa-4000-8000-000000000001",
        "eventID": "00000000-0000-4000-8000-000000000001",
        "readOnly": False,
        "eventType": "AwsApiCall",
        "managementEvent": True,
        "recipientAccountId": "111122223333",
        "eventCategory": "Management",
    }

    def make(**fields: Any) -> dict[str, Any]:
        return {key: value for key, value in (ordinary | fields).items() if value is not ...}

    return make


@pytest.fixture(scope="session")
def row() -> Callable[[dict[str, Any] | bytes], Row]:
    """One record → its row, flat: path → value."""

    def make(record: dict[str, Any] | bytes) -> Row:
        raw = record if isinstance(record, bytes) else json.dumps(record).encode()
        batch = normalize([Record(raw, "source", 7)])
        assert not batch.rejects, batch.rejects
        return {path: values[0] for path, values in batch.columns.items()}

    return make


@pytest.fixture(scope="session")
def stored() -> Callable[[list[bytes]], list[Row]]:
    """Records → rows as DuckDB returns them: nested, in the order of the records."""

    engine = DuckDB(threads=1)

    def make(raws: list[bytes]) -> list[Row]:
        batch = normalize([Record(raw, "source", index) for index, raw in enumerate(raws)])
        assert not batch.rejects, batch.rejects
        engine.mount_arrow("events", events_table(batch.columns))
        return engine.query("SELECT * FROM events ORDER BY source_index")

    return make


@pytest.fixture(scope="session")
def faults() -> Callable[[dict[str, Any]], list[str]]:
    """What the published schema says against an event; empty when it is valid."""
    schema = OcsfJsonSchemaEmbedded(get_ocsf_schema(OCSF_VERSION))
    validators = {
        uid: jsonschema_rs.validator_for(schema.get_class_schema(name, ["cloud", "datetime"]))
        for uid, name in CLASSES.items()
    }

    def check(document: dict[str, Any]) -> list[str]:
        found = validators[document["class_uid"]].iter_errors(document)
        return [f"{'/'.join(map(str, fault.instance_path))}: {fault.message[:200]}" for fault in found]

    return check


@pytest.fixture(scope="session")
def real_records(shared_data: Any) -> list[tuple[str, dict[str, Any]]]:
    """(file, record) of every published example record, of attacks emulated and of single calls."""

    def inside(node: Any) -> list[dict[str, Any]]:
        if isinstance(node, list):
            return [found for item in node for found in inside(item)]
        if not isinstance(node, dict):
            return []
        return [node] if "eventName" in node else [found for value in node.values() for found in inside(value)]

    paths = sorted([*shared_data.glob("stratus/*.json"), *shared_data.glob("traildiscover/records/*.json")])
    return [(path.name, found) for path in paths for found in inside(json.loads(path.read_text("utf-8")))]
