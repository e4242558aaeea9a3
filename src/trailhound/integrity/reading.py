"""A folder → what is in it: digests, hashes of logs, S3 metadata, signatures of query results.

Everything is read once, in pieces, and of a log only its hash is kept. Threads help: hashing and inflating let go
of the interpreter.
"""

from __future__ import annotations

import hashlib
import os
import re
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice

import msgspec

from trailhound.integrity import places, trail_calls
from trailhound.integrity.digest import Digest, DigestError, parse
from trailhound.integrity.places import Bucket
from trailhound.integrity.report import Missed
from trailhound.integrity.trail_calls import TrailCall
from trailhound.limits import limits
from trailhound.sources.archives import Object, objects
from trailhound.sources.items import File, Unreadable
from trailhound.sources.path import Paths

METADATA = ".metadata.json"  # what S3 keeps beside an object, in a file beside its copy
SIGNATURE = "result_sign.json"

_RESULT = re.compile(r"result_\d+\.csv(?:\.gz)?")
_GROUP = 256  # files that are waited for at a time
_SMALL = 1 << 20  # bytes of a file of metadata or a signature
_HEAD = 4096  # bytes in which a digest has named itself
_CHUNK = 1 << 16
# Why bytes could not be read, when that says nothing about what they are.
_NO_FAULT = {"unreadable", "compression_unsupported", "encrypted", "special_file", "symbolic_link", "archive_too_deep"}


class LogFile(msgspec.Struct, frozen=True, gc=False):
    """A copy of a log. `damage`: "", `unreadable`, `trailing_data` (after content that is whole) or `invalid_format`."""

    known: str
    name: str
    sha256: str  # of what it inflates to, as digests list it
    damage: str = ""
    detail: str = ""
    file_sha256: str = ""  # of its bytes as they lie


class DigestFile(msgspec.Struct, frozen=True, gc=False):
    """A copy of a digest, or of what lies in its place."""

    known: str
    name: str
    digest: Digest | None
    damage: str = ""  # when there is no digest in it: `unreadable` or `invalid_format`
    detail: str = ""


class Metadata(msgspec.Struct, frozen=True):
    """What S3 keeps beside a digest; None where the file beside it does not say."""

    signature: str | None = None
    algorithm: str | None = None
    backfill_time: str | None = None


class ResultFile(msgspec.Struct, frozen=True):
    """A file of a query result, or the signature over such files (then with its text)."""

    name: str
    sha256: str  # of the bytes as they lie
    text: bytes = b""


@dataclass
class Found:
    """All of it, in the order of the folder."""

    digests: list[DigestFile] = field(default_factory=list)
    logs: list[LogFile] = field(default_factory=list)
    metadata: dict[str, Metadata | None] = field(default_factory=dict)  # by name of the digest's copy; None: malformed
    results: list[ResultFile] = field(default_factory=list)
    calls: list[TrailCall] = field(default_factory=list)
    unreadable: list[Missed] = field(default_factory=list)
    others: int = 0
    files: int = 0
    bytes: int = 0


Part = DigestFile | LogFile | tuple[str, Metadata | None] | ResultFile | TrailCall | Missed | None


def read(path: str, buckets: Sequence[Bucket], progress: Callable[..., None] | None = None) -> Found:
    """Everything below `path` (a folder, file, archive or glob). Raises InputError when there is no such thing."""
    found = Found()
    with Paths([path]) as paths, ThreadPoolExecutor(os.cpu_count() or 1) as threads:
        total = paths.size() if progress else 0
        items = iter(paths)
        while group := list(islice(items, _GROUP)):
            for item, parts in zip(group, threads.map(lambda item: list(_parts(item, buckets)), group), strict=True):
                for part in parts:
                    _add(found, part)
                found.files += 1
                found.bytes += item.size if isinstance(item, File) else 0
            if progress:
                progress(found.bytes, total)
    return found


def first_member(name: str) -> str:
    """SHA-256 of the first gzip member of a file, or "" when that cannot be told: more may have been put after it."""
    member, sha256 = zlib.decompressobj(zlib.MAX_WBITS | 16), hashlib.sha256()
    taken = given = 0
    try:
        with open(name, "rb") as file:
            while not member.eof and (data := file.read(_CHUNK)):
                taken += len(data)
                while data and not member.eof:
                    piece = member.decompress(data, _CHUNK)
                    given += len(piece)
                    sha256.update(piece)
                    data = member.unconsumed_tail
                if given > limits().inflated_bytes and given > limits().inflation * taken:
                    return ""
    except (OSError, zlib.error):
        return ""
    return sha256.hexdigest() if member.eof else ""


