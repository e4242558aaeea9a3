"""Search: an expression over all events → SQL → events, groups or a histogram."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Sequence
from functools import reduce
from typing import Any, Literal, NamedTuple, NoReturn

import msgspec

from trailhound.engines import dialect
from trailhound.engines.duckdb import DuckDB, Rows
from trailhound.errors import QueryError, RequestError
from trailhound.lake import expression as language
from trailhound.lake import fields, times
from trailhound.lake.expression import And, Comparison, During, Node, Not, Or, Present, Recent, Text, Value
from trailhound.lake.places import Index, Places, both, condition, either
from trailhound.vocab import aws

_BUCKETS = tuple(map(times.duration, ("1s", "10s", "1m", "5m", "15m", "1h", "6h", "1d", "7d", "28d", "365d")))
_MAX_BUCKETS = 60
_YEAR_10000 = times.interval("9999-12-31").end
_CALL = re.compile(r"[A-Z][a-z]+\w*")  # looks like the name of one, and like no eventID
_YES_NO = {"yes": True, "true": True, "no": False, "false": False}


class Filter(NamedTuple):
    where: str  # a condition over `events`, never NULL
    since: int | None  # no event outside since <= time < until can match, epoch milliseconds
    until: int | None


class SearchResult(msgspec.Struct, frozen=True):
    """What a search found.

    `rows` are, newest first, the events themselves (nested as in the table); or with `group_by`, largest first,
    one row a group: its values, `events`, `first_time`, `last_time`; or with `timeline` one row a bucket, empty
    ones too: `start`, `end`, `events`.
    """

    kind: Literal["events", "groups", "timeline"]
    rows: Rows
    matched: int  # events that match, of which `rows` may show but the first
    newest_time: int | None  # of the whole lake: what "last 7d" counts back from
    group_by: tuple[str, ...] = ()


def compile_filter(expression: str, *, newest_ms: int | None, index: Index | None = None) -> Filter:
    """Raises QueryError with a mark under what is not understood. An index narrows what is read, not what is found.

    `newest_ms` is the time of the newest event: `last 7d` counts back from it, not from the wall clock, because
    the logs of an incident are read long after it. None: there is no event.
    """
    compiler = _Compiler(expression, newest_ms)
    tree = language.parse(expression)
    where = compiler.condition(tree)
    since, until = compiler.bounds(tree)
    days = [  # the partition column, so that files of other days are not opened
        f"{dialect.column('event_day')} {sign} {dialect.literal(times.day(limit))}"
        for sign, limit in ((">=", since), ("<=", until))
        if limit is not None and 0 <= limit < _YEAR_10000
    ]
    places = compiler.places(tree, index) if index else None
    narrowed = [] if places is None else [condition(places)]
    return Filter(" AND ".join([*days, *narrowed, where]), since, until)


def search(
    engine: DuckDB,
    expression: str,
    *,
    limit: int = 100,
    group_by: Sequence[str] = (),
    timeline: bool = False,
    index: Index | None = None,
) -> SearchResult:
    """Run `expression` over the engine's `events`; `group_by` takes names of fields."""
    if group_by and timeline:
        raise RequestError("a search is grouped or laid along time, not both", next_step="leave out one of the two")
    if limit < 1:
        raise RequestError(f"a search of {limit} events finds nothing", next_step="let the limit be 1 or more")
    newest = _newest(engine, index.newest_day if index else "")
    where = compile_filter(expression, newest_ms=newest, index=index).where
    span = engine.query(f"SELECT count(*) AS n, min(time) AS first, max(time) AS last FROM events WHERE {where}")[0]
    if timeline:
        rows = _timeline(engine, where, span)
    elif group_by:
        rows = _groups(engine, where, group_by, limit)
    else:
        rows = engine.query(
            f"SELECT * EXCLUDE (time_dt, event_day) FROM events WHERE {where} "
            f'ORDER BY time DESC, "metadata"."uid" LIMIT {int(limit)}'
        )
    kind = "timeline" if timeline else "groups" if group_by else "events"
    return SearchResult(kind, rows, span["n"], newest, tuple(group_by))


def _newest(engine: DuckDB, day: str) -> int | None:
    """Of the newest day, where it is known, for all files would be opened otherwise."""
    latest = "SELECT max(time) AS newest FROM events"
    of_day = engine.query(f"{latest} WHERE event_day = {dialect.literal(day)}")[0]["newest"] if day else None
    return engine.query(latest)[0]["newest"] if of_day is None else of_day


