"""Patterns, and the texts that tell them apart."""

from __future__ import annotations

import itertools
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.permissions.oracle import like, resource_like

from trailhound.permissions import arn
from trailhound.permissions.patterns import OPEN, SHUT, TooManyError, glob, matches, resource, samples

PATTERNS = st.text("ab:*?", max_size=6)
ALL = ["".join(each) for length in range(5) for each in itertools.product("ab:x", repeat=length)]


@given(PATTERNS, st.text("ab:", max_size=8))
def test_match_as_a_second_matcher_does(pattern: str, text: str) -> None:
    assert matches(glob(pattern), text) == like(pattern, text)
    if "?" not in pattern:  # a ? of a resource keeps out of the colon, which the second matcher does not know
        assert matches(resource(pattern), text) == resource_like(pattern, text)


@given(st.lists(PATTERNS, min_size=1, max_size=4))
def test_samples_are_all_the_cases_there_are(patterns: list[str]) -> None:
    for kind in (glob, resource):
        read = [kind(each) for each in patterns]
        case = lambda text: tuple(matches(each, text) for each in read)  # noqa: B023, E731
        found = [case(text) for text in samples(read)]
        assert len(found) == len(set(found))
        assert {case(text) for text in ALL} <= set(found)


def test_no_pattern_is_slow() -> None:
    text = "arn:aws:s3:::" + "a" * 3000
    started = time.process_time()
    for pattern in ("*a" * 60 + "b", "arn:aws:s3:::" + "*a" * 60 + "b"):
        assert not matches(glob(pattern), text)
        assert not matches(resource(pattern), text)
    assert time.process_time() - started < 1


def test_what_is_beyond_the_bound_is_not_guessed() -> None:
    with pytest.raises(TooManyError):
        samples([glob(f"*{letter}*") for letter in "abcdefghijklmnopqrst"])


def test_what_stands_for_itself_is_no_wildcard() -> None:
    assert matches(glob(f"a{OPEN}*{SHUT}b"), "a*b")
    assert not matches(glob(f"a{OPEN}*{SHUT}b"), "axb")


@pytest.mark.parametrize(
    ("resource_part", "expected"),
    [
        ("role/path/admin", ("role", "/", "path/admin")),
        ("function:f:1", ("function", ":", "f:1")),
        ("my-bucket", ("", "", "my-bucket")),
        ("log-group:/aws/x:*", ("log-group", ":", "/aws/x:*")),
        ("root", ("", "", "root")),
    ],
)
def test_forms_of_a_resource(resource_part: str, expected: tuple[str, str, str]) -> None:
    assert arn.name_of(resource_part) == expected


def test_variables() -> None:
    assert arn.variables("${aws:UserName}/${*}/${a:b, 'x y'}/${$}") == (("aws:username", None), ("a:b", "x y"))
    filled = arn.substituted("b/${aws:username}/${*}*", lambda variable: {"aws:username": "*"}.get(variable.key))
    assert filled is not None
    assert matches(glob(filled), "b/*/*anything")
    assert not matches(glob(filled), "b/x/*")
    assert arn.substituted("${a:b}", lambda _: None) is None
    assert arn.account_of("arn:aws:iam::123456789012:role/x") == "123456789012"
    assert arn.account_of("arn:aws:iam::aws:policy/X") == arn.account_of("arn:aws:s3:::b") == arn.account_of("x") == ""
