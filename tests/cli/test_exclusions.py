"""Exclusions as somebody at the command line meets them: a typo, one that has expired, one that is good."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from tests.cli.conftest import Run, ingested

from trailhound.lake.lake import Lake
from trailhound.workspace import Workspace

TODAY = datetime.now(UTC).date()
NAME = "aws_ec2_production_mass_termination"
TITLE = "Many production instances terminated by one principal"


def entry(rule: str = TITLE, *, days: int = 30, line: str = "principal: arn:aws:iam::*:user/Roboman1") -> str:
    created = TODAY - timedelta(days=60)
    said = f"  reason: as planned\n  author: carol\n  created: {created}\n  expires: {TODAY + timedelta(days=days)}\n"
    return f"- rule: {rule}\n  {line}\n{said}"


@pytest.fixture(scope="module")
def found(logs: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The findings of the pack alone: others run rules of their own on the story."""
    return ingested(logs, tmp_path_factory.mktemp("found") / "story")


@pytest.fixture
def own(found: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "own"
    shutil.copytree(found, folder)
    monkeypatch.setenv("TRAILHOUND_WORKSPACE", str(folder))
    return folder


def stored(folder: Path) -> list[str]:
    """Everything that the lake holds of findings."""
    rows = Workspace.open(folder).sql("SELECT * FROM findings ORDER BY uid")
    return [repr(row) for row in rows]


def test_a_typo_stops_detect_before_anything_is_done(own: Path, trailhound: Run) -> None:
    (own / "exclusions.yml").write_text(entry().replace("principal:", "princpal:"), "utf-8")
    before = Lake(own).partitions("findings")
    for verb in (["detect"], ["findings"], ["exclusions"], ["exclusions", "findings"], ["rules", "backtest"]):
        done = trailhound(*verb)
        assert done.status == 2
        assert f"{own / 'exclusions.yml'}:2" in done.err
        assert "did you mean principal?" in done.err
        assert not done.out
    assert Lake(own).partitions("findings") == before
    done = trailhound("exclusions", "check")
    assert done.status == 1
    assert done.lines[0]["where"] == f"{own / 'exclusions.yml'}:2"


def test_an_investigation_needs_no_exclusions(own: Path, trailhound: Run) -> None:
    (uid, *_) = [finding["finding_info"]["uid"] for finding in trailhound("findings").lines]
    (own / "exclusions.yml").write_text("{", "utf-8")
    assert trailhound("investigate", uid, "--format", "json").status == 0


def test_a_good_one_sets_aside_and_its_removal_brings_back(own: Path, trailhound: Run) -> None:
    before, shown = stored(own), trailhound("findings").out
    (own / "exclusions.yml").write_text(entry(), "utf-8")
    hidden = trailhound("exclusions", "findings").lines
    assert {finding["finding_info"]["analytic"]["name"] for finding in hidden} == {TITLE}
    assert all(finding["status"] == "Suppressed" for finding in hidden)
    assert all("exclusions.yml:1 (carol, until" in finding["status_detail"] for finding in hidden)
    quiet = trailhound("detect", "--fail-on", "critical", "--format", "table")
    assert quiet.status == 0
    assert "set aside by 1 exclusion" in quiet.err
    listed = {finding["finding_info"]["uid"] for finding in trailhound("findings", "--status", "suppressed").lines}
    assert listed == {finding["finding_info"]["uid"] for finding in hidden}
    (use,) = trailhound("exclusions").lines
    assert (use["state"], len(use["hidden"])) == ("active", len(hidden))
    assert stored(own) == before, "it is not the lake that changed"
    (own / "exclusions.yml").unlink()
    assert trailhound("findings").out == shown
    assert trailhound("detect", "--fail-on", "critical").status == 1


def test_findings_are_the_same_in_the_lake_with_exclusions_or_without(own: Path, trailhound: Run) -> None:
    before = stored(own)
    (own / "exclusions.yml").write_text(entry("all", line="account: '123456789012'") + entry(), "utf-8")
    trailhound("detect", "--all")
    assert stored(own) == before


@pytest.mark.parametrize(("days", "state"), [(0, "active"), (-1, "expired")])
def test_it_works_until_the_end_of_its_last_day(own: Path, trailhound: Run, days: int, state: str) -> None:
    (own / "exclusions.yml").write_text(entry(days=days), "utf-8")
    done = trailhound("exclusions")
    assert done.document["state"] == state
    assert ("hides nothing any more: as planned" in done.err) == (state == "expired")
    assert bool(done.document["hidden"]) == (state == "active")
    found = Workspace.open(own).detect()
    assert [use.state for use in found.exclusions] == [state]
    assert {one.status for one in found.findings if one.rule_title == TITLE} == {
        "suppressed" if state == "active" else "new"
    }


def test_files_of_a_checkout_are_read_too_and_must_be_there(own: Path, trailhound: Run) -> None:
    checkout = own.parent / "rules"
    checkout.mkdir()
    with (own / "trailhound.toml").open("a", encoding="utf-8") as settings:
        settings.write('\n[exclusions]\nfiles = ["../rules"]\nlongest_days = 90\n')
    assert trailhound("detect").status == 2, "an empty checkout is no decision to show all"
    (checkout / "team.yml").write_text(entry(), "utf-8")
    assert trailhound("exclusions").document["exclusion"]["author"] == "carol"
    (checkout / "team.yml").write_text(entry(days=31), "utf-8")
    done = trailhound("exclusions")
    assert done.status == 2
    assert "lasts 91 days" in done.err


def test_every_rule_is_said_loudly(own: Path, trailhound: Run) -> None:
    (own / "exclusions.yml").write_text(entry("all"), "utf-8")
    assert "EVERY rule" in trailhound("exclusions").err
    assert "EVERY rule" in trailhound("exclusions", "check").out


def test_a_link_that_leads_nowhere_is_not_no_exclusions(own: Path, trailhound: Run) -> None:
    (own / "exclusions.yml").symlink_to(own / "gone.yml")
    assert trailhound("findings").status == 2


def test_backtest_at_eighty_columns(own: Path, trailhound: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    before = stored(own)
    done = trailhound("rules", "backtest", "--only", NAME, "--budget", "0/week", "--format", "table")
    assert done.status == 0
    assert "1 exclusion would leave 0 findings, within 0/week (0 in 67 days)" in done.out
    pasted = "\n".join(line for line in done.out.splitlines() if line.startswith(("- ", "  ")) and "…" not in line)
    assert f"- rule: {TITLE}" in pasted
    assert "principal: arn:aws:iam::" in pasted
    assert "roboman1, made within this scope" in done.out
    assert stored(own) == before
    document = trailhound("rules", "backtest", "--budget", "0/week").document
    assert document["result"]["left"] <= document["result"]["findings"]
    assert document["result"]["proposals"]


def test_a_proposal_that_is_pasted_keeps_to_the_budget(own: Path, trailhound: Run) -> None:
    asked = ("rules", "backtest", "--budget", "0/week")
    result = trailhound(*asked).document["result"]
    assert result["proposals"]
    (own / "exclusions.yml").write_text("".join(proposal["yaml"] for proposal in result["proposals"]), "utf-8")
    again = trailhound(*asked).document["result"]
    assert again["findings"] - again["excluded"] == result["left"] == again["left"]
    assert not again["proposals"]
    assert "nobody has written yet" in trailhound("exclusions", "check").out


@pytest.mark.parametrize("budget", ["5", "five/day"])
def test_a_budget_that_is_none_is_refused(own: Path, trailhound: Run, budget: str) -> None:
    done = trailhound("rules", "backtest", "--budget", budget)
    assert done.status == 2
    assert "5/day" in done.err
