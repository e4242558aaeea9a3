"""What is over a limit of trailhound.toml is a counted reject, in every process; what is under it comes in."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.ingest.logs import log_file, query, record

from trailhound.errors import CatalogError
from trailhound.ingest.ingest import ingest
from trailhound.lake.lake import Lake

SRC = Path(__file__).parents[2] / "src"
LIMITS = """
[limits]
record_bytes = 4000
inflated_bytes = 100000
inflation = 50
archive_depth = 1
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "logs"
    log_file(folder / "a.json.gz", [record(1), record(2, note="x" * 5000), record(3)])
    (folder / "bomb.json.gz").write_bytes(
        gzip.compress(json.dumps({"Records": [record(4)]}).encode() + b" " * 1_000_000)
    )
    (folder / "deep.json.gz").write_bytes(gzip.compress(gzip.compress(json.dumps(record(5)).encode())))
    (folder / "lines.json").write_text(
        "\n".join(json.dumps(record(n, note="y" * (n % 2 * 5000))) for n in range(6, 10))
    )
    return folder


@pytest.mark.parametrize("processes", [1, 2])
def test_limits_hold_in_every_process(
    folder: Path, lake: Lake, processes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("trailhound.ingest.ingest._ALONE", 0)
    (lake.root / "trailhound.toml").write_text(LIMITS)
    report = ingest(lake, [str(folder)], processes=processes)
    assert report.reasons == {"record_too_large": 3, "compression_bomb": 1, "archive_too_deep": 1}
    assert report.seen == report.events + report.rejected
    taken = {row[0][-2:] for row in query(lake, "SELECT metadata.uid FROM events")}
    assert {"01", "03", "06", "08"} <= taken <= {"01", "03", "04", "06", "08"}


def test_without_limits_in_the_settings_all_of_it_comes_in(folder: Path, lake: Lake) -> None:
    report = ingest(lake, [str(folder)])
    assert (report.seen, report.events, report.rejected) == (9, 9, 0)


@pytest.mark.parametrize("wrong", ["record_bytes = 0", "inflation = -1", "archive_depth = 'deep'", "records = 3"])
def test_a_limit_that_is_none_is_an_error(folder: Path, lake: Lake, wrong: str) -> None:
    (lake.root / "trailhound.toml").write_text(f"[limits]\n{wrong}\n")
    with pytest.raises(CatalogError, match="settings are not understood"):
        ingest(lake, [str(folder)])


@pytest.mark.parametrize("depth", [100, 10_000, 200_000])
def test_nesting_of_any_depth_is_an_event_or_a_reject(tmp_path: Path, lake: Lake, depth: int) -> None:
    nested = json.dumps(record(1))[:-1] + ',"a":' + '{"b":[' * depth + "]}" * depth + "}"
    (tmp_path / "deep.json").write_text('{"Records":[' + nested + "," + json.dumps(record(2)) + "]}")
    (tmp_path / "open.json").write_text("[" * depth + json.dumps(record(3)))
    report = ingest(lake, [str(tmp_path / "deep.json"), str(tmp_path / "open.json")])
    assert report.seen == report.events + report.rejected
    uids = {row[0][-1] for row in query(lake, "SELECT metadata.uid FROM events")}
    assert "2" in uids


MEASURE = r"""
import re, sys
from pathlib import Path
from trailhound.ingest.ingest import ingest
from trailhound.lake.lake import Lake
report = ingest(Lake.create(Path(sys.argv[1])), sys.argv[2:], processes=1)
peak = re.search(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text())  # ru_maxrss would be our parent's, too
print(report.seen, report.rejected, int(peak[1]) >> 10)
"""


def test_a_record_without_end_takes_no_memory(tmp_path: Path) -> None:
    """A string of 128 MB in a record that never closes: what is held is the limit, not the string."""
    log_file(tmp_path / "a.json.gz", [record(1)])
    with gzip.open(tmp_path / "b.json.gz", "wb", compresslevel=1) as endless:
        endless.write(b'{"Records":[{"eventName":"')
        block = os.urandom(1 << 19).hex().encode()
        for _ in range(128):
            endless.write(block)
    command = [
        sys.executable,
        "-c",
        MEASURE,
        str(tmp_path / "lake"),
        str(tmp_path / "a.json.gz"),
        str(tmp_path / "b.json.gz"),
    ]
    environment = os.environ | {"PYTHONPATH": str(SRC)}
    out = subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout.split()
    seen, rejected, megabytes = map(int, out)
    assert (seen, rejected) == (2, 1)
    assert megabytes < 450
