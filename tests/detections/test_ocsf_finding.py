"""A stored finding becomes a valid OCSF Detection Finding that keeps the promises of the contract."""

from __future__ import annotations

import json

import jsonschema_rs
import msgspec
import pytest
from ocsf_json_schema import OcsfJsonSchemaEmbedded, get_ocsf_schema

from trailhound.catalog import PACKS
from trailhound.detections.findings import as_table, from_rows
from trailhound.detections.ocsf_finding import document, incident_document
from trailhound.detections.sigma import load_rules
from trailhound.engines.duckdb import DuckDB
from trailhound.model import Analysis, Finding, Incident, Reason, Resource, Risk
from trailhound.vocab import attack

FINDING = Finding(
    uid="ab12", rule_uid="rule", rule_title="Many instances", rule_kind="value_count", level="critical", title="alice did it",
    desc="why", attacks=("T1485", "T1562.008"), first_seen_time=1, last_seen_time=2, event_uids=("e1", "e2"), count=20,
    threshold=20, window_ms=300_000, principal_uid="arn:aws:iam::111122223333:user/alice", principal_name="alice",
    account_uid="111122223333", regions=("us-east-1",), src_ips=("198.51.100.7",), operations=("TerminateInstances",),
    resources=(Resource(uid="i-1", type="AWS::EC2::Instance"),),
)  # fmt: skip

ANALYSIS = Analysis(
    kind="more_than_usual", actor=FINDING.principal_uid, measured="calls an hour", expected="0 to 2", seen="23", score=7.5,
    threshold=5.0, history_days=412, active_days=300, peers=14, peers_alike=0,
)  # fmt: skip


RISK = Risk(
    score=96, level="critical", alone=90, reasons=(Reason(points=80, text="its level"), Reason(points=16, text="more")),
    unknown=("what is usual",),
)  # fmt: skip
INCIDENT = Incident(
    uid="cd34", origin_uid=FINDING.principal_uid, title="alice did it", level="critical", status="new", risk=RISK,
    first_seen_time=1, last_seen_time=2, tactics=("impact",), account_uids=("111122223333",), finding_uids=("ab12",),
)  # fmt: skip


def validate(class_name: str) -> jsonschema_rs.Validator:
    schema = OcsfJsonSchemaEmbedded(get_ocsf_schema(version="1.8.0")).get_class_schema(
        class_name=class_name, profiles=["cloud"]
    )
    return jsonschema_rs.validator_for(json.loads(json.dumps(schema)))


@pytest.fixture(scope="module")
def validator():
    return validate("detection_finding")


def test_it_is_valid(validator):
    assert [error.message for error in validator.iter_errors(document(FINDING))] == []


def test_a_bare_finding_is_valid_too(validator):
    bare = msgspec.structs.replace(
        FINDING, attacks=(), regions=(), src_ips=(), resources=(), principal_name="", threshold=None, window_ms=None
    )
    assert [error.message for error in validator.iter_errors(document(bare))] == []


def test_a_baselines_finding_says_what_was_expected_what_was_seen_and_on_what_history(validator):
    shown = document(msgspec.structs.replace(FINDING, rule_kind="baseline", analysis=ANALYSIS))
    assert [error.message for error in validator.iter_errors(shown)] == []
    (analysis,) = shown["anomaly_analyses"]
    assert analysis["analysis_targets"][0]["name"] == ANALYSIS.actor
    assert analysis["anomalies"][0]["observations"][0]["value"] == "23"
    assert analysis["baselines"][0]["observations"][0]["value"] == "0 to 2"
    assert "412 days" in analysis["baselines"][0]["observed_pattern"]
    assert shown["finding_info"]["analytic"]["type"] == "Statistical"


def test_a_risk_and_an_incident_are_told_in_ocsfs_words(validator):
    shown = document(msgspec.structs.replace(FINDING, incident_uid="cd34", risk=RISK))
    assert [error.message for error in validator.iter_errors(shown)] == []
    assert (shown["risk_score"], shown["risk_level_id"], shown["risk_level"]) == (96, 4, "Critical")
    assert shown["risk_details"] == "+80 its level; +16 more; not known: what is usual"
    assert shown["unmapped"]["trailhound"]["incident"] == "cd34"


@pytest.mark.parametrize(("status", "caption"), [("new", "New"), ("closed", "Closed"), ("suppressed", "On Hold")])
def test_an_incident_is_a_valid_incident_finding(status, caption):
    shown = incident_document(msgspec.structs.replace(INCIDENT, status=status), [FINDING])
    shown = json.loads(msgspec.json.encode(shown))
    assert [error.message for error in validate("incident_finding").iter_errors(shown)] == []
    assert [one["uid"] for one in shown["finding_info_list"]] == ["ab12"]
    assert shown["unmapped"]["trailhound"]["risk_score"] == 96
    assert shown["status"] == caption
    bare = msgspec.structs.replace(INCIDENT, account_uids=(), tactics=())
    bare_finding = msgspec.structs.replace(FINDING, attacks=())
    shown = json.loads(msgspec.json.encode(incident_document(bare, [bare_finding])))
    assert [error.message for error in validate("incident_finding").iter_errors(shown)] == []


def test_a_stored_finding_comes_back_as_it_was():
    given = [FINDING, msgspec.structs.replace(FINDING, uid="cd34", rule_kind="baseline", analysis=ANALYSIS)]
    engine = DuckDB(threads=1)
    engine.mount_arrow("findings", as_table(given))
    assert from_rows(engine.query("SELECT * FROM findings ORDER BY uid")) == given
    engine.close()


def test_it_holds_what_the_contract_names():
    shown = document(FINDING)
    assert [e["uid"] for e in shown["finding_info"]["related_events"]] == ["e1", "e2"]
    assert shown["evidences"][0]["actor"]["user"]["uid"] == FINDING.principal_uid
    assert shown["resources"] == [{"uid": "i-1", "type": "AWS::EC2::Instance"}]
    assert shown["unmapped"]["trailhound"]["count"] == 20


def test_a_superseded_technique_is_shown_under_its_new_id():
    assert document(FINDING)["finding_info"]["attacks"][1]["technique"]["uid"] == "T1685.002"


def test_every_technique_of_the_pack_has_a_name():
    tags = {tag for rule in load_rules([PACKS / "rules"]).rules for tag in rule.tags if tag.startswith("attack.t1")}
    assert {tag.removeprefix("attack.").upper() for tag in tags} <= attack.techniques().keys()
