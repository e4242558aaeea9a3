"""`lookup-events:REGION,...` and `logs:GROUP`: records that an API hands out page by page.

Each page becomes one object of the ledger, with one record a line, as the API gave it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from trailhound.errors import InputError
from trailhound.sources.aws import Aws, explained
from trailhound.sources.items import Content
from trailhound.sources.layout import LATE, Selection

LOOKUP_EVENTS = "lookup-events:"
LOGS = "logs:"
PAUSE = 0.5  # seconds between two look-ups: AWS allows two a second for each account and Region
ATTEMPTS = 10  # at a look-up: others may use up that allowance
_REACH = timedelta(days=90)  # that CloudTrail's event history goes back


class _Pages:
    """What both have in common: nothing is held, and nothing is to be said of what arrived."""

    def arrived(self, names: Sequence[str]) -> None:
        """The service keeps its events."""

    def close(self) -> None:
        """Nothing is held."""


class EventHistory(_Pages):
    """CloudTrail's own event history of one or several Regions: management events of the last 90 days."""

    def __init__(self, source: str, aws: Aws, selection: Selection, remark: Callable[[str], None]) -> None:
        named = source.removeprefix(LOOKUP_EVENTS)
        self._regions = [name for name in named.split(",") if name] or [aws.region or ""]
        if self._regions == [""]:
            raise InputError(
                "it is not known which Region is meant",
                where=source,
                causes=("neither the profile nor AWS_REGION names one",),
                next_step="write lookup-events:us-east-1, or several with commas between",
            )
        self._aws, self._selection = aws, selection
        remark(f"{source}: the event history holds management events only: reads and writes of objects are not in it")
        oldest = datetime.now(UTC) - _REACH
        if selection.since is not None and _moment(selection.since) < oldest:
            remark(f"{source}: the event history goes back {_REACH.days} days only, to {oldest:%Y-%m-%d}")

    def __iter__(self) -> Iterator[Content]:
        for region in self._regions:
            yield from self._pages(region)

    def _pages(self, region: str) -> Iterator[Content]:
        client = self._aws.client("cloudtrail", region, ATTEMPTS)
        request: dict[str, Any] = {"MaxResults": 50}
        if self._selection.since is not None:
            request["StartTime"] = _moment(self._selection.since)
        if self._selection.until is not None:
            request["EndTime"] = _moment(self._selection.until - 1)  # AWS counts the end in
        number = 0
        while True:
            with explained(f"{LOOKUP_EVENTS}{region}"):
                answer = client.lookup_events(**request)
            number += 1
            records = [event.get("CloudTrailEvent") or "null" for event in answer.get("Events", ())]
            if records:
                yield Content(f"{LOOKUP_EVENTS}{region}#{number}", _lines(records))
            if not answer.get("NextToken"):
                return
            request["NextToken"] = answer["NextToken"]
            time.sleep(PAUSE)


class LogGroup(_Pages):
    """Records that a trail sends to a log group of CloudWatch Logs, `logs:GROUP[:STREAM_PREFIX]`."""

    def __init__(self, source: str, aws: Aws, selection: Selection, remark: Callable[[str], None]) -> None:
        self._group, _, self._streams = source.removeprefix(LOGS).partition(":")
        self._client = aws.client("logs")
        self._selection = selection
        if selection.until is not None:
            remark(f"{source}: {LATE.days} day more than asked for was read, since events come late")

    def __iter__(self) -> Iterator[Content]:
        request: dict[str, Any] = {"logGroupName": self._group}
        if self._streams:
            request["logStreamNamePrefix"] = self._streams
        if self._selection.since is not None:
            request["startTime"] = self._selection.since
        if self._selection.until is not None:
            request["endTime"] = self._selection.until + LATE // timedelta(milliseconds=1)
        number = 0
        while True:
            with explained(f"{LOGS}{self._group}"):
                answer = self._client.filter_log_events(**request)
            number += 1
            if events := answer.get("events"):
                yield Content(f"{LOGS}{self._group}#{number}", _lines([event["message"] for event in events]))
            if not answer.get("nextToken"):
                return
            request["nextToken"] = answer["nextToken"]


def _lines(texts: Sequence[str]) -> bytes:
    """Line ends between records; within one they are blanks, which JSON takes for the same. The last line end makes
    even one record a file of lines."""
    return "".join(text.replace("\r", " ").replace("\n", " ") + "\n" for text in texts).encode(
        "utf-8", "backslashreplace"
    )


def _moment(time_ms: int) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=time_ms)
