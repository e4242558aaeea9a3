"""`s3://bucket/prefix`: which objects there are.

In CloudTrail's layout only those folders are listed that are asked for; anywhere else, all below the
prefix. Listing is boto3's: its keys are exact, whatever an object is called.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from typing import NamedTuple

from trailhound.errors import InputError
from trailhound.sources.ahead import ahead
from trailhound.sources.aws import CONNECTIONS, Aws, explained
from trailhound.sources.items import S3Object
from trailhound.sources.layout import (
    EVERYTHING,
    LATE,
    Place,
    Selection,
    day_folders,
    in_layout,
    left_out,
    place,
    step,
    wanted,
)

SCHEME = "s3://"
_DEPTH = 4  # folders above `AWSLogs` that are looked into
_FEW = 10  # folders in one of them: more, and it is no place for a prefix
_AT_ONCE = CONNECTIONS // 2


class _Page(NamedTuple):
    prefix: str
    objects: list[S3Object]
    folders: list[str]
    next: str | None  # where the next page begins


class S3Prefix:
    """Objects below `s3://bucket[/prefix]`, in the order of their folders; listed anew each time.

    `remark` is called with what was left out, and why. Raises InputError when nothing is there.
    """

    def __init__(self, url: str, aws: Aws, selection: Selection, remark: Callable[[str], None]) -> None:
        name, _, self._prefix = url.removeprefix(SCHEME).partition("/")
        self._url, self._selection, self._remark = url, selection, remark
        self._bucket = aws.bucket(name)
        self._client = aws.client("s3", self._bucket.region)
        self._left_out: Counter[str] = Counter()
        self._others: set[str] = set()  # folders of services beside CloudTrail
        self._unplaced = 0  # objects of which no name tells whether they are selected

    def __iter__(self) -> Iterator[S3Object]:
        self._left_out, self._others, self._unplaced = Counter(), set(), 0
        found = 0
        for item in self._objects():
            found += 1
            if item.key.endswith("/") and not item.size:
                self._left_out["folder markers"] += 1
            elif not wanted(item.key, self._selection):
                continue
            elif kind := left_out(item.key, self._prefix):
                self._left_out[kind] += 1
            else:
                self._unplaced += self._selection != EVERYTHING and place(item.key) == Place()
                yield item
        if not found and self._selection == EVERYTHING:
            raise InputError(
                "there is no object of that name",
                where=self._url,
                causes=("a misspelt prefix", "an empty bucket", "the trail writes to another bucket"),
                next_step=f"`aws s3 ls {self._url}` shows what is there",
            )
        self._say()

    def arrived(self, names: Sequence[str]) -> None:
        """Objects stay where they are."""

    def close(self) -> None:
        """Nothing is held."""

    def _objects(self) -> Iterator[S3Object]:
        loose, prefixes = self._plan()
        yield from loose
        # The first pages are asked for ahead; the others as they are wanted, so that few are in memory.
        for first in ahead(self._page, prefixes, _AT_ONCE):
            page = first
            yield from page.objects
            while page.next:
                page = self._page(page.prefix, start=page.next)
                yield from page.objects

    def _plan(self) -> tuple[list[S3Object], list[str]]:
        """Objects that lie beside the folders, and the prefixes below which all is wanted."""
        loose: list[S3Object] = []
        prefixes: list[str] = []
        level, depth = self._start(prefixes), 0
        while level:
            below: list[str] = []
            for page in ahead(self._folders, level, _AT_ONCE):
                if in_layout(page.prefix) or _leads_to_logs(page):
                    loose += page.objects
                    for folder in page.folders:
                        self._take(folder, below, prefixes)
                elif page.folders and not page.objects and len(page.folders) <= _FEW and depth < _DEPTH:
                    below += page.folders
                else:
                    prefixes.append(page.prefix)
            level, depth = below, depth + 1
        return loose, prefixes

    def _start(self, prefixes: list[str]) -> list[str]:
        """The prefix as a folder to look into, unless it is one to be listed at once."""
        folder = self._prefix[: self._prefix.rfind("/") + 1]
        if not in_layout(folder):
            return [self._prefix]
        verdict = step(folder, self._selection)
        if verdict == "descend":
            return [self._prefix]
        if verdict == "days" and folder == self._prefix:
            prefixes += self._days(folder)
        else:
            prefixes.append(self._prefix)  # what is in it is judged by its name
        return []

    def _take(self, folder: str, below: list[str], prefixes: list[str]) -> None:
        match step(folder, self._selection):
            case "descend":
                below.append(folder)
            case "days":
                prefixes += self._days(folder)
            case "all":
                prefixes.append(folder)
            case "other":
                self._others.add(folder.split("/")[-2])
            case "skip":
                pass

    def _days(self, folder: str) -> list[str]:
        return [folder + day for day in day_folders(self._selection, datetime.now(UTC).date())]

    def _folders(self, prefix: str) -> _Page:
        """One level: the folders and the objects right below; above the layout, no more than the first page of it."""
        page = self._page(prefix, delimiter="/")
        while page.next and in_layout(prefix):
            more = self._page(prefix, start=page.next, delimiter="/")
            page = _Page(prefix, page.objects + more.objects, page.folders + more.folders, more.next)
        return page

    def _page(self, prefix: str, *, start: str = "", delimiter: str = "") -> _Page:
        optional = {"ContinuationToken": start, "Delimiter": delimiter}
        payer = {"RequestPayer": "requester"} if self._bucket.requester_pays else {}
        with explained(f"{SCHEME}{self._bucket.name}/{prefix}"):
            answer = self._client.list_objects_v2(
                Bucket=self._bucket.name,
                Prefix=prefix,
                **payer,
                **{name: text for name, text in optional.items() if text},
            )
        objects = [
            S3Object(self._bucket, one["Key"], one["Size"], one.get("ETag", "").strip('"'))
            for one in answer.get("Contents", ())
        ]
        folders = [one["Prefix"] for one in answer.get("CommonPrefixes", ())]
        return _Page(prefix, objects, folders, answer.get("NextContinuationToken"))

    def _say(self) -> None:
        if self._left_out:
            kinds = ", ".join(f"{count:,} {kind}" for kind, count in sorted(self._left_out.items()))
            self._remark(f"{self._url}: left out {kinds}: they hold no calls; name their folder to read them")
        if self._others:
            self._remark(f"{self._url}: folders of other services are not read: {', '.join(sorted(self._others))}")
        if self._unplaced:
            self._remark(
                f"{self._url}: {self._unplaced:,} objects whose names tell neither account nor day were read, whatever they hold"
            )
        if self._selection.until is not None:
            self._remark(
                f"{self._url}: {LATE.days} day more than asked for was read, since a folder holds what was delivered on its "
                "day, and events come late"
            )


def _leads_to_logs(page: _Page) -> bool:
    return any(folder.endswith("/AWSLogs/") or folder == "AWSLogs/" for folder in page.folders)
