"""Each verb does its part of the contract, on a small simulated incident."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from tests.cli.conftest import Run, ingested

ROBOMAN = "arn:aws:iam::0123456789:user/Roboman1"


def finding_of(trailhound: Run, rule: str) -> str:
    found = [line["finding_info"] for line in trailhound("findings").lines]
    return next(info["uid"] for info in found if rule in info["analytic"]["name"])


def test_ingest_accounts_for_every_record(trailhound: Run, logs: Path, tmp_path: Path) -> None:
    first = trailhound("ingest", logs, "--workspace", tmp_path / "lake").document
    assert first["seen"] == first["events"] + first["duplicates"] + first["rejected"]
    assert first["events"] == json.loads((logs / "truth.json").read_text())["counts"]["events"]
    assert sum(first["reasons"].values()) == first["rejected"], (
        "truth.json and trailhound.toml are no logs, and counted"
    )
    again = trailhound("ingest", logs, "--workspace", tmp_path / "lake").document
    assert (again["events"], again["duplicates"]) == (0, first["events"])


def test_ingest_says_that_nothing_is_new(trailhound: Run, logs: Path, workspace: Path) -> None:
    result = trailhound("ingest", logs / "AWSLogs", "--format", "table")
    assert "nothing new" in result.err
    assert "duplicates" in result.out


def test_ingest_refuses_what_is_no_option(trailhound: Run) -> None:
    mistyped = trailhound("ingest", "--repiar", "logs").err
    assert "no option --repiar" in mistyped
    assert "did you mean --repair?" in mistyped
    assert "did you mean" not in trailhound("ingest", "--zzz", "logs").err
    assert trailhound("ingest").status == 2


@pytest.mark.parametrize(
    ("name", "says"), [("empty", "no file in it"), ("a.pdf", "neither JSON"), ("none.json", "none")]
)
def test_ingest_fails_when_there_is_no_record(trailhound: Run, tmp_path: Path, name: str, says: str) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "a.pdf").write_bytes(b"%PDF-1.4 nothing")
    (tmp_path / "none.json").write_text('{"Records": []}')
    result = trailhound("ingest", tmp_path / name, "--workspace", tmp_path / "lake")
    assert result.status == 2
    assert result.document["events"] == 0, "the counts are printed all the same"
    assert "no CloudTrail record was found" in result.err
    assert says in result.err


def test_a_workspace_that_cannot_be_made_is_not_to_be_tried_again(trailhound: Run, logs: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    result = trailhound("ingest", logs, "--workspace", tmp_path / "file" / "lake")
    assert result.status == 2
    assert "name another by --workspace" in result.err


@pytest.mark.parametrize("form", ["json", "table"])
def test_status_says_what_the_lake_holds(trailhound: Run, workspace: Path, form: str) -> None:
    result = trailhound("status", "--format", form)
    assert "0123456789" in result.out
    assert "us-east-2" in result.out
    assert " to 11-06 " in result.out or json.loads(result.out)["accounts"][0]["last_time"] > 1604620800000


def test_detect_finds_the_twenty_instances(trailhound: Run, workspace: Path) -> None:
    findings = trailhound("detect").lines
    (mass,) = [f for f in findings if f["severity_id"] == 5]
    assert mass["class_uid"] == 2004
    assert mass["evidences"][0]["actor"]["user"]["uid"] == ROBOMAN
    assert mass["cloud"]["account"]["uid"] == "0123456789"
    assert len({resource["uid"] for resource in mass["resources"]}) == 20
    assert mass["finding_info"]["related_events"]


def test_detect_knows_bounds_and_rules(trailhound: Run, workspace: Path) -> None:
    assert trailhound("detect", "--until", "2020-11-05").lines != trailhound("detect", "--since", "2020-11-06").lines
    only = trailhound("detect", "--only", "aws_signin_failures_for_user").lines
    assert [line["unmapped"]["trailhound"]["count"] for line in only] == [9]
    assert trailhound("detect", "--only", "no-such-rule").status == 2


BAD = {
    "yaml.yml": "title: [x\n",
    "level.yml": "title: W\nlogsource: {product: aws, service: cloudtrail}\n"
    "detection: {a: {eventName: x}, condition: a}\nlevel: grave\n",
    "selection.yml": "title: S\nlogsource: {product: aws, service: cloudtrail}\n"
    "detection: {a: {eventName: x}, condition: b}\nlevel: low\n",
    "title.yml": "title: T\nlogsource: {product: aws, service: cloudtrail}\n"
    "detection: {a: {eventName: x}, condition: a}\nlevel: low\ntrailhound: {title: '{whoever} did it'}\n",
}
GOOD = (
    "title: G\nname: good\nlogsource: {product: aws, service: cloudtrail}\n"
    "detection: {a: {eventName: ConsoleLogin}, condition: a}\nlevel: low\n"
)


@pytest.mark.parametrize("options", [(), ("--quiet",)])
def test_detect_fails_when_a_rule_of_yours_is_not_usable(
    trailhound: Run, logs: Path, tmp_path: Path, options: tuple[str, ...]
) -> None:
    place = ingested(logs, tmp_path / "lake")
    (tmp_path / "my").mkdir()
    for name, text in {**BAD, "good.yml": GOOD}.items():
        (tmp_path / "my" / name).write_text(text)
    result = trailhound("detect", "--rules", tmp_path / "my", "--no-pack", "--workspace", place, *options)
    assert result.status == 2
    assert "4 rules cannot be used; the others were run" in result.err
    assert {line["finding_info"]["analytic"]["name"] for line in result.lines} == {"G"}
    if not options:
        told = [line for line in result.err.splitlines() if line.startswith("not usable: ")]
        assert all(any(name in line for line in told) for name in BAD)
    asked = trailhound("detect", "--rules", tmp_path / "my", "--only", "S", "--workspace", place)
    assert "not usable" in asked.err, "perhaps it is the one that is asked for"


def test_detect_says_what_is_new(trailhound: Run, logs: Path, tmp_path: Path) -> None:
    place = ("--workspace", str(ingested(logs, tmp_path / "lake")))
    again = trailhound("detect", "--format", "table", *place)
    assert "none of them found for the first time" in again.err
    assert "0 of them new" not in again.err
    assert trailhound("detect", "--only", "aws_signin_failures_for_user", *place).err.startswith("1 finding, none")


def test_findings_at_a_level_fail_the_command(trailhound: Run, workspace: Path) -> None:
    assert trailhound("detect", "--fail-on", "critical").status == 1
    assert trailhound("findings", "--fail-on", "critical").status == 1
    assert trailhound("findings", "--rule", "no such rule", "--fail-on", "low").status == 0


def test_findings_are_filtered(trailhound: Run, workspace: Path) -> None:
    everything = trailhound("findings").lines
    grave = trailhound("findings", "--level", "high").lines
    assert 0 < len(grave) < len(everything)
    assert all(line["severity_id"] >= 4 for line in grave)
    assert trailhound("findings", "--principal", ROBOMAN).lines
    nobody = trailhound("findings", "--principal", "nobody")
    assert (nobody.out, nobody.status) == ("", 0)
    assert f"none of the {len(everything)} stored findings fits" in nobody.err
    assert "did you mean Roboman1?" in trailhound("findings", "--principal", "Robomann1").err
    title = everything[0]["finding_info"]["analytic"]["name"]
    assert f"did you mean {title}" in trailhound("findings", "--rule", title[:-2]).err


def test_findings_are_closed_and_suppressed_with_a_reason(trailhound: Run, logs: Path, tmp_path: Path) -> None:
    place = ("--workspace", str(ingested(logs, tmp_path / "lake")))
    uids = [line["finding_info"]["uid"] for line in trailhound("findings", *place).lines]
    assert trailhound("findings", "close", uids[0][:12], "--because", "approved", *place).status == 0
    assert (
        trailhound("findings", "suppress", uids[1], "--because", "nightly", "--until", "2999-12-31", *place).status == 0
    )
    assert [line["finding_info"]["uid"] for line in trailhound("findings", "--status", "closed", *place).lines] == [
        uids[0]
    ]
    assert [line["finding_info"]["uid"] for line in trailhound("findings", "--status", "suppressed", *place).lines] == [
        uids[1]
    ]
    again = trailhound("findings", "close", uids[0], "--because", "another", *place)
    assert "it was closed before, because: approved" in again.err
    past = trailhound("findings", "suppress", uids[2], "--because", "x", "--until", "2020-01-01", *place)
    assert past.status == 2
    assert "has passed" in past.err
    assert "new" in {line["status"].lower() for line in trailhound("findings", *place).lines}
    assert trailhound("findings", "close", uids[0], *place).status == 2, "a reason is needed"
    assert trailhound("findings", "close", "", "--because", "x", *place).status == 2, "every uid begins with nothing"


def test_investigate_tells_the_story(trailhound: Run, workspace: Path) -> None:
    uid = finding_of(trailhound, "terminated by one principal")
    document = trailhound("investigate", uid[:12]).document
    told = " ".join(sentence["text"] for part in document["narrative"] for sentence in part["sentences"])
    assert "180.163.251.231" in told
    assert all(sentence["evidence"] for part in document["narrative"] for sentence in part["sentences"])
    assert len(document["steps"]) == 5
    again = trailhound("investigate", uid).out
    assert again == trailhound("investigate", uid).out, "the same input gives the same bytes"


@pytest.mark.parametrize(
    ("name", "begins"),
    [("report.html", "<!doctype html"), ("report.md", "# "), ("report.json", "{"), ("report.txt", "")],
)
def test_investigate_writes_reports(trailhound: Run, workspace: Path, tmp_path: Path, name: str, begins: str) -> None:
    uid = finding_of(trailhound, "after a run of failures")
    result = trailhound("investigate", uid, "-o", tmp_path / name)
    written = (tmp_path / name).read_text("utf-8")
    assert result.out == ""
    assert str(tmp_path / name) in result.err
    assert written.lower().startswith(begins)
    assert "Roboman1" in written
    assert "\x1b" not in written


def test_investigate_an_observable(trailhound: Run, workspace: Path) -> None:
    found = trailhound(
        "investigate", "--observable", "ip_address=180.163.251.231", "--at", "2020-11-06T03:21:39Z", "--window", "3d"
    ).document
    assert found["subject"]["observable"] == {"kind": "ip_address", "value": "180.163.251.231"}


@pytest.mark.parametrize(
    "arguments",
    [
        (), ("nothing-like-it",), ("a", "--observable", "b=c"), ("--observable", "ip_address=192.0.2.1"), ("--observable", "shoe=1"),
        ("--observable", "ip_address=180.163.251.231", "--at", "yesterday"), ("x", "-o", "report.pdf"), ("x", "--format", "pdf"),
    ],
)  # fmt: skip
def test_investigate_refuses(trailhound: Run, workspace: Path, arguments: tuple[str, ...]) -> None:
    result = trailhound("investigate", *arguments)
    assert (result.status, result.out) == (2, "")
    assert result.err.startswith("what:")


def test_a_uid_that_names_no_finding_has_causes_that_fit(
    trailhound: Run, workspace: Path, logs: Path, tmp_path: Path
) -> None:
    assert "variable of the shell" in trailhound("investigate", "").err
    assert "misspelt" in trailhound("investigate", "zzzz").err
    trailhound("ingest", logs / "AWSLogs", "--workspace", tmp_path / "lake")
    assert "run `trailhound detect`" in trailhound("investigate", "zzzz", "--workspace", tmp_path / "lake").err


def test_ask_answers_with_one_of_three_values(trailhound: Run, workspace: Path) -> None:
    answer = trailhound("ask", "ip_address.seen_before", "ip_address=180.163.251.231").document
    assert answer["verdict"] in ("yes", "no", "unknown")
    assert answer["sentence"]
    shown = trailhound("ask", "ip_address.seen_before", "ip_address=180.163.251.231", "--format", "table").out
    assert answer["asks"] in shown
    assert f"{answer['verdict']}:" in shown
    basis = answer["basis"]
    assert f"stood on: {basis['objects']:,} objects, {basis['events']:,} events, 0 rejected" in shown
    assert f"file: {basis['sources'][0]['name']} (not checked, SHA-256 {basis['sources'][0]['sha256']})" in shown


def test_ask_knows_its_questions(trailhound: Run, workspace: Path) -> None:
    questions = trailhound("ask", "--list").lines
    assert {"ip_address.seen_before", "user.other_findings"} <= {question["id"] for question in questions}
    assert trailhound("ask", "ip_address.no_such", "ip_address=192.0.2.1").status == 2
    assert trailhound("ask", "ip_address.seen_before").status == 2


def test_search_prints_events_as_ocsf(trailhound: Run, workspace: Path) -> None:
    events = trailhound("search", "op=TerminateInstances ip=180.163.251.231").lines
    assert events
    assert {event["api"]["operation"] for event in events} == {"TerminateInstances"}
    assert {event["class_uid"] for event in events} == {6003}
    named = {resource["uid"] for event in events for resource in event["resources"] if resource["uid"].startswith("i-")}
    assert len(named) == 20


def test_search_takes_its_words_apart_or_together(trailhound: Run, workspace: Path) -> None:
    together = trailhound("search", "ip in 180.163.0.0/16 -status=success")
    apart = trailhound("search", "ip", "in", "180.163.0.0/16", "-status=success", "--limit", "50")
    assert together.out == apart.out
    assert len(together.lines) == 9
    torn = trailhound("search", "op=ConsoleLogin", "agent=aws cli")
    assert torn.status == 2
    assert "single quotes" in torn.err


def test_search_groups_and_lays_along_time(trailhound: Run, workspace: Path) -> None:
    groups = trailhound("search", "ip=180.163.251.231", "--group-by", "op", "--group-by", "status").lines
    assert {"op": "ConsoleLogin", "status": "failure", "events": 9}.items() <= groups[0].items() | {("events", 9)}
    buckets = trailhound("search", "ip=180.163.251.231", "--timeline").lines
    assert sum(bucket["events"] for bucket in buckets) == sum(group["events"] for group in groups)
    assert "█" in trailhound("search", "ip=180.163.251.231", "--timeline", "--format", "table").out


def test_search_counts_what_it_does_not_show(trailhound: Run, workspace: Path) -> None:
    result = trailhound("search", "", "--limit", "3", "--format", "table")
    assert "of which 3 are shown" in result.err
    assert "2020-11-06" in result.err, "the newest event: what `last` counts back from"


def test_search_breaks_nothing_on_a_narrow_terminal(
    trailhound: Run, workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = ("search", "op=TerminateInstances ip=180.163.251.231", "--format", "table")
    for width in ("80", "200"):
        monkeypatch.setenv("COLUMNS", width)
        words = trailhound(*asked).out.split()
        assert {"TerminateInstances", "180.163.251.231", "user/Roboman1", "success"} <= set(words)
        assert any(len(word.strip(",")) == 19 for word in words if word.startswith("i-")), "an instance id is whole"


def test_counts_are_said_in_words_that_fit(trailhound: Run, workspace: Path) -> None:
    one = trailhound("search", "op=ConsoleLogin status=success ip=180.163.251.231", "--format", "table").err
    assert "1 event matches;" in one
    assert "0 events match;" in trailhound("search", "nothing-has-this", "--format", "table").err


def test_sql_shows_what_is_wide_row_by_row(trailhound: Run, workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    (uid, *_) = [line["uid"] for line in trailhound("sql", "SELECT uid FROM findings ORDER BY uid").lines]
    shown = trailhound("sql", "SELECT * FROM findings ORDER BY uid LIMIT 1", "--format", "table").out
    assert f" {uid}\n" in shown
    (row,) = trailhound("sql", "SELECT time, time_dt FROM events ORDER BY time LIMIT 1").lines
    narrow = trailhound("sql", "SELECT time, time_dt FROM events ORDER BY time LIMIT 1", "--format", "table").out
    assert {str(row["time"]), row["time_dt"]} <= set(narrow.split()), "no thousands, no quotes"


def test_sql_reads_and_nothing_else(trailhound: Run, workspace: Path) -> None:
    rows = trailhound("sql", "SELECT api.operation AS op, count(*) AS n FROM events GROUP BY ALL ORDER BY n DESC").lines
    assert sum(row["n"] for row in rows) == trailhound("status").document["events"]
    assert trailhound("sql", "DESCRIBE events").status == 0
    assert trailhound("sql", "COPY events TO 'stolen.csv'").status == 2
    assert trailhound("sql", f"SELECT * FROM read_text('{os.__file__}')").status == 2
    assert "no rows" in trailhound("sql", "SELECT 1 WHERE FALSE", "--format", "table").err


def test_rules_are_listed_and_shown(trailhound: Run) -> None:
    assert "aws_cloudtrail_stopped" in {rule["name"] for rule in trailhound("rules", "list").lines}
    assert "T1685" in trailhound("rules", "list", "--format", "table").out
    assert "logsource:" in trailhound("rules", "show", "aws_cloudtrail_stopped", "--format", "table").out
    assert trailhound("rules", "show", "nothing").status == 2


def test_a_rule_of_yours_is_named_with_its_file(trailhound: Run, tmp_path: Path) -> None:
    (tmp_path / "good.yml").write_text(GOOD)
    (tmp_path / "bad.yml").write_text(BAD["level.yml"])
    assert trailhound("rules", "show", "good", tmp_path).document["title"] == "G"
    assert "not usable" in trailhound("rules", "show", "bad", tmp_path).err


PACK = Path(__file__).parents[2] / "src" / "trailhound" / "packs" / "rules"


def test_rules_are_proved(trailhound: Run, tmp_path: Path) -> None:
    passed = trailhound("rules", "test", PACK / "aws_root_used.yml")
    assert passed.status == 0
    assert passed.err.endswith("cases, none failed\n")
    for name in ("aws_root_used.yml", "aws_root_used.proof.yml"):
        text = (PACK / name).read_text("utf-8")
        (tmp_path / name).write_text(text.replace("Root", "Nobody") if name == "aws_root_used.yml" else text, "utf-8")
    failing = trailhound("rules", "test", tmp_path / "aws_root_used.yml", "--format", "table")
    assert failing.status == 1
    assert "none failed" not in failing.err
    assert "expected 1" in " ".join(failing.out.split())


def test_rules_are_linted(trailhound: Run, tmp_path: Path) -> None:
    assert trailhound("rules", "lint").status == 0
    (tmp_path / "bad.yml").write_text("title: no detection\nlogsource: {product: aws}\n")
    result = trailhound("rules", "lint", tmp_path)
    assert result.status == 1
    assert "bad.yml" in result.lines[0]["where"]
    assert result.err == "1 complaint\n"


def test_simulate_lists_and_writes(trailhound: Run, tmp_path: Path) -> None:
    assert "roboman1" in {line["story"] for line in trailhound("simulate", "--list").lines}
    counts = trailhound("simulate", "quiet", "-o", tmp_path / "quiet", "--events", "20", "--days", "2").document[
        "counts"
    ]
    assert counts["files"] == len(list((tmp_path / "quiet").rglob("*.json.gz")))
    assert trailhound("simulate", "quiet", "-o", tmp_path / "quiet").status == 2, "logs are not mixed"
    assert trailhound("simulate", "quiet").status == 2
    assert trailhound("simulate", "no-such-story", "-o", tmp_path / "x").status == 2
