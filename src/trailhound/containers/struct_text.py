"""`{type=IAMUser, arn=arn:aws:..., sessioncontext={...}}`: how Athena and Lake write a struct into a CSV cell.

The text does not quote, so it says less than it was made from: a value ends at `, NAME=` or at the bracket
that closes its struct. Of a name that comes twice the first counts: what AWS writes stands before what a
caller chose.
"""

from __future__ import annotations

import re
from typing import Any

DEPTH = 20  # levels; what is written deeper stays text
_NAME = re.compile(r"([A-Za-z_@][\w.:/@-]*)=")
_NEXT = re.compile(r", (?=[A-Za-z_@][\w.:/@-]*=)")
_SPECIAL = re.compile(r"[{}\[\]]|, ")


def parse(text: str) -> dict[str, Any] | list[Any] | None:
    """The object or list a text stands for, its scalars as strings or None; None when it is no such text."""
    try:
        value, end = _value(text.strip(), 0, 0)
    except ValueError:
        return None
    return value if end == len(text.strip()) and not isinstance(value, str) else None


def _value(text: str, at: int, depth: int) -> tuple[Any, int]:
    if depth < DEPTH and text.startswith("{", at):
        return _struct(text, at + 1, depth)
    if depth < DEPTH and text.startswith("[", at):
        return _list(text, at + 1, depth)
    raise ValueError(at)


def _struct(text: str, at: int, depth: int) -> tuple[dict[str, Any], int]:
    members: dict[str, Any] = {}
    if text.startswith("}", at):
        return members, at + 1
    while True:
        name = _NAME.match(text, at)
        if name is None:
            raise ValueError(at)
        value, at = _member(text, name.end(), "}", depth)
        members.setdefault(name[1], value)
        if text.startswith("}", at):
            return members, at + 1
        at += 2  # the comma and the blank


def _list(text: str, at: int, depth: int) -> tuple[list[Any], int]:
    items: list[Any] = []
    if text.startswith("]", at):
        return items, at + 1
    while True:
        value, at = _member(text, at, "]", depth)
        items.append(value)
        if text.startswith("]", at):
            return items, at + 1
        at += 2


def _member(text: str, at: int, closer: str, depth: int) -> tuple[Any, int]:
    """A value within a struct or a list, and where its comma or the closing bracket stands."""
    if text[at : at + 1] in ("{", "["):
        try:
            value, end = _value(text, at, depth + 1)
        except ValueError:
            pass  # a string that begins with a bracket: a policy, a user agent
        else:
            if text.startswith((closer, ", "), end):
                return value, end
    end = _end_of_scalar(text, at, closer)
    word = text[at:end]
    return None if word == "null" else word, end


def _end_of_scalar(text: str, at: int, closer: str) -> int:
    """Brackets within a string are taken to match; a comma only ends it where a name or, in a list, an item follows."""
    opened = 0
    for mark in _SPECIAL.finditer(text, at):
        if mark[0] in "{[":
            opened += 1
        elif mark[0] in "}]" and opened:
            opened -= 1
        elif mark[0] == closer or (
            mark[0] == ", " and not opened and (closer == "]" or _NEXT.match(text, mark.start()))
        ):
            return mark.start()
    raise ValueError(at)
