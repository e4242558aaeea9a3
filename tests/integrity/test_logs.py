"""Log files against what digests list: altered, missing, unlisted; and what is no fault."""

from __future__ import annotations

import gzip
import zipfile
from datetime import timedelta
from pathlib import Path

import pytest
from tests.integrity.trails import HOUR, START, Trail, checked, content, faults, ms, public_key, rewrite

from trailhound.errors import RequestError
from trailhound.integrity import places
from trailhound.limits import Limits, enforced


@pytest.fixture
def trail(tmp_path: Path) -> Trail:
    return Trail(tmp_path / "copy").hours(0, 3, logs=2)


def test_a_changed_byte_is_found_and_placed(trail: Trail) -> None:
    rewrite(trail.logs[2], content(trail.logs[2]).replace(b"eventID", b"eventId"))
    found = checked(trail.root)
    (fault,) = found.faults
    assert (found.verdict, fault.fault, fault.name) == ("broken", "hash_mismatch", str(trail.logs[2]))
    assert fault.place == f"s3://trail-bucket/{trail.logs[2].relative_to(trail.root)}"
    assert (fault.begin, fault.end) == (ms(START + HOUR), ms(START + 2 * HOUR))


def test_a_missing_log_is_found_and_placed(trail: Trail) -> None:
    trail.logs[3].unlink()
    found = checked(trail.root)
    assert (found.verdict, found.places[0].logs.missing) == ("broken", 1)
    assert faults(found) == {trail.logs[3].name: "missing"}


def test_compressed_anew_it_is_still_what_was_delivered(trail: Trail) -> None:
    trail.logs[0].write_bytes(gzip.compress(content(trail.logs[0]), compresslevel=1, mtime=12345))
    assert checked(trail.root).verdict == "verified"


def test_decompressed_it_is_still_what_was_delivered(trail: Trail) -> None:
    trail.logs[0].with_suffix("").write_bytes(content(trail.logs[0]))
    trail.logs[0].unlink()
    trail.logs[1].write_bytes(content(trail.logs[1]))  # as browsers do, under the old name
    assert checked(trail.root).verdict == "verified"


def test_several_members_with_the_same_content_are_what_was_delivered(trail: Trail) -> None:
    text = content(trail.logs[0])
    trail.logs[0].write_bytes(gzip.compress(text[:20]) + gzip.compress(text[20:]))
    assert checked(trail.root).verdict == "verified"


@pytest.mark.parametrize("more", [gzip.compress(b'{"Records":[]}', mtime=0), b"not gzip"], ids=["gzip", "other"])
def test_what_follows_the_listed_content_is_found(trail: Trail, more: bytes) -> None:
    """A reader that inflates only the first member does not see it; one that inflates all does."""
    trail.logs[0].write_bytes(trail.logs[0].read_bytes() + more)
    assert faults(checked(trail.root)) == {trail.logs[0].name: "trailing_data"}


@pytest.mark.parametrize("data", [b"", b"hello", b"\x1f\x8b\x08"])
def test_what_is_no_log_at_all_is_broken(trail: Trail, data: bytes) -> None:
    trail.logs[0].write_bytes(data)
    assert faults(checked(trail.root))[trail.logs[0].name] in ("invalid_format", "hash_mismatch")


def test_a_bomb_is_bounded_and_broken(trail: Trail) -> None:
    trail.logs[0].write_bytes(gzip.compress(bytes(8 << 20)))
    with enforced(Limits(inflated_bytes=1 << 20)):
        found = checked(trail.root)
    assert faults(found) == {trail.logs[0].name: "invalid_format"}
    assert "grew to more than" in found.faults[0].detail


def test_an_unlisted_log_is_not_covered_and_not_called_broken(trail: Trail) -> None:
    trail.log(START + timedelta(minutes=90))
    found = checked(trail.root)
    assert (found.verdict, faults(found)) == ("unverifiable", {trail.logs[-1].name: "unlisted"})
    assert (found.places[0].logs.unlisted, found.places[0].logs.broken) == (1, 0)


def test_a_log_by_any_name_in_the_folder_of_logs_is_not_overlooked(trail: Trail) -> None:
    odd = trail.logs[0].with_name("notes.json")
    odd.write_text('{"Records":[]}')
    assert faults(checked(trail.root)) == {"notes.json": "unlisted"}


def test_logs_of_a_region_without_digests_are_unlisted(trail: Trail) -> None:
    Trail(trail.root, region="eu-west-1").log(START + HOUR)
    found = checked(trail.root)
    assert {fault.fault for fault in found.faults} == {"unlisted", "gap"}
    assert [place.digests.verified for place in found.places] == [0, 3]


