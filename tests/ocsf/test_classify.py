"""Class, activity and outcome."""

from __future__ import annotations

import pytest

from trailhound.ocsf.classify import FAILURE, SUCCESS, UNKNOWN, classify, outcome
from trailhound.vocab import ocsf, tsv


@pytest.mark.parametrize(
    ("service", "operation", "expected"),
    [
        ("signin", "ConsoleLogin", (3002, 1)),
        ("signin", "CheckMfa", (3002, 99)),
        ("signin", "SwitchRole", (6003, 99)),
        ("sts", "AssumeRoleWithSAML", (3002, 1)),
        ("sts", "GetSessionToken", (6003, 2)),
        ("iam", "CreateUser", (3001, 1)),
        ("transfer", "CreateUser", (6003, 1)),  # another service's user is no account
        ("iam", "CreateGroup", (6003, 1)),
        ("iam", "EnableMFADevice", (3001, 10)),
        ("iam", "DeactivateMFADevice", (3001, 11)),
        ("iam", "UpdateLoginProfile", (3001, 4)),
        ("iam", "PutRolePolicy", (3001, 7)),
        ("iam", "DeleteRolePolicy", (3001, 8)),
        ("iam", "DeletePolicy", (3001, 6)),
        ("iam", "CreatePolicy", (6003, 1)),
        ("signin", "PasswordUpdated", (3001, 3)),
        ("ec2", "TerminateInstances", (6003, 4)),
        ("ec2", "RunInstances", (6003, 1)),
        ("ec2", "DescribeInstances", (6003, 2)),
        ("lambda", "UpdateFunctionCode20150331v2", (6003, 3)),
        ("glue", "BatchGetCrawlers", (6003, 99)),  # a verb counts at the start only
        ("kms", "Decrypt", (6003, 99)),
    ],
)
def test_class_and_activity(service, operation, expected):
    kind = classify(f"{service}.amazonaws.com", operation)
    assert (kind.class_uid, kind.activity_id) == expected


def test_read_only_makes_a_read_of_any_api_activity(row, record):
    call = record(eventSource="glue.amazonaws.com", eventName="BatchGetCrawlers", readOnly=True)
    assert row(call)["activity_id"] == 2
    assert row(record(eventName="GetCreateThings", readOnly=True))["activity_id"] == 2
    assert row(record(eventSource="sts.amazonaws.com", eventName="AssumeRole", readOnly=True))["activity_id"] == 1


@pytest.mark.parametrize(("status", "activity"), [("Active", 2), ("Inactive", 5), (None, 99)])
def test_access_key_is_switched_on_or_off(row, record, status, activity):
    request = {"userName": "alice", "accessKeyId": "AKIA1", "status": status}
    call = record(eventSource="iam.amazonaws.com", eventName="UpdateAccessKey", requestParameters=request)
    assert row(call)["activity_id"] == activity


def test_every_row_of_the_table_is_in_the_schema():
    for _, operation, class_uid, activity_id, _ in tsv.rows("operations"):
        assert int(activity_id) in ocsf.CLASSES[int(class_uid)].activity, operation


@pytest.mark.parametrize(
    ("code", "message", "expected"),
    [
        (None, None, (SUCCESS, None, False)),
        ("", "", (SUCCESS, None, False)),
        ("AccessDenied", "no", (FAILURE, "AccessDenied", True)),
        ("NoSuchBucket", None, (FAILURE, "NoSuchBucket", False)),
        ("Client.DryRunOperation", "Request would have succeeded", (FAILURE, "Client.DryRunOperation", False)),
        (None, "Failed authentication", (FAILURE, "Failed authentication", False)),
        ("ClientException", "x is not authorized to perform: y", (FAILURE, "ClientException", True)),
    ],
)
def test_outcome_by_error(code, message, expected):
    assert outcome(code, message) == expected


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"responseElements": {"ConsoleLogin": "Success"}}, SUCCESS),
        ({"responseElements": {"ConsoleLogin": "Failure"}}, FAILURE),
        ({"responseElements": {"ConsoleLogin": "Failure"}, "errorMessage": "Failed authentication"}, FAILURE),
        ({"responseElements": None, "errorMessage": "No username found in supplied account"}, FAILURE),
        ({"responseElements": None}, UNKNOWN),
    ],
)
def test_sign_in_answers_under_its_own_name(row, record, fields, status):
    found = row(record(eventSource="signin.amazonaws.com", eventName="ConsoleLogin", **fields))
    assert (found["status_id"], found["denied"]) == (status, False)


def test_identity_center_answers_in_service_event_details(row, record):
    failed = record(
        eventSource="signin.amazonaws.com",
        eventName="CredentialVerification",
        serviceEventDetails={"CredentialVerification": "Failure"},
    )
    assert row(failed)["status_id"] == FAILURE


def test_error_inside_the_answer_is_a_failure(row, record):
    answer = {"progressEvent": {}, "errorCode": "AccessDenied", "errorMessage": "no"}
    found = row(record(responseElements=answer))
    assert (found["status_id"], found["status_detail"], found["denied"]) == (FAILURE, "AccessDenied", True)
    assert row(record(responseElements={"errorCode": None}))["status_id"] == SUCCESS
