"""The command line, run as it is: in this process where that is the same, as a process of its own where it is not."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from trailhound.__main__ import main

SOURCE = Path(__file__).parents[2] / "src"


class Result(NamedTuple):
    status: int
    out: str
    err: str

    @property
    def lines(self) -> list[Any]:
        """JSON Lines on standard output."""
        return [json.loads(line) for line in self.out.splitlines()]

    @property
    def document(self) -> Any:
        (found,) = self.lines
        return found


Run = Callable[..., Result]


@pytest.fixture
def trailhound(capsys: pytest.CaptureFixture[str]) -> Run:
    def run(*arguments: str | Path) -> Result:
        capsys.readouterr()
        status = main([str(argument) for argument in arguments])
        printed = capsys.readouterr()
        return Result(status, printed.out, printed.err)

    return run


def process(*arguments: str | Path, **options: Any) -> subprocess.Popen[str]:
    """`trailhound` as a process of its own, with both streams on pipes."""
    environment = {**os.environ, "PYTHONPATH": str(SOURCE), **options.pop("env", {})}
    command = [sys.executable, "-m", "trailhound", *map(str, arguments)]
    streams: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options}
    return subprocess.Popen(command, text=True, env=environment, **streams)


@pytest.fixture(scope="session")
def logs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small history of the terminated instances, with what the organisation knows beside it."""
    folder = tmp_path_factory.mktemp("story") / "roboman1"
    assert main(["simulate", "roboman1", "-o", str(folder), "--events", "600", "--days", "40", "--quiet"]) == 0
    return folder


def ingested(logs: Path, workspace: Path) -> Path:
    workspace.mkdir()
    (workspace / "trailhound.toml").write_bytes((logs / "trailhound.toml").read_bytes())
    assert main(["ingest", str(logs / "AWSLogs"), "--workspace", str(workspace)]) == 0
    assert main(["detect", "--workspace", str(workspace)]) == 0
    return workspace


@pytest.fixture(scope="session")
def story(logs: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace in which the story is ingested and detected. For tests that only read."""
    return ingested(logs, tmp_path_factory.mktemp("workspace") / "story")


@pytest.fixture
def workspace(story: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The same, and where the command line looks for it."""
    monkeypatch.setenv("TRAILHOUND_WORKSPACE", str(story))
    return story
