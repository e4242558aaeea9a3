"""Text pasted from a report, a chat or a spreadsheet → JSON, with everything that was changed shown.

A ladder of small, exact mendings, each tried in turn until the text is JSON; a guessing parser comes
last. What comes out is flagged by whoever loads it: mended text is never loaded silently.
"""

from __future__ import annotations

import difflib
import html
import json
import re
from collections.abc import Callable
from typing import Any, NamedTuple

import json_repair

LIMIT = 1 << 20  # bytes; a paste is small, and guessing is slow
_SHOWN = 400  # lines of difference

_SPACE = " \t\r\n"  # that JSON may stand between
_STRING = r'"[^"\\]*(?:\\.[^"\\]*)*"'
_MARK = re.compile(_STRING + r'|[{}\[\]]|[^{}\[\]"]+|"', re.DOTALL)
_FENCED = re.compile(r"```\w*\s*\n(.*?)```", re.DOTALL)
_PADDED = re.compile(rb'"event(?:Name|Source|Time|ID)"\s*:\s*"(?:\s|[^"\\]*\s")')
_ARN_OF_IAM = re.compile(r"\s*arn:aws[\w-]*:(?:iam|sts):")  # whose names hold no blank, unlike those of S3
_FOLDED = str.maketrans(
    dict.fromkeys("“”„‟″〝〞＂«»", '"')
    | dict.fromkeys("‘’‚‛′", "'")
    | dict.fromkeys("\u00a0\u2002\u2003\u2007\u2009\u202f\u3000", " ")
    | dict.fromkeys("\u200b\u200c\u200d\u2060\ufeff", None)
)


class Repaired(NamedTuple):
    """`text` is JSON; `steps` were needed to get there; `difference` is a unified diff, one member a line."""

    text: bytes
    steps: tuple[str, ...]
    difference: str


def repair(data: bytes) -> Repaired | None:
    """Mend a paste. None when there is nothing to mend in it, or nothing that could be mended."""
    if len(data) > LIMIT:
        return None
    original = data.decode("utf-8", "replace")
    value, steps = _climb(original)
    if value is None:
        return None
    trimmed = _trim(value)
    if trimmed != value:
        steps += ("blanks around values and within ARNs of IAM removed",)
    if not steps:
        return None
    mended = json.dumps(trimmed, ensure_ascii=False)
    if not _speaks_of_events(mended):
        return None
    return Repaired(mended.encode(), steps, _difference(original, mended))


def padded(data: bytes) -> bool:
    """An event field begins or ends with a blank, which no service writes."""
    return _PADDED.search(data) is not None


def _climb(text: str) -> tuple[Any, tuple[str, ...]]:
    steps: tuple[str, ...] = ()
    value = _parse(text)
    for name, mend in _LADDER:
        if value is not None:
            break
        mended = mend(text)
        if mended != text:
            steps = steps if mended.strip(_SPACE) == text.strip(_SPACE) else (*steps, name)
            text = mended
            value = _parse(text)
    if value is None:
        value = _guess(text)
        steps += ("guessed by json-repair",)
    return value, steps


