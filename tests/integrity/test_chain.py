"""Digests: each way in which one, or the chain, can be wrong, is found and named at its place."""

from __future__ import annotations

import gzip
import json
from datetime import timedelta
from pathlib import Path

import pytest
from tests.integrity.trails import (
    HOUR,
    START,
    Trail,
    checked,
    content,
    faults,
    ms,
    public_key,
    rewrite,
    sha256,
    sign,
)

from trailhound.integrity.report import Verification
from trailhound.sources.archives import PIECE


@pytest.fixture
def trail(tmp_path: Path) -> Trail:
    return Trail(tmp_path).hours(0, 4)


def digest_states(found: Verification) -> tuple[int, int, int, int]:
    (place,) = found.places
    return place.digests.verified, place.digests.broken, place.digests.missing, place.digests.unverifiable


def test_what_is_whole_is_verified(trail: Trail) -> None:
    found = checked(trail.root)
    assert (found.verdict, found.faults, digest_states(found)) == ("verified", (), (4, 0, 0, 0))
    assert (found.since, found.until) == (ms(START), ms(START + 4 * HOUR))
    assert found.places[0].covered_ms == 4 * 3_600_000
    assert found.places[0].logs.verified == 4
    assert [key.provenance for key in found.keys] == ["file"]


def test_without_metadata_all_but_the_newest_are_verified(tmp_path: Path) -> None:
    trail = Trail(tmp_path, sidecars=False).hours(0, 4)
    found = checked(trail.root)
    assert (found.verdict, digest_states(found)) == ("unverifiable", (3, 0, 0, 1))
    assert faults(found) == {trail.digests[3].path.name: "signature_unknown"}
    assert (found.places[0].logs.verified, found.places[0].logs.unverifiable) == (3, 1)


def test_an_hour_without_logs_is_covered(tmp_path: Path) -> None:
    assert checked(Trail(tmp_path).hours(0, 2).hours(2, 3, logs=0).hours(3, 4).root).verdict == "verified"


def test_an_edited_digest_is_broken_and_what_it_lists_is_not_accused(trail: Trail) -> None:
    edited = trail.digests[1].path
    rewrite(edited, content(edited).replace(b'"hashValue": "', b'"hashValue": "0'))
    found = checked(trail.root)
    assert faults(found) == {edited.name: "signature_invalid"}
    assert (found.verdict, found.places[0].logs.broken, found.places[0].logs.unverifiable) == ("broken", 0, 1)


def test_a_digest_written_anew_with_the_same_content_is_still_verified(trail: Trail) -> None:
    path = trail.digests[1].path
    path.write_bytes(gzip.compress(content(path), compresslevel=1, mtime=77))
    assert checked(trail.root).verdict == "verified"


def test_a_digest_that_is_laid_out_anew_is_broken(trail: Trail) -> None:
    path = trail.digests[1].path
    rewrite(path, json.dumps(json.loads(content(path)), indent=1).encode())
    assert faults(checked(trail.root)) == {path.name: "signature_invalid"}


def test_a_digest_missing_in_the_middle_leaves_a_place_and_an_hour(trail: Trail) -> None:
    gone = trail.digests[1]
    gone.path.unlink()
    found = checked(trail.root)
    missing = next(fault for fault in found.faults if fault.fault == "missing")
    gap = next(fault for fault in found.faults if fault.fault == "gap")
    assert (found.verdict, missing.place, missing.state) == ("broken", gone.place, "broken")
    assert (gap.begin, gap.end) == (ms(START + HOUR), ms(START + 2 * HOUR))
    assert gone.path.name in gap.detail
    assert faults(found)[trail.logs[1].name] == "unlisted"


def test_the_newest_digests_missing_show_by_logs_and_by_the_period_asked(trail: Trail) -> None:
    for gone in trail.digests[2:]:
        gone.path.unlink()
    found = checked(trail.root)
    (gap,) = [fault for fault in found.faults if fault.fault == "tail_gap"]
    assert found.verdict == "unverifiable"
    assert gap.begin == ms(START + 2 * HOUR)
    assert {faults(found)[log.name] for log in trail.logs[2:]} == {"not_yet_listed"}
    for log in trail.logs[2:]:
        log.unlink()
    assert checked(trail.root).verdict == "verified", "nothing here shows that there was more"
    asked = checked(trail.root, until=ms(START + 8 * HOUR))
    assert [(fault.fault, fault.begin, fault.end) for fault in asked.faults] == [
        ("tail_gap", ms(START + 2 * HOUR), ms(START + 8 * HOUR))
    ]


