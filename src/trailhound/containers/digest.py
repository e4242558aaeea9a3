"""Digest files: signed lists of log files. Evidence about logs, and no events themselves."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from trailhound.containers.found import Broken, Found, excerpt, reader

KEYS = ("digestS3Object",)


class _Digest(msgspec.Struct):
    digestS3Bucket: str  # noqa: N815 - the name in the file
    digestS3Object: str  # noqa: N815
    logFiles: list[msgspec.Raw]  # noqa: N815


_read = reader(_Digest)


def contents(value: bytes) -> Iterator[Found] | None:
    digest = _read(value)
    if digest is None:
        return None
    detail = f"a digest file that lists {len(digest.logFiles)} log files"
    return iter((Broken(None, "digest", detail, excerpt(value)),))
