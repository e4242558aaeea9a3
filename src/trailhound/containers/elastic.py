"""Elasticsearch and OpenSearch: a document's `_source`, a whole answer (`hits.hits[]`), or `event.original`."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from trailhound.containers.found import Broken, Found, excerpt, reader

KEYS = ("hits", "_source", "event", "event.original", "aws")


class _Hits(msgspec.Struct):
    hits: list[msgspec.Raw]


class _Answer(msgspec.Struct):
    hits: _Hits


class _Document(msgspec.Struct):
    source: msgspec.Raw = msgspec.field(name="_source")


class _Original(msgspec.Struct):
    original: str


class _Event(msgspec.Struct):
    event: _Original


class _FlatEvent(msgspec.Struct):
    original: str = msgspec.field(name="event.original")


class _Modules(msgspec.Struct):
    cloudtrail: msgspec.Raw


class _Mapped(msgspec.Struct):
    """A record taken apart by Elastic's own integration, its original thrown away."""

    aws: _Modules


_read_answer, _read_document = reader(_Answer), reader(_Document)
_read_event, _read_flat, _read_mapped = reader(_Event), reader(_FlatEvent), reader(_Mapped)


def contents(value: bytes) -> Iterator[Found] | None:
    if answer := _read_answer(value):
        return map(bytes, answer.hits.hits)
    if document := _read_document(value):
        return iter((bytes(document.source),))
    if event := _read_event(value):
        return iter((event.event.original.encode(),))
    if flat := _read_flat(value):
        return iter((flat.original.encode(),))
    if _read_mapped(value):
        detail = "a document of Elastic without event.original: export it from where the original is preserved"
        return iter((Broken(None, "no_original", detail, excerpt(value)),))
    return None
