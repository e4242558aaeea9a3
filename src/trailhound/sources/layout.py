"""How CloudTrail lays out its objects in a bucket, and which of them a selection wants.

    <prefix>AWSLogs/[o-<organisation>/]<account>/CloudTrail/<region>/YYYY/MM/DD/<account>_CloudTrail_<region>_<time>Z_<random>.json.gz

The day is that of delivery: an event is never in a folder before its own day, and may be in one after it.
Only names are looked at here; what no name tells apart is read.
"""

from __future__ import annotations

import calendar
import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Literal, NamedTuple

import msgspec

LATE = timedelta(days=1)  # how long after its day an event is still looked for
_FIRST_DAY = date(2013, 11, 13)  # CloudTrail's

_ORGANISATION = re.compile(r"o-[a-z0-9]{10,32}")
_ACCOUNT = re.compile(r"\d{12}")
_REGION = re.compile(r"[a-z]{2,3}(-[a-z0-9]+)+-\d{1,2}")
_DAY = re.compile(r"(\d{4})/(\d\d)/(\d\d)/")
_FILE = re.compile(r"(\d{12})_(CloudTrail(?:-\w+)?)_([a-z0-9-]+)_(?:.*_)?(\d{4})(\d\d)(\d\d)T\d{4,6}Z")
_LEFT_OUT = {"CloudTrail-Digest": "digest files", "CloudTrail-Insight": "Insights files"}


class Selection(msgspec.Struct, frozen=True):
    """Which logs are wanted; times in epoch milliseconds, `until` not part of it. Empty and None: all."""

    accounts: tuple[str, ...] = ()
    regions: tuple[str, ...] = ()
    since: int | None = None
    until: int | None = None

    @property
    def days(self) -> tuple[date, date] | None:
        """First and last day of delivery."""
        if self.since is None and self.until is None:
            return None
        last = date.max if self.until is None else _day(self.until - 1) + LATE
        return _FIRST_DAY if self.since is None else _day(self.since), last


EVERYTHING = Selection()


class Place(NamedTuple):
    """What a key says of itself; "" and None where it does not."""

    account: str = ""
    service: str = ""
    region: str = ""
    day: date | None = None


def place(key: str) -> Place:
    """By its folders, else by the name of the file."""
    parts = _below(key) or []
    folders, name = parts[:-1], key.rpartition("/")[2]
    if len(folders) >= 2 and _ACCOUNT.fullmatch(folders[0]):
        region = folders[2] if len(folders) > 2 and _REGION.fullmatch(folders[2]) else ""
        dated = _DAY.match("/".join(folders[3:6]) + "/") if region else None
        return Place(folders[0], folders[1], region, _date(*dated.groups()) if dated else None)
    if named := _FILE.match(name):
        account, service, region, *day = named.groups()
        return Place(account, service, region if _REGION.fullmatch(region) else "", _date(*day))
    return Place()


def wanted(key: str, selection: Selection) -> bool:
    """Whether a key may hold what is selected; one that says nothing may."""
    here, days = place(key), selection.days
    return (
        (not here.account or not selection.accounts or here.account in selection.accounts)
        and (not here.region or not selection.regions or here.region in selection.regions)
        and (not here.day or not days or days[0] <= here.day <= days[1])
    )


def left_out(key: str, prefix: str) -> str:
    """What the object is, if it holds no events and `prefix` does not name its kind; else ""."""
    service = place(key).service
    return _LEFT_OUT.get(service, "") if service not in prefix else ""


def in_layout(folder: str) -> bool:
    return _below(folder) is not None


Step = Literal["descend", "days", "all", "skip", "other"]


def step(folder: str, selection: Selection) -> Step:
    """What to do with a folder: list what folders are in it, its days, or all of it; or nothing, since it is not
    selected, or since it belongs to another service than CloudTrail."""
    parts = _below(folder)
    if parts is None:
        return "all"
    match parts[:-1]:  # the last is empty
        case [account, *_] if not _ACCOUNT.fullmatch(account):
            return "all"
        case [account, *_] if selection.accounts and account not in selection.accounts:
            return "skip"
        case [_, service, *_] if not service.startswith("CloudTrail"):
            return "other"
        case [_, _, region, *below] if _REGION.fullmatch(region):
            if selection.regions and region not in selection.regions:
                return "skip"
            return "days" if selection.days and not below else "all"
        case [_, _, _, *_]:
            return "all"
        case _:
            return "descend"


def day_folders(selection: Selection, today: date) -> Iterator[str]:
    """`2024/05/17/` for each day of the selection; `2024/05/` for a whole month."""
    assert selection.days
    day, last = selection.days[0], min(selection.days[1], today + LATE)
    while day <= last:
        end_of_month = day.replace(day=calendar.monthrange(day.year, day.month)[1])
        if day.day == 1 and end_of_month <= last:
            yield f"{day:%Y/%m}/"
            day = end_of_month
        else:
            yield f"{day:%Y/%m/%d}/"
        day += timedelta(days=1)


def _below(key: str) -> list[str] | None:
    """The parts of a key after `AWSLogs/` and the organisation; None where there is no such folder."""
    _, found, below = f"/{key}".rpartition("/AWSLogs/")
    if not found:
        return None
    parts = below.split("/")
    return parts[1:] if len(parts) > 1 and _ORGANISATION.fullmatch(parts[0]) else parts


def _day(time: int) -> date:
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=time)).date()


def _date(year: str, month: str, day: str) -> date | None:
    try:
        return date(int(year), int(month), int(day))
    except ValueError:
        return None
