"""What a source gives, and what a source is."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from typing import Protocol

import msgspec


class File(msgspec.Struct, frozen=True, tag=True):
    """A file as named to people, and as the operating system knows it (names need not be UTF-8)."""

    name: str
    path: bytes
    size: int
    etag: str = ""  # of the object in S3 that it is a copy of


class Content(msgspec.Struct, frozen=True, tag=True):
    """Bytes already here: a page of an API's answers, or a fetched object of S3."""

    name: str
    data: bytes
    etag: str = ""

    @property
    def size(self) -> int:
        return len(self.data)


class Unreadable(msgspec.Struct, frozen=True, tag=True):
    """Something that was named or found, and cannot be read: a reject, not an error."""

    name: str
    reason: str
    detail: str


class Bucket(msgspec.Struct, frozen=True):
    name: str
    region: str
    endpoint: str  # URL
    requester_pays: bool = False


class S3Object(msgspec.Struct, frozen=True, tag=True):
    """An object to be fetched; size -1 and ETag "" where nobody has said yet."""

    bucket: Bucket
    key: str
    size: int = -1
    etag: str = ""

    @property
    def name(self) -> str:
        return f"s3://{self.bucket.name}/{self.key}"


Item = File | Content | S3Object | Unreadable


class Keys(msgspec.Struct, frozen=True):
    """Credentials that hold for ten minutes or more. They go through pipes, and nowhere else."""

    access_key: str
    secret_key: str
    token: str | None

    def __repr__(self) -> str:
        return "Keys(...)"


class Group(msgspec.Struct):
    """What a process is given at once."""

    items: list[Item]
    keys: Keys | None = None  # where there are objects to fetch


class Source(Protocol):
    """A place that logs come from, opened."""

    def __iter__(self) -> Iterator[Item]: ...

    def arrived(self, names: Sequence[str]) -> None:
        """Told, now and then, which of the items are wholly in the lake."""

    def close(self) -> None: ...


def display(path: str) -> str:
    """A name that can be printed and stored, whatever bytes it is made of."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")
