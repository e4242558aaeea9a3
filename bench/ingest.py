"""How fast ingest is, beside the floor: inflating and validating the same files, in as many processes, in the same run.

    python bench/ingest.py --events 1000000

Figures drift with the machine and with what else runs on it; the ratio to the floor does not.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import resource
import shutil
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import msgspec
from isal import igzip_lib

sys.path.insert(0, str(Path(__file__).parents[1] / "src"))

from trailhound.ingest.ingest import ingest
from trailhound.ingest.report import IngestReport
from trailhound.lake.lake import Lake
from trailhound.simulation import simulate

MIB = 1 << 20


class _File(msgspec.Struct):
    Records: list[msgspec.Raw]


class Run(NamedTuple):
    seconds: float  # on the wall
    cpu: float  # seconds, of all processes
    peak: float  # MiB, of all processes together, shared pages counted once
    result: object


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--input", type=Path, help="a folder of .json.gz files, instead of simulated ones")
    parser.add_argument("--keep", type=Path, help="folder to put simulated logs into, or to find them in")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="trailhound-bench-") as scratch:
        logs = options.input or options.keep or Path(scratch) / "logs"
        if not logs.exists():
            print(f"simulating {options.events:,} events ...", flush=True)
            simulate("quiet", logs, events=options.events)
        bench(logs, Path(scratch) / "lake", options.processes)


def bench(logs: Path, root: Path, processes: int) -> None:
    files = sorted(logs.rglob("*.gz"))
    compressed = sum(path.stat().st_size for path in files)
    floor = measure(lambda: floor_of(files, processes))
    assert isinstance(floor.result, tuple)
    events, text = floor.result
    lake = Lake.create(root)
    first = measure(lambda: ingest(lake, [str(logs / "AWSLogs")], processes=processes))
    again = measure(lambda: ingest(lake, [str(logs / "AWSLogs")], processes=processes))
    copied = root.with_name("copy")
    shutil.copytree(logs / "AWSLogs", copied)
    copies = measure(lambda: ingest(lake, [str(copied)], processes=processes))

    print(
        f"{events:,} events in {len(files):,} files, {text / MIB:,.0f} MiB of JSON, {compressed / MIB:,.0f} MiB as gzip"
    )
    print(
        f"{'':24}{'seconds':>9}{'events/s':>11}{'MB/s':>8}{'CPU us/event':>14}{'peak MiB':>10}{'x floor':>9}{'x CPU':>7}"
    )
    for name, run in (("floor", floor), ("ingest", first), ("the same again", again), ("under other names", copies)):
        print(
            f"{name:24}{run.seconds:9.2f}{events / run.seconds:11,.0f}{text / run.seconds / 1e6:8,.0f}"
            f"{run.cpu / events * 1e6:14.2f}{run.peak:10,.0f}{run.seconds / floor.seconds:9.1f}{run.cpu / floor.cpu:7.1f}"
        )
    size = lake.sizes()["events"]
    print(f"lake: {size.rows:,} rows in {size.files} files, {size.bytes / size.rows:.0f} bytes an event")
    for name, run in (("ingest", first), ("the same again", again), ("under other names", copies)):
        report = run.result
        assert isinstance(report, IngestReport)
        print(
            f"{name}: {report.seen:,} seen = {report.events:,} events + {report.duplicates:,} duplicates + {report.rejected:,} rejected"
        )


def floor_of(files: list[Path], processes: int) -> tuple[int, int]:
    """Events and bytes of JSON: the least that anything reading these files must do."""
    with multiprocessing.get_context("spawn").Pool(processes) as pool:
        parts = pool.map(_inflate_and_validate, [str(path) for path in files], chunksize=max(1, len(files) // 64))
    return sum(events for events, _ in parts), sum(text for _, text in parts)


def _inflate_and_validate(path: str) -> tuple[int, int]:
    text = igzip_lib.decompress(Path(path).read_bytes(), igzip_lib.DECOMP_GZIP)
    return len(msgspec.json.decode(text, type=_File).Records), len(text)


def measure(work: Callable[[], object]) -> Run:
    peak, done = 0.0, threading.Event()

    def watch() -> None:
        nonlocal peak
        while not done.wait(0.05):
            peak = max(peak, sum(map(_memory, _family(os.getpid()))))

    watcher = threading.Thread(target=watch)
    watcher.start()
    began, cpu = time.monotonic(), _cpu()
    result = work()
    seconds = time.monotonic() - began
    cpu = _cpu() - cpu
    done.set()
    watcher.join()
    return Run(seconds, cpu, peak / MIB, result)


def _cpu() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in used)


def _family(pid: int) -> list[int]:
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return [pid]
    return [pid, *(member for child in children for member in _family(int(child)))]


def _memory(pid: int) -> int:
    """Bytes; pages shared by several processes counted in parts."""
    try:
        rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
    except OSError:
        return 0
    return sum(int(line.split()[1]) * 1024 for line in rollup.splitlines() if line.startswith("Pss:"))


if __name__ == "__main__":
    main()
