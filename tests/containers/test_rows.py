"""Records put together from columns: what a column says stands where CloudTrail has it, and nothing else does."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trailhound import containers
from trailhound.containers import Partial, struct_text
from trailhound.containers.rows import record_of

# Text that a struct can hold without saying something else: what IAM allows in names, and more.
NAME = st.text("abcXYZ019_+=,.@-:/ ", min_size=1, max_size=12).map(str.strip).filter(
    lambda text: text and ", " not in text and text != "null"
)  # fmt: skip


def struct(value: Any) -> str:
    """As Athena writes a struct or a list into a cell."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key.lower()}={struct(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(struct, value)) + "]"
    return "null" if value is None else value


def identity(name: str, session: str) -> dict[str, Any]:
    return {
        "type": "AssumedRole",
        "principalId": f"AROA1:{session}",
        "arn": f"arn:aws:sts::111122223333:assumed-role/r/{session}",
        "accountId": "111122223333",
        "accessKeyId": "ASIA1",
        "userName": name,
        "sessionContext": {
            "attributes": {"mfaAuthenticated": "false", "creationDate": "2024-05-01T09:00:00Z"},
            "sessionIssuer": {"type": "Role", "principalId": "AROA1", "userName": "r"},
        },
    }


@given(name=NAME, session=NAME, agent=st.text(max_size=20), parameters=st.dictionaries(NAME, NAME, max_size=3))
def test_a_row_of_athena_says_what_the_record_said(
    name: str, session: str, agent: str, parameters: dict[str, str]
) -> None:
    record = {
        "eventVersion": "1.08",
        "userIdentity": identity(name, session),
        "eventTime": "2024-05-01T10:00:01Z",
        "eventSource": "s3.amazonaws.com",
        "eventName": "GetObject",
        "userAgent": agent,
        "requestParameters": parameters,
        "readOnly": True,
        "resources": [{"ARN": "arn:aws:s3:::b/k", "type": "AWS::S3::Object"}, {"ARN": "arn:aws:s3:::b"}],
    }
    cells = {
        key.lower(): value if isinstance(value, str) else struct(value)
        for key, value in record.items()
        if key != "readOnly"
    }
    cells |= {"readonly": "true", "requestparameters": json.dumps(parameters), "year": "2024"}
    out = io.StringIO()
    writer = csv.DictWriter(out, list(cells))
    writer.writeheader()
    writer.writerow(cells)
    (item,) = containers.read(iter((out.getvalue().encode(),)))[1]
    assert isinstance(item, Partial)
    assert item.flags == ("partial",)
    expected = {key: value for key, value in record.items() if value != ""} | {"year": "2024"}
    assert json.loads(item.raw) == expected


def test_what_a_caller_chose_does_not_stand_in_for_what_aws_wrote() -> None:
    text = "{type=IAMUser, accountid=111122223333, username=x, type=Root, accountid=999999999999}"
    assert record_of({"eventname": "A", "useridentity": text}) == Partial(
        b'{"eventName":"A","userIdentity":{"type":"IAMUser","accountId":"111122223333","userName":"x"}}', ("partial",)
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{}", {}),
        ("[]", []),
        ("{a=1}", {"a": "1"}),
        ("{a=null, b=}", {"a": None, "b": ""}),
        ("{a=x, y, b=2}", {"a": "x, y", "b": "2"}),
        ("{a={b={c=1}}, d=[x, y]}", {"a": {"b": {"c": "1"}}, "d": ["x", "y"]}),
        ("[{a=1}, {a=2}]", [{"a": "1"}, {"a": "2"}]),
        ('{policy={"Version": "2012", "Statement": [{"a": 1}]}, b=2}', {"policy": '{"Version": "2012", "Statement": [{"a": 1}]}', "b": "2"}),
        ("{a=x{y}z, b=1}", {"a": "x{y}z", "b": "1"}),
        ("plain", None),
        ("{a=1", None),
        ("{a=1} x", None),
        ("{" * 100_000, None),
        ("{a=" * 1000 + "}" * 1000, ...),
    ],
)  # fmt: skip
def test_struct_text(text: str, expected: Any) -> None:
    assert expected is ... or struct_text.parse(text) == expected


@given(st.text("{}[]=, ab\"':", max_size=60))
def test_no_text_whatever_raises(text: str) -> None:
    struct_text.parse(text)
    record_of({"eventName": "A", "userIdentity": text, "requestParameters": text, text: text})


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("Event name", "eventName"),
        ("AWS access key", "userIdentity.accessKeyId"),
        ("User name", "userIdentity.userName"),
        ("UserIdentityArn", "userIdentity.arn"),
        ("userIdentity.sessionContext.sessionIssuer.arn", "userIdentity.sessionContext.sessionIssuer.arn"),
        ("SessionIssuerArn", "userIdentity.sessionContext.sessionIssuer.arn"),
        ("AwsEventId", "eventID"),
        ("SourceIpAddress", "sourceIPAddress"),
        ("requestparameters.bucketName", "requestParameters.bucketName"),
        ("tlsVersion", "tlsDetails.tlsVersion"),
        ("something else", "something else"),
    ],
)
def test_a_column_is_known_by_its_name_in_any_spelling(name: str, path: str) -> None:
    found = record_of({"eventName": "x", name: "x"})
    assert isinstance(found, Partial)
    value = json.loads(found.raw)
    for part in path.split("."):
        value = value[part]
    assert value == "x"


def test_rows_that_name_no_event_are_told() -> None:
    assert record_of({"count": "7", "eventsource": "s3"}) is None
