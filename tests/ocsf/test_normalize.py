"""Records → columns: what is kept, what is refused, and what is said about it."""

from __future__ import annotations

import json

import pytest

from trailhound.model import Record
from trailhound.ocsf.normalize import EXCERPT, normalize
from trailhound.ocsf.schema import COLUMNS

DEEP = b"[" * 10_000 + b"]" * 10_000


def refused(raw, index=3):
    batch = normalize([Record(raw, "source", index)])
    assert not batch.columns["time"]
    (reject,) = batch.rejects
    assert (reject.source_uid, reject.index) == ("source", index)
    assert reject.detail
    assert len(reject.excerpt) <= EXCERPT
    return reject.reason


def test_columns_are_those_of_the_events_table_even_when_empty():
    assert {*normalize([]).columns, "time_dt"} == {column.path for column in COLUMNS}


def test_fields_go_to_their_columns(row, record):
    found = row(
        record(apiVersion="2016-11-15", sharedEventID="s", vpcEndpointId="vpce-1", errorCode="E", errorMessage="m")
    )
    expected = {
        "time": 1714979289000,
        "event_day": "2024-05-06",
        "metadata.uid": "00000000-0000-4000-8000-000000000001",
        "metadata.event_code": "AwsApiCall",
        "metadata.correlation_uid": "s",
        "cloud.region": "us-east-1",
        "cloud.account.uid": "111122223333",
        "api.operation": "DescribeInstances",
        "api.version": "2016-11-15",
        "api.service.name": "ec2.amazonaws.com",
        "api.response.error": "E",
        "actor.user.name": "alice",
        "actor.user.credential_uid": "AKIAEXAMPLE",
        "src_endpoint.ip": "198.51.100.23",
        "src_ip_hex": "00000000000000000000ffffc6336417",
        "src_endpoint.uid": "vpce-1",
        "http_request.user_agent": "aws-cli/2.15.0",
        "read_only": False,
        "flags": (),
        "source_uid": "source",
        "source_index": 7,
    }
    assert {path: found[path] for path in expected} == expected


def test_raw_data_is_the_record_byte_for_byte(row, record):
    raw = json.dumps(record(), indent=3).replace("alice", "al\\u0069ce ☂").encode()
    assert row(raw)["raw_data"].encode() == raw


def test_parameters_are_kept_as_json_text(row, record):
    found = row(record(requestParameters={"a": [1, {"b": "c"}]}, responseElements=None))
    assert json.loads(found["api.request.data"]) == {"a": [1, {"b": "c"}]}
    assert found["api.response.data"] is None
    assert row(record(requestParameters=...))["api.request.data"] is None


@pytest.mark.parametrize(
    ("source", "ip", "domain"),
    [
        ("10.0.0.1", "10.0.0.1", None),
        ("255.090.254.5", "255.90.254.5", None),
        ("2001:DB8:0:0::1", "2001:db8::1", None),
        ("::ffff:192.0.2.1", "192.0.2.1", None),
        ("cloudformation.amazonaws.com", None, "cloudformation.amazonaws.com"),
        ("AWS Internal/3", None, "AWS Internal/3"),
        ("256.1.1.1", None, "256.1.1.1"),
        ("1.2.3.4'; DROP TABLE events", None, "1.2.3.4'; DROP TABLE events"),
        ("", None, None),
    ],
)
def test_source_is_an_address_or_a_name(row, record, source, ip, domain):
    found = row(record(sourceIPAddress=source))
    assert (found["src_endpoint.ip"], found["src_endpoint.domain"]) == (ip, domain)
    assert (found["src_ip_hex"] is None) == (ip is None)


@pytest.mark.parametrize(
    ("logged", "stored"),
    [(12, 12), (12.0, 12), ("12", 12), ("x", None), (-1, None), (10**30, None), (None, None), (True, None)],
)
def test_traffic_is_whole_bytes(row, record, logged, stored):
    found = row(record(additionalEventData={"bytesTransferredOut": logged, "bytesTransferredIn": 3}))
    assert (found["traffic.bytes_out"], found["traffic.bytes_in"]) == (stored, 3)


def test_account_is_the_recipient_else_the_caller(row, record):
    assert row(record(recipientAccountId="999"))["cloud.account.uid"] == "999"
    assert row(record(recipientAccountId=...))["cloud.account.uid"] == "111122223333"


def test_event_of_a_service_without_identity_is_the_service_s(row, record):
    found = row(record(userIdentity=..., eventType="AwsServiceEvent"))
    assert (found["principal_uid"], found["flags"]) == ("ec2.amazonaws.com", ())


def test_record_of_format_1_0_gets_a_uid_from_its_content(row, record):
    old = record(eventVersion="1.0", eventID=...)
    one, copy = row(old), row(json.dumps(dict(reversed(old.items())), indent=1).encode())
    assert one["metadata.uid"] == copy["metadata.uid"]
    assert one["metadata.uid"] != row(old | {"eventName": "StopInstances"})["metadata.uid"]
    assert one["flags"] == ("no_event_id",)


def test_flags_of_the_record_are_kept(record):
    raw = json.dumps(record(eventID=...)).encode()
    batch = normalize([Record(raw, "source", 0, ("repaired",))])
    assert batch.columns["flags"] == [("repaired", "no_event_id")]


