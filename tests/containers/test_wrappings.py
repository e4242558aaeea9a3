"""What went into a wrapping comes out of it, byte for byte, whatever stands inside the records."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.containers.wrappings import WRAPPINGS

from trailhound import containers
from trailhound.containers import Broken, Found, Partial

# What an attacker may write into a user agent, a session name or a parameter, to be taken for something else.
MARKS = [
    '"CloudTrailEvent"', '"digestS3Bucket"', '"digestS3Object"', '"detail-type"', '"Records":[', '"aws:s3"', '"s3"', '"logEvents"',
    '"message"', '"Message"', '"TopicArn"', '"Body"', '"_raw"', '"_source"', '"result"', '"hits"', '"class_uid"', '"metadata"',
    '"hashSignature"', '"EventName"', '"eventname"', '{"eventVersion":"1.08",', "}]}", '"],"', "\n", '","', "'", "CloudTrail validation message.",
    "2024-01-01T00:00:00Z {}", "H4sIAAAA", "\\", "\u2028", "é", "💥", "PAR1", "\ufeff", "{type=Root, arn=x}",
]  # fmt: skip
TEXT = st.lists(st.sampled_from(MARKS) | st.text(max_size=5), max_size=3).map("".join)
VALUE = st.recursive(
    TEXT | st.none() | st.booleans() | st.integers(-9, 9),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)


@st.composite
def record_texts(draw: st.DrawFn) -> list[str]:
    """Texts of records as CloudTrail's services, and those who lay JSON out anew, write them."""
    texts = []
    for number in range(draw(st.integers(1, 4))):
        record: dict[str, Any] = {
            "eventVersion": "1.08",
            "userIdentity": {"type": "IAMUser", "userName": draw(TEXT)},
            "eventTime": f"2024-05-01T10:00:0{number}Z",
            "eventSource": "iam.amazonaws.com",
            "eventName": "CreateUser",
            "userAgent": draw(TEXT),
            "requestParameters": draw(st.dictionaries(TEXT, VALUE, max_size=3)),
            "eventID": f"00000000-0000-4000-8000-00000000000{number}",
        }
        if draw(st.booleans()):
            record = dict(sorted(record.items()))
        tight = draw(st.booleans())
        texts.append(json.dumps(record, ensure_ascii=draw(st.booleans()), separators=(",", ":") if tight else None))
    return texts


def found_in(data: bytes) -> list[Found]:
    return list(containers.read(iter((data,)))[1])


def pieces_of(data: bytes, size: int) -> list[Found]:
    return list(containers.read(data[at : at + size] for at in range(0, len(data), size))[1])


@pytest.mark.parametrize("name", WRAPPINGS)
@settings(max_examples=25)
@given(texts=record_texts())
def test_what_goes_in_comes_out(name: str, texts: list[str]) -> None:
    assert found_in(WRAPPINGS[name](texts)) == [text.encode() for text in texts]


