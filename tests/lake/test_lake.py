"""The lake: commits that are whole or not there, snapshots, compaction, and errors that leave it intact."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import textwrap
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from trailhound.engines.duckdb import DuckDB
from trailhound.errors import WorkspaceError
from trailhound.lake import arrow
from trailhound.lake.lake import Lake
from trailhound.lake.tables import LEDGER, REJECTS, TABLES
from trailhound.model import Finding
from trailhound.ocsf.schema import COLUMNS

SRC = Path(__file__).parents[2] / "src"


def events(*uids: str, day: str = "2024-05-01", operation: str = "GetObject") -> object:
    values = {column.path: [None] * len(uids) for column in COLUMNS}
    values |= {"metadata.uid": list(uids), "event_day": [day] * len(uids), "api.operation": [operation] * len(uids)}
    values |= {"time": list(range(len(uids))), "flags": [()] * len(uids), "resources": [()] * len(uids)}
    return arrow.events_table(values)


def rejects(*rows: tuple[str, int]) -> object:
    values = {"source_uid": [uid for uid, _ in rows], "index": [index for _, index in rows]}
    return arrow.table(REJECTS, values | {name: [""] * len(rows) for name in ("reason", "detail", "excerpt")})


def query(lake: Lake, sql: str) -> list[tuple[object, ...]]:
    engine = DuckDB()
    lake.mount(engine)
    return [tuple(row.values()) for row in engine.query(sql)]


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake.create(tmp_path / "lake")


def test_a_new_lake_has_all_its_tables_and_nothing_in_them(lake: Lake) -> None:
    engine = DuckDB()
    assert lake.mount(engine).versions == dict.fromkeys(TABLES, -1)
    for table in TABLES:
        assert engine.query(f"SELECT count(*) AS n FROM {table}") == [{"n": 0}]
    assert engine.query("SELECT actor.user.uid, resources[1].uid, time_dt FROM events") == []


def test_an_empty_table_and_a_filled_one_have_the_same_columns(lake: Lake) -> None:
    before = query(lake, "DESCRIBE events")
    lake.append("events", events("a"))
    assert query(lake, "DESCRIBE events") == before


def test_the_findings_table_holds_a_finding() -> None:
    made_anew = {"incident_uid", "risk"}  # whenever findings are listed: they depend on all of them
    stored = [name for name in Finding.__struct_fields__ if name not in made_anew]
    assert [column.path for column in TABLES["findings"].columns] == stored


def test_what_is_mounted_stays_as_it_was(lake: Lake) -> None:
    lake.append("events", events("a"))
    engine = DuckDB()
    before = lake.mount(engine)
    Lake(lake.root).append("events", events("b"))
    Lake(lake.root).compact()
    assert engine.query("SELECT count(*) AS n FROM events") == [{"n": 1}]
    assert lake.mount(engine).versions["events"] > before.versions["events"]
    assert engine.query("SELECT count(*) AS n FROM events") == [{"n": 2}]


def test_upsert_replaces_what_has_the_same_key(lake: Lake) -> None:
    lake.upsert("rejects", rejects(("a", 1), ("a", 2), ("b", 1)), "source_uid")
    lake.upsert("rejects", rejects(("a", 7), ("c'", 1)), "source_uid")
    found = query(lake, "SELECT source_uid, index FROM rejects ORDER BY ALL")
    assert found == [("a", 7), ("b", 1), ("c'", 1)]


def test_compaction_leaves_one_sorted_file_a_partition_and_is_idempotent(lake: Lake) -> None:
    for operation in ("PutObject", "GetObject", "DeleteObject"):
        lake.append("events", events(f"{operation}1", f"{operation}2", operation=operation))
    lake.append("events", events("x", day="2024-05-02"))
    before = query(lake, "SELECT metadata.uid, event_day FROM events ORDER BY ALL")
    lake.close()

    assert lake.compact() == 1
    assert lake.compact() == 0
    assert query(lake, "SELECT metadata.uid, event_day FROM events ORDER BY ALL") == before
    assert lake.sizes()["events"].files == 2
    (path,) = [file for file in lake.files("events") if "2024-05-01" in file]
    rows = DuckDB(threads=1).query(
        f"SELECT api.operation AS o, time AS t FROM read_parquet('{path}', file_row_number = true) ORDER BY file_row_number"
    )
    assert [(row["o"], row["t"]) for row in rows] == sorted((row["o"], row["t"]) for row in rows)


def test_what_has_not_grown_by_a_part_is_not_written_again(lake: Lake) -> None:
    lake.append("events", events(*(f"a{number}" for number in range(6_000))))
    lake.append("events", events(*(f"b{number}" for number in range(1_900))))
    assert lake.compact() == 0
    lake.append("events", events(*(f"c{number}" for number in range(200))))
    assert lake.compact() == 1
    assert lake.sizes()["events"].files == 1
    assert query(lake, "SELECT count(DISTINCT metadata.uid) FROM events") == [(8_100,)]


def test_files_that_no_longer_count_are_deleted_only_while_nobody_reads(lake: Lake) -> None:
    def on_disk() -> int:
        return len(list((lake.root / "events").rglob("*.parquet")))

    reader, engine = Lake(lake.root), DuckDB()
    lake.append("events", events("a"))
    lake.append("events", events("b"))
    reader.mount(engine)
    assert lake.compact() == 1
    assert on_disk() == 3
    assert engine.query("SELECT count(*) AS n FROM events") == [{"n": 2}]
    reader.close()
    lake.append("events", events("c"))
    assert lake.compact() == 1
    assert on_disk() == 1


def test_a_snapshot_that_something_refers_to_outlives_compaction(lake: Lake) -> None:
    engine = DuckDB()
    lake.append("events", events("a"))
    lake.append("events", events("b"))
    kept = lake.mount(engine)
    lake.keep(kept)
    lake.append("events", events("c"))
    unkept = lake.mount(engine).versions["events"]
    lake.close()
    assert lake.compact() == 1
    later = Lake(lake.root)
    later.mount_kept(engine, kept.versions["events"])
    assert engine.query("SELECT metadata.uid AS uid FROM events ORDER BY uid") == [{"uid": "a"}, {"uid": "b"}]
    with pytest.raises(WorkspaceError, match=f"version {unkept} of the events was not kept"):
        later.mount_kept(engine, unkept)
    later.mount(engine)
    assert engine.query("SELECT count(*) AS n FROM events") == [{"n": 3}]


def test_what_is_kept_is_not_forgotten_when_its_list_is_damaged(lake: Lake) -> None:
    lake.append("events", events("a"))
    (lake.root / "kept.json").write_text("{")
    with pytest.raises(WorkspaceError, match="which snapshots are kept"):
        lake.keep(lake.mount(DuckDB()))


def test_a_flag_is_added_once_and_to_no_other_event(lake: Lake) -> None:
    lake.append("events", events("a", "b"))
    for _ in range(2):
        lake.flag("2024-05-01", ["a"], "conflict")
    assert query(lake, "SELECT metadata.uid, flags FROM events ORDER BY 1") == [("a", ["conflict"]), ("b", [])]


def test_a_folder_may_have_any_name(tmp_path: Path) -> None:
    lake = Lake.create(tmp_path / "my lake's 100% #1?")
    lake.append("events", events("a"))
    lake.append("events", events("b"))
    lake.flag("2024-05-01", ["a"], "conflict")
    lake.compact()
    assert query(lake, "SELECT count(*) FROM events") == [(2,)]


def test_what_is_not_a_workspace_is_told(tmp_path: Path) -> None:
    with pytest.raises(WorkspaceError, match="not a workspace"):
        Lake(tmp_path)
    (tmp_path / "lake.json").write_text("{")
    with pytest.raises(WorkspaceError, match="not a workspace"):
        Lake(tmp_path)


@pytest.mark.parametrize(("number", "age", "next_step"), [(99, "newer", "upgrade"), (1, "older", "new workspace")])
def test_a_workspace_of_another_version_is_told(tmp_path: Path, number: int, age: str, next_step: str) -> None:
    Lake.create(tmp_path)
    (tmp_path / "lake.json").write_text(f'{{"format": {number}}}')
    with pytest.raises(WorkspaceError, match=f"format {number}") as told:
        Lake.create(tmp_path)
    assert age in told.value.causes[0]
    assert next_step in told.value.next_step


APPEND = """
    import sys
    from pathlib import Path
    from test_lake import events
    from trailhound.errors import WorkspaceError
    from trailhound.lake.lake import Lake
    try:
        Lake.create(Path(sys.argv[1])).append("events", events(*map(str, range(20_000))))
    except WorkspaceError as error:
        sys.exit(str(error))
