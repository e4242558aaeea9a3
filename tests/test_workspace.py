"""The verbs, as Python has them, over one small case."""

from __future__ import annotations

import itertools
import json

import msgspec
import pytest

import trailhound
from trailhound.cases import Decisions, by_uid
from trailhound.errors import RequestError, WorkspaceError
from trailhound.lake.search import search
from trailhound.simulation.simulate import simulate


@pytest.fixture(scope="module")
def case(tmp_path_factory):
    """A workspace that has ingested and detected the story of the attached policy."""
    folder = tmp_path_factory.mktemp("policy_attached")
    truth = simulate("policy_attached", folder / "logs", days=9)
    workspace = trailhound.Workspace.open(folder / "case")
    workspace.folder.mkdir()
    (folder / "logs" / "trailhound.toml").rename(workspace.folder / "trailhound.toml")
    report = workspace.ingest([folder / "logs" / "AWSLogs"])
    return workspace, truth, report, workspace.detect(), folder


def test_every_record_is_accounted_for(case):
    workspace, truth, report, _, folder = case
    assert report.seen == report.events == truth.counts.events
    again = workspace.ingest([folder / "logs" / "AWSLogs"])
    assert (again.events, again.duplicates) == (0, report.events)


def test_detection_finds_what_the_truth_expects(case):
    _, truth, _, detected, _ = case
    found = {(f.principal_uid, uid) for f in detected.findings for uid in f.event_uids}
    for expected in truth.findings:
        assert any((expected.principal_uid, uid) in found for uid in expected.event_uids), expected.theme


def test_detecting_again_finds_the_same_and_stores_nothing_new(case):
    workspace, _, _, detected, _ = case
    again = workspace.detect()
    assert again.new == 0
    assert msgspec.json.encode(again.findings) == msgspec.json.encode(detected.findings)


def test_an_investigation_is_the_same_byte_for_byte(case):
    workspace, _, _, detected, _ = case
    uid = detected.findings[0].uid
    assert msgspec.json.encode(workspace.investigate(uid)) == msgspec.json.encode(workspace.investigate(uid[:12]))


def test_the_document_has_the_parts_of_the_contract(case):
    workspace, _, _, detected, _ = case
    document = json.loads(msgspec.json.encode(workspace.investigate(detected.findings[0].uid)))
    for part in (
        "uid",
        "subject",
        "as_of",
        "answers",
        "artifacts",
        "timeline",
        "verdict",
        "narrative",
        "recommendations",
        "unknowns",
    ):
        assert part in document
    assert len(document["steps"]) == 5
    assert {"question", "step", "observable", "verdict", "sentence", "evidence", "query", "parameters", "gaps"} <= set(
        document["answers"][0]
    )
    assert {"name", "for", "against", "would_change_if"} <= set(document["verdict"]["explanations"][0])


def test_an_observable_can_be_investigated_without_a_finding(case):
    workspace, _, _, _, _ = case
    document = workspace.investigate(observable="user=noah.kim")
    assert document.finding is None
    assert document.narrative[0].sentences[0].evidence


def test_a_closed_finding_keeps_its_reason_and_comes_last(case):
    workspace, _, _, detected, _ = case
    uid = detected.findings[-1].uid
    workspace.close_finding(uid, "tested")
    assert [(f.uid, f.status_reason) for f in workspace.findings(status="closed")] == [(uid, "tested")]
    with pytest.raises(RequestError, match="reason"):
        workspace.close_finding(uid, " ")


def test_a_suppression_ends_with_its_last_day(case):
    workspace, _, _, detected, _ = case
    uid = detected.findings[0].uid
    Decisions(workspace.folder).record(detected.findings[0], "suppressed", "known", until="2000-01-01")
    assert next(f for f in workspace.findings() if f.uid == uid).status == "new"


