"""What the modifiers of a field take, said before pySigma is asked: `field|modifier|modifier: value`."""

from __future__ import annotations

import difflib
import math
from typing import Any

import re2
from sigma.modifiers import modifier_mapping

from trailhound.errors import CatalogError

# The specification has these, and pySigma calls them otherwise.
_CALLED = {"utf16le": "wide"}
_FLAGS = frozenset({"i", "ignorecase", "m", "multiline", "s", "dotall"})
_BESIDE_REGEX = _FLAGS | {"re", "all", "neq", "expand"}
COMPARING = frozenset({"gt", "gte", "lt", "lte"})
_NUMBER = COMPARING | {"minute", "hour", "day", "week", "month", "year"}
_ANY = frozenset({"all", "neq"})
_LOOKING = "looking ahead or behind and referring back take time without bound, and repeating is bounded to 1,000 times"


def key(written: str) -> str:
    """The key as pySigma takes it. Raises CatalogError for modifiers that do not exist or do not go together."""
    field, *modifiers = written.split("|")
    modifiers = [_CALLED.get(each, each) for each in modifiers]
    for each in modifiers:
        if each not in modifier_mapping:
            near = difflib.get_close_matches(each, modifier_mapping, n=1)
            known = ", ".join(sorted(modifier_mapping))
            next_step = f"did you mean |{near[0]}?" if near else f"there are: {known}"
            raise CatalogError(f"the modifier {each!r} is not known", next_step=next_step)
    if "re" in modifiers and (beside := sorted(set(modifiers) - _BESIDE_REGEX)):
        next_step = "a regular expression is found anywhere in the value: write ^ and $ where it must not be"
        raise CatalogError(f"|{beside[0]} does not go with |re", next_step=next_step)
    if "re" not in modifiers and (flags := sorted(_FLAGS.intersection(modifiers))):
        raise CatalogError(f"|{flags[0]} is for regular expressions", next_step=f"write |re|{flags[0]}")
    return "|".join((field, *modifiers))


def check(modifiers: set[str], value: Any, engine: Any) -> None:
    """Is the value one that these modifiers take? `engine`: what compiles regular expressions."""
    if not (value is None or isinstance(value, str | int | float)):
        kind = {"list": "a list", "dict": "a mapping", "set": "a set"}.get(type(value).__name__)
        next_step = "" if kind else "write it in quotes"
        what = kind or f"a {type(value).__name__}, as YAML has it"
        raise CatalogError(f"a value is text, a number, true, false or null; here stands {what}", next_step=next_step)
    if isinstance(value, float) and not math.isfinite(value):
        raise CatalogError(f"{value} is not a number", next_step="write it in quotes if it is meant as text")
    for each in sorted(modifiers - _ANY):
        needed, fits = _needs(each, value)
        if not fits:
            next_step = "write it in quotes" if needed == "text" and value is not None else ""
            raise CatalogError(f"|{each} takes {needed}, not {_shown(value)}", next_step=next_step)
    if "re" in modifiers:
        try:
            engine.compile(value)
        except (re2.error, UnicodeError) as error:
            why = error.args[0]
            said = why.decode("utf-8", "replace") if isinstance(why, bytes) else str(error)
            raise CatalogError(
                f"the regular expression {value!r} is refused: {said}",
                causes=(f"RE2 runs it: {_LOOKING}",),
                next_step="write it without, or as several tests of the field",
            ) from error


def _needs(modifier: str, value: Any) -> tuple[str, bool]:
    if modifier in _NUMBER:
        return "a number", isinstance(value, int | float) and not isinstance(value, bool)
    if modifier == "exists":
        return "true or false", isinstance(value, bool)
    return "text", isinstance(value, str)


def _shown(value: Any) -> str:
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return f"the text {value!r}" if isinstance(value, str) else f"the number {value}"
