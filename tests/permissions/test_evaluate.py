"""The evaluator against a second one, and against what the IAM User Guide says in its examples."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.permissions import oracle

from trailhound.permissions.document import Policy, read
from trailhound.permissions.evaluate import Caller, Policies, Request, decide

HOME, AWAY = oracle.BUCKET_ACCOUNT, oracle.OTHER_ACCOUNT

_some = lambda *values: st.lists(st.sampled_from(values), min_size=1, max_size=2, unique=True)  # noqa: E731
ACTION = _some("*", "s3:*", "s3:Get*", "S3:PUTOBJECT", "s3:?etObject", "iam:PassRole", "kms:*")
RESOURCE = _some(
    *("*", *oracle.RESOURCES, f"arn:aws:sqs:*:{HOME}:a*", f"arn:aws:sqs:eu-*:{HOME}:*", "arn:aws:sqs:*:b:c"),
    *("arn:aws:sqs:us-*-1:*", "arn:aws:sqs:eu-west-?:*:${aws:username}", "arn:aws:sqs:*-1:*:?", "arn:aws:sq*c"),
)
CONDITION = st.dictionaries(
    st.sampled_from(
        [
            *("StringEquals", "StringNotEquals", "StringLike", "StringEqualsIfExists", "StringNotLikeIfExists"),
            "ForAllValues:StringEquals",
            "ForAnyValue:StringLike",
            "ForAnyValue:StringNotEquals",
            "ForAllValues:StringNotLike",
        ]
    ),
    st.fixed_dictionaries({"aws:TagKeys": _some("red", "bl*", "${aws:username}", "green")}),
    max_size=2,
).flatmap(
    lambda found: st.sampled_from(
        [
            found,
            {**found, "Bool": {"AWS:MultiFactorAuthPresent": "true"}},
            {**found, "BoolIfExists": {"aws:MultiFactorAuthPresent": "False"}},
            {**found, "Null": {"aws:MultiFactorAuthPresent": "true"}},
            {**found, "IpAddress": {"aws:SourceIp": "10.0.0.0/8"}},
            {**found, "NotIpAddress": {"aws:SourceIp": ["10.0.0.1", "192.0.2.0/24"]}},
        ]
    )
)
PRINCIPAL = st.sampled_from(
    [
        "*",
        *(
            {"AWS": name}
            for name in ("*", HOME, f"arn:aws:iam::{AWAY}:root", f"arn:aws:iam::{HOME}:user/path/alice", AWAY)
        ),
    ]
)


@st.composite
def statements(draw: st.DrawFn, *, principal: bool = False) -> dict[str, Any]:
    found = {
        "Effect": draw(st.sampled_from(["Allow", "Allow", "Deny"])),
        draw(st.sampled_from(["Action", "Action", "NotAction"])): draw(ACTION),
        draw(st.sampled_from(["Resource", "Resource", "NotResource"])): draw(RESOURCE),
    }
    if condition := draw(CONDITION):
        found["Condition"] = condition
    if principal:
        found["Principal"] = draw(PRINCIPAL)
    return found


def documents(*, principal: bool = False) -> st.SearchStrategy[dict[str, Any]]:
    return st.lists(statements(principal=principal), min_size=1, max_size=3).map(
        lambda found: {"Version": "2012-10-17", "Statement": found}
    )


CASES = st.fixed_dictionaries(
    {
        "account": st.sampled_from([HOME, HOME, AWAY]),
        "identity": st.lists(documents(), max_size=2),
        "boundary": st.lists(documents(), max_size=1),
        "session": st.lists(documents(), max_size=1),
        "scps": st.lists(st.lists(documents(), min_size=1, max_size=2), max_size=2),
        "resource": st.none() | documents(principal=True),
    }
)
KNOWN = st.fixed_dictionaries({}, optional={key: st.sampled_from(values) for key, values in oracle.KEYS.items()})


def parsed(document: dict[str, Any]) -> Policy:
    found = read(document)
    assert isinstance(found, Policy)
    return found


def policies(case: dict[str, Any]) -> Policies:
    return Policies(
        identity=tuple(map(parsed, case["identity"])),
        boundary=tuple(map(parsed, case["boundary"])),
        session=tuple(map(parsed, case["session"])),
        scps=tuple(tuple(map(parsed, level)) for level in case["scps"]),
        resource=parsed(case["resource"]) if case["resource"] else Policy(),
    )


@settings(max_examples=200)
@given(CASES, KNOWN, st.sampled_from(oracle.ACTIONS), st.sampled_from(oracle.RESOURCES))
def test_agrees_with_a_second_evaluator_in_every_world(case: dict, known: dict, action: str, resource: str) -> None:
    caller = Caller("user", f"arn:aws:iam::{case['account']}:user/alice", case["account"])
    decision = decide(Request(caller, action, resource, context=known), policies(case))
    outcomes = {oracle.allowed(case, action, resource, world) for world in oracle.worlds(known)}
    if len(outcomes) == 2:
        assert decision.outcome == "depends"
        assert set(decision.on) <= set(oracle.KEYS) - set(known)
    elif decision.outcome != "depends":
        assert decision.outcome == ("allowed" if True in outcomes else "denied")
    else:
        assert len(known) < len(oracle.KEYS), "all is known, so nothing may depend"


def statement(effect: str, action: str, resource: str = "*", **more: Any) -> dict[str, Any]:
    return {"Effect": effect, "Action": action, "Resource": resource, **more}


def policy(*found: dict[str, Any]) -> Policy:
    return parsed({"Version": "2012-10-17", "Statement": list(found)})


USER = Caller("user", "arn:aws:iam::111111111111:user/alice", HOME)
ROLE = Caller("role", "arn:aws:iam::111111111111:role/R", HOME, "arn:aws:sts::111111111111:assumed-role/R/s")
S3 = "arn:aws:s3:::b/k"


def outcome(caller: Caller, action: str = "s3:GetObject", target: str = S3, owner: str = HOME, **found: Any) -> str:
    return decide(Request(caller, action, target, owner), Policies(**found)).outcome


def granting(name: str, action: str = "s3:*", kind: str = "AWS") -> Policy:
    return policy(statement("Allow", action, Principal={kind: name}))


BOUNDARY = (policy(statement("Allow", "ec2:*")),)


@pytest.mark.parametrize(
    ("caller", "found", "expected"),
    [
        # "Permissions boundaries": what a bucket policy gives to a user is not held by an implicit deny of its boundary,
        (USER, {"resource": granting(USER.arn), "boundary": BOUNDARY}, "allowed"),
        # what it gives to a role is,
        (ROLE, {"resource": granting(ROLE.arn), "boundary": BOUNDARY}, "denied"),
        # and what it gives to a session is not.
        (ROLE, {"resource": granting(ROLE.session), "boundary": BOUNDARY}, "allowed"),
        # A deny in the boundary holds always.
        (USER, {"resource": granting(USER.arn), "boundary": (policy(statement("Deny", "*")),)}, "denied"),
        # "Principal": the account of a resource only hands the decision to its identity policies.
        (USER, {"resource": granting(HOME)}, "denied"),
        (USER, {"resource": granting(HOME), "identity": (policy(statement("Allow", "s3:Get*")),)}, "allowed"),
        (ROLE, {"resource": granting("*"), "session": (policy(statement("Allow", "s3:Put*")),)}, "denied"),
        # Anyone at all, and nobody else's service
        (Caller("anonymous"), {"resource": granting("*")}, "allowed"),
        (Caller("anonymous"), {"resource": granting(HOME)}, "denied"),
        (Caller("service", "cloudtrail.amazonaws.com"), {"resource": granting("cloudtrail.amazonaws.com", kind="Service")}, "allowed"),
        (Caller("service", "config.amazonaws.com"), {"resource": granting("cloudtrail.amazonaws.com", kind="Service")}, "denied"),
        # The root user needs no policy, but a service control policy holds it.
        (Caller("root", "arn:aws:iam::111111111111:root", HOME), {}, "allowed"),
        (Caller("root", "arn:aws:iam::111111111111:root", HOME), {"scps": ((policy(statement("Allow", "ec2:*")),),)}, "denied"),
        # What is not known is not no.
        (USER, {"identity": (None,)}, "depends"),
        (USER, {"identity": (None, policy(statement("Allow", "*"))), "resource": Policy()}, "depends"),
        (USER, {"identity": (policy(statement("Deny", "s3:*")), None)}, "denied"),
        # A deleted principal is an id, and nobody is it.
        (USER, {"resource": granting("AIDAEXAMPLE")}, "denied"),
    ],
)  # fmt: skip
def test_what_the_user_guide_says(caller: Caller, found: dict, expected: str) -> None:
    assert outcome(caller, **found) == expected


def test_another_account_needs_both_sides() -> None:
    identity = (policy(statement("Allow", "s3:*")),)
    for resource, given_, expected in (
        (granting(HOME), identity, "allowed"),
        (granting(HOME), (), "denied"),
        (Policy(), identity, "denied"),
        (granting(USER.arn), (), "denied"),
    ):
        assert outcome(USER, owner=AWAY, resource=resource, identity=given_) == expected


def test_a_key_is_reached_only_through_its_policy() -> None:
    key, identity = "arn:aws:kms:eu-west-1:111111111111:key/1", (policy(statement("Allow", "kms:*")),)
    assert outcome(USER, "kms:Decrypt", key, identity=identity) == "denied"
    assert outcome(USER, "kms:Decrypt", key, identity=identity, resource=granting(HOME, "kms:*")) == "allowed"
    assert outcome(USER, "kms:Decrypt", key, resource=granting(USER.arn, "kms:*")) == "allowed"


def test_a_role_is_assumed_by_the_word_of_its_trust_policy() -> None:
    role = "arn:aws:iam::111111111111:role/R"
    identity = (policy(statement("Allow", "sts:AssumeRole")),)
    trusts = {
        name: parsed({"Statement": {"Effect": "Allow", "Principal": {"AWS": name}, "Action": "sts:AssumeRole"}})
        for name in (HOME, USER.arn)
    }
    assert outcome(USER, "sts:AssumeRole", role, identity=identity) == "denied"
    assert outcome(USER, "sts:AssumeRole", role, resource=trusts[HOME]) == "denied"
    assert outcome(USER, "sts:AssumeRole", role, resource=trusts[HOME], identity=identity) == "allowed"
    assert outcome(USER, "sts:AssumeRole", role, resource=trusts[USER.arn]) == "allowed"


def test_not_principal_spares_only_with_the_account() -> None:
    """User Guide: without the ARN of the account, the deny might reach the whole account of the principal."""
    identity = (policy(statement("Allow", "*")),)

    def sparing(*names: str) -> Policy:
        return parsed(
            {"Statement": {"Effect": "Deny", "NotPrincipal": {"AWS": list(names)}, "Action": "*", "Resource": "*"}}
        )

    assert outcome(USER, identity=identity, resource=sparing(USER.arn, f"arn:aws:iam::{HOME}:root")) == "allowed"
    assert outcome(USER, identity=identity, resource=sparing(USER.arn)) == "depends"
    assert outcome(USER, identity=identity, resource=sparing(f"arn:aws:iam::{HOME}:user/bob")) == "denied"


def test_a_default_of_a_variable_counts_only_where_the_key_is_absent() -> None:
    home = policy(statement("Allow", "s3:*", "arn:aws:s3:::b/${aws:PrincipalTag/team, 'none'}/*"))
    ask = lambda team: decide(  # noqa: E731
        Request(USER, "s3:GetObject", "arn:aws:s3:::b/none/k", HOME, {"aws:PrincipalTag/team": team}),
        Policies(identity=(home,)),
    )
    assert ask(()).outcome == "allowed"
    assert ask(("red",)).outcome == "denied"
    assert ask(None).outcome == "depends"
    assert ask(("*",)).outcome == "denied"  # the value of a variable is no wildcard


@pytest.mark.parametrize(
    ("operator", "wanted", "given_", "holds"),
    [
        ("NumericLessThanEquals", "10", "10.0", True),
        ("NumericGreaterThan", "10", "ten", False),
        ("DateLessThan", "2020-07-01T00:00:00Z", "2020-06-30T23:59:59Z", True),
        ("DateGreaterThanEquals", "1593561600", "2020-07-01T00:00:00Z", True),
        ("DateEquals", "2020-07-01", "2020-07-01T02:00:00+02:00", True),
        ("StringEqualsIgnoreCase", "Straße", "STRASSE", True),
        ("StringEquals", "a*", "ab", False),
        ("StringLike", "a${*}", "ab", False),
        ("StringLike", "a${*}", "a*", True),
        ("ArnLike", "arn:aws:sns:*:1:t*", "arn:aws:sns:eu-west-1:1:topic:x", True),
        ("ArnEquals", "arn:aws:*:1:t", "arn:aws:sns:eu-west-1:1:t", False),  # each of the six parts by itself
        ("ArnNotEquals", "arn:aws:s3:::b", "arn:aws:s3:::c", True),
        ("IpAddress", "2001:db8::/32", "2001:db8::1", True),
        ("IpAddress", "0.0.0.0/0", "2001:db8::1", False),
        ("NotIpAddress", "10.0.0.0/8", "s3.amazonaws.com", True),
        ("BinaryEquals", "QmluYXJ5", "QmluYXJ5", True),
    ],
)
def test_operators(operator: str, wanted: str, given_: str, holds: bool) -> None:
    found = policy(statement("Allow", "*", Condition={operator: {"x:Key": wanted}}))
    request = Request(USER, "s3:GetObject", S3, HOME, {"X:KEY": (given_,)})
    assert decide(request, Policies(identity=(found,))).outcome == ("allowed" if holds else "denied")
