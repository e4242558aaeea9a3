"""What a decision means for a finding that grows after it."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import msgspec
import pytest
from tests.detections.test_ocsf_finding import FINDING

from trailhound.cases import FILE, Decisions

GROWN = msgspec.structs.replace(FINDING, event_uids=("e1", "e2", "e3"), count=21, last_seen_time=9)
GONE_ON = msgspec.structs.replace(FINDING, last_seen_time=9)  # of more events than a finding names


@pytest.mark.parametrize("later", [GROWN, GONE_ON])
def test_a_closed_finding_that_grows_is_open_again_and_says_what_was_decided(tmp_path: Path, later) -> None:
    journal = Decisions(tmp_path)
    journal.record(FINDING, "closed", "dealt with")
    (same, grown) = journal.applied([FINDING, later])
    assert (same.status, same.status_reason) == ("closed", "dealt with")
    assert grown.status == "new"
    assert "dealt with" in grown.status_reason
    assert ("by 1 event;" in grown.status_reason) == (later is GROWN)
    journal.record(later, "closed", "this, too")
    assert journal.applied([later])[0].status == "closed"


def test_what_is_suppressed_is_expected_however_it_grows(tmp_path: Path) -> None:
    journal = Decisions(tmp_path)
    journal.record(FINDING, "suppressed", "nightly", until="2030-01-01")
    assert journal.applied([GROWN], today="2030-01-01")[0].status == "suppressed"
    assert journal.applied([GROWN], today="2030-01-02")[0].status == "new"


def test_a_finding_that_shrinks_stays_closed(tmp_path: Path) -> None:
    journal = Decisions(tmp_path)
    journal.record(GROWN, "closed", "dealt with")
    assert journal.applied([FINDING])[0].status == "closed"


def test_a_journal_of_before_is_read_and_goes_on(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / FILE) as database:
        database.execute(
            "CREATE TABLE decisions (finding_uid TEXT NOT NULL, status TEXT NOT NULL, because TEXT NOT NULL, until TEXT, "
            "decided_at TEXT NOT NULL)"
        )
        database.execute("INSERT INTO decisions VALUES ('ab12', 'closed', 'old', NULL, '2026-01-01T00:00:00+00:00')")
    journal = Decisions(tmp_path)
    assert journal.applied([GROWN])[0].status_reason == "old", "how large it was then is not known"
    journal.record(FINDING, "closed", "new")
    assert journal.applied([FINDING, GROWN])[1].status == "new"
