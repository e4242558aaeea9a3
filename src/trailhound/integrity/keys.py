"""Public keys of CloudTrail: which one is meant, and whether it made a signature."""

from __future__ import annotations

import binascii
import hashlib
from collections.abc import Iterable
from typing import Literal, NamedTuple

import msgspec
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_der_public_key

Provenance = Literal["aws", "file", "self-made"]
_BY_TRUST: tuple[Provenance, ...] = ("aws", "file", "self-made")  # of two alike the first counts


class PublicKey(msgspec.Struct, frozen=True, kw_only=True):
    """A key as it is kept in `public-keys.json`; `value` is base64 there."""

    fingerprint: str  # MD5 of `value`, lower-case hex
    value: bytes  # DER: PKCS #1, or SubjectPublicKeyInfo
    region: str = ""  # "" where its file does not say
    valid_from: int | None = None  # epoch milliseconds
    valid_until: int | None = None
    provenance: Provenance
    origin: str  # where and when it came from, in words


class Answer(NamedTuple):
    """The key that is meant, or the fault and why there is none."""

    key: PublicKey | None
    fault: str = ""
    detail: str = ""


def fingerprint(der: bytes) -> str:
    return hashlib.md5(der, usedforsecurity=False).hexdigest()


def load(der: bytes) -> RSAPublicKey | None:
    """None when it is not an RSA key in either form."""
    try:
        key = load_der_public_key(der)
    except (ValueError, UnsupportedAlgorithm):
        return None
    return key if isinstance(key, RSAPublicKey) else None


def forms(key: RSAPublicKey) -> Iterable[bytes]:
    """The same key in each of its forms: a fingerprint is that of the form AWS listed."""
    yield key.public_bytes(Encoding.DER, PublicFormat.PKCS1)
    yield key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


class KeyRing:
    """Keys by fingerprint."""

    def __init__(self, keys: Iterable[PublicKey]) -> None:
        self._keys: dict[str, list[PublicKey]] = {}
        self._loaded: dict[str, RSAPublicKey] = {}
        self._unusable: set[str] = set()
        for key in sorted(keys, key=lambda key: _BY_TRUST.index(key.provenance)):
            loaded = load(key.value)
            if loaded is None or fingerprint(key.value) != key.fingerprint:
                self._unusable.add(key.fingerprint)
                continue
            for name in {key.fingerprint, *map(fingerprint, forms(loaded))}:
                self._keys.setdefault(name, []).append(key)
            self._loaded[key.fingerprint] = loaded

    def __len__(self) -> int:
        return len(self._loaded)

    def find(self, name: str, region: str, since: int | None, until: int | None) -> Answer:
        """The key of a fingerprint that was valid, in a Region, at some time of a period. `since` is None where
        it is not known when the signature was made: then a key that says when it was valid does not count."""
        held = self._keys.get(name.lower(), [])
        shown = name[:64]
        if not held:
            if name in self._unusable:
                return Answer(None, "key_unusable", f"the key {shown} is no RSA key, or its fingerprint is not its own")
            return Answer(None, "key_not_found", f"there is no public key with the fingerprint {shown}")
        here = [key for key in held if key.region in ("", region)]
        if not here:
            return Answer(None, "key_not_found", f"the key {shown} is one of {held[0].region}, not of {region}")
        for key in here:
            if key.valid_from is None and key.valid_until is None:
                return Answer(key)
            if since is not None and until is not None and _valid(key, since, until):
                return Answer(key)
        if since is None:
            return Answer(None, "backfill_time_unknown", "no metadata say when it was generated")
        return Answer(None, "key_not_found", f"the key {shown} was not valid at that time")

    def signed(self, key: PublicKey, signature: str, text: bytes) -> bool:
        """Whether `signature` (hex) is that of `key` over `text`: RSA PKCS #1 v1.5 with SHA-256."""
        try:
            self._loaded[key.fingerprint].verify(binascii.unhexlify(signature), text, PKCS1v15(), SHA256())
        except (InvalidSignature, ValueError):
            return False
        return True


def _valid(key: PublicKey, since: int, until: int) -> bool:
    return (key.valid_from is None or key.valid_from <= until) and (key.valid_until is None or since <= key.valid_until)
