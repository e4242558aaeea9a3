"""The files that public keys come in, and the one they are kept in."""

from __future__ import annotations

import base64
import binascii
import contextlib
import os
import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from trailhound.errors import InputError, WorkspaceError
from trailhound.integrity.digest import epoch
from trailhound.integrity.keys import PublicKey, fingerprint, load

FILE = "public-keys.json"  # in the workspace
_LARGEST = 16 << 20  # bytes of a file of keys

_PEM = re.compile(rb"-----BEGIN (?:RSA )?PUBLIC KEY-----([A-Za-z0-9+/=\s]+)-----END (?:RSA )?PUBLIC KEY-----")


class _Kept(msgspec.Struct, forbid_unknown_fields=True):
    keys: list[PublicKey]


class _Listed(msgspec.Struct, rename="pascal"):
    value: str
    fingerprint: str
    validity_start_time: str | float | None = None
    validity_end_time: str | float | None = None


class _List(msgspec.Struct):
    """What `aws cloudtrail list-public-keys` prints."""

    PublicKeyList: list[_Listed]


def kept(workspace: Path) -> list[PublicKey]:
    """The keys of a workspace; none when it holds none yet."""
    path = workspace / FILE
    if not path.is_file():
        return []
    try:
        return msgspec.json.decode(path.read_bytes(), type=_Kept).keys
    except (OSError, msgspec.MsgspecError) as error:
        raise WorkspaceError(
            f"the public keys of the workspace cannot be read: {error}",
            where=str(path),
            causes=("the file was changed by hand",),
            next_step="remove it, and give the keys again by --public-keys or --fetch-keys",
        ) from error


def keep(workspace: Path, keys: Iterable[PublicKey]) -> list[PublicKey]:
    """Add keys to those of the workspace; all that there are now. A key that is there already stays as it is."""
    before = kept(workspace)
    together = {(key.fingerprint, key.region, key.provenance): key for key in [*keys, *before]}
    after = [together[name] for name in sorted(together)]
    if len(after) > len(before):
        path = workspace / FILE
        try:
            path.with_suffix(".new").write_bytes(msgspec.json.format(msgspec.json.encode(_Kept(after)), indent=1))
            os.replace(path.with_suffix(".new"), path)
        except OSError as error:
            raise WorkspaceError(
                f"the public keys cannot be kept: {error.strerror}",
                where=str(path),
                next_step="make the workspace writable, or name another by --workspace",
            ) from error
    return after


def read(path: Path) -> tuple[list[PublicKey], list[str]]:
    """The keys in a file, and complaints about those that cannot be used.

    The file may be what `aws cloudtrail list-public-keys` prints, a `public-keys.json`, PEM, DER or base64 of DER.
    Raises InputError when it holds no usable key.
    """
    try:
        with open(path, "rb") as file:
            data = file.read(_LARGEST)
    except OSError as error:
        raise InputError(f"the file of public keys cannot be read: {error.strerror}", where=str(path)) from error
    origin = f"{path}, {datetime.now(UTC):%Y-%m-%d}"
    found = _kept_keys(data, origin) or _listed(data, origin) or [_plain(der, origin) for der in _ders(data)]
    problems = [f"{path}: {problem}" for key in found if (problem := _complaint(key))]
    usable = [key for key in found if not _complaint(key)]
    if not usable:
        raise InputError(
            "there is no public key in this file that can be used",
            where=str(path),
            causes=tuple(problems) or ("it is neither JSON with keys, nor PEM, DER or base64",),
            next_step="`aws cloudtrail list-public-keys --region REGION --start-time T --end-time T` prints keys",
        )
    return usable, problems


def _complaint(key: PublicKey) -> str:
    own = fingerprint(key.value)
    if own != key.fingerprint:
        return f"the key {key.fingerprint[:64]} has the fingerprint {own}: not the key it is said to be"
    return "" if load(key.value) else f"the key {own} is no RSA key in PKCS #1 or SubjectPublicKeyInfo form"


def _kept_keys(data: bytes, origin: str) -> list[PublicKey]:
    """Whatever such a file says of itself, it is a file: only a key that says it is self-made is believed."""
    with contextlib.suppress(msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return [
            msgspec.structs.replace(
                key,
                provenance="self-made" if key.provenance == "self-made" else "file",
                origin=f"{origin} (which says: {key.origin[:200]})",
            )
            for key in msgspec.json.decode(data, type=_Kept).keys
        ]
    return []


def _listed(data: bytes, origin: str) -> list[PublicKey]:
    with contextlib.suppress(msgspec.MsgspecError, UnicodeDecodeError, RecursionError, ValueError, OverflowError):
        return [
            PublicKey(
                fingerprint=listed.fingerprint.lower(),
                value=base64.b64decode(listed.value),
                valid_from=_moment(listed.validity_start_time),
                valid_until=_moment(listed.validity_end_time),
                provenance="file",
                origin=origin,
            )
            for listed in msgspec.json.decode(data, type=_List).PublicKeyList
        ]
    return []


def _moment(value: Any) -> int | None:
    """ISO 8601 or epoch seconds, as the AWS CLI is told to print times."""
    if value is None:
        return None
    if isinstance(value, str):
        return epoch(value)
    return int(value * 1000)


def _ders(data: bytes) -> Sequence[bytes]:
    texts = _PEM.findall(data) or ([] if data.startswith(b"\x30") else [data])
    if not texts:
        return [data]
    with contextlib.suppress(binascii.Error, ValueError):
        return [base64.b64decode(b"".join(text.split()), validate=True) for text in texts if text.strip()]
    return []


def _plain(der: bytes, origin: str) -> PublicKey:
    return PublicKey(fingerprint=fingerprint(der), value=der, provenance="file", origin=origin)
