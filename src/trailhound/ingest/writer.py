"""Batches → the lake, under its lock: events, then rejects, then the ledger rows of finished objects.

In this order, so that an object in the ledger is wholly in the lake. What an interrupted ingest left of
an object is found when it is read again, as rows from the very same place, and its ledger row comes out
as if nothing had happened.
"""

from __future__ import annotations

import gc
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import groupby
from typing import Any

import arro3.core as ac
import msgspec

from trailhound.containers.rows import PARTIAL
from trailhound.engines.dialect import listed, literal
from trailhound.ingest.batch import Batch, Source
from trailhound.ingest.duplicates import CONFLICT, Index, Place, Verdicts
from trailhound.ingest.report import IngestReport
from trailhound.lake import arrow
from trailhound.lake.lake import Lake
from trailhound.lake.tables import LEDGER, REJECTS
from trailhound.model import Reject
from trailhound.ocsf.normalize import normalize

Columns = dict[str, list[Any]]


class Writer:
    """Writes batches of one process; any number of processes may write to one lake."""

    def __init__(self, lake: Lake) -> None:
        self._lake = lake
        self._index = Index(lake)

    def write(self, batch: Batch) -> IngestReport:
        """Normalise the batch and write it. All that is slow happens before the lock is taken."""
        with _collector_off():
            return self._write(batch)

    def _write(self, batch: Batch) -> IngestReport:
        columns, refused = normalize(batch.records)
        rejects = batch.rejects + refused
        batch.records = []
        order = _sorted_rows(columns)
        table = arrow.events_table(columns)
        report = IngestReport(files=batch.files, bytes=batch.bytes, repaired=batch.repaired)
        with self._lake.lock():
            self._index.refresh()
            verdicts = self._index.judge(columns)
            self._write_events(columns, table, order, verdicts)
            self._supersede(verdicts.superseded)
            self._write_rejects(rejects, batch)
            _account(batch.sources, columns, verdicts, rejects, report)
            self._count_known(batch.known, report)
            self._write_ledger(batch.finished)
        return report

    def _write_events(self, columns: Columns, table: ac.Table, order: Sequence[int], verdicts: Verdicts) -> None:
        if verdicts.conflicts:
            for row in set(verdicts.conflicts):
                columns["flags"][row] = (*columns["flags"][row], CONFLICT)
            table = arrow.events_table(columns)
        if len(verdicts.new) < len(order):
            new = set(verdicts.new)
            order = [row for row in order if row in new]
        if order:
            (rows,) = table.combine_chunks().to_batches()
            self._lake.append("events", rows.take(ac.Array(order, type=ac.DataType.uint32())))
        for day, uids in sorted(verdicts.stored_conflicts.items()):
            self._lake.flag(day, sorted(uids), CONFLICT)

    def _supersede(self, places: Sequence[Place]) -> None:
        """Partial rows make way: what were events of their objects are duplicates now.

        The ledger first: an interrupt leaves rows that are found again, and counted as they are then.
        """
        if not places:
            return
        uids = listed(sorted({place.source_uid for place in places}))
        rows = self._lake.query("ledger", f"SELECT * FROM ledger WHERE uid IN ({uids})")
        for row in rows:
            self._recount(row, gone=sum(place.source_uid == row["uid"] for place in places))
        values = {column.path: [row[column.path] for row in rows] for column in LEDGER}
        self._lake.upsert("ledger", arrow.table(LEDGER, values), "uid")
        for day in sorted({place.day for place in places}):
            self._lake.remove(day, {(one.source_uid, one.source_index) for one in places if one.day == day})

    def _recount(self, row: dict[str, Any], gone: int = 0) -> None:
        """Events of an object by the rows that it has in the lake; the others of them were duplicates."""
        (found,) = self._lake.query(
            "events", f"SELECT count(*) AS events FROM events WHERE source_uid = {literal(row['uid'])}"
        )
        row["duplicates"] += row["events"] - (found["events"] - gone)
        row["events"] = found["events"] - gone

    def _write_rejects(self, rejects: Sequence[Reject], batch: Batch) -> None:
        """What is said of an object that is read again replaces what was said before; what is read on adds to it."""
        begun = batch.sources.keys() - batch.continued
        first = [reject for reject in rejects if reject.source_uid in begun]
        self._lake.upsert("rejects", _rejects_table(first), "source_uid", replaced=begun)
        later = [reject for reject in rejects if reject.source_uid not in begun]
        if later:
            written = self._written({reject.source_uid for reject in later})
            new = [reject for reject in later if (reject.source_uid, reject.index) not in written]
            self._lake.append("rejects", _rejects_table(new))

    def _written(self, source_uids: set[str]) -> set[tuple[str, int]]:
        """Rejects that another ingest, which reads the same objects now, has written."""
        uids = listed(sorted(source_uids))
        rows = self._lake.query("rejects", f"SELECT source_uid, index FROM rejects WHERE source_uid IN ({uids})")
        return {(row["source_uid"], row["index"]) for row in rows}

    def _count_known(self, uids: Sequence[str], report: IngestReport) -> None:
        if not uids:
            return
        (row,) = self._lake.query(
            "ledger",
            "SELECT coalesce(sum(records), 0)::BIGINT AS records, min(first_time) AS first, max(last_time) AS last "
            f"FROM ledger WHERE uid IN ({listed(uids)})",
        )
        report.seen += row["records"]
        report.duplicates += row["records"]
        report.span(row["first"], row["last"])

    def _write_ledger(self, finished: Sequence[Source]) -> None:
        if not finished:
            return
        now = time.time_ns() // 1_000_000
        unique = {source.uid: source for source in finished}
        for source in unique.values():
            source.ingested_at = now
            source.records = source.events + source.duplicates + source.rejected
        rows = [msgspec.structs.asdict(source) for source in unique.values()]
        for row in rows:
            if row["partial"]:  # rows of earlier batches may have made way since, to what another process read
                self._recount(row)
        values = {column.path: [row[column.path] for row in rows] for column in LEDGER}
        self._lake.upsert("ledger", arrow.table(LEDGER, values), "uid")


