"""Compressed text comes out as it went in, and damage is told from the end."""

from __future__ import annotations

import bz2
import io
import lzma
import sys
from collections.abc import Callable
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from trailhound.sources import frames
from trailhound.sources.archives import objects
from trailhound.sources.frames import FrameReader, frames_of
from trailhound.sources.inflate import Damage
from trailhound.sources.path import Paths

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

COMPRESS = {"zstd": zstd.compress, "bzip2": bz2.compress, "xz": lzma.compress}
FORMAT = st.sampled_from(sorted(COMPRESS))


def read(data: bytes, n: int = 1 << 20) -> tuple[bytes, Damage | None]:
    found = frames_of(data)
    assert found is not None
    reader = FrameReader(found, io.BytesIO(data))
    parts = []
    while part := reader.read(n):
        assert len(part) <= n
        parts.append(part)
    assert reader.produced == sum(map(len, parts))
    return b"".join(parts), reader.damage


@given(name=FORMAT, texts=st.lists(st.binary(max_size=200), min_size=1, max_size=4), n=st.integers(1, 300))
def test_frames_after_each_other_are_one_text(name: str, texts: list[bytes], n: int) -> None:
    assert read(b"".join(map(COMPRESS[name], texts)), n) == (b"".join(texts), None)


@given(name=FORMAT, cut=st.integers(0, 10_000))
def test_what_breaks_off_says_so(name: str, cut: int) -> None:
    text = bytes(range(256)) * 20
    data = COMPRESS[name](text)
    found = frames_of(data)
    assert found is not None
    cut = len(found.magic) + cut % (len(data) - len(found.magic))
    got, damage = read(data[:cut])
    assert text.startswith(got)
    assert damage is not None
    assert damage.reason == f"{name}_truncated"


@settings(max_examples=200)
@given(name=FORMAT, place=st.integers(0, 10_000), value=st.integers(0, 255), tail=st.binary(max_size=9))
def test_no_bytes_whatever_raise(name: str, place: int, value: int, tail: bytes) -> None:
    data = bytearray(COMPRESS[name](b"some text " * 50) + tail)
    place = 6 + place % (len(data) - 6)
    data[place] = value
    read(bytes(data))


def test_what_follows_is_told_and_padding_is_none() -> None:
    for name, compress in COMPRESS.items():
        assert read(compress(b"a") + b"\0" * 40) == (b"a", None)
        got, damage = read(compress(b"a") + b"trailing")
        assert (got, damage and damage.reason) == (b"a", f"{name}_trailing_bytes")


def test_a_bomb_is_told_by_its_ratio(limited: Callable[..., None]) -> None:
    limited(inflated_bytes=1 << 20)
    for compress in COMPRESS.values():
        got, damage = read(compress(b"\0" * (8 << 20)))
        assert len(got) < 3 << 20
        assert damage is not None
        assert damage.reason == "compression_bomb"


def test_a_file_is_told_by_its_first_bytes_however_often_compressed(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(zstd.compress(lzma.compress(bz2.compress(b'{"Records":[]}'))))
    with Paths([str(path)]) as found:
        ((one,),) = [list(objects(item)) for item in found]
    assert b"".join(one.text()) == b'{"Records":[]}'
    assert one.damage is None
    assert frames.frames_of(b"plain") is None
