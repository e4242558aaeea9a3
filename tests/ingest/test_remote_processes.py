# ruff: noqa: F401, F811 - fixtures come by import
"""Several processes, long runs, kills: credentials reach the workers and stay out of sight; what was done stays done."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from tests.ingest.logs import query
from tests.ingest.test_remote_s3 import Run, key, log
from tests.sources.cloud import Asked, Cloud
from tests.sources.conftest import _cloud, cloud

from trailhound.lake.lake import Lake
from trailhound.sources.aws import Access, Aws
from trailhound.sources.items import Keys

SRC = Path(__file__).parents[2] / "src"
ONE = "111122223333"
ROLE = "arn:aws:iam::111122223333:role/reader"

INGEST = """
    import sys
    from pathlib import Path
    from trailhound.ingest import batch, ingest
    from trailhound.lake.lake import Lake
    from trailhound.sources import groups
    from trailhound.sources.aws import Access
    batch.FULL_OBJECTS, ingest._ALONE, groups._ITEMS = 10, 0, 10
    access = Access(role_arn=sys.argv[2] or None)
    print(ingest.ingest(Lake.create(Path(sys.argv[1])), ["s3://trail"], access=access, processes=int(sys.argv[3])).events)
"""


def start(root: Path, processes: int, role: str = "") -> subprocess.Popen[str]:
    command = [sys.executable, "-c", textwrap.dedent(INGEST), str(root), role, str(processes)]
    environment = os.environ | {"PYTHONPATH": str(SRC)}
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True, start_new_session=True)


@pytest.fixture
def trail(cloud: Cloud) -> Cloud:
    cloud.bucket("trail", {key(ONE, "us-east-1", n % 28 + 1, n): log(2 * n, 2 * n + 1) for n in range(100)})
    return cloud


def test_killed_it_goes_on_where_it_stopped(trail: Cloud, tmp_path: Path) -> None:
    running = start(tmp_path / "lake", 1)
    deadline = time.monotonic() + 30
    while len(list((tmp_path / "lake" / "ledger" / "_delta_log").glob("*.json"))) < 3:
        assert time.monotonic() < deadline
        time.sleep(0.002)
    running.kill()
    running.communicate()
    run = Run(Lake(tmp_path / "lake"))
    whole = {name.removeprefix("s3://trail/") for (name,) in query(run.lake, "SELECT name FROM ledger")}
    assert 0 < len(whole) < 100
    trail.asked.clear()
    report = run("s3://trail")
    assert not whole & set(trail.fetched())
    assert len(trail.fetched()) == 100 - len(whole)
    assert (report.seen, report.rejected) == (200, 0)
    assert query(run.lake, "SELECT count(*), count(DISTINCT metadata.uid) FROM events") == [(200, 200)]


def test_workers_use_the_role_and_nobody_sees_its_keys(trail: Cloud, tmp_path: Path) -> None:
    seen: set[str] = set()
    running = start(tmp_path / "lake", 2, ROLE)

    def look(asked: Asked) -> None:
        for process in Path("/proc").glob("[0-9]*"):
            try:
                if os.getsid(int(process.name)) == running.pid:
                    seen.update((process / "cmdline").read_text().split("\0"))
                    seen.update((process / "environ").read_text().split("\0"))
            except (OSError, ProcessLookupError):
                continue  # it has ended meanwhile

    trail.faults.append(look)
    out, _ = running.communicate(timeout=60)
    assert (running.returncode, out.strip()) == (0, "200")
    gets = [a.headers for a in trail.asked if a.method == "GET" and a.path.startswith("/trail/AWSLogs")]
    tokens = {h.get("x-amz-security-token") or h.get("X-Amz-Security-Token") for h in gets}
    assert len(gets) == 100
    (token,) = tokens
    assert token
    assert any("trailhound.ingest.worker" in text for text in seen)
    assert not [text for text in seen if token in text]


def test_keys_are_renewed_before_they_end(cloud: Cloud) -> None:
    ends = iter([11, 60, 60])  # minutes; what has fewer than fifteen left is renewed when it is asked for

    def assume(asked: Asked) -> tuple[int, dict[str, str], bytes] | None:
        if b"AssumeRole" not in asked.body:
            return None
        until = datetime.now(UTC) + timedelta(minutes=(minutes := next(ends)))
        credentials = {
            "AccessKeyId": f"ASIA{minutes}",
            "SecretAccessKey": "s",
            "SessionToken": "t",
            "Expiration": f"{until:%Y-%m-%dT%H:%M:%SZ}",
        }
        members = "".join(f"<{name}>{text}</{name}>" for name, text in credentials.items())
        text = f"<AssumeRoleResponse><AssumeRoleResult><Credentials>{members}</Credentials></AssumeRoleResult></AssumeRoleResponse>"
        return 200, {"Content-Type": "text/xml"}, text.encode()

    cloud.faults.append(assume)
    aws = Aws(Access(role_arn=ROLE))
    assert [aws.keys().access_key for _ in range(3)] == ["ASIA11", "ASIA60", "ASIA60"]


def test_keys_do_not_show_when_they_are_printed() -> None:
    assert "secret" not in f"{Keys('a', 'secret', 'secret')!r} {[Keys('a', 'secret', 'secret')]}"


def test_without_the_extra_it_says_which(tmp_path: Path) -> None:
    (tmp_path / "boto3.py").write_text("raise ModuleNotFoundError('no boto3', name='boto3')")
    command = [sys.executable, "-m", "trailhound", "ingest", "s3://trail", "--workspace", str(tmp_path / "lake")]
    environment = os.environ | {"PYTHONPATH": f"{tmp_path}{os.pathsep}{SRC}"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "reading from AWS needs the library boto3" in done.stderr
    assert "pip install 'trailhound[s3]'" in done.stderr


def test_on_the_command_line(trail: Cloud, tmp_path: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "trailhound",
        "ingest",
        "s3://trail",
        "--since",
        "2024-05-03",
        "--until",
        "2024-05-04",
    ]
    environment = os.environ | {"PYTHONPATH": str(SRC), "TRAILHOUND_WORKSPACE": str(tmp_path / "lake")}
    environment.pop("AWS_ENDPOINT_URL")
    command += ["--account", ONE, "--region", "us-east-1", "--endpoint-url", trail.url]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["files"] == len([n for n in range(100) if n % 28 + 1 in (3, 4, 5)])
    assert any("events come late" in remark for remark in report["remarks"])
