"""From files to the lake: everything is accounted for, once."""

from __future__ import annotations

import json
import random
from itertools import pairwise
from pathlib import Path

import pytest
from tests.ingest.logs import log_file, query, record

from trailhound.errors import InputError, WorkspaceError
from trailhound.ingest import batch
from trailhound.ingest.ingest import ingest
from trailhound.ingest.report import IngestReport
from trailhound.lake.lake import Lake


def counts(report: IngestReport) -> tuple[int, int, int, int]:
    assert report.seen == report.events + report.duplicates + report.rejected
    assert sum(report.reasons.values()) == report.rejected
    return report.seen, report.events, report.duplicates, report.rejected


def test_records_become_rows_with_their_own_bytes(tmp_path: Path, lake: Lake) -> None:
    odd = ' { "eventVersion" : "1.08",\t"eventTime":"2024-05-01T00:00:00Z" ,"eventName":"A\\u0042", "eventID":"x","n":1.0e2 }'.strip()
    source = log_file(tmp_path / "a.json.gz", [record(1), odd])
    assert counts(ingest(lake, [str(source)])) == (2, 2, 0, 0)
    rows = query(lake, "SELECT raw_data, api.operation, source_index FROM events ORDER BY source_index")
    assert rows == [
        (json.dumps(record(1), separators=(",", ":")), "StopInstances", 0),
        (odd, "AB", 1),
    ]


def test_the_report_and_the_ledger_say_what_was_read(tmp_path: Path, lake: Lake) -> None:
    source = log_file(tmp_path / "a.json", [record(1), record(2), record(1), "17", {"eventName": "NoTime"}])
    report = ingest(lake, [str(source)])
    assert counts(report) == (5, 2, 1, 2)
    assert (report.files, report.bytes) == (1, source.stat().st_size)
    assert (report.first_time, report.last_time) == (1714521660000, 1714521720000)
    assert {example.name for example in report.examples} == {str(source)}
    ((name, records, events, duplicates, rejected, first, last),) = query(
        lake, "SELECT name, records, events, duplicates, rejected, first_time, last_time FROM ledger"
    )
    assert (name, records, events, duplicates, rejected) == (str(source), 5, 2, 1, 2)
    assert (first, last) == (report.first_time, report.last_time)
    assert query(lake, "SELECT reason, index FROM rejects ORDER BY index") == [
        ("not_an_object", 3),
        ("no_event_time", 4),
    ]
    assert query(lake, "SELECT count(*) FROM events JOIN ledger ON source_uid = uid") == [(2,)]


def test_the_same_again_adds_nothing_and_says_so(tmp_path: Path, lake: Lake) -> None:
    log_file(tmp_path / "logs/a.json.gz", [record(n) for n in range(10)])
    log_file(tmp_path / "logs/b.json.gz", [record(n) for n in range(5, 15)] + ["[]"])
    first = ingest(lake, [str(tmp_path / "logs")])
    assert counts(first) == (21, 15, 5, 1)
    ledger, rows = (
        query(lake, "SELECT * EXCLUDE ingested_at FROM ledger ORDER BY name"),
        query(lake, "SELECT * FROM events ORDER BY ALL"),
    )
    rejects = query(lake, "SELECT * FROM rejects")

    again = ingest(lake, [str(tmp_path / "logs")])
    assert counts(again) == (21, 0, 20, 1)
    assert (again.first_time, again.last_time) == (first.first_time, first.last_time)
    assert query(lake, "SELECT * EXCLUDE ingested_at FROM ledger ORDER BY name") == ledger
    assert query(lake, "SELECT * FROM events ORDER BY ALL") == rows
    assert query(lake, "SELECT * FROM rejects") == rejects


def test_a_copy_under_another_name_is_an_object_full_of_duplicates(tmp_path: Path, lake: Lake) -> None:
    log_file(tmp_path / "a.json.gz", [record(1), record(2)])
    ingest(lake, [str(tmp_path / "a.json.gz")])
    log_file(tmp_path / "b.json", [record(1), record(2)])
    assert counts(ingest(lake, [str(tmp_path / "b.json")])) == (2, 0, 2, 0)
    assert query(lake, "SELECT records, events, duplicates FROM ledger ORDER BY name") == [(2, 2, 0), (2, 0, 2)]


def test_a_file_named_twice_is_read_once_in_effect(tmp_path: Path, lake: Lake) -> None:
    source = str(log_file(tmp_path / "a.json", [record(1), "17"]))
    assert counts(ingest(lake, [source, source])) == (4, 1, 1, 2)
    assert query(lake, "SELECT events, duplicates, rejected FROM ledger") == [(1, 0, 1)]
    assert query(lake, "SELECT count(*) FROM rejects") == [(1,)]


