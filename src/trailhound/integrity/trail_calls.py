"""Calls that switch a trail on and off, as the logs themselves record them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import msgspec

from trailhound import containers
from trailhound.errors import QueryError
from trailhound.lake import times

OFF = ("StopLogging", "DeleteTrail")
ON = ("StartLogging", "CreateTrail")
_UPDATE = "UpdateTrail"
_WORDS = tuple(f'"{name}"'.encode() for name in (*OFF, *ON, _UPDATE))
_NAME = 200  # characters of a name that go into a sentence


class TrailCall(NamedTuple):
    """A call that succeeded. `on` is what it made of the trail: whether it logs, or whether its logs are digested."""

    time: int  # epoch milliseconds
    operation: str
    account_uid: str
    region: str
    trail: str
    on: bool
    by: str  # ARN of who called
    log: str  # name of the file that it stands in

    def __str__(self) -> str:
        return f"{self.operation} at {times.text(self.time)} by {self.by or 'somebody unknown'}"


class _Record(msgspec.Struct, rename="camel"):
    event_name: str
    event_source: str
    event_time: str
    aws_region: str
    recipient_account_id: str | None = None
    error_code: str | None = None
    request_parameters: Any = None
    user_identity: Any = None


_decode = msgspec.json.Decoder(_Record).decode


def mentioned(piece: bytes) -> bool:
    return any(word in piece for word in _WORDS)


def calls(pieces: Iterable[bytes], log: str) -> Iterator[TrailCall]:
    """Those in the text of one log file."""
    _, records = containers.read(iter(pieces))
    for raw in records:
        if isinstance(raw, bytes) and mentioned(raw) and (call := _call(raw, log)):
            yield call


def _call(raw: bytes, log: str) -> TrailCall | None:
    try:
        record = _decode(raw)
        time = times.interval(record.event_time).start
    except (msgspec.MsgspecError, ValueError, RecursionError, QueryError):
        return None
    if record.event_source != "cloudtrail.amazonaws.com" or record.error_code:
        return None
    request = record.request_parameters if isinstance(record.request_parameters, dict) else {}
    if record.event_name in ON + OFF:
        on = record.event_name in ON
    elif record.event_name == _UPDATE and isinstance(request.get("enableLogFileValidation"), bool):
        on = request["enableLogFileValidation"]
    else:
        return None
    identity = record.user_identity if isinstance(record.user_identity, dict) else {}
    named = str(request.get("name") or "")
    account = record.recipient_account_id or str(identity.get("accountId") or "")
    return TrailCall(
        time,
        record.event_name,
        account,
        record.aws_region,
        named.rpartition("/")[2][:_NAME],  # by ARN or by name
        on,
        str(identity.get("arn") or identity.get("invokedBy") or "")[:_NAME],
        log,
    )
