"""Cases that are run together tell what each tells by itself."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from trailhound import catalog
from trailhound.detections import proof
from trailhound.detections.collection import PROOF
from trailhound.detections.detect import Detected
from trailhound.detections.proof import prove
from trailhound.engines.duckdb import DuckDB

FILES = [file for file in catalog.find(catalog.PACKS / "rules") if not file.name.endswith(PROOF)]
# Those with windows, which cases could share, and some of the others.
CHOSEN = [
    f for number, f in enumerate(FILES) if number % 12 == 0 or (number % 3 == 0 and "\ncorrelation:" in f.read_text())
]

RULE = """
title: many
name: many
id: 00000000-0000-0000-0000-0000000000a1
correlation: {type: event_count, rules: [one], group-by: [userIdentity.arn], timespan: 30d, condition: {gte: 3}}
---
title: one
name: one
id: 00000000-0000-0000-0000-0000000000a2
logsource: {product: aws, service: cloudtrail}
detection: {selection: {eventName: DeleteBucket%s}, condition: selection}
trailhound: {episode: 20d}
"""
CASES = """
rule: %s
fires:
%s
silent:
%s
"""
TWO = "- {name: two, events: [{repeat: {times: 2, every: 9d}, record: {eventSource: s3.amazonaws.com, eventName: DeleteBucket}}]}"


def written(folder: Path, rule: str, *, extra: str = "", times: int = 4) -> Path:
    """A rule over windows of a month, and cases that would make one finding if they met."""
    file = folder / "rule.yml"
    file.write_text(RULE % extra, "utf-8")
    three = TWO.replace("two", "three").replace("times: 2", "times: 3")
    silent = "\n".join([TWO] * times)
    file.with_name("rule" + PROOF).write_text(CASES % (rule, three, silent), "utf-8")
    return file


def runs(monkeypatch: pytest.MonkeyPatch, file: Path, *, together: bool) -> tuple[list[Detected], int]:
    """What was found in each case, and how many times rules were run for it."""
    found: list[Detected] = []
    count = 0
    with monkeypatch.context() as patched:
        find, run = proof._found, proof._in_one_log

        def noting(*given):
            found.extend(find(*given))
            return found

        def counting(*given):
            nonlocal count
            count += 1
            return run(*given)

        patched.setattr(proof, "_found", noting)
        patched.setattr(proof, "_in_one_log", counting)
        if not together:
            patched.setattr(proof, "_blind_to_others", lambda _: False)
        engine = DuckDB(threads=1)
        prove(file, engine)
        engine.close()
    return found, count


def bare(found: list[Detected]) -> list[list]:
    """But for the time, to which together they were moved, and the skew of who stood behind, which is not asked."""
    return [
        [msgspec.structs.replace(one, first_seen_time=0, last_seen_time=0) for one in each.findings] for each in found
    ]


@pytest.mark.parametrize("path", CHOSEN, ids=lambda path: path.stem)
def test_together_is_as_one_by_one(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    together, _ = runs(monkeypatch, path, together=True)
    alone, _ = runs(monkeypatch, path, together=False)
    assert bare(together) == bare(alone)
    assert [each.skipped for each in together] == [each.skipped for each in alone]


def test_cases_are_further_apart_than_the_rule_sees(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = written(tmp_path, "many")
    assert [result.passed for result in prove(file)] == [True] * 5
    assert runs(monkeypatch, file, together=True)[1] == 1
    assert [result.passed for result in prove(written(tmp_path, "one"))] == [True, False, False, False, False]


@pytest.mark.parametrize(
    "extra",
    [", eventTime|month: 11", ", eventTime|exists: true", ", origin_uid|contains: alice", ", session|exists: false"],
)
def test_what_sees_the_clock_or_others_is_run_by_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, extra: str
) -> None:
    file = written(tmp_path, "one", extra=extra)
    found, count = runs(monkeypatch, file, together=True)
    assert count == 5
    assert all(each.findings for each in found)


def test_a_case_that_is_no_event_is_told_beside_the_others(tmp_path: Path) -> None:
    file = written(tmp_path, "many")
    path = file.with_name("rule" + PROOF)
    path.write_text(path.read_text().replace("silent:", "silent:\n- {name: odd, events: [{eventName: ''}]}"), "utf-8")
    results = prove(file)
    assert [result.passed for result in results] == [True, False, True, True, True, True]
    assert "not an event" in results[1].detail
