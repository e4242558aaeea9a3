"""An array within an array, or as the text of a message: `[[{...}], [{...}]]`."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from trailhound.containers.found import Found, reader

_read = reader(list[msgspec.Raw])


def contents(value: bytes) -> Iterator[Found] | None:
    items = _read(value)
    return map(bytes, items) if items else None  # an empty one holds nothing that could be told
