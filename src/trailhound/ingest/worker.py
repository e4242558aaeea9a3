"""One of the processes of an ingest: `python -m trailhound.ingest.worker LAKE mend|plain`.

It asks for files on standard output, gets them on standard input, one JSON document a line, and says
after each batch what it came to. A process of its own rather than one of `multiprocessing`, which would
run the caller's main script a second time.
"""

from __future__ import annotations

import signal
import sys
from pathlib import Path

import msgspec

from trailhound.errors import TrailhoundError
from trailhound.ingest.loader import Loader
from trailhound.ingest.report import IngestReport
from trailhound.lake.lake import Lake
from trailhound.sources.path import File, Unreadable


class Wanted(msgspec.Struct, tag=True):
    """The process is ready for more."""


class Done(msgspec.Struct, tag=True):
    """A batch has been written."""

    report: IngestReport


class Failed(msgspec.Struct, tag=True):
    """The process gives up; the fields of the TrailhoundError."""

    what: str
    where: str
    causes: tuple[str, ...]
    next_step: str


Message = Wanted | Done | Failed
Group = list[File | Unreadable]


def main(root: str, mode: str) -> int:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal interrupts the whole group: our parent decides

    def say(message: Message) -> None:
        sys.stdout.buffer.write(msgspec.json.encode(message) + b"\n")
        sys.stdout.buffer.flush()

    try:
        loader = Loader(Lake(Path(root)), lambda report: say(Done(report)), mend=mode == "mend")
        say(Wanted())
        for line in sys.stdin.buffer:
            for item in msgspec.json.decode(line, type=Group):
                loader.load(item)
            loader.end_of_folder()
            say(Wanted())
        loader.close()
    except TrailhoundError as error:
        say(Failed(error.what, error.where, error.causes, error.next_step))
        return 1
    except BrokenPipeError:
        return 1  # the parent is gone; what has been written is whole
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
