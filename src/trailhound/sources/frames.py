"""Zstandard, bzip2 and xz → bytes, frame after frame, with damage told apart from the end."""

from __future__ import annotations

import bz2
import lzma
import sys
from collections.abc import Callable
from functools import partial
from typing import NamedTuple, Protocol

from trailhound.sources.inflate import Damage, InflatingReader, Reader

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

_GIVEN = 256 << 10  # bytes at a time
_MEMORY = 256 << 20  # bytes that xz may ask for; a header can demand any number, zstd has a bound of its own


class _Decompressor(Protocol):
    @property
    def eof(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    @property
    def needs_input(self) -> bool: ...
    def decompress(self, data: bytes, max_length: int) -> bytes: ...


class Frames(NamedTuple):
    """A compressed format: its name, its first bytes, and what reads one frame of it."""

    name: str
    magic: bytes
    decompressor: Callable[[], _Decompressor]


_FORMATS = (
    Frames("zstd", b"\x28\xb5\x2f\xfd", zstd.ZstdDecompressor),
    Frames("bzip2", b"BZh", bz2.BZ2Decompressor),
    Frames("xz", b"\xfd7zXZ\x00", partial(lzma.LZMADecompressor, memlimit=_MEMORY)),
)


def frames_of(head: bytes) -> Frames | None:
    """The format of what begins so, when it is one of these."""
    return next((frames for frames in _FORMATS if head.startswith(frames.magic)), None)


class FrameReader(InflatingReader):
    """One of these formats, frame after frame."""

    taken_at_once = 64 << 10  # what a damaged stretch held is lost, so it is not long

    def __init__(self, frames: Frames, raw: Reader) -> None:
        super().__init__(raw)
        self._frames = frames
        self._frame = frames.decompressor()

    def _part(self, room: int) -> bytes:
        return self._inflate(min(room, _GIVEN))

    def _inflate(self, room: int) -> bytes:
        data = b""
        if self._frame.eof:
            data = self._next_frame()
        elif self._frame.needs_input:
            data = self._take()
            if not data:
                self._end(self._broken_off(self._frames.name))
        if self._ended:
            return b""
        try:
            return self._frame.decompress(data, room)
        except (zstd.ZstdError, lzma.LZMAError, OSError, EOFError, ValueError) as error:
            self._end(Damage(f"{self._frames.name}_damaged", f"the compressed data are damaged: {error}"))
            return b""

    def _next_frame(self) -> bytes:
        data = self._frame.unused_data.lstrip(b"\0")
        while len(data) < len(self._frames.magic) and (more := self._take()):
            data = (data + more).lstrip(b"\0")
        self._frame = self._frames.decompressor()
        if not data:
            self._end(getattr(self._raw, "damage", None))
        elif not data.startswith(self._frames.magic):
            detail = f"bytes that are not {self._frames.name} follow the end of the compressed data"
            self._end(Damage(f"{self._frames.name}_trailing_bytes", detail))
        return data
