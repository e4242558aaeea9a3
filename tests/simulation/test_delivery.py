"""The layout of the bucket, and the same bytes for the same seed."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import re
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_der_public_key

from trailhound.errors import RequestError
from trailhound.simulation import simulate

KEY = re.compile(
    r"AWSLogs/(\d+)/CloudTrail/([a-z0-9-]+)/(\d{4})/(\d\d)/(\d\d)/"
    r"\1_CloudTrail_\2_\3\4\5T(\d\d)(\d\d)Z_[A-Za-z0-9]{16}\.json\.gz"
)


def bytes_of(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_files_stand_where_cloudtrail_puts_them(quiet) -> None:
    for path in bytes_of(quiet.folder / "AWSLogs"):
        assert KEY.fullmatch(f"AWSLogs/{path}"), path
    assert {path.name for path in quiet.folder.iterdir()} == {"AWSLogs", "truth.json", "trailhound.toml"}


def test_records_arrive_late_but_within_a_quarter_of_an_hour_or_so(quiet) -> None:
    delays = []
    for path, content in bytes_of(quiet.folder).items():
        if found := KEY.fullmatch(path):
            due = datetime(*map(int, found.groups()[2:]), tzinfo=UTC)
            records = json.loads(gzip.decompress(content))["Records"]
            delays += [(due - datetime.fromisoformat(record["eventTime"])).total_seconds() for record in records]
            assert {record["awsRegion"] for record in records} == {found[2]}
    assert min(delays) > 0
    assert max(delays) <= 1100
    assert 240 < sum(delays) / len(delays) < 600


def test_no_order_is_kept_within_a_file(quiet) -> None:
    unordered = 0
    for content in bytes_of(quiet.folder / "AWSLogs").values():
        times = [record["eventTime"] for record in json.loads(gzip.decompress(content))["Records"]]
        unordered += times != sorted(times)
    assert unordered > 100


def test_files_are_compact_json_in_one_gzip_member_without_a_time(quiet) -> None:
    for content in bytes_of(quiet.folder / "AWSLogs").values():
        assert content[:4] == b"\x1f\x8b\x08\x00"
        assert content[4:8] == bytes(4)
        text = gzip.decompress(content)
        assert text.startswith(b'{"Records":[{"eventVersion":"')
        assert json.dumps(json.loads(text), separators=(",", ":"), ensure_ascii=False).encode() == text


def test_the_same_seed_gives_the_same_bytes_and_another_seed_does_not(tmp_path: Path) -> None:
    for name, seed in (("one", 5), ("two", 5), ("three", 6)):
        simulate("stolen_key", tmp_path / name, seed=seed, events=800, days=3)
    one, two, three = (bytes_of(tmp_path / name) for name in ("one", "two", "three"))
    assert one == two
    assert one.keys() != three.keys()


def test_names_and_records_are_the_same_on_every_machine(tmp_path: Path) -> None:
    """A change of this hash is a change of every history that was ever simulated."""
    simulate("quiet", tmp_path, events=300, days=2)
    digest = hashlib.sha256()
    for path, content in sorted(bytes_of(tmp_path / "AWSLogs").items()):
        digest.update(path.encode() + gzip.decompress(content))
    assert digest.hexdigest() == "d6bfdf04ae9406051e5e3901a63eb37aa9569add1160e4a6f7780810ccecc61e"


def test_counts_are_exact(quiet) -> None:
    counts = quiet.truth["counts"]
    assert counts["events"] == counts["quiet"] == len(quiet.records) == 6000
    assert counts["files"] == len(bytes_of(quiet.folder / "AWSLogs"))
    assert counts["bytes"] == sum(
        len(gzip.decompress(content)) for content in bytes_of(quiet.folder / "AWSLogs").values()
    )


def test_a_second_history_is_not_mixed_into_the_first(tmp_path: Path) -> None:
    simulate("quiet", tmp_path, events=10, days=1)
    with pytest.raises(RequestError, match="already holds logs"):
        simulate("quiet", tmp_path, events=10, days=1)


@pytest.mark.parametrize("arguments", [{"events": 0}, {"days": 0}, {"days": -3}])
def test_numbers_that_make_no_sense_are_refused(tmp_path: Path, arguments: dict[str, int]) -> None:
    with pytest.raises(RequestError, match="at least 1"):
        simulate("quiet", tmp_path, **arguments)


@pytest.fixture(scope="module")
def signed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("signed")
    simulate("trail_stopped", folder, events=400, days=3, digests=True)
    return folder


def signed_digests(folder: Path) -> dict[str, dict]:
    paths = (folder / "AWSLogs").glob("*/CloudTrail-Digest/**/*.json.gz")
    return {str(path.relative_to(folder)): json.loads(gzip.decompress(path.read_bytes())) for path in paths}


def test_digests_list_every_log_once_with_its_hash(signed: Path) -> None:
    listed = [log for digest in signed_digests(signed).values() for log in digest["logFiles"]]
    hashes = {log["s3Object"]: log["hashValue"] for log in listed}
    assert len(hashes) == len(listed)
    assert hashes == {
        str(path.relative_to(signed)): hashlib.sha256(gzip.decompress(path.read_bytes())).hexdigest()
        for path in (signed / "AWSLogs").glob("*/CloudTrail/**/*.json.gz")
    }


def test_each_digest_is_signed_as_the_next_one_records(signed: Path) -> None:
    """With nothing of ours: the text of the signature as AWS describes it."""
    key = load_der_public_key(
        base64.b64decode(json.loads((signed / "public-keys.json").read_text())["keys"][0]["value"])
    )
    found = signed_digests(signed)
    signatures = {digest["previousDigestS3Object"]: digest["previousDigestSignature"] for digest in found.values()}
    for place in found.keys() - signatures.keys():
        signatures[place] = json.loads((signed / f"{place}.metadata.json").read_text())["Metadata"]["signature"]
    for place, digest in found.items():
        text = gzip.decompress((signed / place).read_bytes())
        assert digest["digestS3Object"] == place
        lines = [
            digest["digestEndTime"],
            f"{digest['digestS3Bucket']}/{place}",
            hashlib.sha256(text).hexdigest(),
            digest["previousDigestSignature"] or "null",
        ]
        key.verify(bytes.fromhex(signatures[place]), "\n".join(lines).encode(), PKCS1v15(), SHA256())


def test_a_stopped_trail_has_two_chains_in_each_region(signed: Path) -> None:
    starts = [digest for digest in signed_digests(signed).values() if digest["previousDigestS3Object"] is None]
    assert len(starts) == 2 * len({place.split("/")[3] for place in signed_digests(signed)})
    assert {digest["digestStartTime"] for digest in starts} >= {"2022-05-17T01:59:00Z"}


def test_logs_are_the_same_with_and_without_digests_and_signatures_too(signed: Path, tmp_path: Path) -> None:
    simulate("trail_stopped", tmp_path / "plain", events=400, days=3)
    simulate("trail_stopped", tmp_path / "again", events=400, days=3, digests=True)
    assert bytes_of(tmp_path / "again") == bytes_of(signed)
    assert bytes_of(tmp_path / "plain").items() <= bytes_of(signed).items()