def _add(found: Found, part: Part) -> None:
    match part:
        case DigestFile():
            found.digests.append(part)
        case LogFile():
            found.logs.append(part)
        case ResultFile():
            found.results.append(part)
        case TrailCall():
            found.calls.append(part)
        case Missed():
            found.unreadable.append(part)
        case (name, metadata):
            found.metadata[name] = metadata
        case None:
            found.others += 1


def _parts(item: File | Unreadable, buckets: Sequence[Bucket]) -> Iterator[Part]:
    for one in objects(item) if isinstance(item, File) else [item]:
        known = places.known(one.name, buckets)
        if isinstance(one, Object):
            yield from _object(one, known)
        else:
            yield from _unread(one, known)


def _unread(one: Unreadable, known: str) -> Iterator[Part]:
    """What cannot be opened still stands where a log or a digest is looked for."""
    damage = "unreadable" if one.reason in _NO_FAULT else "invalid_format"
    yield Missed(name=one.name, reason=one.reason, detail=one.detail)
    if places.is_digest(known):
        yield DigestFile(known, one.name, None, damage, one.detail)
    elif places.log_name(known):
        yield LogFile(known, one.name, "", damage, one.detail)


def _object(one: Object, known: str) -> Iterator[Part]:
    last = places.last_part(one.name)
    if last.endswith(METADATA):
        yield one.name.removesuffix(METADATA), _metadata(one)
    elif last == SIGNATURE:
        yield ResultFile(one.name, one.sha256, b"".join(islice(one.text(), 1)))
    elif _RESULT.fullmatch(last):
        yield ResultFile(one.name, one.sha256)
    else:
        pieces = one.text()
        head = next(pieces, b"")
        if places.is_digest(known) or b'"digestS3Object"' in head[:_HEAD]:
            yield _digest(one, known, head, pieces)
        elif known.startswith("s3://") or places.log_name(known):
            yield from _log(one, known, head, pieces)
        else:
            yield None


def _digest(one: Object, known: str, head: bytes, rest: Iterator[bytes]) -> DigestFile:
    if next(rest, None) is not None:
        return DigestFile(known, one.name, None, "invalid_format", "more text than a digest can have")
    if one.damage:
        damage = "unreadable" if one.damage.reason in _NO_FAULT else "invalid_format"
        return DigestFile(known, one.name, None, damage, one.damage.detail)
    try:
        return DigestFile(known, one.name, parse(head))
    except DigestError as error:
        return DigestFile(known, one.name, None, "invalid_format", f"it is no digest: {error}")


def _log(one: Object, known: str, head: bytes, rest: Iterator[bytes]) -> Iterator[Part]:
    sha256, relevant = hashlib.sha256(head), trail_calls.mentioned(head)
    for piece in rest:
        sha256.update(piece)
        relevant = relevant or trail_calls.mentioned(piece)
    damage = detail = ""
    if one.damage:
        detail = one.damage.detail
        damage = {"unreadable": "unreadable", "gzip_trailing_bytes": "trailing_data"}.get(
            one.damage.reason, "invalid_format"
        )
    yield LogFile(known, one.name, sha256.hexdigest(), damage, detail, one.sha256)
    if relevant:
        yield from trail_calls.calls(one.text(), one.name)


def _metadata(one: Object) -> Metadata | None:
    """What `aws s3api head-object` prints, or its `Metadata` alone."""
    try:
        written = msgspec.json.decode(_small(one.text()))
        if isinstance(written.get("Metadata"), dict):
            written = written["Metadata"]
        values = {str(name).lower().removeprefix("x-amz-meta-"): value for name, value in written.items()}
        return msgspec.convert(
            {
                "signature": values.get("signature"),
                "algorithm": values.get("signature-algorithm"),
                "backfill_time": values.get("backfill-generation-timestamp"),
            },
            Metadata,
        )
    except (msgspec.MsgspecError, ValueError, AttributeError, RecursionError):
        return None


def _small(pieces: Iterable[bytes]) -> bytes:
    text = b"".join(islice(pieces, 1))
    if len(text) > _SMALL:
        raise ValueError("too large")
    return text
