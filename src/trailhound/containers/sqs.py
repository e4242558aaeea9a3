"""SQS: `{"Messages": [{"MessageId": ..., "Body": "..."}]}`, one message, or one as Lambda gets it (`body`)."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from trailhound.containers.found import Found, reader

KEYS = ("Messages", "Body", "body")


class _Page(msgspec.Struct):
    Messages: list[msgspec.Raw]


class _Message(msgspec.Struct):
    MessageId: str
    Body: str


class _LambdaMessage(msgspec.Struct):
    messageId: str  # noqa: N815 - the name in the message
    body: str


_read_page, _read_message, _read_lambda = reader(_Page), reader(_Message), reader(_LambdaMessage)


def contents(value: bytes) -> Iterator[Found] | None:
    if page := _read_page(value):
        return map(bytes, page.Messages)
    if message := _read_message(value):
        return iter((message.Body.encode(),))
    called_with = _read_lambda(value)
    return iter((called_with.body.encode(),)) if called_with else None
