"""What a verification says: one frozen document, rendered by every face."""

from __future__ import annotations

from typing import Literal

import msgspec

State = Literal["verified", "broken", "unverifiable"]
Cover = Literal["verified", "broken", "unverifiable", "uncovered"]
Kind = Literal["digest", "log", "query", "query_file", "period"]


class _Frozen(msgspec.Struct, frozen=True, kw_only=True):
    pass


class Checked(_Frozen, frozen=True, kw_only=True):
    """One object, and what is proven of it. Times in epoch milliseconds."""

    kind: Kind
    state: State
    fault: str = ""  # slug, one of faults.FAULTS; "" when it is verified
    detail: str = ""  # for people: what was found
    place: str  # s3://bucket/key; where no bucket is known, as much of the key as is
    name: str = ""  # its copy here; "" when there is none
    sha256: str = ""  # of the bytes of this copy as they lie
    account_uid: str = ""
    region: str = ""
    trail: str = ""
    begin: int | None = None  # the period of the digest, or of the digest that lists the log
    end: int | None = None
    listed_in: str = ""  # place of that digest, or of the signature that names the query result
    key_fingerprint: str = ""  # of the public key that proves it
    key_provenance: str = ""


class Fault(_Frozen, frozen=True, kw_only=True):
    """What is not verified, and where."""

    fault: str
    state: State
    kind: Kind
    place: str
    name: str
    account_uid: str
    region: str
    trail: str
    begin: int | None
    end: int | None
    detail: str


class Period(_Frozen, frozen=True, kw_only=True):
    """A stretch of time of one account and Region: what its digests prove, or that there is none."""

    account_uid: str
    region: str
    begin: int
    end: int
    state: Cover
    because: str = ""  # of what is uncovered: the calls that explain it


class Start(_Frozen, frozen=True, kw_only=True):
    """A digest without a predecessor: the first one of a trail, or the first after it was switched on again."""

    account_uid: str
    region: str
    trail: str
    time: int
    place: str
    explained_by: str  # the call that switched the trail on; "" when no log here shows one


class Stop(_Frozen, frozen=True, kw_only=True):
    """Time in which a trail did not log, by its own logs."""

    account_uid: str
    region: str  # home Region of the trail
    trail: str
    begin: int
    end: int | None  # None: the logs show no end of it
    because: str


class Counts(_Frozen, frozen=True, kw_only=True):
    verified: int = 0
    broken: int = 0  # altered, moved, not readable as what it should be
    missing: int = 0  # named by another object, and not there
    unverifiable: int = 0
    unlisted: int = 0  # logs only: named by no digest; not counted among the unverifiable ones


class Place(_Frozen, frozen=True, kw_only=True):
    """One account and Region."""

    account_uid: str
    region: str
    trails: tuple[str, ...]
    digests: Counts
    logs: Counts
    covered_ms: int  # of the period asked: proven by verified digests
    keys: tuple[str, ...]  # provenance of the public keys that proved them


class KeyUsed(_Frozen, frozen=True, kw_only=True):
    fingerprint: str
    region: str
    provenance: str
    origin: str
    proved: int  # digests and query results


class Missed(_Frozen, frozen=True, kw_only=True):
    """Something in the folder that could not be read."""

    name: str
    reason: str
    detail: str


class Verification(_Frozen, frozen=True, kw_only=True):
    """Whether the logs below a path are whole."""

    verdict: State  # broken when anything is; verified only when everything is, and the whole period is covered
    because: str  # in one sentence
    path: str
    since: int | None  # the period asked; by default from the first to the last thing found
    until: int | None
    places: tuple[Place, ...]
    queries: Counts  # files of query results
    faults: tuple[Fault, ...]
    periods: tuple[Period, ...]
    starts: tuple[Start, ...]
    stops: tuple[Stop, ...]
    absent_regions: dict[str, tuple[str, ...]]  # trail of several Regions → usual Regions without any digest
    keys: tuple[KeyUsed, ...]
    key_problems: tuple[str, ...]
    unreadable: tuple[Missed, ...]
    other_files: int  # neither digests nor logs: not looked at
    files: int
    bytes: int  # as they lie
    checked_at: int
    seconds: float
