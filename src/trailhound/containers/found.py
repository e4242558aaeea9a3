"""What a container gives, and what it is given."""

from __future__ import annotations

import codecs
from collections.abc import Callable, Iterator
from itertools import chain
from typing import NamedTuple, TypeVar

import msgspec

EXCERPT = 200
# What msgspec raises over bytes that are not the JSON it was asked for.
NOT_JSON = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)

_UTF8_MARK = b"\xef\xbb\xbf"
_UTF16_MARKS = {b"\xff\xfe": "utf-16-le", b"\xfe\xff": "utf-16-be"}
_LOOK_AT = 64  # bytes; every second one of UTF-16 that holds ASCII is zero

T = TypeVar("T")


class Broken(NamedTuple):
    """A stretch of text that is not a record of CloudTrail, and why."""

    position: int | None  # byte of the text it starts at; None where only its place in the order is known
    reason: str
    detail: str
    excerpt: str = ""


class Partial(NamedTuple):
    """A record that was put together here, from a wrapping that does not hold the record itself."""

    raw: bytes  # JSON in the shape of CloudTrail, with the fields the wrapping has
    flags: tuple[str, ...]  # "partial": fields are missing or were read out of text; "from_ocsf": mapped back


Found = bytes | Partial | Broken
"""A record's own bytes, exactly as delivered, or what stands where one was looked for."""


class Text:
    """The bytes of one object, in pieces; mostly in one, and then it can be decoded whole.

    UTF-16 becomes UTF-8, with and without a byte order mark; what is not valid in it becomes U+FFFD.
    """

    def __init__(self, pieces: Iterator[bytes]) -> None:
        first = next(pieces, b"")
        if encoding := _utf16(first):
            pieces = _transcoded(chain((first,), pieces), encoding)
            first = next(pieces, b"")
        self.head = first.removeprefix(_UTF8_MARK)
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


def reader(kind: type[T]) -> Callable[[bytes], T | None]:
    """JSON text → `kind`, or None when it is none: for wrappings that are only suspected."""
    decode = msgspec.json.Decoder(kind).decode

    def read(value: bytes) -> T | None:
        try:
            return decode(value)
        except NOT_JSON:
            return None

    return read


def _utf16(head: bytes) -> str | None:
    if encoding := _UTF16_MARKS.get(head[:2]):
        return encoding
    even, odd = head[:_LOOK_AT:2], head[1:_LOOK_AT:2]
    if len(odd) < 2:
        return None
    if not any(odd) and all(even):
        return "utf-16-le"
    return "utf-16-be" if not any(even) and all(odd) else None


def _transcoded(pieces: Iterator[bytes], encoding: str) -> Iterator[bytes]:
    decode = codecs.getincrementaldecoder(encoding)("replace").decode
    for piece in pieces:
        yield decode(piece).encode()
    yield decode(b"", True).encode()
