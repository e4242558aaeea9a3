"""A second reading of the same documents of AWS, slow and built another way: sets of requests, all cases enumerated.

It reads the JSON itself, expands every element into the set of requests of a tiny world that it covers, and decides
by union, intersection and difference of these sets. A key that is not known is tried with every value it may have.
"""

from __future__ import annotations

import fnmatch
import itertools
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

ACTIONS = ("s3:GetObject", "s3:PutObject", "s3:ListAllMyBuckets", "iam:PassRole", "kms:Decrypt")
BUCKET_ACCOUNT, OTHER_ACCOUNT = "111111111111", "222222222222"
RESOURCES = (
    f"arn:aws:sqs:eu-west-1:{BUCKET_ACCOUNT}:a",
    f"arn:aws:sqs:eu-west-1:{BUCKET_ACCOUNT}:ab",
    f"arn:aws:sqs:us-east-1:{BUCKET_ACCOUNT}:b:c",
)
TAGS: tuple[tuple[str, ...], ...] = ((), ("red",), ("blue",), ("red", "blue"), ("alice",))
MFA: tuple[tuple[str, ...], ...] = ((), ("true",), ("false",))
ADDRESSES: tuple[tuple[str, ...], ...] = (("10.0.0.1",), ("192.0.2.7",))
KEYS = {"aws:tagkeys": TAGS, "aws:multifactorauthpresent": MFA, "aws:sourceip": ADDRESSES}

World = dict[str, tuple[str, ...]]


def worlds(known: Mapping[str, tuple[str, ...]]) -> Iterator[World]:
    """Every way in which the keys that are not known may be."""
    open_ = [key for key in KEYS if key not in known]
    for values in itertools.product(*(KEYS[key] for key in open_)):
        yield {**known, **dict(zip(open_, values, strict=True))}


def listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def like(pattern: str, text: str) -> bool:
    return fnmatch.fnmatchcase(text, pattern.replace("[", "[[]"))


def resource_like(pattern: str, text: str) -> bool:
    """Segment by segment: all ways of giving consecutive parts of the text to the segments of the pattern."""

    def walk(wanted: list[str], given: list[str]) -> bool:
        if not wanted:
            return not given
        for many in range(1, len(given) + 1):
            part = ":".join(given[:many])
            if many > 1 and not wanted[0].endswith("*"):
                return False
            # The star at the end takes the colons: what stands before it must fit before the first one.
            cuts = range(len(given[0]) + 1) if many > 1 else ()
            fits = any(like(wanted[0][:-1], part[:cut]) for cut in cuts) or (many == 1 and like(wanted[0], part))
            if fits and walk(wanted[1:], given[many:]):
                return True
        return False

    return walk(pattern.split(":"), text.split(":"))


def covered(statement: Mapping[str, Any], user: str, world: World) -> set[tuple[str, str]]:
    """The pairs of action and resource that a statement speaks of."""
    everything = set(itertools.product(ACTIONS, RESOURCES))
    by_action = {
        (action, resource)
        for action, resource in everything
        for pattern in listed(statement.get("Action", statement.get("NotAction")))
        if like(pattern.lower(), action.lower())
    }
    if "NotAction" in statement:
        by_action = everything - by_action
    patterns = [
        p.replace("${aws:username}", user) for p in listed(statement.get("Resource", statement.get("NotResource")))
    ]
    by_resource = {(a, r) for a, r in everything if any(resource_like(pattern, r) for pattern in patterns)}
    if "NotResource" in statement:
        by_resource = everything - by_resource
    if not all(
        condition_true(operator, key.lower(), listed(values), user, world)
        for operator, keys in statement.get("Condition", {}).items()
        for key, values in keys.items()
    ):
        return set()
    return by_action & by_resource


def condition_true(operator: str, key: str, values: list[str], user: str, world: World) -> bool:
    given = world[key]
    if operator == "Null":
        return any((value == "true") == (len(given) == 0) for value in values)
    every = operator.startswith("ForAllValues:")
    any_ = operator.startswith("ForAnyValue:")
    name = operator.rpartition(":")[2]
    optional = name.endswith("IfExists")
    name = name.removesuffix("IfExists")
    if not given:
        return optional or every or ("Not" in name and not any_)
    wanted = [value.replace("${aws:username}", user) if name.startswith("String") else value for value in values]
    verdicts = []
    for each in given:
        hit = any(one(name.replace("Not", ""), value, each) for value in wanted)
        verdicts.append(hit != ("Not" in name))
    if every or ("Not" in name and not any_):
        return all(verdicts)
    return any(verdicts)


def one(name: str, wanted: str, given: str) -> bool:
    if name == "StringEquals":
        return wanted == given
    if name == "StringLike":
        return like(wanted, given)
    if name == "Bool":
        return wanted.lower() == given.lower()
    assert name == "IpAddress"
    block, _, bits = wanted.partition("/")
    as_bits = lambda address: "".join(f"{int(part):08b}" for part in address.split("."))  # noqa: E731
    return as_bits(block)[: int(bits or 32)] == as_bits(given)[: int(bits or 32)]


def names_user(statement: Mapping[str, Any], user_arn: str, account: str) -> set[str]:
    """In which ways the Principal of a statement means the user."""
    found = set()
    for name in listed(statement["Principal"]["AWS"] if isinstance(statement["Principal"], dict) else "*"):
        if name == "*":
            found.add("anyone")
        elif re.sub(r"user/(.*/)?", "user/", name) == user_arn:
            found.add("itself")
        elif name in (account, f"arn:aws:iam::{account}:root"):
            found.add("account")
    return found


def union(policies: Iterable[Mapping[str, Any]], effect: str, user: str, world: World) -> set[tuple[str, str]]:
    statements = (each for policy in policies for each in listed(policy["Statement"]))
    return set().union(*(covered(s, user, world) for s in statements if s["Effect"] == effect))


def allowed(case: Mapping[str, Any], action: str, resource: str, world: World) -> bool:
    return (action, resource) in all_allowed(case, world)


def all_allowed(case: Mapping[str, Any], world: World) -> set[tuple[str, str]]:
    """What a user of `case["account"]` may do, all keys known."""
    account = case["account"]
    user = "alice"
    user_arn = f"arn:aws:iam::{account}:user/{user}"
    everything = set(itertools.product(ACTIONS, RESOURCES))
    identity = union(case["identity"], "Allow", user, world)
    ceiling = set(everything)
    for documents in (case["boundary"], case["session"], *case["scps"]):
        if documents:
            ceiling &= union(documents, "Allow", user, world)
    organisation = set(everything)
    for documents in case["scps"]:
        organisation &= union(documents, "Allow", user, world)
    granted: dict[str, set[tuple[str, str]]] = {"itself": set(), "account": set(), "anyone": set()}
    denied = union(
        [*case["identity"], *case["boundary"], *case["session"], *itertools.chain(*case["scps"])], "Deny", user, world
    )
    for statement in case["resource"]["Statement"] if case["resource"] else []:
        for way in names_user(statement, user_arn, account):
            if statement["Effect"] == "Allow":
                granted[way] |= covered(statement, user, world)
            else:
                denied |= covered(statement, user, world)
    own = identity & ceiling
    if account == BUCKET_ACCOUNT:
        outright = (granted["itself"] | granted["anyone"]) & organisation
        by_the_key = set().union(*granted.values())
        result = outright | {each for each in own if not each[0].startswith("kms:") or each in by_the_key}
    else:
        result = own & set().union(*granted.values())
    return result - denied
