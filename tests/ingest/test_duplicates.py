"""One row per eventID: copies are counted, contradictions are kept and flagged."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.ingest.logs import Json, log_file, query, record

from trailhound.ingest.duplicates import same
from trailhound.ingest.ingest import ingest
from trailhound.lake.lake import Lake

CHANGED = record(1, sourceIPAddress="198.51.100.66")
LATER = record(1, eventTime="2024-06-30T00:00:00Z")


def relaid(one: Json) -> str:
    """The same record in another order and with other blanks."""
    return json.dumps(dict(sorted(one.items(), reverse=True)), indent=2)


def load(lake: Lake, folder: Path, *files: list[Json | str]) -> tuple[int, int]:
    """Events and duplicates of one ingest of these files."""
    before = len(list(folder.glob("*.json")))
    paths = [str(log_file(folder / f"{before + n}.json", records)) for n, records in enumerate(files)]
    report = ingest(lake, paths)
    assert report.rejected == 0
    return report.events, report.duplicates


@pytest.mark.parametrize("together", [True, False], ids=["in one file", "in two ingests"])
@pytest.mark.parametrize(
    ("other", "kept"),
    [(record(1), 1), (relaid(record(1)), 1), (CHANGED, 2), (LATER, 2), (record(2), 2)],
    ids=["the same bytes", "laid out otherwise", "changed", "changed and on another day", "another event"],
)
def test_what_is_kept_of_two_records(tmp_path: Path, lake: Lake, other: Json | str, kept: int, together: bool) -> None:
    if together:
        assert load(lake, tmp_path, [record(1), other]) == (kept, 2 - kept)
    else:
        assert load(lake, tmp_path, [record(1)]) == (1, 0)
        assert load(lake, tmp_path, [other]) == (kept - 1, 2 - kept)
    flags = [flags for (flags,) in query(lake, "SELECT flags FROM events")]
    assert flags == ([["conflict"]] * 2 if other in (CHANGED, LATER) else [[]] * kept)


def test_copies_of_either_side_of_a_conflict_are_copies(tmp_path: Path, lake: Lake) -> None:
    assert load(lake, tmp_path, [record(1), CHANGED, record(2)]) == (3, 0)
    assert load(lake, tmp_path, [CHANGED, record(1), relaid(CHANGED), LATER]) == (1, 3)
    rows = query(lake, "SELECT flags FROM events WHERE api.operation = 'StopInstances'")
    assert rows == [(["conflict"],)] * 3
    assert query(lake, "SELECT flags FROM events WHERE api.operation <> 'StopInstances'") == [([],)]


def test_neighbours_of_a_flagged_row_stay_as_they_were(tmp_path: Path, lake: Lake) -> None:
    load(lake, tmp_path, [record(n) for n in range(50)])
    before = query(lake, "SELECT * FROM events ORDER BY metadata.uid")
    load(lake, tmp_path, [CHANGED])
    after = query(
        lake,
        "SELECT * REPLACE (list_filter(flags, lambda f: f <> 'conflict') AS flags) FROM events ORDER BY metadata.uid",
    )
    assert [row for row in after if row in before] == before
    assert len(after) == 51


@pytest.mark.parametrize(
    ("one", "other"),
    [('{"a":1}', '{"a":true}'), ('{"a":1}', '{"a":1.0}'), ('{"a":[1,2]}', '{"a":[2,1]}'), ('{"a":null}', "{}"),
     ('{"a":1,"a":2}', '{"a":2}'), ('{"a":"1"}', '{"a":1}'), ('{"a":["number","1"]}', '{"a":1}'),
     ('{"a":100000000000000000000000}', '{"a":100000000000000000000001}'), ("{", "")],
)  # fmt: skip
def test_what_differs_is_not_the_same(one: str, other: str) -> None:
    assert not same(one, other)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)


def shuffled(value: object) -> object:
    if isinstance(value, dict):
        return {key: shuffled(value[key]) for key in reversed(value)}
    return [shuffled(item) for item in value] if isinstance(value, list) else value


@given(value=json_values, other=json_values)
def test_order_and_blanks_do_not_matter_and_all_else_does(value: object, other: object) -> None:
    assert same(json.dumps(value), json.dumps(shuffled(value), indent=3, ensure_ascii=False))
    canonical = [json.dumps(one, sort_keys=True) for one in (value, other)]
    assert same(json.dumps(value), json.dumps(other)) == (canonical[0] == canonical[1])


def test_deep_nesting_is_compared_as_bytes() -> None:
    deep = '{"a":' * 5000 + "1" + "}" * 5000
    assert same(deep, deep)
    assert not same(deep, deep + " ")
