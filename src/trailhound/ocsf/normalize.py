"""CloudTrail records → columns of the events table. Pure: no I/O, no clock, no network.

The hottest path of the product, hence its shape: the top level of a record is decoded with types and
its parts are left as JSON text; what repeats (identities, addresses, operations, minutes) is worked
out once and looked up by its bytes; parameters are parsed only for operations known to name a
resource. A row is a tuple, and one transposition at the end makes the columns.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from functools import lru_cache
from typing import Any, NamedTuple

import msgspec
from msgspec import Raw

from trailhound.model import Record, Reject
from trailhound.ocsf import actor as actors
from trailhound.ocsf import subject as subjects
from trailhound.ocsf.classify import API_ACTIVITY, OK, Kind, activity, classify, outcome
from trailhound.ocsf.record import ABSENT, NOTHING_ADDED, CloudTrail, NotAnEvent, additional, decode, read_leniently
from trailhound.ocsf.resources import Plan, Resource, extract, plan
from trailhound.ocsf.schema import COLUMNS
from trailhound.ocsf.times import event_time
from trailhound.vocab.aws import address, partition_of

EXCERPT = 200  # characters of a rejected record that the ledger keeps
_LARGEST = 2**63 - 1
# Records of format 1.0 have no eventID. Theirs is derived from what they say, so that a copy is still a copy.
_NAMESPACE = uuid.UUID("3f3a7d5e-6c7b-5e0a-9d0b-6f1f0c9b8a11")

# The columns in the order in which `_row` gives their values: single ones, then those that come together.
_SINGLE: tuple[str, ...] = (
    "time",
    "event_day",
    "class_uid",
    "activity_id",
    "metadata.uid",
    "metadata.event_code",
    "metadata.correlation_uid",
    "metadata.product.version",
    "metadata.product.feature.name",
    "cloud.region",
    "cloud.account.uid",
    "api.operation",
    "api.version",
    "api.service.name",
    "api.request.uid",
    "api.request.data",
    "api.response.error",
    "api.response.message",
    "api.response.data",
    "src_endpoint.uid",
    "http_request.user_agent",
    "resources",
    "principal_uid",
    "read_only",
    "flags",
    "source_uid",
    "source_index",
    "raw_data",
)
_TOGETHER: tuple[tuple[str, ...], ...] = (
    ("status_id", "status_detail", "denied"),
    ("src_endpoint.ip", "src_endpoint.domain", "src_ip_hex"),
    ("traffic.bytes_out", "traffic.bytes_in"),
    actors.PATHS,
    subjects.PATHS,
)
PATHS: tuple[str, ...] = (*_SINGLE, *(path for paths in _TOGETHER for path in paths))


class Batch(NamedTuple):
    """`columns`: every path of the events table except `time_dt`, with as many values as there are events.

    `resources` values are tuples of (uid, name, type, account_uid), `flags` values tuples of strings.
    """

    columns: dict[str, list[Any]]
    rejects: list[Reject]


class _Origin(NamedTuple):
    ip: str | None
    domain: str | None
    hex: str | None


def normalize(records: Iterable[Record]) -> Batch:
    """Every record becomes one event or one Reject; none raises.

    Reasons of rejection: `not_json`, `not_an_object`, `invalid_utf8`, `too_deep`, `no_event_time`,
    `bad_event_time`, `no_event_name`, `insight_event` (statistics about events), `s3_notification`
    (a pointer to an object). Flags of events: those of `record.read_leniently` and `actor`, and `no_event_id`.
    """
    rows: list[tuple[Any, ...]] = []
    rejects: list[Reject] = []
    for record in records:
        try:
            rows.append(_row(record))
        except NotAnEvent as refusal:
            excerpt = record.raw[: EXCERPT * 4].decode(errors="replace")[:EXCERPT]
            rejects.append(Reject(record.source_uid, record.index, refusal.reason, refusal.detail, excerpt))
    return Batch(_columns(rows), rejects)


def _columns(rows: list[tuple[Any, ...]]) -> dict[str, list[Any]]:
    if not rows:
        return {path: [] for path in PATHS}
    values = list(zip(*rows, strict=True))
    columns = dict(zip(_SINGLE, map(list, values), strict=False))
    for paths, together in zip(_TOGETHER, values[len(_SINGLE) :], strict=True):
        columns.update(zip(paths, map(list, zip(*together, strict=True)), strict=False))
    return columns


def _row(record: Record) -> tuple[Any, ...]:
    flags = record.flags
    try:
        event, text = decode(record.raw), record.raw.decode()
    except (ValueError, RecursionError):
        event, text, unusual = read_leniently(record.raw)
        flags += unusual
    operation = event.event_name
    if not operation or event.event_category == "Insight":
        raise _no_call(event)
    kind, where = _operation(event.event_source, operation)
    try:
        time, day = event_time(event.event_time or event.shipper_time or "")
    except ValueError:
        raise _no_time(event) from None
    uid = event.event_id
    if not uid:
        uid = _derived_uid(text)
        flags += ("no_event_id",)
    partition = partition_of(event.aws_region)
    more = NOTHING_ADDED if event.additional_event_data is ABSENT else additional(event.additional_event_data)
    who = actors.actor(bytes(event.user_identity), partition)
    if who.flags:
        who = _refine(who, event, more.user_name)
        flags += who.flags
    account = event.recipient_account_id or who.owner_account

    request_text = _text(event.request_parameters)
    response_text = _text(event.response_elements)
    request = response = None
    if where is not None or kind.session:
        if request_text:
            request = _parse(event.request_parameters)
        if response_text and (kind.session or (where is not None and where.response is not None)):
            response = _parse(event.response_elements)
    ended = OK
    if event.error_code or event.error_message:
        ended = outcome(event.error_code, event.error_message)
    elif kind.answers or (response_text and '"errorCode"' in response_text):
        response = _parse(event.response_elements)
        ended = outcome(None, None, (response, _parse(event.service_event_details)), operation)

    found: tuple[Resource, ...] = ()
    if where is not None or ended.denied or event.resources is not ABSENT:
        denial = event.error_message if ended.denied else None
        found = extract(
            where, request, response, event.resources, denial, account or "", partition, who.principal_uid
        )
    about = subjects.NONE
    if kind.class_uid != API_ACTIVITY or kind.session:
        about = subjects.subject(kind, who, request, response, more.mfa_used, found)
    return (
        time,
        day,
        kind.class_uid,
        activity(kind, operation, event.read_only, request),
        uid,
        event.event_type,
        event.shared_event_id,
        event.event_version,
        event.event_category,
        event.aws_region,
        account,
        operation,
        event.api_version,
        event.event_source,
        event.request_id,
        request_text,
        event.error_code,
        event.error_message,
        response_text,
        event.vpc_endpoint_id,
        event.user_agent,
        found,
        who.principal_uid,
        event.read_only,
        flags,
        record.source_uid,
        record.index,
        text,
        ended,
        _origin(event.source_ip_address),
        (None, None) if more is NOTHING_ADDED else (_whole(more.bytes_out), _whole(more.bytes_in)),
        who,
        about,
    )


def _no_call(event: CloudTrail) -> NotAnEvent:
    if "Insight" in (event.event_category, (event.event_type or "")[-len("Insight") :]):
        return NotAnEvent("insight_event", "CloudTrail Insights: statistics about calls, not a call")
    return NotAnEvent("no_event_name", "there is no eventName")


@lru_cache(8192)
def _operation(event_source: str | None, operation: str) -> tuple[Kind, Plan | None]:
    if event_source and event_source.startswith("aws:"):
        raise NotAnEvent("s3_notification", f"a notification of {event_source}, not a CloudTrail record")
    return classify(event_source, operation), plan(event_source, operation)


def _no_time(event: CloudTrail) -> NotAnEvent:
    written = event.event_time or event.shipper_time
    if not written:
        return NotAnEvent("no_event_time", "there is no eventTime")
    return NotAnEvent("bad_event_time", f"eventTime is {written[:40]!r}")


def _derived_uid(text: str) -> str:
    """A UUID of version 5 over the record, whatever its white space and the order of its keys."""
    try:
        text = msgspec.json.encode(msgspec.json.decode(text), order="sorted").decode()
    except (ValueError, RecursionError):
        pass  # numbers beyond 64 bits: the text itself will do
    return str(uuid.uuid5(_NAMESPACE, text))


def _refine(who: actors.Actor, event: CloudTrail, user_name: str | None) -> actors.Actor:
    of_service = event.event_type in ("AwsServiceEvent", "AwsVpceEvent") or who.type == "AWSService"
    return actors.refine(who, user_name=user_name, service=event.event_source if of_service else None)


@lru_cache(16_384)
def _origin(source_ip_address: str | None) -> _Origin:
    if not source_ip_address:
        return _Origin(None, None, None)
    found = address(source_ip_address)
    return _Origin(None, source_ip_address, None) if found is None else _Origin(found[0], None, found[1])


def _text(raw: Raw) -> str | None:
    text = str(raw, "utf-8")
    return None if text in ("", "null") else text


def _parse(raw: Raw) -> Any:
    """Plain data, or None: a part that cannot be read as a whole is still kept as text."""
    try:
        return msgspec.json.decode(raw)
    except (ValueError, RecursionError):
        return None


def _whole(value: float | None) -> int | None:
    """Byte counts are logged as integers or as floats."""
    return int(value) if value is not None and 0 <= value <= _LARGEST else None


assert sorted((*PATHS, "time_dt")) == sorted(column.path for column in COLUMNS)
