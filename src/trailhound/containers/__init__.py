"""What records are wrapped in: one module per container.

A container has `sniff(head) -> bool`, which looks at the first bytes only, and `records(text)`, which
gives each record's own bytes exactly as delivered, or Broken for what is not a record. None of them
raises, whatever the bytes.
"""

from __future__ import annotations

from collections.abc import Iterator

from trailhound.containers import array, lines, objects, pasted, records, s3_notification
from trailhound.containers.envelopes import ENVELOPES
from trailhound.containers.found import Broken, Found, Text, excerpt

__all__ = ["CONTAINERS", "Broken", "Found", "Text", "read"]

_HEAD = 256 << 10

# Most specific first.
CONTAINERS = (
    s3_notification,  # before `records`: it has `Records` too
    records,  # before `lines`: a file of one line is both, and this is the fast way
    array,  # before `lines`: an array laid out over lines may have whole objects on some of them
    lines,  # before `objects`: line ends tell where a broken record stops
    pasted,  # before `objects`: it begins with a bracket as well
    objects,  # one object by itself, or several
)


def read(pieces: Iterator[bytes]) -> tuple[str, Iterator[Found]]:
    """The name of the container, and what it holds in the order it stands there.

    `empty`, `unknown` and `pasted` are names for what holds one Broken, the text as a whole.
    """
    text = Text(pieces)
    head = text.head[:_HEAD]
    if text.whole is not None and not head.strip():
        return "empty", iter((Broken(None, "empty", "there is nothing in it"),))
    for container in CONTAINERS:
        if container.sniff(head):
            inner = ENVELOPES if container is objects else ()
            named = next((envelope for envelope in inner if envelope.sniff(head)), container)
            return named.__name__.rpartition(".")[2], container.records(text)
    return "unknown", iter((_unknown(head),))


def _unknown(head: bytes) -> Broken:
    detail = "neither JSON nor a container of it"
    if head.startswith((b"\xff\xfe", b"\xfe\xff")) or b"\0" in head[:64]:
        detail = "binary, or text in UTF-16: convert it to UTF-8"
    elif b"eventName" in head:
        detail = "no JSON, though it speaks of events; --repair may mend text copied out of a document or a chat"
    return Broken(None, "not_json", detail, excerpt(head))
