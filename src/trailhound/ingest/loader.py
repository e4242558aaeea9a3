"""Files → objects → records → batches. One loader belongs to one process."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import chain

from trailhound import containers
from trailhound.containers.found import Broken, Found, Partial
from trailhound.containers.repair import LIMIT, Repaired, padded, repair
from trailhound.containers.scan import RECORD_LIMIT
from trailhound.ingest.batch import Batch, Source
from trailhound.ingest.report import IngestReport, Repair
from trailhound.ingest.writer import Writer
from trailhound.lake.lake import Lake
from trailhound.model import Record, Reject
from trailhound.sources.archives import Object, objects
from trailhound.sources.path import File, Unreadable

_WHOLE = ("empty", "unknown", "pasted")  # containers whose one reject speaks of the object as a whole
_UID_BYTES = 16


class Loader:
    """Reads what it is given into `lake`; `report` is called with what each batch came to.

    With `mend`, a text from which no record can be read is repaired if it can be, and its events flagged.
    """

    def __init__(self, lake: Lake, report: Callable[[IngestReport], None], *, mend: bool = False) -> None:
        self._writer = Writer(lake)
        self._whole = _WholeObjects(lake)
        self._report = report
        self._mend = mend
        self._batch = Batch()

    def load(self, item: File | Unreadable) -> None:
        """Read one file, or count what could not be read."""
        if isinstance(item, Unreadable):
            self._unreadable(item)
            return
        left = item.size  # bytes of the file not yet reported as read
        for found in objects(item):
            if isinstance(found, Unreadable):
                self._unreadable(found)
            else:
                left -= self._object(found, left)
        self._batch.bytes += left

    def end_of_folder(self) -> None:
        if self._batch.enough:
            self._flush()

    def close(self) -> None:
        self._flush()

    def _unreadable(self, item: Unreadable) -> None:
        source = self._begin(Source.of(item.name))
        self._reject(source, -1, item.reason, item.detail)
        self._batch.finished.append(source)

    def _object(self, found: Object, size: int) -> int:
        """Read one object; returns how many of at most `size` bytes were reported with batches it filled."""
        source = Source.of(found.name, found.size, found.sha256)
        if source.uid in self._whole:
            self._batch.files += 1
            self._batch.known.append(source.uid)
            return 0
        self._begin(source)
        source.container, items = self._open(found, source)
        flags = ("repaired",) if source.difference else ()
        pending: Broken | None = None  # the last one: damage of the object may explain it
        reported = index = 0
        for item in items:
            if pending:
                self._broken(source, index, pending)
                index, pending = index + 1, None
            own_flags = flags
            if isinstance(item, Partial):
                item, own_flags = item.raw, flags + item.flags  # noqa: PLW2901 - the record in it
            if isinstance(item, Broken):
                pending = item
            elif len(item) > RECORD_LIMIT:
                pending = Broken(None, "record_too_large", f"{len(item)} bytes; at most {RECORD_LIMIT} are read")
            else:
                self._batch.add(Record(item, source.uid, index, own_flags))
                index += 1
            if self._batch.full:
                self._batch.bytes += min(found.consumed, size) - reported
                reported = min(found.consumed, size)
                self._flush(source)
        self._end(source, index, pending, found)
        return reported

    def _begin(self, source: Source) -> Source:
        if source.uid in self._batch.sources:  # named twice: what it left must be in the lake to be found again
            self._flush()
        self._batch.files += 1
        self._batch.sources[source.uid] = source
        return source

    def _end(self, source: Source, index: int, pending: Broken | None, found: Object) -> None:
        damage = found.damage
        if damage:
            source.flags += ("damaged",)
        if damage and pending and pending.reason in ("truncated", "empty"):
            pending = pending._replace(reason=damage.reason, detail=f"{damage.detail}: {pending.detail}")
            damage = None
        if pending:
            self._broken(source, -1 if source.container in _WHOLE else index, pending)
        if damage:
            self._reject(source, -1, damage.reason, damage.detail)
        self._batch.finished.append(source)

    def _open(self, found: Object, source: Source) -> tuple[str, Iterator[Found]]:
        if not self._mend:
            return containers.read(found.text())
        pieces = found.text()
        text = next(pieces, b"")
        rest = next(pieces, None)
        if rest is not None or len(text) > LIMIT:
            return containers.read(chain((text, rest or b""), pieces))
        container, items = containers.read(iter((text,)))
        items = list(items)
        if padded(text) or not any(
            isinstance(item, Partial) or (isinstance(item, bytes) and b'"eventName"' in item) for item in items
        ):
            mended = repair(text)
            if mended:
                self._note(mended, source)
                return containers.read(iter((mended.text,)))
        return container, iter(items)

    def _note(self, mended: Repaired, source: Source) -> None:
        source.flags = ("repaired",)
        source.difference = mended.difference
        self._batch.repaired.append(Repair(source.name, mended.steps, mended.difference))

    def _broken(self, source: Source, index: int, broken: Broken) -> None:
        where = "" if broken.position is None else f" (from byte {broken.position})"
        self._reject(source, index, broken.reason, broken.detail + where, broken.excerpt)

    def _reject(self, source: Source, index: int, reason: str, detail: str, excerpt: str = "") -> None:
        self._batch.rejects.append(Reject(source.uid, index, reason, detail, excerpt))

    def _flush(self, unfinished: Source | None = None) -> None:
        batch, self._batch = self._batch, Batch()
        if batch.files or batch.records or batch.rejects or batch.finished:
            self._report(self._writer.write(batch))
        if unfinished:
            self._batch.sources[unfinished.uid] = unfinished
            self._batch.continued.add(unfinished.uid)


class _WholeObjects:
    """Objects of which every record is in the lake; 16 bytes each, since there may be millions.

    Those with rejects are not among them: what could not be read then may be readable now.
    """

    def __init__(self, lake: Lake) -> None:
        (row,) = lake.query("ledger", "SELECT string_agg(uid, '' ORDER BY uid) AS uids FROM ledger WHERE rejected = 0")
        self._uids = bytes.fromhex(row["uids"] or "")

    def __contains__(self, uid: str) -> bool:
        wanted = bytes.fromhex(uid)
        low, high = 0, len(self._uids) // _UID_BYTES
        while low < high:
            middle = (low + high) // 2
            if self._uids[middle * _UID_BYTES : (middle + 1) * _UID_BYTES] < wanted:
                low = middle + 1
            else:
                high = middle
        return self._uids[low * _UID_BYTES : (low + 1) * _UID_BYTES] == wanted
