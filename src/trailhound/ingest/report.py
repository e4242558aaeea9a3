"""What an ingest did, as one object that can be added up over batches and processes."""

from __future__ import annotations

import msgspec

from trailhound.model import Reject

EXAMPLES = 20  # rejects shown with the report; all of them are in the table


class Repair(msgspec.Struct, frozen=True):
    """A text that was mended before it could be read: what was done, and each change."""

    name: str
    steps: tuple[str, ...]
    difference: str


class Example(msgspec.Struct, frozen=True):
    name: str  # of the object
    reject: Reject


class IngestReport(msgspec.Struct):
    """seen = events + duplicates + rejected, always. Times in epoch milliseconds."""

    seen: int = 0
    events: int = 0  # rows that the lake gained
    duplicates: int = 0  # records of events that were in the lake already, or twice in the input
    rejected: int = 0
    reasons: dict[str, int] = {}  # of rejection
    files: int = 0  # objects: files, and members of archives
    bytes: int = 0  # of the files as they lie
    first_time: int | None = None  # of what was read, new or not
    last_time: int | None = None
    seconds: float = 0.0
    repaired: list[Repair] = []
    examples: list[Example] = []  # of rejects

    def reject(self, name: str, reject: Reject) -> None:
        self.seen += 1
        self.rejected += 1
        self.reasons[reject.reason] = self.reasons.get(reject.reason, 0) + 1
        if len(self.examples) < EXAMPLES:
            self.examples.append(Example(name, reject))

    def span(self, first: int | None, last: int | None) -> None:
        self.first_time = min((t for t in (self.first_time, first) if t is not None), default=None)
        self.last_time = max((t for t in (self.last_time, last) if t is not None), default=None)

    def add(self, other: IngestReport) -> None:
        for field in ("seen", "events", "duplicates", "rejected", "files", "bytes"):
            setattr(self, field, getattr(self, field) + getattr(other, field))
        for reason, count in other.reasons.items():
            self.reasons[reason] = self.reasons.get(reason, 0) + count
        self.span(other.first_time, other.last_time)
        self.repaired += other.repaired
        self.examples = (self.examples + other.examples)[:EXAMPLES]
