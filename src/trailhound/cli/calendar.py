"""The days of an account as a picture: a line a month, a sign a day, as high as the day was busy."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from trailhound.ingest.ledger import AccountStatus

_BARS = "▁▂▃▄▅▆▇█"
_NOTHING, _MISSING, _STOPPED = "·", "×", "!"
_DAY = 86_400_000
_MONTHS = 24  # shown, the latest

LEGEND = "▁…█ few to many events (as their square root)  · none  × events are missing or altered  ! logging was stopped"


def lines(account: AccountStatus) -> Iterator[str]:
    """At most 24 months of 8 + 31 characters."""
    signs = _signs(account)
    months = sorted({day[:7] for day in signs})
    if hidden := len(months[:-_MONTHS]):
        yield f"{hidden} earlier months are not shown"
    for month in months[-_MONTHS:]:
        yield f"{month} " + "".join(signs.get(f"{month}-{day:02}", " ") for day in range(1, 32)).rstrip()


def _signs(account: AccountStatus) -> dict[str, str]:
    from trailhound.lake import times  # noqa: PLC0415 - start-up

    most = max(account.days.values(), default=0) or 1
    signs = {
        day: _BARS[min(7, int(math.sqrt(count / most) * 8))] if count else _NOTHING
        for day, count in account.days.items()
    }
    end = account.last_time
    for kind, sign in (("missing", _MISSING), ("broken", _MISSING), ("logging_stopped", _STOPPED)):
        for gap in account.gaps:
            if gap.kind == kind:
                for moment in range(gap.since - gap.since % _DAY, min(gap.until or end, end) + 1, _DAY):
                    if (day := times.day(moment)) in signs and moment != gap.until:
                        signs[day] = sign
    return signs
