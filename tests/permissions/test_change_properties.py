"""What holds of the meaning of every call, whatever the log says."""

from __future__ import annotations

import random

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.permissions.calls import ADMIN, Log, allow, text

from trailhound.permissions.change import meaning

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.sampled_from(["2012-10-17", "Allow", "*", "arn:aws:iam::1:user/u"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["Version", "Statement", "Effect", "Action", "Resource", "Principal", "Condition", "AWS", "StringEquals", "x"]), inner, max_size=4),
    max_leaves=12,
)  # fmt: skip
FIELDS = ["userName", "policyName", "policyDocument", "policyArn", "roleName", "groupName", "bucketName", "bucketPolicy", "keyId", "policy", "attributes", "functionName", "principal", "aWSAccountId", "actionName"]  # fmt: skip
CALLS = ["PutUserPolicy", "AttachRolePolicy", "CreateRole", "AddUserToGroup", "CreatePolicyVersion", "PutUserPermissionsBoundary", "PutBucketPolicy", "PutKeyPolicy", "AddPermission", "SetQueueAttributes", "DeletePolicy"]  # fmt: skip


@given(
    st.lists(
        st.tuples(
            st.sampled_from(CALLS),
            st.sampled_from(["iam", "s3", "kms", "sqs", "sns", "lambda"]),
            JSON | st.dictionaries(st.sampled_from(FIELDS), JSON, max_size=5),
        ),
        min_size=1,
        max_size=4,
    )
)
def test_no_record_breaks_it(calls: list) -> None:
    log = Log()
    for operation, service, request in calls:
        log.call(operation, service)
        log.records[-1]["requestParameters"] = log.records[-1]["responseElements"] = request
    for record in log.records:
        change = meaning(log.records, record["eventID"])
        assert change.effect in ("gains", "loses", "gains and loses", "none", "unknown")


@settings(max_examples=40)
@given(st.integers(0, 10_000))
def test_the_order_of_records_says_nothing(seed: int) -> None:
    chance = random.Random(seed)
    log = Log()
    for _ in range(12):
        name, policy = {"userName": chance.choice("uv")}, {"policyName": chance.choice("pq")}
        calls = [
            ("CreateUser", name),
            ("DeleteUser", name),
            (
                "PutUserPolicy",
                {
                    **name,
                    **policy,
                    "policyDocument": text(
                        allow(
                            chance.choice(["s3:*", "s3:Get*", "iam:PassRole"]),
                            effect=chance.choice(["Allow", "Allow", "Deny"]),
                        )
                    ),
                },
            ),
            ("DeleteUserPolicy", {**name, **policy}),
            ("AttachUserPolicy", {**name, "policyArn": ADMIN}),
            ("DetachUserPolicy", {**name, "policyArn": ADMIN}),
        ]
        operation, request = chance.choice(calls)
        at = log.call(operation, **request)
    shuffled = chance.sample(log.records, len(log.records))
    assert meaning(shuffled, at) == meaning(log.records, at)
    whole = [{"eventID": "0", **{k: v for k, v in log.records[0].items() if k != "eventID"}, "eventName": "CreateUser", "requestParameters": {"userName": each}, "eventTime": f"2026-04-30T00:00:0{each == 'u':d}Z"} for each in "uv"]  # fmt: skip
    whole[1]["eventID"] = "00"
    known = meaning([*whole, *log.records], at)
    shown = meaning(log.records, at)
    if shown.effect == "none":  # what is proven with less of the log stays so with more of it
        assert known.effect == "none"
    if known.effect in ("gains", "gains and loses"):
        assert shown.effect in ("unknown", "gains", "gains and loses")
