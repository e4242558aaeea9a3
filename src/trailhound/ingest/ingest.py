"""From sources to the lake: the work is shared out over processes, and what they say is added up."""

from __future__ import annotations

import os
import queue
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from threading import Thread
from typing import IO

import msgspec

import trailhound
from trailhound import errors, settings
from trailhound.errors import TrailhoundError
from trailhound.ingest.loader import Loader, Written
from trailhound.ingest.report import IngestReport
from trailhound.ingest.worker import Done, Failed, Message, Wanted
from trailhound.lake.lake import Lake
from trailhound.limits import enforced
from trailhound.sources.aws import USUAL, Access
from trailhound.sources.groups import Groups
from trailhound.sources.items import Group
from trailhound.sources.layout import EVERYTHING, Selection
from trailhound.sources.sources import Sources

Progress = Callable[[int, int, int], None]
"""Called with bytes read, bytes in all as far as they are known, events seen."""

_ALONE = 8 << 20  # bytes below which other processes take longer to start than to help


def ingest(
    lake: Lake,
    sources: Sequence[str],
    *,
    repair: bool = False,
    follow_links: bool = False,
    access: Access = USUAL,
    selection: Selection = EVERYTHING,
    progress: Progress | None = None,
    remark: Callable[[str], None] = lambda _: None,
    processes: int | None = None,
) -> IngestReport:
    """Read `sources` (files, folders, globs, `-`, `s3://`, `sqs:`, `lookup-events:`, `logs:`) into the lake; every
    record found is accounted for. `remark` is called with what was left out on purpose.

    Raises InputError when a source names nothing or cannot be reached, RequestError for a selection that it cannot
    make, WorkspaceError when the lake cannot be written. What had been written until then, or until an interrupt, is
    whole; running it again completes it.
    """
    began = time.monotonic()
    total = IngestReport()
    opened = Sources(sources, access=access, selection=selection, follow_links=follow_links, remark=remark)
    with opened, enforced(settings.load(lake.root).limits):
        groups = Groups(opened, opened.local_size() if progress else 0)
        if progress:
            progress(0, groups.size, 0)

        def written(report: IngestReport, arrived: Sequence[str]) -> None:
            total.add(report)
            opened.arrived(arrived)
            if progress:
                progress(total.bytes, groups.size, total.seen)

        workers = processes or os.cpu_count() or 1
        if workers == 1 or groups.are_few(_ALONE):
            loader = Loader(lake, written, mend=repair)
            for group in groups:
                loader.load(group)
            loader.close()
        else:
            _share_out(lake, groups, workers, written, repair=repair)
    lake.compact()
    total.seconds = time.monotonic() - began
    return total


def _share_out(lake: Lake, groups: Iterator[Group], workers: int, written: Written, *, repair: bool) -> None:
    messages: queue.Queue[tuple[_Process, Message | None]] = queue.Queue()
    with ExitStack() as stack:
        running = {stack.enter_context(_Process(lake.root, messages, repair=repair)) for _ in range(workers)}
        while running:
            process, message = messages.get()
            match message:
                case Wanted():
                    process.give(next(groups, None))
                case Done(report, arrived):
                    written(report, arrived)
                case Failed():
                    raise _as_raised(message)
                case None:
                    running.discard(process)
                    process.check()


def _as_raised(failed: Failed) -> TrailhoundError:
    kind = getattr(errors, failed.kind, TrailhoundError)
    return kind(failed.what, where=failed.where, causes=failed.causes, next_step=failed.next_step)


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
        """Hand over a group, or say that there are no more."""
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
