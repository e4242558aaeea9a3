"""Any single bit: whatever is flipped, nothing that was changed is called verified, and nothing else is accused."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.integrity.trails import Trail, checked, content, rewrite

# Of the newest digest nothing but its own signature tells what it was: with another fingerprint in it, or another
# algorithm, that cannot be checked, and it is unverifiable.
OPEN = {"key_not_found", "algorithm_unsupported"}
TEXTS = st.tuples(st.integers(0, 7), st.integers(0, 1 << 30), st.integers(0, 7))


@pytest.fixture(scope="module", params=[True, False], ids=["metadata", "no metadata"])
def trail(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Trail:
    return Trail(tmp_path_factory.mktemp("bits"), sidecars=request.param).hours(0, 4)


def files(trail: Trail) -> list[Path]:
    return [*(made.path for made in trail.digests), *trail.logs]


def flipped(data: bytes, position: int, bit: int) -> bytes:
    at = position % len(data)
    return data[:at] + bytes([data[at] ^ 1 << bit]) + data[at + 1 :]


def restored(path: Path) -> Iterator[bytes]:
    before = path.read_bytes()
    try:
        yield before
    finally:
        path.write_bytes(before)


@settings(max_examples=120)
@given(which=TEXTS)
def test_a_bit_of_any_content(trail: Trail, which: tuple[int, int, int]) -> None:
    number, position, bit = which
    path = files(trail)[number]
    for _ in restored(path):
        rewrite(path, flipped(content(path), position, bit))
        found = checked(trail.root)
    assert found.verdict != "verified"
    accused = {fault.name for fault in found.faults if fault.state == "broken"}
    newest = trail.digests[-1].path
    own = {fault.fault for fault in found.faults if fault.name == str(path)}
    if path == newest and (own & OPEN or not trail.digests[-1].sidecar.exists()):
        assert own  # it is named; what it says of others may contradict them
    else:
        assert accused == {str(path)}


@settings(max_examples=120)
@given(which=TEXTS)
def test_a_bit_of_any_file_as_it_lies(trail: Trail, which: tuple[int, int, int]) -> None:
    """Bits of the header that say nothing of the content may differ: then another reader must read the same."""
    number, position, bit = which
    path = files(trail)[number]
    for before in restored(path):
        path.write_bytes(flipped(before, position, bit))
        found = checked(trail.root)
        try:
            same = gzip.decompress(path.read_bytes()) == gzip.decompress(before)
        except (OSError, EOFError, zlib.error):
            same = False
    if not same:
        assert str(path) in {fault.name for fault in found.faults}
    elif trail.digests[-1].sidecar.exists():
        assert found.verdict == "verified" or str(path) in {fault.name for fault in found.faults}
