"""Wrappings on their way into the lake: the same records whatever holds them, and what is less says so."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
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


@pytest.mark.parametrize("raw", sorted(GOLDEN.glob("*.raw")), ids=lambda path: path.stem)
def test_every_sample_is_accounted_for(raw: Path, lake: Lake) -> None:
    report = ingest(lake, [str(raw)])
    assert report.seen == report.events + report.duplicates + report.rejected
    assert report.seen or raw.stem in ("utf16",)  # which holds an empty list
