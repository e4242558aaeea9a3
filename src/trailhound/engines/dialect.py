"""The SQL we write: a portable subset of DuckDB's dialect, made of a few primitives.

Everything a rule, a search or a question needs beyond plain SQL goes through a function here, so
that another engine is another file of this size. Column expressions are trusted text of our own;
values are always quoted by `literal` or bound as parameters.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any, Literal

TimeUnit = Literal["minute", "hour", "day", "week", "month", "year"]

_OCTET = "(25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
_IPV4 = rf"{_OCTET}\.{_OCTET}\.{_OCTET}\.{_OCTET}"
_NUMBER = r"-?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?"


def identifier(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def literal(value: Any) -> str:
    """A constant. Strings keep every character, NUL too."""
    if value is None:
        return "NULL"
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, int | float):
        return repr(value)
    return "'" + str(value).replace("'", "''") + "'"


def listed(values: Iterable[Any]) -> str:
    """What stands between the brackets of IN; of no values it is NULL, in which nothing is."""
    return ", ".join(map(literal, values)) or "NULL"


def column(path: str) -> str:
    """`actor.user.uid` → `"actor"."user"."uid"`."""
    return ".".join(identifier(part) for part in path.split("."))


def fold(text: str) -> str:
    """What the engine's `lower` makes of `text`, so that a constant is folded once and not per row.

    One character stays one character: neither İ nor a final Σ is treated as Python would.
    """
    return "".join(character.lower()[0] for character in text)


def equals(expression: str, value: str) -> str:
    """Case-insensitive, never NULL."""
    return f"coalesce(lower({expression}) = {literal(fold(value))}, FALSE)"


def one_of(expression: str, values: Sequence[str]) -> str:
    """Equality with any of the values, as they are; never NULL."""
    return (
        f"coalesce({expression} = {listed(values)}, FALSE)"
        if len(values) == 1
        else f"coalesce({expression} IN ({listed(values)}), FALSE)"
    )


def matches(expression: str, pattern: str) -> str:
    """Case-insensitive LIKE with `!` as escape; build `pattern` with `like_escape`."""
    return f"coalesce(lower({expression}) LIKE {literal(fold(pattern))} ESCAPE '!', FALSE)"


def like(expression: str, pattern: str) -> str:
    """LIKE with `!` as escape, case as it is; never NULL."""
    return f"coalesce({expression} LIKE {literal(pattern)} ESCAPE '!', FALSE)"


def like_escape(text: str) -> str:
    return re.sub(r"([!%_])", r"!\1", text)


def regex(expression: str, pattern: str) -> str:
    """RE2 search anywhere; flags go inline: `(?i)`."""
    return f"coalesce(regexp_matches({expression}, {literal(pattern)}), FALSE)"


def full_regex(expression: str, pattern: str) -> str:
    """RE2 match of the whole value; never NULL."""
    return f"coalesce(regexp_full_match({expression}, {literal(pattern)}), FALSE)"


def regex_escape(text: str) -> str:
    r"""Only what RE2 gives a meaning to: it refuses escapes that it does not know."""
    return re.sub(r"([\\.+*?()|\[\]{}^$])", r"\\\1", text)


def between_hex(expression: str, low: str, high: str) -> str:
    """CIDR membership over `src_ip_hex`."""
    return f"coalesce({expression} BETWEEN {literal(low)} AND {literal(high)}, FALSE)"


def ipv4_hex(expression: str) -> str:
    """Dotted-quad text in the form of `src_ip_hex`; NULL for any other text."""
    octets = ", ".join(f"CAST(split_part({expression}, '.', {place}) AS INTEGER)" for place in range(1, 5))
    mapped = f"printf('00000000000000000000ffff%02x%02x%02x%02x', {octets})"
    return f"CASE WHEN regexp_full_match({expression}, {literal(_IPV4)}) THEN {mapped} END"


def json_text(expression: str, path: str) -> str:
    """The scalar at a JSON path, as text; NULL when absent."""
    return f"json_extract_string({expression}, {literal(path)})"


def json_values(expression: str, keys: Sequence[str]) -> str:
    """List of the texts at a path of object keys; lists on the way and at its end are walked through.

    JSON null gives NULL, an object its JSON text. What is not JSON is an error: see `lenient`.
    """
    *parents, last = keys
    nodes = ""
    for key in parents:
        nodes = _children(nodes, expression, key, "json_extract")
    return _children(nodes, expression, last, "json_extract_string")


def _children(nodes: str, root: str, key: str, extract: str) -> str:
    node = "node" if nodes else root
    path = f'$."{key}"'
    children = (
        f"CASE json_type({node}, {literal(path)}) WHEN 'ARRAY' THEN {extract}({node}, {literal(path + '[*]')})"
        f" ELSE [{extract}({node}, {literal(path)})] END"
    )
    return f"flatten(list_transform({nodes}, lambda node: {children}))" if nodes else children


# A principal of a statement, as an object, a list or text.
_PRINCIPAL = r'(?i)"Principal"\s*:\s*(?:\{[^{}]*\}|"[^"]*"|\[[^\]]*\])'


def admitted_accounts(expression: str, own: str) -> str:
    """List of the account ids, but for `own`, that are principals in policies within a JSON text, however deep as text.

    Those of a statement that denies are among them: what says so is text, too, and can be made to look so.
    """
    spaced = f"regexp_replace({expression}, {literal(chr(92) * 2 + '+[nrt]')}, ' ', 'g')"
    text = f"replace({spaced}, {literal(chr(92))}, '')"
    principals = f"array_to_string(regexp_extract_all({text}, {literal(_PRINCIPAL)}), ' ')"
    accounts = f"list_distinct(regexp_extract_all({principals}, {literal(chr(92) + 'b[0-9]{12}' + chr(92) + 'b')}))"
    return f"list_filter({accounts}, lambda account: account IS DISTINCT FROM {own})"


def lenient(condition: str) -> str:
    """FALSE where evaluating `condition` fails: one row of broken JSON must not end a query over all."""
    return f"coalesce(TRY({condition}), FALSE)"


def number(expression: str) -> str:
    """A number, or text that is one as JSON writes them; NULL otherwise, so that "nan" is not above everything."""
    text = f"CAST({expression} AS VARCHAR)"
    return f"CASE WHEN regexp_full_match({text}, {literal(_NUMBER)}) THEN TRY_CAST({expression} AS DOUBLE) END"


def milliseconds(expression: str) -> str:
    """Text of a date and time as epoch milliseconds; NULL when it is none."""
    return f"epoch_ms(TRY_CAST({expression} AS TIMESTAMPTZ))"


def time_text(expression: str) -> str:
    """Epoch milliseconds in the form of `eventTime`."""
    return f"strftime(make_timestamp_ms({expression}), '%Y-%m-%dT%H:%M:%SZ')"


def time_part(expression: str, unit: TimeUnit) -> str:
    """Minute, hour, day of the month, ISO week, month or year (UTC) of epoch milliseconds."""
    return f"date_part({literal(unit)}, make_timestamp_ms({expression}))"


def any_element(elements: str, condition: str, item: str = "item") -> str:
    """Does `condition`, over `item`, hold for any element of a list? Never NULL."""
    return f"coalesce(len(list_filter({elements}, lambda {item}: {condition})) > 0, FALSE)"


def unnest(elements: str, table: str) -> str:
    """A list as a table of one column, `item`, to be joined laterally."""
    return f"unnest({elements}) AS {identifier(table)}(item)"