"""


def append_in_another_process(root: Path, **options: object) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"PYTHONPATH": os.pathsep.join((str(SRC), str(Path(__file__).parent)))}
    command = [sys.executable, "-c", textwrap.dedent(APPEND), str(root)]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, **options)  # type: ignore[call-overload]


def test_a_full_disk_leaves_the_old_lake_intact(lake: Lake) -> None:
    lake.append("events", events("a"))

    def no_large_files() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))

    ended = append_in_another_process(lake.root, preexec_fn=no_large_files)
    assert ended.returncode == 1
    assert "what:  the workspace cannot be written" in ended.stderr
    assert query(lake, "SELECT count(*) FROM events") == [(1,)]


@pytest.fixture
def nobody() -> Iterator[None]:
    """Root may write everywhere: be somebody else for a while."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    yield
    os.seteuid(0)


def test_a_folder_that_may_not_be_written_is_told(tmp_path: Path, lake: Lake, nobody: None) -> None:
    with pytest.raises(WorkspaceError) as error:
        Lake.create(tmp_path / "new")
    assert error.value.causes == ("the folder may not be written to",)


def test_writers_wait_for_each_other(lake: Lake) -> None:
    def add(name: str) -> None:
        mine = Lake(lake.root)
        for number in range(5):
            mine.upsert("rejects", rejects((name, number)), "source_uid")

    threads = [threading.Thread(target=add, args=(name,)) for name in "abc"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert query(lake, "SELECT source_uid, index FROM rejects ORDER BY 1") == [("a", 4), ("b", 4), ("c", 4)]


def test_every_column_of_the_ledger_says_what_it_means() -> None:
    for column in (*LEDGER, *REJECTS):
        assert column.meaning
