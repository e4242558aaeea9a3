"""CloudTrail records → columns of the events table. Pure: no I/O, no clock, no network.

The hottest path of the product, hence its shape: the top level of a record is decoded with types and
its parts are left as JSON text; what repeats (identities, addresses, operations, minutes) is worked
out once and looked up by its bytes; parameters are parsed only for operations known to name a
resource. A row is a tuple, and one transposition at the end makes the columns.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from contextlib import suppress
from functools import lru_cache
from operator import attrgetter
from typing import Any, NamedTuple

import msgspec
from msgspec import Raw

from trailhound.model import Record, Reject
from trailhound.ocsf import actor as actors
from trailhound.ocsf import subject as subjects
from trailhound.ocsf.classify import API_ACTIVITY, OK, READ, Kind, Outcome, account_activity, classify, outcome
from trailhound.ocsf.record import ABSENT, NOTHING_ADDED, CloudTrail, NotAnEvent, additional, decode, read_leniently
from trailhound.ocsf.resources import Plan, Resource, extract, plan
from trailhound.ocsf.schema import BY_SOURCE, COLUMNS
from trailhound.ocsf.times import event_time
from trailhound.vocab.aws import address, partition_of

EXCERPT = 200  # characters of a rejected record that the ledger keeps
_LARGEST = 2**63 - 1
# Records of format 1.0 have no eventID. Theirs is derived from what they say, so that a copy is still a copy.
_NAMESPACE = uuid.UUID("3f3a7d5e-6c7b-5e0a-9d0b-6f1f0c9b8a11")

_ATTRIBUTES = dict(zip(CloudTrail.__struct_encode_fields__, CloudTrail.__struct_fields__, strict=True))
# Columns that are a field of the record as it is; `schema.COLUMNS` says which.
_FIELDS: dict[str, attrgetter[Any]] = {
    column.path: attrgetter(_ATTRIBUTES[source])
    for source, column in BY_SOURCE.items()
    if source in _ATTRIBUTES and source not in ("requestParameters", "responseElements")
}
# The others, in the order in which `_row` gives their values: single ones, then those that come together.
_SINGLE: tuple[str, ...] = (
    "time",
    "event_day",
    "class_uid",
    "activity_id",
    "cloud.account.uid",
    "api.request.data",
    "api.response.data",
    "resources",
    "principal_uid",
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
_TEXTS = ("api.request.data", "api.response.data")
_NOTHING = frozenset({"", "null"})
PATHS: tuple[str, ...] = (*_FIELDS, *_SINGLE, *(path for paths in _TOGETHER for path in paths))
assert sorted((*PATHS, "time_dt")) == sorted(column.path for column in COLUMNS)


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

    Reasons of rejection: `not_json`, `not_an_object`, `too_deep`, `no_event_time`,
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
    events, *values = zip(*rows, strict=True)
    columns = {path: list(map(field, events)) for path, field in _FIELDS.items()}
    columns |= zip(_SINGLE, map(list, values), strict=False)
    for path in _TEXTS:
        columns[path] = [None if text in _NOTHING else text for text in columns[path]]
    for paths, together in zip(_TOGETHER, values[len(_SINGLE) :], strict=True):
        columns |= zip(paths, map(list, zip(*together, strict=True)), strict=False)
    return columns


def _row(record: Record) -> tuple[Any, ...]:
    event, text, flags = _read(record)
    name = event.event_name
    if not name or event.event_category == "Insight":
        raise _no_call(event)
    kind, where = _operation(event.event_source, name)
    time, day = _time(event)
    if not event.event_id:
        event.event_id = _derived_uid(text)
        flags += ("no_event_id",)
    partition = partition_of(event.aws_region)
    more = NOTHING_ADDED if event.additional_event_data is ABSENT else additional(event.additional_event_data)
    who = actors.actor(bytes(event.user_identity), partition)
    if who.flags:
        who = _refine(who, event, more.user_name)
        flags += who.flags
    account = event.recipient_account_id or who.owner_account
    request_text, response_text = str(event.request_parameters, "utf-8"), str(event.response_elements, "utf-8")
    request = None if where is None else _parse(event.request_parameters)
    answers = kind.session or kind.answers or (where is not None and where.response is not None)
    response = _parse(event.response_elements) if answers and response_text not in _NOTHING else None
    ended = OK
    if event.error_code or event.error_message or kind.answers or '"errorCode"' in response_text:
        ended = _ended(event, response)
    found: tuple[Resource, ...] = ()
    if where is not None or ended.denied or event.resources is not ABSENT:
        found = extract(
            where,
            request,
            response,
            listed=event.resources,
            denial=event.error_message if ended.denied else None,
            account=account or "",
            partition=partition,
            principal=who.principal_uid,
        )
    about = subjects.NONE
    activity_id = READ if event.read_only and kind.class_uid == API_ACTIVITY else kind.activity_id
    if kind.class_uid != API_ACTIVITY or kind.session:
        activity_id = account_activity(name, request) or activity_id
        about = subjects.subject(kind, who, request, response, mfa_used=more.mfa_used, found=found)
    moved = (None, None) if more is NOTHING_ADDED else (_whole(more.bytes_out), _whole(more.bytes_in))
    # fmt: off
    return (
        event, time, day, kind.class_uid, activity_id, account, request_text, response_text, found, who.principal_uid,
        flags, record.source_uid, record.index, text, ended, _origin(event.source_ip_address), moved, who, about,
    )
    # fmt: on


def _read(record: Record) -> tuple[CloudTrail, str, tuple[str, ...]]:
    try:
        return decode(record.raw), record.raw.decode(), record.flags
    except (ValueError, RecursionError):
        event, text, flags = read_leniently(record.raw)
        return event, text, record.flags + flags


def _no_call(event: CloudTrail) -> NotAnEvent:
    if "Insight" in (event.event_category, (event.event_type or "")[-len("Insight") :]):
        return NotAnEvent("insight_event", "CloudTrail Insights: statistics about calls, not a call")
    return NotAnEvent("no_event_name", "there is no eventName")


@lru_cache(8192)
def _operation(event_source: str | None, operation: str) -> tuple[Kind, Plan | None]:
    if event_source and event_source.startswith("aws:"):
        raise NotAnEvent("s3_notification", f"a notification of {event_source}, not a CloudTrail record")
    return classify(event_source, operation), plan(event_source, operation)


def _time(event: CloudTrail) -> tuple[int, str]:
    written = event.event_time or event.shipper_time
    if not written:
        raise NotAnEvent("no_event_time", "there is no eventTime")
    try:
        return event_time(written)
    except ValueError:
        raise NotAnEvent("bad_event_time", f"eventTime is {written[:40]!r}") from None


def _ended(event: CloudTrail, response: Any) -> Outcome:
    if event.error_code or event.error_message:
        return outcome(event.error_code, event.error_message)
    answers = (response or _parse(event.response_elements), _parse(event.service_event_details))
    return outcome(None, None, answers, event.event_name or "")


def _derived_uid(text: str) -> str:
    """A UUID of version 5 over the record, whatever its white space and the order of its keys."""
    with suppress(ValueError, RecursionError):  # where it fails, for a number beyond 64 bits, the text itself will do
        text = msgspec.json.encode(msgspec.json.decode(text), order="sorted").decode()
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


def _parse(raw: Raw) -> Any:
    """Plain data, or None: a part that cannot be read as a whole is still kept as text."""
    try:
        return msgspec.json.decode(raw)
    except (ValueError, RecursionError):
        return None


def _whole(value: float | None) -> int | None:
    """Byte counts are logged as integers or as floats."""
    return int(value) if value is not None and 0 <= value <= _LARGEST else None
