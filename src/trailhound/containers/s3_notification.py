"""S3 event notifications: also `{"Records": [...]}`, but each entry only points to an object."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from trailhound.containers import records as log_file
from trailhound.containers.found import NOT_JSON, Broken, Found, Text, excerpt


class _Entry(msgspec.Struct):
    eventSource: str  # noqa: N815 - the name in the file
    s3: msgspec.Raw


_decode = msgspec.json.Decoder(_Entry).decode


def sniff(head: bytes) -> bool:
    return log_file.sniff(head) and b'"aws:s3"' in head and b'"s3"' in head


def records(text: Text) -> Iterator[Found]:
    for found in log_file.records(text):
        if isinstance(found, bytes) and _is_notice(found):
            yield Broken(None, "s3_notification", "a notice of a write to S3, not an event", excerpt(found))
        else:
            yield found


def _is_notice(entry: bytes) -> bool:
    try:
        return _decode(entry).eventSource == "aws:s3"
    except NOT_JSON:
        return False
