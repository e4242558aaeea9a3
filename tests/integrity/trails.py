"""A trail in a folder, written by the description of the format alone: own keys, own signatures, no code of ours."""

from __future__ import annotations

import gzip
import hashlib
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from trailhound.integrity.keys import PublicKey
from trailhound.integrity.report import Verification
from trailhound.integrity.verify import verify

START = datetime(2026, 3, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
PREVIOUS = ("Bucket", "Object")


@cache
def private_key(number: int = 0) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 2048)


def der(number: int = 0, *, spki: bool = False) -> bytes:
    form = PublicFormat.SubjectPublicKeyInfo if spki else PublicFormat.PKCS1
    return private_key(number).public_key().public_bytes(Encoding.DER, form)


def md5(data: bytes) -> str:
    return hashlib.md5(data).hexdigest()


def public_key(number: int = 0, *, spki: bool = False, **changes: Any) -> PublicKey:
    value = der(number, spki=spki)
    known = {"fingerprint": md5(value), "value": value, "provenance": "file", "origin": "a test"}
    return PublicKey(**{**known, **changes})


def sign(text: str, number: int = 0) -> str:
    return private_key(number).sign(text.encode(), PKCS1v15(), SHA256()).hex()


def iso(time: datetime) -> str:
    return f"{time:%Y-%m-%dT%H:%M:%SZ}"


def ms(time: datetime) -> int:
    return int(time.timestamp() * 1000)


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def content(path: Path) -> bytes:
    return gzip.decompress(path.read_bytes())


def rewrite(path: Path, data: bytes) -> None:
    path.write_bytes(gzip.compress(data, mtime=0))


@dataclass
class Made:
    """A digest as it was written."""

    path: Path
    place: str
    sha256: str
    signature: str
    end: datetime

    @property
    def sidecar(self) -> Path:
        return Path(f"{self.path}.metadata.json")


@dataclass
class Trail:
    root: Path
    account: str = "111122223333"
    region: str = "us-east-1"
    name: str = "main"
    bucket: str = "trail-bucket"
    prefix: str = ""
    organisation: str = ""
    key: int = 0
    spki: bool = False
    backfill: bool = False
    sidecars: bool = True
    digests: list[Made] = field(default_factory=list)
    logs: list[Path] = field(default_factory=list)

    def folder(self, service: str, time: datetime) -> str:
        organisation = f"{self.organisation}/" if self.organisation else ""
        return f"{self.prefix}AWSLogs/{organisation}{self.account}/{service}/{self.region}/{time:%Y/%m/%d}"

    def log(self, time: datetime, records: list[dict[str, Any]] | None = None) -> dict[str, str]:
        """Deliver a log; how a digest lists it."""
        text = json.dumps({"Records": records if records is not None else [{"eventID": f"{time}"}]}).encode()
        name = f"{self.account}_CloudTrail_{self.region}_{time:%Y%m%dT%H%M}Z_{len(self.logs):016}.json.gz"
        key = f"{self.folder('CloudTrail', time)}/{name}"
        path = self.root / key
        path.parent.mkdir(parents=True, exist_ok=True)
        rewrite(path, text)
        self.logs.append(path)
        return {"s3Bucket": self.bucket, "s3Object": key, "hashValue": sha256(text), "hashAlgorithm": "SHA-256"}

    def digest(
        self, begin: datetime, end: datetime, listed: list[dict[str, str]], *, start: bool = False, **changes: Any
    ) -> Made:
        """Sign and write the next digest of the chain; `changes` to its fields are made before it is signed."""
        before = None if start or not self.digests else self.digests[-1]
        suffix = "_backfill" if self.backfill else ""
        name = (
            f"{self.account}_CloudTrail-Digest_{self.region}_{self.name}_us-east-1_{end:%Y%m%dT%H%M%SZ}{suffix}.json.gz"
        )
        key = f"{self.folder('CloudTrail-Digest', end)}/{name}"
        bucket, _, link = before.place.removeprefix("s3://").partition("/") if before else (None, "", None)
        fields = {
            "awsAccountId": self.account,
            "digestStartTime": iso(begin),
            "digestEndTime": iso(end),
            "digestS3Bucket": self.bucket,
            "digestS3Object": key,
            "digestPublicKeyFingerprint": md5(der(self.key, spki=self.spki)),
            "digestSignatureAlgorithm": "SHA256withRSA",
            "newestEventTime": None,
            "oldestEventTime": None,
            "previousDigestS3Bucket": bucket,
            "previousDigestS3Object": link,
            "previousDigestHashValue": before and before.sha256,
            "previousDigestHashAlgorithm": before and "SHA-256",
            "previousDigestSignature": before and before.signature,
            "logFiles": listed,
            **changes,
        }
        text = json.dumps(fields).encode()
        signed = [fields["digestEndTime"], f"{self.bucket}/{key}", sha256(text), fields["previousDigestSignature"]]
        made = Made(self.root / key, f"s3://{self.bucket}/{key}", sha256(text), "", end)
        made.signature = sign("\n".join(part if part is not None else "null" for part in signed), self.key)
        made.path.parent.mkdir(parents=True, exist_ok=True)
        rewrite(made.path, text)
        metadata = {"signature": made.signature, "signature-algorithm": "SHA256withRSA"}
        if self.backfill:
            metadata["backfill-generation-timestamp"] = iso(end + 30 * HOUR)
        if self.sidecars:
            made.sidecar.write_text(json.dumps({"ContentType": "application/json", "Metadata": metadata}))
        self.digests.append(made)
        return made

    def hours(self, first: int, last: int, logs: int = 1, **changes: Any) -> Trail:
        """Digests of the hours from `first` to before `last`, with so many logs each."""
        for hour in range(first, last):
            begin = START + hour * HOUR
            listed = [self.log(begin + timedelta(minutes=5 * number + 5)) for number in range(logs)]
            self.digest(begin, begin + HOUR, listed, **changes)
        return self

    def call(self, time: datetime, name: str, **request: Any) -> dict[str, Any]:
        """A record of a call about this trail."""
        return {
            "eventVersion": "1.11",
            "eventTime": iso(time),
            "eventSource": "cloudtrail.amazonaws.com",
            "eventName": name,
            "awsRegion": "us-east-1",
            "recipientAccountId": self.account,
            "userIdentity": {"type": "IAMUser", "arn": f"arn:aws:iam::{self.account}:user/mallory"},
            "requestParameters": {"name": f"arn:aws:cloudtrail:us-east-1:{self.account}:trail/{self.name}", **request},
        }


def checked(root: Path, keys: list[PublicKey] | None = None, **options: Any) -> Verification:
    return verify(str(root), [public_key()] if keys is None else keys, **options).verification


def faults(found: Verification) -> dict[str, str]:
    """Fault by the end of the name, or of the place, of what has it."""
    return {(fault.name or fault.place).rpartition("/")[2]: fault.fault for fault in found.faults}
