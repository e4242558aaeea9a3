"""Query results of CloudTrail Lake: `result_sign.json` and the files it signs.

Unlike digests, hashes are over the files as they lie, compressed; the signed text is these hashes in the order of the
list, with one blank between.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import msgspec

from trailhound.integrity import places
from trailhound.integrity.digest import RSA, SHA256, epoch
from trailhound.integrity.faults import state_of
from trailhound.integrity.fetch import Wanted
from trailhound.integrity.keys import KeyRing, PublicKey
from trailhound.integrity.reading import SIGNATURE, ResultFile
from trailhound.integrity.report import Checked, Kind
from trailhound.lake.times import HOUR


class _Signed(msgspec.Struct, rename="camel"):
    file_hash_value: str
    file_name: str


class _Written(msgspec.Struct, rename="camel"):
    region: str
    files: list[_Signed]
    query_complete_time: str
    hash_signature: str
    public_key_fingerprint: str
    hash_algorithm: str = SHA256
    signature_algorithm: str = RSA


class _Ruling(NamedTuple):
    fault: str = ""  # "" when it is verified
    detail: str = ""
    key: PublicKey | None = None


def judge(files: Sequence[ResultFile], keys: KeyRing) -> Iterator[Checked]:
    """Every signature, every file that one names, and every result that none names."""
    by_name = {file.name: file for file in files}
    named: set[str] = set()
    for file in files:
        if places.last_part(file.name) == SIGNATURE:
            folder = file.name[: -len(SIGNATURE)]
            written = _parse(file.text)
            ruling = _signature(written, keys)
            yield _checked("query", file.name, file, ruling, written, file.name)
            for signed in written.files if written else ():
                name = folder + places.last_part(signed.file_name)
                named.add(name)
                copy = by_name.get(name)
                yield _checked("query_file", name, copy, _file(copy, signed, ruling), written, file.name)
    for file in files:
        if places.last_part(file.name) != SIGNATURE and file.name not in named:
            ruling = _Ruling("unlisted", f"no {SIGNATURE} beside it names it")
            yield _checked("query_file", file.name, file, ruling, None, "")


def wanted(files: Sequence[ResultFile]) -> Iterator[Wanted]:
    """The keys that are needed."""
    for file in files:
        if (written := _parse(file.text)) and (time := _time(written.query_complete_time)) is not None:
            yield Wanted(written.region, time - HOUR, time + HOUR)


def _parse(text: bytes) -> _Written | None:
    try:
        return msgspec.json.decode(text, type=_Written)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return None


def _signature(written: _Written | None, keys: KeyRing) -> _Ruling:
    time = _time(written.query_complete_time) if written else None
    if written is None or time is None:
        return _Ruling("invalid_format", "it is no signature of a query result")
    key, fault, detail = keys.find(written.public_key_fingerprint, written.region, time - HOUR, time + HOUR)
    if key is None:
        return _Ruling(fault, detail)
    text = " ".join(signed.file_hash_value for signed in written.files)
    if keys.signed(key, written.hash_signature, text.encode()):
        return _Ruling(key=key)
    if (written.hash_algorithm, written.signature_algorithm) != (SHA256, RSA):
        detail = f"{written.signature_algorithm} over {written.hash_algorithm}"[:100]
        return _Ruling("algorithm_unsupported", detail)
    return _Ruling("signature_invalid", "the signature does not fit the listed hashes")


def _file(file: ResultFile | None, signed: _Signed, signature: _Ruling) -> _Ruling:
    if state_of(signature.fault) == "broken":
        return _Ruling("digest_broken", "the signature that names it is broken")
    if file is None:
        return _Ruling("missing", "the signature names it")
    if file.sha256 != signed.file_hash_value.lower():
        detail = f"its bytes have SHA-256 {file.sha256}, signed is {signed.file_hash_value[:64]}"
        return _Ruling("hash_mismatch", detail)
    if signature.fault:
        return _Ruling("digest_unproven", "the signature that names it is not proven")
    return _Ruling(key=signature.key)


def _checked(
    kind: Kind, name: str, copy: ResultFile | None, ruling: _Ruling, written: _Written | None, signature: str
) -> Checked:
    return Checked(
        kind=kind,
        state=state_of(ruling.fault),
        fault=ruling.fault,
        detail=ruling.detail,
        place=name,
        name=copy.name if copy else "",
        sha256=copy.sha256 if copy else "",
        region=written.region[:100] if written else "",
        end=_time(written.query_complete_time) if written else None,
        listed_in=signature if kind == "query_file" else "",
        key_fingerprint=ruling.key.fingerprint if ruling.key else "",
        key_provenance=ruling.key.provenance if ruling.key else "",
    )


def _time(text: str) -> int | None:
    try:
        return epoch(text)
    except (ValueError, OverflowError):
        return None
