"""What things were, and what the calls changed, as questions of an investigation."""

from __future__ import annotations

from tests.investigation.history import ACCOUNT, History, call, user
from tests.investigation.question_cases import IAM, INSTANCE, TERMINATE, asked, launch

from trailhound.states.readings import BLOCK

PROD = [{"key": "env", "value": "prod"}]


def tag(verb, hours, *tags, **fields):
    request = asked(resourcesSet={"items": [{"resourceId": INSTANCE}]}, tagSet={"items": list(tags)})
    return call(f"{verb}Tags", hours, **(request | fields))


def test_what_changed_is_told_with_what_was_before():
    answer = History([TERMINATE], [launch(tags=PROD)]).ask("operation.before_after")
    assert answer.verdict == "yes"
    assert answer.sentence == f"The calls changed the state of {INSTANCE} from “running” to “terminated”."
    assert answer.evidence == ("alert-0",)
    unseen = History([TERMINATE]).ask("operation.before_after")
    assert "to “terminated” (what it was before is not known)" in unseen.sentence
    assert (
        History([TERMINATE | {"errorCode": "Client.UnauthorizedOperation"}]).ask("operation.before_after").verdict
        == "no"
    )
    assert (
        History([call("CreateVpc", **asked(cidrBlock="10.0.0.0/16"))]).ask("operation.before_after").verdict
        == "unknown"
    )


def test_of_what_the_calls_made_nothing_is_said_to_have_been_before():
    trust = {"Statement": [{"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}]}
    role = {"roleName": "r", "assumeRolePolicyDocument": trust}
    arn = f"arn:aws:iam::{ACCOUNT}:role/r"
    made = call("CreateRole", **IAM, requestParameters=role, responseElements={"role": {"roleName": "r", "arn": arn}})
    sentence = History([made]).ask("operation.before_after").sentence
    assert f"the trust policy of {arn} to" in sentence
    assert "before" not in sentence
    assert "none" not in sentence


def test_what_a_caller_wrote_cannot_go_on_as_a_sentence_of_ours():
    hostile = {"key": "x", "value": "”. Nothing happened. \u202e<b>"}
    sentence = History([tag("Create", 0, hostile)], [launch()]).ask("operation.before_after").sentence
    assert '“x=". Nothing happened. �<b>”' in sentence


def test_production_then_is_told_by_the_tags_of_then():
    def asked_of(*others, kept=None):
        return History([TERMINATE], list(others), kept=kept).ask("instance.production").verdict

    assert asked_of(launch(tags=PROD)) == "yes"
    assert asked_of(launch(), tag("Create", -5, *PROD)) == "yes"
    assert asked_of(launch(tags=PROD), tag("Delete", -5, {"key": "env"})) == "no"
    assert asked_of(launch(tags=PROD), tag("Create", -5, {"key": "env", "value": "test"})) == "no"
    assert asked_of(launch()) == "no"
    assert asked_of(tag("Create", -5, {"key": "team", "value": "web"})) == "unknown"  # with what else?
    assert asked_of(launch(), tag("Create", -5, requestParameters=None)) == "unknown"
    hidden = {"key": "env", "value": "HIDDEN_DUE_TO_SECURITY_REASONS"}
    assert asked_of(launch(tags=PROD), tag("Create", -5, hidden)) == "unknown"
    both = tag("Create", -5, *PROD), tag("Delete", -5, *PROD, userIdentity=user("ci"))
    assert asked_of(launch(), *both) == "unknown"  # in one second: which came last?


def test_a_bucket_is_public_only_if_nothing_stands_before_it():
    everyone = {
        "Statement": [{"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::b/*"}]
    }
    opening = call("PutBucketPolicy", service="s3", **asked(bucketName="b", bucketPolicy=everyone))
    made = call("CreateBucket", -9, service="s3", **asked(bucketName="b"))
    flags = dict.fromkeys(BLOCK, False)
    bare = call(
        "PutBucketPublicAccessBlock", -8, service="s3", **asked(bucketName="b", PublicAccessBlockConfiguration=flags)
    )
    account = call("PutAccountPublicAccessBlock", -7, service="s3", **asked(PublicAccessBlockConfiguration=flags))

    def public(*others, alert=opening):
        return History([alert], list(others)).ask("bucket.public").verdict

    assert public(made, bare, account) == "yes"
    assert public(made, bare) == "unknown"  # the block of the account was set before the log, or was not
    assert public(bare, account) == "yes"
    assert public(made, account) == "no"  # as S3 makes them
    assert public(account) == "unknown"
    closing = call("PutBucketPolicy", service="s3", **asked(bucketName="b", bucketPolicy={"Statement": []}))
    assert public(made, bare, account, alert=closing) == "no"
