"""One row per eventID: which events of a batch are new, which are copies, which contradict another.

A copy is a record whose JSON says the same, whatever its blanks and the order of its keys. Two records
with one eventID that say different things are both kept, and both flagged: one of them was changed. A
record put together from less (`partial`) says nothing new of an event that is there, and makes way for the
record itself when that comes later.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import arro3.core as ac
import msgspec

from trailhound.containers.rows import PARTIAL
from trailhound.engines.dialect import literal
from trailhound.lake.lake import Lake

CONFLICT = "conflict"

_READ = "read_parquet([{files}], hive_partitioning = true, hive_types = {{'event_day': VARCHAR}})"


class Place(NamedTuple):
    """Where a row of the lake came from, and the day on which it lies."""

    day: str
    source_uid: str
    source_index: int


class Verdicts(msgspec.Struct):
    """Rows of a batch, by number."""

    new: list[int]
    duplicates: list[int] = []
    own: list[int] = []  # written from this very place before: by an ingest that was interrupted, or is repeated
    conflicts: list[int] = []  # of the new ones
    stored_conflicts: dict[str, set[str]] = {}  # day → uids of rows in the lake that the conflicts contradict
    superseded: list[Place] = []  # partial rows in the lake, of which the record itself has come


class _Stored(NamedTuple):
    day: str
    source_uid: str
    source_index: int
    raw: str
    row: int  # in the batch; -1 when it is in the lake
    flagged: bool = False
    partial: bool = False


class Index:
    """The eventIDs in the lake, as hashes in memory: 8 bytes each, and right by a look at the rows themselves."""

    def __init__(self, lake: Lake) -> None:
        self._lake = lake
        self._engine = lake.engine
        self._engine.execute("CREATE OR REPLACE TABLE seen (hash UBIGINT)")
        self._indexed: set[str] = set()
        self._files: list[str] = []
        with lake.lock():
            self.refresh()

    def refresh(self) -> None:
        """Take in what was written since, by whomever; to be called under the lake's lock."""
        self._files = self._lake.files("events")
        if new := [path for path in self._files if path not in self._indexed]:
            self._engine.execute(f"INSERT INTO seen SELECT hash(metadata.uid) FROM {_parquet(new)}")
            self._indexed.update(new)

    def judge(self, columns: Mapping[str, Sequence[Any]]) -> Verdicts:
        """Verdicts on a batch; `refresh` first, and keep the lake's lock until the batch is written."""
        uids, days = columns["metadata.uid"], columns["event_day"]
        suspects = self._seen(uids)
        if len(set(uids)) < len(uids):
            suspects |= {uid for uid, count in Counter(uids).items() if count > 1}
        if not suspects:
            return Verdicts(new=list(range(len(uids))))
        stored = self._stored(suspects, set(days))
        verdicts = Verdicts(new=[])
        partial = [PARTIAL in flags for flags in columns["flags"]]
        for row in sorted(range(len(uids)), key=partial.__getitem__):
            uid = uids[row]
            if uid not in suspects:
                verdicts.new.append(row)
                continue
            place = columns["source_uid"][row], columns["source_index"][row]
            others = stored.setdefault(uid, [])
            if partial[row] and others and not any((one.source_uid, one.source_index) == place for one in others):
                verdicts.duplicates.append(row)
                continue
            if not partial[row]:
                verdicts.superseded += [
                    Place(one.day, one.source_uid, one.source_index) for one in others if one.partial
                ]
                others[:] = [one for one in others if not one.partial]
            this = _Stored(days[row], *place, columns["raw_data"][row], row, partial=partial[row])
            _compare(this, others, uid, verdicts)
        return verdicts

    def _seen(self, uids: Sequence[str]) -> set[str]:
        if not self._files:
            return set()
        self._engine.mount_arrow("batch", _column("uid", uids))
        rows = self._engine.query("SELECT DISTINCT uid FROM batch JOIN seen ON seen.hash = hash(batch.uid)")
        return {row["uid"] for row in rows}

    def _stored(self, uids: set[str], days: set[str]) -> dict[str, list[_Stored]]:
        """Rows of the lake by eventID: looked for on the days of the batch, where copies are, then everywhere."""
        stored: dict[str, list[_Stored]] = {}
        near = [path for path in self._files if any(f"event_day={day}/" in path for day in days)]
        for files in (near, self._files):
            wanted = [uid for uid in uids if uid not in stored]
            if not (wanted and files):
                continue
            self._engine.mount_arrow("wanted", _column("uid", wanted))
            rows = self._engine.query(
                "SELECT metadata.uid AS uid, event_day, source_uid, source_index, raw_data, "
                f"list_contains(flags, {literal(CONFLICT)}) AS flagged, list_contains(flags, {literal(PARTIAL)}) AS partial "
                f"FROM {_parquet(files)} "
                "SEMI JOIN wanted ON metadata.uid = wanted.uid"
            )
            for row in rows:
                uid = row.pop("uid")
                stored.setdefault(uid, []).append(_Stored(row.pop("event_day"), raw=row.pop("raw_data"), row=-1, **row))
        return stored


def _compare(this: _Stored, others: list[_Stored], uid: str, verdicts: Verdicts) -> None:
    """Judge one row by those that have its eventID; it becomes one of them when it is new."""
    equal = next((other for other in others if same(this.raw, other.raw)), None)
    if equal is None:
        verdicts.new.append(this.row)
    elif (equal.source_uid, equal.source_index) == (this.source_uid, this.source_index):
        verdicts.own.append(this.row)
    else:
        verdicts.duplicates.append(this.row)
        return
    contradicted = [other for other in others if other is not equal]
    for other in contradicted:
        if other.row >= 0:
            verdicts.conflicts.append(other.row)
        elif not other.flagged:
            verdicts.stored_conflicts.setdefault(other.day, set()).add(uid)
    if equal is None:
        if contradicted:
            verdicts.conflicts.append(this.row)
        others.append(this)


def same(one: str, other: str) -> bool:
    """Whether two JSON texts say the same; numbers are compared as written, keys in any order."""
    if one == other:
        return True
    try:
        return _parsed(one) == _parsed(other)
    except (ValueError, RecursionError):
        return False


def _parsed(text: str) -> Any:
    # A repeated key says something twice: no object type that keeps one of them would do.
    return json.loads(
        text,
        object_pairs_hook=lambda pairs: ("object", sorted(pairs, key=lambda pair: pair[0])),
        parse_int=lambda number: ("number", number),
        parse_float=lambda number: ("number", number),
    )


def _column(name: str, values: Sequence[str]) -> ac.Table:
    return ac.Table.from_pydict({name: ac.Array(values, type=ac.DataType.string())})


def _parquet(files: Sequence[str]) -> str:
    return _READ.format(files=", ".join(map(literal, files)))
