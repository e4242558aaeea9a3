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

from trailhound.errors import InputError
from trailhound.sources.items import File, Unreadable, display

STANDARD_INPUT = "-"


class Paths:
    """What `sources` name, walked in a fixed order, as often as wanted.

    A source is a file, a folder (walked to the bottom; symbolic links inside are followed only when asked
    for), a glob (`**` crosses folders), or `-` for standard input. Raises InputError for one that names nothing.
    """

    def __init__(self, sources: Sequence[str], *, follow_links: bool = False) -> None:
        self._follow_links = follow_links
        self._spools = ExitStack()
        self._roots: list[tuple[str, str]] = []  # name, path
        for source in sources:
            self._roots += self._resolve(source)

    def __enter__(self) -> Paths:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._spools.close()

    def arrived(self, names: Sequence[str]) -> None:
        """Files stay where they are."""

    def size(self) -> int:
        """Bytes in all."""
        return sum(item.size for item in self if isinstance(item, File))

    def __iter__(self) -> Iterator[File | Unreadable]:
        walked: set[tuple[int, int]] | None = set() if self._follow_links else None
        for name, path in self._roots:
            if os.path.isdir(path):
                yield from _walk(path, walked)
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


def _walk(folder: str, walked: set[tuple[int, int]] | None) -> Iterator[File | Unreadable]:
    """Symbolic links are followed when there is a set for the folders that were walked: each is, once."""
    try:
        with os.scandir(folder) as entries:
            names = sorted(entry.name for entry in entries)
        status = os.stat(folder)
    except OSError as error:
        yield Unreadable(display(folder), "unreadable", f"the folder cannot be listed: {error.strerror}")
        return
    if walked is not None:
        if (status.st_dev, status.st_ino) in walked:
            return
        walked.add((status.st_dev, status.st_ino))
    for name in names:
        path = name if folder == os.curdir else os.path.join(folder, name)
        if os.path.isdir(path) and (walked is not None or not os.path.islink(path)):
            yield from _walk(path, walked)
        else:
            yield _file(path, path, follow=walked is not None)


def _file(name: str, path: str, *, follow: bool = True) -> File | Unreadable:
    name = display(name)
    try:
        status = os.stat(path, follow_symlinks=follow)
    except OSError as error:
        return Unreadable(name, "unreadable", f"the file cannot be opened: {error.strerror}")
    if stat.S_ISLNK(status.st_mode):
        return Unreadable(name, "symbolic_link", "a link inside a folder: name it to read it, or use --follow-links")
    if not stat.S_ISREG(status.st_mode):
        return Unreadable(name, "special_file", "a socket, pipe or device, not a file")
    return File(name, os.fsencode(path), status.st_size)