def _parse(text: str) -> Any:
    """The object or list that `text` is, also as JSON Lines; else None."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        lines = [line for line in text.splitlines() if line.strip()]
        try:
            value = [json.loads(line) for line in lines] if len(lines) > 1 else None
        except (ValueError, RecursionError):
            return None
    return value if _holds_objects(value) else None


def _guess(text: str) -> Any:
    try:
        value = json_repair.loads(text, skip_json_loads=True)
    except (ValueError, RecursionError):
        return None
    return value if _holds_objects(value) else None


def _holds_objects(value: Any) -> bool:
    values = value if isinstance(value, list) else [value]
    return bool(values) and all(isinstance(item, dict) and item for item in values)


def _speaks_of_events(text: str) -> bool:
    """Guessing turns any prose with a brace in it into some JSON."""
    return '"eventName"' in text or '"eventTime"' in text


def _unwrap(text: str) -> str:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return text
    return value if isinstance(value, str) else text


def _cut_prose(text: str) -> str:
    """What stands before the first bracket and behind the last: a greeting, a byte order mark."""
    if fenced := _FENCED.search(text):
        text = fenced[1]
    begin, end = re.search(r"[{\[]", text), max(text.rfind("}"), text.rfind("]"))
    bare = text.strip("\ufeff \t\r\n")
    if begin is None or re.match(r"[\"“”″„'‘’&\\]", bare):  # members without outer braces: nothing to cut by
        return bare
    goes_on = end < begin.start() or text[end + 1 :].lstrip().startswith(",")  # cut off, but in the middle of members
    return text[begin.start() :] if goes_on else text[begin.start() : end + 1]


def _unescape_html(text: str) -> str:
    return html.unescape(text) if re.search(r"&(?:quot|#0*34|#x0*22|#8220|#8221|ldquo|rdquo);", text, re.I) else text


def _undouble(text: str) -> str:
    """A spreadsheet doubles the quotes of a cell."""
    if not re.search(r'[{,]\s*""\w', text):
        return text
    return text.strip().removeprefix('"').removesuffix('"').replace('""', '"')


def _unescape_quotes(text: str) -> str:
    """`{\\"eventName\\": ...}`: the inside of a string, without the string."""
    if not re.search(r'[{\[]\s*\\"', text):
        return text
    bare = text.strip().removeprefix('"').removesuffix('"')
    try:
        return json.loads(f'"{bare}"', strict=False)
    except ValueError:
        return bare.replace('\\"', '"')


def _fold(text: str) -> str:
    return text.translate(_FOLDED)


def _rejoin(text: str) -> str:
    """A line break inside a string: a long value was wrapped, a word of it or between its words."""

    def join(match: re.Match[str]) -> str:
        string = match[0]
        words = " " in re.sub(r"\s*[\r\n]+\s*", "", string)
        return re.sub(r"(\S)\s*[\r\n]+\s*(?=(\S))", rf"\1{' ' if words else ''}", string)

    return re.sub(_STRING, join, text, flags=re.DOTALL)


def _balance(text: str) -> str:
    """Braces: the outer ones of bare members, those forgotten before the next item, those at the end."""
    if re.match(r'\s*"[^"]*"\s*:', text):
        text = "{" + text
    out: list[str] = []
    closers: list[str] = []  # of what is open, the innermost last
    for mark in _MARK.findall(text):
        if mark == "{" and closers and closers[-1] == "}" and out[-1].rstrip().endswith(","):
            # An item stands where a key should: the item before it, in the list around both, was not closed.
            comma = out.pop()
            out.append(closers.pop())
            while "]" in closers and closers[-1] == "}":
                out.append(closers.pop())
            out.append(comma)
        if mark in "{[":
            closers.append("}" if mark == "{" else "]")
        elif mark in "}]":
            if mark not in closers:
                continue
            while closers[-1] != mark:
                out.append(closers.pop())
            closers.pop()
        out.append(mark)
    return "".join(out + closers[::-1])


_LADDER: tuple[tuple[str, Callable[[str], str]], ...] = (
    ("JSON taken out of a string", _unwrap),
    ("text around it cut off", _cut_prose),
    ("HTML entities replaced", _unescape_html),
    ("doubled quotes of a spreadsheet halved", _undouble),
    ("typographic quotes and blanks replaced", _fold),
    ("escaped quotes replaced", _unescape_quotes),
    ("wrapped lines joined", _rejoin),
    ("braces balanced", _balance),
)


def _trim(value: Any) -> Any:
    if isinstance(value, dict):
        return {key.strip(): _trim(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_trim(item) for item in value]
    if not isinstance(value, str):
        return value
    return "".join(value.split()) if _ARN_OF_IAM.match(value) else value.strip()


def _difference(original: str, mended: str) -> str:
    diff = list(difflib.unified_diff(_laid_out(original), _laid_out(mended), "pasted", "mended", n=1, lineterm=""))
    if len(diff) > _SHOWN:
        diff = [*diff[:_SHOWN], f"... and {len(diff) - _SHOWN} more lines"]
    return "\n".join(diff)


def _laid_out(text: str) -> list[str]:
    """One member a line, both texts alike, so that a change is a line and not the whole record."""
    broken = re.sub(r"([{\[,])[ \t\r\n]*|[ \t\r\n]*(?=[}\]])", lambda m: f"{m[1] or ''}\n", text)
    return [bare for line in broken.split("\n") if (bare := line.strip(" \t\r"))]
