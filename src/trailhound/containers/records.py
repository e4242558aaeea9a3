"""`{"Records": [...]}`: a log file as CloudTrail delivers it, and as the console's event history gives it.

What Lambda is called with by SQS, SNS and Kinesis is laid out alike: an entry that does not begin as a
record does is looked into.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import msgspec

from trailhound.containers import scan
from trailhound.containers.found import NOT_JSON, Found, Text, reader

KEYS = ("Records",)
USUAL = b'{"eventVersion":'

_BEGINS = re.compile(rb'\s*\{\s*"Records"\s*:\s*\[')
_SLACK = 0.05  # blanks and commas between records; more means that the file holds something else too


class _File(msgspec.Struct):
    Records: list[msgspec.Raw]


_members = reader(dict[str, msgspec.Raw])
_decode = msgspec.json.Decoder(_File).decode


def sniff(head: bytes) -> bool:
    return _BEGINS.match(head) is not None


def records(text: Text) -> Iterator[Found]:
    if text.whole is not None:
        found = _entries(text.whole)  # None when it is damaged: what is whole in it is found by the scanner
        if found is not None and (_fills(found, text.whole) or _is_all(text.whole)):
            return iter(found)
    return scan.values(text.pieces())


def contents(value: bytes) -> Iterator[Found] | None:
    found = _entries(value)
    return None if found is None else iter(found)


def _fills(found: list[bytes], text: bytes) -> bool:
    return sum(map(len, found)) >= len(text) * (1 - _SLACK) - 100


def _is_all(text: bytes) -> bool:
    """No second `Records`, which would silently replace the first, and no other member with events in it."""
    others = (raw for name, raw in (_members(text) or {}).items() if name != "Records")
    return text.count(b'"Records"') == 1 and not any(b'"eventName"' in bytes(raw) for raw in others)


def _entries(data: bytes) -> list[bytes] | None:
    try:
        return [bytes(raw) for raw in _decode(data).Records]
    except NOT_JSON:
        return None
