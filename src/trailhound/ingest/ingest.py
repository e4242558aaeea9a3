"""From files to the lake: the work is shared out over processes, and what they say is added up."""

from __future__ import annotations

import os
import queue
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from threading import Thread
from typing import IO

import msgspec

import trailhound
from trailhound.errors import TrailhoundError, WorkspaceError
from trailhound.ingest.loader import Loader
from trailhound.ingest.report import IngestReport
from trailhound.ingest.worker import Done, Failed, Group, Message, Wanted
from trailhound.lake.lake import Lake
from trailhound.sources.path import File, Paths, Unreadable

Progress = Callable[[int, int, int], None]
"""Called with bytes read, bytes in all, events seen."""

_GROUP_BYTES = 8 << 20  # what a process is given at once, of one folder
_GROUP_FILES = 256
_ALONE = 8 << 20  # bytes below which other processes take longer to start than to help


def ingest(
    lake: Lake,
    sources: Sequence[str],
    *,
    repair: bool = False,
    progress: Progress | None = None,
    processes: int | None = None,
) -> IngestReport:
    """Read `sources` (files, folders, globs, `-`) into the lake; every record found is accounted for.

    Raises InputError when a source names nothing, WorkspaceError when the lake cannot be written. What
    had been written until then, or until an interrupt, is whole; running it again completes it.
    """
    began = time.monotonic()
    total = IngestReport()
    with Paths(sources) as paths:
        size = sum(item.size for item in paths if isinstance(item, File))

        def add(report: IngestReport) -> None:
            total.add(report)
            if progress:
                progress(total.bytes, size, total.seen)

        workers = processes or os.cpu_count() or 1
        if workers == 1 or size < _ALONE:
            loader = Loader(lake, add, mend=repair)
            for group in _groups(paths):
                for item in group:
                    loader.load(item)
                loader.end_of_folder()
            loader.close()
        else:
            _share_out(lake, _groups(paths), workers, add, repair=repair)
    lake.compact()
    total.seconds = time.monotonic() - began
    return total


def _groups(items: Iterable[File | Unreadable]) -> Iterator[Group]:
    """Files in groups of bounded size, each from one folder."""
    group: Group = []
    folder, size = None, 0
    for item in items:
        here = os.path.dirname(item.path) if isinstance(item, File) else folder
        if group and (here != folder or size >= _GROUP_BYTES or len(group) >= _GROUP_FILES):
            yield group
            group, size = [], 0
        group.append(item)
        folder = here
        size += item.size if isinstance(item, File) else 0
    if group:
        yield group


def _share_out(
    lake: Lake, groups: Iterator[Group], workers: int, add: Callable[[IngestReport], None], *, repair: bool
) -> None:
    messages: queue.Queue[tuple[_Process, Message | None]] = queue.Queue()
    with ExitStack() as stack:
        running = {stack.enter_context(_Process(lake.root, messages, repair=repair)) for _ in range(workers)}
        while running:
            process, message = messages.get()
            match message:
                case Wanted():
                    process.give(next(groups, None))
                case Done(report):
                    add(report)
                case Failed(what, where, causes, next_step):
                    raise WorkspaceError(what, where=where, causes=causes, next_step=next_step)
                case None:
                    running.discard(process)
                    process.check()


class _Process:
    """A worker, seen from the parent; killed if it is left before it has ended."""

    def __init__(self, root: Path, messages: queue.Queue[tuple[_Process, Message | None]], *, repair: bool) -> None:
        package = Path(trailhound.__file__).parents[1]
        environment = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join(filter(None, (str(package), os.environ.get("PYTHONPATH")))),
            # Large buffers come and go with every file. Kept by the process they are warm; given back each
            # time, the pages of every one must be cleared anew, which costs as much as inflating them.
            "MALLOC_MMAP_THRESHOLD_": str(1 << 30),
            "MALLOC_TRIM_THRESHOLD_": str(1 << 30),
        }
        command = [sys.executable, "-m", "trailhound.ingest.worker", str(root), "mend" if repair else "plain"]
        self._process = subprocess.Popen(  # noqa: S603 - our own module
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment
        )
        assert self._process.stdin
        assert self._process.stdout
        self._stdin: IO[bytes] = self._process.stdin
        self._stdout: IO[bytes] = self._process.stdout
        self._reader = Thread(target=self._read, args=(messages,), daemon=True)
        self._reader.start()

    def __enter__(self) -> _Process:
        return self

    def __exit__(self, *_: object) -> None:
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        self._reader.join()
        self._stdout.close()
        with suppress(BrokenPipeError):
            self._stdin.close()

    def give(self, group: Group | None) -> None:
        """Hand over files, or say that there are no more."""
        with suppress(BrokenPipeError):  # when it has ended, its end is in the queue
            if group is None:
                self._stdin.close()
            else:
                self._stdin.write(msgspec.json.encode(group) + b"\n")
                self._stdin.flush()

    def check(self) -> None:
        if self._process.wait() != 0:
            raise TrailhoundError(
                f"a process of the ingest ended unexpectedly, with status {self._process.returncode}",
                causes=("it was killed from outside", "the machine ran out of memory"),
                next_step="run it again: what was written before is whole",
            )

    def _read(self, messages: queue.Queue[tuple[_Process, Message | None]]) -> None:
        for line in self._stdout:
            messages.put((self, msgspec.json.decode(line, type=Message)))
        messages.put((self, None))
