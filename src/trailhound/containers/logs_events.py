"""CloudWatch Logs: subscription envelopes, FilterLogEvents and GetLogEvents, each with a record a `message`.

`{"messageType": "DATA_MESSAGE", "logEvents": [{"message": "<the record>"}]}`, `{"events": [{"message": ...}]}`,
and what Lambda is called with: `{"awslogs": {"data": "<base64 of gzip of the first>"}}`.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from trailhound.containers.found import Broken, Found, excerpt, reader

KEYS = ("messageType", "events", "awslogs")


class _Envelope(msgspec.Struct):
    messageType: str  # noqa: N815 - the name in the message
    logEvents: list[msgspec.Raw] = []  # noqa: N815


class _Page(msgspec.Struct):
    events: list[msgspec.Raw]


class _Data(msgspec.Struct):
    data: str


class _Call(msgspec.Struct):
    awslogs: _Data


_read_envelope, _read_page, _read_call = reader(_Envelope), reader(_Page), reader(_Call)


def contents(value: bytes) -> Iterator[Found] | None:
    if envelope := _read_envelope(value):
        if envelope.messageType == "DATA_MESSAGE":
            return map(bytes, envelope.logEvents)
        if envelope.messageType == "CONTROL_MESSAGE":
            detail = "CloudWatch Logs tests whether its messages arrive: no event"
            return iter((Broken(None, "control_message", detail, excerpt(value)),))
        return None
    if page := _read_page(value):
        return map(bytes, page.events)
    call = _read_call(value)
    return iter((call.awslogs.data.encode(),)) if call else None
