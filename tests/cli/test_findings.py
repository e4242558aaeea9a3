"""`findings` answers where to start: incidents, ranked, with the reasons."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from tests.cli.conftest import Run, ingested

from trailhound.identity.derive import derive
from trailhound.identity.principals import PRINCIPALS
from trailhound.identity.tables import DERIVED
from trailhound.lake.lake import Lake
from trailhound.lake.tables import TABLES
from trailhound.lake.times import DAY
from trailhound.workspace import Workspace


def test_the_story_is_the_first_incident_with_its_reasons(trailhound: Run, workspace: Path) -> None:
    told = trailhound("findings", "--format", "table").out
    first, *_ = told.split("\n\n")
    level, uid, _, risk, who, *_ = first.splitlines()[0].split()
    assert (level, who) == ("critical", "user/Roboman1")
    assert "terminated 20 production instances" in first
    assert " → " in first.splitlines()[2]
    assert "the level of the rule is critical" in first
    assert "from CN" in first
    assert f"start with: trailhound investigate {uid}" in first
    risks = [int(block.split()[3]) for block in told.split("\n\n")]
    assert risks == sorted(risks, reverse=True)
    assert int(risk) == risks[0] >= 95
    assert told == trailhound("findings", "--format", "table").out
    assert told == trailhound("detect", "--format", "table").out


def test_single_findings_can_be_listed_and_both_are_ocsf(trailhound: Run, workspace: Path) -> None:
    findings, incidents = trailhound("findings").lines, trailhound("findings", "--by", "incident").lines
    assert {line["class_uid"] for line in findings} == {2004}
    assert {line["class_uid"] for line in incidents} == {2005}
    assert [one["uid"] for line in incidents for one in line["finding_info_list"]] == [
        line["finding_info"]["uid"] for line in findings
    ]
    of = {line["finding_info"]["uid"]: line["unmapped"]["trailhound"]["incident"] for line in findings}
    for line in incidents:
        assert {of[one["uid"]] for one in line["finding_info_list"]} == {line["unmapped"]["trailhound"]["uid"]}
    assert findings[0]["risk_score"] == incidents[0]["unmapped"]["trailhound"]["risk_score"]
    table = trailhound("findings", "--by", "finding", "--format", "table").out
    assert table.split()[0] == "risk"
    assert findings[0]["finding_info"]["uid"][:8] in table


def test_a_filter_shows_incidents_that_hold_what_fits(trailhound: Run, workspace: Path) -> None:
    whole = trailhound("findings", "--format", "table").out
    grave = trailhound("findings", "--level", "critical", "--format", "table").out
    assert "1 of them asked for" in grave
    assert grave.splitlines()[1:] == whole.split("\n\n")[0].splitlines()[1:], "its risk is that of all of it"


def test_an_incident_is_investigated_with_the_events_of_all_its_findings(trailhound: Run, workspace: Path) -> None:
    (incident, *_) = Workspace.open(workspace).assessed().incidents
    named = Workspace.open(workspace).named(incident.uid[:10])
    document = trailhound("investigate", incident.uid[:10]).document
    short = [one for one in named if one.last_seen_time - one.first_seen_time <= DAY]
    assert len(named) > len(short) > 1, "signing in without MFA is found over weeks, and would hide what is new"
    assert set(document["subject"]["event_uids"]) == {uid for one in short for uid in one.event_uids}
    assert document["subject"]["finding_uid"] == named[0].uid == incident.finding_uids[0]
    assert document["finding"]["risk"] is None, "what is decided on others must not change what it says"


def test_an_incident_is_closed_with_all_that_is_open_in_it(trailhound: Run, logs: Path, tmp_path: Path) -> None:
    place = ingested(logs, tmp_path / "lake")
    incident = Workspace.open(place).assessed().incidents[0]
    one, *others = incident.finding_uids
    trailhound("findings", "suppress", one, "--because", "first", "--workspace", place)
    told = trailhound("findings", "close", incident.uid, "--because", "all", "--workspace", place).err
    assert told.count("is closed") == len(others)
    after = {f.uid: (f.status, f.status_reason) for f in Workspace.open(place).findings()}
    assert after[one] == ("suppressed", "first")
    assert {after[uid] for uid in others} == {("closed", "all")}
    assert Workspace.open(place).assessed().incidents[-1].uid == incident.uid
    assert Workspace.open(place).assessed().incidents[-1].status != "new"
    assert "there is no finding" in trailhound("findings", "close", "zz", "--because", "x", "--workspace", place).err


def test_what_is_dealt_with_is_out_of_sight_but_counted(trailhound: Run, workspace: Path, tmp_path: Path) -> None:
    folder = tmp_path / "own"
    shutil.copytree(workspace, folder)
    place = ("--workspace", str(folder))
    first, *others = trailhound("findings", "--format", "table", *place).out.split("\n\n")
    uid = first.split()[1]
    assert trailhound("findings", "close", uid, "--because", "done", *place).status == 0
    left = trailhound("findings", "--format", "table", *place)
    assert left.out.strip().split("\n\n") == [one.strip() for one in others]
    assert "1 more incident closed or suppressed" in left.err
    assert uid in trailhound("findings", "--status", "closed", "--format", "table", *place).out


def test_tables_that_an_older_trailhound_derived_are_derived_again(
    workspace: Path, tmp_path: Path, trailhound: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = TABLES["principals"]
    names = [column.path for column in whole.columns if not column.path.startswith("known_")]
    older = PRINCIPALS._replace(version=1, make=lambda engine: PRINCIPALS.make(engine).select(names))
    declared = [older if one is PRINCIPALS else one for one in DERIVED]
    shown = trailhound("findings").out
    uid = json.loads(shown.splitlines()[0])["unmapped"]["trailhound"]["incident"]
    for verb in (["findings"], ["investigate", uid]):
        folder = Path(shutil.copytree(workspace, tmp_path / verb[0]))
        with monkeypatch.context() as patch:
            patch.setitem(
                TABLES, "principals", whole._replace(columns=tuple(c for c in whole.columns if c.path in names))
            )
            assert derive(Lake(folder), declared)["principals"] == 1
        done = trailhound(*verb, "--workspace", folder)
        assert done.status == 0, done.err
        assert verb[0] == "investigate" or done.out == shown
