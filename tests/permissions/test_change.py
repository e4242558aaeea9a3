"""What each call that writes a policy means."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tests.permissions.calls import ACCOUNT, ADMIN, GROUP, POLICY, USER, Log, allow, text

from trailhound.errors import RequestError
from trailhound.permissions.change import Change, Part, meaning, meanings
from trailhound.permissions.document import Policy, read
from trailhound.permissions.estate import by_aws

OUTSIDER = "arn:aws:iam::222222222222:root"


def ask(log: Log, at: str, **more: Any) -> Change:
    return meaning(log.records, at, **more)


def only(change: Change) -> Part:
    (part,) = change.parts
    return part


def gained(part: Part) -> list[tuple]:
    return [(each.actions, each.resources) for each in part.gained]


def lost(part: Part) -> list[tuple]:
    return [(each.actions, each.resources) for each in part.lost]


def new_user() -> Log:
    log = Log()
    log.call("CreateUser", userName="u")
    return log


@pytest.mark.parametrize("kind", ["User", "Role", "Group"])
def test_an_inline_policy_of_one_whose_whole_life_is_in_the_log(kind: str) -> None:
    log, name = Log(), {f"{kind.lower()}Name": "x"}
    log.call(f"Create{kind}", **name)
    first = log.call(f"Put{kind}Policy", **name, policyName="p", policyDocument=text(allow("s3:Get*")))
    again = log.call(
        f"Put{kind}Policy", **name, policyName="p", policyDocument=text(allow(["s3:get*", "s3:GetObject"], Sid="x"))
    )
    wider = log.call(f"Put{kind}Policy", **name, policyName="p", policyDocument=text(allow("s3:*")))
    gone = log.call(f"Delete{kind}Policy", **name, policyName="p")
    assert ask(log, first).effect == "gains"
    assert gained(only(ask(log, first))) == [(("s3:Get*",), ("*",))]
    assert only(ask(log, first)).unknowns == ()
    assert ask(log, again).effect == "none"
    assert ask(log, wider).effect == "gains"
    assert only(ask(log, wider)).lost == ()
    assert ask(log, gone).effect == "loses"
    assert lost(only(ask(log, gone))) == [(("s3:*",), ("*",))]


def test_what_lies_before_the_log_is_not_known() -> None:
    log = Log()
    first = log.call("PutUserPolicy", userName="u", policyName="p", policyDocument=text(allow("s3:*")))
    again = log.call(
        "PutUserPolicy", userName="u", policyName="p", policyDocument=text(allow("s3:*", "*"), allow("s3:*"))
    )
    deny = log.call(
        "PutUserPolicy", userName="u", policyName="p", policyDocument=text(allow("s3:*"), allow("ec2:*", effect="Deny"))
    )
    lifted = log.call("PutUserPolicy", userName="u", policyName="p", policyDocument=text(allow("s3:*")))
    part = only(ask(log, first))
    assert (ask(log, first).effect, part.at_most, gained(part)) == ("unknown", True, [(("s3:*",), ("*",))])
    assert any("before lies before the log" in each for each in part.unknowns)
    assert ask(log, again).effect == "none"  # whatever else there is, this changed nothing
    # What the Deny takes away or gives back, only older policies can have allowed: it counts.
    assert lost(only(ask(log, deny))) == [(("ec2:*",), ("*",))]
    assert gained(only(ask(log, lifted))) == [(("ec2:*",), ("*",))]
    assert [each.cause for each in only(ask(log, lifted)).gained] == ["deny"]


def test_no_gain_where_it_was_allowed_already() -> None:
    log = new_user()
    log.call("AttachUserPolicy", userName="u", policyArn=ADMIN)
    at = log.call("PutUserPolicy", userName="u", policyName="p", policyDocument=text(allow("s3:*")))
    assert ask(log, at).effect == "none"
    detached = log.call("DetachUserPolicy", userName="u", policyArn=ADMIN)
    part = only(ask(log, detached))
    assert part.effect == "loses"
    assert part.lost[0].actions_count > 20_000
    assert "s3:GetObject" in part.lost[0].not_actions or not set(part.lost[0].actions) & {"s3:*", "s3:GetObject"}


def test_what_is_detached_was_attached() -> None:
    log = Log()
    at = log.call("DetachUserPolicy", userName="u", policyArn=ADMIN)
    assert (ask(log, at).effect, lost(only(ask(log, at)))) == ("loses", [(("*",), ("*",))])
    assert only(ask(log, at)).unknowns  # other policies may still allow it


def test_a_policy_of_aws_whose_text_we_do_not_have() -> None:
    log = new_user()
    at = log.call("AttachUserPolicy", userName="u", policyArn="arn:aws:iam::aws:policy/SomethingElse")
    part = only(ask(log, at))
    assert (ask(log, at).effect, part.gained) == ("unknown", ())
    assert any("SomethingElse" in each for each in part.unknowns)


def test_a_managed_policy_through_its_versions() -> None:
    log = new_user()
    made = log.call(
        "CreatePolicy", policyName="p", policyDocument=text(allow("s3:GetObject")), response={"policy": {"arn": POLICY}}
    )
    attached = log.call("AttachUserPolicy", userName="u", policyArn=POLICY)
    spare = log.call(
        "CreatePolicyVersion",
        policyArn=POLICY,
        policyDocument=text(allow("*")),
        setAsDefault=False,
        response={"policyVersion": {"versionId": "v2"}},
    )
    switched = log.call("SetDefaultPolicyVersion", policyArn=POLICY, versionId="v2")
    back = log.call(
        "CreatePolicyVersion", policyArn=POLICY, policyDocument=text(allow("s3:GetObject")), setAsDefault=True
    )
    assert ask(log, made).effect == "none"  # nobody holds it yet,
    assert gained(only(ask(log, made))) == [(("s3:GetObject",), ("*",))]  # and this is what it would grant
    assert gained(only(ask(log, attached))) == [(("s3:GetObject",), ("*",))]
    assert (ask(log, spare).effect, ask(log, spare).parts) == ("none", ())
    assert {part.holder: part.effect for part in ask(log, switched).parts} == {POLICY: "gains", USER: "gains"}
    assert ask(log, back).effect == "loses"
    older = log.call("SetDefaultPolicyVersion", policyArn=f"{POLICY}2", versionId="v7")
    assert ask(log, older).effect == "unknown"


def test_a_group_gives_to_its_members() -> None:
    log = new_user()
    log.call("CreateGroup", groupName="g")
    log.call("PutGroupPolicy", groupName="g", policyName="p", policyDocument=text(allow("ec2:*")))
    joined = log.call("AddUserToGroup", userName="u", groupName="g")
    assert [(part.holder, part.effect) for part in ask(log, joined).parts] == [(USER, "gains")]
    wider = log.call("AttachGroupPolicy", groupName="g", policyArn=ADMIN)
    assert {part.holder: part.effect for part in ask(log, wider).parts} == {GROUP: "gains", USER: "gains"}
    left = log.call("RemoveUserFromGroup", userName="u", groupName="g")
    assert ask(log, left).effect == "loses"


def test_a_boundary() -> None:
    log = Log()
    log.call("CreatePolicy", policyName="p", policyDocument=text(allow("s3:*")), response={"policy": {"arn": POLICY}})
    log.call("CreateUser", userName="u", permissionsBoundary=POLICY)
    held = log.call("AttachUserPolicy", userName="u", policyArn=ADMIN)
    assert gained(only(ask(log, held))) == [(("*",), ("*",))] or only(ask(log, held)).gained[0].actions == ("s3:*",)
    lifted = log.call("DeleteUserPermissionsBoundary", userName="u")
    part = only(ask(log, lifted))
    assert [(each.cause, each.actions_count > 20_000) for each in part.gained] == [("ceiling", True)]
    again = log.call("PutUserPermissionsBoundary", userName="u", permissionsBoundary=POLICY)
    assert ask(log, again).effect == "loses"
    elsewhere = log.call("DeleteRolePermissionsBoundary", roleName="old")
    assert ask(log, elsewhere).effect == "unknown"


def test_trust() -> None:
    log = Log()
    service = {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}
    made = log.call("CreateRole", roleName="r", assumeRolePolicyDocument=text(service))
    opened = log.call(
        "UpdateAssumeRolePolicy",
        roleName="r",
        policyDocument=text(service, {**service, "Principal": {"AWS": OUTSIDER}}),
    )
    closed = log.call("UpdateAssumeRolePolicy", roleName="r", policyDocument=text(service))
    world = log.call("UpdateAssumeRolePolicy", roleName="r", policyDocument=text({**service, "Principal": "*"}))
    old = log.call("UpdateAssumeRolePolicy", roleName="old", policyDocument=text({**service, "Principal": "*"}))
    assert [(e.reach, e.principal) for e in only(ask(log, made)).exposures] == [("service", "ec2.amazonaws.com")]
    assert [(e.reach, e.principal) for e in only(ask(log, opened)).exposures] == [("outside", "account 222222222222")]
    assert [e.reach for e in only(ask(log, opened, own={"222222222222"})).exposures] == ["own account"]
    assert (ask(log, closed).effect, only(ask(log, closed)).lost[0].principals) == ("loses", ("account 222222222222",))
    assert [e.reach for e in only(ask(log, world)).exposures] == ["public"]
    assert (ask(log, old).effect, only(ask(log, old)).at_most) == ("unknown", True)


RESOURCES: list[tuple[str, str, dict[str, Any], str]] = [
    ("s3", "PutBucketPolicy", {"bucketName": "b", "bucketPolicy": "OBJECT"}, "arn:aws:s3:::b"),
    ("kms", "PutKeyPolicy", {"keyId": "k", "policy": "TEXT"}, f"arn:aws:kms:eu-west-1:{ACCOUNT}:key/k"),
    ("sns", "SetTopicAttributes", {"topicArn": "arn:aws:sns:eu-west-1:1:t", "attributeName": "Policy", "attributeValue": "TEXT"}, "arn:aws:sns:eu-west-1:1:t"),
    ("sqs", "SetQueueAttributes", {"queueUrl": "https://sqs.eu-west-1.amazonaws.com/1/q", "attributes": {"Policy": "TEXT"}}, f"arn:aws:sqs:eu-west-1:{ACCOUNT}:q"),
    ("secretsmanager", "PutResourcePolicy", {"secretId": "s", "resourcePolicy": "TEXT"}, f"arn:aws:secretsmanager:eu-west-1:{ACCOUNT}:secret:s"),
    ("ecr", "SetRepositoryPolicy", {"repositoryName": "r", "policyText": "TEXT"}, f"arn:aws:ecr:eu-west-1:{ACCOUNT}:repository/r"),
    ("dynamodb", "PutResourcePolicy", {"resourceArn": "arn:aws:dynamodb:eu-west-1:1:table/t", "policy": "TEXT"}, "arn:aws:dynamodb:eu-west-1:1:table/t"),
    ("glue", "PutResourcePolicy", {"policyInJson": "TEXT"}, f"arn:aws:glue:eu-west-1:{ACCOUNT}:catalog"),
]  # fmt: skip


def filled(request: Any, policy: str) -> Any:
    if isinstance(request, dict):
        return {key: filled(each, policy) for key, each in request.items()}
    return policy if request == "TEXT" else json.loads(policy) if request == "OBJECT" else request


@pytest.mark.parametrize(
    ("service", "operation", "request_", "arn"), RESOURCES, ids=[each[1] + each[0] for each in RESOURCES]
)
def test_policies_of_resources(service: str, operation: str, request_: dict, arn: str) -> None:
    log = Log()
    own = allow(f"{service}:*", Principal={"AWS": ACCOUNT})
    first = log.call(operation, service, **filled(request_, text(own)))
    same = log.call(
        operation, service, **filled(request_, text({**own, "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}}))
    )
    public = log.call(operation, service, **filled(request_, text(own, allow(f"{service}:*", Principal="*"))))
    org = {"Condition": {"StringEquals": {"aws:PrincipalOrgID": "o-1"}}}
    narrowed = log.call(operation, service, **filled(request_, text(own, allow(f"{service}:*", Principal="*", **org))))
    assert ask(log, first).subject == arn
    assert (ask(log, first).effect, only(ask(log, first)).at_most) == ("unknown", True)
    assert ask(log, same).effect == "none"
    assert [each.reach for each in only(ask(log, public)).exposures] == ["public"]
    assert ask(log, narrowed).effect == "loses"


def test_a_permission_of_a_function() -> None:
    log = Log()
    log.call("CreateFunction20150331", "lambda", functionName="f")
    request = {"functionName": "f", "statementId": "s", "action": "lambda:InvokeFunction", "principal": "*"}
    added = log.call("AddPermission20150331v2", "lambda", **request)
    arn = f"arn:aws:lambda:eu-west-1:{ACCOUNT}:function:f"
    assert (ask(log, added).subject, [e.reach for e in only(ask(log, added)).exposures]) == (arn, ["public"])
    removed = log.call("RemovePermission20150331v2", "lambda", functionName="f", statementId="s")
    assert ask(log, removed).effect == "loses"
    bucket = {**request, "principal": "s3.amazonaws.com", "sourceArn": "arn:aws:s3:::b", "statementId": "t"}
    service = log.call("AddPermission20150331v2", "lambda", **bucket)
    (exposure,) = only(ask(log, service)).exposures
    assert (exposure.reach, exposure.conditions) == ("service", ("ArnLike aws:sourcearn arn:aws:s3:::b",))
    older = log.call("RemovePermission20150331v2", "lambda", functionName="g", statementId="s")
    assert ask(log, older).effect == "unknown"


def test_one_thing_by_several_names() -> None:
    log = Log()
    log.call("CreateFunction20150331", "lambda", functionName="f")
    request = {"action": "lambda:InvokeFunction", "principal": "222222222222"}
    log.call("AddPermission20150331v2", "lambda", functionName="f", statementId="a", **request)
    for name in ("f", f"{ACCOUNT}:function:f", f"arn:aws:lambda:eu-west-1:{ACCOUNT}:function:f"):
        at = log.call("AddPermission20150331v2", "lambda", functionName=name, statementId=f"b{len(name)}", **request)
        assert ask(log, at).effect == "none"
    alias = log.call(
        "AddPermission20150331v2", "lambda", functionName="f", qualifier="live", statementId="c", **request
    )
    assert ask(log, alias).subject == f"arn:aws:lambda:eu-west-1:{ACCOUNT}:function:f:live"
    secret = f"arn:aws:secretsmanager:eu-west-1:{ACCOUNT}:secret:s"
    policy = text(allow("secretsmanager:*", Principal={"AWS": OUTSIDER}))
    for name in ("s", f"{secret}-AbCd12"):
        at = log.call("PutResourcePolicy", "secretsmanager", secretId=name, resourcePolicy=policy)
        assert ask(log, at).subject == secret
    assert ask(log, at).effect == "none"


def test_more_holders_than_are_gone_through_are_told() -> None:
    log = Log()
    log.call("CreateGroup", groupName="g")
    for number in range(60):
        log.call("CreateUser", userName=f"u{number}")
        log.call("AddUserToGroup", userName=f"u{number}", groupName="g")
    at = log.call("PutGroupPolicy", groupName="g", policyName="p", policyDocument=text(allow("s3:GetObject")))
    change = ask(log, at)
    assert len(change.parts) == 50
    assert "what it means for 11 more who hold it" in change.parts[0].unknowns


def test_a_bucket_policy_taken_away() -> None:
    log = Log()
    log.call("CreateBucket", "s3", bucketName="b")
    first = log.call(
        "PutBucketPolicy",
        "s3",
        bucketName="b",
        bucketPolicy=json.loads(text(allow("s3:*", effect="Deny", Principal="*"))),
    )
    gone = log.call("DeleteBucketPolicy", "s3", bucketName="b")
    # It allows nothing by itself, but it stands against what policies of identities allow.
    assert (ask(log, first).effect, only(ask(log, first)).lost[0].cause) == ("loses", "deny")
    assert (ask(log, gone).effect, only(ask(log, gone)).exposures) == ("gains", ())
    key = {"Effect": "Deny", "Action": "kms:*", "Resource": "*", "Principal": "*"}
    log.call("PutKeyPolicy", "kms", keyId="k", policy=text(key))
    opened = log.call("PutKeyPolicy", "kms", keyId="k", policy=text({**key, "Action": "kms:Decrypt"}))
    assert ask(log, opened).effect == "none"  # nobody has a key but by its own policy


def test_a_deny_that_goes_counts_even_where_all_policies_of_the_user_are_known() -> None:
    log = new_user()
    put = log.call("PutUserPolicy", userName="u", policyName="p", policyDocument=text(allow("s3:*", effect="Deny")))
    gone = log.call("DeleteUserPolicy", userName="u", policyName="p")
    assert (ask(log, put).effect, ask(log, gone).effect) == ("loses", "gains")  # a bucket may let the user in by name


def test_a_call_that_failed_grants_nothing() -> None:
    log = new_user()
    at = log.call("AttachUserPolicy", userName="u", policyArn=ADMIN, errorCode="AccessDenied")
    assert (ask(log, at).effect, ask(log, at).parts) == ("refused", ())
    after = log.call("PutUserPolicy", userName="u", policyName="p", policyDocument=text(allow("s3:*")))
    assert ask(log, after).effect == "gains"


def test_what_cannot_be_read_is_not_nothing() -> None:
    log = new_user()
    at = log.call("PutUserPolicy", userName="u", policyName="p", policyDocument='{"Statement": [')
    assert ask(log, at).effect == "unknown"
    assert any("not JSON" in each for each in only(ask(log, at)).unknowns)
    fixed = log.call("PutUserPolicy", userName="u", policyName="p", policyDocument=text(allow("s3:*")))
    assert ask(log, fixed).effect in ("unknown", "gains")
    assert only(ask(log, fixed)).unknowns


def test_two_writes_in_one_second_have_no_order() -> None:
    log = new_user()
    same = {"eventTime": "2026-05-01T09:00:00Z"}
    one = log.call("PutUserPolicy", userName="u", policyName="p", policyDocument=text(allow("s3:*")), **same)
    log.call("DeleteUserPolicy", userName="u", policyName="p", **same)
    assert ask(log, one).effect == "unknown"


def test_a_call_that_does_not_show_what_it_wrote() -> None:
    log = new_user()
    hidden = log.call("PutUserPolicy")
    at = log.call("PutUserPolicy", userName="u", policyName="p", policyDocument=text(allow("s3:*")))
    assert ask(log, hidden).effect == "unknown"
    assert ask(log, at).effect == "unknown"
    assert any(f"the call {hidden} wrote" in each for each in only(ask(log, at)).unknowns)


def test_the_way_that_a_change_opens() -> None:
    log = new_user()
    log.call("PutUserPolicy", userName="u", policyName="a", policyDocument=text(allow("ec2:RunInstances")))
    at = log.call("PutUserPolicy", userName="u", policyName="b", policyDocument=text(allow("iam:PassRole")))
    assert [(each.path, each.missing) for each in only(ask(log, at)).escalations] == [(21, ())]


def test_a_record_that_is_not_there() -> None:
    with pytest.raises(RequestError, match="no record"):
        meaning([], "x")
    log = Log()
    other = log.call("RunInstances", "ec2")
    assert (ask(log, other).kind, ask(log, other).effect, ask(log, other).parts) == ("", "none", ())


def test_the_texts_of_aws_are_those_of_aws() -> None:
    theirs = json.loads(pytest.importorskip("moto.iam.aws_managed_policies").aws_managed_policies_data)
    for name, ours in by_aws().items():
        document = theirs[name]["Document"]
        found = read(document if isinstance(document, dict) else json.dumps(document))
        assert isinstance(found, Policy)
        bare = {
            (each.effect, each.actions, each.resources, each.conditions, each.not_actions) for each in found.statements
        }
        assert bare == {
            (each.effect, each.actions, each.resources, each.conditions, each.not_actions)
            for each in ours.policy.statements
        }
        assert ours.since == theirs[name]["UpdateDate"][:10]


@pytest.mark.parametrize(
    ("file", "operation", "expected"),
    [
        ("aws.persistence.iam-backdoor-role", "UpdateAssumeRolePolicy", [("outside", "account 193672423079"), ("service", "ec2.amazonaws.com")]),
        ("aws.persistence.lambda-backdoor-function", "AddPermission20150331v2", [("public", "anyone")]),
        ("aws.persistence.iam-create-backdoor-role", "CreateRole", [("outside", "account 193672423079")]),
    ],
)  # fmt: skip
def test_real_records(shared_data: Path, file: str, operation: str, expected: list) -> None:
    records = json.loads((shared_data / "stratus" / f"{file}.json").read_text())
    (at,) = [each["eventID"] for each in records if each["eventName"] == operation]
    assert [(each.reach, each.principal) for each in only(meaning(records, at)).exposures] == expected


def test_one_replay_tells_of_several_calls_what_it_tells_of_each() -> None:
    log = new_user()
    log.call("PutUserPolicy", userName="u", policyName="p", policyDocument=text(allow("s3:*")))
    log.call("CreatePolicy", policyName="p", policyDocument=text(allow("iam:*")))
    log.call("AttachUserPolicy", userName="old", policyArn=POLICY)
    log.call("DetachUserPolicy", userName="u", policyArn=ADMIN)  # it proves that it was attached
    log.call("PutUserPolicy", userName="u", policyName="p", policyDocument=text(allow("s3:Get*")))
    every = [each["eventID"] for each in log.records]
    assert meanings(reversed(log.records), every) == [ask(log, at) for at in every]
    assert [each.effect for each in meanings(log.records, every)] == [
        "none",
        "gains",
        "none",
        "gains",
        "loses",
        "loses",
    ]
