"""A report that is run again: what it stands on is changed, one event at a time, and just the claims that cite it fail."""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

import trailhound
from trailhound.engines.dialect import literal
from trailhound.engines.duckdb import DuckDB
from trailhound.errors import RequestError
from trailhound.investigation.replay import Replay, claims, uid_of
from trailhound.lake.lake import Lake
from trailhound.model import Investigation
from trailhound.reports import html
from trailhound.simulation.simulate import simulate


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Investigation]:
    """A workspace, and the investigation of its gravest finding."""
    folder = tmp_path_factory.mktemp("replay")
    simulate("stolen_key", folder / "logs", days=9)
    workspace = trailhound.Workspace.open(folder / "case")
    workspace.ingest([folder / "logs" / "AWSLogs"])
    return workspace.folder, workspace.investigate(workspace.detect().findings[0].uid)


@pytest.fixture
def again(report: tuple[Path, Investigation], tmp_path: Path) -> Callable[..., Replay]:
    """Runs a report again over a copy of the lake, in which one event has been replaced, or left out."""
    case, document = report

    def run(uid: str = "", column: str = "", value: str = "", *, text: str = "", suffix: str = ".json") -> Replay:
        folder = tmp_path / f"case{len(list(tmp_path.iterdir()))}"
        shutil.copytree(case, folder)
        if uid:
            _change(Lake(folder), uid, f"REPLACE ({value} AS {column})" if column else "")
        path = folder / f"report{suffix}"
        path.write_text(text or msgspec.json.encode(document).decode(), "utf-8")
        return trailhound.Workspace.open(folder).verify_report(path)

    return run


def _change(lake: Lake, uid: str, replace: str) -> None:
    engine = DuckDB()
    lake.mount(engine)
    (found,) = engine.query(f"SELECT event_day AS day FROM events WHERE metadata.uid = {literal(uid)}")
    day, this = literal(found["day"]), f"metadata.uid = {literal(uid)}"
    changed = f"UNION ALL SELECT * {replace} FROM events WHERE event_day = {day} AND {this}" if replace else ""
    rows = engine.stream(f"SELECT * FROM events WHERE event_day = {day} AND NOT {this} {changed}")
    lake.replace("events", rows, [found["day"]])


def _failed(replay: Replay) -> list[tuple[str, str]]:
    return [(claim.part, claim.text) for claim in replay.claims if claim.state != "holds"]


def test_what_was_not_touched_holds(report, again):
    found = again()
    assert found.verdict == "holds"
    assert (_failed(found), found.faults, found.remarks, found.new) == ([], (), (), ())
    assert len(found.claims) == len(list(claims(report[1]))) > 50
    assert all(one.sha256 for one in report[1].cited)


def test_another_record_fails_just_the_claims_that_cite_it(report, again):
    """Its columns stay: only what was delivered is no longer what it was."""
    _, document = report
    cited = sorted({uid for claim in claims(document) for uid in claim.evidence})
    seen = set()
    for uid in random.Random(4).sample(cited, 6):
        found = again(uid, "raw_data", "raw_data || ' '")
        assert _failed(found) == [(c.part, c.text) for c in claims(document) if uid in c.evidence]
        assert {claim.state for claim in found.claims} == {"holds", "unsupported"}
        assert all(claim.events == (uid,) for claim in found.claims if claim.state == "unsupported")
        seen.add(len(_failed(found)))
    assert len(seen) > 1


def test_an_event_that_is_gone_is_named_by_all_that_cite_it(report, again):
    _, document = report
    uid = next(uid for p in document.narrative for s in p.sentences for uid in s.evidence)
    found = again(uid)
    citing = [(c.part, c.text) for c in claims(document) if uid in c.evidence]
    assert found.verdict == "broken"
    assert set(citing) <= set(_failed(found))
    because = {c.because for c in found.claims if c.state == "unsupported"}
    assert all(f"event {uid} is not in the lake" in why for why in because)


def test_a_claim_that_would_read_otherwise_now_says_how(report, again):
    """The record is the same, but what is known of it is not: the answer changes without its evidence."""
    _, document = report
    uid = document.subject.event_uids[0]
    found = again(uid, "src_endpoint", "struct_pack(ip := '198.51.100.250', domain := src_endpoint.domain)")
    changed = [claim for claim in found.claims if claim.state == "changed"]
    assert changed
    assert all(claim.because.startswith("now: ") for claim in changed)


def test_a_report_whose_subject_is_not_in_the_lake_holds_nothing(report, tmp_path):
    simulate("quiet", tmp_path / "logs", events=300)
    other = trailhound.Workspace.open(tmp_path / "other")
    other.ingest([tmp_path / "logs" / "AWSLogs"])
    path = tmp_path / "report.json"
    path.write_bytes(msgspec.json.encode(report[1]))
    found = other.verify_report(path)
    assert found.verdict == "broken"
    assert {claim.state for claim in found.claims} <= {"unsupported", "gone"}


def test_a_report_that_was_changed_is_told(report, again):
    _, document = report
    edited = msgspec.structs.replace(document.verdict, disposition="benign")
    forged = msgspec.structs.replace(document, verdict=edited)
    found = again(text=msgspec.json.encode(forged).decode())
    assert found.verdict == "broken"
    assert "not as it was written" in found.faults[0]
    assert [part for part, _ in _failed(found)] == ["verdict"]
    signed = msgspec.structs.replace(forged, uid=uid_of(forged))  # by somebody who knows how uids are made
    assert [part for part, _ in _failed(again(text=msgspec.json.encode(signed).decode()))] == ["verdict"]


def test_a_page_carries_its_document_and_shows_nothing_else(report, again):
    _, document = report
    page = html.render(document)
    assert again(text=page, suffix=".html").verdict == "holds"
    shown = document.narrative[0].sentences[0].text[:20]
    head, body = page.split('id="narrative"', 1)
    edited = head + 'id="narrative"' + body.replace(shown[:8], "Nothing at ", 1)
    found = again(text=edited, suffix=".html")
    assert (found.verdict, _failed(found)) == ("broken", [])
    assert "changed after it was written" in found.faults[0]


@pytest.mark.parametrize("text", ["", "{}", '{"uid": 3}', "<!doctype html><p>", '{"uid":"a","subject":', "[" * 5_000])
def test_what_is_no_report_is_refused(again, text):
    with pytest.raises(RequestError, match="not a report"):
        again(text=text or " ")
