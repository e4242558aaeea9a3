"""How long detection and one whole investigation take on a lake of so many events, beside one scan of the lake.

    python bench/investigate.py --events 1000000

The story of the stolen password is laid into a quiet account of that size. The floor counts the events by actor,
call and outcome, in the same run.
"""

from __future__ import annotations

import argparse
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

sys.path.insert(0, str(Path(__file__).parents[1] / "src"))

from trailhound.engines.duckdb import DuckDB
from trailhound.lake.lake import Lake
from trailhound.workspace import Workspace

FLOOR = "SELECT count(*) FROM (SELECT principal_uid, api.operation, status_id, count(*) FROM events GROUP BY ALL)"
Given = TypeVar("Given")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--repeat", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="trailhound-bench-") as scratch:
        workspace = Workspace(Path(scratch) / "workspace")
        workspace.folder.mkdir()
        print(f"simulating and ingesting {options.events:,} events ...", flush=True)
        workspace.simulate("roboman1", Path(scratch) / "logs", events=options.events)
        (Path(scratch) / "logs" / "trailhound.toml").rename(workspace.folder / "trailhound.toml")
        ingested = workspace.ingest([Path(scratch) / "logs" / "AWSLogs"])
        measure(workspace, ingested.events, options.repeat)


def measure(workspace: Workspace, events: int, repeat: int) -> None:
    engine = DuckDB()
    Lake(workspace.folder).mount(engine)
    floor, _ = best(repeat, lambda: engine.query(FLOOR))
    detecting, found = best(repeat, workspace.detect)
    worst = found.findings[0]
    investigating, document = best(repeat, lambda: workspace.investigate(worst.uid))
    asking, _ = best(repeat, lambda: workspace.ask("ip_address.who_else", f"ip_address={worst.src_ips[0]}"))
    print(f"{events:,} events, {len(found.findings):,} findings, {len(document.answers)} questions")
    print(f"{'':14}{'seconds':>9}{'x floor':>9}")
    for name, seconds in (("floor", floor), ("detect", detecting), ("investigate", investigating), ("ask", asking)):
        print(f"{name:14}{seconds:9.2f}{seconds / floor:9.1f}")
    print(f"peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:,.0f} MiB")


def best(repeat: int, run: Callable[[], Given]) -> tuple[float, Given]:
    """Seconds of the quickest of `repeat` runs, and what it gave."""
    timed = []
    for _ in range(repeat):
        start = time.perf_counter()
        given = run()
        timed.append((time.perf_counter() - start, given))
    return min(timed, key=lambda run: run[0])


if __name__ == "__main__":
    main()
