"""Signed digests of what was delivered, as CloudTrail writes them with log file validation on.

The key is made here, from the seed, and says so: it signs simulations and nothing else.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import NamedTuple

import deflate
import msgspec
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from trailhound.simulation.template import iso

TRAIL = "main"
KEYS = "public-keys.json"
_HOUR = 3600
_BITS = 1024  # of each of the two primes
_EXPONENT = 65537
_SMALL_PRIMES = [n for n in range(3, 1000, 2) if all(n % m for m in range(3, int(n**0.5) + 1, 2))]


class Delivered(NamedTuple):
    """A log file as it was put into the bucket; times in epoch seconds."""

    time: int
    key: str
    sha256: str  # of its content
    oldest: int
    newest: int


class Digests:
    """Collects what is delivered; `write` makes the digests of all of it. The same deliveries give the same bytes."""

    def __init__(self, root: Path, account: str, home: str, seed: int) -> None:
        self._root, self._account, self._home = root, account, home
        self._bucket = f"{account}-cloudtrail"
        self._logs: defaultdict[str, list[Delivered]] = defaultdict(list)
        self._key = _private_key(Random(f"{seed}/digests"))

    def add(self, region: str, log: Delivered) -> None:
        self._logs[region].append(log)

    def write(self, stopped: tuple[int, int] | None) -> int:
        """One digest an hour and Region; none while the trail was `stopped`, and then a new chain. How many."""
        times = [log.time for logs in self._logs.values() for log in logs]
        if not times:
            return 0
        begin, end = min(times) // _HOUR * _HOUR, (max(times) // _HOUR + 1) * _HOUR
        spans = [(begin, end)]
        if stopped:
            spans = [(begin, stopped[0]), (stopped[1], end)]
        number = 0
        for region in sorted(self._logs):
            for first, last in spans:
                number += self._chain(region, first, last)
        self._public_key()
        return number

    def _chain(self, region: str, begin: int, end: int) -> int:
        previous: dict[str, str | None] = dict.fromkeys(_PREVIOUS)
        signature, path, number = "", "", 0
        logs = sorted(self._logs[region])
        for since, until in pairwise(_hours(begin, end)):
            key = self._name(region, until)
            content = self._digest(key, since, until, [log for log in logs if since <= log.time < until], previous)
            sha256 = hashlib.sha256(content).hexdigest()
            text = "\n".join((iso(until), f"{self._bucket}/{key}", sha256, signature or "null"))
            signature = self._key.sign(text.encode(), PKCS1v15(), SHA256()).hex()
            path = self._root / key
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(deflate.gzip_compress(content, 1))
            previous = dict(zip(_PREVIOUS, (self._bucket, key, sha256, "SHA-256", signature), strict=True))
            number += 1
        if number:  # the signatures of all the others stand in their successors
            metadata = {"Metadata": {"signature": signature, "signature-algorithm": "SHA256withRSA"}}
            Path(f"{path}.metadata.json").write_bytes(msgspec.json.format(msgspec.json.encode(metadata)) + b"\n")
        return number

    def _digest(
        self, key: str, since: int, until: int, logs: list[Delivered], previous: dict[str, str | None]
    ) -> bytes:
        return msgspec.json.encode(
            {
                "awsAccountId": self._account,
                "digestStartTime": iso(since),
                "digestEndTime": iso(until),
                "digestS3Bucket": self._bucket,
                "digestS3Object": key,
                "digestPublicKeyFingerprint": _fingerprint(self._der()),
                "digestSignatureAlgorithm": "SHA256withRSA",
                "newestEventTime": iso(max(log.newest for log in logs)) if logs else None,
                "oldestEventTime": iso(min(log.oldest for log in logs)) if logs else None,
                **previous,
                "logFiles": [
                    {
                        "s3Bucket": self._bucket,
                        "s3Object": log.key,
                        "hashValue": log.sha256,
                        "hashAlgorithm": "SHA-256",
                        "newestEventTime": iso(log.newest),
                        "oldestEventTime": iso(log.oldest),
                    }
                    for log in logs
                ],
            }
        )

    def _name(self, region: str, end: int) -> str:
        stamp = iso(end)
        folder = f"AWSLogs/{self._account}/CloudTrail-Digest/{region}/{stamp[:10].replace('-', '/')}"
        compact = stamp.replace("-", "").replace(":", "")
        return f"{folder}/{self._account}_CloudTrail-Digest_{region}_{TRAIL}_{self._home}_{compact}.json.gz"

    def _der(self) -> bytes:
        return self._key.public_key().public_bytes(Encoding.DER, PublicFormat.PKCS1)

    def _public_key(self) -> None:
        der = self._der()
        key = {
            "fingerprint": _fingerprint(der),
            "value": der,
            "provenance": "self-made",
            "origin": "trailhound simulate",
        }
        (self._root / KEYS).write_bytes(msgspec.json.format(msgspec.json.encode({"keys": [key]})) + b"\n")


_PREVIOUS = (
    "previousDigestS3Bucket",
    "previousDigestS3Object",
    "previousDigestHashValue",
    "previousDigestHashAlgorithm",
    "previousDigestSignature",
)


def _hours(begin: int, end: int) -> Iterator[int]:
    """`begin`, every full hour after it, `end`."""
    yield begin
    yield from range((begin // _HOUR + 1) * _HOUR, end, _HOUR)
    if end > begin:
        yield end


def _fingerprint(der: bytes) -> str:
    return hashlib.md5(der, usedforsecurity=False).hexdigest()


def _private_key(rng: Random) -> rsa.RSAPrivateKey:
    """From random numbers that can be drawn again: no library makes the same key twice."""
    p, q = _prime(rng), _prime(rng)
    d = pow(_EXPONENT, -1, (p - 1) * (q - 1))
    numbers = rsa.RSAPublicNumbers(_EXPONENT, p * q)
    return rsa.RSAPrivateNumbers(p, q, d, d % (p - 1), d % (q - 1), pow(q, -1, p), numbers).private_key()


def _prime(rng: Random) -> int:
    while True:
        # The two highest bits are set, so that the product of two has its full length.
        number = rng.getrandbits(_BITS) | 3 << _BITS - 2 | 1
        if number % _EXPONENT != 1 and all(number % small for small in _SMALL_PRIMES) and _probably_prime(number, rng):
            return number


def _probably_prime(number: int, rng: Random) -> bool:
    """Miller-Rabin: of numbers of this size a few rounds are enough."""
    twos = ((number - 1) & -(number - 1)).bit_length() - 1
    odd = (number - 1) >> twos
    for _ in range(8):
        x = pow(rng.randrange(2, number - 1), odd, number)
        if x not in (1, number - 1) and not any((x := x * x % number) == number - 1 for _ in range(twos - 1)):
            return False
    return True
