"""Code rules: a Python function judges windows, where it was named, within its bounds, and as correlations do."""

from __future__ import annotations

import random
import re
from pathlib import Path
from typing import Any

import pytest
from tests.detections.conftest import record
from tests.detections.test_incremental import START, Growing, history

from trailhound.detections import code_rules
from trailhound.detections.detect import detect
from trailhound.detections.proof import prove
from trailhound.detections.sigma import load_rules
from trailhound.engines.duckdb import DuckDB
from trailhound.lake import times
from trailhound.lake.arrow import events_table
from trailhound.lake.times import HOUR
from trailhound.model import Record
from trailhound.ocsf.normalize import normalize

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "bring-your-own-rules.md"
RULE = """
title: deletions
name: deletions
id: 00000000-0000-0000-0000-0000000000c1
logsource: {product: aws, service: cloudtrail}
detection: {selection: {eventName: DeleteBucket}, condition: selection}
---
title: judged by code
id: 00000000-0000-0000-0000-0000000000c2
level: low
code: {file: judge.py, rules: [deletions], group-by: [userIdentity.userName], fields: [eventName, recipientAccountId], timespan: 4h}
"""
COUNTS = "def judge(rows):\n    return len(rows) if len(rows) >= 3 else 0\n"
CORRELATION = """
title: judged by counting
id: 00000000-0000-0000-0000-0000000000c2
level: low
correlation: {type: event_count, rules: [deletions], group-by: [userIdentity.userName], timespan: 4h, condition: {gte: 3}}
"""


def written(folder: Path, source: str) -> tuple[Path, Path]:
    (folder / "rule.yml").write_text(RULE)
    (folder / "judge.py").write_text(source)
    return folder / "rule.yml", folder / "judge.py"


def run(folder: Path, source: str, records: list[dict[str, Any]]) -> Any:
    rule, code = written(folder, source)
    rules = load_rules([rule], code=[code])
    assert rules.errors == ()
    engine = DuckDB(threads=1)
    batch = normalize(Record(code_rules.msgspec.json.encode(r), "s", i) for i, r in enumerate(records))
    engine.mount_arrow("events", events_table(batch.columns))
    try:
        return detect(engine, rules)
    finally:
        engine.close()


def deletions(*hours: float, **fields: Any) -> list[dict[str, Any]]:
    at = [times.text(START + int(hour * HOUR)) for hour in hours]
    return [record(n, eventName="DeleteBucket", eventTime=time, **fields) for n, time in enumerate(at)]


@pytest.mark.parametrize("seed", [0, 1, 3, 4])
def test_code_that_counts_finds_what_the_correlation_that_counts_finds(tmp_path: Path, seed: int) -> None:
    records = history(random.Random(seed), 90)
    by_code = run(tmp_path, COUNTS, records).findings
    (tmp_path / "rule.yml").write_text(RULE.partition("---")[0] + "---" + CORRELATION)
    engine = DuckDB(threads=1)
    batch = normalize(Record(code_rules.msgspec.json.encode(r), "s", i) for i, r in enumerate(records))
    engine.mount_arrow("events", events_table(batch.columns))
    by_count = detect(engine, load_rules([tmp_path / "rule.yml"])).findings
    assert by_count
    assert [(f.uid, f.event_uids, f.count) for f in by_code] == [(f.uid, f.event_uids, f.count) for f in by_count]


def test_findings_made_as_events_come_are_those_of_one_run(tmp_path: Path) -> None:
    rule, code = written(tmp_path, COUNTS)
    records = history(random.Random(7), 90)
    growing = Growing(tmp_path / "lake", load_rules([rule], code=[code]))
    for part in (records[:40], records[60:], records[40:60]):
        growing.add(part)
        growing.renew()
        assert growing.stored == growing.at_once()
    assert growing.stored


def test_another_text_of_the_code_is_another_rule(tmp_path: Path) -> None:
    rule, code = written(tmp_path, COUNTS)
    growing = Growing(tmp_path / "lake", load_rules([rule], code=[code]))
    growing.add(deletions(0, 1))
    growing.renew()
    assert growing.stored == {}
    code.write_text(COUNTS.replace("3", "2"))
    growing.rules = load_rules([rule], code=[code])
    growing.renew()
    assert len(growing.stored) == 1


