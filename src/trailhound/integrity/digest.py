"""A digest: the signed list of the log files that were delivered in one hour."""

from __future__ import annotations

import hashlib
import sys
from datetime import UTC, datetime

import msgspec

from trailhound.lake import times

SHA256 = "SHA-256"
RSA = "SHA256withRSA"


class DigestError(ValueError):
    """Its message says why."""


class Entry(msgspec.Struct, frozen=True, gc=False):
    """A log file as a digest lists it."""

    bucket: str
    key: str
    sha256: str  # of the content, not of the compressed bytes; lower-case hex
    algorithm: str


class Link(msgspec.Struct, frozen=True, gc=False):
    """The predecessor as a digest records it."""

    bucket: str
    key: str
    sha256: str | None
    algorithm: str | None


class Digest(msgspec.Struct, frozen=True, kw_only=True):
    account_uid: str | None
    bucket: str
    key: str
    begin: int  # epoch milliseconds
    end: int
    end_as_written: str
    fingerprint: str
    algorithm: str
    previous: Link | None  # None: a starting digest
    previous_signature: str | None
    entries: tuple[Entry, ...]
    sha256: str  # of the digest itself, uncompressed

    @property
    def place(self) -> str:
        return f"s3://{self.bucket}/{self.key}"

    @property
    def backfill(self) -> bool:
        return self.key.endswith("_backfill.json.gz")

    def signed_text(self) -> bytes:
        before = "null" if self.previous_signature is None else self.previous_signature
        lines = (self.end_as_written, f"{self.bucket}/{self.key}", self.sha256, before)
        return "\n".join(lines).encode()


class _Listed(msgspec.Struct, rename="camel"):
    s3_bucket: str
    s3_object: str
    hash_value: str
    hash_algorithm: str = SHA256


class _Written(msgspec.Struct, rename="camel"):
    digest_public_key_fingerprint: str
    digest_s3_bucket: str
    digest_s3_object: str
    digest_start_time: str
    digest_end_time: str
    previous_digest_signature: str | None
    aws_account_id: str | None = None
    digest_signature_algorithm: str = RSA
    previous_digest_s3_bucket: str | None = None
    previous_digest_s3_object: str | None = None
    previous_digest_hash_value: str | None = None
    previous_digest_hash_algorithm: str | None = None
    log_files: list[_Listed] | None = None


_decode = msgspec.json.Decoder(_Written).decode


def parse(data: bytes) -> Digest:
    """The text of a digest, uncompressed. Raises DigestError."""
    try:
        written = _decode(data)
        begin, end = epoch(written.digest_start_time), epoch(written.digest_end_time)
    except (msgspec.MsgspecError, ValueError, OverflowError, RecursionError) as error:
        raise DigestError(str(error)) from error
    if end < begin:
        raise DigestError("it ends before it begins")
    previous = None
    if written.previous_digest_s3_bucket is not None and written.previous_digest_s3_object is not None:
        previous = Link(
            sys.intern(written.previous_digest_s3_bucket),
            written.previous_digest_s3_object,
            written.previous_digest_hash_value.lower() if written.previous_digest_hash_value else None,
            written.previous_digest_hash_algorithm,
        )
    return Digest(
        account_uid=written.aws_account_id,
        bucket=sys.intern(written.digest_s3_bucket),
        key=written.digest_s3_object,
        begin=begin,
        end=end,
        end_as_written=written.digest_end_time,
        fingerprint=written.digest_public_key_fingerprint,
        algorithm=written.digest_signature_algorithm,
        previous=previous,
        previous_signature=written.previous_digest_signature,
        entries=tuple(
            Entry(sys.intern(e.s3_bucket), e.s3_object, e.hash_value.lower(), sys.intern(e.hash_algorithm))
            for e in written.log_files or ()
        ),
        sha256=hashlib.sha256(data).hexdigest(),
    )


def epoch(text: str) -> int:
    """A time as AWS writes it, ISO 8601 with or without separators, as epoch milliseconds. Raises ValueError."""
    moment = datetime.fromisoformat(text)
    return times.milliseconds(moment if moment.tzinfo else moment.replace(tzinfo=UTC))
