"""Files, folders, globs and standard input: where the bytes lie.

Nothing is read here but directories. What the bytes are is found out by content, never by name.
"""

from __future__ import annotations

import glob
import os
import shutil
import stat
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import msgspec

from trailhound.errors import InputError

STANDARD_INPUT = "-"


class File(msgspec.Struct, frozen=True, tag=True):
    """A file as named to people, and as the operating system knows it (names need not be UTF-8)."""

    name: str
    path: bytes
    size: int


class Unreadable(msgspec.Struct, frozen=True, tag=True):
    """Something that was named or found, and cannot be read: a reject, not an error."""

    name: str
    reason: str
    detail: str


class Paths:
    """What `sources` name, walked in a fixed order, as often as wanted.

    A source is a file, a folder (walked to the bottom; symbolic links inside are not followed), a glob
    (`**` crosses folders), or `-` for standard input. Raises InputError for one that names nothing.
    """

    def __init__(self, sources: Sequence[str]) -> None:
        self._spools = ExitStack()
        self._roots: list[tuple[str, str]] = []  # name, path
        for source in sources:
            self._roots += self._resolve(source)

    def __enter__(self) -> Paths:
        return self

    def __exit__(self, *_: object) -> None:
        self._spools.close()

    def __iter__(self) -> Iterator[File | Unreadable]:
        for name, path in self._roots:
            if os.path.isdir(path):
                yield from _walk(path)
            else:
                yield _file(name, path)

    def _resolve(self, source: str) -> list[tuple[str, str]]:
        if source == STANDARD_INPUT:
            return [(source, self._spool(sys.stdin.buffer))]
        if os.path.exists(source):
            path = str(Path(source))
            if not (os.path.isdir(path) or os.path.isfile(path)):
                with open(path, "rb") as pipe:  # a named pipe or `<(command)`: like standard input
                    return [(path, self._spool(pipe))]
            return [(path, path)]
        matches = glob.glob(source, recursive=True) if glob.has_magic(source) else []
        found = sorted({str(Path(path)) for path in matches})
        if not found:
            raise InputError(
                "there is nothing of that name",
                where=source,
                causes=("a misspelt path", "a glob that matches nothing"),
                next_step="name a file, a folder, a glob in quotes, or - for standard input",
            )
        # A folder that matches is walked; with `**` its files match too, and must not be read twice.
        matched = set(found)
        return [(path, path) for path in found if not any(str(up) in matched for up in Path(path).parents)]

    def _spool(self, stream: Any) -> str:
        """A pipe can be read once, by one process: its bytes go to a file that ends with this object."""
        spool = self._spools.enter_context(tempfile.NamedTemporaryFile(prefix="trailhound-"))  # noqa: SIM115 - entered here
        shutil.copyfileobj(stream, spool, 1 << 20)
        spool.flush()
        return spool.name


def _walk(folder: str) -> Iterator[File | Unreadable]:
    try:
        with os.scandir(folder) as entries:
            names = sorted(entry.name for entry in entries)
    except OSError as error:
        yield Unreadable(display(folder), "unreadable", f"the folder cannot be listed: {error.strerror}")
        return
    for name in names:
        path = name if folder == os.curdir else os.path.join(folder, name)
        if os.path.isdir(path) and not os.path.islink(path):
            yield from _walk(path)
        else:
            yield _file(path, path, follow=False)


def _file(name: str, path: str, *, follow: bool = True) -> File | Unreadable:
    name = display(name)
    try:
        status = os.stat(path, follow_symlinks=follow)
    except OSError as error:
        return Unreadable(name, "unreadable", f"the file cannot be opened: {error.strerror}")
    if stat.S_ISLNK(status.st_mode):
        return Unreadable(name, "symbolic_link", "symbolic links inside a folder are not followed: name it to read it")
    if not stat.S_ISREG(status.st_mode):
        return Unreadable(name, "special_file", "a socket, pipe or device, not a file")
    return File(name, os.fsencode(path), status.st_size)


def display(path: str) -> str:
    """A name that can be printed and stored, whatever bytes it is made of."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")