def test_the_function_gets_each_window_in_order_of_time_and_its_fields_as_text(tmp_path: Path) -> None:
    source = (
        "def judge(rows):\n"
        "    assert [row['time'] for row in rows] == sorted(row['time'] for row in rows)\n"
        "    assert rows[-1]['time'] - rows[0]['time'] <= 4 * 3600 * 1000\n"
        "    assert set(rows[0]) == {'time', 'uid', 'eventName', 'recipientAccountId'}, rows[0]\n"
        "    assert rows[0]['eventName'] == 'DeleteBucket'\n"
        "    assert rows[0]['recipientAccountId'] == ['111122223333']\n"
        "    rows.clear()\n"  # what it does to its rows is nobody else's matter
        "    return 1\n"
    )
    found = run(tmp_path, source, deletions(0, 2, 4, 4.5, 9))
    assert found.skipped == ()
    assert [len(finding.event_uids) for finding in found.findings] == [4, 1]


@pytest.mark.parametrize(
    ("body", "line", "said"),
    [
        ("x = 0\n    return len(rows) / x", 3, "ZeroDivisionError"),
        ("return 'many'", 1, "how many"),
        ("return None", 1, "how many"),
        ("return float('nan')", 1, "how many"),
        ("raise SystemExit(0)", 0, "ended its process"),
        ("return judge(rows)", 2, "RecursionError"),
        ("return len(rows[99])", 2, "IndexError"),
    ],
)
def test_code_that_fails_is_a_rule_that_did_not_run(tmp_path: Path, body: str, line: int, said: str) -> None:
    found = run(tmp_path, f"def judge(rows):\n    {body}\n", deletions(0, 1))
    assert found.findings == ()
    (skipped,) = found.skipped
    assert not line or f"judge.py:{line}:" in skipped.reason
    assert said in skipped.reason


def test_code_that_does_not_end_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(code_rules, "SECONDS", 1)
    found = run(tmp_path, "def judge(rows):\n    while True:\n        pass\n", deletions(0))
    assert "longer than 1 s" in found.skipped[0].reason


def test_what_code_prints_is_no_answer(tmp_path: Path) -> None:
    found = run(tmp_path, "def judge(rows):\n    print('[[\"alice\"], 0, 99]')\n    return 0\n", deletions(0))
    assert (found.findings, found.skipped) == ((), ())


@pytest.mark.parametrize(
    "line",
    [
        "import os",
        "import time",
        "from random import random",
        "import urllib.request",
        "from . import other",
        "open('/etc/passwd')",
        "eval('1')",
        "import datetime; datetime.datetime.now()",
    ],
)
def test_what_would_depend_on_more_than_events_is_refused_with_its_line(tmp_path: Path, line: str) -> None:
    rule, code = written(tmp_path, f"import math\n{line}\n{COUNTS}")
    (error,) = load_rules([rule], code=[code]).errors
    assert "judge.py:2:" in error.what
    assert "rule.yml:" in error.where


def test_code_runs_only_where_its_file_is_named(tmp_path: Path) -> None:
    rule, code = written(tmp_path, "raise SystemError('it ran')\n")
    for allowed in ((), [tmp_path], [tmp_path / "other.py"]):
        (error,) = load_rules([tmp_path], code=allowed).errors
        assert str(code) in error.next_step
    assert [found.name for found in load_rules([rule]).rules] == ["deletions"]


@pytest.mark.parametrize(
    ("source", "said"), [("def other(rows): pass", "no function judge"), ("def judge(", "not Python")]
)
def test_code_that_is_not_there_is_told(tmp_path: Path, source: str, said: str) -> None:
    rule, code = written(tmp_path, source)
    (error,) = load_rules([rule], code=[code]).errors
    assert said in error.what
    code.unlink()
    assert "cannot be read" in load_rules([rule], code=[code]).errors[0].what


def test_the_example_of_the_documentation_passes_its_proof(tmp_path: Path) -> None:
    blocks = re.findall(r"`(regular_calls\.[a-z.]+)`:\n\n```\w+\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert len(blocks) == 3
    for name, text in blocks:
        (tmp_path / name).write_text(text)
    results = prove(tmp_path / "regular_calls.yml", code=[tmp_path / "regular_calls.py"])
    assert [result for result in results if not result.passed] == []
    assert len(results) >= 3