@contextmanager
def _collector_off() -> Iterator[None]:
    """A batch is a million tuples without a cycle: looking for one costs half as much as the work."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def _sorted_rows(columns: Columns) -> list[int]:
    """Rows by operation, then time; two stable sorts by one key each are quicker than one by pairs."""
    rows = sorted(range(len(columns["time"])), key=columns["time"].__getitem__)
    rows.sort(key=columns["api.operation"].__getitem__)
    return rows


def _account(
    sources: dict[str, Source], columns: Columns, verdicts: Verdicts, rejects: Sequence[Reject], report: IngestReport
) -> None:
    """Add the batch up, for each object and for the report."""
    places, times = columns["source_uid"], columns["time"]
    row = 0
    for uid, run in groupby(places):
        source, begin = sources[uid], row
        row += sum(1 for _ in run)
        span = times[begin:row]
        source.events += row - begin
        source.partial = source.partial or any(PARTIAL in flags for flags in columns["flags"][begin:row])
        source.first_time = min([*span, source.first_time or span[0]])
        source.last_time = max([*span, source.last_time or span[0]])
        report.span(source.first_time, source.last_time)
    for uid, count in Counter(places[row] for row in verdicts.duplicates).items():
        sources[uid].events -= count
        sources[uid].duplicates += count
    report.seen += len(places)
    report.events += len(verdicts.new) - len(verdicts.superseded)
    report.duplicates += len(verdicts.duplicates) + len(verdicts.own) + len(verdicts.superseded)
    for reject in rejects:
        sources[reject.source_uid].rejected += 1
        report.reject(sources[reject.source_uid].name, reject)


def _rejects_table(rejects: Sequence[Reject]) -> ac.Table:
    return arrow.table(REJECTS, {column.path: [getattr(one, column.path) for one in rejects] for column in REJECTS})
