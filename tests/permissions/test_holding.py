"""What one has at a moment: by inline and attached policies, groups and boundary; what is not known is named."""

from __future__ import annotations

from tests.permissions.calls import ACCOUNT, ADMIN, POLICY, ROLE, USER, Log, allow, text

from trailhound.permissions import words
from trailhound.permissions.holding import Holding, holding

DAY = "2026-05-01"


def of(log: Log, holder: str) -> Holding:
    return holding(log.records, holder, DAY)


def test_a_user_whose_whole_life_is_in_the_log() -> None:
    log = Log()
    log.call("CreateUser", userName="u")
    log.call("CreateGroup", groupName="g")
    log.call("PutGroupPolicy", groupName="g", policyName="p", policyDocument=text(allow("s3:Get*")))
    assert (of(log, USER).allowed, of(log, USER).unknowns) == ((), ())
    log.call("AddUserToGroup", userName="u", groupName="g")
    assert [words.gained(each) for each in of(log, USER).allowed] == ["s3:Get* on every resource"]
    log.call("AttachUserPolicy", userName="u", policyArn=ADMIN)
    assert words.administrator(of(log, USER).allowed)
    log.call("CreatePolicy", policyName="p", policyDocument=text(allow("s3:*")))
    log.call("PutUserPermissionsBoundary", userName="u", permissionsBoundary=POLICY)
    found = of(log, USER)
    assert [words.gained(each) for each in found.allowed] == ["s3:* on every resource"]
    assert (found.boundary, found.policies, len(found.groups)) == (POLICY, (ADMIN,), 1)


def test_what_is_older_than_the_log_is_named() -> None:
    log = Log()
    log.call("PutRolePolicy", roleName="r", policyName="p", policyDocument=text(allow("iam:PassRole")))
    found = of(log, ROLE)
    assert any("older than the log" in each for each in found.unknowns)
    assert f"whom {ROLE} trusts" in found.unknowns
    assert of(log, "arn:aws:s3:::b").unknowns == ("the policy of arn:aws:s3:::b that is older than the log",)


def test_a_policy_tells_what_its_other_versions_allow_and_who_holds_it() -> None:
    log = Log()
    log.call("CreatePolicy", policyName="p", policyDocument=text(allow("*")))
    log.call("AttachUserPolicy", userName="u", policyArn=POLICY)
    response = {"policyVersion": {"versionId": "v2"}}
    narrow = text(allow("s3:GetObject"))
    log.call("CreatePolicyVersion", policyArn=POLICY, policyDocument=narrow, setAsDefault=True, response=response)
    found = of(log, POLICY)
    assert (found.holders, found.unknowns) == ((USER,), ())
    assert (words.administrator(found.allowed), words.administrator(found.in_other_versions)) == (False, True)


def test_whom_a_resource_lets_in() -> None:
    log = Log()
    log.call("CreateBucket", "s3", bucketName="b")
    public = text(allow("s3:GetObject", "arn:aws:s3:::b/*", Principal="*"))
    log.call("PutBucketPolicy", "s3", bucketName="b", bucketPolicy=public)
    found = of(log, "arn:aws:s3:::b")
    assert [words.gained(each) for each in found.lets_in] == ["s3:GetObject on arn:aws:s3:::b/* by anyone"]
    assert [each.reach for each in found.exposures] == ["public"]
    assert found.unknowns == ()
    assert ACCOUNT not in str(found)
