"""The whole way, by the command line, on a simulated history: zero alarms untouched, each fault named and placed."""

from __future__ import annotations

import gzip
import json
import shutil
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from trailhound.__main__ import main

Verify = Callable[..., tuple[int, dict[str, Any]]]


@pytest.fixture(scope="module")
def signed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("story") / "signed"
    story = ["simulate", "quiet", "-o", str(folder), "--events", "700", "--days", "2", "--digests", "--quiet"]
    assert main(story) == 0
    return folder


@pytest.fixture
def copy(signed: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(signed, tmp_path / "copy"))


@pytest.fixture
def verify(copy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Verify:
    """`trailhound verify`, with no network to be had."""

    def forbidden(*_: Any, **__: Any) -> None:
        raise AssertionError("the network was used")

    monkeypatch.setenv("COLUMNS", "150")
    for name in ("socket", "create_connection", "getaddrinfo"):
        monkeypatch.setattr(socket, name, forbidden)

    def run(*arguments: str) -> tuple[int, dict[str, Any]]:
        capsys.readouterr()
        keys = str(copy / "public-keys.json")
        status = main(["verify", str(copy), "--public-keys", keys, "--workspace", str(tmp_path / "ws"), *arguments])
        return status, json.loads(capsys.readouterr().out)

    return run


def logs(copy: Path) -> list[Path]:
    return sorted(copy.rglob("*_CloudTrail_us-east-1_*.json.gz"))


def digests(copy: Path) -> list[Path]:
    return sorted(copy.rglob("*_CloudTrail-Digest_us-east-1_*.json.gz"))


def test_untouched_it_raises_no_alarm(copy: Path, verify: Verify) -> None:
    status, found = verify()
    assert (status, found["verdict"], found["faults"]) == (0, "verified", [])
    assert sum(place["logs"]["verified"] for place in found["places"]) == len(list(copy.rglob("*_CloudTrail_*")))
    assert {key["provenance"] for key in found["keys"]} == {"self-made"}
    for place in found["places"]:
        assert place["covered_ms"] == found["until"] - found["since"]


def only(found: dict[str, Any]) -> dict[str, Any]:
    (fault,) = found["faults"]
    return fault


def test_a_flipped_byte(copy: Path, verify: Verify) -> None:
    path = logs(copy)[7]
    text = bytearray(gzip.decompress(path.read_bytes()))
    text[len(text) // 2] ^= 1
    path.write_bytes(gzip.compress(bytes(text)))
    status, found = verify()
    assert (status, only(found)["fault"], only(found)["name"]) == (1, "hash_mismatch", str(path))


def test_a_deleted_log(copy: Path, verify: Verify) -> None:
    path = logs(copy)[7]
    path.unlink()
    status, found = verify()
    assert (status, only(found)["fault"]) == (1, "missing")
    assert only(found)["place"].endswith(path.relative_to(copy).as_posix())


def test_a_deleted_digest(copy: Path, verify: Verify) -> None:
    path = digests(copy)[20]
    path.unlink()
    status, found = verify()
    by_kind = {fault["fault"]: fault for fault in found["faults"]}
    assert status == 1
    assert by_kind["missing"]["place"].endswith(path.relative_to(copy).as_posix())
    assert by_kind["gap"]["end"] - by_kind["gap"]["begin"] == 3_600_000
    assert by_kind["gap"]["end"] == by_kind["missing"]["end"]


def test_a_reordered_chain(copy: Path, verify: Verify) -> None:
    one, two = digests(copy)[20:22]
    first = one.read_bytes()
    one.write_bytes(two.read_bytes())
    two.write_bytes(first)
    status, found = verify()
    broken = {fault["name"]: fault["fault"] for fault in found["faults"] if fault["state"] == "broken"}
    assert (status, broken) == (1, {str(one): "moved", str(two): "moved"})


def test_a_log_compressed_anew(copy: Path, verify: Verify) -> None:
    for path in logs(copy)[:9]:
        path.write_bytes(gzip.compress(gzip.decompress(path.read_bytes()), compresslevel=9))
    assert verify()[0] == 0


def test_seven_minutes_without_logging(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    plan = (Path(__file__).parents[2] / "src/trailhound/packs/stories/trail_stopped.yml").read_text()
    story = tmp_path / "short.yml"
    story.write_text(plan.replace("2022-05-17T01:59:00Z", "2022-05-17T01:19:00Z"))
    folder = tmp_path / "short"
    assert main(["simulate", str(story), "-o", str(folder), "--events", "500", "--days", "2", "--digests"]) == 0
    capsys.readouterr()
    keys = ["--public-keys", str(folder / "public-keys.json"), "--workspace", str(tmp_path / "ws")]
    assert main(["verify", str(folder), *keys, "--format", "json"]) == 3
    found = json.loads(capsys.readouterr().out)
    stopped = only(found)
    assert (stopped["fault"], stopped["state"]) == ("logging_stopped", "unverifiable")
    assert (stopped["begin"], stopped["end"]) == (1652749920000, 1652750340000)
    assert stopped["detail"].startswith("StopLogging at 2022-05-17T01:12:00Z by arn:aws:iam::555566667777:user/")
    assert {place["logs"]["broken"] + place["logs"]["missing"] for place in found["places"]} == {0}


def test_keys_are_kept_in_the_workspace(copy: Path, verify: Verify, tmp_path: Path) -> None:
    assert verify()[0] == 0
    assert main(["verify", str(copy), "--workspace", str(tmp_path / "ws"), "--format", "table"]) == 0


def test_without_keys_it_cannot_be_told(copy: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", str(copy), "--workspace", str(tmp_path / "new"), "--format", "table"]) == 3
    shown = capsys.readouterr().out
    assert "there are no public keys" in shown
    assert "key_not_found" in shown


def test_a_person_is_shown_where_and_what(
    copy: Path, verify: Verify, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    verify()
    logs(copy)[7].unlink()
    assert main(["verify", str(copy), "--workspace", str(tmp_path / "ws"), "--format", "table"]) == 1
    shown = capsys.readouterr().out
    assert "verdict  broken: 1 are missing" in shown
    assert logs(copy)[0].parent.parts[-1] in shown
    assert "SELF-MADE, not of AWS" in shown
    assert "1 missing" in shown


def test_the_lake_keeps_what_was_found(
    copy: Path, verify: Verify, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    verify()
    gone = logs(copy)[7]
    gone.unlink()
    _, found = verify()

    def sql(query: str) -> list[dict[str, Any]]:
        capsys.readouterr()
        assert main(["sql", query, "--workspace", str(tmp_path / "ws"), "--format", "json"]) == 0
        return [json.loads(line) for line in capsys.readouterr().out.splitlines()]

    states = sql("SELECT kind, state, count(*) AS n FROM integrity GROUP BY ALL ORDER BY ALL")
    number = {(row["kind"], row["state"]): row["n"] for row in states}
    assert number["log", "broken"] == 1
    assert number["digest", "verified"] == sum(place["digests"]["verified"] for place in found["places"])
    (row,) = sql("SELECT place, fault, name FROM integrity WHERE state = 'broken'")
    assert (row["fault"], row["name"]) == ("missing", "")
    assert row["place"].endswith(gone.name)
    (span,) = sql('SELECT min("begin") AS a, max("end") AS b FROM integrity_periods WHERE state = \'verified\'')
    assert (span["a"], span["b"]) == (found["since"], found["until"])


def test_a_path_that_names_nothing_is_refused(tmp_path: Path) -> None:
    assert main(["verify", str(tmp_path / "none"), "--workspace", str(tmp_path / "ws")]) == 2


def test_what_was_written_by_others_moves_no_cursor(
    copy: Path, verify: Verify, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    verify()
    logs(copy)[0].with_name("\x1b[2J.json").write_text("{}")
    assert main(["verify", str(copy), "--workspace", str(tmp_path / "ws"), "--format", "table"]) == 3
    shown = capsys.readouterr().out
    assert "\x1b" not in shown
    assert "\\u001b[2J.json" in shown
