"""Items of sources → objects → records → batches. One loader belongs to one process."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from itertools import chain

from trailhound import containers
from trailhound.containers.found import Broken, Found, Partial
from trailhound.containers.repair import LIMIT, Repaired, padded, repair
from trailhound.ingest.batch import Batch, Source
from trailhound.ingest.report import IngestReport, Repair
from trailhound.ingest.writer import Writer
from trailhound.lake.lake import Lake
from trailhound.limits import limits
from trailhound.model import Record, Reject
from trailhound.sources.archives import Object, objects
from trailhound.sources.fetch import Fetcher
from trailhound.sources.items import Content, File, Group, Item, S3Object, Unreadable

_WHOLE = ("empty", "unknown", "pasted")  # containers whose one reject speaks of the object as a whole
_UID_BYTES = 16

Written = Callable[[IngestReport, Sequence[str]], None]
"""Called with what a batch came to, and the names of inputs that are now wholly in the lake."""


class Loader:
    """Reads what it is given into `lake`; `written` is called after each batch.

    With `mend`, a text from which no record can be read is repaired if it can be, and its events flagged.
    """

    def __init__(self, lake: Lake, written: Written, *, mend: bool = False) -> None:
        self._writer = Writer(lake)
        self._whole = _WholeObjects(lake)
        self._fetcher = Fetcher()
        self._written = written
        self._mend = mend
        self._batch = Batch()

    def load(self, group: Group) -> None:
        """Read a group, fetching what must be fetched and is not yet in the lake."""
        unknown = [item for item in group.items if not self._is_known(item)]
        for item in self._fetcher.fetched(unknown, group.keys):
            if isinstance(item, Unreadable):
                self._unreadable(item)
            else:
                self._load(item)
        if self._batch.enough:
            self._flush()

    def close(self) -> None:
        self._flush()

    def _is_known(self, item: Item) -> bool:
        if not isinstance(item, S3Object):
            return False
        uid = self._whole.named(item)
        if uid is None:
            return False
        self._know(uid)
        self._batch.bytes += max(item.size, 0)
        self._arrived(item.name)
        return True

    def _load(self, item: File | Content) -> None:
        """Read one file, or count what could not be read."""
        left = item.size  # bytes of the file not yet reported as read
        for found in objects(item):
            if isinstance(found, Unreadable):
                self._unreadable(found)
            else:
                left -= self._object(found, left, item.etag if found.name == item.name else "")
        self._batch.bytes += left
        self._arrived(item.name)

    def _arrived(self, name: str) -> None:
        self._batch.arrived.append(name)
        if self._batch.full:
            self._flush()

    def _know(self, uid: str) -> None:
        self._batch.files += 1
        self._batch.known.append(uid)

    def _unreadable(self, item: Unreadable) -> None:
        source = self._begin(Source.of(item.name))
        self._reject(source, -1, item.reason, item.detail)
        self._batch.finished.append(source)

    def _object(self, found: Object, size: int, etag: str) -> int:
        """Read one object; returns how many of at most `size` bytes were reported with batches it filled."""
        source = Source.of(found.name, found.size, found.sha256, etag)
        if source.uid in self._whole:
            self._know(source.uid)
            return 0
        self._begin(source)
        source.container, items = self._open(found, source)
        flags = ("repaired",) if source.difference else ()
        pending: Broken | None = None  # the last one: damage of the object may explain it
        reported = index = 0
        most = limits().record_bytes
        for item in items:
            if pending:
                self._broken(source, index, pending)
                index, pending = index + 1, None
            own_flags = flags
            if isinstance(item, Partial):
                item, own_flags = item.raw, flags + item.flags  # noqa: PLW2901 - the record in it
            if isinstance(item, Broken):
                pending = item
            elif len(item) > most:
                pending = Broken(None, "record_too_large", f"{len(item)} bytes; at most {most} are read")
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
            self._written(self._writer.write(batch), batch.arrived)
        if unfinished:
            self._batch.sources[unfinished.uid] = unfinished
            self._batch.continued.add(unfinished.uid)


class _WholeObjects:
    """Objects of which every record is in the lake; 48 bytes each, since there may be millions.

    Those with rejects are not among them: what could not be read then may be readable now.
    """

    def __init__(self, lake: Lake) -> None:
        named = "md5(name || chr(10) || etag)"
        (row,) = lake.query(
            "ledger",
            f"SELECT string_agg(uid, '' ORDER BY uid) AS uids, string_agg({named} || uid, '' ORDER BY {named}) "
            "FILTER (WHERE etag <> '') AS named FROM ledger WHERE rejected = 0",
        )
        self._uids = bytes.fromhex(row["uids"] or "")
        self._named = bytes.fromhex(row["named"] or "")

    def __contains__(self, uid: str) -> bool:
        return _found(self._uids, bytes.fromhex(uid), _UID_BYTES) is not None

    def named(self, item: S3Object) -> str | None:
        """The uid of an object with this name and ETag."""
        if not item.etag:
            return None
        key = hashlib.md5(f"{item.name}\n{item.etag}".encode(), usedforsecurity=False).digest()
        entry = _found(self._named, key, 2 * _UID_BYTES)
        return entry[_UID_BYTES:].hex() if entry else None


def _found(entries: bytes, key: bytes, width: int) -> bytes | None:
    """The entry that begins with `key`, among sorted ones of equal width."""
    low, high = 0, len(entries) // width
    while low < high:
        middle = (low + high) // 2
        if entries[middle * width : middle * width + len(key)] < key:
            low = middle + 1
        else:
            high = middle
    entry = entries[low * width : (low + 1) * width]
    return entry if entry.startswith(key) else None
