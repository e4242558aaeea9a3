"""What an event happened to: each resource once, in the one form by which it is known."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trailhound.ocsf.resources import identify
from trailhound.vocab import tsv

ACCOUNT = "111122223333"
IAM = f"arn:aws:iam::{ACCOUNT}:"


@pytest.fixture(scope="session")
def named(row, record):
    """{(type, uid), ...} of a call."""

    def find(service, operation, request=None, response=None, **fields):
        fields |= {"eventSource": f"{service}.amazonaws.com", "eventName": operation}
        found = row(record(requestParameters=request, responseElements=response, **fields))["resources"]
        assert len(found) == len(set(found))
        return {(kind.removeprefix("AWS::"), uid) for uid, _, kind, _ in found}

    return find


def items(*ids, **more):
    return {"instancesSet": {"items": [{"instanceId": one, **more} for one in ids]}}


def test_each_instance_of_request_and_response_once(named):
    found = named("ec2", "TerminateInstances", items("i-1", "i-2"), items("i-1", "i-2", currentState={"code": 32}))
    assert found == {("EC2::Instance", "i-1"), ("EC2::Instance", "i-2")}


def test_instances_that_a_call_brings_into_being(named):
    answer = items("i-1", "i-2", imageId="ami-1", tagSet={"items": [{"key": "env", "value": "prod"}]})
    found = named("ec2", "RunInstances", {"instancesSet": {"items": [{"imageId": "ami-1"}]}}, answer)
    assert found == {("EC2::Instance", "i-1"), ("EC2::Instance", "i-2"), ("EC2::Image", "ami-1")}


@pytest.mark.parametrize(
    ("service", "operation", "request_", "response", "expected"),
    [
        (
            "ec2",
            "DeleteFlowLogs",
            {"DeleteFlowLogsRequest": {"FlowLogId": {"content": "fl-1", "tag": 1}}},
            None,
            "EC2::FlowLog fl-1",
        ),
        ("ec2", "ModifySnapshotAttribute", {"snapshotId": "snap-1"}, {"_return": True}, "EC2::Snapshot snap-1"),
        ("ec2", "CreateTags", {"resourcesSet": {"items": [{"resourceId": "vol-1"}]}}, None, "EC2::Volume vol-1"),
        ("s3", "PutBucketPolicy", {"bucketName": "b", "bucketPolicy": {}}, None, "S3::Bucket b"),
        ("s3", "PutAccountPublicAccessBlock", None, None, f"Organizations::Account {ACCOUNT}"),
        ("iam", "UpdateAssumeRolePolicy", {"roleName": "r"}, None, f"IAM::Role {IAM}role/r"),
        ("iam", "DeactivateMFADevice", {"serialNumber": f"{IAM}mfa/m"}, None, f"IAM::VirtualMFADevice {IAM}mfa/m"),
        ("iam", "CreateUser", {"userName": "u"}, {"user": {"arn": f"{IAM}user/p/u"}}, f"IAM::User {IAM}user/u"),
        ("cloudtrail", "StopLogging", {"name": "t"}, None, "CloudTrail::Trail t"),
        ("lambda", "UpdateFunctionCode20150331v2", {"functionName": "f"}, None, "Lambda::Function f"),
        ("secretsmanager", "GetSecretValue", {"secretId": "s"}, None, "SecretsManager::Secret s"),
        ("ssm", "GetParameter", {"name": "/p", "withDecryption": True}, None, "SSM::Parameter /p"),
        ("kms", "ScheduleKeyDeletion", {"keyId": "k"}, None, "KMS::Key k"),
        ("rds", "ModifyDBSnapshotAttribute", {"dBSnapshotIdentifier": "d"}, None, "RDS::DBSnapshot d"),
        ("logs", "DeleteLogGroup", {"logGroupName": "/g"}, None, "Logs::LogGroup /g"),
        ("events", "DisableRule", {"name": "r"}, None, "Events::Rule r"),
        ("guardduty", "DeleteDetector", {"detectorId": "d"}, None, "GuardDuty::Detector d"),
        ("organizations", "LeaveOrganization", None, None, f"Organizations::Account {ACCOUNT}"),
        ("ec2", "AuthorizeSecurityGroupIngress", {"groupName": "web"}, None, "EC2::SecurityGroup web"),
    ],
)
def test_target_of_a_call(named, service, operation, request_, response, expected):
    assert named(service, operation, request_, response) == {tuple(expected.split(" ", 1))}


def test_access_key_and_its_user(named):
    answer = {"accessKey": {"userName": "bob", "accessKeyId": "AKIA2"}}
    found = named("iam", "CreateAccessKey", {"userName": "bob"}, answer)
    assert found == {("IAM::User", f"{IAM}user/bob"), ("IAM::AccessKey", "AKIA2")}


def test_object_and_bucket_by_request_and_by_the_record_s_own_list(named):
    own = [
        {"type": "AWS::S3::Object", "ARN": "arn:aws:s3:::b/a/key with: signs"},
        {"type": "AWS::S3::Bucket", "ARN": "arn:aws:s3:::b", "accountId": ACCOUNT},
    ]
    found = named("s3", "GetObject", {"bucketName": "b", "key": "a/key with: signs"}, resources=own)
    assert found == {("S3::Bucket", "b"), ("S3::Object", "b/a/key with: signs")}


def test_listed_prefix_is_the_bucket(named):
    own = [{"type": "AWS::S3::Object", "ARNPrefix": "arn:aws:s3:::b/logs/"}]
    assert named("s3", "ListObjects", None, resources=own) == {("S3::Bucket", "b")}


def test_name_and_arn_of_one_thing_are_one_resource(named):
    arn = f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:f"
    answer = {"functionName": "f", "functionArn": f"{arn}:7"}
    assert named("lambda", "UpdateFunctionCode20150331v2", {"functionName": "f"}, answer) == {("Lambda::Function", arn)}


def test_denied_call_names_its_target_in_the_message(named):
    def denied(target):
        message = (
            f"User: x is not authorized to perform: a:B on resource: {target} because no identity-based policy allows"
        )
        return named("iam", "X", errorCode="AccessDenied", errorMessage=message)

    assert denied("user mallory") == {("IAM::User", f"{IAM}user/mallory")}
    assert denied(f"policy {IAM}policy/p version v2") == {("IAM::Policy", f"{IAM}policy/p")}
    assert denied(f"arn:aws:ec2:us-east-1:{ACCOUNT}:instance/i-1") == {("EC2::Instance", "i-1")}
    assert denied(f"arn:aws:ec2:us-east-1:{ACCOUNT}:instance/*") == denied("*") == denied("user ") == set()


def test_masked_values_name_nothing(named):
    assert named("iam", "GetUser", {"userName": "HIDDEN_DUE_TO_SECURITY_REASONS"}) == {
        ("IAM::User", f"{IAM}user/alice")
    }
    assert named("ssm", "SendCommand", {"instanceIds": "***", "parameters": "HIDDEN_DUE_TO_SECURITY_REASONS"}) == set()


@pytest.mark.parametrize(
    ("arn", "uid", "name", "kind"),
    [
        (f"{IAM}role/a/b/r", f"{IAM}role/r", "r", "IAM::Role"),
        (f"arn:aws:sts::{ACCOUNT}:assumed-role/r/s", f"{IAM}role/r", "r", "IAM::Role"),
        ("arn:aws:iam::aws:policy/job/X", "arn:aws:iam::aws:policy/job/X", "X", "IAM::Policy"),
        ("arn:aws-cn:s3:::b", "b", "b", "S3::Bucket"),
        (f"arn:aws:secretsmanager:r:{ACCOUNT}:secret:a/b-AbCdEf", None, "a/b", "SecretsManager::Secret"),
        (f"arn:aws:ssm:r:{ACCOUNT}:parameter/a/b", None, "/a/b", "SSM::Parameter"),
        (f"arn:aws:ssm:r:{ACCOUNT}:parameter/a", None, "a", "SSM::Parameter"),
        (f"arn:aws:logs:r:{ACCOUNT}:log-group:/g:*", f"arn:aws:logs:r:{ACCOUNT}:log-group:/g", "/g", "Logs::LogGroup"),
        (f"arn:aws:kms:r:{ACCOUNT}:alias/a", None, "alias/a", "KMS::Alias"),
        (f"arn:aws:new:r:{ACCOUNT}:thing/t", None, "t", ""),
    ],
)
def test_type_and_name_are_read_from_the_arn(arn, uid, name, kind):
    found = identify(arn, "", ACCOUNT, "aws", None)
    assert found is not None
    assert found[:3] == (uid or arn, name, f"AWS::{kind}" if kind else "")


def test_every_type_of_the_table_has_a_form_or_stays_as_logged():
    kinds = {kind for _, _, _, kind, _ in tsv.rows("resources") if kind}
    for kind in kinds - {"AWS::S3::Object"}:
        assert identify("a-name", kind, ACCOUNT, "aws", None) is not None, kind


def test_table_has_no_double_lines():
    places = [(service, operation, path) for service, operation, path, _, _ in tsv.rows("resources")]
    assert len(places) == len(set(places))
    assert {path.partition(".")[0] for _, _, path in places} == {"request", "response", "caller", "account"}


NAMES = st.text("abcXYZ019._-", min_size=1, max_size=20)


@settings(deadline=None)
@given(bucket=NAMES, key=st.text(min_size=1, max_size=40).filter(str.isprintable))
def test_an_object_has_one_uid_by_name_and_by_arn(named, bucket, key):
    own = [{"type": "AWS::S3::Object", "ARN": f"arn:aws:s3:::{bucket}/{key}"}]
    found = named("s3", "GetObject", {"bucketName": bucket, "key": key}, resources=own)
    assert found == {("S3::Bucket", bucket.strip()), ("S3::Object", f"{bucket}/{key}")}
