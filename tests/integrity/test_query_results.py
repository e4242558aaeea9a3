"""Results of CloudTrail Lake queries: hashes of the files as they lie, and one signature over these."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest
from tests.integrity.trails import START, Trail, checked, der, faults, iso, md5, ms, public_key, sha256, sign

DONE = iso(START)


@pytest.fixture
def results(tmp_path: Path) -> Path:
    folder = tmp_path / "AWSLogs/111122223333/CloudTrail-Lake/Query/2026/03/01/5f2c"
    folder.mkdir(parents=True)
    for number in (1, 2):
        (folder / f"result_{number}.csv.gz").write_bytes(gzip.compress(f"eventID\n{number}\n".encode(), mtime=0))
    return signed(folder)


def signed(folder: Path, **changes: object) -> Path:
    files = sorted(folder.glob("*.csv.gz"))
    hashes = [sha256(path.read_bytes()) for path in files]
    written = {
        "version": "1.0",
        "region": "us-east-1",
        "files": [{"fileHashValue": value, "fileName": path.name} for path, value in zip(files, hashes, strict=True)],
        "hashAlgorithm": "SHA-256",
        "signatureAlgorithm": "SHA256withRSA",
        "queryCompleteTime": DONE,
        "hashSignature": sign(" ".join(hashes)),
        "publicKeyFingerprint": md5(der()),
    }
    (folder / "result_sign.json").write_text(json.dumps(written | changes))
    return folder


def test_a_whole_result_is_verified(results: Path) -> None:
    found = checked(results)
    assert (found.verdict, found.queries.verified, found.faults) == ("verified", 3, ())


def test_compressed_anew_it_is_another_file(results: Path) -> None:
    path = results / "result_1.csv.gz"
    path.write_bytes(gzip.compress(gzip.decompress(path.read_bytes()), mtime=9))
    found = checked(results)
    assert (found.verdict, faults(found)) == ("broken", {path.name: "hash_mismatch"})


def test_a_missing_part_is_named(results: Path) -> None:
    (results / "result_2.csv.gz").unlink()
    found = checked(results)
    assert (found.verdict, faults(found), found.queries.missing) == ("broken", {"result_2.csv.gz": "missing"}, 1)


def test_a_planted_part_is_not_covered(results: Path) -> None:
    (results / "result_3.csv.gz").write_bytes(b"")
    assert faults(checked(results)) == {"result_3.csv.gz": "unlisted"}


def test_parts_are_signed_in_their_order(results: Path) -> None:
    written = json.loads((results / "result_sign.json").read_text())
    signed(results, files=written["files"][::-1])
    found = checked(results)
    assert (found.verdict, faults(found)) == ("broken", {"result_sign.json": "signature_invalid"})
    assert found.queries.unverifiable == 2


@pytest.mark.parametrize("text", ["", "{}", "[1]", '{"files": 3}'])
def test_what_is_no_signature_is_broken(results: Path, text: str) -> None:
    (results / "result_sign.json").write_text(text)
    assert faults(checked(results))["result_sign.json"] == "invalid_format"


def test_keys_count_around_the_end_of_the_query(results: Path) -> None:
    assert checked(results, keys=[public_key(valid_until=ms(START) - 3_600_001)]).verdict == "unverifiable"
    assert checked(results, keys=[public_key(valid_until=ms(START) - 3_600_000)]).verdict == "verified"
    assert checked(results, keys=[public_key(region="eu-west-1")]).verdict == "unverifiable"
    assert checked(results, keys=[]).queries.unverifiable == 3


def test_results_lie_beside_logs(results: Path, tmp_path: Path) -> None:
    Trail(tmp_path).hours(0, 2)
    found = checked(tmp_path)
    assert (found.verdict, found.queries.verified, found.places[0].digests.verified) == ("verified", 3, 2)
