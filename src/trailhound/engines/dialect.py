"""The SQL we write: a portable subset of DuckDB's dialect, made of a few primitives.

Everything a rule, a search or a question needs beyond plain SQL goes through a function here, so
that another engine is another file of this size. Column expressions are trusted text of our own;
values are always quoted by `literal` or bound as parameters.
"""

from __future__ import annotations

import re
from typing import Any


def identifier(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def literal(value: Any) -> str:
    """A constant. Strings keep every character; NUL is refused by the engine itself."""
    if value is None:
        return "NULL"
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, int | float):
        return repr(value)
    return "'" + str(value).replace("'", "''") + "'"


def column(path: str) -> str:
    """`actor.user.uid` → `"actor"."user"."uid"`."""
    return ".".join(identifier(part) for part in path.split("."))


def equals(expression: str, value: str) -> str:
    """Case-insensitive, never NULL."""
    return f"coalesce(lower({expression}) = {literal(value.lower())}, FALSE)"


def matches(expression: str, pattern: str) -> str:
    """Case-insensitive LIKE with `!` as escape; build `pattern` with `like_escape`."""
    return f"coalesce(lower({expression}) LIKE {literal(pattern.lower())} ESCAPE '!', FALSE)"


def like_escape(text: str) -> str:
    return re.sub(r"([!%_])", r"!\1", text)


def regex(expression: str, pattern: str) -> str:
    """RE2 search anywhere; flags go inline: `(?i)`."""
    return f"coalesce(regexp_matches({expression}, {literal(pattern)}), FALSE)"


def between_hex(expression: str, low: str, high: str) -> str:
    """CIDR membership over `src_ip_hex`."""
    return f"coalesce({expression} BETWEEN {literal(low)} AND {literal(high)}, FALSE)"


def json_text(expression: str, path: str) -> str:
    """The scalar at a JSON path, as text; NULL when absent."""
    return f"json_extract_string({expression}, {literal(path)})"
