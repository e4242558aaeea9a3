"""Templates and facts → English. Facts are data: what a log says never becomes a template."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import cache
from typing import Any

import jinja2
import pytz

_WORDS = (
    *("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"),
    *("eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen", "twenty"),
)
_SHOWN = 5  # members of a list that a sentence names
_LONGEST = 160  # characters of one value in a sentence


def render(template: str, facts: Mapping[str, Any]) -> str:
    """One sentence; white space folded, so that templates may be wrapped."""
    return " ".join(_compiled(template).render(facts).split())


@cache
def _compiled(template: str) -> jinja2.Template:
    environment = jinja2.Environment(undefined=jinja2.StrictUndefined, autoescape=False)  # noqa: S701 - plain text
    environment.filters.update(
        when=when,
        day=day,
        clock=clock,
        oclock=oclock,
        number=number,
        count=count,
        span=span,
        bytes=size,
        listing=listing,
        name=name,
        names=names,
        country=country,
        countries=countries,
    )
    environment.finalize = _bounded
    return environment.from_string(template)


def _bounded(value: Any) -> Any:
    if isinstance(value, str) and len(value) > 4000:
        return value[:4000] + "…"
    return value


def short(text: Any) -> str:
    text = " ".join(str(text).split())
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"


def _utc(ms: int) -> datetime:
    return datetime.fromtimestamp(ms / 1000, UTC)


def when(ms: int | None) -> str:
    return f"{_utc(ms):%Y-%m-%d %H:%M:%S} UTC" if ms is not None else "an unknown time"


def day(ms: int | None) -> str:
    return f"{_utc(ms):%Y-%m-%d}" if ms is not None else "an unknown day"


def clock(ms: int) -> str:
    return f"{_utc(ms):%H:%M:%S}"


def oclock(hour: int | None) -> str:
    return f"{hour:02d}:00" if hour is not None else "?"


def number(n: int) -> str:
    return _WORDS[n] if 0 < n < len(_WORDS) else "none" if n == 0 else f"{n:,}"


def count(n: int, noun: str) -> str:
    """`count(2, "call")` → two calls; `count(3, "time")` → three times."""
    if noun == "time" and n in (1, 2):
        return ("once", "twice")[n - 1]
    head, _, last = noun.rpartition(" ")
    if noun == "kind of call":
        head, last, tail = "", "kind", " of call"
    else:
        tail = ""
    many = (
        last[:-1] + "ies"
        if last.endswith("y") and last[-2:-1] not in "aeiou"
        else last + "es"
        if last.endswith("ss")
        else last + "s"
    )
    words = "no" if n == 0 else number(n)
    return " ".join(filter(None, (words, head, (last if n == 1 else many) + tail)))


def span(ms: float) -> str:
    seconds = ms / 1000
    for unit, length in (("day", 86_400), ("hour", 3_600), ("minute", 60)):
        if seconds >= 2 * length or (seconds >= length and unit != "day"):
            return count(round(seconds / length), unit)
    return count(round(seconds), "second") if seconds >= 1 or seconds == 0 else "under a second"


def size(n: float) -> str:
    for unit, length in (("TB", 1e12), ("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if n >= length:
            return f"{n / length:.1f} {unit}"
    return f"{n:.0f} bytes"


def listing(items: Sequence[Any] | None) -> str:
    shown = [short(item) for item in items or ()]
    if len(shown) > _SHOWN:
        shown = [*shown[: _SHOWN - 1], f"{len(shown) - _SHOWN + 1} more"]
    return " and ".join(filter(None, (", ".join(shown[:-1]), shown[-1]))) if shown else "nothing"


def name(principal_uid: str) -> str:
    """How a person says it: the last part of an ARN, with what distinguishes it where that is needed."""
    if ":assumed-role/" in principal_uid:
        return "the role " + principal_uid.split("/")[1]
    if ":role/" in principal_uid:
        return "the role " + principal_uid.rsplit("/", 1)[-1]
    if principal_uid.endswith(":root"):
        return f"the root user of {principal_uid.split(':')[4]}"
    if principal_uid == "anonymous":
        return "an anonymous caller"
    return short(principal_uid.rsplit("/", 1)[-1]) if principal_uid.startswith("arn:") else short(principal_uid)


def names(uids: Sequence[str] | None) -> list[str]:
    return [name(uid) for uid in uids or ()]


def country(code: str | None) -> str:
    return pytz.country_names.get(code, code) if code else "an unknown country"


def countries(codes: Sequence[str] | None) -> list[str]:
    return [country(code) for code in codes or ()]
