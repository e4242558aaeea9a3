"""Rows of the events table made by hand, and an engine that holds them."""

from __future__ import annotations

import ipaddress
import json
from typing import Any

from trailhound.engines.duckdb import DuckDB
from trailhound.lake import times
from trailhound.lake.arrow import events_table
from trailhound.ocsf.schema import COLUMNS

START = times.interval("2020-11-06T03:00:00Z").start
DAY = 86_400_000
Row = dict[str, Any]


def event(number: int, time: int, operation: str = "DescribeInstances", ip: str | None = None, **columns: Any) -> Row:
    row: Row = {column.path: [] if column.type in ("strings", "resources") else None for column in COLUMNS}
    row.update(
        {"time": time, "metadata.uid": f"e{number}", "api.operation": operation, "event_day": times.text(time)[:10]}
    )
    if ip:
        address = ipaddress.ip_address(ip)
        mapped = int(address) + (0xFFFF << 32 if address.version == 4 else 0)
        row.update({"src_endpoint.ip": ip, "src_ip_hex": f"{mapped:032x}"})
    row.update({path.replace("__", "."): value for path, value in columns.items()})
    row["raw_data"] = row["raw_data"] or json.dumps({"eventID": f"e{number}", "eventName": operation})
    return row


def lake_of(rows: list[Row]) -> DuckDB:
    engine = DuckDB(threads=1)
    engine.mount_arrow("events", events_table({column.path: [row[column.path] for row in rows] for column in COLUMNS}))
    return engine
