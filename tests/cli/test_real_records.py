"""Records of emulated attacks in a real account, from the file to the narrative."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.cli.conftest import Run

from trailhound.__main__ import main


@pytest.fixture(scope="module")
def lake(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("stratus") / "lake"
    assert main(["ingest", str(shared_data / "stratus"), "--workspace", str(folder)]) == 0
    return folder


def test_every_record_of_every_file_comes_in_once(trailhound: Run, shared_data: Path, lake: Path) -> None:
    held = trailhound("status", "--workspace", lake).document
    files = [path for path in (shared_data / "stratus").rglob("*.json") if path.is_file()]
    assert len(files) == 35
    assert held["records"] == held["events"] + held["duplicates"] + held["rejected"]
    assert trailhound("sql", "SELECT count(*) AS n, count(DISTINCT metadata.uid) AS ids FROM events", "--workspace", lake).document == {
        "n": held["events"], "ids": held["events"]}  # fmt: skip
    again = trailhound("ingest", shared_data / "stratus", "--workspace", lake).document
    assert again["events"] == 0
    assert again["seen"] == again["duplicates"] + again["rejected"]


def test_a_stopped_trail_is_found_and_told_with_what_is_not_known(trailhound: Run, lake: Path) -> None:
    findings = trailhound("detect", "--workspace", lake).lines
    stopped = [line["finding_info"]["uid"] for line in findings if "StopLogging" in str(line)]
    assert stopped
    document = trailhound("investigate", stopped[0], "--workspace", lake).document
    assert document["narrative"]
    assert any(unknown["because"] and unknown["how_to_get"] for unknown in document["unknowns"])
