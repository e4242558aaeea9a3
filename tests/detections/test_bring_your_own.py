"""A checkout of rules in the manner of the public collections: what runs, what is refused how, what is left out why."""

from __future__ import annotations

import copy
from collections import Counter
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml

from trailhound import catalog
from trailhound.detections.detect import detect
from trailhound.detections.lint import lint
from trailhound.detections.ocsf_finding import document
from trailhound.detections.proof import BASE, merge
from trailhound.detections.rules import RuleSet, only
from trailhound.detections.sigma import load_rules
from trailhound.engines.duckdb import DuckDB
from trailhound.lake.arrow import events_table
from trailhound.model import Finding, Record
from trailhound.ocsf.normalize import normalize

CHECKOUT = Path(__file__).parent / "community"
CASES = yaml.safe_load((Path(__file__).parent / "community_cases.yml").read_text())
FAULTS = {  # file → line, what is said, what to do
    "bad_regex": (6, "(unclosed", "write it without"),
    "count_by": (8, "aggregates", "{type: value_count, rules: [NAME], group-by: [userIdentity.arn], timespan: 10m"),
    "misspelt_log": (4, "not CloudTrail", "service: cloudtrail"),
    "near": (9, "aggregates", "{type: temporal, rules: [made, armed], timespan: 30m}"),
    "not_yaml": (4, "not YAML", ""),
    "unknown_modifier": (6, "looks_like", "there are:"),
    "unknown_name": (7, "'filter'", "there are: selection"),
}


@pytest.fixture(scope="module")
def brought() -> RuleSet:
    return load_rules([CHECKOUT])


def found(rules: RuleSet, *records: dict[str, Any]) -> tuple[Finding, ...]:
    complete = [
        merge(copy.deepcopy(BASE), {"eventTime": f"2026-11-24T10:00:{n:02}Z", "eventID": f"{n:032x}", **record})
        for n, record in enumerate(records)
    ]
    batch = normalize(Record(msgspec.json.encode(record), "s", n) for n, record in enumerate(complete))
    assert not batch.rejects
    engine = DuckDB(threads=1)
    try:
        engine.mount_arrow("events", events_table(batch.columns))
        return detect(engine, rules).findings
    finally:
        engine.close()


@pytest.mark.parametrize("name", CASES)
def test_a_rule_fires_on_what_it_means_and_on_nothing_beside(name: str, brought: RuleSet) -> None:
    one, case = only(brought, [name]), CASES[name]
    assert [finding.count for finding in found(one, case["fires"])] == [1]
    assert found(one, case["silent"]) == ()


def test_every_rule_for_cloudtrail_runs(brought: RuleSet) -> None:
    written = {path.stem for path in CHECKOUT.rglob("cloudtrail/*.yml")} | {"aws_emerging_agent"}
    assert {rule.name for rule in brought.rules if rule.output} == written
    assert set(CASES) | {"aws_placeholder_admins", "aws_correlated_enumeration"} == written


def test_a_filter_of_the_checkout_applies(brought: RuleSet) -> None:
    refused = {"eventSource": "s3.amazonaws.com", "eventName": "GetObject", "errorCode": "AccessDenied"}
    one = only(brought, ["aws_error_wildcards"])
    assert len(found(one, refused)) == 1
    assert found(one, {**refused, "userIdentity": {"userName": "scanner"}}) == ()


def test_a_correlation_of_the_checkout_counts(brought: RuleSet) -> None:
    listed = {"eventSource": "s3.amazonaws.com", "eventName": "ListBuckets"}
    assert [one.count for one in found(only(brought, ["aws_correlated_enumeration"]), *[listed] * 3)] == [3]


@pytest.mark.parametrize("name", FAULTS)
def test_a_faulty_rule_is_one_complaint_with_line_and_next_step(name: str, brought: RuleSet) -> None:
    line, what, next_step = FAULTS[name]
    (error,) = [error for error in brought.errors if f"/{name}.yml:" in error.where]
    assert f"{name}.yml:{line}" in error.where
    assert what in error.what
    assert next_step in error.next_step


def test_nothing_else_is_complained_about(brought: RuleSet) -> None:
    assert len(brought.errors) == len(FAULTS)


