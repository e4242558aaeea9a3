"""Where an object stood in its bucket, told from where its copy lies.

What is *known* of a copy is one of: `s3://bucket/key`, where a mapping says so; the key from `AWSLogs/` on, where
the path has that; else its last part alone. A key fits a copy when one of its names is what is known of the copy.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import NamedTuple

from trailhound.errors import RequestError
from trailhound.lake import times

_TAIL = re.compile(r"(?:.*[/!])?(AWSLogs/.+)", re.DOTALL)
_REGION = "[a-z0-9-]+"
_LOG = re.compile(
    rf"(?P<account>[^_]+)_CloudTrail(?:-(?!Digest)\w+)?_(?P<region>{_REGION})_(?P<time>\d{{8}}T\d{{4}})Z_[^_]+\.json(?:\.gz)?"
)
_DIGEST = re.compile(
    rf"(?P<account>[^_]+)_CloudTrail-Digest_(?P<region>{_REGION})_(?P<trail>.+)_(?P<home>{_REGION})"
    r"_(?P<end>\d{8}T\d{6}Z)(?P<backfill>_backfill)?\.json(?:\.gz)?"
)
_FOLDERS = re.compile(
    rf"(?:.*/)?AWSLogs/(?:(?P<organisation>o-[^/]+)/)?(?P<account>[^/]+)/(?P<service>CloudTrail[^/]*)/(?:(?P<region>{_REGION})/)?"
)
_NO_LOGS = ("CloudTrail-Digest", "CloudTrail-Lake")


class Bucket(NamedTuple):
    """A local folder, and what it is a copy of."""

    folder: str  # absolute
    bucket: str
    prefix: str  # of keys: "" or ending in a slash


class Chain(NamedTuple):
    """What makes digests one chain."""

    account_uid: str
    region: str
    trail: str
    home: str  # Region
    backfill: bool
    organisation: bool  # a trail of an organisation: its calls are in the log of another account


class LogName(NamedTuple):
    account_uid: str
    region: str
    time: int | None  # of delivery, to the minute; epoch milliseconds


def mapping(text: str) -> Bucket:
    """`s3://bucket/prefix=LOCAL`. Raises RequestError when it is not that."""
    remote, _, local = text.partition("=")
    bucket, _, prefix = remote.removeprefix("s3://").partition("/")
    if not (remote.startswith("s3://") and bucket and local):
        raise RequestError(
            f"{text!r} does not map a bucket to a folder",
            where="--map",
            next_step="write --map s3://bucket/prefix=FOLDER; without a prefix: --map s3://bucket=FOLDER",
        )
    return Bucket(os.path.abspath(local), bucket, f"{prefix.rstrip('/')}/" if prefix.rstrip("/") else "")


def known(name: str, buckets: Sequence[Bucket]) -> str:
    """What a copy's path, or an archive's path and the name of a member, says of its place."""
    if buckets:
        path = os.path.abspath(name)
        for bucket in sorted(buckets, key=lambda b: -len(b.folder)):
            rest = path.removeprefix(bucket.folder.rstrip("/"))
            if len(rest) < len(path) and rest[:1] in ("/", "!"):
                return f"s3://{bucket.bucket}/{bucket.prefix}{rest[1:].replace('!', '/')}"
    tail = _TAIL.fullmatch(name)
    return tail[1] if tail else last_part(name)


def names(bucket: str, key: str) -> Iterator[str]:
    """All that may be known of a copy of this object; compressed as it was, or not."""
    tail = _TAIL.fullmatch(key)
    for name in (f"s3://{bucket}/{key}", tail[1] if tail else None, last_part(key)):
        if name:
            yield name
            if name.endswith(".gz"):
                yield name.removesuffix(".gz")


def last_part(name: str) -> str:
    return re.split(r"[/!]", name)[-1]


def chain(place: str) -> Chain | None:
    """By the name of the digest; None when it is not that of one."""
    found = _DIGEST.fullmatch(last_part(place))
    if not found:
        return None
    backfill, whose = found["backfill"] is not None, organisation(place) is not None
    return Chain(found["account"], found["region"], found["trail"], found["home"], backfill, whose)


def digest_end(place: str) -> int | None:
    found = _DIGEST.fullmatch(last_part(place))
    return _time(found["end"], "%Y%m%dT%H%M%SZ") if found else None


def log_name(place: str) -> LogName | None:
    """By the name of the file, else by its folders; None when neither is that of a log."""
    if found := _LOG.fullmatch(last_part(place)):
        return LogName(found["account"], found["region"], _time(found["time"], "%Y%m%dT%H%M"))
    folders = _FOLDERS.match(place)
    if folders and folders["service"] not in _NO_LOGS:
        return LogName(folders["account"], folders["region"] or "", None)
    return None


def is_digest(place: str) -> bool:
    folders = _FOLDERS.match(place)
    return _DIGEST.fullmatch(last_part(place)) is not None or (
        folders is not None and folders["service"] == "CloudTrail-Digest"
    )


def organisation(place: str) -> str | None:
    """The id of the organisation whose trail delivered it."""
    folders = _FOLDERS.match(place)
    return folders["organisation"] if folders else None


def _time(text: str, form: str) -> int | None:
    try:
        return times.milliseconds(datetime.strptime(text, form).replace(tzinfo=UTC))
    except ValueError:
        return None
