"""One of the processes of an ingest: `python -m trailhound.ingest.worker LAKE mend|plain`.

It asks for work on standard output, gets it on standard input, one JSON document a line, with the
credentials to fetch it if it lies in AWS, and says after each batch what it came to. A process of its
own rather than one of `multiprocessing`, which would run the caller's main script a second time.
"""

from __future__ import annotations

import signal
import sys
from pathlib import Path

import msgspec

from trailhound import settings
from trailhound.errors import TrailhoundError
from trailhound.ingest.loader import Loader
from trailhound.ingest.report import IngestReport
from trailhound.lake.lake import Lake
from trailhound.limits import enforced
from trailhound.sources.items import Group


class Wanted(msgspec.Struct, tag=True):
    """The process is ready for more."""


class Done(msgspec.Struct, tag=True):
    """A batch has been written, and with it the end of these inputs."""

    report: IngestReport
    arrived: list[str]


class Failed(msgspec.Struct, tag=True):
    """The process gives up; the fields of the TrailhoundError."""

    kind: str  # its class
    what: str
    where: str
    causes: tuple[str, ...]
    next_step: str


Message = Wanted | Done | Failed


def main(root: str, mode: str) -> int:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal interrupts the whole group: our parent decides

    def say(message: Message) -> None:
        sys.stdout.buffer.write(msgspec.json.encode(message) + b"\n")
        sys.stdout.buffer.flush()

    try:
        with enforced(settings.load(Path(root)).limits):
            loader = Loader(Lake(Path(root)), lambda *batch: say(Done(*batch)), mend=mode == "mend")
            say(Wanted())
            for line in sys.stdin.buffer:
                loader.load(msgspec.json.decode(line, type=Group))
                say(Wanted())
            loader.close()
    except TrailhoundError as error:
        say(Failed(type(error).__name__, error.what, error.where, error.causes, error.next_step))
        return 1
    except BrokenPipeError:
        return 1  # the parent is gone; what has been written is whole
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
