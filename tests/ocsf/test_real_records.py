"""Published records of emulated attacks and of single calls, read a second time the slow and obvious way."""

from __future__ import annotations

import ipaddress
import json

import pytest

from trailhound.model import Record
from trailhound.ocsf.document import document
from trailhound.ocsf.normalize import normalize


@pytest.fixture(scope="module")
def columns(real_records):
    batch = normalize([Record(json.dumps(record).encode(), name, 0) for name, record in real_records])
    assert not batch.rejects
    return batch.columns


def plain_principal(identity):
    arn = identity["arn"]
    account, kind, name = arn.split(":")[4], arn.split(":")[5].split("/")[0], arn.split("/")
    if kind == "assumed-role":
        return f"arn:aws:iam::{account}:role/{name[1]}"
    return f"arn:aws:iam::{account}:user/{name[-1]}" if kind == "user" else arn


def plain_status(record):
    if record["eventName"] == "ConsoleLogin":
        return 1 if record["responseElements"]["ConsoleLogin"] == "Success" else 2
    return 2 if record.get("errorCode") else 1


def plain_ip(record):
    octets = record["sourceIPAddress"].split(".")
    try:
        return str(ipaddress.ip_address(".".join(str(int(octet)) for octet in octets)))
    except ValueError:
        return None


def test_principal_status_and_address_as_a_plain_reading_has_them(real_records, columns):
    for index, (name, record) in enumerate(real_records):
        identity = record.get("userIdentity")
        assert columns["principal_uid"][index] == (plain_principal(identity) if identity else "unknown"), name
        assert columns["status_id"][index] == plain_status(record), name
        assert columns["src_endpoint.ip"][index] == plain_ip(record), name


def test_denied_as_a_plain_reading_has_it(real_records, columns):
    words = ("AccessDenied", "Unauthorized")
    for index, (name, record) in enumerate(real_records):
        assert columns["denied"][index] == any(word in record.get("errorCode", "") for word in words), name


def test_parameters_and_record_come_back_unchanged(real_records, columns):
    for index, (_, record) in enumerate(real_records):
        assert json.loads(columns["raw_data"][index]) == record
        for path, key in (("api.request.data", "requestParameters"), ("api.response.data", "responseElements")):
            assert json.loads(columns[path][index] or "null") == record.get(key)


def test_every_event_is_valid(real_records, stored, faults):
    rows = stored([json.dumps(record).encode() for _, record in real_records])
    assert [fault for row in rows for fault in faults(document(row))] == []


# Calls that change something, whose record says nowhere what: denied before the parameters were read, or none named.
NOTHING_NAMED = {
    "ConsoleLogin", "GetSigninToken", "CreateSession", "DeleteConfigurationRecorder", "StopConfigurationRecorder",
    "DeleteDeliveryChannel", "CreateTrafficMirrorFilter", "CreateVolume", "CreateService", "DeleteFileSystem",
    "DeleteMountTarget", "CreateDevEndpoint", "CreateKey", "CreateEventSourceMapping20150331",
    "CreateFunction20150331", "UpdateEventSourceMapping20150331", "CreateInstances", "ModifyActivityStream",
    "StartExportTask", "CreateHostedZone", "DeleteIdentity", "VerifyEmailIdentity", "CreateServer", "CreateUser",
}  # fmt: skip


def test_every_other_change_names_a_resource(columns):
    calls = zip(columns["api.operation"], columns["read_only"], columns["resources"], strict=True)
    changes = [(operation, found) for operation, read_only, found in calls if not read_only]
    named = {operation for operation, found in changes if found}
    assert {operation for operation, _ in changes} - named <= NOTHING_NAMED


@pytest.mark.parametrize(
    ("attack", "operation", "kind", "part"),
    [
        ("defense-evasion.cloudtrail-stop", "StopLogging", "AWS::CloudTrail::Trail", "ct-stop-trail"),
        ("defense-evasion.vpc-remove-flow-logs", "DeleteFlowLogs", "AWS::EC2::FlowLog", "fl-"),
        ("defense-evasion.dns-delete-logs", "DeleteResolverQueryLogConfig", "AWS::Route53Resolver::", "rqlc-"),
        ("execution.ssm-send-command", "SendCommand", "AWS::EC2::Instance", "i-"),
        ("exfiltration.ec2-share-ebs-snapshot", "ModifySnapshotAttribute", "AWS::EC2::Snapshot", "snap-"),
        ("exfiltration.ec2-share-ami", "ModifyImageAttribute", "AWS::EC2::Image", "ami-"),
        ("exfiltration.rds-share-snapshot", "ModifyDBSnapshotAttribute", "AWS::RDS::DBSnapshot", "exfiltration"),
        ("persistence.iam-backdoor-user", "CreateAccessKey", "AWS::IAM::AccessKey", "AKIA"),
        ("persistence.iam-backdoor-role", "UpdateAssumeRolePolicy", "AWS::IAM::Role", "backdoor-r-role"),
        ("persistence.lambda-backdoor-function", "AddPermission20150331v2", "AWS::Lambda::Function", "backdoor-f-func"),
        (
            "credential-access.secretsmanager-retrieve",
            "GetSecretValue",
            "AWS::SecretsManager::Secret",
            "retrieve-secret",
        ),
        ("credential-access.ssm-retrieve", "GetParameters", "AWS::SSM::Parameter", "credentials"),
    ],
)
def test_target_of_an_attack_is_named(columns, attack, operation, kind, part):
    rows = zip(columns["source_uid"], columns["api.operation"], columns["resources"], strict=True)
    found = [one for name, call, named in rows if attack in name and call == operation for one in named]
    assert any(one[2].startswith(kind) and part in one[0] for one in found), found