def _groups(engine: DuckDB, where: str, group_by: Sequence[str], limit: int) -> Rows:
    keys, source, words = [], "matched", {}
    for position, name in enumerate(group_by):
        field = fields.resolve(name)
        words[name] = {number: word for word, number in field.words.items()}
        first = field.operands[0]
        if first.among:  # an event with several resources counts in the group of each
            source += f" LEFT JOIN {dialect.unnest(first.among, f'list_{position}')} ON TRUE"
            key = f"list_{position}.{first.sql}"
        else:
            key = f"coalesce({', '.join(operand.sql for operand in field.operands)})"
        keys.append(f"{key} AS {dialect.identifier(name)}")
    named = ", ".join(dialect.identifier(name) for name in group_by)
    rows = engine.query(
        f"WITH matched AS (SELECT * FROM events WHERE {where}), "
        f'keyed AS (SELECT DISTINCT {", ".join(keys)}, time, "metadata"."uid" AS event_uid FROM {source}) '
        f"SELECT {named}, count(*) AS events, min(time) AS first_time, max(time) AS last_time "
        f"FROM keyed GROUP BY {named} ORDER BY events DESC, {named} LIMIT {int(limit)}"
    )
    return [{name: words.get(name, {}).get(value, value) for name, value in row.items()} for row in rows]