@pytest.mark.parametrize("name", [name for name in WRAPPINGS if not name.startswith(("utf16", "log_analytics"))])
def test_it_makes_no_difference_in_how_many_pieces(name: str) -> None:
    """The first piece is as large as any head is; so are the pieces of real files."""
    texts = [json.dumps({"eventVersion": "1.08", "eventName": f"Call{n}", "p": "é]}" * 9}) for n in range(30)]
    data = WRAPPINGS[name](texts)
    for size in (len(data) // 2, len(data) // 3 + 1):
        assert [item for item in pieces_of(data, size) if isinstance(item, bytes)] == [text.encode() for text in texts]


# Where the elements of a damaged document stand by themselves; in the others damage spoils the message it is in.
BY_ELEMENT = [
    "records", "records_laid_out", "records_other_name", "array", "lines", "objects", "lookup_events", "lookup_events_lines", "lookup_events_array",
    "subscription", "firehose", "base64_lines", "filter_log_events", "log_events_lines", "export_task", "logs_tail", "logs_query",
    "lake_query", "event_bridge", "event_bridge_run_together", "sns", "sqs", "elastic", "elastic_original", "splunk", "splunk_page",
    "splunk_csv", "lake_csv", "message", "kinesis_get", "sqs_lambda", "utf16_le",
]  # fmt: skip
RECORDS = [
    json.dumps({"eventVersion": "1.08", "eventName": f"Call{n}", "userAgent": 'a "q" {[ é\\', "p": [1, {}]})
    for n in range(6)
]


@pytest.mark.parametrize("name", BY_ELEMENT)
@settings(max_examples=30)
@given(cut=st.integers(1, 10_000))
def test_what_stands_before_the_end_is_read(name: str, cut: int) -> None:
    """All records whose element is whole, and none that was not there; what is cut off is told."""
    whole = WRAPPINGS[name](RECORDS)
    data = whole[: cut % len(whole)]
    items = found_in(data)
    read = [item for item in items if isinstance(item, bytes)]
    assert [text.encode() for text in RECORDS[: len(read)]] == read
    starts = [len(WRAPPINGS[name](RECORDS[:n])) for n in range(1, 7)]  # of n elements with their closing brackets
    assert len(read) >= sum(end <= len(data) for end in starts)
    # What has begun and is not read is told.
    begun = sum(f"Call{n}".encode() in data for n in range(6))
    assert len(items) > len(read) or len(read) >= begun


@pytest.mark.parametrize("name", BY_ELEMENT)
@settings(max_examples=40)
@given(place=st.integers(0, 10_000), value=st.integers(0, 255), splice=st.binary(max_size=4))
def test_damage_never_raises_and_spoils_nothing_before_it(name: str, place: int, value: int, splice: bytes) -> None:
    whole = WRAPPINGS[name](RECORDS)
    place %= len(whole)
    data = whole[:place] + bytes((value,)) + splice + whole[place + 1 :]
    items = found_in(data)
    read = [item for item in items if isinstance(item, bytes)]
    if place < 80:  # it is no longer known what the text is
        return
    before = sum(len(WRAPPINGS[name](RECORDS[:n])) <= place for n in range(1, 7))
    assert read[:before] == [text.encode() for text in RECORDS[:before]]


@pytest.mark.parametrize("name", WRAPPINGS)
@settings(max_examples=30)
@given(seed=st.integers(0, 10**6))
def test_no_bytes_whatever_raise(name: str, seed: int) -> None:
    """Spliced, shuffled and flipped at many places."""
    chance = random.Random(seed)
    data = bytearray(WRAPPINGS[name](RECORDS))
    for _ in range(chance.randrange(1, 8)):
        a, b = sorted(chance.randrange(len(data) + 1) for _ in range(2))
        match chance.randrange(4):
            case 0:
                del data[a : min(b, a + 30)]
            case 1:
                data[a:a] = data[a:b]
            case 2:
                data[a:a] = chance.choice(list(WRAPPINGS.values()))(RECORDS[:1])
            case _:
                data[a:b] = bytes(chance.randrange(256) for _ in range(min(b - a, 5)))
        data = data[:50_000]
    for item in found_in(bytes(data)):
        assert isinstance(item, bytes | Partial) or (isinstance(item, Broken) and len(item.excerpt) <= 200)


@pytest.mark.parametrize(
    "name", [name for name in BY_ELEMENT if name not in ("kinesis_get", "utf16_le", "base64_lines")]
)
def test_a_document_larger_than_any_record_is_read_element_by_element(name: str, limited: Any) -> None:
    limited(record_bytes=20_000)
    texts = [json.dumps({"eventVersion": "1.08", "eventName": f"Call{n}", "p": '"]}' * 99}) for n in range(90)]
    data = WRAPPINGS[name](texts)
    assert len(data) > 30_000
    assert pieces_of(data, 7_000) == [text.encode() for text in texts]
