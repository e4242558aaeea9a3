"""S3 event notifications: also `{"Records": [...]}`, but each entry only points to an object."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import unquote_plus

import msgspec

from trailhound.containers import records as log_file
from trailhound.containers.found import Broken, Found, Text, excerpt, reader

KEYS = ("Records",)

_SHOWN = 300  # characters of an object's address
_ENTRY = 4 << 10  # bytes within which the first entry has told what it is


class _Named(msgspec.Struct, frozen=True):
    name: str = ""
    key: str = ""


class _Place(msgspec.Struct, frozen=True):
    bucket: _Named = _Named()
    object: _Named = _Named()


class _Entry(msgspec.Struct):
    eventSource: str  # noqa: N815 - the name in the file
    s3: msgspec.Raw


_read_entry, _read_place = reader(_Entry), reader(_Place)


def sniff(head: bytes) -> bool:
    begin = head[:_ENTRY]
    return log_file.sniff(begin) and b'"aws:s3"' in begin and b'"s3"' in begin


def records(text: Text) -> Iterator[Found]:
    for found in log_file.records(text):
        yield (isinstance(found, bytes) and _notice(found)) or found


def contents(value: bytes) -> Iterator[Found] | None:
    return records(Text.of(value)) if sniff(value) else None


def pointer(bucket: str, key: str, data: bytes) -> Broken:
    """A reject that says where the records are."""
    address = f"s3://{bucket}/{key}"[:_SHOWN]
    detail = f"a notice of a write to S3, not an event: ingest what it points to, {address}"
    return Broken(None, "s3_notification", detail, excerpt(data))


def _notice(entry: bytes) -> Broken | None:
    """What an entry points to; None when it is no notice of S3."""
    found = _read_entry(entry)
    if found is None or found.eventSource != "aws:s3":
        return None
    place = _read_place(found.s3) or _Place()
    return pointer(place.bucket.name, unquote_plus(place.object.key), entry)