def test_rows_are_sorted_within_a_day(tmp_path: Path, lake: Lake) -> None:
    records = [record(n) for n in range(3000)]
    random.Random(1).shuffle(records)
    ingest(lake, [str(log_file(tmp_path / "a.json", records))])
    for path in lake.files("events"):
        rows = query(
            lake,
            f"SELECT api.operation, time FROM read_parquet('{path}', file_row_number = true) ORDER BY file_row_number",
        )
        assert rows == sorted(rows)
    assert len(lake.files("events")) == 3


def test_one_bad_file_stops_nothing(tmp_path: Path, lake: Lake) -> None:
    log_file(tmp_path / "logs/a.json", [record(1)])
    (tmp_path / "logs/b.json.gz").write_bytes(
        log_file(tmp_path / "c.json.gz", [record(2), record(3)]).read_bytes()[:-20]
    )
    (tmp_path / "logs/d.json").write_text("")
    (tmp_path / "logs/e.zip").write_bytes(b"PK\x03\x04 no")
    (tmp_path / "logs/link").symlink_to("a.json")
    log_file(tmp_path / "logs/z.json", [record(4)])
    report = ingest(lake, [str(tmp_path / "logs")])
    assert report.reasons == {"gzip_truncated": 1, "empty": 1, "archive_damaged": 1, "symbolic_link": 1}
    assert report.events >= 3
    rows = query(
        lake, "SELECT l.name, r.reason, l.flags FROM rejects r JOIN ledger l ON l.uid = r.source_uid ORDER BY 1"
    )
    assert [(Path(name).name, reason, flags) for name, reason, flags in rows] == [
        ("b.json.gz", "gzip_truncated", ["damaged"]),
        ("d.json", "empty", []),
        ("e.zip", "archive_damaged", []),
        ("link", "symbolic_link", []),
    ]


def test_what_names_nothing_is_an_error_and_writes_nothing(tmp_path: Path, lake: Lake) -> None:
    source = str(log_file(tmp_path / "a.json", [record(1)]))
    with pytest.raises(InputError):
        ingest(lake, [source, str(tmp_path / "nothing")])
    assert query(lake, "SELECT count(*) FROM events") == [(0,)]


PASTE = (
    "{“Records”: [{ “eventVersion”: “1.05”, “userIdentity”: {“type”: “IAMUser”, “arn“: “arn:aws:iam::111122223333:user/Ops/Bob”, "
    "“accountId“: “111122223333”, “userName“: “Bob”}, “eventTime“: “2024-05-01T10:11:12Z”, “eventSource”: “ec2.amazonaws.com”, "
    "“eventName“: ” StopInstances”, “awsRegion”: “eu-west-1”, “sourceIPAddress“: “198.51.100.9”, “requestParameters”: "
    "{“instancesSet”: {“items”: [{“instanceId“: “i-0aa”}, {“instanceId“: “i-0bb”}]}}, “responseElements”: {“instancesSet”: "
    "{“items”: [{ “instanceId“: ” i-0aa″, “currentState“: {“code”: 64, “name”: “stopping”}, { “instanceId“: ” i-0bb″, "
    "“currentState“: {“code”: 64, “name”: ” stopping”}}]}}}]}"
)


def test_pasted_text_is_refused_with_a_reason(tmp_path: Path, lake: Lake) -> None:
    (tmp_path / "paste.txt").write_text(PASTE, "utf-8")
    report = ingest(lake, [str(tmp_path / "paste.txt")])
    assert counts(report) == (1, 0, 0, 1)
    (example,) = report.examples
    assert example.reject.reason == "pasted_text"
    assert "--repair" in example.reject.detail
    assert example.reject.excerpt.startswith("{“Records”")


def test_pasted_text_is_mended_when_asked_flagged_and_shown(tmp_path: Path, lake: Lake) -> None:
    (tmp_path / "paste.txt").write_text(PASTE, "utf-8")
    ingest(lake, [str(tmp_path / "paste.txt")])  # refused before: that does not stand in the way
    report = ingest(lake, [str(tmp_path / "paste.txt")], repair=True)
    assert counts(report) == (1, 1, 0, 0)
    (repair,) = report.repaired
    assert '+"eventName": "StopInstances",' in repair.difference
    ((operation, flags, ids),) = query(
        lake, "SELECT api.operation, flags, list_sort(list_transform(resources, lambda r: r.uid)) FROM events"
    )
    assert (operation, ids) == ("StopInstances", ["i-0aa", "i-0bb"])
    assert "repaired" in flags
    assert query(lake, "SELECT flags, rejected, difference FROM ledger") == [(["repaired"], 0, repair.difference)]
    assert query(lake, "SELECT count(*) FROM rejects") == [(0,)]
    assert counts(ingest(lake, [str(tmp_path / "paste.txt")], repair=True)) == (1, 0, 1, 0)


