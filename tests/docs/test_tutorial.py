"""The documentation's commands are run as they stand."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def _commands(page: str) -> list[str]:
    blocks = re.findall(r"```console\n(.*?)```", (ROOT / page).read_text("utf-8"), re.DOTALL)
    return [line[2:] for block in blocks for line in block.splitlines() if line.startswith("$ ")]


@pytest.fixture
def shell(tmp_path):
    """Runs a script in an empty folder, with `trailhound` being this source tree."""
    (tmp_path / "bin").mkdir()
    launcher = tmp_path / "bin" / "trailhound"
    launcher.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m trailhound "$@"\n')
    launcher.chmod(0o755)
    environment = {**os.environ, "PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT / "src")}

    def run(script: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["bash", "-euo", "pipefail", "-c", script],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )

    return run


# What the reader is told to copy from the list of findings.
_COPIED = "uid=$(trailhound findings --workspace case --format table | awk '$1 == \"critical\" {print $2}')"


def test_the_tutorial_runs_from_top_to_bottom(shell, tmp_path):
    script = "\n".join(_commands("docs/tutorial.md"))
    assert "\nuid=4f2ac81d\n" in script
    proof = "trailhound rules test"  # of all rules: tests/detections has it
    assert f"\n{proof}\n" in script
    one = ROOT / "src" / "trailhound" / "packs" / "rules" / "aws_ec2_production_mass_termination.yml"
    done = shell(script.replace("uid=4f2ac81d", _COPIED).replace(proof, f"{proof} {one}"))
    assert done.returncode == 0, done.stderr[-2000:]
    assert "Roboman1" in done.stdout
    assert "<html" in (tmp_path / "report.html").read_text("utf-8")
    assert "180.163.251.231" in (tmp_path / "report.md").read_text("utf-8")
