"""An object with a list of records under any name: `{"cloudtrail": [{"eventVersion": ...}, ...], "next": ...}`."""

from __future__ import annotations

import re
from collections.abc import Iterator

import msgspec

from trailhound.containers.found import Found, reader

_BEGINS = re.compile(rb'\s*\{\s*"[^"\\]*"\s*:\s*\[\s*\{')


class _Named(msgspec.Struct):
    eventName: str  # noqa: N815 - the name in the record


_read, _read_list, _read_named = reader(dict[str, msgspec.Raw]), reader(list[msgspec.Raw]), reader(_Named)


def contents(value: bytes) -> Iterator[Found] | None:
    if not (_BEGINS.match(value) and b'"eventName"' in value):
        return None
    # A name that a changed byte made invalid is no reason to lose the list.
    members = _read(value) or _read(value.decode("utf-8", "replace").encode()) or {}
    lists = [_read_list(raw) or () for raw in members.values()]
    held = [items for items in lists if any(map(_read_named, items))]
    return (bytes(item) for items in held for item in items) if held else None
