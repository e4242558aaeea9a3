"""EventBridge: `{"detail-type": "AWS API Call via CloudTrail", ..., "detail": {the record}}`."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from trailhound.containers.found import NOT_JSON, Broken, Found, Text, excerpt


class _Event(msgspec.Struct):
    detail: msgspec.Raw
    detail_type: str = msgspec.field(name="detail-type")


_decode = msgspec.json.Decoder(_Event).decode


def sniff(head: bytes) -> bool:
    return b'"detail-type"' in head and b'"detail"' in head


def records(text: Text) -> Iterator[Found]:
    data = text.head
    try:
        event = _decode(data)
    except NOT_JSON:
        yield data  # a record that only speaks of `detail-type` somewhere inside
        return
    if event.detail_type.endswith("via CloudTrail"):
        yield bytes(event.detail)
    else:
        detail = f"an EventBridge event of another kind: {event.detail_type[:100]}"
        yield Broken(None, "not_cloudtrail", detail, excerpt(data))
