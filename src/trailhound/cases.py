"""What people decided about findings: an append-only journal, the latest entry counts."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from trailhound.errors import RequestError, WorkspaceError
from trailhound.lake import times
from trailhound.model import Finding

FILE = "trailhound.db"
_TABLE = """CREATE TABLE IF NOT EXISTS decisions (
  finding_uid TEXT NOT NULL, status TEXT NOT NULL, because TEXT NOT NULL, until TEXT, decided_at TEXT NOT NULL)"""


class Decisions:
    """The journal of one workspace, in its `trailhound.db`."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / FILE

    def record(self, finding_uid: str, status: str, because: str, until: str | None = None) -> None:
        """Add an entry; a reason is asked for, because in a year nobody remembers it."""
        if not because.strip():
            raise RequestError("a reason is needed", next_step='add --because "..."')
        now = datetime.now(UTC).isoformat(timespec="seconds")
        with closing(self._open()) as database, database:
            database.execute("INSERT INTO decisions VALUES (?, ?, ?, ?, ?)", (finding_uid, status, because, until, now))

    def applied(self, findings: Iterable[Finding], today: str = "") -> list[Finding]:
        """The findings with their latest status; a suppression ends with its last day."""
        today = today or datetime.now(UTC).strftime("%Y-%m-%d")
        latest: dict[str, tuple[str, str]] = {}
        if self._path.exists():
            with closing(self._open()) as database:
                for uid, status, because, until in database.execute(
                    "SELECT finding_uid, status, because, until FROM decisions ORDER BY rowid"
                ):
                    latest[uid] = ("new", "") if until and until < today else (status, because)
        return [_with(finding, *latest.get(finding.uid, ("new", ""))) for finding in findings]

    def _open(self) -> sqlite3.Connection:
        try:
            database = sqlite3.connect(self._path)
            database.execute("PRAGMA journal_mode = WAL")
            database.execute(_TABLE)
        except sqlite3.Error as error:
            raise WorkspaceError(
                f"the journal of decisions cannot be opened: {error}",
                where=str(self._path),
                causes=("the folder is read-only", "the disk is full"),
                next_step="make the folder writable and try again",
            ) from error
        return database


def by_uid(findings: Sequence[Finding], uid: str) -> Finding:
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


def _with(finding: Finding, status: str, because: str) -> Finding:
    return msgspec.structs.replace(finding, status=status, status_reason=because)
