"""The ways CloudTrail writes a time → epoch milliseconds UTC."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from functools import lru_cache

_MINUTE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:", re.ASCII)
_SECONDS = {f"{second:02d}Z": second * 1000 for second in range(60)}
_NUMBER = re.compile(r"\d{9,13}(?:\.\d+)?", re.ASCII)
_ISO = re.compile(r"\d{4}-?\d\d-?\d\d[T ].+", re.ASCII | re.IGNORECASE)
# "Nov 30, 2024, 8:43:17 PM"; the second comma and the kind of blank before PM vary.
_JAVA = re.compile(r"([A-Z][a-z]{2}) (\d\d?), (\d{4}),? (\d\d?):(\d\d):(\d\d)\s([AP])M")
_MONTHS = {"Jan": 1, "Feb": 2, "Mar": 3, "Apr": 4, "May": 5, "Jun": 6}
_MONTHS |= {"Jul": 7, "Aug": 8, "Sep": 9, "Oct": 10, "Nov": 11, "Dec": 12}


def event_time(text: str) -> tuple[int, str]:
    """(epoch milliseconds, day as YYYY-MM-DD). Raises ValueError when it is no time."""
    try:
        start, day = _minute(text[:17])
        return start + _SECONDS[text[17:]], day
    except (KeyError, ValueError):
        time = epoch_ms(text)
        if time is None:
            raise ValueError(text) from None
        return time, datetime.fromtimestamp(time / 1000, UTC).date().isoformat()


@lru_cache(65_536)
def _minute(prefix: str) -> tuple[int, str]:
    """`2020-11-06T03:21:` → its first millisecond, and its day: records of one file share a few minutes."""
    if not _MINUTE.fullmatch(prefix):
        raise ValueError(prefix)
    return _milliseconds(datetime.fromisoformat(f"{prefix}00+00:00")), prefix[:10]


def epoch_ms(text: str | None) -> int | None:
    """ISO 8601 in its extended and basic form, Java's English form, or epoch seconds or milliseconds.

    What bears no time zone is UTC. None when it is no time.
    """
    text = (text or "").strip()
    try:
        if found := _JAVA.fullmatch(text):
            month, day, year, hour, minute, second, half = found.groups()
            hours = int(hour) % 12 + (12 if half == "P" else 0)
            return _midnight(year, month, day) + 1000 * (3600 * hours + 60 * int(minute) + int(second))
        if _ISO.fullmatch(text):
            moment = datetime.fromisoformat(text)
            return _milliseconds(moment if moment.tzinfo else moment.replace(tzinfo=UTC))
        if _NUMBER.fullmatch(text):
            number = float(text)
            return round(number if number >= 1e11 else number * 1000)
    except (ValueError, KeyError, OverflowError):
        pass  # the 31st of February
    return None


@lru_cache(4096)
def _midnight(year: str, month: str, day: str) -> int:
    return _milliseconds(datetime(int(year), _MONTHS[month], int(day), tzinfo=UTC))


def _milliseconds(moment: datetime) -> int:
    return round(moment.timestamp() * 1000)
