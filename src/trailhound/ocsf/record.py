"""One CloudTrail record as typed fields; the nested parts stay the JSON text they were.

The strict reading is quick and fits what AWS documents. A record that does not fit is read again
field by field: what can be read is kept, and a flag says so. Only what is no event is refused.
"""

from __future__ import annotations

import re
from functools import cache
from types import UnionType
from typing import Any, TypeVar, get_args, get_type_hints

import msgspec
from msgspec import Raw, field

ABSENT = Raw(b"")
S = TypeVar("S", bound=msgspec.Struct)


class NotAnEvent(Exception):  # noqa: N818 - an answer, not a fault
    """`reason` is the slug the ledger counts; `detail` is for people."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(reason, detail)
        self.reason = reason
        self.detail = detail


class CloudTrail(msgspec.Struct, gc=False):
    """The top level of a record, as far as there are columns for it."""

    event_version: str | None = field(name="eventVersion", default=None)
    event_time: str | None = field(name="eventTime", default=None)
    event_source: str | None = field(name="eventSource", default=None)
    event_name: str | None = field(name="eventName", default=None)
    aws_region: str | None = field(name="awsRegion", default=None)
    source_ip_address: str | None = field(name="sourceIPAddress", default=None)
    user_agent: str | None = field(name="userAgent", default=None)
    error_code: str | None = field(name="errorCode", default=None)
    error_message: str | None = field(name="errorMessage", default=None)
    request_id: str | None = field(name="requestID", default=None)
    event_id: str | None = field(name="eventID", default=None)
    event_type: str | None = field(name="eventType", default=None)
    event_category: str | None = field(name="eventCategory", default=None)
    api_version: str | None = field(name="apiVersion", default=None)
    read_only: bool | None = field(name="readOnly", default=None)
    recipient_account_id: str | None = field(name="recipientAccountId", default=None)
    shared_event_id: str | None = field(name="sharedEventID", default=None)
    vpc_endpoint_id: str | None = field(name="vpcEndpointId", default=None)
    user_identity: Raw = field(name="userIdentity", default=ABSENT)
    request_parameters: Raw = field(name="requestParameters", default=ABSENT)
    response_elements: Raw = field(name="responseElements", default=ABSENT)
    additional_event_data: Raw = field(name="additionalEventData", default=ABSENT)
    service_event_details: Raw = field(name="serviceEventDetails", default=ABSENT)
    resources: Raw = ABSENT
    shipper_time: str | None = field(name="@timestamp", default=None)  # log shippers may drop eventTime for it


class Additional(msgspec.Struct, gc=False):
    """What columns need of additionalEventData."""

    bytes_out: float | int | None = field(name="bytesTransferredOut", default=None)
    bytes_in: float | int | None = field(name="bytesTransferredIn", default=None)
    mfa_used: str | None = field(name="MFAUsed", default=None)
    user_name: str | None = field(name="UserName", default=None)


NOTHING_ADDED = Additional()

decode = msgspec.json.Decoder(CloudTrail).decode  # the strict reading; raises ValueError or RecursionError
_fields = msgspec.json.Decoder(dict[str, Raw]).decode
_string = msgspec.json.Decoder(str).decode
_additional = msgspec.json.Decoder(Additional).decode
# Escapes of a string, whole, so that a backslash pair never hides where the next one begins.
_ESCAPE = re.compile(
    r"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(u[dD][89a-fA-F][0-9a-fA-F]{2})|.)", re.DOTALL
)


def read_leniently(raw: bytes) -> tuple[CloudTrail, str, tuple[str, ...]]:
    """(the fields, the record's text, flags) of a record that `decode` refused.

    Flags: `mistyped` a field had another type than documented and was converted or left out;
    `invalid_utf8` bytes that are no UTF-8, `lone_surrogate` halves of a UTF-16 pair were replaced by
    U+FFFD, in the text too, for no JSON reader after this one would take them. Raises NotAnEvent.
    """
    flags = []
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        text = raw.decode("utf-8", "replace")
        flags.append("invalid_utf8")
    mended = _ESCAPE.sub(lambda found: "\\ufffd" if found[1] else found[0], text)
    if mended != text:
        flags.append("lone_surrogate")
    try:
        try:
            return decode(mended), mended, tuple(flags)
        except msgspec.ValidationError:
            parts = _fields(mended)
    except msgspec.ValidationError:
        raise NotAnEvent("not_an_object", "JSON, but not an object") from None
    except RecursionError:
        raise NotAnEvent("too_deep", "nested deeper than any record AWS writes") from None
    except msgspec.DecodeError as error:
        raise NotAnEvent("not_json", str(error)) from None
    return _from_parts(parts, CloudTrail), mended, (*flags, "mistyped")


def additional(raw: Raw) -> Additional:
    try:
        return _additional(raw)
    except (msgspec.DecodeError, RecursionError):
        return decode_leniently(raw, Additional)


def decode_leniently(raw: Raw, kind: type[S]) -> S:
    """`raw` as `kind`; what does not fit is left out. An empty `kind` when it is no object at all."""
    try:
        return msgspec.json.decode(raw, type=kind)
    except (msgspec.DecodeError, RecursionError):
        pass
    return _from_parts(members(raw), kind)


def _from_parts(parts: dict[str, Raw], kind: type[S]) -> S:
    return kind(**{name: _value(parts[key], hint) for name, key, hint in _layout(kind) if key in parts})


@cache
def _layout(kind: type[msgspec.Struct]) -> tuple[tuple[str, str, Any], ...]:
    """(attribute, JSON key, type without None) of each field."""
    hints = get_type_hints(kind)
    plain = {name: get_args(hint)[0] if isinstance(hint, UnionType) else hint for name, hint in hints.items()}
    names = zip(kind.__struct_fields__, kind.__struct_encode_fields__, strict=True)
    return tuple((name, key, plain[name]) for name, key in names)


def _value(raw: Raw, kind: Any) -> Any:
    if kind is Raw:
        return raw
    if kind is str:
        return scalar(raw)
    if kind is bool:
        return {"true": True, "false": False}.get((scalar(raw) or "").lower())
    if kind is float:
        return _number(scalar(raw) or "")
    return decode_leniently(raw, kind)


def _number(text: str) -> float | None:
    try:
        return int(text) if text.isdecimal() else float(text)
    except ValueError:
        return None


def members(text: str | Raw) -> dict[str, Raw]:
    """The members of a JSON object; none when it is no object."""
    try:
        return _fields(text)
    except (ValueError, RecursionError):
        return {}


def scalar(raw: Raw) -> str | None:
    """A JSON scalar as text: a string's content, a number's or a boolean's digits or letters. None for all else."""
    text = bytes(raw).decode().strip()
    if text[:1] == '"':
        return _string(raw)
    return None if text[:1] in ("", "{", "[") or text == "null" else text
