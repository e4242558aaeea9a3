"""LookupEvents: `{"Events": [{"EventId": ..., "CloudTrailEvent": "<the record>"}]}`, or its elements alone.

An event from which CloudTrailEvent was left out, by `--query` for one, is put together from what stands beside it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from trailhound.containers.found import Found, reader
from trailhound.containers.rows import record_of

KEYS = ("Events", "CloudTrailEvent", "EventId")


class _Page(msgspec.Struct):
    Events: list[msgspec.Raw]


class _Event(msgspec.Struct):
    CloudTrailEvent: str


class _Summary(msgspec.Struct):
    EventId: str
    EventName: str
    EventTime: str | float
    EventSource: str | None = None
    ReadOnly: str | bool | None = None
    AccessKeyId: str | None = None
    Username: str | None = None
    Resources: list[dict[str, Any]] | None = None


_read_page, _read_event, _read_summary = reader(_Page), reader(_Event), reader(_Summary)


def contents(value: bytes) -> Iterator[Found] | None:
    if page := _read_page(value):
        return map(bytes, page.Events)
    if event := _read_event(value):
        return iter((event.CloudTrailEvent.encode(),))
    if summary := _read_summary(value):
        cells = msgspec.structs.asdict(summary)
        record = record_of({name: cell for name, cell in cells.items() if cell is not None})
        return None if record is None else iter((record,))
    return None
