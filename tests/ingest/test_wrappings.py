"""Wrappings on their way into the lake: the same records whatever holds them, and what is less says so."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.containers.wrappings import WRAPPINGS
from tests.ingest.logs import log_file, query, record

from trailhound.ingest.ingest import ingest
from trailhound.lake.lake import Lake

GOLDEN = Path(__file__).parents[1] / "containers" / "golden"


def table(path: Path, numbers: range) -> Path:
    """What the console's download keeps of records."""
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["Event name", "Event time", "User name", "Event source", "Event ID"])
        for full in map(record, numbers):
            name = full["userIdentity"]["userName"]
            writer.writerow([full["eventName"], full["eventTime"], name, full["eventSource"], full["eventID"]])
    return path


def test_one_event_however_often_and_in_whatever_it_is_wrapped(tmp_path: Path, lake: Lake) -> None:
    texts = [json.dumps(record(number)) for number in range(3)]
    for name, wrap in WRAPPINGS.items():
        (tmp_path / name).write_bytes(wrap(texts))
    report = ingest(lake, [str(tmp_path / name) for name in WRAPPINGS])
    assert (report.events, report.rejected, report.reasons) == (3, 0, {})
    assert report.duplicates == 3 * (len(WRAPPINGS) - 1)
    assert query(lake, "SELECT DISTINCT flags FROM events") == [([],)]


def test_what_is_put_together_is_flagged_and_adds_nothing_to_the_record_itself(tmp_path: Path, lake: Lake) -> None:
    shown = table(tmp_path / "history.csv", range(4))
    log = log_file(tmp_path / "log.json.gz", [record(number) for number in range(2)])
    report = ingest(lake, [str(shown), str(log)])
    assert (report.seen, report.events, report.duplicates) == (6, 4, 2)
    rows = query(lake, "SELECT flags, count(*), count(actor.user.uid) FROM events GROUP BY ALL ORDER BY ALL")
    assert rows == [([], 2, 2), (["partial", "unknown_principal"], 2, 0)]
    assert ingest(lake, [str(shown)]).events == 0


def accounts(lake: Lake) -> list[Any]:
    """The ledger beside the rows that are there, and the flags of these."""
    return [
        *query(
            lake,
            "SELECT name, l.records, l.events, l.duplicates, count(e.source_uid) FROM ledger l "
            "LEFT JOIN events e ON e.source_uid = l.uid GROUP BY ALL ORDER BY ALL",
        ),
        *query(lake, "SELECT metadata.uid, time, flags, actor.user.uid FROM events ORDER BY ALL"),
    ]


def test_the_record_itself_takes_the_place_of_what_was_put_together(tmp_path: Path, lake: Lake) -> None:
    shown = table(tmp_path / "history.csv", range(4))
    log = log_file(tmp_path / "log.json.gz", [record(number) for number in range(2)])
    first, then = ingest(lake, [str(shown)]), ingest(lake, [str(log)])
    assert [(r.seen, r.events, r.duplicates) for r in (first, then)] == [(4, 4, 0), (2, 0, 2)]
    assert accounts(lake)[:2] == [(str(shown), 4, 2, 2, 2), (str(log), 2, 2, 0, 2)]
    rows = query(lake, "SELECT flags, count(*), count(actor.user.uid) FROM events GROUP BY ALL ORDER BY ALL")
    assert rows == [([], 2, 2), (["partial", "unknown_principal"], 2, 0)]
    assert ingest(lake, [str(shown), str(log)]).events == 0


@settings(max_examples=15)
@given(
    st.lists(st.tuples(st.booleans(), st.integers(0, 9), st.integers(1, 6)), min_size=1, max_size=6),
    st.integers(1, 6),
)
def test_whatever_comes_first_the_record_stands(arrivals: list[tuple[bool, int, int]], at_once: int) -> None:
    with TemporaryDirectory() as folder:
        lake, files = Lake.create(Path(folder, "lake")), list[str]()
        for number, (full, first, count) in enumerate(arrivals):
            numbers = range(first, first + count)
            path = Path(folder, f"{number}.{'json.gz' if full else 'csv'}")
            files.append(str(log_file(path, list(map(record, numbers))) if full else table(path, numbers)))
        reports = [ingest(lake, files[at : at + at_once]) for at in range(0, len(files), at_once)]
        known = {n for full, first, count in arrivals if full for n in range(first, first + count)}
        every = {n for _, first, count in arrivals for n in range(first, first + count)}
        rows = dict(query(lake, "SELECT metadata.uid, list_contains(flags, 'partial') FROM events"))
        assert rows == {record(n)["eventID"]: n not in known for n in every}
        assert len(rows) == sum(report.events for report in reports)
        for name, records, events, duplicates, there in accounts(lake)[: len(files)]:
            assert (records, events) == (events + duplicates, there), name


@pytest.mark.parametrize("step", ["append", "upsert", "remove"])
@pytest.mark.parametrize("done", [True, False], ids=["after", "before"])
def test_an_interrupt_while_a_record_takes_its_place_is_made_good(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str, done: bool
) -> None:
    shown = table(tmp_path / "history.csv", range(4))
    log = log_file(tmp_path / "log.json.gz", [record(number) for number in range(2)])
    lakes = Lake.create(tmp_path / "disturbed"), Lake.create(tmp_path / "undisturbed")
    for lake in lakes:
        ingest(lake, [str(shown)])
    whole = getattr(Lake, step)

    def interrupted(*arguments: object, **named: object) -> None:
        if done:
            whole(*arguments, **named)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Lake, step, interrupted)
        with pytest.raises(KeyboardInterrupt):
            ingest(lakes[0], [str(log)])
    for lake in lakes:
        ingest(lake, [str(log)])
    assert accounts(lakes[0]) == accounts(lakes[1])


@pytest.mark.parametrize("raw", sorted(GOLDEN.glob("*.raw")), ids=lambda path: path.stem)
def test_every_sample_is_accounted_for(raw: Path, lake: Lake) -> None:
    report = ingest(lake, [str(raw)])
    assert report.seen == report.events + report.duplicates + report.rejected
    assert report.seen or raw.stem in ("utf16",)  # which holds an empty list
