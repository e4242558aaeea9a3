"""Lines of base64 of gzip: the `data` of Kinesis records or of Lambda's `awslogs`, saved by themselves."""

from __future__ import annotations

from collections.abc import Iterator

from trailhound.containers.envelopes import unwrapped
from trailhound.containers.found import Broken, Found, Text
from trailhound.containers.lines import split

_GZIP = b"H4sI"  # base64 of the first bytes of gzip


def sniff(head: bytes) -> bool:
    return head.lstrip().startswith(_GZIP)


def records(text: Text) -> Iterator[Found]:
    for _, line in split(text.pieces()):
        if isinstance(line, Broken):
            yield line
        elif line.strip():
            yield from unwrapped(line)
