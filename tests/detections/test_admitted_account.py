"""`admitted_account`: whom a policy in a request lets in, however it is written, as a plain reading of it says."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.detections.conftest import Fires, numbers, record, rule

from trailhound.engines import dialect
from trailhound.engines.duckdb import DuckDB

OWN = "111122223333"
ACCOUNTS = (OWN, "999988887777", "444455556666", "123456789012")
RULE = rule({"sel": {"admitted_account|re": r"^\d{12}$"}, "condition": "sel"})


def _spelt(account: str) -> st.SearchStrategy[str]:
    return st.sampled_from([account, f"arn:aws:iam::{account}:root", f"arn:aws-cn:iam::{account}:role/path/x"])


principals = st.one_of(
    st.sampled_from(ACCOUNTS).flatmap(_spelt).map(lambda one: {"AWS": one}),
    st.lists(st.sampled_from(ACCOUNTS).flatmap(_spelt), min_size=1, max_size=3).map(lambda some: {"AWS": some}),
    st.just({"Service": "sns.amazonaws.com"}),
    st.just("*"),
)
statements = st.fixed_dictionaries(
    {"Effect": st.sampled_from(["Allow", "Deny"]), "Principal": principals, "Action": st.just(["s3:Get*", "s3:Put*"])},
    optional={
        "Resource": st.sampled_from(ACCOUNTS).map(lambda one: f"arn:aws:sns:us-east-1:{one}:topic"),
        "Condition": st.sampled_from(ACCOUNTS).map(lambda one: {"StringEquals": {"aws:SourceAccount": one}}),
    },
).flatmap(lambda each: st.permutations(list(each.items())).map(dict))


@st.composite
def requests(draw: st.DrawFn) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    some = draw(st.lists(statements, min_size=1, max_size=3))
    policy = {"Version": "2012-10-17", "Statement": some if len(some) > 1 or draw(st.booleans()) else some[0]}
    text = json.dumps(policy, indent=draw(st.sampled_from([None, 2, "\t"])))
    shapes = [{"bucketPolicy": policy}, {"policy": text}, {"attributes": {"Policy": text}}]
    shapes.append({"document": json.dumps({"policy": text}, indent=1)})
    return some, draw(st.sampled_from(shapes))


def _named(statement: dict[str, Any]) -> Iterator[str]:
    principal = statement["Principal"]
    for each in [principal] if isinstance(principal, str) else principal.values():
        for one in each if isinstance(each, list) else [each]:
            yield from (account for account in ACCOUNTS if account in one and account != OWN)


@pytest.fixture(scope="module")
def engine() -> Iterator[DuckDB]:
    engine = DuckDB(threads=1)
    yield engine
    engine.close()


@given(requests())
@settings(max_examples=150)
def test_every_principal_is_seen_and_nobody_else(
    engine: DuckDB, asked: tuple[list[dict[str, Any]], dict[str, Any]]
) -> None:
    some, request = asked
    sql = dialect.admitted_accounts("$request", "$own")
    found = set(engine.query(f"SELECT {sql} AS found", {"request": json.dumps(request), "own": OWN})[0]["found"])
    assert found == {name for each in some for name in _named(each)}


def test_an_account_that_is_no_principal_is_not_let_in(fires: Fires) -> None:
    policy = {
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"Service": "s3.amazonaws.com"},
                "Action": "sns:Publish",
                "Resource": "arn:aws:sns:us-east-1:999988887777:x",
                "Condition": {"StringEquals": {"aws:SourceAccount": "999988887777"}},
            }
        ]
    }
    asked = {"policy": json.dumps(policy), "accountIds": ["999988887777"]}
    assert numbers(fires(RULE, [record(1, requestParameters=asked), record(2)])) == set()


def test_it_is_a_field_like_any_other(fires: Fires) -> None:
    policy = {"Statement": {"Effect": "Allow", "Principal": {"AWS": "999988887777"}, "Action": "*"}}
    records = [record(1, requestParameters={"policy": json.dumps(policy)}), record(2, requestParameters=None)]
    assert numbers(fires(RULE, records)) == {1}
    assert numbers(fires(rule({"sel": {"admitted_account": "999988887777"}, "condition": "sel"}), records)) == {1}
    assert numbers(fires(rule({"sel": {"admitted_account|exists": True}, "condition": "sel"}), records)) == {1}
    assert numbers(fires(rule({"sel": {"eventName|exists": True}, "x": {"admitted_account|exists": True},
                               "condition": "sel and not x"}), records)) == {2}  # fmt: skip
