"""What a message in a queue says of new objects: CloudTrail's own notices, S3's events, EventBridge's, and
any of these through SNS. Pure: text in, pointers out; never an exception, whatever the text."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, NamedTuple
from urllib.parse import unquote_plus

_DEPTH = 5  # wrappings within each other
_VALIDATION = "CloudTrail validation message."
_BUCKET = re.compile(r"[a-z0-9][a-z0-9._-]{1,253}[a-z0-9]", re.IGNORECASE)
_KEY_BYTES = 1024


class Pointer(NamedTuple):
    bucket: str
    key: str
    size: int = -1
    etag: str = ""


class Odd(NamedTuple):
    """What is no notice of a new object."""

    reason: str
    detail: str


class Probe(NamedTuple):
    """A message that only proves that the way is open."""


Said = Pointer | Odd | Probe


def read(body: str) -> list[Said]:
    """All that a message says; at least one thing."""
    return list(_unwrapped(body, _DEPTH)) or [Odd("not_a_notice", "a notice of nothing")]


def _unwrapped(value: Any, depth: int) -> Iterator[Said]:
    if depth == 0:
        yield Odd("not_a_notice", f"more than {_DEPTH} messages within each other")
    elif isinstance(value, str):
        yield from _text(value, depth)
    elif isinstance(value, dict):
        yield from _object(value, depth)
    else:
        yield Odd("not_a_notice", "JSON, but no object")


def _object(value: dict[str, Any], depth: int) -> Iterator[Said]:
    if "s3Bucket" in value:  # CloudTrail's own
        keys = value.get("s3ObjectKey")
        for key in keys if isinstance(keys, list) else [keys]:
            yield _pointer(value["s3Bucket"], key)
    elif isinstance(value.get("Records"), list):
        for entry in value["Records"]:
            yield _s3_event(entry)
    elif value.get("Event") == "s3:TestEvent":
        yield Probe()
    elif value.get("source") == "aws.s3":
        yield _event_bridge(value)
    elif "Message" in value:  # SNS
        yield from _unwrapped(value["Message"], depth - 1)
    else:
        yield Odd("not_a_notice", f"an object with other keys: {', '.join(map(str, list(value)[:10]))[:200]}")


def _text(text: str, depth: int) -> Iterator[Said]:
    if text.strip() == _VALIDATION:
        yield Probe()
        return
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        yield Odd("not_a_notice", "no JSON")
        return
    yield from _unwrapped(value, depth - 1 if isinstance(value, str) else depth)


def _s3_event(entry: Any) -> Said:
    try:
        name = entry["eventName"].removeprefix("s3:")
        bucket, thing = entry["s3"]["bucket"]["name"], entry["s3"]["object"]
        key = unquote_plus(thing["key"], errors="strict")
    except (TypeError, KeyError, AttributeError, UnicodeDecodeError):
        return Odd("not_a_notice", "an entry of `Records` that is no event of S3")
    if not name.startswith("ObjectCreated"):
        return Odd("not_a_write", f"{name} of s3://{bucket}/{key}"[:500])
    return _pointer(bucket, key, thing.get("size"), thing.get("eTag"))


def _event_bridge(event: dict[str, Any]) -> Said:
    try:
        kind, detail = event["detail-type"], event["detail"]
        bucket, thing = detail["bucket"]["name"], detail["object"]
        key = thing["key"]  # as it is, not encoded
    except (TypeError, KeyError):
        return Odd("not_a_notice", "an EventBridge event of S3 without bucket and object")
    if kind != "Object Created":
        return Odd("not_a_write", f"{kind} of s3://{bucket}/{key}"[:500])
    return _pointer(bucket, key, thing.get("size"), thing.get("etag"))


def _pointer(bucket: Any, key: Any, size: Any = None, etag: Any = None) -> Said:
    if not (isinstance(bucket, str) and _BUCKET.fullmatch(bucket)):
        return Odd("not_a_notice", f"no name of a bucket: {bucket!r}"[:200])
    if not (isinstance(key, str) and key and _bytes(key) <= _KEY_BYTES):
        return Odd("not_a_notice", f"no key of an object: {key!r}"[:200])
    known = size if isinstance(size, int) and size >= 0 else -1
    return Pointer(bucket, key, known, etag if isinstance(etag, str) else "")


def _bytes(key: str) -> int:
    """Its length in UTF-8; beyond all bounds for half a surrogate pair, which no key holds."""
    try:
        return len(key.encode())
    except UnicodeEncodeError:
        return _KEY_BYTES + 1
