"""What a change of policies changes, against all requests of a small world and against rewritings."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.permissions import oracle
from tests.permissions.test_document import rewritten
from tests.permissions.test_evaluate import HOME, documents, parsed

from trailhound.permissions import actions
from trailhound.permissions.difference import Difference, Layers, Permission, difference
from trailhound.permissions.document import Policy
from trailhound.permissions.evaluate import Caller, Policies, Request, decide

NOTHING: Layers = ((),)


def layers(*found: dict[str, Any]) -> Layers:
    return tuple(parsed(each).statements for each in found)


def case(identity: dict[str, Any] | None, boundary: dict[str, Any] | None = None) -> dict[str, Any]:
    return {
        "account": HOME,
        "session": [],
        "scps": [],
        "resource": None,
        "identity": [identity] if identity else [],
        "boundary": [boundary] if boundary else [],
    }


def sided(one: dict, other: dict) -> tuple[set[str], set[str]]:
    """Actions of requests that only the second allows, and that only the first does."""
    gained, lost = set(), set()
    for world in oracle.worlds({}):
        before, after = oracle.all_allowed(one, world), oracle.all_allowed(other, world)
        gained |= {action.lower() for action, _ in after - before}
        lost |= {action.lower() for action, _ in before - after}
    return gained, lost


def meant(permissions: tuple[Permission, ...]) -> set[str]:
    found: set[str] = set()
    for each in permissions:
        named = {name for pattern in each.actions for name in actions.named(pattern)}
        found |= named - {name.lower() for name in each.not_actions}
        assert len(named) - len(each.not_actions) == each.actions_count
    return found


def asked(policies: Layers, permission: Permission) -> str:
    identity, *ceilings = (Policy(each) for each in policies)
    example = permission.example
    name = (example.context.get("aws:username") or ("x",))[0]
    caller = Caller("user", f"arn:aws:iam::{HOME}:user/{name}", HOME)
    request = Request(
        caller, example.action, example.resource, HOME, {"aws:username": (), **example.context}, complete=True
    )
    handed_down = parsed(
        {"Statement": {"Effect": "Allow", "Principal": {"AWS": HOME}, "Action": ["kms:*", "sts:AssumeRole*"]}}
    )
    ceilings_ = tuple((each,) for each in ceilings)  # with no policy of the resource, one bound is as good as another
    return decide(request, Policies(identity=(identity,), scps=ceilings_, resource=handed_down)).outcome


DOCUMENTS = documents()


@settings(max_examples=40)
@given(DOCUMENTS | st.none(), DOCUMENTS | st.none(), DOCUMENTS | st.none(), DOCUMENTS | st.none())
def test_no_request_changes_unseen_and_every_example_is_true(
    one: dict | None, other: dict | None, ceiling: dict | None, new_ceiling: dict | None
) -> None:
    def whole(identity: dict | None, boundary: dict | None) -> Layers:
        return (*(layers(identity) if identity else NOTHING), *(layers(boundary) if boundary else ()))

    before, after = whole(one, ceiling), whole(other, new_ceiling)
    found = difference(before, after)
    gained, lost = sided(case(one, ceiling), case(other, new_ceiling))
    if found.complete:
        assert gained <= meant(found.gained)
        assert lost <= meant(found.lost)
    for permission in found.gained:
        assert (asked(before, permission), asked(after, permission)) == ("denied", "allowed")
    for permission in found.lost:
        assert (asked(before, permission), asked(after, permission)) == ("allowed", "denied")


@settings(max_examples=40)
@given(documents() | documents(principal=True), st.integers(0, 999))
def test_a_rewriting_changes_nothing(document: dict, seed: int) -> None:
    other = parsed(json.loads(json.dumps(rewritten(document, random.Random(seed)))))
    assert difference(layers(document), (other.statements,)).none


def allow(action: Any, resource: Any = "*", effect: str = "Allow", **more: Any) -> dict[str, Any]:
    return {"Effect": effect, "Action": action, "Resource": resource, **more}


def changed(before: list[dict], after: list[dict]) -> Difference:
    one, other = ({"Version": "2012-10-17", "Statement": each} for each in (before, after))
    return difference(layers(one), layers(other))


MFA = {"Condition": {"Bool": {"aws:MultiFactorAuthPresent": "true"}}}
OFFICE = {"Condition": {"IpAddress": {"aws:SourceIp": "198.51.100.0/24"}}}


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ([allow("s3:*")], [allow("s3:*"), allow("s3:GetObject", "arn:aws:s3:::b/*")]),
        ([allow(["s3:GetObject", "s3:PutObject"])], [allow("s3:PutObject"), allow("s3:GetObject")]),
        ([allow("s3:*"), allow("s3:*", effect="Deny")], []),
        ([allow("s3:*", ["arn:aws:s3:::a", "arn:aws:s3:::b"])], [allow("s3:*", "arn:aws:s3:::b"), allow("s3:*", "arn:aws:s3:::a")]),
        ([allow("s3:*", **OFFICE)], [allow("s3:*", Condition={"IpAddress": {"aws:SourceIp": ["198.51.100.0/25", "198.51.100.128/25"]}})]),
        ([allow("s3:*", **MFA), allow("s3:*")], [allow("s3:*")]),
        ([allow("s3:*"), allow("s3:*", "*", "Deny", Condition={"Null": {"aws:PrincipalTag/a": "true"}})],
         [allow("s3:*", Condition={"StringLike": {"aws:PrincipalTag/a": "*"}})]),
        ([allow("s3:*", Condition={"StringEquals": {"aws:PrincipalTag/a": ["x", "y"]}})],
         [allow("s3:*", Condition={"StringEquals": {"aws:PrincipalTag/a": v}}) for v in "yx"]),
        ([allow("s3:*", "arn:aws:s3:::${aws:username}", Condition={"StringEquals": {"aws:username": "a"}})],
         [allow("s3:*", "arn:aws:s3:::a", Condition={"StringEquals": {"aws:username": "a"}})]),
        ([allow("s3:*", Condition={"NumericLessThan": {"s3:max-keys": "10"}, "Bool": {"aws:SecureTransport": "true"}})],
         [allow("s3:*", Condition={"NumericLessThan": {"s3:max-keys": "10.0"}, "Bool": {"aws:securetransport": True}})]),
    ],
)  # fmt: skip
def test_the_same_in_other_words(before: list, after: list) -> None:
    assert changed(before, after).none
    assert changed(after, before).none


@pytest.mark.parametrize(
    ("before", "after", "gained", "lost"),
    [
        ([], [allow("*")], [("allow", ("*",), ("*",))], []),
        ([allow("s3:GetObject")], [allow("s3:*")], [("allow", ("s3:*",), ("*",))], []),
        ([allow("*"), allow("iam:*", effect="Deny")], [allow("*")], [("deny", ("iam:*",), ("*",))], []),
        ([allow("*", **MFA)], [allow("*")], [("allow", ("*",), ("*",))], []),
        ([allow("*")], [allow("*", **OFFICE)], [], [("allow", ("*",), ("*",))]),
        ([allow("s3:GetObject", "arn:aws:s3:::a/*")], [allow("s3:GetObject", ["arn:aws:s3:::a/*", "arn:aws:s3:::b/*"])],
         [("allow", ("s3:GetObject",), ("arn:aws:s3:::b/*",))], []),
        ([allow("s3:GetObject", "arn:aws:s3:::a/*")], [allow("s3:GetObject", "arn:aws:s3:::b/*")],
         [("allow", ("s3:GetObject",), ("arn:aws:s3:::b/*",))], [("allow", ("s3:GetObject",), ("arn:aws:s3:::a/*",))]),
        ([{"Effect": "Allow", "NotAction": ["iam:*", "kms:*"], "Resource": "*"}], [{"Effect": "Allow", "NotAction": "iam:*", "Resource": "*"}],
         [("allow", ("kms:*",), ("*",))], []),
        ([{"Effect": "Deny", "Action": "s3:*", "NotResource": "arn:aws:s3:::a"}, allow("s3:*")], [allow("s3:*")],
         [("deny", ("s3:*",), ("arn:aws:s3:::a",))], []),
        ([allow("s3:*", Condition={"DateLessThan": {"aws:CurrentTime": "2026-01-01"}})],
         [allow("s3:*", Condition={"DateLessThan": {"aws:CurrentTime": "2027-01-01"}})], [("allow", ("s3:*",), ("*",))], []),
        ([allow("newer:Do")], [allow("newer:*")], [("allow", ("newer:*",), ("*",))], []),
    ],
)  # fmt: skip
def test_what_is_gained_and_lost(before: list, after: list, gained: list, lost: list) -> None:
    found = changed(before, after)
    told = [[(each.cause, each.actions, each.resources) for each in side] for side in (found.gained, found.lost)]
    assert told == [gained, lost]
    assert found.complete
    back = changed(after, before)
    assert [(each.actions, each.resources) for each in back.lost] == [
        (each.actions, each.resources) for each in found.gained
    ]


def test_a_lifted_ceiling_gives_what_it_held_back() -> None:
    one = {"Statement": [allow("*")]}
    found = difference(layers(one, {"Statement": [allow("s3:*")]}), layers(one))
    assert [(each.cause, each.actions) for each in found.gained] == [("ceiling", ("*",))] or found.gained[
        0
    ].actions_count > 20_000
    assert "s3:getobject" not in meant(found.gained)
    assert "iam:passrole" in meant(found.gained)


def test_who_gains_by_a_policy_of_a_resource() -> None:
    own, outside = {"AWS": "111111111111"}, {"AWS": "arn:aws:iam::222222222222:role/x"}
    found = changed([allow("s3:*", Principal=own)], [allow("s3:*", Principal=own), allow("s3:Get*", Principal=outside)])
    assert [each.principals for each in found.gained] == [("arn:aws:iam::222222222222:role/x",)]
    found = changed([allow("s3:*", Principal=own)], [allow("s3:*", Principal="*")])
    assert [each.principals for each in found.gained] == [("anyone",)]
    found = changed(
        [allow("s3:*", Principal={"AWS": "111111111111"})],
        [allow("s3:*", Principal={"AWS": "arn:aws:iam::111111111111:root"})],
    )
    assert found.none


def test_too_many_cases_are_not_no_difference() -> None:
    keys = {f"aws:RequestTag/{number}": "x" for number in range(14)}
    one = allow("s3:*", Condition={"StringEquals": keys})
    two = allow("s3:*", Condition={"StringEquals": {**keys, "aws:RequestTag/z": "x"}})
    assert not changed([one, two], [one]).none


def test_a_key_with_several_values_meets_two_conditions_at_once() -> None:
    both = {"StringEquals": {"aws:TagKeys": "red"}, "StringLike": {"aws:TagKeys": "bl*"}}
    (gained,) = changed([], [allow("ec2:CreateTags", Condition=both)]).gained
    assert len(gained.example.context["aws:tagkeys"]) == 2
    never = {"StringEquals": {"aws:SourceIp": "10.0.0.1"}, "IpAddress": {"aws:SourceIp": "192.0.2.0/24"}}
    assert changed([], [allow("ec2:CreateTags", Condition=never)]).none  # one request has one address


@pytest.mark.parametrize("account", ["999999999999", "999999999998"])
def test_an_account_that_is_named_is_not_anyone(account: str) -> None:
    trust = parsed({"Statement": {"Effect": "Allow", "Principal": {"AWS": account}, "Action": "sts:AssumeRole"}})
    (gained,) = difference(((),), (trust.statements,)).gained
    assert gained.principals == (f"account {account}",)
