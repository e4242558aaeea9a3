"""EventBridge: `{"detail-type": "AWS API Call via CloudTrail", ..., "detail": {the record}}`."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from trailhound.containers.found import Broken, Found, excerpt, reader
from trailhound.containers.s3_notification import pointer

KEYS = ("detail-type",)


class _Event(msgspec.Struct):
    detail: msgspec.Raw
    detail_type: str = msgspec.field(name="detail-type")


class _Bucket(msgspec.Struct):
    name: str


class _Object(msgspec.Struct):
    key: str


class _Created(msgspec.Struct):
    bucket: _Bucket
    object: _Object


_read, _read_created = reader(_Event), reader(_Created)


def contents(value: bytes) -> Iterator[Found] | None:
    event = _read(value)
    if event is None:
        return None
    if event.detail_type.endswith("via CloudTrail"):
        return iter((bytes(event.detail),))
    if event.detail_type.startswith("Object ") and (created := _read_created(event.detail)):
        return iter((pointer(created.bucket.name, created.object.key, value),))
    detail = f"an EventBridge event of another kind: {event.detail_type[:100]}"
    return iter((Broken(None, "not_cloudtrail", detail, excerpt(value)),))
