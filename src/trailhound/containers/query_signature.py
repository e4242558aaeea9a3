"""`result_sign.json`: the signature over the files of a CloudTrail Lake query result; no events themselves."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from trailhound.containers.found import Broken, Found, excerpt, reader

KEYS = ("hashSignature",)


class _Signature(msgspec.Struct):
    hashSignature: str  # noqa: N815 - the name in the file
    publicKeyFingerprint: str  # noqa: N815
    files: list[msgspec.Raw]


_read = reader(_Signature)


def contents(value: bytes) -> Iterator[Found] | None:
    signature = _read(value)
    if signature is None:
        return None
    detail = f"the signature of a CloudTrail Lake query result of {len(signature.files)} files"
    return iter((Broken(None, "query_signature", detail, excerpt(value)),))
