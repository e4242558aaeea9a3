"""What a container gives, and what it is given."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from typing import NamedTuple

import msgspec

EXCERPT = 200
# What msgspec raises over bytes that are not the JSON it was asked for.
NOT_JSON = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)


class Broken(NamedTuple):
    """A stretch of text that is not a record of CloudTrail, and why."""

    position: int | None  # byte of the text it starts at; None where only its place in the order is known
    reason: str
    detail: str
    excerpt: str = ""


Found = bytes | Broken
"""A record's own bytes, exactly as delivered, or what stands where one was looked for."""


class Text:
    """The bytes of one object, in pieces; mostly in one, and then it can be decoded whole."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self.head = next(pieces, b"").removeprefix(b"\xef\xbb\xbf")
        second = next(pieces, None)
        self.whole = self.head if second is None else None
        self._pieces = chain((self.head,), () if second is None else (second,), pieces)

    @classmethod
    def of(cls, data: bytes) -> Text:
        return cls(iter((data,)))

    def pieces(self) -> Iterator[bytes]:
        """All of it, once."""
        return self._pieces


def excerpt(data: bytes) -> str:
    """The beginning of `data`, for people; written by whoever wrote the log."""
    return data[: 4 * EXCERPT].decode("utf-8", "replace")[:EXCERPT]
