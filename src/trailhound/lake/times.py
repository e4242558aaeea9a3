"""Times and durations as people write them.

A written time is an interval, as wide as its last digit: `2020-11-06` is a day, `2020-11-06T03:21Z`
a minute. So `since` takes its beginning, `until` its end, and neither needs a rule of its own.
Everything is UTC unless an offset is written.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from trailhound.errors import QueryError

_TIME = re.compile(
    r"(?P<date>\d{4}-\d\d-\d\d)"
    r"(?:[T ](?P<hour>\d\d)(?::(?P<minute>\d\d)(?::(?P<second>\d\d)(?:\.(?P<fraction>\d{1,3}))?)?)?"
    r"(?P<zone>Z|[+-]\d\d:\d\d)?)?",
    re.IGNORECASE,
)
HOUR = 3_600_000  # milliseconds
DAY = 24 * HOUR

_UNITS = {"ms": 1, "s": 1_000, "m": 60_000, "h": HOUR, "d": DAY, "w": 7 * DAY}
_DURATION = re.compile(r"(\d{1,9})(ms|s|m|h|d|w)", re.IGNORECASE)


class Interval(NamedTuple):
    """Epoch milliseconds; `end` is not part of it."""

    start: int
    end: int


def interval(text: str) -> Interval:
    """`2020-11-06`, `2020-11-06T03`, `2020-11-06T03:21:39Z`, `2020-11-06 03:21+01:00` ...

    Raises QueryError when it is no such time.
    """
    found = _TIME.fullmatch(text.strip())
    if not found:
        raise _not_a_time(text)
    part = found.groupdict(default="")
    clock = f"{part['hour'] or '00'}:{part['minute'] or '00'}:{part['second'] or '00'}"
    zone = "+00:00" if part["zone"].upper() in ("", "Z") else part["zone"]
    try:
        moment = datetime.fromisoformat(f"{part['date']}T{clock}.{part['fraction'].ljust(3, '0')}{zone}")
        start = milliseconds(moment)
    except (ValueError, OverflowError) as error:  # the 31st of February, hour 25
        raise _not_a_time(text) from error
    if part["fraction"]:
        width = 10 ** (3 - len(part["fraction"]))
    else:
        width = next(_UNITS[unit] for name, unit in _WIDTHS if not name or part[name])
    return Interval(start, start + width)


_WIDTHS = (("second", "s"), ("minute", "m"), ("hour", "h"), ("", "d"))


def duration(text: str) -> int:
    """`7d`, `10m`, `1h30m` → milliseconds. Raises QueryError when it is no duration."""
    parts = _DURATION.findall(text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        raise QueryError(
            f"{text!r} is not a duration",
            next_step=f"write a number and a unit ({', '.join(_UNITS)}): 90s, 10m, 1h30m, 7d",
        )
    return sum(int(number) * _UNITS[unit.lower()] for number, unit in parts)


def milliseconds(moment: datetime) -> int:
    """Exact, unlike `timestamp()`, which goes through a float."""
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)


def text(time: int) -> str:
    """Epoch milliseconds as RFC 3339, milliseconds only where there are any."""
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=time)
    return moment.isoformat(timespec="milliseconds" if time % 1000 else "seconds").replace("+00:00", "Z")


def day(time: int) -> str:
    """The UTC day of epoch milliseconds: YYYY-MM-DD."""
    return text(time)[:10]


def _not_a_time(text: str) -> QueryError:
    return QueryError(
        f"{text!r} is not a time",
        next_step="write it as 2020-11-06, 2020-11-06T03:21Z or 2020-11-06T03:21:39Z (UTC unless an offset is given)",
    )
