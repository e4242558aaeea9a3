"""What a file turns out to be: compressed, zip, tar or plain; told by its first bytes, never by its name.

Each member of an archive is an object of its own, `logs.zip!2020/a.json`. Nothing is ever extracted to
a path, so a member's name is only a label. An object whose bytes break off ends early and says so in
`damage`: what could be read is read.
"""

from __future__ import annotations

import hashlib
import io
import os
import shutil
import tarfile
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from typing import IO, NamedTuple

from trailhound.limits import limits
from trailhound.sources.frames import FrameReader, frames_of
from trailhound.sources.inflate import Damage, Guarded, GzipReader, Reader, is_gzip
from trailhound.sources.items import Content, File, Unreadable, display

PIECE = 32 << 20  # the most text handed on at once: what AWS puts into one file fits into one piece
SMALL = 16 << 20  # up to here an object is held in memory rather than read twice

_UNSUPPORTED = {b"7z\xbc\xaf": "7-zip", b"Rar!": "rar"}


class _Bytes(NamedTuple):
    """Bytes as they lie, that can be opened again and again."""

    open: Callable[[], Reader]
    size: int
    sha256: str


class _Member(NamedTuple):
    name: str
    held: _Bytes


class Object:
    """One thing that holds records: a file or a member of an archive."""

    def __init__(self, name: str, held: _Bytes, open_text: Callable[[], Reader]) -> None:
        self.name = name
        self.sha256 = held.sha256  # of the bytes as they lie, compressed or not
        self.size = held.size
        self.damage: Damage | None = None  # known when the text has been read to its end
        self.consumed = 0  # how many of its bytes have been read
        self._open_text = open_text

    def text(self) -> Iterator[bytes]:
        """What it holds, inflated, in pieces; in one when it fits."""
        stream = self._open_text()
        try:
            while piece := stream.read(PIECE):
                self.consumed = getattr(stream, "consumed", self.consumed + len(piece))
                yield piece
            self.damage = getattr(stream, "damage", None)
        except OSError as error:
            self.damage = Damage("unreadable", f"the bytes cannot be read on: {error.strerror}")
        finally:
            stream.close()


def objects(item: File | Content) -> Iterator[Object | Unreadable]:
    """The objects of a file: itself, or the members of the archive it is."""
    try:
        held = _hold(lambda: _open(item), item.size)
    except OSError as error:
        yield Unreadable(item.name, "unreadable", f"the file cannot be read: {error.strerror}")
        return
    yield from _told_apart(item.name, held, held.open, limits().archive_depth)


def _open(item: File | Content) -> Reader:
    return io.BytesIO(item.data) if isinstance(item, Content) else open(os.fsdecode(item.path), "rb")


def _told_apart(name: str, held: _Bytes, open_text: Callable[[], Reader], depth: int) -> Iterator[Object | Unreadable]:
    """`open_text` opens what `held` inflates to; the same bytes until compression is met."""
    stream = open_text()
    head = stream.read(512)
    stream.close()
    members, frames = None, frames_of(head)
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        members = _zip_members(name, open_text)
    elif head[257:262] == b"ustar":
        members = _tar_members(name, open_text)
    elif kind := next((kind for magic, kind in _UNSUPPORTED.items() if head.startswith(magic)), None):
        yield Unreadable(name, "compression_unsupported", f"{kind}: decompress it first")
        return
    elif not is_gzip(head) and frames is None:
        yield Object(name, held, open_text)
        return
    if depth == 0:
        yield Unreadable(
            name, "archive_too_deep", f"more than {limits().archive_depth} archives or compressions within each other"
        )
    elif frames:
        yield from _told_apart(name, held, lambda: FrameReader(frames, open_text()), depth - 1)
    elif members is None:
        yield from _told_apart(name, held, lambda: GzipReader(open_text), depth - 1)
    else:
        for member in members:
            if isinstance(member, Unreadable):
                yield member
            else:
                yield from _told_apart(member.name, member.held, member.held.open, depth - 1)


def _zip_members(name: str, open_text: Callable[[], Reader]) -> Iterator[_Member | Unreadable]:
    stream = open_text()
    with tempfile.TemporaryFile(prefix="trailhound-") as spool:
        if not hasattr(stream, "seek"):  # an archive inside something else: its directory stands at its end
            while piece := stream.read(1 << 20):
                spool.write(piece)
        try:
            archive = zipfile.ZipFile(stream if hasattr(stream, "seek") else spool)  # type: ignore[arg-type]
        except (zipfile.BadZipFile, OSError, ValueError) as error:
            yield Unreadable(name, "archive_damaged", f"a zip archive whose directory cannot be read: {error}")
            return
        with archive:
            for info in archive.infolist():
                if not info.is_dir():
                    yield _zip_member(f"{name}!{display(info.filename)}", archive, info)
    stream.close()


def _zip_member(name: str, archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> _Member | Unreadable:
    if info.flag_bits & 1:
        return Unreadable(name, "encrypted", "encrypted with a password: decrypt it first")
    try:
        return _Member(name, _hold(lambda: Guarded(archive.open(info), info.compress_size), info.file_size))
    except (zipfile.BadZipFile, NotImplementedError, OSError, ValueError) as error:
        return Unreadable(name, "archive_damaged", f"a member that cannot be opened: {error}")


def _tar_members(name: str, open_text: Callable[[], Reader]) -> Iterator[_Member | Unreadable]:
    stream = open_text()
    try:
        with tarfile.open(fileobj=stream, mode="r|") as archive:  # type: ignore[call-overload]
            for info in archive:
                member = f"{name}!{display(info.name)}"
                content = archive.extractfile(info) if info.isreg() and not info.issparse() else None
                if content is not None:
                    with tempfile.NamedTemporaryFile(prefix="trailhound-") as spool:
                        yield _Member(member, _hold_once(content, info.size, spool))
                elif not info.isdir():
                    yield Unreadable(member, "special_file", "a link, a device or a sparse file, not a plain one")
        while stream.read(1 << 20):  # a fault of the compression may stand behind the last member
            pass
        if damage := getattr(stream, "damage", None):
            yield Unreadable(name, damage.reason, damage.detail)
    except (tarfile.TarError, OSError, EOFError, ValueError) as error:
        yield Unreadable(name, "archive_damaged", f"a tar archive that breaks off: {error}")
    finally:
        stream.close()


def _hold(open_bytes: Callable[[], Reader], size: int) -> _Bytes:
    """Small: read now, once. Large: hashed now, and opened again for its text."""
    stream = open_bytes()
    try:
        data = stream.read(SMALL + 1) if size <= SMALL else b""
        if size <= SMALL and len(data) <= SMALL and not getattr(stream, "damage", None):
            return _Bytes(lambda: io.BytesIO(data), len(data), hashlib.sha256(data).hexdigest())
        digest, length = hashlib.sha256(data), len(data)
        while piece := stream.read(1 << 20):
            digest.update(piece)
            length += len(piece)
        return _Bytes(open_bytes, length, digest.hexdigest())
    finally:
        stream.close()


def _hold_once(content: IO[bytes], size: int, spool: IO[bytes]) -> _Bytes:
    """A tar is read forwards only: what does not fit into memory waits in a temporary file."""
    if size <= SMALL:
        return _hold(lambda: content, size)
    shutil.copyfileobj(content, spool, 1 << 20)
    spool.flush()
    return _hold(lambda: open(spool.name, "rb"), size)
