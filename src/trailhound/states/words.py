"""Values of attributes as people read them. What stands in them was written by callers: whoever prints it escapes it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from trailhound.states.state import Value


def said(one: Value) -> str:
    """On one line: `production`, `none`, `a=1, b=2; the rest is unknown`."""
    if one.known == "unknown":
        return "unknown"
    if one.known == "known":
        return text(one.value)
    without = f"without {text(list(one.not_in))}" if one.not_in else ""
    return f"{', '.join(filter(None, (text(one.value) if one.value else '', without)))}; the rest is unknown"


def text(value: Any) -> str:
    if value is None or value in ([], {}):
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, str):
        return value
    if isinstance(value, list) and all(isinstance(one, str) for one in value):
        return ", ".join(value)
    if isinstance(value, Mapping) and all(isinstance(one, str | bool) for one in value.values()):
        return ", ".join(f"{key}={text(one)}" if one != "" else key for key, one in value.items())
    return json.dumps(value, ensure_ascii=False, sort_keys=True)