@pytest.mark.parametrize(
    "fields",
    [
        {"eventVersion": 1.08},
        {"readOnly": "true"},
        {"readOnly": {"a": 1}},
        {"userAgent": ["x"]},
        {"errorCode": False},
        {"recipientAccountId": 111122223333},
        {"eventTime": 1714979289},
    ],
)
def test_mistyped_field_does_not_lose_the_event(row, record, fields):
    found = row(record(**fields))
    assert found["flags"] == ("mistyped",)
    assert (found["api.operation"], found["time"]) == ("DescribeInstances", 1714979289000)


def test_mistyped_values_that_can_be_read_are_read(row, record):
    found = row(record(eventVersion=1.08, readOnly="True", recipientAccountId=12, userAgent={"a": 1}))
    paths = ("metadata.product.version", "read_only", "cloud.account.uid", "http_request.user_agent")
    assert [found[path] for path in paths] == ["1.08", True, "12", None]


@pytest.mark.parametrize(
    "part", ["userIdentity", "requestParameters", "responseElements", "additionalEventData", "resources"]
)
@pytest.mark.parametrize("value", ["HIDDEN_DUE_TO_SECURITY_REASONS", None, 7, [], [[1]], {"a": None}, [{"ARN": 1}]])
def test_anything_may_stand_for_an_object(row, record, part, value):
    for name, source in (
        ("ConsoleLogin", "signin"),
        ("RunInstances", "ec2"),
        ("AssumeRole", "sts"),
        ("PutObject", "s3"),
    ):
        found = row(record(**{part: value}, eventName=name, eventSource=f"{source}.amazonaws.com"))
        assert json.loads(found["raw_data"])[part] == value


def test_half_a_surrogate_pair_is_replaced_and_said(row, record, stored):
    raw = json.dumps(
        record(userAgent="a\ud800b", requestParameters={"k": "\udc00", "e": "😀", "p": "\\ud800"})
    ).encode()
    found = row(raw)
    assert found["flags"] == ("lone_surrogate",)
    assert found["http_request.user_agent"] == "a\ufffdb"
    assert json.loads(found["api.request.data"]) == {"k": "\ufffd", "e": "😀", "p": "\\ud800"}
    assert stored([raw])[0]["raw_data"] == found["raw_data"]


def test_nul_huge_numbers_and_double_keys_are_kept(row, record, stored):
    text = json.dumps(record(userAgent="a\0b")).replace(
        '"requestParameters": null', f'"requestParameters": {{"n": {"9" * 5000}}}'
    )
    raw = text.replace('"readOnly": false', '"readOnly": true, "readOnly": false').encode()
    found = row(raw)
    assert (found["http_request.user_agent"], found["read_only"]) == ("a\0b", False)
    assert stored([raw])[0]["raw_data"] == text.replace('"readOnly": false', '"readOnly": true, "readOnly": false')


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b"", "not_json"),
        (b"{", "not_json"),
        (b'{"eventName": NaN}', "not_json"),
        (b"[]", "not_an_object"),
        (b'"text"', "not_an_object"),
        (b"7", "not_an_object"),
        (b'{"eventName": "A", "requestParameters": ' + DEEP + b"}", "too_deep"),
        (DEEP, "not_an_object"),
        (b"{}", "no_event_name"),
        (b'{"eventName": "", "eventTime": "2024-01-01T00:00:00Z"}', "no_event_name"),
        (b'{"eventName": "A"}', "no_event_time"),
        (b'{"eventName": "A", "eventTime": {"a": 1}}', "no_event_time"),
        (b'{"eventName": "A", "eventTime": "yesterday"}', "bad_event_time"),
        (b'{"eventType": "AwsCloudTrailInsight", "eventTime": "2024-01-01T00:00:00Z"}', "insight_event"),
        (b'{"eventCategory": "Insight", "insightDetails": {"state": "Start"}}', "insight_event"),
        (
            b'{"eventSource": "aws:s3", "eventName": "ObjectCreated:Put", "eventTime": "2024-01-01T00:00:00Z"}',
            "s3_notification",
        ),
    ],
)
def test_what_is_no_event_is_refused_with_a_reason(raw, reason):
    assert refused(raw) == reason


@pytest.mark.parametrize("place", ["userAgent", "requestParameters"])
def test_stray_bytes_are_replaced_and_flagged(row, record, stored, place):
    made = record(**{place: {"k": "~"} if place == "requestParameters" else "~"})
    raw = json.dumps(made).encode().replace(b"~", b"caf\xe9")
    assert row(raw)["flags"] == ("invalid_utf8",)
    assert stored([raw])[0]["raw_data"] == raw.decode("utf-8", "replace")


def test_time_of_a_log_shipper_stands_in(row, record):
    assert row(record(eventTime=..., **{"@timestamp": "2024-05-06T07:08:09.000Z"}))["time"] == 1714979289000


def test_one_bad_record_does_not_stop_the_rest(record):
    good = json.dumps(record()).encode()
    batch = normalize([Record(raw, "s", i) for i, raw in enumerate([good, b"{", good, b"[]"])])
    assert batch.columns["source_index"] == [0, 2]
    assert [(reject.index, reject.reason) for reject in batch.rejects] == [(1, "not_json"), (3, "not_an_object")]
