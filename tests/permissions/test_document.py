"""Texts of policies: what is a mere rewriting, and what cannot be read."""

from __future__ import annotations

import json
import random
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.permissions.test_evaluate import documents

from trailhound.permissions import actions
from trailhound.permissions.document import Policy, Unreadable, grants, read


def normal(document: Any) -> frozenset:
    found = read(document)
    assert isinstance(found, Policy), found
    return grants(found)


def parts(pattern: str) -> list[str]:
    return [pattern] if pattern == "*" else sorted(actions.named(pattern))


def rewritten(document: dict[str, Any], chance: random.Random) -> dict[str, Any]:
    """The same in other words: every statement split by action, resource and principal, shuffled, wildcards written out."""
    found = []
    for statement in document["Statement"]:
        wholes = "NotAction" in statement, "NotResource" in statement
        written = [name for pattern in statement.get("Action", []) for name in parts(pattern)]
        some = [written[at::2] for at in (0, 1) if written[at::2]] if not wholes[0] else [statement["NotAction"]]
        for part in some:
            for resource in [statement["NotResource"]] if wholes[1] else [[each] for each in statement["Resource"]]:
                copy = {**statement, "Sid": str(chance.random())}
                copy["NotAction" if wholes[0] else "Action"] = chance.sample(part, len(part))
                copy["NotResource" if wholes[1] else "Resource"] = resource[0] if len(resource) == 1 else resource[::-1]
                found.append(dict(chance.sample(list(copy.items()), len(copy))))
    chance.shuffle(found)
    return {"Statement": found + found[:1], "Id": "x", "Version": document["Version"]}


@given(documents() | documents(principal=True), st.integers(0, 999))
def test_a_rewriting_has_the_same_normal_form(document: dict, seed: int) -> None:
    chance = random.Random(seed)
    other = rewritten(document, chance)
    text = json.dumps(other, indent=chance.choice([None, 3]))
    assert normal(text) == normal(document) == normal(quote(text)) == normal(other)


@given(documents(), documents())
def test_what_has_one_normal_form_was_written_alike(one: dict, other: dict) -> None:
    """Equal normal forms: every statement of one is made of parts of the other."""
    if normal(one) == normal(other):
        assert {each["Effect"] for each in one["Statement"]} == {each["Effect"] for each in other["Statement"]}
        covered = lambda d: {name for s in d["Statement"] for p in s.get("Action", []) for name in actions.named(p)}  # noqa: E731
        if not any("NotAction" in each for each in (*one["Statement"], *other["Statement"])):
            assert covered(one) == covered(other)


GOOD: dict[str, Any] = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}


@pytest.mark.parametrize(
    "document",
    [
        "",
        "null",
        "[]",
        "{}",
        "not json",
        '{"Version": "2012-10-17", "Statement": [',
        "omitted: request parameters are too large",
        '{"Statement": [], "Statement": []}',
        json.dumps({"Statement": GOOD})[:-1] + ',"Statement":[]}',
        {"Version": "2013-01-01", "Statement": GOOD},
        {"Statement": "all"},
        {"Statement": GOOD, "statement": GOOD},
        {"Statement": {**GOOD, "Effect": "allow"}},
        {"Statement": {**GOOD, "Effect": None}},
        {"Statement": {**GOOD, "Action": []}},
        {"Statement": {**GOOD, "Action": 7}},
        {"Statement": {**GOOD, "Resource": [["*"]]}},
        {"Statement": {**GOOD, "NotAction": "s3:*"}},
        {"Statement": {**GOOD, "NotResource": "*"}},
        {"Statement": {"Effect": "Allow", "Resource": "*"}},
        {"Statement": {**GOOD, "Principal": {"AWS": {}}}},
        {"Statement": {**GOOD, "Principal": "alice"}},
        {"Statement": {**GOOD, "Principal": {"User": "x"}}},
        {"Statement": {**GOOD, "Condition": []}},
        {"Statement": {**GOOD, "Condition": {"StringAlmost": {"a:b": "c"}}}},
        {"Statement": {**GOOD, "Condition": {"ForSome:StringLike": {"a:b": "c"}}}},
        {"Statement": {**GOOD, "Condition": {"NullIfExists": {"a:b": "true"}}}},
        {"Statement": {**GOOD, "Condition": {"StringLike": "x"}}},
        {"Statement": {**GOOD, "Condition": {"StringLike": {"a:b": None}}}},
        {"Statement": {**GOOD, "Conditions": {}}},
        "[" * 100_000,
        " " * (1 << 21),
    ],
)  # fmt: skip
def test_what_cannot_be_read_says_why(document: Any) -> None:
    found = read(document)
    assert isinstance(found, Unreadable)
    assert 5 < len(found.because) < 300


@pytest.mark.parametrize(
    ("one", "other", "alike"),
    [
        ({**GOOD, "Action": "S3:getobject"}, GOOD, True),
        ({**GOOD, "Action": ["s3:GetObject", "s3:GetObject"]}, GOOD, True),
        ({**GOOD, "Condition": {"Bool": {"aws:SecureTransport": True}}}, {**GOOD, "Condition": {"Bool": {"AWS:securetransport": "true"}}}, True),
        ({**GOOD, "Condition": {}}, GOOD, True),
        ({**GOOD, "Principal": "*"}, {**GOOD, "Principal": {"AWS": ["*"]}}, True),
        ({**GOOD, "Resource": "arn:aws:s3:::B"}, {**GOOD, "Resource": "arn:aws:s3:::b"}, False),
        ({**GOOD, "Condition": {"StringEquals": {"a:b": "X"}}}, {**GOOD, "Condition": {"StringEquals": {"a:b": "x"}}}, False),
        ({**GOOD, "Action": "new:*"}, {**GOOD, "Action": "newer:*"}, False),
    ],
)  # fmt: skip
def test_case_and_lists(one: dict, other: dict, alike: bool) -> None:
    assert (normal({"Statement": one}) == normal({"Statement": other})) == alike


def test_variables_are_plain_text_before_2012() -> None:
    named = {**GOOD, "Resource": "arn:aws:s3:::b/${aws:username}"}
    assert normal({"Statement": named, "Version": "2012-10-17"}) != normal({"Statement": named})
    assert normal({"Statement": GOOD, "Version": "2012-10-17"}) == normal({"Statement": GOOD})
