"""How values are said to a person: the same in every format.

Everything in an Investigation may have been written by an attacker. `visible` is the first defence, before
a format's own escaping: nothing that moves a cursor, turns the writing direction or hides itself is left.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from trailhound.model import Basis, Finding, Severity

TEXT_LIMIT = 4_000  # characters of one value; what is cut is counted
QUERY_LIMIT = 50_000  # a query is ours, and worth nothing if it is cut
STATES = {"verified": "verified", "broken": "broken", "unverifiable": "unverifiable", "unchecked": "not checked"}
_ACRONYMS = ("ip", "kms", "vpc")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_TIMES = range(10**12, 10**13)  # epoch milliseconds of the years 2001 to 2286
_UNITS = (("day", 86_400_000), ("h", 3_600_000), ("min", 60_000), ("s", 1_000))


def visible(text: str, limit: int = TEXT_LIMIT) -> str:
    """`text` with every unprintable character (control, bidi, zero-width, odd space) written as `\\u202e`.

    Line breaks and tabs stay. What is longer than `limit` is cut, and says by how much.
    """
    shown = text[:limit].replace("\r\n", "\n")
    if not shown.isprintable():
        shown = "".join(c if c.isprintable() or c in "\n\t" else _escaped(c) for c in shown)
    hidden = len(text) - limit
    return f"{shown} … and {hidden:,} more characters" if hidden > 0 else shown


def inline(text: str, limit: int = TEXT_LIMIT) -> str:
    """`visible` text on one line."""
    return " ".join(visible(text, limit).split())


def _escaped(character: str) -> str:
    code = ord(character)
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"


def iso(time: int) -> str:
    """Epoch milliseconds as `2020-11-06T03:21:39Z`; the bare number where no calendar reaches."""
    moment = _datetime(time)
    if moment is None:
        return str(time)
    return moment.isoformat(timespec="milliseconds" if time % 1000 else "seconds").replace("+00:00", "Z")


def clock(time: int) -> str:
    """`Fri 2020-11-06 03:21:39Z`."""
    moment = _datetime(time)
    return f"{moment:%a} {iso(time).replace('T', ' ')}" if moment else f"{time} ms after 1970"


def day(time: int) -> str:
    """`Fri 2020-11-06`."""
    return clock(time)[:14] if _datetime(time) else ""


def days(start: int, end: int) -> str:
    """`Fri 2020-11-06`, or `2020-09-01 to 11-05`."""
    first, last = day(start), day(end)
    if first == last:
        return first
    return f"{first[4:]} to {last[9:] if first[4:8] == last[4:8] else last[4:]}"


def time_of_day(time: int) -> str:
    """`03:21:39Z`."""
    return iso(time)[11:] if _datetime(time) else str(time)


def period(start: int, end: int) -> str:
    """`Fri 2020-11-06 03:17:35Z to 03:21:39Z (4 min 4 s)`."""
    if start == end:
        return clock(start)
    until = time_of_day(end) if day(start) == day(end) else clock(end)
    return f"{clock(start)} to {until} ({duration(end - start)})"


def duration(milliseconds: int) -> str:
    """In its two largest units: `4 min 4 s`, `66 days`."""
    rest, parts = abs(milliseconds), []
    for unit, size in _UNITS:
        number, rest = divmod(rest, size)
        if number:
            parts.append(plural(number, unit) if unit == "day" else f"{number} {unit}")
        if len(parts) == 2 or (parts and unit == "day" and number > 6):
            break
    return " ".join(parts) or f"{rest} ms"


def plural(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def how_many(finding: Finding) -> str:
    """What the rule counted, and against what."""
    types = {resource.type for resource in finding.resources}
    if len(types) == 1 and len(finding.resources) == finding.count:
        counted = f"{finding.count:,} × {kind_of_resource(types.pop())}"
    else:
        counted = plural(finding.count, "value" if finding.rule_kind == "value_count" else "event")
    if finding.threshold is None:
        return counted
    within = f" within {duration(finding.window_ms)}" if finding.window_ms else ""
    return f"{counted} (the rule asks for {finding.threshold:,}{within})"


def rule_source(finding: Finding) -> str:
    """Who wrote the rule, under which licence, how mature it is, and of when: as far as it says."""
    told = (finding.rule_author, finding.rule_license, finding.rule_status, finding.rule_date)
    return ", ".join(inline(each) for each in told if each)


def stood_on(basis: Basis) -> str:
    """`12 objects, 3,401 events, 0 rejected; 12 verified`."""
    counted = [plural(basis.objects, "object"), plural(basis.events, "event")]
    counted += [plural(basis.duplicates, "duplicate")] if basis.duplicates else []
    unplaced = f" (and {basis.unplaced:,} of no known account)" if basis.unplaced else ""
    told = f"{', '.join(counted)}, {basis.rejected:,} rejected{unplaced}"
    states = msgspec.structs.asdict(basis.integrity)
    proven = ", ".join(f"{number:,} {STATES[state]}" for state, number in states.items() if number)
    return f"{told}; {proven}" if proven else told


def severity(found: Severity) -> str:
    """`P1: production was hit (the verdict is malicious; data was deleted; whether it went on is not known)`."""
    reasons = ", ".join(reason.sentence for reason in found.reasons) or "nothing makes it more urgent"
    return f"{found.priority}: {reasons} ({'; '.join(one.sentence for one in found.triage)})"


def kind_of_resource(type_name: str) -> str:
    """`AWS::EC2::Instance` as `EC2 Instance`."""
    return type_name.removeprefix("AWS::").replace("::", " ") or "resource"


def plain(name: str) -> str:
    """A slug in words: `ip_address` as `IP address`."""
    return " ".join(word.upper() if word in _ACRONYMS else word for word in name.split("_"))


def compact(value: Any) -> str:
    """A fact or a parameter on one line: text as it is, all else as JSON; what may be a time, also read as one."""
    if isinstance(value, str):
        return value
    text = msgspec.json.encode(value).decode()
    return f"{text} (as a time: {clock(value)})" if isinstance(value, int) and value in _TIMES else text


def pairs(values: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    """Name and value of each entry that has a value, in words."""
    return tuple((plain(name), compact(value)) for name, value in values.items() if value is not None)


def parameters(values: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    """Parameters of a query, by the names the query uses: `$to`."""
    return tuple((f"${name}", compact(value)) for name, value in values.items())


def _datetime(time: int) -> datetime | None:
    try:
        return _EPOCH + timedelta(milliseconds=time)
    except OverflowError:
        return None
