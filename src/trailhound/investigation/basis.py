"""Which objects of the ledger an answer stood on, and what is proven of them: from a sentence to a file."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from trailhound.engines.duckdb import DuckDB
from trailhound.ingest import proofs
from trailhound.investigation.scope import NO_ACCOUNT
from trailhound.lake import times
from trailhound.model import Basis, Integrity, Source

MOST_SOURCES = 20

# One look at the events for all answers of a scope: which objects hold events of its accounts.
_OBJECTS = f"""
CREATE OR REPLACE TEMP TABLE ledger_objects AS
SELECT l.uid, l.events, l.duplicates, l.rejected, l.first_time, l.last_time, o.source_uid IS NOT NULL AS own,
  coalesce(s.state, 'unchecked') AS state
FROM ledger l LEFT JOIN object_states s ON s.uid = l.uid LEFT JOIN (SELECT DISTINCT source_uid FROM events
  WHERE list_contains($accounts, coalesce(nullif(cloud.account.uid, ''), '{NO_ACCOUNT}'))) o ON o.source_uid = l.uid
"""
_COUNTS = ", ".join(
    f"CAST(coalesce(sum({name}), 0) AS BIGINT) AS {name}" for name in ("events", "duplicates", "rejected")
)
_STATES = ", ".join(f"count(*) FILTER (state = '{state}') AS {state}" for state in Integrity.__struct_fields__)
_SPAN = f"""
SELECT count(*) AS objects, {_COUNTS}, {_STATES} FROM ledger_objects
WHERE own AND first_time <= $until AND last_time >= $since
"""
# Digests are no records that were lost.
_UNPLACED = """
SELECT CAST(coalesce(sum(rejected), 0) AS BIGINT) AS n FROM ledger WHERE events = 0 AND container <> 'digest'
"""
_ROWS = """
SELECT l.uid, l.name, l.sha256, o.state AS integrity FROM ledger l JOIN ledger_objects o ON o.uid = l.uid
WHERE l.uid IN (SELECT unnest($uids))
"""
_DAYS = f"""
SELECT DISTINCT unnest(range(first_time // {times.DAY}, last_time // {times.DAY} + 1)) AS day FROM ledger_objects
WHERE uid IN (SELECT unnest($uids)) ORDER BY day
"""
_BROKEN = """
SELECT l.uid, l.name, o.own, l.first_time, l.last_time FROM ledger l JOIN ledger_objects o ON o.uid = l.uid
WHERE o.state = 'broken' ORDER BY l.name, l.uid
"""

Places = Mapping[str, frozenset[str]]
"""Event uid → ledger rows in which a record of it stands; more than one when two records contradict each other."""


class BrokenObject(NamedTuple):
    """An object that is proven not to be what was delivered."""

    uid: str
    name: str
    own: bool  # whether it holds events of the scope's accounts
    first_time: int | None
    last_time: int | None


class Ledger:
    """The objects that were ingested, as one scope sees them."""

    def __init__(self, engine: DuckDB, accounts: Sequence[str]) -> None:
        self.accounts = tuple(accounts)
        self._engine = engine
        proofs.mount_object_states(engine)
        engine.execute(_OBJECTS, {"accounts": list(accounts)})
        self.broken = {row["uid"]: BrokenObject(**row) for row in engine.query(_BROKEN)}
        (unplaced,) = engine.query(_UNPLACED)
        self._unplaced: int = unplaced["n"]
        self._spans: dict[tuple[int, int], dict[str, Any]] = {}
        self._rows: dict[str, dict[str, Any]] = {}
        self.places: dict[str, frozenset[str]] = {}  # of events that were asked about, whatever the scope

    def days(self, places: Iterable[str]) -> list[str]:
        """UTC days of which these objects hold events, by their first and their last."""
        rows = self._engine.query(_DAYS, {"uids": sorted(places)})
        return [times.day(row["day"] * times.DAY) for row in rows]

    def basis(self, since: int, until: int, cited: Sequence[str], places: Places, *, shown: int) -> Basis:
        """Of an answer that looked from `since` to `until` and cites these events, of which it shows the first ones."""
        span = self._span(since, until)
        held: dict[str, list[str]] = {}
        for uid in cited:
            for place in sorted(places[uid]):
                held.setdefault(place, []).append(uid)
        ranked = sorted(held, key=lambda place: (place not in self.broken, -len(held[place]), place))[:MOST_SOURCES]
        visible = set(cited[:shown])
        self.read(ranked)
        return Basis(
            accounts=self.accounts,
            since=since,
            until=until,
            unplaced=self._unplaced,
            sources=tuple(
                Source(**self._rows[place], evidence=tuple(uid for uid in held[place] if uid in visible))
                for place in ranked
            ),
            sources_count=len(held),
            **span,
        )

    def in_broken(self, cited: Sequence[str], places: Places) -> tuple[list[str], list[BrokenObject]]:
        """Which of the cited events stand in broken objects, and in which."""
        if not self.broken:
            return [], []
        events = [uid for uid in cited if not places[uid].isdisjoint(self.broken)]
        objects = {place for uid in events for place in places[uid]}
        return events, [one for uid, one in self.broken.items() if uid in objects]

    def _span(self, since: int, until: int) -> dict[str, Any]:
        if (since, until) not in self._spans:
            (row,) = self._engine.query(_SPAN, {"since": since, "until": until})
            states = Integrity(**{state: row.pop(state) for state in Integrity.__struct_fields__})
            self._spans[since, until] = {**row, "integrity": states}
        return self._spans[since, until]

    def read(self, places: Iterable[str]) -> None:
        """Have these rows at hand: many at once cost what one does."""
        if unknown := sorted({place for place in places if place not in self._rows}):
            nameless = {"name": "", "sha256": "", "integrity": "unchecked"}
            self._rows |= {uid: {"uid": uid, **nameless} for uid in unknown}
            self._rows |= {row["uid"]: row for row in self._engine.query(_ROWS, {"uids": unknown})}