def test_the_printed_sample_of_the_method_is_one_event_with_both_instances(
    shared_data: Path, tmp_path: Path, lake: Lake
) -> None:
    article = shared_data.parent / "mission" / "article.txt"
    if not article.is_file():
        pytest.skip(f"the article is not at {article}")
    lines = [line for line in article.read_text("utf-8").splitlines() if line.startswith("{“Records”")]
    (tmp_path / "paste").write_text(lines[0], "utf-8")
    assert counts(ingest(lake, [str(tmp_path / "paste")], repair=True)) == (1, 1, 0, 0)
    rows = query(lake, "SELECT api.operation, list_sort(list_transform(resources, lambda r: r.uid)) FROM events")
    assert rows == [("TerminateInstances", ["i-2oc7w12", "i-eob7w13"])]


def test_repair_leaves_whole_files_alone(tmp_path: Path, lake: Lake) -> None:
    padded = record(1, userAgent=" curl ")
    source = log_file(tmp_path / "a.json", [padded])
    (tmp_path / "README").write_text("Nothing {to see} here: [1, 2,]")
    report = ingest(lake, [str(source), str(tmp_path / "README")], repair=True)
    assert counts(report) == (2, 1, 0, 1)
    assert report.repaired == []
    assert query(lake, "SELECT flags, http_request.user_agent FROM events") == [([], " curl ")]


def test_batches_are_bounded_and_their_size_makes_no_difference(
    tmp_path: Path, lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    records = [record(n % 150) if n % 7 else "17" for n in range(200)]
    source = str(log_file(tmp_path / "a.json.gz", records))
    whole = ingest(lake, [source])
    monkeypatch.setattr(batch, "FULL_RECORDS", 13)
    sizes: list[int] = []
    other = Lake.create(tmp_path / "other")
    parts = ingest(other, [source], progress=lambda done, total, events: sizes.append(events))
    assert counts(parts) == counts(whole)
    assert sizes[0] == 0, "how much there is to read is told before any of it is read"
    assert [b - a for a, b in pairwise(sizes)] == [13] * 15 + [5]
    for table in (
        "SELECT * FROM events ORDER BY source_index",
        "SELECT * FROM rejects ORDER BY index",
        "SELECT * EXCLUDE ingested_at FROM ledger ORDER BY name",
    ):
        assert query(other, table) == query(lake, table)


def test_progress_reaches_the_end(tmp_path: Path, lake: Lake) -> None:
    for number in range(3):
        log_file(tmp_path / f"logs/{number}.json", [record(number)])
    seen: list[tuple[int, int, int]] = []
    report = ingest(lake, [str(tmp_path / "logs")], progress=lambda *now: seen.append(now))
    assert seen[-1] == (report.bytes, report.bytes, 3)


def test_emulated_attacks_come_in_completely(shared_data: Path, lake: Lake) -> None:
    folder = shared_data / "stratus"
    records = [one for path in folder.glob("*.json") for one in json.loads(path.read_text("utf-8"))]
    first = ingest(lake, [str(folder)])
    assert first.events == len({one["eventID"] for one in records})
    assert first.events + first.duplicates == len(records) == 310
    assert first.reasons == {"not_json": 3}  # the licence, the notice and the README beside them
    assert counts(ingest(lake, [str(folder)])) == (first.seen, 0, 310, 3)
    by_uid = {one["eventID"]: one for one in records}
    for uid, raw in query(lake, "SELECT metadata.uid, raw_data FROM events"):
        assert json.loads(raw) == by_uid[uid]


def test_a_lake_that_is_gone_is_an_error_of_its_own(tmp_path: Path, lake: Lake) -> None:
    source = str(log_file(tmp_path / "a.json", [record(1)]))
    ingest(lake, [source])
    for path in (lake.root / "events" / "_delta_log").iterdir():
        path.write_text("garbage")
    with pytest.raises(WorkspaceError, match="table events cannot be read"):
        ingest(Lake(lake.root), [source])
