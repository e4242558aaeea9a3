"""An array within an array, or as the text of a message: `[[{...}], [{...}]]`."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from trailhound.containers.found import Found, reader

_read = reader(list[msgspec.Raw])


def contents(value: bytes) -> Iterator[Found] | None:
    items = _read(value)
    return None if items is None else map(bytes, items)
