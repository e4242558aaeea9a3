"""Public keys in every form they come in, and where they are kept."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from textwrap import wrap

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from tests.integrity.trails import der, md5, public_key

from trailhound.errors import InputError, WorkspaceError
from trailhound.integrity import key_files

B64 = base64.b64encode


def listed(value: bytes, **changes: object) -> dict[str, object]:
    times = {"ValidityStartTime": "2026-02-01T00:00:00+00:00", "ValidityEndTime": 1775000000.5}
    return {"Value": B64(value).decode(), "Fingerprint": md5(value), **times, **changes}


def pem(value: bytes, name: str) -> bytes:
    lines = "\n".join(wrap(B64(value).decode(), 64))
    return f"-----BEGIN {name}-----\n{lines}\n-----END {name}-----\n".encode()


@pytest.mark.parametrize(
    "data",
    [
        der(),
        der(spki=True),
        B64(der()),
        B64(der()) + b"\n",
        pem(der(), "RSA PUBLIC KEY"),
        b"a comment\n" + pem(der(spki=True), "PUBLIC KEY"),
        json.dumps({"PublicKeyList": [listed(der())]}).encode(),
    ],
    ids=["der", "spki", "base64", "base64 line", "pem", "pem spki", "list-public-keys"],
)
def test_forms(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "key").write_bytes(data)
    (key,), problems = key_files.read(tmp_path / "key")
    assert (key.value in (der(), der(spki=True)), key.fingerprint, problems) == (True, md5(key.value), [])
    assert key.provenance == "file"
    assert str(tmp_path / "key") in key.origin


def test_what_aws_lists_says_when_it_was_valid(tmp_path: Path) -> None:
    (tmp_path / "keys.json").write_text(json.dumps({"PublicKeyList": [listed(der()), listed(der(1))]}))
    keys, _ = key_files.read(tmp_path / "keys.json")
    assert [(key.valid_from, key.valid_until) for key in keys] == [(1769904000000, 1775000000500)] * 2


def test_several_keys_in_one_pem(tmp_path: Path) -> None:
    (tmp_path / "keys.pem").write_bytes(pem(der(), "RSA PUBLIC KEY") + pem(der(1), "RSA PUBLIC KEY"))
    assert len(key_files.read(tmp_path / "keys.pem")[0]) == 2


def test_a_key_that_is_not_what_it_is_said_to_be_is_left_out_and_told(tmp_path: Path) -> None:
    keys = [listed(der()), listed(der(1), Fingerprint=md5(der()))]
    (tmp_path / "keys.json").write_text(json.dumps({"PublicKeyList": keys}))
    found, problems = key_files.read(tmp_path / "keys.json")
    assert [key.value for key in found] == [der()]
    assert len(problems) == 1
    assert "not the key it is said to be" in problems[0]


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"hello",
        b"\x30\x03abc",
        b'{"PublicKeyList": []}',
        json.dumps({"PublicKeyList": [listed(b"abc")]}).encode(),
        ec.generate_private_key(ec.SECP256R1())
        .public_key()
        .public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
    ],
    ids=["empty", "text", "der", "no keys", "no key", "another algorithm"],
)
def test_a_file_without_a_key_is_refused(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "key").write_bytes(data)
    with pytest.raises(InputError, match="no public key in this file"):
        key_files.read(tmp_path / "key")


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        key_files.read(tmp_path / "none")


def test_keys_are_kept_and_come_together(tmp_path: Path) -> None:
    first = public_key(provenance="aws", origin="the first time", region="us-east-1")
    key_files.keep(tmp_path, [first])
    key_files.keep(tmp_path, [public_key(1), public_key(provenance="aws", origin="again", region="us-east-1")])
    kept = key_files.kept(tmp_path)
    assert len(kept) == 2
    assert first in kept


def test_a_file_cannot_call_its_keys_those_of_aws(tmp_path: Path) -> None:
    key_files.keep(tmp_path, [public_key(provenance="aws"), public_key(1, provenance="self-made")])
    found, _ = key_files.read(tmp_path / key_files.FILE)
    assert sorted(key.provenance for key in found) == ["file", "self-made"]


def test_kept_keys_that_were_damaged_are_refused(tmp_path: Path) -> None:
    (tmp_path / key_files.FILE).write_text('{"keys": [{}]}')
    with pytest.raises(WorkspaceError, match="cannot be read"):
        key_files.kept(tmp_path)
