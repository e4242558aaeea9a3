"""An object with a list of records under any name: `{"events": [{"eventVersion": ...}, ...], "next": ...}`."""

from __future__ import annotations

import re
from collections.abc import Iterator

import msgspec

from trailhound.containers.found import Found, reader

_LIST = rb'\[\s*\{\s*"(?:eventVersion|awsRegion)"\s*:'
_BEGINS = re.compile(_LIST)
_FIRST_MEMBER = re.compile(rb'\s*\{\s*"[^"\\]*"\s*:\s*' + _LIST)

_read, _read_list = reader(dict[str, msgspec.Raw]), reader(list[msgspec.Raw])


def sniff(value: bytes) -> bool:
    return _FIRST_MEMBER.match(value) is not None


def contents(value: bytes) -> Iterator[Found] | None:
    members = _read(value) or _read(value.decode("utf-8", "replace").encode())
    return None if members is None else _records(members)


def _records(members: dict[str, msgspec.Raw]) -> Iterator[Found]:
    for raw in map(bytes, members.values()):
        if _BEGINS.match(raw):
            yield from map(bytes, _read_list(raw) or ())
