"""The table `sessions`, held against a slow reading of the same records."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tests.identity import chains, oddities, slow_sessions
from tests.identity.chains import Json, lake_of, without

from trailhound.engines.duckdb import DuckDB
from trailhound.lake.lake import Lake


def stored(lake: Lake) -> list[dict[str, Any]]:
    engine = DuckDB()
    lake.mount(engine)
    rows = engine.query("SELECT * FROM sessions")
    lake.close()
    return rows


def compared(records: list[Json], folder: Path) -> list[dict[str, Any]]:
    """The rows of the table, once they are known to be what a slow reading gives."""
    rows = stored(lake_of(folder, records))
    expected = slow_sessions.sessions(records)
    assert {(row["uid"], row["principal_uid"]) for row in rows} == set(expected)
    for row in rows:
        node = expected[row["uid"], row["principal_uid"]]
        act = node.get("act") or {}
        assert (
            row
            | {
                "session_uid": node["sitting"],
                "credential_uid": node["key"],
                "operation": act.get("operation"),
                "issued_event_uid": act.get("event"),
                "created_time": node["created"] if node["created"] is not None else act.get("time"),
                "expiration_time": act.get("expires"),
                "first_seen_time": node["first"],
                "last_seen_time": node["last"],
                "events": node["calls"],
                "parent_uid": node["parent"][0] if node["parent"] and not node["circle"] else None,
                "parent_principal_uid": node["parent"][1] if node["parent"] else node["by"],
                "parent_credential_uid": act.get("by_key"),
                "parent_event_uid": node.get("told"),
                "established": node.get("established"),
                "confidence": None if node["missing"] or node["circle"] else node["own"],
                "origin_uid": node["origin"],
                "origin_confidence": slow_sessions.STRENGTH[node["rank"]],
                "depth": node["depth"],
                "source_identity": slow_sessions.stated(node) or None,
            }
            == row
        )
        assert bool(row["broken"]) == (node["missing"] or node["circle"])
    return rows


@pytest.mark.parametrize("seed", range(40))
def test_of_records_that_contradict_each_other(tmp_path: Path, seed: int) -> None:
    rows = compared(oddities.records(seed, 20 + 10 * (seed % 8)), tmp_path)
    assert rows


@pytest.mark.parametrize("seed", range(4))
def test_of_whole_and_of_torn_histories(tmp_path: Path, seed: int) -> None:
    records = chains.play(400 + seed, chains=25, redacted=0.2 * (seed % 2)).records
    records += chains.play(450 + seed, chains=25, centers=True, unlogged=0.2, redacted=0.2 * (seed % 2)).records
    compared(records, tmp_path / "whole")
    compared(without(records, chains.ACCOUNTS[seed : seed + 1]), tmp_path / "torn")


def test_of_real_records(tmp_path: Path, shared_data: Path) -> None:
    records = real_records(shared_data)
    rows = compared(records, tmp_path)
    opened = [row for row in rows if row["operation"] in ("AssumeRole", "GetFederationToken")]
    assert len(opened) == 9
    assert {row["origin_confidence"] for row in opened} == {"certain"}


def real_records(shared_data: Path) -> list[Json]:
    found: list[Json] = []
    for path in sorted((shared_data / "stratus").glob("*.json")):
        content = json.loads(path.read_text("utf-8"))
        found += content["Records"] if isinstance(content, dict) else content
    return found
