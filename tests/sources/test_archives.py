"""Compressed files and archives: told by content, read in parts, never trusted."""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import random
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trailhound.sources import archives
from trailhound.sources.archives import Object, objects
from trailhound.sources.items import File, Unreadable

TEXT = b'{"Records":[]}\n'


def read(data: bytes, folder: Path, name: str = "f") -> dict[str, tuple[bytes, str | None]]:
    """name → (text, why it ended early or could not be read)."""
    path = folder / "file"
    path.write_bytes(data)
    found: dict[str, tuple[bytes, str | None]] = {}
    for item in objects(File(name, os.fsencode(path), len(data))):
        if isinstance(item, Unreadable):
            found[item.name] = (b"", item.reason)
        else:
            text = b"".join(item.text())
            found[item.name] = (text, item.damage.reason if item.damage else None)
    return found


def zipped(members: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return out.getvalue()


def tarred(members: dict[str, bytes], mode: str = "w") -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode=mode) as archive:  # type: ignore[call-overload]
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return out.getvalue()


@pytest.mark.parametrize(
    ("data", "found"),
    [
        (TEXT, {"f": TEXT}),
        (b"", {"f": b""}),
        (gzip.compress(TEXT), {"f": TEXT}),
        (gzip.compress(TEXT) + gzip.compress(b"more"), {"f": TEXT + b"more"}),
        (gzip.compress(TEXT) + b"\0" * 512, {"f": TEXT}),
        (gzip.compress(gzip.compress(TEXT)), {"f": TEXT}),
        (zipped({"a.json": TEXT, "b/c.gz": gzip.compress(b"c")}), {"f!a.json": TEXT, "f!b/c.gz": b"c"}),
        (tarred({"a.json": TEXT, "b": b"b"}), {"f!a.json": TEXT, "f!b": b"b"}),
        (tarred({"a.json": TEXT, "b": b"b"}, "w:gz"), {"f!a.json": TEXT, "f!b": b"b"}),
        (zipped({"in.zip": zipped({"a": b"a"})}), {"f!in.zip!a": b"a"}),
        (gzip.compress(zipped({"a": b"a"})), {"f!a": b"a"}),
    ],
    ids=["plain", "empty", "gzip", "members", "padded", "twice", "zip", "tar", "tar.gz", "zip in zip", "zip.gz"],
)
def test_files_are_told_apart_by_content(tmp_path: Path, data: bytes, found: dict[str, bytes]) -> None:
    assert read(data, tmp_path) == {name: (text, None) for name, text in found.items()}


def test_the_hash_is_of_the_bytes_as_they_lie(tmp_path: Path) -> None:
    data = gzip.compress(TEXT)
    (tmp_path / "f").write_bytes(data)
    (found,) = objects(File("f", os.fsencode(tmp_path / "f"), len(data)))
    assert isinstance(found, Object)
    assert (found.sha256, found.size) == (hashlib.sha256(data).hexdigest(), len(data))


def test_names_in_archives_are_only_labels(tmp_path: Path) -> None:
    inside = tmp_path / "inside"
    inside.mkdir()
    evil = {"../../escaped": TEXT, "/etc/escaped": TEXT}
    assert set(read(tarred(evil), inside)) == {"f!../../escaped", "f!/etc/escaped"}
    assert set(read(zipped(evil), inside)) == {"f!../../escaped", "f!/etc/escaped"}
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["file"]


def test_large_objects_are_read_twice_and_not_held(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "SMALL", 100)
    monkeypatch.setattr(archives, "PIECE", 64)
    text = random.Random(1).randbytes(1000)
    for data in (
        text,
        gzip.compress(text),
        zipped({"a": text}),
        tarred({"a": text}, "w:gz"),
        zipped({"z": zipped({"a": text})}),
    ):
        assert list(read(data, tmp_path).values()) == [(text, None)]


@given(cut=st.integers(0, 400))
def test_what_a_truncated_gzip_holds_is_read(tmp_path_factory: pytest.TempPathFactory, cut: int) -> None:
    text = b"".join(b"%d" % number for number in range(300))
    data = gzip.compress(text, mtime=0)
    cut = min(cut, len(data) - 1)
    ((got, damage),) = read(data[:cut], tmp_path_factory.getbasetemp()).values()
    if cut >= 2:
        assert damage == "gzip_truncated"
        assert text.startswith(got)
    if cut > len(data) - 8:
        assert got == text  # only the checksum is missing


