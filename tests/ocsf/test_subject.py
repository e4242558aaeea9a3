"""The user signing in or acted upon, the session issued, the policy."""

from __future__ import annotations

import pytest

ACCOUNT = "111122223333"


def issued(**more):
    credentials = {"accessKeyId": "ASIAEXAMPLE", "expiration": "May 6, 2024, 8:08:09 AM"}
    return {"credentials": credentials, **more}


def test_role_assumed_is_who_signs_in_and_the_session_is_known(row, record):
    arn = f"arn:aws:sts::{ACCOUNT}:assumed-role/deployer/run"
    found = row(
        record(
            eventSource="sts.amazonaws.com",
            eventName="AssumeRole",
            requestParameters={"roleArn": f"arn:aws:iam::{ACCOUNT}:role/ci/deployer", "roleSessionName": "run"},
            responseElements=issued(assumedRoleUser={"arn": arn}),
        )
    )
    assert (found["user.name"], found["user.uid"]) == ("run", f"arn:aws:iam::{ACCOUNT}:role/deployer")
    assert (found["session.uid"], found["session.credential_uid"]) == (arn, "ASIAEXAMPLE")
    assert found["session.expiration_time"] == 1714982889000


def test_failed_assume_role_issues_nothing(row, record):
    request = {"roleArn": f"arn:aws:iam::{ACCOUNT}:role/x", "roleSessionName": "run"}
    found = row(
        record(
            eventSource="sts.amazonaws.com", eventName="AssumeRole", requestParameters=request, errorCode="AccessDenied"
        )
    )
    assert found["user.uid"] == f"arn:aws:iam::{ACCOUNT}:role/x"
    assert (found["session.uid"], found["session.credential_uid"]) == (None, None)


@pytest.mark.parametrize("operation", ["GetSessionToken", "GetFederationToken", "AssumeRoot"])
def test_sessions_of_api_activity_are_known_too(row, record, operation):
    call = record(eventSource="sts.amazonaws.com", eventName=operation, responseElements=issued())
    assert row(call)["session.credential_uid"] == "ASIAEXAMPLE"


@pytest.mark.parametrize(("logged", "used"), [("Yes", True), ("YES", True), ("No", False), ("", None), (None, None)])
def test_mfa_at_sign_in(row, record, logged, used):
    data = {"MFAUsed": logged, "LoginTo": "https://console.aws.amazon.com/"}
    found = row(record(eventSource="signin.amazonaws.com", eventName="ConsoleLogin", additionalEventData=data))
    assert found["is_mfa"] is used
    assert (found["user.name"], found["user.uid"]) == ("alice", f"arn:aws:iam::{ACCOUNT}:user/alice")


@pytest.mark.parametrize(
    ("operation", "request_", "user", "policy"),
    [
        (
            "AttachUserPolicy",
            {"userName": "bob", "policyArn": "arn:aws:iam::aws:policy/X"},
            "user/bob",
            "arn:aws:iam::aws:policy/X",
        ),
        ("PutRolePolicy", {"roleName": "r", "policyName": "inline"}, "role/r", "inline"),
        ("PutUserPermissionsBoundary", {"userName": "bob", "permissionsBoundary": "arn:p"}, "user/bob", "arn:p"),
        ("DeleteLoginProfile", {"userName": "bob"}, "user/bob", None),
        ("ChangePassword", None, "user/alice", None),
        ("DeleteAccessKey", {"accessKeyId": "AKIA1"}, "user/alice", None),
        ("PutGroupPolicy", {"groupName": "g", "policyName": "inline"}, None, "inline"),
    ],
)
def test_account_change_names_whom_it_changed(row, record, operation, request_, user, policy):
    found = row(record(eventSource="iam.amazonaws.com", eventName=operation, requestParameters=request_))
    assert found["user.uid"] == (f"arn:aws:iam::{ACCOUNT}:{user}" if user else None)
    assert found["policy.uid"] == policy