def test_the_newest_digest_missing_shows_by_those_of_another_region(tmp_path: Path) -> None:
    Trail(tmp_path, region="eu-west-1").hours(0, 4)
    trail = Trail(tmp_path).hours(0, 4, logs=0)
    assert checked(tmp_path).verdict == "verified"
    trail.digests[3].path.unlink()
    (gap,) = checked(tmp_path).faults
    assert (gap.fault, gap.region, gap.begin) == ("tail_gap", "us-east-1", ms(START + 3 * HOUR))


def test_the_lag_of_the_last_digests_is_no_gap(trail: Trail) -> None:
    assert checked(trail.root, until=ms(START + 6 * HOUR)).verdict == "verified"
    assert checked(trail.root, until=ms(START + 6 * HOUR) + 1).verdict == "unverifiable"


def test_an_older_stretch_that_is_not_copied_is_no_fault(trail: Trail) -> None:
    for made, log in zip(trail.digests[:2], trail.logs[:2], strict=True):
        made.path.unlink()
        log.unlink()
    assert checked(trail.root).verdict == "verified"
    asked = checked(trail.root, since=ms(START))
    assert {fault.fault for fault in asked.faults} == {"missing", "head_gap"}


def test_a_signature_by_another_key_is_broken(trail: Trail) -> None:
    newest = trail.digests[3]
    newest.sidecar.write_text(json.dumps({"signature": sign("forged", 1), "signature-algorithm": "SHA256withRSA"}))
    assert faults(checked(trail.root)) == {newest.path.name: "signature_invalid"}


def test_metadata_that_differ_from_what_the_successor_records_are_named(trail: Trail) -> None:
    made = trail.digests[1]
    made.sidecar.write_text(json.dumps({"signature": sign("forged", 1)}))
    found = checked(trail.root)
    assert faults(found) == {made.path.name: "signature_mismatch"}
    assert found.places[0].logs.verified == 4, "the digest itself is proven by its successor"


def test_metadata_that_cannot_be_understood_prove_nothing(trail: Trail) -> None:
    trail.digests[3].sidecar.write_text("{not json")
    found = checked(trail.root)
    assert (found.verdict, faults(found)) == ("unverifiable", {trail.digests[3].path.name: "metadata_unreadable"})


def test_metadata_may_be_bare_and_in_any_case(trail: Trail) -> None:
    made = trail.digests[3]
    made.sidecar.write_text(json.dumps({"x-amz-meta-Signature": made.signature.upper()}))
    assert checked(trail.root).verdict == "verified"


def test_unknown_keys_are_no_proof_of_tampering(trail: Trail) -> None:
    found = checked(trail.root, keys=[public_key(1)])
    assert (found.verdict, digest_states(found)) == ("unverifiable", (0, 0, 0, 4))
    assert set(faults(found).values()) == {"key_not_found"}
    assert "its successor records" in found.faults[0].detail
    assert "key_not_found" in faults(checked(trail.root, keys=[])).values()


def test_without_keys_an_altered_digest_still_contradicts_its_successor(trail: Trail) -> None:
    edited = trail.digests[1].path
    rewrite(edited, content(edited).replace(b"SHA-256", b"SHA-257", 1))
    found = checked(trail.root, keys=[])
    assert found.verdict == "broken"
    assert faults(found)[edited.name] == "hash_mismatch"


def test_a_fingerprint_that_is_not_that_of_the_key_is_not_believed(trail: Trail) -> None:
    liar = public_key(1, fingerprint=public_key(0).fingerprint)
    assert set(faults(checked(trail.root, keys=[liar])).values()) == {"key_unusable"}


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"valid_from": ms(START + 9 * HOUR)}, "key_not_found"),
        ({"valid_until": ms(START - 9 * HOUR)}, "key_not_found"),
        ({"region": "eu-west-1"}, "key_not_found"),
        ({"region": "us-east-1", "valid_from": ms(START), "valid_until": ms(START + 9 * HOUR)}, ""),
    ],
)
def test_a_key_counts_in_its_region_and_time(trail: Trail, changes: dict, fault: str) -> None:
    assert set(faults(checked(trail.root, keys=[public_key(**changes)])).values()) == ({fault} if fault else set())


