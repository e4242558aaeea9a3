"""The layout of the bucket, and the same bytes for the same seed."""

from __future__ import annotations

import gzip
import hashlib
import json
import re
from datetime import UTC, datetime
from pathlib import Path

import pytest

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
    assert digest.hexdigest() == "2eafa22a95f979c988692b69bbcd70d692162519137b638370c47c625e6342fe"


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
