"""Where do I start? In every story at what happened; its benign twin is low, and says why."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path

import msgspec
import pytest

from trailhound.simulation.simulate import simulate
from trailhound.simulation.truth import Truth
from trailhound.workspace import Workspace

ATTACKS = (
    "policy_attached", "roboman1", "role_chain", "s3_exfiltration", "sdk_overwritten", "stolen_key", "trail_stopped",
)  # fmt: skip

Case = tuple[Workspace, Truth]


def prepared(folder: Path, story: str) -> Case:
    truth = simulate(story, folder / "logs", events=3_000)
    workspace = Workspace.open(folder / "case")
    workspace.folder.mkdir()
    (workspace.folder / "trailhound.toml").write_bytes((folder / "logs" / "trailhound.toml").read_bytes())
    return workspace, truth


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Case]:
    @cache
    def tell(story: str) -> Case:
        folder = tmp_path_factory.mktemp(story)
        workspace, truth = prepared(folder, story)
        workspace.ingest([folder / "logs" / "AWSLogs"])
        workspace.detect()
        return workspace, truth

    return tell


@pytest.mark.parametrize("story", ATTACKS)
def test_the_first_incident_is_what_happened(told: Callable[[str], Case], story: str) -> None:
    workspace, truth = told(story)
    known = workspace.assessed()
    first = known.incidents[0]
    events = {uid for one in known.findings if one.incident_uid == first.uid for uid in one.event_uids}
    assert any(events & set(true.event_uids) for true in truth.findings), first
    assert first.risk.score >= 60
    (_, *others) = known.incidents
    plot = {uid for true in truth.findings for uid in true.event_uids}
    for other in others:
        members = {uid for one in known.findings if one.incident_uid == other.uid for uid in one.event_uids}
        assert members & plot or other.risk.score < 60, other


def test_the_benign_twin_is_low_and_says_why(told: Callable[[str], Case]) -> None:
    workspace, truth = told("approved_termination")
    known = workspace.assessed()
    (true,) = truth.findings
    of = {uid: one for one in known.findings for uid in one.event_uids}
    (twin,) = {of[uid].uid: of[uid] for uid in true.event_uids if uid in of}.values()
    assert twin.level == "critical"
    assert twin.risk
    assert twin.risk.score < 40
    told_why = " ".join(reason.text for reason in twin.risk.reasons)
    assert "an approved change covers it: blue/green release 45" in told_why
    assert "on 3 days before" in told_why
    assert known.incidents[-1].uid == twin.incident_uid, "the releases before it had no approval, and were new"


def test_a_quiet_account_has_nothing_to_look_at(told: Callable[[str], Case]) -> None:
    workspace, _ = told("quiet")
    assert not [one for one in workspace.assessed().incidents if one.risk.score >= 40]


def test_incidents_found_as_logs_come_are_those_of_one_look_at_everything(
    told: Callable[[str], Case], tmp_path: Path
) -> None:
    story = "stolen_key"
    growing, _ = prepared(tmp_path, story)
    files = sorted((tmp_path / "logs" / "AWSLogs").rglob("*.json.gz"))
    for number in range(3):  # every third file, so that what comes later is partly of earlier times
        growing.ingest(files[number::3])
        growing.detect()
    whole = told(story)[0].assessed()
    assert whole.incidents
    assert msgspec.json.encode(growing.assessed()) == msgspec.json.encode(whole)
