"""Lint complains about what keeps a rule from firing and from being trusted, with file and line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from trailhound.catalog import PACKS
from trailhound.detections.lint import lint
from trailhound.detections.sigma import load_rules
from trailhound.vocab import calls

_BARE = """title: Something was listed
id: 3f0a8a52-5d4b-4b3c-8f3e-0f1d2c3b4a59
logsource: {product: aws, service: cloudtrail}
detection: {sel: {eventName: ListUsers}, condition: sel}
tags: [attack.t1562.008, attack.defense-evasion, attack.t16]
level: high
"""


def _linted(folder: Path, detection: dict, **more: object) -> list[tuple[str, int, str]]:
    """What is said beside the complaints about what every rule should have: text, line, fix."""
    document = {"title": "t", "logsource": {"product": "aws"}, "level": "low", "detection": detection, **more}
    path = folder / "rule.yml"
    path.write_text(yaml.safe_dump(document, sort_keys=False), "utf-8")
    rules = load_rules([path])
    assert not rules.errors, str(rules.errors[0])
    found = [c for c in lint(rules) if c.what.startswith(("cannot", "it asks"))]
    return [(c.what, int(c.where.rpartition(":")[2]), c.next_step) for c in found]


def test_the_pack_gives_no_reason_to_complain():
    assert [str(complaint) for complaint in lint(load_rules([PACKS / "rules"]))] == []


def test_each_fault_is_named(tmp_path):
    (tmp_path / "bare.yml").write_text(_BARE)
    complaints = lint(load_rules([tmp_path]))
    said = " ".join(complaint.what for complaint in complaints)
    for part in (
        "description",
        "falsepositives",
        "replaced by T1685.002",
        "replaced by stealth",
        "attack.t16 is not the id",
        "nothing but the name",
        "no proof",
    ):
        assert part in said
    assert all(complaint.where.endswith("bare.yml:1") for complaint in complaints)


@pytest.mark.parametrize(
    ("selection", "said", "fix"),
    [
        ({"eventName": "PassRole"}, "a permission and not a call", ""),
        ({"eventName": "CreateUsr"}, "no call CreateUsr", "CreateUser"),
        ({"eventSource": "iam.amazonaws.com", "eventName": "RunInstances"}, "has no call", "ec2.amazonaws.com"),
        ({"eventSource": "s3.amazonaws.com", "eventName": "ListBucket"}, "a permission and not a call", "ListBuckets"),
        ({"eventSource": "lambda.amazonaws.com", "eventName": "CreateFunction"}, "writes the date", "CreateFunction*"),
        ({"eventSource": "lambda.amazonaws.com", "eventName": "InvokeFunction"}, "a permission and not a call", ""),
        ({"eventName|startswith": "Descripe"}, "no call has a name like", ""),
        ({"eventSource": "iam"}, "no event comes from", "iam.amazonaws.com"),
        ({"eventSource": "cloudtrial.amazonaws.com"}, "no service", "cloudtrail.amazonaws.com"),
        ({"eventname": "RunInstances"}, "no record has the field", "eventName"),
        ({"userIdentity.tpye": "Root"}, "no record has the field", "userIdentity.type"),
        ({"userIdentity.sessionContext.atributes.x": "a"}, "no record has the field", "attributes"),
        ({"readOnly": "yes"}, "true or false", "without quotes"),
        ({"userIdentity.type": "IAMRole"}, "is never", ""),
        ({"userIdentity.type": "AssumeRole"}, "is never", "AssumedRole"),
        ({"eventType": "AwsAPICal"}, "is never", "AwsApiCall"),
        ({"sourceIPAddress": "10.0.0.0/8"}, "not an address", "|cidr"),
        ({"sourceIPAddress": "10.0.0.300"}, "not an address", ""),
        ({"errorCode": "Success"}, "no errorCode", "status: success"),
        ({"recipientAccountId": 12345678901}, "12 digits", "quotes"),
        ({"status": "failed"}, "is never", "failure"),
        ({"eventName|cased": ["CreateUser", "DeleteUsers"]}, "no call DeleteUsers", "DeleteUser"),
    ],
)
def test_what_no_record_can_hold_is_told_with_the_likely_fix(tmp_path, selection, said, fix):
    found = _linted(tmp_path, {"other": {"userAgent": "x"}, "sel": selection, "condition": "sel or other"})
    (complaint,) = found
    assert said in complaint[0]
    assert fix in complaint[2]
    assert complaint[1] == 9 + len(selection) - 1


@pytest.mark.parametrize(
    "selection",
    [
        {"eventSource": "lambda.amazonaws.com", "eventName": ["CreateFunction20150331", "Invoke", "CreateFunctionUrlConfig"]},
        {"eventSource": "S3.amazonaws.com", "eventName": ["putbucketlifecycle", "GetBucketAcl", "PutBucketPublicAccessBlock"]},
        {"eventSource": "new-service.amazonaws.com", "eventName": "DoSomething"},
        {"eventSource|endswith": ".amazonaws.com", "eventName": "Run*"},
        {"eventName|startswith": ["Create", "Delete"], "eventName|endswith": "User"},
        {"requestParameters.whatever.it.is": "x", "responseElements.a": None, "additionalEventData.MFAUsed": "No"},
        {"readOnly": ["true", False], "errorCode": None, "sourceIPAddress": ["AWS Internal", "s3.amazonaws.com", "::1"]},
        {"userIdentity.sessionContext.sessionIssuer.userName|contains": "x", "principal": "a", "origin": "b"},
        {"userIdentity.type": "Assumed*", "recipientAccountId": "0123*"},
    ],
)  # fmt: skip
def test_what_a_record_can_hold_is_left_alone(tmp_path, selection):
    assert _linted(tmp_path, {"sel": selection, "condition": "sel"}) == []


def test_a_name_may_be_meant_though_no_table_has_it(tmp_path):
    detection = {"sel": {"eventName": "PassRole"}, "condition": "sel"}
    assert _linted(tmp_path, detection)
    assert not _linted(tmp_path, detection, trailhound={"calls": ["PassRole"]})


@pytest.mark.parametrize(
    ("detection", "impossible"),
    [
        ({"a": {"eventName": "CreateUser"}, "b": {"eventName": "DeleteUser"}, "condition": "a and b"}, True),
        ({"a": {"eventName": "CreateUser"}, "b": {"eventName": "DeleteUser"}, "condition": "a or b"}, False),
        ({"a": {"eventName": "CreateUser", "eventName|endswith": "Role"}, "condition": "a"}, True),
        ({"a": {"eventName": ["CreateUser", "CreateRole"], "eventName|endswith": "Role"}, "condition": "a"}, False),
        ({"a": {"eventName": "CreateUser"}, "condition": "a and not a"}, True),
        ({"a": {"eventName": "createuser"}, "b": {"eventName|cased": "CreateUser"}, "condition": "a and b"}, False),
        ({"a": {"errorCode": None, "errorCode|contains": "Denied"}, "condition": "a"}, True),
        ({"a": {"requestParameters.x": "a"}, "b": {"requestParameters.x": "b"}, "condition": "a and b"}, False),
        ({"a": {"eventName": "CreateUser"}, "b": {"eventName": "*"}, "condition": "a and not b"}, True),
        ({"a": {"userAgent|re": "x", "userAgent": "y"}, "condition": "a"}, False),
    ],
)
def test_what_would_have_to_be_two_things_at_once(tmp_path, detection, impossible):
    said = [what for what, _, _ in _linted(tmp_path, detection)]
    assert any("two things at once" in what for what in said) is impossible


@pytest.mark.parametrize(
    ("kind", "condition", "impossible"),
    [
        ("event_count", {"lt": 1}, True),
        ("event_count", {"eq": 0}, True),
        ("event_count", {"gte": 5, "lt": 5}, True),
        ("event_count", {"gt": 4, "lt": 5}, True),
        ("event_count", {"gt": 4, "lte": 5}, False),
        ("event_count", {"lt": 2}, False),
        ("event_count", {"eq": 2.5}, True),
        ("value_sum", {"gt": 4, "lt": 5, "neq": 4.5, "field": "traffic.bytes_out"}, False),
        ("value_avg", {"lt": 0, "field": "traffic.bytes_out"}, False),
        ("temporal", {"gte": 3}, True),
        ("temporal", {"gte": 2}, False),
        ("temporal", "not a and not b", True),
        ("temporal", "not a and b", False),
    ],
)
def test_a_correlation_that_no_window_can_meet(tmp_path, kind, condition, impossible):
    bases = [
        {"title": n, "name": n, "logsource": {"product": "aws"}, "detection": {"s": {"eventName": "RunInstances"}, "condition": "s"}}
        for n in "ab"
    ]  # fmt: skip
    correlation = {"type": kind, "rules": ["a", "b"], "timespan": "5m", "condition": condition}
    (tmp_path / "r.yml").write_text(
        "\n---\n".join(json.dumps(one) for one in [*bases, {"title": "c", "correlation": correlation}])
    )
    rules = load_rules([tmp_path])
    assert not rules.errors, str(rules.errors[0])
    assert any(c.what.startswith("cannot fire") for c in lint(rules)) is impossible


def test_a_rule_that_asks_for_nothing_is_weak(tmp_path):
    (found,) = _linted(tmp_path, {"sel": {"userAgent": "x"}, "condition": "not sel"})
    assert "asks for no value" in found[0]


def test_every_call_in_real_records_is_known(shared_data):
    seen = {
        (one["eventSource"].removesuffix(".amazonaws.com"), one["eventName"])
        for path in (shared_data / "stratus").glob("*.json")
        for one in json.loads(path.read_bytes())
    }
    assert len(seen) > 50
    assert [(service, name) for service, name in sorted(seen) if service not in calls.services_of(name)] == []
