"""A row of a table of events as one object: Sentinel's AWSCloudTrail, Athena's and Lake's columns, told by names."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from trailhound.containers.found import Found, reader
from trailhound.containers.rows import record_of

KEYS = ("EventName", "eventname", "event_name", "Event name", "eventJson", "eventjson")

_read = reader(dict[str, Any])


def contents(value: bytes) -> Iterator[Found] | None:
    row = _read(value)
    if row is None or "eventName" in row:
        return None
    found = record_of(row)
    return None if found is None else iter((found,))