def test_what_is_no_rule_for_cloudtrail_is_counted_and_not_complained_about(brought: RuleSet) -> None:
    assert Counter(one.reason.split(":")[0] for one in brought.left_out) == {
        "for another log": 6,
        "for a rule that was left out": 1,
        "not a rule": 1,
        "deprecated": 1,
        "unsupported": 1,
    }


def test_every_document_of_the_checkout_is_accounted_for(brought: RuleSet) -> None:
    """Read = usable + faulty + left out; filters are part of the rules that they are for."""
    read = 0
    for path in sorted(CHECKOUT.rglob("*.yml")):
        if ".github" not in path.parts:
            read += path.read_text().count("\n---\n") + 1
    assert len(brought.rules) + len(brought.errors) + len(brought.left_out) + 1 == read


def test_a_file_that_is_named_is_meant(tmp_path: Path) -> None:
    for name in ("deprecated/cloud/aws/aws_gone.yml", "rules/windows/process_creation/win_whoami.yml"):
        assert load_rules([CHECKOUT / name]).left_out == ()
    assert load_rules([CHECKOUT / "deprecated/cloud/aws/aws_gone.yml"]).rules
    (error,) = load_rules([CHECKOUT / "rules/windows/process_creation/win_whoami.yml"]).errors
    assert "not CloudTrail" in error.what


def test_a_rule_whose_placeholder_has_no_value_is_told(brought: RuleSet) -> None:
    engine = DuckDB(threads=1)
    engine.mount_arrow("events", events_table(normalize([]).columns))
    (skipped,) = detect(engine, only(brought, ["aws_placeholder_admins"])).skipped
    assert "aws_administrators" in skipped.reason


def test_whose_rule_it_is_stays_with_the_finding(brought: RuleSet) -> None:
    (finding,) = found(only(brought, ["aws_old_event_type"]), CASES["aws_old_event_type"]["fires"])
    assert document(finding)["unmapped"]["trailhound"]["rule"] == {
        "author": "Rowan Ash (Example Blue Team), @rowan_ash",
        "status": "test",
        "date": "2024-03-11",
        "references": ("https://example.org/notes/aws_old_event_type",),
    }


def test_dates_of_either_spelling_are_dates(brought: RuleSet) -> None:
    (rule,) = only(brought, ["aws_old_dates_and_lower_level"]).rules
    assert rule.date == "2021-08-09"


def _pack_rule(tmp_path: Path, old: str = "", new: str = "") -> Path:
    text = (catalog.PACKS / "rules" / "aws_cloudtrail_stopped.yml").read_text()
    (tmp_path / "mine.yml").write_text(text.replace(old, new) if old else text)
    return tmp_path


def test_your_rule_counts_in_place_of_the_packs_with_its_id(tmp_path: Path) -> None:
    mine = _pack_rule(tmp_path, "level: high", "level: low")
    rules = load_rules([mine, catalog.PACKS / "rules"])
    (kept,) = [rule for rule in rules.rules if rule.title == "Trail stopped or deleted"]
    assert (kept.level, rules.errors) == ("low", ())
    (gone,) = rules.left_out
    assert "aws_cloudtrail_stopped.yml" in gone.where
    assert str(tmp_path / "mine.yml") in gone.reason


def test_the_packs_rule_stays_where_yours_is_faulty(tmp_path: Path) -> None:
    mine = _pack_rule(tmp_path, "condition: selection", "condition: selektion")
    rules = load_rules([mine, catalog.PACKS / "rules"])
    assert [rule.level for rule in rules.rules if rule.title == "Trail stopped or deleted"] == ["high"]
    assert len(rules.errors) == 1
    assert rules.left_out == ()


def test_of_two_brought_with_one_id_the_second_is_a_complaint(tmp_path: Path) -> None:
    mine = _pack_rule(tmp_path)
    (tmp_path / "other.yml").write_text((tmp_path / "mine.yml").read_text())
    rules = load_rules([mine])
    assert len(rules.rules) == 1
    (error,) = rules.errors
    assert "other.yml" in error.where
    assert "mine.yml" in error.causes[0]


def test_lint_speaks_of_rules_that_were_brought(brought: RuleSet) -> None:
    said = [complaint for complaint in lint(brought) if "aws_old_dates_and_lower_level" in complaint.where]
    assert any("T1685" in complaint.what or "replaced" in complaint.what for complaint in said)
