"""What people decided about findings: an append-only journal, the latest entry counts."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple, TypeVar

import msgspec

from trailhound.database import FILE, opened
from trailhound.errors import RequestError
from trailhound.lake import times
from trailhound.model import Finding, Incident

_TABLE = """CREATE TABLE IF NOT EXISTS decisions (
  finding_uid TEXT NOT NULL, status TEXT NOT NULL, because TEXT NOT NULL, until TEXT, decided_at TEXT NOT NULL,
  events INTEGER, last_seen_time INTEGER)"""
# Of the finding as it was decided on; journals of before it was asked have no such columns.
_LATER = ("events", "last_seen_time")


class _Entry(NamedTuple):
    finding_uid: str
    status: str
    because: str
    until: str | None
    decided_at: str
    events: int | None
    last_seen_time: int | None

    def outgrown(self, finding: Finding) -> bool:
        """Does the finding hold what it did not when this was decided?"""
        if self.events is None or self.last_seen_time is None:
            return False
        return len(finding.event_uids) > self.events or finding.last_seen_time > self.last_seen_time


_COLUMNS = _Entry._fields


class Decisions:
    """The journal of one workspace, in its `trailhound.db`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def record(self, finding: Finding, status: str, because: str, until: str | None = None) -> None:
        """Add an entry; a reason is asked for, because in a year nobody remembers it."""
        if not because.strip():
            raise RequestError("a reason is needed", next_step='add --because "..."')
        now = datetime.now(UTC).isoformat(timespec="seconds")
        row = (finding.uid, status, because, until, now, len(finding.event_uids), finding.last_seen_time)
        with self._opened() as database:
            database.execute(f"INSERT INTO decisions ({', '.join(_COLUMNS)}) VALUES (?, ?, ?, ?, ?, ?, ?)", row)

    def applied(self, findings: Iterable[Finding], today: str = "") -> list[Finding]:
        """The findings with their latest status.

        A suppression ends with its last day, and holds for a finding however it grows. What is closed is closed as
        it was: a finding with events that it did not have then is open again.
        """
        today = today or datetime.now(UTC).strftime("%Y-%m-%d")
        latest: dict[str, _Entry] = {}
        if (self._folder / FILE).exists():
            with self._opened() as database:
                rows = database.execute(f"SELECT {', '.join(_COLUMNS)} FROM decisions ORDER BY rowid")
                latest = {row[0]: _Entry(*row) for row in rows}
        return [_with(finding, *_status(finding, latest.get(finding.uid), today)) for finding in findings]

    @contextmanager
    def _opened(self) -> Iterator[sqlite3.Connection]:
        with opened(self._folder, _TABLE, "the journal of decisions") as database:
            known = {row[1] for row in database.execute("PRAGMA table_info(decisions)")}
            for column in _LATER:
                if column not in known:
                    database.execute(f"ALTER TABLE decisions ADD COLUMN {column} INTEGER")
            yield database


_Named = TypeVar("_Named", bound=Finding | Incident)


def by_uid(findings: Sequence[_Named], uid: str) -> _Named:
    """The one whose uid begins so. Raises RequestError when there is none, or several."""
    fitting = [finding for finding in findings if finding.uid.startswith(uid)]
    if len(fitting) == 1 and uid:
        return fitting[0]
    listing = "`trailhound findings` lists them with their uids"
    if not findings:
        cause = "`detect` has not been run since the ingest"
        raise RequestError("no findings are stored", causes=(cause,), next_step="run `trailhound detect`")
    if not uid:
        cause = "a variable of the shell that is not set"
        raise RequestError("no uid of a finding is given", causes=(cause,), next_step=listing)
    if fitting:
        named = ", ".join(finding.uid[:12] for finding in fitting[:5])
        and_so_on = f" and {len(fitting) - 5:,} more" if len(fitting) > 5 else ""
        what = f"{len(fitting)} findings have a uid that begins with {uid!r}"
        raise RequestError(what, next_step=f"write more of it: {named}{and_so_on}")
    causes = ("a misspelt uid", "a finding of another workspace", "`detect` has not been run since the last ingest")
    raise RequestError(f"there is no finding {uid!r}", causes=causes, next_step=listing)


def check_until(until: str) -> None:
    """Raises QueryError when it is no time, RequestError when it has passed."""
    if times.interval(until).end <= times.milliseconds(datetime.now(UTC)):
        raise RequestError(
            f"{until} has passed: the finding would not be suppressed",
            next_step="name a day to come, or leave out --until to suppress it for good",
        )


def _status(finding: Finding, entry: _Entry | None, today: str) -> tuple[str, str]:
    if entry is None or (entry.until and entry.until < today):
        return "new", ""
    if entry.status == "closed" and entry.outgrown(finding):
        more = len(finding.event_uids) - (entry.events or 0)
        grown = f"has grown since by {more:,} event{'s'[: more > 1]}" if more > 0 else "has gone on since"
        return "new", f"it was closed on {entry.decided_at[:10]} and {grown}; it was closed because: {entry.because}"
    return entry.status, entry.because


def _with(finding: Finding, status: str, because: str) -> Finding:
    return msgspec.structs.replace(finding, status=status, status_reason=because)
