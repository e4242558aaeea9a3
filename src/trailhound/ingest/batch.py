"""A batch: what one process holds between reading and writing. Its size is bounded, whatever the input."""

from __future__ import annotations

import hashlib
import re
from datetime import datetime

import msgspec

from trailhound.ingest.report import Repair
from trailhound.lake import times
from trailhound.model import Record, Reject

# Some 5 kB of memory a record while it becomes columns, Arrow and Parquet.
FULL_RECORDS = 40_000
FULL_BYTES = 32 << 20
FULL_OBJECTS = 2_000  # so that messages in a queue, which announce one each, are soon done with
# At the end of a folder a batch of this size is written though there is room: folders are mostly days,
# and a day in one file need not be put together again.
ENOUGH_RECORDS = 12_000

_DELIVERED = re.compile(r"_CloudTrail_[a-z0-9-]+_(\d{8}T\d{4})Z_")


class Source(msgspec.Struct):
    """An object on its way into the ledger; the fields are those of its row, and `partial`."""

    uid: str
    name: str
    bytes: int = 0
    sha256: str = ""
    container: str = ""
    records: int = 0
    events: int = 0
    duplicates: int = 0
    rejected: int = 0
    first_time: int | None = None
    last_time: int | None = None
    delivered_time: int | None = None
    ingested_at: int = 0
    flags: tuple[str, ...] = ()
    difference: str = ""
    etag: str = ""
    partial: bool = False  # it has such records, which make way when the records themselves come

    @classmethod
    def of(cls, name: str, size: int = 0, sha256: str = "", etag: str = "") -> Source:
        """Known by name and bytes: the same file elsewhere is another object, full of duplicates."""
        uid = hashlib.sha256(f"{sha256} {name}".encode()).hexdigest()[:32]
        return cls(uid, name, size, sha256, delivered_time=_delivered(name), etag=etag)


def _delivered(name: str) -> int | None:
    """When CloudTrail wrote the object, as its name says; to the minute. None for names of other makers."""
    written = _DELIVERED.search(name)
    if written is None:
        return None
    try:
        return times.milliseconds(datetime.fromisoformat(f"{written[1]}+00:00"))
    except ValueError:
        return None


class Batch:
    def __init__(self) -> None:
        self.records: list[Record] = []
        self.rejects: list[Reject] = []
        self.sources: dict[str, Source] = {}  # that have something in this batch
        self.continued: set[str] = set()  # those of them that had something in an earlier one, too
        self.finished: list[Source] = []
        self.known: list[str] = []  # objects met that are wholly in the lake
        self.arrived: list[str] = []  # names of inputs that end in this batch
        self.repaired: list[Repair] = []
        self.files = 0
        self.bytes = 0  # of files, read since the batch before
        self._size = 0

    def add(self, record: Record) -> None:
        self.records.append(record)
        self._size += len(record.raw)

    @property
    def full(self) -> bool:
        records = len(self.records) + len(self.rejects)
        return self._size >= FULL_BYTES or records >= FULL_RECORDS or self.files >= FULL_OBJECTS

    @property
    def enough(self) -> bool:
        return len(self.records) >= ENOUGH_RECORDS
