"""`[{...}, {...}]`: records, or envelopes of records, in a JSON array."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from trailhound.containers import scan
from trailhound.containers.found import Found, Text, reader

_read = reader(list[msgspec.Raw])


def sniff(head: bytes) -> bool:
    return head.lstrip().startswith(b"[")


def records(text: Text) -> Iterator[Found]:
    found = [] if text.whole is None else [bytes(raw) for raw in _read(text.whole) or ()]
    if found and all(value.startswith((b"{", b"[")) for value in found):
        return iter(found)
    return scan.values(text.pieces())
