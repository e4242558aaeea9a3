"""One object by itself, or several with nothing between them, as Firehose writes them."""

from __future__ import annotations

from collections.abc import Iterator

from trailhound.containers import scan
from trailhound.containers.envelopes import opened
from trailhound.containers.found import Broken, Found, Text


def sniff(head: bytes) -> bool:
    return head.lstrip().startswith(b"{")


def records(text: Text) -> Iterator[Found]:
    for value in scan.values(text.pieces()):
        if isinstance(value, Broken):
            yield value
        else:
            yield from opened(value)
