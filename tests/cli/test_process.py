"""As a process among others: signals, pipes, terminals, time."""

from __future__ import annotations

import os
import pty
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tests.cli.conftest import SOURCE, Run, process

from trailhound.workspace import Workspace


def test_an_interrupt_leaves_nothing_half_written(logs: Path, tmp_path: Path, trailhound: Run) -> None:
    running = process("ingest", logs / "AWSLogs", "--workspace", tmp_path / "lake")
    deadline = time.monotonic() + 20
    while not (tmp_path / "lake" / "lake.json").exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    running.send_signal(signal.SIGINT)
    _, err = running.communicate(timeout=60)
    assert (running.returncode, err.strip()) == (130, "interrupted; nothing is half-written")
    again = trailhound("ingest", logs / "AWSLogs", "--workspace", tmp_path / "lake").document
    assert again["rejected"] == 0
    assert (
        trailhound("status", "--workspace", tmp_path / "lake").document["events"]
        == again["events"] + again["duplicates"]
    )


def test_whoever_stops_reading_is_not_complained_to(story: Path) -> None:
    running = process("search", "", "--limit", "5000", "--workspace", story)
    assert running.stdout
    assert running.stdout.readline()
    running.stdout.close()
    running.stdout = None
    _, err = running.communicate(timeout=60)
    assert (running.returncode, err) == (0, "")


def on_a_terminal(*arguments: str | Path, env: dict[str, str] | None = None) -> str:
    """What a person sees on both streams of a terminal 100 columns wide."""
    here, there = pty.openpty()
    running = process(
        *arguments, stdout=there, stderr=there, env={"COLUMNS": "100", "TERM": "xterm-256color", **(env or {})}
    )
    os.close(there)
    seen = b""
    while True:
        try:
            piece = os.read(here, 65536)
        except OSError:  # the other end is closed
            break
        if not piece:
            break
        seen += piece
    running.wait(timeout=60)
    os.close(here)
    return seen.decode()


def test_a_terminal_gets_tables_and_colour_unless_it_declines(story: Path) -> None:
    shown = on_a_terminal("findings", "--workspace", story)
    assert "level" in shown
    assert "\x1b[" in shown
    plain = on_a_terminal("findings", "--workspace", story, env={"NO_COLOR": "1"})
    assert not re.search(r"\x1b\[[0-9;]*3[0-9]m", plain)
    assert "level" in plain


def test_a_bar_shows_on_a_terminal_only(logs: Path, tmp_path: Path) -> None:
    assert "reading" in on_a_terminal("ingest", logs / "AWSLogs", "--workspace", tmp_path / "lake")
    running = process("ingest", logs / "AWSLogs", "--workspace", tmp_path / "lake")
    out, err = running.communicate(timeout=60)
    assert out.startswith("{")
    assert err == ""


def test_a_mistake_of_ours_is_said_in_four_lines(trailhound: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_: object) -> None:
        raise ZeroDivisionError("by \x1b[31mzero")

    monkeypatch.setattr(Workspace, "status", broken)
    result = trailhound("status")
    assert result.status == 2
    assert [line[:6].strip() for line in result.err.splitlines()] == ["what:", "where:", "why:", "next:"]
    assert "--debug" in result.err
    assert "\x1b" not in result.err
    assert "Traceback" in trailhound("status", "--debug").err


def test_the_manual_waits_for_nothing_heavy() -> None:
    script = "import sys; from trailhound.__main__ import main; main(['--help']); print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", script],
        check=True,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(SOURCE)},
    )
    loaded = set(done.stdout.splitlines()[-1].split())
    assert not loaded & {"duckdb", "deltalake", "sigma", "jinja2", "arro3.core", "sqlglot", "msgspec.json"}


def test_the_demonstration_from_end_to_end() -> None:
    running = process("demo", "--format", "table", env={"COLUMNS": "100"})
    out, err = running.communicate(timeout=300)
    assert running.returncode == 0, err
    assert "Roboman1" in out
    report = re.search(r"The report: (\S+)", err)
    assert report
    assert Path(report[1]).read_text("utf-8").lower().startswith("<!doctype html")
