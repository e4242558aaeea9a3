"""What messages say: every wrapping is opened, nothing is taken for what it is not."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.sources.cloud import notices

from trailhound.sources.notices import Odd, Pointer, Probe, read

KEY = "AWSLogs/1/CloudTrail/ü b+c%41.json.gz"


def s3_event(**changes: Any) -> str:
    entry = {"eventName": "ObjectCreated:Put", "s3": {"bucket": {"name": "logs"}, "object": {"key": "k"}}} | changes
    return json.dumps({"Records": [entry]})


@pytest.mark.parametrize("form", notices("logs", "k", 1))
def test_every_form_announces_the_object(form: str) -> None:
    (said,) = read(notices("logs", "a/b.json.gz", 12)[form])
    assert isinstance(said, Pointer)
    assert (said.bucket, said.key) == ("logs", "a/b.json.gz")
    assert said.size == (-1 if form.startswith("cloudtrail") else 12)


def test_keys_are_decoded_where_they_are_encoded_and_nowhere_else() -> None:
    encoded = "AWSLogs/1/CloudTrail/%C3%BC+b%2Bc%2541.json.gz"
    assert read(s3_event(s3={"bucket": {"name": "logs"}, "object": {"key": encoded}})) == [Pointer("logs", KEY)]
    assert read(json.dumps({"s3Bucket": "logs", "s3ObjectKey": [KEY, "k"]})) == [
        Pointer("logs", KEY),
        Pointer("logs", "k"),
    ]


@pytest.mark.parametrize(
    "body",
    [
        '{"Service":"Amazon S3","Event":"s3:TestEvent","Bucket":"logs"}',
        "CloudTrail validation message.",
        json.dumps({"Type": "Notification", "Message": "CloudTrail validation message."}),
        json.dumps({"Type": "Notification", "Message": '{"Event":"s3:TestEvent"}'}),
    ],
)
def test_what_only_proves_the_way(body: str) -> None:
    assert read(body) == [Probe()]


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("", "not_a_notice"),
        ("hello", "not_a_notice"),
        ("[]", "not_a_notice"),
        ("{}", "not_a_notice"),
        ('{"Records":[]}', "not_a_notice"),
        ('{"Records":[7]}', "not_a_notice"),
        ('{"s3Bucket":"logs"}', "not_a_notice"),
        ('{"s3Bucket":"../x","s3ObjectKey":["k"]}', "not_a_notice"),
        (json.dumps({"s3Bucket": "logs", "s3ObjectKey": ["k" * 1025]}), "not_a_notice"),
        (json.dumps({"s3Bucket": "logs", "s3ObjectKey": ["\ud800"]}), "not_a_notice"),
        (s3_event(eventName="ObjectRemoved:Delete"), "not_a_write"),
        (json.dumps({"Records": [{"eventName": "GetObject", "eventSource": "s3.amazonaws.com"}]}), "not_a_notice"),
        ("[" * 100_000, "not_a_notice"),
    ],
)
def test_what_is_no_notice_says_so(body: str, reason: str) -> None:
    (said,) = read(body)
    assert isinstance(said, Odd)
    assert said.reason == reason
    assert len(said.detail) <= 500


def test_wrapping_has_an_end() -> None:
    body = notices("logs", "k", 1)["s3"]
    for _ in range(9):
        body = json.dumps({"Type": "Notification", "Message": body})
    assert [type(said) for said in read(body)] == [Odd]


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(
        st.sampled_from(["Records", "s3", "bucket", "object", "name", "key", "Message", "s3Bucket", "s3ObjectKey", "source",
                         "detail", "detail-type", "eventName", "Event", "size"]),
        inner | st.sampled_from(["aws.s3", "ObjectCreated:Put", "Object Created", "logs"]), max_size=4),
    max_leaves=12,
)  # fmt: skip


@given(json_values)
def test_whatever_a_message_holds_something_is_said_of_it(value: Any) -> None:
    said = read(json.dumps(value))
    assert said
    assert all(isinstance(one, Pointer | Odd | Probe) for one in said)
