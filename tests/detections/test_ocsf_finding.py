"""A stored finding becomes a valid OCSF Detection Finding that keeps the promises of the contract."""

from __future__ import annotations

import json

import jsonschema_rs
import msgspec
import pytest
from ocsf_json_schema import OcsfJsonSchemaEmbedded, get_ocsf_schema

from trailhound.catalog import PACKS
from trailhound.detections.ocsf_finding import document
from trailhound.detections.sigma import load_rules
from trailhound.model import Finding, Resource
from trailhound.vocab import attack

FINDING = Finding(
    uid="ab12", rule_uid="rule", rule_title="Many instances", rule_kind="value_count", level="critical", title="alice did it",
    desc="why", attacks=("T1485", "T1562.008"), first_seen_time=1, last_seen_time=2, event_uids=("e1", "e2"), count=20,
    threshold=20, window_ms=300_000, principal_uid="arn:aws:iam::111122223333:user/alice", principal_name="alice",
    account_uid="111122223333", regions=("us-east-1",), src_ips=("198.51.100.7",), operations=("TerminateInstances",),
    resources=(Resource(uid="i-1", type="AWS::EC2::Instance"),),
)  # fmt: skip


@pytest.fixture(scope="module")
def validator():
    schema = OcsfJsonSchemaEmbedded(get_ocsf_schema(version="1.8.0")).get_class_schema(
        class_name="detection_finding", profiles=["cloud"]
    )
    return jsonschema_rs.validator_for(json.loads(json.dumps(schema)))


def test_it_is_valid(validator):
    assert [error.message for error in validator.iter_errors(document(FINDING))] == []


def test_a_bare_finding_is_valid_too(validator):
    bare = msgspec.structs.replace(
        FINDING, attacks=(), regions=(), src_ips=(), resources=(), principal_name="", threshold=None, window_ms=None
    )
    assert [error.message for error in validator.iter_errors(document(bare))] == []


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