def test_both_forms_of_a_key_are_understood(tmp_path: Path) -> None:
    trail = Trail(tmp_path, spki=True).hours(0, 2)
    assert checked(trail.root, keys=[public_key(spki=True)]).verdict == "verified"
    assert checked(trail.root, keys=[public_key(spki=False)]).verdict == "verified"


def test_a_moved_digest_is_named(trail: Trail) -> None:
    made = trail.digests[1]
    elsewhere = made.path.with_name(made.path.name.replace("T0200", "T0230"))
    made.path.rename(elsewhere)
    found = faults(checked(trail.root))
    assert found[elsewhere.name] == "moved"
    assert found[made.path.name] == "missing"


def test_two_digests_that_change_places_are_both_named(trail: Trail) -> None:
    one, two = trail.digests[1].path, trail.digests[2].path
    first, second = one.read_bytes(), two.read_bytes()
    one.write_bytes(second)
    two.write_bytes(first)
    found = checked(trail.root)
    assert {name: fault for name, fault in faults(found).items() if fault != "unlisted"} == {
        one.name: "moved",
        two.name: "moved",
    }


def test_a_digest_of_another_account_is_named(tmp_path: Path) -> None:
    trail = Trail(tmp_path).hours(0, 2, awsAccountId="999999999999")
    assert set(faults(checked(trail.root)).values()) == {"wrong_account"}


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"{}",
        b"[]",
        b'{"digestS3Object": 1}',
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"digestStartTime": "yesterday"',
    ],
)
def test_what_is_no_digest_is_named(trail: Trail, text: bytes) -> None:
    rewrite(trail.digests[2].path, text)
    assert faults(checked(trail.root))[trail.digests[2].path.name] == "invalid_format"


def test_damaged_compression_is_named(trail: Trail) -> None:
    path = trail.digests[2].path
    path.write_bytes(path.read_bytes()[:-20])
    assert faults(checked(trail.root))[path.name] == "invalid_format"


@pytest.mark.parametrize("field", ["previousDigestHashValue", "previousDigestSignature"])
def test_a_wrong_link_is_named_at_the_digest_that_has_it(tmp_path: Path, field: str) -> None:
    """Signed all the same: the AWS CLI compares neither."""
    trail = Trail(tmp_path).hours(0, 2)
    wrong = trail.hours(2, 3, **{field: sha256(b"") if "Hash" in field else sign("another")}).digests[2]
    trail.hours(3, 4)
    fault = "previous_hash_mismatch" if "Hash" in field else "previous_signature_mismatch"
    assert faults(checked(trail.root)) == {wrong.path.name: fault}


def test_a_fork_is_named(tmp_path: Path) -> None:
    trail = Trail(tmp_path).hours(0, 2)
    one = trail.hours(2, 3).digests.pop()
    two = trail.digest(START + 2 * HOUR, START + 2 * HOUR + timedelta(minutes=30), [])
    found = faults(checked(trail.root))
    assert found == {one.path.name: "fork", two.path.name: "fork"}


def test_overlapping_periods_are_named(tmp_path: Path) -> None:
    trail = Trail(tmp_path).hours(0, 2)
    late = trail.digest(START + HOUR, START + 3 * HOUR, [])
    assert faults(checked(trail.root)) == {late.path.name: "overlap"}


def test_a_predecessor_that_ends_later_is_named(tmp_path: Path) -> None:
    """Each is signed; the older one names the newer one, and the newer one is written first."""
    trail = Trail(tmp_path)
    late = trail.digest(START + HOUR, START + 2 * HOUR, [])
    early = trail.digest(START, START + HOUR, [])
    assert faults(checked(trail.root)) == {early.path.name: "out_of_order", late.path.name: "unexplained_start"}


@pytest.mark.parametrize("year", [1999, 2099])
def test_an_unproven_digest_does_not_hide_in_another_time(tmp_path: Path, year: int) -> None:
    trail = Trail(tmp_path, sidecars=False).hours(0, 3)
    path = trail.digests[2].path
    rewrite(path, content(path).replace(b'Time": "2026', f'Time": "{year}'.encode()))
    found = checked(trail.root, since=ms(START), until=ms(START + 3 * HOUR))
    assert faults(found)[path.name] in ("signature_unknown", "out_of_order")


