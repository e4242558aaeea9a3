"""What CloudTrail itself tells by SNS: `{"s3Bucket": ..., "s3ObjectKey": [...]}`; and S3's test of a queue."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from trailhound.containers.found import Broken, Found, excerpt, reader
from trailhound.containers.s3_notification import pointer

KEYS = ("s3ObjectKey", "Event")


class _Delivery(msgspec.Struct):
    s3Bucket: str  # noqa: N815 - the name in the message
    s3ObjectKey: list[str] | str  # noqa: N815


class _Test(msgspec.Struct):
    Event: str
    Bucket: str


_read_delivery, _read_test = reader(_Delivery), reader(_Test)


def contents(value: bytes) -> Iterator[Found] | None:
    if delivery := _read_delivery(value):
        keys = [delivery.s3ObjectKey] if isinstance(delivery.s3ObjectKey, str) else delivery.s3ObjectKey
        return (pointer(delivery.s3Bucket, key, value) for key in keys)
    if (test := _read_test(value)) and test.Event == "s3:TestEvent":
        return iter((Broken(None, "control_message", "S3 tests whether notices arrive: no event", excerpt(value)),))
    return None