def test_no_digests_is_never_verified(tmp_path: Path) -> None:
    Trail(tmp_path).log(START)
    found = checked(tmp_path)
    assert (found.verdict, found.because) == ("unverifiable", "there is no digest here that could prove anything")
    (tmp_path / "empty").mkdir()
    assert checked(tmp_path / "empty").verdict == "unverifiable"


def test_a_log_is_listed_by_a_later_digest(tmp_path: Path) -> None:
    trail = Trail(tmp_path).hours(0, 1)
    late = trail.log(START + timedelta(minutes=55))
    trail.digest(START + HOUR, START + 2 * HOUR, [late])
    assert checked(tmp_path, until=ms(START + HOUR)).verdict == "verified"


def test_only_the_period_asked_is_judged(trail: Trail) -> None:
    trail.logs[0].unlink()
    trail.logs[5].unlink()
    found = checked(trail.root, since=ms(START + HOUR), until=ms(START + 2 * HOUR))
    assert (found.verdict, found.places[0].logs.verified) == ("verified", 2)
    assert checked(trail.root, since=ms(START)).places[0].logs.missing == 2


def test_two_copies_are_judged_one_by_one(trail: Trail, tmp_path: Path) -> None:
    other = Trail(tmp_path / "other").hours(0, 3, logs=2)
    rewrite(other.logs[1], b'{"Records": []}')
    found = checked(tmp_path)
    assert [(fault.fault, fault.name) for fault in found.faults] == [("hash_mismatch", str(other.logs[1]))]


def test_a_flat_folder_is_recognised_by_names(trail: Trail, tmp_path: Path) -> None:
    flat = tmp_path / "flat"
    flat.mkdir()
    for path in trail.root.rglob("*"):
        if path.is_file():
            path.rename(flat / path.name)
    found = checked(flat)
    assert (found.verdict, found.places[0].logs.verified) == ("verified", 6)


def test_an_archive_is_read_in_place(trail: Trail, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "copy.zip", "w") as archive:
        for path in sorted(trail.root.rglob("*")):
            archive.write(path, path.relative_to(trail.root))
    found = checked(tmp_path / "copy.zip")
    assert (found.verdict, found.places[0].logs.verified) == ("verified", 6)


def test_a_mapping_says_what_a_folder_is_a_copy_of(tmp_path: Path) -> None:
    trail = Trail(tmp_path / "work", prefix="prod/").hours(0, 2)
    (tmp_path / "moved").mkdir()
    (trail.root / "prod" / "AWSLogs" / trail.account).rename(tmp_path / "moved" / "account")
    where = tmp_path / "moved" / "account"
    assert checked(where).verdict == "verified", "names alone place them"
    right = places.mapping(f"s3://trail-bucket/prod/AWSLogs/{trail.account}={where}")
    assert checked(where, buckets=[right]).verdict == "verified"
    wrong = places.mapping(f"s3://other-bucket/prod/AWSLogs/{trail.account}/={where}")
    found = checked(where, buckets=[wrong])
    assert found.verdict == "broken"
    assert {fault.fault for fault in found.faults if fault.kind == "digest"} == {"moved"}


@pytest.mark.parametrize("text", ["", "bucket=folder", "s3://=folder", "s3://bucket=", "s3://bucket"])
def test_a_mapping_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(RequestError, match="does not map"):
        places.mapping(text)


def test_what_cannot_be_read_is_said_and_not_called_broken(trail: Trail) -> None:
    target = trail.root / "elsewhere.json.gz"
    trail.logs[0].rename(target)
    trail.logs[0].symlink_to(target)
    found = checked(trail.root)
    assert (found.verdict, faults(found)) == ("unverifiable", {trail.logs[0].name: "unreadable"})
    assert [missed.reason for missed in found.unreadable] == ["symbolic_link"]


def test_another_hash_algorithm_cannot_be_judged(tmp_path: Path) -> None:
    trail = Trail(tmp_path)
    trail.digest(START, START + HOUR, [{**trail.log(START), "hashAlgorithm": "SHA3-256"}])
    assert faults(checked(tmp_path)) == {trail.logs[0].name: "algorithm_unsupported"}


def test_what_a_digest_says_is_bounded_in_what_is_told(tmp_path: Path) -> None:
    trail = Trail(tmp_path)
    trail.digest(START, START + HOUR, [{**trail.log(START), "hashAlgorithm": "x" * 5000}])
    assert max(len(fault.detail) for fault in checked(tmp_path).faults) < 300


def test_a_key_that_is_self_made_is_named_so(trail: Trail) -> None:
    found = checked(trail.root, keys=[public_key(provenance="self-made")])
    assert found.verdict == "verified"
    assert [key.provenance for key in found.keys] == ["self-made"]
    assert found.places[0].keys == ("self-made",)
