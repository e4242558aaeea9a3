"""Templates and facts → English. Facts are data: what a log says never becomes a template."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import cache
from typing import Any

import jinja2
import pytz

_ARTICLE = re.compile(
    "^(United|Netherlands|Philippines|Bahamas|Gambia|Maldives|Seychelles|Comoros)|Islands|Rep|Territor"
)
_WORDS = (
    *("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"),
    *("eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen", "twenty"),
)
_SHOWN = 5  # members of a list that a sentence names
_LONGEST = 160  # characters of one value in a sentence
_ROOM = 2_000  # characters of anything that goes into one


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
        every=every,
        part=part,
        span=span,
        bytes=size,
        listing=listing,
        quoted=quoted,
        name=name,
        names=names,
        country=country,
        countries=countries,
    )
    environment.finalize = _bounded
    return environment.from_string(template)


def _bounded(value: Any) -> Any:
    return plain(value)[:_ROOM] if isinstance(value, str) else value


def plain(text: str) -> str:
    """Without characters that steer a terminal, turn the reading direction or cannot be written as UTF-8."""
    if text.isprintable():
        return text
    return "".join("�" if unicodedata.category(c)[0] == "C" and not c.isspace() else c for c in text)


def short(text: Any) -> str:
    """One value on one line; what is longer than a sentence can bear ends in an ellipsis."""
    text = " ".join(plain(str(text)[: 4 * _LONGEST]).split())
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"


def quoted(text: Any) -> str:
    """What a caller was free to write, between marks that it cannot close: or it could go on as a sentence of ours."""
    return "“" + short(text).replace("“", '"').replace("”", '"') + "”"


def _utc(ms: int) -> datetime:
    return datetime.fromtimestamp(ms / 1000, UTC)


def when(ms: int | None) -> str:
    return f"{_utc(ms):%Y-%m-%d %H:%M:%S} UTC" if ms is not None else "an unknown time"


def local(ms: int, zone: str) -> str:
    """`when`, and in a zone of the tz database if one is named: `... UTC (2020-11-05 22:21:39 in America/New_York)`."""
    there = f" ({_utc(ms).astimezone(pytz.timezone(zone)):%Y-%m-%d %H:%M:%S} in {zone})" if zone else ""
    return f"{when(ms)}{there}"


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


def every(n: int, noun: str) -> str:
    """`every(1, "call")` → the call; `every(2, "call")` → both calls; `every(3, "call")` → all three calls."""
    return f"the {noun}" if n == 1 else f"{'both' if n == 2 else 'all ' + number(n)} {count(n, noun).split(' ', 1)[1]}"


def part(n: int, whole: int, noun: str) -> str:
    """`part(3, 7, "call")` → three of the seven calls; `part(7, 7, "call")` → all seven calls."""
    return every(whole, noun) if n == whole else f"{number(n)} of the {count(whole, noun)}"


def span(ms: float) -> str:
    seconds = ms / 1000
    for unit, length in (("day", 86_400), ("hour", 3_600), ("minute", 60)):
        if seconds >= 2 * length or (seconds >= length and unit != "day"):
            return count(round(seconds / length), unit)
    return count(round(seconds), "second") if seconds >= 1 else "less than a second"


def size(n: float) -> str:
    for unit, length in (("TB", 1e12), ("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if n >= length:
            return f"{n / length:.1f} {unit}"
    return f"{n:.0f} bytes"


def listing(items: Sequence[Any] | None) -> str:
    """The first few, and how many more; absent members are left out, empty ones are seen."""
    shown = [short(item) or "(empty)" for item in items or () if item is not None]
    if len(shown) > _SHOWN:
        shown = [*shown[: _SHOWN - 1], f"{len(shown) - _SHOWN + 1} more"]
    return " and ".join(filter(None, (", ".join(shown[:-1]), shown[-1]))) if shown else "nothing"


def name(principal_uid: str) -> str:
    """How a person says it: the last part of an ARN, with what distinguishes it where that is needed."""
    if principal_uid == "anonymous":
        return "an anonymous caller"
    # arn:PARTITION:SERVICE:REGION:ACCOUNT:RESOURCE; what has no such parts is said as it stands.
    parts = principal_uid.split(":", 5)
    if parts[0] != "arn" or len(parts) < 6:
        return short(principal_uid) or "(empty)"
    kind, *path = parts[5].split("/")
    if kind == "assumed-role" and path:
        return f"the role {short(path[0])}"
    if kind == "role" and path:
        return f"the role {short(path[-1])}"
    if parts[5] == "root":
        return f"the root user of {short(parts[4])}"
    return short(path[-1] if path else kind) or short(principal_uid)


def names(uids: Sequence[str | None] | None) -> list[str]:
    return [name(uid) for uid in uids or () if uid is not None]


def country(code: str | None) -> str:
    """As it stands in a sentence: China, the United States."""
    found = pytz.country_names.get(code, code) if code else "an unknown country"
    return f"the {found}" if _ARTICLE.search(found) else found


def countries(codes: Sequence[str] | None) -> list[str]:
    return [country(code) for code in codes or ()]
