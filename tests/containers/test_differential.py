"""Against a plain reading: every object with an eventVersion and an eventName, wherever it is, in whatever text."""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Callable, Iterator
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from tests.containers.test_wrappings import found_in, record_texts
from tests.containers.wrappings import (
    bridge,
    hit,
    insights_row,
    log_event,
    lookup_event,
    notification,
    sqs_message,
    subscription,
    zipped,
)

from trailhound.containers.envelopes import DEPTH

# One text in another, as JSON; any of them may hold any other.
AROUND: dict[str, Callable[[str], str]] = {
    "event_bridge": bridge,
    "sns": lambda text: json.dumps(notification(text)),
    "sqs": lambda text: json.dumps(sqs_message(text)),
    "sqs_page": lambda text: json.dumps({"Messages": [sqs_message(text)]}),
    "sqs_lambda": lambda text: json.dumps({"Records": [{"messageId": "1", "body": text, "eventSource": "aws:sqs"}]}),
    "lookup_event": lambda text: json.dumps(lookup_event(text)),
    "log_event": lambda text: json.dumps(log_event(text, 1)),
    "subscription": lambda text: json.dumps(subscription([text])),
    "awslogs": lambda text: json.dumps({"awslogs": {"data": zipped(subscription([text]))}}),
    "kinesis": lambda text: json.dumps({"SequenceNumber": "1", "Data": base64.b64encode(text.encode()).decode()}),
    "insights": lambda text: json.dumps({"results": [insights_row(text)]}),
    "elastic": hit,
    "elastic_original": lambda text: json.dumps({"event": {"original": text}}),
    "splunk": lambda text: json.dumps({"result": {"_raw": text}}),
    "message": lambda text: json.dumps({"host": "h", "message": text}),
    "records": lambda text: f'{{"Records":[{text}]}}',
    "array": lambda text: f"[{text}]",
}  # fmt: skip
LAYOUTS: dict[str, Callable[[list[str]], str]] = {
    "alone": lambda texts: texts[0],
    "array": lambda texts: f"[{', '.join(texts)}]",
    "lines": "\n".join,
    "run together": "".join,
    "records": lambda texts: f'{{"Records": [{", ".join(texts)}]}}',
}


def plainly_read(text: str) -> Iterator[Any]:
    """Slow, and with no idea of what a wrapping is."""
    decoder, at = json.JSONDecoder(), 0
    while at < len(text):
        try:
            value, at = decoder.raw_decode(text, at)
        except ValueError:
            at += 1
            continue
        yield from plainly_found(value)


def plainly_found(value: Any) -> Iterator[Any]:
    if isinstance(value, dict) and "eventVersion" in value and "eventName" in value:
        yield value
    elif isinstance(value, dict | list):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from plainly_found(inner)
    elif isinstance(value, str) and value[:1] in ("{", "["):
        yield from plainly_read(value)
    elif isinstance(value, str) and len(value) > 60:
        try:
            data = base64.b64decode(value, validate=True)
        except ValueError:
            return
        yield from plainly_read((gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data).decode())


@given(
    texts=record_texts(),
    around=st.lists(st.sampled_from(sorted(AROUND)), max_size=5),
    layout=st.sampled_from(sorted(LAYOUTS)),
)
def test_wrappings_within_wrappings(texts: list[str], around: list[str], layout: str) -> None:
    for name in around:
        texts = [AROUND[name](text) for text in texts]
    text = LAYOUTS[layout](texts)
    assert [json.loads(item) for item in found_in(text.encode()) if isinstance(item, bytes)] == list(plainly_read(text))


def test_there_is_an_end_to_it() -> None:
    text = json.dumps({"eventVersion": "1.08", "eventName": "A"})
    for _ in range(DEPTH + 1):
        text = json.dumps({"Message": text})
    (item,) = found_in(text.encode())
    assert not isinstance(item, bytes)
    assert item[1] == "too_deep"
