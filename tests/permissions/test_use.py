"""Was it used, when?"""

from __future__ import annotations

import pytest
from tests.permissions.calls import ACCOUNT, ROLE, USER, Log, allow, text

from trailhound.permissions import actions
from trailhound.permissions.change import meaning
from trailhound.permissions.use import needed, uses
from trailhound.vocab import tsv

SESSION = f"arn:aws:sts::{ACCOUNT}:assumed-role/r/s"


def by(log: Log, arn: str, operation: str, service: str, **more: str) -> str:
    at = log.call(operation, service, **more)
    log.records[-1]["userIdentity"] = {"arn": arn, "accountId": ACCOUNT}
    return at


@pytest.mark.parametrize(("kind", "who", "holder"), [("user", USER, USER), ("role", SESSION, ROLE)])
def test_use_begins_with_the_first_call_that_needed_it(kind: str, who: str, holder: str) -> None:
    log, name = Log(), {f"{kind}Name": holder[-1]}
    log.call(f"Create{kind.title()}", **name)
    by(log, who, "GetObject", "s3")  # before
    at = log.call(
        f"Put{kind.title()}Policy", **name, policyName="p", policyDocument=text(allow(["s3:Get*", "lambda:Update*"]))
    )
    same = log.records[-1]["eventTime"]
    by(log, who, "GetObject", "s3", eventTime=same)  # in the same second
    by(log, who, "GetObject", "s3", errorCode="AccessDenied")
    by(log, who, "PutObject", "s3")
    by(log, f"arn:aws:iam::{ACCOUNT}:user/other", "GetObject", "s3")
    first = by(log, who, "HeadObject", "s3")
    second = by(log, who, "UpdateFunctionCode20150331v2", "lambda")
    (use,) = uses(meaning(log.records, at), log.records[::-1])
    assert (use.holder, use.event_uids) == (holder, (first, second))
    assert use.actions == ("lambda:UpdateFunctionCode", "s3:GetObject")


def test_what_was_held_before_is_not_used_as_gained() -> None:
    log = Log()
    log.call("CreateUser", userName="u")
    log.call("PutUserPolicy", userName="u", policyName="old", policyDocument=text(allow("s3:*")))
    at = log.call("PutUserPolicy", userName="u", policyName="p", policyDocument=text(allow(["s3:*", "ec2:*"])))
    by(log, USER, "GetObject", "s3")
    assert uses(meaning(log.records, at), log.records) == ()


@pytest.mark.parametrize(
    ("service", "call", "expected"),
    [
        ("monitoring", "PutMetricAlarm", {"cloudwatch:putmetricalarm"}),
        ("lambda", "CreateFunction20150331", {"lambda:createfunction"}),
        ("s3", "CopyObject", {"s3:getobject", "s3:putobject"}),
        ("sts", "GetCallerIdentity", set()),
        ("ec2", "RunInstances", {"ec2:runinstances"}),
    ],
)
def test_the_action_behind_a_call(service: str, call: str, expected: set) -> None:
    assert needed({"eventSource": f"{service}.amazonaws.com", "eventName": call}) == expected


def test_every_action_in_the_table_is_one_of_aws() -> None:
    for service, call, written in tsv.rows("call_actions"):
        for each in filter(None, written.split("|")):
            prefix, _, name = each.partition(":")
            assert prefix in actions.by_service(), (service, call)
            assert name == "{}" or each.lower() in actions.everything(), each