@pytest.mark.parametrize(("begins", "shown"), [("aa", "aa1, aa2"), ("b", "b0, b1, b2, b3, b4 and 1 more")])
def test_several_findings_that_begin_alike_are_named(case, begins, shown):
    uids = ["aa1", "aa2", *(f"b{n}" for n in range(6)), "c"]
    findings = [msgspec.structs.replace(case[3].findings[0], uid=uid) for uid in uids]
    with pytest.raises(RequestError, match="begins with") as raised:
        by_uid(findings, begins)
    assert raised.value.next_step == f"write more of it: {shown}"
    assert not raised.value.causes
    assert by_uid(findings, "c").uid == "c"


@pytest.mark.parametrize("asked", ["user", "user=", "colour=red", "user=nobody"])
def test_what_does_not_exist_is_said_clearly(case, asked):
    with pytest.raises(RequestError):
        case[0].investigate(observable=asked)


def test_an_empty_folder_is_not_a_workspace(tmp_path):
    with pytest.raises(WorkspaceError, match="not a workspace"):
        trailhound.Workspace.open(tmp_path).status()


def test_a_search_reads_only_where_its_values_occur(case, monkeypatch):
    workspace, given = case[0], []
    monkeypatch.setattr(
        "trailhound.workspace.evidence.search",
        lambda *asked, **named: given.append(named["index"]) or search(*asked, **named),
    )
    found = workspace.search("noah.kim origin=noah.kim")
    assert found.kind == "events"
    assert given[0].within("203.0.113.199") == {}
    assert given[0].equal("arn:aws:iam::aws:policy/none") == {}


def test_findings_made_as_logs_arrive_are_those_of_one_run(tmp_path):
    logs = tmp_path / "logs"
    truth = trailhound.Workspace.open(tmp_path / "w").simulate("role_chain", logs, events=2_500)
    files = sorted((logs / "AWSLogs").rglob("*.json.gz"), key=lambda path: path.name.split("_")[3])
    late = [file for number, file in enumerate(files) if number % 41 == 0]
    prompt = [file for file in files if file not in late]
    cuts = [0, len(prompt) // 2, len(prompt) - 400, len(prompt)]
    growing = trailhound.Workspace.open(tmp_path / "growing")
    detected = None
    for part in [*(prompt[one:other] for one, other in itertools.pairwise(cuts)), late]:
        growing.ingest(part)
        detected = growing.detect()
        assert detected.days
    assert growing.detect().days == 0
    at_once = trailhound.Workspace.open(tmp_path / "at once")
    at_once.ingest(files)
    whole = at_once.detect()
    assert detected
    assert detected.findings == whole.findings == tuple(growing.findings())
    assert {truth.findings[0].principal_uid, "baseline"} <= {
        one for finding in whole.findings for one in (finding.principal_uid, finding.rule_kind)
    }
    behind = {finding.origin_uid for finding in whole.findings if finding.principal_name == "operations-admin"}
    assert behind == {"arn:aws:iam::777788889999:user/priya.nair"}
    (other,) = {f.origin_uid for f in whole.findings if f.principal_name == "svc-metrics"} or {"svc-metrics"}
    assert other.endswith("svc-metrics")


def test_what_a_decision_was_made_on_can_still_be_read(tmp_path):
    simulate("policy_attached", tmp_path / "logs", days=9)
    files = sorted((tmp_path / "logs" / "AWSLogs").rglob("*.gz"))
    workspace = trailhound.Workspace.open(tmp_path / "w")
    workspace.ingest(files[:-10])
    then = workspace.sql("SELECT count(*) AS n FROM events")
    workspace.close_finding(workspace.detect().findings[0].uid, "seen")
    (version,) = json.loads((tmp_path / "w" / "kept.json").read_text())
    workspace.ingest(files)
    assert workspace.sql("SELECT count(*) AS n FROM events", version=version) == then
    assert workspace.sql("SELECT count(*) AS n FROM events")[0]["n"] > then[0]["n"]
    with pytest.raises(WorkspaceError, match="not kept"):
        workspace.sql("SELECT 1 AS one", version=version + 1_000)
