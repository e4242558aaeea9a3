"""What records are wrapped in: one module per container.

A container is how a text is laid out. It has `sniff(head) -> bool`, which looks at the first bytes only,
and `records(text)`, which gives each value in the text: a record's own bytes exactly as delivered, or an
envelope that holds records in turn (`envelopes`); a Partial for a record put together from columns; a
Broken for what is neither. None of them raises, whatever the bytes.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from types import ModuleType

from trailhound.containers import (
    array,
    base64_lines,
    csv_table,
    lines,
    logs_export,
    objects,
    parquet,
    pasted,
    records,
    s3_notification,
    sns,
)
from trailhound.containers.envelopes import claim, opened
from trailhound.containers.found import Broken, Found, Partial, Text, excerpt

__all__ = ["CONTAINERS", "Broken", "Found", "Partial", "Text", "read"]

_HEAD = 256 << 10

# Most specific first.
CONTAINERS: tuple[ModuleType, ...] = (
    parquet,  # its magic bytes are no text
    s3_notification,  # before `records`: it has `Records` too
    records,  # before `lines`: a file of one line is both, and this is the fast way
    logs_export,  # before `objects`: a record begins in it
    csv_table,  # before `lines`: a cell with line ends may have objects at the margin
    array,  # before `lines`: an array laid out over lines may have whole objects on some of them
    lines,  # before `objects`: line ends tell where a broken record stops
    pasted,  # before `objects`: it begins with a bracket as well
    objects,  # one object by itself, or several
    base64_lines,
)


def read(pieces: Iterator[bytes]) -> tuple[str, Iterator[Found]]:
    """The name of the container, and what it holds in the order it stands there.

    `empty`, `unknown` and `pasted` are names for what holds one Broken, the text as a whole. A text that
    begins with an envelope bears the envelope's name.
    """
    text = Text(pieces)
    head = text.head[:_HEAD]
    if text.whole is not None and not head.strip():
        return "empty", iter((Broken(None, "empty", "there is nothing in it"),))
    for container in CONTAINERS:
        if container.sniff(head):
            values = container.records(text)
            first = next(values, None)
            return _name(container, first), _opened(values if first is None else chain((first,), values))
    return "unknown", iter((sns.plain(head) or _unknown(head),))


def _opened(values: Iterator[Found]) -> Iterator[Found]:
    for value in values:
        if not isinstance(value, bytes) or value.startswith(records.USUAL) or not value.startswith((b"{", b"[")):
            yield value
        else:
            yield from opened(value)


def _name(container: ModuleType, first: Found | None) -> str:
    if container is objects and isinstance(first, bytes) and (claimed := claim(first)):
        container = claimed[0]
    return container.__name__.rpartition(".")[2]


def _unknown(head: bytes) -> Broken:
    detail = "neither JSON nor a container of it"
    if b"\0" in head[:64]:
        detail = "binary"
    elif b"eventName" in head:
        detail = "no JSON, though it speaks of events; --repair may mend text copied out of a document or a chat"
    return Broken(None, "not_json", detail, excerpt(head))
