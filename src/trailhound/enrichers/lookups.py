"""What others were asked and what they said: append-only, in `trailhound.db` of the workspace.

The answer itself is kept, with its SHA-256, and read anew each time: the same answers give the same verdicts without
any network, and one that was changed since is no answer.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterable
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from trailhound.database import FILE, opened
from trailhound.enrichers import lists
from trailhound.enrichers.client import Reply
from trailhound.enrichers.providers import PROVIDERS, NotUnderstoodError, Opinion, Verdict

_COLUMNS = "provider, address, asked_time, status, problem, answer, sha256, again_time"
_TABLE = """CREATE TABLE IF NOT EXISTS lookups (
  provider TEXT NOT NULL, address TEXT NOT NULL, asked_time INTEGER NOT NULL, status INTEGER NOT NULL,
  problem TEXT NOT NULL, answer BLOB NOT NULL, sha256 TEXT NOT NULL, again_time INTEGER NOT NULL)"""
_REFUSED = {
    401: "the key was refused (401)",
    403: "the key may not ask this (403)",
    429: "too many requests (429)",
}


class LookedUp(msgspec.Struct, frozen=True):
    """One look-up as it is read now. `asked_time`, `again_time`: epoch ms; before the latter it wants no request."""

    value: str
    provider: str  # its title
    verdict: Verdict
    detail: str  # in numbers, or the reason of *could not ask*
    network: str  # "Tor", "hosting", ... if it says so
    owner: str  # of the network, if it says so
    asked_time: int
    sha256: str  # of the answer as it came
    again_time: int = 0

    @property
    def answered(self) -> bool:
        return self.verdict != "could not ask"

    @property
    def asked(self) -> str:
        """RFC 3339, in UTC."""
        return datetime.fromtimestamp(self.asked_time / 1000, UTC).isoformat(timespec="seconds")


class Lookups:
    """The stored look-ups of one workspace."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def record(self, provider: str, address: str, now: int, reply: Reply) -> LookedUp:
        """Add what was asked `now` (epoch ms), before anybody judges it."""
        digest = hashlib.sha256(reply.answer).hexdigest()
        again = now + reply.wait * 1000 if reply.wait else 0
        row = (provider, address, now, reply.status, reply.problem, reply.answer, digest, again)
        with self._opened() as database:
            database.execute(f"INSERT INTO lookups ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)", row)
        return _read(*row)

    def all(self) -> list[LookedUp]:
        """Every look-up, in the order in which they were made."""
        if not (self._folder / FILE).exists():
            return []
        with self._opened() as database:
            rows = database.execute(f"SELECT {_COLUMNS} FROM lookups ORDER BY rowid")
            return [_read(*row) for row in rows]

    def last_asked(self, provider: str) -> int:
        """When a service got the last request, in epoch ms; 0 where none went to it."""
        with self._opened() as database:
            sent = "SELECT max(asked_time) FROM lookups WHERE provider = ?"
            return database.execute(sent, (provider,)).fetchone()[0] or 0

    def _opened(self) -> AbstractContextManager[sqlite3.Connection]:
        return opened(self._folder, _TABLE, "the journal of look-ups")


def standing(found: Iterable[LookedUp]) -> list[LookedUp]:
    """What answers stand on: of each service and address the latest of each verdict, for who was bad once may be named
    clean later; that it could not be asked only where it never answered.
    """
    latest: dict[tuple[str, str, str], LookedUp] = {}
    for one in found:
        latest[one.provider, one.value, one.verdict] = one
    answered = {(one.provider, one.value) for one in latest.values() if one.answered}
    kept = [one for one in latest.values() if one.answered or (one.provider, one.value) not in answered]
    return sorted(kept, key=lambda one: (one.value, one.provider, one.verdict))


def _read(
    provider: str, address: str, asked: int, status: int, problem: str, answer: bytes, digest: str, again: int
) -> LookedUp:
    service = PROVIDERS.get(provider)
    title = service.title if service else provider
    opinion = _opinion(provider, address, status, problem, answer, digest)
    return LookedUp(
        address, title, opinion.verdict, opinion.detail, opinion.network, opinion.owner, asked, digest, again
    )


def _opinion(provider: str, address: str, status: int, problem: str, answer: bytes, digest: str) -> Opinion:
    if hashlib.sha256(answer).hexdigest() != digest:
        return Opinion("could not ask", "the stored answer is not the one that came: its SHA-256 is another")
    if problem:
        return Opinion("could not ask", problem)
    service = PROVIDERS.get(provider)
    try:
        if service is None:
            return lists.read(answer)
        if status == 404 and service.absent:
            return Opinion("unknown to them")
        if status == 200:
            return service.read(answer, address)
    except NotUnderstoodError as error:
        return Opinion("could not ask", str(error))
    if 300 <= status < 400:
        return Opinion("could not ask", f"it sends to another place ({status}), which is not followed")
    return Opinion("could not ask", _REFUSED.get(status, f"it failed ({status})"))
