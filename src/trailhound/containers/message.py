"""Any object with the record as the text of its `message` or `Message`: a log shipper, one event of a log stream."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from trailhound.containers.found import Found, reader

KEYS = ("message", "Message")


class _Message(msgspec.Struct):
    message: str = ""
    Message: str = ""


_read = reader(_Message)


def contents(value: bytes) -> Iterator[Found] | None:
    """Only a message that looks like JSON: a record of a service may have a message of its own."""
    found = _read(value)
    text = (found.message or found.Message).strip() if found else ""
    return iter((text.encode(),)) if text.startswith(("{", "[")) else None
