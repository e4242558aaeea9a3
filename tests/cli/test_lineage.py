"""`trailhound lineage` as people read it, and the columns `session` and `origin` in search and SQL."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest
from tests.cli.conftest import Run
from tests.identity.chains import BEGIN, History, made_for, user
from tests.identity.test_lineage import Scene


@pytest.fixture(scope="module")
def scene() -> Scene:
    scene = Scene()
    hostile = scene.open(scene.second, scene.alice.account, BEGIN + 300, "\x1b[2J\r\n\u202e" + "long" * 1000)
    scene.history.call(hostile, BEGIN + 400)
    scene.backdoor = made_for(scene.history, scene.second, scene.second.account, "backdoor", BEGIN + 500)
    return scene


@pytest.fixture
def chained(scene: Scene, trailhound: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Scene:
    """In a workspace of its own."""
    log = tmp_path / "log.json"
    log.write_text(json.dumps({"Records": scene.history.records}))
    monkeypatch.setenv("TRAILHOUND_WORKSPACE", str(tmp_path / "workspace"))
    assert trailhound("ingest", log).status == 0
    return scene


def test_a_person_is_printed_at_the_root_with_the_event_of_each_hop(chained: Scene, trailhound: Run) -> None:
    out = trailhound("lineage", chained.second.identity["accessKeyId"], "--format", "table").out
    lines = out.splitlines()
    assert lines[0] == chained.alice.root
    hops = (chained.alice, chained.first)
    places = [out.index(chained.event("AssumeRole", who.account, who.identity["accessKeyId"])) for who in hops]
    assert places == sorted(places)
    assert out.index("session hop-1") < out.index("session hop-2")
    assert "still held:" in out
    assert out.count("known by issued_key: certain") == 3


def test_a_hostile_name_moves_nothing_and_fills_no_screen(chained: Scene, trailhound: Run) -> None:
    out = trailhound("lineage", "alice", "--format", "table").out
    assert all(sign.isprintable() or sign == "\n" for sign in out)
    assert "\\u001b[2J" in out
    assert max(map(len, out.splitlines())) <= 90


def test_what_somebody_made_is_told_above_the_key_and_below_its_maker(chained: Scene, trailhound: Run) -> None:
    maker = trailhound("lineage", "alice", "--format", "table").out
    key = chained.backdoor.identity["accessKeyId"]
    assert f"=> key made 2024-03-04 08:08:21Z for user/backdoor in 333333333333\n   key {key}" in maker
    assert f"{key}, until it is deactivated\n    possible: made by {chained.alice.root}" in maker
    made = trailhound("lineage", key, "--format", "table").out
    assert made.index(f"key made 2024-03-04 08:08:21Z by {chained.alice.root}") < made.index(f"long-term key {key}")
    assert "that its maker uses it is possible, no more" in made
    assert (
        key
        not in trailhound("lineage", "alice", "--at", "2024-03-04T08:05:00Z", "--format", "table").out.split(
            "still held"
        )[1]
    )


def test_json_is_the_same_tree(chained: Scene, trailhound: Run) -> None:
    found = trailhound("lineage", "hop-2", "--at", "2024-03-04T08:10:00Z").document
    assert found["trees"][0]["uid"] == chained.alice.root
    assert found["trees"][0]["sessions"][0]["opened"][0]["asked"]
    assert {one["until"] for one in found["held"]} >= {(chained.second.began + 3600) * 1000}


def test_what_is_not_there_is_answered_with_what_to_give(chained: Scene, trailhound: Run) -> None:
    result = trailhound("lineage", "mallory")
    assert result.status == 2
    assert "nothing in the log answers to 'mallory'" in result.err
    assert "access key" in result.err


def test_origin_is_a_column_of_search_and_of_sql(chained: Scene, trailhound: Run) -> None:
    by_search = trailhound(
        "search", f"origin={chained.alice.root} -principal={chained.alice.root}", "--group-by", "origin"
    )
    by_sql = trailhound(
        "sql",
        f"SELECT origin_uid, count(*) AS n FROM events WHERE origin_uid = '{chained.alice.root}' "
        f"AND principal_uid <> origin_uid GROUP BY ALL",
    )
    assert by_search.document["events"] == by_sql.document["n"] >= 2
    assert by_search.document["origin"] == chained.alice.root
    sessions = trailhound("sql", "SELECT DISTINCT session_uid FROM events WHERE session_uid IS NOT NULL").lines
    assert f"{chained.second.principal_id}@{chained.second.began * 1000}" in {row["session_uid"] for row in sessions}
    (event, *_) = trailhound("search", f"session={chained.second.principal_id}@{chained.second.began * 1000}").lines
    assert event["actor"]["user"]["credential_uid"] == chained.second.identity["accessKeyId"]


def test_who_it_was_is_printed_whole(trailhound: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    history = History(random.Random(4))
    longest = user(history, "111111111111", "n" * 64)
    history.call(longest, BEGIN)
    log = tmp_path / "log.json"
    log.write_text(json.dumps({"Records": history.records}))
    monkeypatch.setenv("TRAILHOUND_WORKSPACE", str(tmp_path / "workspace"))
    assert trailhound("ingest", log).status == 0
    out = trailhound("lineage", longest.root, "--format", "table").out
    assert out.splitlines()[0] == longest.root
