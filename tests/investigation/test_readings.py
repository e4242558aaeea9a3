"""Documents and outcomes are read as AWS reads them, and what cannot be read is not guessed."""

from __future__ import annotations

import pytest
from tests.investigation.history import HOME, History, call, user

TERMINATE = call(
    "TerminateInstances", requestParameters={"instancesSet": {"items": [{"instanceId": "i-0123456789abcdef0"}]}}
)
ALLOW_ALL = '{"Statement": [{"Effect": "Allow", "Action": ["s3:*", "*"], "Resource": "*"}]}'


@pytest.mark.parametrize(
    ("document", "verdict"),
    [
        (ALLOW_ALL, "yes"),
        ('{"Statement": {"Effect": "Allow", "Action": "*:*", "Resource": "*"}}', "yes"),
        ('{"Statement": [{"Effect": "Deny", "Action": "*", "Resource": "*"}]}', "no"),
        ('{"Statement": [{"Effect": "Allow", "Action": ["s3:Get*"], "Resource": "*"}]}', "no"),
        ('{"Statement": [{"Effect": "Allow", "NotAction": "iam:*", "Resource": "*"}]}', "no"),
        ('{"Statement": [{"Effect": "Allow", "NotAction": "iam:CreateUser", "Resource": "*"}]}', "yes"),
        ('{"Statement": 5}', "unknown"),
        ("{", "unknown"),
        (None, "unknown"),
    ],
)
def test_a_policy_is_read_and_not_guessed(document, verdict):
    arn = "arn:aws:iam::111122223333:policy/p"
    made = call(
        "CreatePolicy",
        service="iam",
        region=HOME,
        requestParameters={"policyName": "p", "policyDocument": document},
        responseElements={"policy": {"arn": arn}},
    )
    assert History([made]).ask("policy.administrator").verdict == verdict


def test_a_policy_is_the_same_hand_only_if_it_is_the_same_policy():
    arn = "arn:aws:iam::111122223333:policy/"
    made = call(
        "CreatePolicy",
        -1,
        service="iam",
        region=HOME,
        requestParameters={"policyName": "a"},
        responseElements={"policy": {"arn": arn + "a"}},
    )

    def given(name, hours=0, **fields):
        named = {"policyArn": arn + name, "userName": "ann"}
        return call("AttachUserPolicy", hours, service="iam", region=HOME, requestParameters=named, **fields)

    assert History([made, given("b")]).ask("policy.created_and_attached").verdict == "unknown"
    assert History([made, given("a")]).ask("policy.created_and_attached").verdict == "yes"
    assert History([made, given("a", userIdentity=user("eve"))]).ask("policy.created_and_attached").verdict == "no"
    earlier = History([given("a", -9), made]).ask("policy.created_and_attached")
    assert "later" not in earlier.sentence


def _statement(principal, effect="Allow"):
    return {"bucketPolicy": {"Statement": [{"Effect": effect, "Principal": principal, "Action": "s3:GetObject"}]}}


@pytest.mark.parametrize(
    ("operation", "request_", "verdict"),
    [
        ("PutBucketPolicy", _statement("*"), "yes"),
        ("PutBucketPolicy", _statement({"AWS": ["arn:aws:iam::111122223333:root", "*"]}), "yes"),
        ("PutBucketPolicy", _statement({"AWS": "111122223333"}), "no"),
        ("PutBucketPolicy", _statement("*", "Deny"), "no"),
        ("PutBucketPolicy", {}, "unknown"),
        ("PutBucketAcl", {"x-amz-acl": ["authenticated-read"]}, "yes"),
        ("PutBucketAcl", {"x-amz-acl": ["private"]}, "no"),
        ("PutBucketPublicAccessBlock", {"PublicAccessBlockConfiguration": {"BlockPublicAcls": True}}, "yes"),
        ("PutBucketPublicAccessBlock", {"PublicAccessBlockConfiguration": dict.fromkeys(
            ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets"), True)}, "no"),
        ("DeleteBucketPublicAccessBlock", {}, "yes"),
    ],
)  # fmt: skip
def test_a_bucket_is_open_to_all_if_its_guard_says_so(operation, request_, verdict):
    alert = call(operation, service="s3", requestParameters={"bucketName": "secret"} | request_)
    assert History([alert]).ask("bucket.opened_to_all").verdict == verdict
    assert History([alert | {"errorCode": "AccessDenied"}]).ask("bucket.opened_to_all").verdict == "no"


def test_a_trail_that_is_narrowed_or_answered_by_another_is_not_called_whole():
    trail = {"name": "arn:aws:cloudtrail:us-east-2:111122223333:trail/main"}
    narrowed = call("PutEventSelectors", service="cloudtrail", requestParameters={"trailName": "main"})
    assert History([narrowed]).ask("trail.blind").verdict == "unknown"
    stopped = call("StopLogging", service="cloudtrail", requestParameters=trail)
    started = lambda name: call("StartLogging", 2, service="cloudtrail", requestParameters={"name": name})  # noqa: E731
    assert "starts the trail again" in History([stopped], [started("other")]).ask("trail.blind").sentence
    assert "two hours later" in History([stopped], [started("main")]).ask("trail.blind").sentence


def test_calls_whose_outcome_is_not_told_did_not_fail():
    sign_in = call("ConsoleLogin", service="signin", region=HOME)
    assert History([sign_in]).ask("operation.succeeded").verdict == "unknown"
    assert History([TERMINATE | {"errorCode": "AccessDenied"}]).ask("operation.succeeded").verdict == "no"


def test_a_caller_of_no_known_account_is_not_one_of_ours():
    nowhere = TERMINATE | {"userIdentity": {"type": "AWSService", "invokedBy": "ec2.amazonaws.com"}}
    assert History([TERMINATE]).ask("account.from_outside").verdict == "no"
    assert History([TERMINATE, nowhere]).ask("account.from_outside").verdict == "unknown"
    outside = TERMINATE | {"userIdentity": user(account="999999999999")}
    assert History([TERMINATE, outside]).ask("account.from_outside").facts["callers"] == ["999999999999"]