def _timeline(engine: DuckDB, where: str, span: dict[str, Any]) -> Rows:
    if not span["n"]:
        return []
    first, last = span["first"], span["last"]
    width = next((w for w in _BUCKETS if (last - first) // w < _MAX_BUCKETS), _BUCKETS[-1])
    start = first - first % width
    bucket = f"time - time % {width}"
    counted = engine.query(f"SELECT {bucket} AS start, count(*) AS n FROM events WHERE {where} GROUP BY start")
    counts = {row["start"]: row["n"] for row in counted}
    starts = range(start, last + 1, width)
    return [{"start": moment, "end": moment + width, "events": counts.get(moment, 0)} for moment in starts]


class _Compiler:
    """Tree → SQL. Every condition is two-valued: what is absent is not equal, so `not` needs no NULL rules."""

    def __init__(self, expression: str, newest_ms: int | None) -> None:
        self.expression = expression
        self.newest = newest_ms

    def condition(self, node: Node) -> str:
        match node:
            case And(nodes):
                return "(" + " AND ".join(map(self.condition, nodes)) + ")" if nodes else "TRUE"
            case Or(nodes):
                return "(" + " OR ".join(map(self.condition, nodes)) + ")"
            case Not(inner):
                return f"NOT {self.condition(inner)}"
            case Text(text, place):
                if place is not None:
                    self._refuse_colon(text, place)
                return dialect.matches(dialect.column("raw_data"), f"%{dialect.like_escape(text)}%")
            case Recent() | During():
                return self._during(*self.bounds(node))
            case Present(name, place):
                field = self._resolve(name, place)
                return _any(field, lambda sql: f"({sql} IS NOT NULL)")
            case Comparison():
                return self._comparison(node)

    def places(self, node: Node, index: Index) -> Places | None:
        """The days and calls outside of which nothing can match; None when the index cannot tell."""
        match node:
            case And(nodes):
                return reduce(both, (self.places(inner, index) for inner in nodes), None)
            case Or(nodes):
                return reduce(either, (self.places(inner, index) for inner in nodes))
            case Text(text):
                return index.within(text)
            case Comparison(name, "=" | "in", values, place):
                field = self._resolve(name, place)
                if not all(value.text and index.holds(operand) for operand in field.operands for value in values):
                    return None
                return reduce(either, (self._place(field, value, index) for value in values))
            case _:
                return None

    def _place(self, field: fields.Field, value: Value, index: Index) -> Places | None:
        network = _network(value.text) if field.kind == "address" else None
        if network is None:
            return index.equal(value.text + (field.suffix if "." not in value.text else ""))
        written = aws.address(str(network[0])) if network.num_addresses == 1 else None
        return index.equal(written[0]) if written else None

    def bounds(self, node: Node) -> tuple[int | None, int | None]:
        """The smallest interval of time outside of which nothing can match."""
        match node:
            case During(start, end):
                return start, end
            case Recent(duration):
                return (None if self.newest is None else self.newest - duration), None
            case And(nodes):
                starts, ends = zip(*map(self.bounds, nodes), strict=True) if nodes else ((), ())
                return (
                    max((s for s in starts if s is not None), default=None),
                    min((e for e in ends if e is not None), default=None),
                )
            case Or(nodes):
                starts, ends = zip(*map(self.bounds, nodes), strict=True)
                return (None if None in starts else min(starts)), (None if None in ends else max(ends))
            case _:
                return None, None

    def _during(self, start: int | None, end: int | None) -> str:
        limits = [f"time {sign} {limit}" for sign, limit in ((">=", start), ("<", end)) if limit is not None]
        return "(" + " AND ".join(limits or ["TRUE"]) + ")"

    def _refuse_colon(self, word: str, place: int) -> None:
        """`op:StopLogging`, as other tools write it, would be looked for as text and found nowhere."""
        head, colon, value = word.partition(":")
        name = fields.named(head)
        if colon and (name or not (head or ":" in value)):
            meant = f"did you mean {name or 'op'}={value or '...'}?"
            language.complain(
                self.expression,
                place + len(head),
                "a colon compares nothing",
                next_step=f"{meant} To search for the text itself, put it in quotes",
            )

    def _comparison(self, node: Comparison) -> str:
        field = self._resolve(node.field, node.place)
        for value in node.values if field.name == "event" else ():
            if not value.quoted and _CALL.fullmatch(value.text):
                self._complain(value, "event is the eventID", next_step=f"did you mean op={value.text}?")
        if node.operator == "!=":
            return f"NOT {self._equals(field, node.values[0])}"
        if node.operator == "=":
            return self._equals(field, node.values[0])
        if node.operator == "in":
            return "(" + " OR ".join(self._member(field, value) for value in node.values) + ")"
        if node.operator == "~":
            return self._glob(field, node.values[0])
        return self._order(field, node.operator, node.values[0])

    def _resolve(self, name: str, place: int) -> fields.Field:
        try:
            return fields.resolve(name)
        except QueryError as error:
            language.complain(self.expression, place, error.what, causes=error.causes, next_step=error.next_step)

    def _equals(self, field: fields.Field, value: Value) -> str:
        if field.kind == "number":
            number = self._number(field, value)
            return _any(field, lambda sql: f"coalesce({sql} = {number}, FALSE)")
        if field.kind in ("yes_no", "word"):
            words = field.words or _YES_NO
            if value.text.lower() not in words:
                self._complain(value, f"{field.name} is one of: {', '.join(words)}")
            wanted = dialect.literal(words[value.text.lower()])
            return _any(field, lambda sql: f"coalesce({sql} = {wanted}, FALSE)")
        if "*" in value.text and not value.quoted:
            self._complain(
                value,
                "= compares the whole value, and a star is a star to it",
                next_step=f"for a pattern write {field.name}~{value.text}, for a star put it in quotes",
            )
        if field.kind == "address" and (address := _network(value.text)) and address.num_addresses == 1:
            return _within(address)
        text = value.text + field.suffix if field.suffix and "." not in value.text else value.text
        return _any(field, lambda sql: dialect.equals(sql, text))

    def _member(self, field: fields.Field, value: Value) -> str:
        network = _network(value.text)
        if network and field.kind == "address":
            return _within(network)
        if network and "/" in value.text and not value.quoted:
            self._complain(
                value,
                f"{field.name} holds no addresses, so no network can contain it",
                next_step="networks are for ip; put the value in quotes to compare it as text",
            )
        return self._equals(field, value)

    def _glob(self, field: fields.Field, value: Value) -> str:
        if field.kind not in ("text", "address"):
            self._complain(
                value, f"{field.name} holds no text for a pattern to match", next_step=f"write {field.name}="
            )
        written = aws.address(value.text) if field.kind == "address" else None
        pattern = _like(written[0] if written else value.text)
        return _any(field, lambda sql: dialect.matches(sql, pattern))

    def _order(self, field: fields.Field, operator: str, value: Value) -> str:
        if field.kind not in ("text", "number"):
            self._complain(value, f"{field.name} cannot be ordered", next_step=f"write {field.name}= or {field.name}!=")
        number = self._number(field, value)
        return _any(field, lambda sql: f"coalesce({dialect.number(sql)} {operator} {number}, FALSE)")

    def _number(self, field: fields.Field, value: Value) -> str:
        if not re.fullmatch(r"[+-]?\d{1,18}(\.\d{1,9})?", value.text, re.ASCII):
            next_step = "write since 2020-11-01, until 2020-11-06 or last 7d" if field.name == "time" else ""
            self._complain(value, f"{field.name} is compared as a number, and this is none", next_step=next_step)
        return value.text.removeprefix("+")

    def _complain(self, value: Value, what: str, *, next_step: str = "") -> NoReturn:
        language.complain(self.expression, value.place, what, next_step=next_step)


def _any(field: fields.Field, holds: Callable[[str], str]) -> str:
    conditions = [
        dialect.any_element(operand.among, holds(operand.sql)) if operand.among else holds(operand.sql)
        for operand in field.operands
    ]
    return "(" + " OR ".join(conditions) + ")"


def _network(text: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network | None:
    address, slash, width = text.partition("/")
    written = aws.address(address)  # `201.252.42.03`, as a record may have it, is one
    try:
        return ipaddress.ip_network(f"{written[0] if written else address}{slash}{width}", strict=False)
    except ValueError:
        return None


def _within(network: ipaddress.IPv4Network | ipaddress.IPv6Network) -> str:
    prefix = "ffff" if network.version == 4 else ""
    low, high = (f"{prefix}{int(a):0{8 if prefix else 32}x}".rjust(32, "0") for a in (network[0], network[-1]))
    return dialect.between_hex(dialect.column("src_ip_hex"), low, high)


def _like(glob: str) -> str:
    """`*` is any text, `?` one character, a backslash takes their meaning; with neither, anywhere in the value."""
    parts = re.findall(r"\\[*?\\]|.", glob, re.DOTALL)
    wild = {"*": "%", "?": "_"}
    pattern = "".join(wild.get(part) or dialect.like_escape(part[-1]) for part in parts)
    return pattern if any(part in wild for part in parts) else f"%{pattern}%"
