"""Digest files: signed lists of log files. Evidence about logs, and no events themselves."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from trailhound.containers.found import NOT_JSON, Broken, Found, Text, excerpt


class _Digest(msgspec.Struct):
    digestS3Bucket: str  # noqa: N815 - the name in the file
    digestS3Object: str  # noqa: N815
    logFiles: list[msgspec.Raw]  # noqa: N815


_decode = msgspec.json.Decoder(_Digest).decode


def sniff(head: bytes) -> bool:
    return b'"digestS3Bucket"' in head and b'"digestS3Object"' in head


def records(text: Text) -> Iterator[Found]:
    data = text.head
    try:
        digest = _decode(data)
    except NOT_JSON:
        yield data  # a record that only speaks of digests somewhere inside
    else:
        yield Broken(None, "digest", f"a digest file that lists {len(digest.logFiles)} log files", excerpt(data))