@given(place=st.integers(10, 1300), bit=st.integers(0, 7))
def test_a_flipped_bit_never_passes_unnoticed(tmp_path_factory: pytest.TempPathFactory, place: int, bit: int) -> None:
    text = random.Random(5).randbytes(1200).hex().encode()
    data = bytearray(gzip.compress(text, mtime=0))
    data[place] ^= 1 << bit
    ((got, damage),) = read(bytes(data), tmp_path_factory.getbasetemp()).values()
    assert damage is not None
    assert got != text or damage != "gzip_truncated"


def test_damage_in_the_middle_leaves_what_stands_before_it(tmp_path: Path) -> None:
    text = random.Random(2).randbytes(200_000).hex().encode()
    data = bytearray(gzip.compress(text))
    data[len(data) // 2] ^= 0xFF
    ((got, damage),) = read(bytes(data), tmp_path).values()
    assert damage == "gzip_damaged"
    assert got[:150_000] == text[:150_000]


@pytest.mark.parametrize(
    "data", [gzip.compress(TEXT) + b"trailing", gzip.compress(TEXT) + b"x"], ids=["much", "little"]
)
def test_bytes_behind_the_end_are_reported(tmp_path: Path, data: bytes) -> None:
    assert read(data, tmp_path) == {"f": (TEXT, "gzip_trailing_bytes")}


def test_bombs_are_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limited: Callable[..., None]) -> None:
    limited(inflated_bytes=1 << 20)
    monkeypatch.setattr(archives, "PIECE", 1 << 20)
    zeros = b"0" * (20 << 20)
    for data in (gzip.compress(zeros), zipped({"a": zeros})):
        ((text, damage),) = read(data, tmp_path).values()
        assert damage == "compression_bomb"
        assert len(text) < len(zeros)


def test_archives_within_archives_end_somewhere(tmp_path: Path) -> None:
    data = TEXT
    for _ in range(10):
        data = gzip.compress(data)
    assert read(data, tmp_path) == {"f": (b"", "archive_too_deep")}


def test_a_damaged_member_does_not_take_its_neighbours_with_it(tmp_path: Path) -> None:
    noise = random.Random(3).randbytes(500)
    data = bytearray(zipped({"a": noise, "b": TEXT}))
    data[100] ^= 0xFF
    found = read(bytes(data), tmp_path)
    assert found["f!a"][1] == "archive_damaged"
    assert found["f!b"] == (TEXT, None)


@given(cut=st.integers(512, 3000))
def test_a_truncated_tar_is_reported(tmp_path_factory: pytest.TempPathFactory, cut: int) -> None:
    data = tarred({"a": b"a" * 700, "b": b"b" * 700}, "w:gz")
    inflated = gzip.decompress(data)
    found = read(gzip.compress(inflated)[: -1 - cut % 8], tmp_path_factory.getbasetemp())
    assert found["f"][1] in ("gzip_truncated", "archive_damaged")
    found = read(inflated[:cut], tmp_path_factory.getbasetemp())
    assert "f!a" in found or "f" in found


def test_what_is_not_supported_says_so(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "t", "w") as archive:
        link = tarfile.TarInfo("link")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)
    assert read((tmp_path / "t").read_bytes(), tmp_path) == {"f!link": (b"", "special_file")}
    assert read(b"Rar!\x1a\x07 rest", tmp_path) == {"f": (b"", "compression_unsupported")}
    assert read(b"PK\x03\x04 but no archive", tmp_path) == {"f": (b"", "archive_damaged")}


@given(
    data=st.binary(max_size=600), magic=st.sampled_from([b"", b"\x1f\x8b\x08", b"PK\x03\x04", b"PK\x05\x06", b"BZh"])
)
def test_no_bytes_whatever_raise(tmp_path_factory: pytest.TempPathFactory, data: bytes, magic: bytes) -> None:
    assert read(magic + data, tmp_path_factory.getbasetemp())
