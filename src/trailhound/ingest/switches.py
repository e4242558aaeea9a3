"""When the recording itself was switched: trails stopped, narrowed or told to record more, as their own events say."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal, NamedTuple

import msgspec

from trailhound.engines import dialect
from trailhound.engines.duckdb import DuckDB

_STOP = ("StopLogging", "DeleteTrail")
_CALLS = (*_STOP, "StartLogging", "UpdateTrail", "PutEventSelectors")
MANAGEMENT, DATA = "Management", "Data"  # categories of events


class Switch(NamedTuple):
    """A state of one trail from one call on, until another call ended it."""

    kind: Literal["logging_stopped", "logging_narrowed", "data_events_on"]
    what: str  # logging, regions, global_services, bucket, management, sources, data
    trail: str
    category: str
    since: int  # epoch milliseconds
    until: int | None  # None: the log shows no end of it
    because: str


class _Call(NamedTuple):
    time: int
    operation: str
    region: str
    trail: str
    request: dict[str, Any]


class _Change(NamedTuple):
    """What a call says of its trail: of what, and what is true of it from now on (None: nothing remarkable)."""

    what: str
    kind: Literal["logging_stopped", "logging_narrowed", "data_events_on"] | None = None
    because: str = ""
    category: str = MANAGEMENT


def read(engine: DuckDB, account_uid: str) -> list[Switch]:
    """Every switch in the log of an account, in order of time; each trail by itself."""
    open_: dict[tuple[str, str], Switch] = {}
    ended: list[Switch] = []
    for call in _calls(engine, account_uid):
        for change in _changes(call):
            key = call.trail, change.what
            before = open_.get(key)
            if before and (change.kind, change.because.partition(":")[2]) == (
                before.kind,
                before.because.partition(":")[2],
            ):
                continue  # said again
            if before:
                ended.append(open_.pop(key)._replace(until=call.time))
            if change.kind:
                place = call.trail, change.category, call.time, None
                open_[key] = Switch(change.kind, change.what, *place, change.because)
    return sorted(
        [*ended, *open_.values()], key=lambda switch: (switch.since, switch.trail, switch.kind, switch.because)
    )


def _calls(engine: DuckDB, account_uid: str) -> Iterator[_Call]:
    rows = engine.query(
        "SELECT time, api.operation AS operation, coalesce(cloud.region, '') AS region, api.request.data AS request "
        "FROM events WHERE cloud.account.uid = $account AND api.service.name = 'cloudtrail.amazonaws.com' "
        f"AND status_id = 1 AND api.operation IN ({dialect.listed(_CALLS)}) ORDER BY time, metadata.uid",
        {"account": account_uid},
    )
    for row in rows:
        try:
            request = msgspec.json.decode(row["request"] or "null")
        except (ValueError, RecursionError):
            request = None
        request = request if isinstance(request, dict) else {}
        named = request.get("name") or request.get("trailName") or ""
        trail = str(named).rpartition("/")[2]  # named by ARN or by name
        yield _Call(row["time"], row["operation"], row["region"], trail, request)


def _changes(call: _Call) -> Iterator[_Change]:
    trail = f"trail {call.trail}" if call.trail else "a trail"
    if call.operation in _STOP:
        yield _Change("logging", "logging_stopped", f"{call.operation}: {trail} no longer records")
    elif call.operation == "StartLogging":
        yield _Change("logging")
    elif call.operation == "UpdateTrail":
        yield from _updated(call, trail)
    else:
        yield from _selected(call, trail)


def _updated(call: _Call, trail: str) -> Iterator[_Change]:
    """UpdateTrail names what it sets; what it does not name stays."""
    request = call.request
    if (several := request.get("isMultiRegionTrail")) is not None:
        because = f"UpdateTrail: {trail} records one Region only"
        yield _Change("regions") if several else _Change("regions", "logging_narrowed", because)
    if (everywhere := request.get("includeGlobalServiceEvents")) is not None:
        because = f"UpdateTrail: {trail} leaves out global services (IAM, STS, sign-in)"
        yield _Change("global_services") if everywhere else _Change("global_services", "logging_narrowed", because)
    if bucket := request.get("s3BucketName"):
        because = f"UpdateTrail: {trail} delivers to the bucket {str(bucket)[:100]}; what it has must be read, too"
        yield _Change("bucket", "logging_narrowed", because)


def _selected(call: _Call, trail: str) -> Iterator[_Change]:
    """PutEventSelectors replaces all selectors of the trail."""
    selectors = [*_plain(call.request.get("eventSelectors")), *_advanced(call.request.get("advancedEventSelectors"))]
    management = [selector for selector in selectors if selector.management]
    missing = ""
    if not management:
        missing = f"PutEventSelectors: {trail} records no management events"
    elif (kinds := {selector.reads_writes for selector in management}) and "All" not in kinds and len(kinds) == 1:
        missing = f"PutEventSelectors: {trail} records {'reads' if kinds == {'ReadOnly'} else 'writes'} only"
    yield _Change("management", "logging_narrowed", missing) if missing else _Change("management")
    left_out = sorted(set.intersection(*(set(selector.without) for selector in management))) if management else []
    because = f"PutEventSelectors: {trail} leaves out {', '.join(left_out)[:200]}"
    yield _Change("sources", "logging_narrowed", because) if left_out else _Change("sources")
    because = f"PutEventSelectors: {trail} records data events"
    yield _Change("data", "data_events_on", because, DATA) if any(s.data for s in selectors) else _Change("data")


class _Selector(NamedTuple):
    management: bool
    data: bool
    reads_writes: str  # All, ReadOnly, WriteOnly
    without: tuple[str, ...]  # event sources that are left out


def _plain(selectors: Any) -> Iterator[_Selector]:
    for selector in _objects(selectors):
        without = tuple(map(str, selector.get("excludeManagementEventSources") or ()))
        management = selector.get("includeManagementEvents") is not False  # the default is true
        kind = str(selector.get("readWriteType") or "All")
        yield _Selector(management, bool(selector.get("dataResources")), kind, without)


def _advanced(selectors: Any) -> Iterator[_Selector]:
    for selector in _objects(selectors):
        fields = {str(field.get("field")): field for field in _objects(selector.get("fieldSelectors"))}
        category = fields.get("eventCategory", {}).get("equals") or []
        read_only = fields.get("readOnly", {}).get("equals") or []
        kind = {"true": "ReadOnly", "false": "WriteOnly"}.get(str(read_only[0]).lower(), "All") if read_only else "All"
        without = tuple(map(str, fields.get("eventSource", {}).get("notEquals") or ()))
        yield _Selector(MANAGEMENT in category, DATA in category, kind, without)


def _objects(value: Any) -> list[dict[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []
