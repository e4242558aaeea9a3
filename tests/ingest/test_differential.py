"""A plain, slow, obvious reader of the same files counts the same; damage of any kind changes no sum."""

from __future__ import annotations

import gzip
import json
import random
import zipfile
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.ingest.logs import Json, log_file, query, record

from trailhound.ingest.ingest import ingest
from trailhound.lake.lake import Lake

INSIGHT = {
    "eventVersion": "1.08", "eventTime": "2024-05-01T00:00:00Z", "eventID": "insight", "eventType": "AwsCloudTrailInsight",
    "eventCategory": "Insight", "insightDetails": {"state": "Start", "eventName": "RunInstances"},
}  # fmt: skip
DIGEST = {"digestS3Bucket": "logs", "digestS3Object": "AWSLogs/x.json.gz", "logFiles": [], "awsAccountId": "1"}


@pytest.fixture
def mixed(tmp_path: Path) -> Path:
    """A folder as it comes: 19 % duplicates, four broken files, a digest, an Insights file, rubbish."""
    folder, rng = tmp_path / "mixed", random.Random(4)
    numbers = [*range(810), *rng.sample(range(810), 190)]
    rng.shuffle(numbers)
    texts = [json.dumps(record(n), indent=rng.choice([None, 2])) for n in numbers]
    parts = [texts[at : at + 100] for at in range(0, 1000, 100)]
    for number, part in enumerate(parts[:6]):
        log_file(folder / f"AWSLogs/2024/05/{number}.json.gz", part)
    (folder / "lines.txt").write_text("\n".join(json.dumps(json.loads(text)) for text in parts[6]))
    (folder / "array.bin").write_text("[" + ",".join(parts[7]) + "]")
    (folder / "together").write_text("".join(parts[8]))
    with zipfile.ZipFile(folder / "archive", "w") as archive:
        for number in range(4):
            archive.writestr(f"{number}.json", json.dumps({"Records": [json.loads(t) for t in parts[9][number::4]]}))
    whole = log_file(tmp_path / "whole.json.gz", [json.dumps(record(n)) for n in range(5000, 5020)]).read_bytes()
    (folder / "broken1.json.gz").write_bytes(whole[:-40])
    (folder / "broken2.json").write_bytes(gzip.decompress(whole)[:3000])
    (folder / "broken3.json").write_text(
        "\n".join([json.dumps(record(6000)), '{"eventID": ', json.dumps(record(6001))])
    )
    (folder / "broken4.json").write_text('{"Records":[{"eventName":"NoTime","eventID":"1"}]}')
    log_file(folder / "AWSLogs/Insight.json.gz", [INSIGHT])
    (folder / "AWSLogs/digest.json.gz").write_bytes(gzip.compress(json.dumps(DIGEST).encode()))
    (folder / "notes.md").write_text("# Notes\n")
    (folder / "empty.json").write_text("")
    (folder / "image.png").write_bytes(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR")
    return folder


def plainly(folder: Path) -> tuple[list[Json], Counter[str]]:
    """Every record that can be had with the standard library, and why the rest cannot: by hand, file by file."""
    found: list[Json] = []
    for path in sorted(folder.rglob("*.json.gz")):
        if path.name.startswith(("broken", "digest", "Insight")):
            continue
        found += json.loads(gzip.decompress(path.read_bytes()))["Records"]
    found += [json.loads(line) for line in (folder / "lines.txt").read_text().splitlines()]
    found += json.loads((folder / "array.bin").read_text())
    text, decoder, at = (folder / "together").read_text(), json.JSONDecoder(), 0
    while at < len(text):
        one, at = decoder.raw_decode(text, at)
        found.append(one)
    with zipfile.ZipFile(folder / "archive") as archive:
        for name in archive.namelist():
            found += json.loads(archive.read(name))["Records"]
    found += [record(5000 + n) for n in range((folder / "broken2.json").read_text().count('},{"eventVersion"'))]
    found += [record(6000), record(6001)]
    why = Counter(
        {
            "not_json": 2,
            "truncated": 2,
            "gzip_truncated": 1,
            "no_event_time": 1,
            "insight_event": 1,
            "digest": 1,
            "empty": 1,
        }
    )
    return found, why


@pytest.mark.parametrize("processes", [1, 2])
def test_a_mixed_folder_is_accounted_for(
    mixed: Path, lake: Lake, processes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("trailhound.ingest.ingest._ALONE", 0)
    report = ingest(lake, [str(mixed)], processes=processes)
    found, why = plainly(mixed)
    salvaged = query(lake, "SELECT events FROM ledger WHERE name LIKE '%broken1%'")[0][0]
    assert 0 < salvaged < 20
    distinct = {one["eventID"] for one in found}
    assert report.seen == len(found) + salvaged + why.total()
    assert report.events == len(distinct | {record(5000 + n)["eventID"] for n in range(salvaged)})
    assert report.duplicates == len(found) + salvaged - report.events
    assert Counter(report.reasons) == why
    totals = "SELECT sum(records)::INT, sum(events)::INT, sum(duplicates)::INT, sum(rejected)::INT FROM ledger"
    assert query(lake, totals) == [(report.seen, report.events, report.duplicates, report.rejected)]
    assert query(lake, "SELECT count(*), count(DISTINCT metadata.uid) FROM events") == [(report.events,) * 2]
    by_uid = {one["eventID"]: one for one in [*found, *(record(5000 + n) for n in range(20))]}
    assert all(json.loads(raw) == by_uid[uid] for uid, raw in query(lake, "SELECT metadata.uid, raw_data FROM events"))


RECORDS = [record(n) for n in range(8)]
FORMS = {
    "records": json.dumps({"Records": RECORDS}).encode(),
    "lines": "\n".join(map(json.dumps, RECORDS)).encode(),
    "array": json.dumps(RECORDS, indent=1).encode(),
    "gzip": gzip.compress(json.dumps({"Records": RECORDS}).encode(), mtime=0),
}


@given(
    form=st.sampled_from(sorted(FORMS)),
    cut=st.none() | st.integers(0, 6000),
    flips=st.lists(st.tuples(st.integers(0, 6000), st.integers(1, 255)), max_size=3),
)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_damage_never_raises_and_every_sum_holds(
    tmp_path_factory: pytest.TempPathFactory, form: str, cut: int | None, flips: list[tuple[int, int]]
) -> None:
    folder = tmp_path_factory.mktemp("damage")
    data = bytearray(FORMS[form])
    for place, change in flips:
        data[place % len(data)] ^= change
    (folder / "f").write_bytes(data[:cut])
    lake = Lake.create(folder / "lake")
    report = ingest(lake, [str(folder / "f")])
    assert report.seen == report.events + report.duplicates + report.rejected
    assert report.seen >= 1
    assert query(lake, "SELECT (SELECT count(*) FROM events), (SELECT count(*) FROM rejects)") == [
        (report.events, report.rejected)
    ]
    assert query(lake, "SELECT records, events, duplicates, rejected FROM ledger") == [
        (report.seen, report.events, report.duplicates, report.rejected)
    ]
    if not flips and cut is None:
        assert report.events == 8
