"""Killed at any moment, or two at once: nothing is half-written, lost or doubled."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import msgspec
import pytest
from tests.ingest.logs import log_file, query, record

from trailhound.errors import TrailhoundError
from trailhound.ingest import batch
from trailhound.ingest.ingest import ingest
from trailhound.ingest.report import IngestReport
from trailhound.lake.lake import Lake

SRC = Path(__file__).parents[2] / "src"
SEEN, EVENTS = 10 * 242 + 1000, 10 * 200 + 1000 - 19  # in `logs`; one of those left out is in a file before
SMALL_BATCH = 250

RUN = f"""
    import sys
    from pathlib import Path
    import msgspec
    from trailhound.ingest import batch, ingest
    from trailhound.lake.lake import Lake
    batch.FULL_RECORDS = {SMALL_BATCH}
    ingest._ALONE = 0
    report = ingest.ingest(Lake.create(Path(sys.argv[1])), sys.argv[3:], processes=int(sys.argv[2]))
    sys.stdout.buffer.write(msgspec.json.encode(report))
"""


def start(root: Path, source: Path, processes: int = 1) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-c", textwrap.dedent(RUN), str(root), str(processes), str(source)]
    return subprocess.Popen(
        command, env=os.environ | {"PYTHONPATH": str(SRC)}, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )


def wait_for_commits(root: Path, commits: int) -> None:
    deadline = time.monotonic() + 30
    while len(list((root / "events" / "_delta_log").glob("*.json"))) < commits:
        assert time.monotonic() < deadline
        time.sleep(0.002)


@pytest.fixture
def logs(tmp_path: Path) -> Path:
    """A few days, with duplicates across files, rejects, and one file of several batches."""
    folder = tmp_path / "logs"
    for number in range(10):
        mine = [record(n) for n in range(number * 200, number * 200 + 240)]
        log_file(folder / f"2024/05/{number:02}.json.gz", [*mine, "17", '{"eventName":"NoTime"}'])
    log_file(folder / "large.json", [record(n) if n % 50 else "18" for n in range(2000, 3000)])
    return folder


def content(lake: Lake) -> dict[str, list[tuple[object, ...]]]:
    return {
        "events": query(lake, "SELECT * FROM events ORDER BY metadata.uid"),
        "ledger": query(lake, "SELECT * EXCLUDE ingested_at FROM ledger ORDER BY name"),
        "rejects": query(lake, "SELECT * FROM rejects ORDER BY ALL"),
    }


def test_killed_and_run_again_the_lake_is_as_if_undisturbed(
    logs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batch, "FULL_RECORDS", SMALL_BATCH)
    undisturbed = Lake.create(tmp_path / "undisturbed")
    report = ingest(undisturbed, [str(logs)], processes=1)
    assert (report.seen, report.events) == (SEEN, EVENTS)
    root = tmp_path / "killed"
    for commits in (1, 3, 7):
        process = start(root, logs)
        wait_for_commits(root, commits)
        process.kill()
        process.communicate()
    lake = Lake(root)
    partly = query(lake, "SELECT count(*) FROM events")[0][0]
    assert 0 < partly < report.events
    rest = ingest(lake, [str(logs)], processes=1)
    assert (rest.seen, rest.events) == (report.seen, report.events - partly)
    assert content(lake) == content(undisturbed)


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT], ids=["killed", "interrupted"])
def test_workers_end_with_their_parent(logs: Path, tmp_path: Path, how: signal.Signals) -> None:
    process = start(tmp_path / "lake", logs, processes=2)
    children: list[int] = []
    while len(children) < 2:
        children = [int(pid) for pid in Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()]
    process.send_signal(how)
    process.communicate()
    assert process.returncode in (-how, 1)
    deadline = time.monotonic() + 20
    while any(Path(f"/proc/{pid}/cmdline").exists() and Path(f"/proc/{pid}/cmdline").read_bytes() for pid in children):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    lake = Lake.create(tmp_path / "lake")
    ingest(lake, [str(logs)])
    assert query(lake, "SELECT count(*), count(DISTINCT metadata.uid) FROM events") == [(EVENTS, EVENTS)]


def test_two_ingests_at_once_add_every_row_once(logs: Path, tmp_path: Path) -> None:
    root = tmp_path / "lake"
    copy = tmp_path / "copy"
    copy.symlink_to(logs)
    started = [start(root, logs, 2), start(root, copy, 2), start(root, logs)]
    reports = []
    for process in started:
        out, err = process.communicate(timeout=60)
        assert process.returncode == 0, err.decode()
        reports.append(msgspec.json.decode(out, type=IngestReport))
    lake = Lake(root)
    rows = query(lake, "SELECT count(*), count(DISTINCT metadata.uid), max(len(flags)) FROM events")
    assert rows == [(EVENTS, EVENTS, 0)]
    assert sum(report.events for report in reports) == EVENTS
    assert all(report.seen == SEEN for report in reports)
    assert query(lake, "SELECT count(*), sum(records)::INT FROM ledger") == [(22, 2 * SEEN)]
    assert query(lake, "SELECT count(*), count(DISTINCT (source_uid, index)) FROM rejects") == [(80, 80)]


def test_a_worker_that_cannot_write_says_why(logs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("trailhound.ingest.ingest._ALONE", 0)
    lake = Lake.create(tmp_path / "lake")
    (lake.root / "events").write_text("in the way")
    with pytest.raises(TrailhoundError, match=r"workspace cannot be written|cannot be read"):
        ingest(lake, [str(logs)], processes=2)
