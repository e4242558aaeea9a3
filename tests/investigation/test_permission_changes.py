"""What policies mean reaches the answers: gained, lost, no difference, not known, used."""

from __future__ import annotations

import json

import pytest
from tests.investigation.history import ACCOUNT, History, Json, call, user
from tests.investigation.question_cases import IAM, OTHER, allows, asked, lets_in

EVE = user("eve", "AKIAEVE0000000000000")
ADMIN = "arn:aws:iam::aws:policy/AdministratorAccess"
MADE = call("CreateUser", -30, **IAM, **asked(userName="eve"))
POLICY = f"arn:aws:iam::{ACCOUNT}:policy/p"


def put(hours: float, document: str | None) -> Json:
    return call("PutUserPolicy", hours, **IAM, **asked(userName="eve", policyName="p", policyDocument=document))


def version(hours: float, document: str, *, default: bool = True) -> Json:
    return call(
        "CreatePolicyVersion", hours, **IAM, **asked(policyArn=POLICY, policyDocument=document, setAsDefault=default)
    )


def test_what_was_granted_is_told_with_the_way_that_it_opens_and_its_first_use():
    used = call("RunInstances", 0.5, userIdentity=EVE)
    others = [MADE, call("DescribeVpcs", -20, userIdentity=EVE), used, call("DescribeVpcs", 0.6, userIdentity=EVE)]
    found = History([put(0, allows("iam:PassRole", "ec2:*"))], others).ask("operation.permissions")
    assert found.verdict == "yes"
    assert "eve gained ec2:* and iam:PassRole on every resource" in found.sentence
    assert "“Pass a role to a new instance”" in found.sentence
    assert "used it 30 minutes later (ec2:RunInstances)" in found.sentence
    assert found.evidence_count == 2  # the grant and its first use


def test_another_text_of_the_same_meaning_is_no_difference():
    before = put(-9, allows("s3:GetObject", "s3:PutObject"))
    statements = [
        {"Sid": "x", "Effect": "Allow", "Action": name, "Resource": "*"} for name in ("s3:putobject", "s3:GetObject")
    ]
    again = put(0, json.dumps({"Statement": statements}, indent=3))
    assert History([again], [MADE, before]).ask("operation.permissions").verdict == "no"
    assert History([put(0, allows("s3:*"))], [MADE, before]).ask("operation.permissions").verdict == "yes"
    older, newer = version(-9, allows("s3:GetObject")), version(0, json.dumps({"Statement": statements[1]}))
    assert History([newer], [older]).ask("policy.changed").verdict == "no"


@pytest.mark.parametrize(
    ("alert", "others", "because"),
    [
        (put(0, allows("s3:*")), [], "before the log"),
        (put(0, None), [MADE], "does not show it"),
        (version(0, allows("s3:*")), [], "not in the log"),
    ],
)
def test_what_the_log_does_not_show_is_unknown(alert: Json, others: list[Json], because: str):
    found = History([alert], others).ask("operation.permissions")
    assert found.verdict == "unknown"
    assert because in found.gaps[0].because


def test_who_may_assume_a_role_is_read_as_aws_reads_it():
    trust = call("UpdateAssumeRolePolicy", **IAM, **asked(roleName="admin", policyDocument=lets_in(OTHER)))
    made = call("CreateRole", -50, **IAM, **asked(roleName="admin", assumeRolePolicyDocument=lets_in(ACCOUNT)))
    history = History([trust], [made])
    assert f"now allows sts:AssumeRole by account {OTHER}" in history.ask("role.trust_changed").sentence
    assert f"no longer allows sts:AssumeRole by account {ACCOUNT}" in history.ask("role.trust_changed").sentence
    assert f"trusts account {OTHER}" in history.ask("role.trusts").sentence
    earlier = [each | {"eventTime": call("X", hours)["eventTime"]} for each, hours in ((made, -801), (trust, -800))]
    again = History([trust], earlier).ask("role.trust_changed")
    assert "lets in the same as before" in again.sentence


def test_a_boundary_that_is_taken_away_tells_what_it_held_back():
    bound = call("PutUserPermissionsBoundary", -9, **IAM, **asked(userName="eve", permissionsBoundary=POLICY))
    policy = call("CreatePolicy", -10, **IAM, **asked(policyName="p", policyDocument=allows("s3:Get*")))
    gone = call("DeleteUserPermissionsBoundary", 0.1, **IAM, **asked(userName="eve"))
    attach = call("AttachUserPolicy", **IAM, **asked(userName="eve", policyArn=ADMIN))
    found = History([attach], [MADE, policy, bound, gone]).ask("policy.guard_weakened")
    assert "no longer held back by a boundary" in found.sentence


def test_many_policy_writes_are_bounded_and_said():
    alert = [call("PutUserPolicy", n / 1000, **IAM, **asked(userName=f"u{n}", policyName="p", policyDocument=allows("s3:*"))) for n in range(25)]  # fmt: skip
    found = History(alert).ask("operation.permissions")
    assert found.verdict == "unknown"
    assert "seventeen more differences; five more calls were not looked at" in found.sentence


def test_names_of_an_attacker_stay_names():
    evil = put(0, allows("s3:*'); DROP TABLE events;--", "{{ 7 * 7 }}", "\x1b[31m", "a:" + "x" * 5000))
    found = History([evil], [MADE]).ask("operation.permissions")
    assert "49" not in found.sentence
    assert "\x1b" not in found.sentence
    assert len(found.sentence) < 2500
