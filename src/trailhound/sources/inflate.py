"""Compressed bytes → bytes, with damage told apart from the end.

ISA-L inflates about as fast as libdeflate once freed memory is kept by the process, and, unlike it,
knows where one gzip member ends and the next begins.
"""

from __future__ import annotations

import zipfile
import zlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from typing import NamedTuple, Protocol

from isal import igzip_lib

from trailhound.limits import limits

_MAGIC = b"\x1f\x8b"


class Reader(Protocol):
    def read(self, n: int, /) -> bytes: ...
    def close(self) -> None: ...


class Damage(NamedTuple):
    """Why a stream ended before its end."""

    reason: str
    detail: str


def is_gzip(head: bytes) -> bool:
    return head.startswith(_MAGIC)


class InflatingReader(ABC):
    """The text of a compressed stream. Never raises over its bytes: ends early, and `damage` says why."""

    taken_at_once: int  # compressed bytes

    def __init__(self, raw: Reader) -> None:
        self._raw = raw
        self._ended = False
        self.damage: Damage | None = None
        self.consumed = 0  # compressed bytes taken
        self.produced = 0

    def read(self, n: int, /) -> bytes:
        """`n` bytes; fewer at the end, a few more where the data are damaged."""
        parts: list[bytes] = []
        room = n
        while room > 0 and not self._ended:
            part = self._part(room)
            self.produced += len(part)
            room -= len(part)
            parts.append(part)
            if is_bomb(self.produced, self.consumed):
                detail = f"{self.consumed} compressed bytes grew to more than {self.produced}"
                self._end(Damage("compression_bomb", detail))
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def close(self) -> None:
        self._raw.close()

    @abstractmethod
    def _part(self, room: int) -> bytes:
        """The next bytes of the text, about `room` at most; none need come of one call."""

    def _take(self) -> bytes:
        data = self._raw.read(self.taken_at_once)
        self.consumed += len(data)
        return data

    def _end(self, damage: Damage | None) -> None:
        self._ended = True
        self.damage = damage

    def _broken_off(self, name: str) -> Damage:
        """What is below may be compressed as well, and know more."""
        detail = f"the compressed data break off after {self.consumed} bytes"
        return getattr(self._raw, "damage", None) or Damage(f"{name}_truncated", detail)


class GzipReader(InflatingReader):
    """Gzip, member after member."""

    taken_at_once = 256 << 10

    def __init__(self, open_raw: Callable[[], Reader]) -> None:
        super().__init__(open_raw())
        self._open_raw = open_raw
        self._member = igzip_lib.IgzipDecompressor(igzip_lib.DECOMP_GZIP)
        self._salvage: Iterator[bytes] | None = None

    def _part(self, room: int) -> bytes:
        return self._inflate(room) if self._salvage is None else self._salvaged()

    def _inflate(self, room: int) -> bytes:
        data = b""
        if self._member.eof:
            data = self._next_member()
            if self._ended:
                return b""
        elif self._member.needs_input:
            data = self._take()
            if not data:
                self._end(self._broken_off("gzip"))
                return b""
        try:
            return self._member.decompress(data, room)
        except igzip_lib.IsalError:  # type: ignore[misc] - the stub calls it a variable
            self._salvage = _inflate_slowly(self._open_raw, skip=self.produced)
            self.damage = Damage("gzip_damaged", "the compressed data are damaged: their checksum or coding is wrong")
            return b""

    def _salvaged(self) -> bytes:
        part = next(self._salvage or iter(()), None)
        self._ended = part is None
        return part or b""

    def _next_member(self) -> bytes:
        data = (self._member.unused_data or self._take()).lstrip(b"\0")
        while not data and (more := self._take()):
            data = more.lstrip(b"\0")  # padding, as tapes and block devices add
        if len(data) == 1:
            data += self._take()
        if not data:
            self._end(getattr(self._raw, "damage", None))
        elif not is_gzip(data):
            detail = "bytes that are not gzip follow the end of the compressed data"
            self._end(Damage("gzip_trailing_bytes", detail))
        self._member = igzip_lib.IgzipDecompressor(igzip_lib.DECOMP_GZIP)
        return data


def _inflate_slowly(open_raw: Callable[[], Reader], *, skip: int) -> Iterator[bytes]:
    """Again from the start in small steps, because a failing call keeps what it had inflated so far."""
    raw = open_raw()
    member = zlib.decompressobj(zlib.MAX_WBITS | 16)
    try:
        while data := raw.read(512):
            while data:
                text = member.decompress(data)
                data = member.unused_data
                if member.eof:
                    member = zlib.decompressobj(zlib.MAX_WBITS | 16)
                if len(text) > skip:
                    yield text[skip:]
                skip = max(skip - len(text), 0)
    except zlib.error:
        return
    finally:
        raw.close()


class Guarded:
    """A member of a zip archive: its faults become `damage`, and it may not grow without bounds."""

    def __init__(self, raw: Reader, compressed_size: int) -> None:
        self._raw = raw
        self._compressed_size = compressed_size
        self._produced = 0
        self.damage: Damage | None = None

    def read(self, n: int, /) -> bytes:
        if self.damage:
            return b""
        try:
            data = self._raw.read(n)
        except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError) as error:
            self.damage = Damage("archive_damaged", f"the compressed data are damaged: {error}")
            return b""
        self._produced += len(data)
        if is_bomb(self._produced, self._compressed_size):
            detail = f"{self._compressed_size} compressed bytes grew to more than {self._produced}"
            self.damage = Damage("compression_bomb", detail)
        return data

    def close(self) -> None:
        self._raw.close()


def is_bomb(produced: int, consumed: int) -> bool:
    return produced > limits().inflated_bytes and produced > limits().inflation * consumed