def test_the_key_of_a_backfill_digest_is_that_of_when_it_was_made(tmp_path: Path) -> None:
    trail = Trail(tmp_path, backfill=True).hours(0, 1)
    made = ms(START + 31 * HOUR)
    for valid_until, verdict in ((made - 3_600_000, "verified"), (made - 3_600_001, "unverifiable")):
        assert checked(trail.root, keys=[public_key(valid_until=valid_until)]).verdict == verdict


def test_more_text_than_a_digest_can_have_is_not_read(trail: Trail) -> None:
    path = trail.digests[2].path
    rewrite(path, content(path) + b" " * PIECE)
    found = checked(trail.root)
    assert (faults(found)[path.name], found.faults[0].detail) == ("invalid_format", "more text than a digest can have")


def test_a_bucket_may_change_within_the_chain(tmp_path: Path) -> None:
    trail = Trail(tmp_path, bucket="old-bucket").hours(0, 2)
    trail.bucket = "new-bucket"
    assert checked(trail.hours(2, 4).root).verdict == "verified"


@pytest.mark.parametrize("organisation", ["", "o-abcdefghij"])
@pytest.mark.parametrize("prefix", ["", "some/prefix/"])
def test_layouts_of_accounts_and_organisations(tmp_path: Path, organisation: str, prefix: str) -> None:
    Trail(tmp_path, organisation=organisation, prefix=prefix).hours(0, 2)
    Trail(tmp_path, account="444455556666", organisation=organisation, prefix=prefix).hours(0, 2)
    found = checked(tmp_path)
    assert found.verdict == "verified"
    assert [place.account_uid for place in found.places] == ["111122223333", "444455556666"]


def test_a_region_that_other_accounts_of_the_organisation_have_is_missed(tmp_path: Path) -> None:
    Trail(tmp_path, organisation="o-abcdefghij").hours(0, 2)
    Trail(tmp_path, organisation="o-abcdefghij", region="eu-west-1").hours(0, 2)
    Trail(tmp_path, account="444455556666", organisation="o-abcdefghij").hours(0, 2)
    (fault,) = checked(tmp_path).faults
    assert (fault.fault, fault.account_uid, fault.region) == ("region_missing", "444455556666", "eu-west-1")


def test_backfill_digests_are_a_chain_of_their_own(tmp_path: Path) -> None:
    Trail(tmp_path).hours(0, 3)
    trail = Trail(tmp_path, backfill=True).hours(0, 3)
    assert checked(tmp_path).verdict == "verified"
    made = ms(START + 33 * HOUR)
    dated = public_key(valid_from=made - 3 * 3_600_000, valid_until=made + 3 * 3_600_000)
    when_made = checked(tmp_path, keys=[dated])
    assert {fault.fault for fault in when_made.faults if "_backfill" not in Path(fault.name).name} == {"key_not_found"}
    assert not [fault for fault in when_made.faults if "_backfill" in Path(fault.name).name], (
        "its key is that of the later day"
    )
    trail.digests[2].sidecar.unlink()
    assert faults(checked(tmp_path, keys=[dated]))[trail.digests[2].path.name] == "backfill_time_unknown"


@pytest.mark.parametrize("written", ["2026-03-01T01:00:00+00:00", "2026-03-01T01:00:00.000Z", "20260301T010000Z"])
def test_clock_formats_are_read_and_signed_as_written(tmp_path: Path, written: str) -> None:
    assert checked(Trail(tmp_path).hours(0, 1, digestEndTime=written).hours(1, 2).root).verdict == "verified"


def test_another_algorithm_cannot_be_judged(tmp_path: Path) -> None:
    trail = Trail(tmp_path).hours(0, 1, digestSignatureAlgorithm="SHA512withECDSA")
    assert checked(trail.root).verdict == "verified", "it says one thing, and is signed as usual"
    trail.digests[0].sidecar.write_text(json.dumps({"signature": "00", "signature-algorithm": "SHA512withECDSA"}))
    found = checked(trail.root)
    assert (found.verdict, faults(found)) == (
        "unverifiable",
        {trail.digests[0].path.name: "algorithm_unsupported"},
    )
