"""`[{...}, {...}]`: records, or envelopes of records, in a JSON array."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from trailhound.containers import scan
from trailhound.containers.envelopes import opened
from trailhound.containers.found import NOT_JSON, Broken, Found, Text

_decode = msgspec.json.Decoder(list[msgspec.Raw]).decode


def sniff(head: bytes) -> bool:
    return head.lstrip().startswith(b"[")


def records(text: Text) -> Iterator[Found]:
    for value in _elements(text):
        if isinstance(value, Broken):
            yield value
        else:
            yield from opened(value)


def _elements(text: Text) -> Iterator[Found]:
    if text.whole is not None:
        try:
            found = [bytes(raw) for raw in _decode(text.whole)]
        except NOT_JSON:
            found = []
        if found and all(value.startswith(b"{") for value in found):
            return iter(found)
    return scan.values(text.pieces())
