"""What a name in a search means: a short name, a column of the events table, or a path into the record."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Literal, NamedTuple

import msgspec

from trailhound import catalog
from trailhound.engines import dialect
from trailhound.errors import QueryError
from trailhound.lake.attribution import ATTRIBUTED
from trailhound.ocsf.schema import BY_PATH, BY_SOURCE, RESOURCE_FIELDS

Kind = Literal["text", "address", "number", "yes_no", "word"]


class ShortName(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    name: str
    columns: tuple[str, ...]
    meaning: str
    example: str
    kind: Kind = "text"
    aliases: tuple[str, ...] = ()
    words: dict[str, int] = {}
    suffix: str = ""


class Names(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The one table of names: the search, its error messages and its documentation read it."""

    short_names: tuple[ShortName, ...]
    record_fields: tuple[str, ...]
    meant: dict[str, str]  # a name that others give → what to write here


class Operand(NamedTuple):
    """SQL of one value of an event; with `among`, of one element `item` of that list."""

    sql: str
    among: str = ""


class Field(NamedTuple):
    name: str
    operands: tuple[Operand, ...]  # a comparison holds when it holds for any of them
    kind: Kind
    words: Mapping[str, int] = MappingProxyType({})
    suffix: str = ""


_COLUMNS = BY_PATH | {column.path: column for column in ATTRIBUTED}
_KINDS: dict[str, Kind] = {"bigint": "number", "int": "number", "boolean": "yes_no"}
_STEP = re.compile(r"([\w:\-]+)((?:\[(?:\d+|\*)\])*)")


@cache
def names() -> Names:
    return catalog.load(Path(__file__).with_name("search_fields.yml"), Names)


def resolve(name: str) -> Field:
    """Raises QueryError, naming the nearest known names, when there is no such field."""
    for short in names().short_names:
        if name in (short.name, *short.aliases):
            operands = tuple(operand for path in short.columns for operand in _column(path).operands)
            return Field(short.name, operands, short.kind, short.words, short.suffix)
    if name in BY_SOURCE:
        return _column(BY_SOURCE[name].path)._replace(name=name)
    if name in _COLUMNS or _resource_member(name):
        return _column(name)
    if re.split(r"[.\[]", name, maxsplit=1)[0] in names().record_fields:
        return Field(name, (_json(name),), "text")
    raise _unknown(name)


def named(text: str) -> str:
    """The field that this is the name of, in any case and by what others call it; "" when of none."""
    head = re.split(r"[.\[]", text, maxsplit=1)[0]
    if head in names().record_fields:
        return text
    return _spellings().get(text.lower(), "")


@cache
def _spellings() -> Mapping[str, str]:
    """In lower case → as it is written; the short names win."""
    paths = (*_COLUMNS, *names().record_fields)
    short = {name: short.name for short in names().short_names for name in (*short.aliases, short.name)}
    meant = {name: field for name, field in names().meant.items() if field in short}
    return {name.lower(): field for name, field in ({path: path for path in paths} | meant | short).items()}


def _column(path: str) -> Field:
    if member := _resource_member(path):
        return Field(path, (Operand(f"item.{dialect.identifier(member)}", dialect.column("resources")),), "text")
    kind = _COLUMNS[path].type
    if kind == "timestamp":
        raise QueryError(f"{path} is searched by time", next_step="write since 2020-11-01, until 2020-11-06 or last 7d")
    if kind == "resources":
        raise QueryError(f"{path} has members", next_step="write resource= or type=, or resources.uid=")
    if kind == "strings":
        return Field(path, (Operand("item", dialect.column(path)),), "text")
    return Field(path, (Operand(dialect.column(path)),), _KINDS.get(kind, "text"))


def _resource_member(path: str) -> str:
    head, _, member = path.partition(".")
    return member if head == "resources" and member in dict(RESOURCE_FIELDS) else ""


def _json(name: str) -> Operand:
    """A path into the record. `[*]` is any element of a list, `[0]` the first."""
    head, _, rest = name.partition(".")
    source, path = (BY_SOURCE[head].path, rest) if head in BY_SOURCE and rest else ("raw_data", name)
    steps = [_STEP.fullmatch(step) for step in path.split(".")]
    if not all(steps):
        raise QueryError(
            f"{name} is not a path into the record", next_step="put dots between names; [0] or [*] for lists"
        )
    quoted = "$" + "".join(f'."{step[1]}"{step[2]}' for step in steps if step)
    text = dialect.json_text(dialect.column(source), quoted)
    return Operand("item", text) if "[*]" in path else Operand(text)


def _unknown(name: str) -> QueryError:
    if meant := names().meant.get(name.lower()):
        return QueryError(f"there is no field {name!r}", next_step=f"write {meant}")
    known = [short.name for short in names().short_names]
    return QueryError(
        f"there is no field {name!r}",
        causes=("a misspelt name",),
        next_step=f"{_nearest(name)}the short names are {', '.join(known)}; any column of the events table and any path "
        "into the record (requestParameters.bucketName) will do too",
    )


def _nearest(name: str) -> str:
    spellings = _spellings()
    near = difflib.get_close_matches(name.lower(), spellings, n=3, cutoff=0.7)
    return f"did you mean {' or '.join(dict.fromkeys(spellings[found] for found in near))}? " if near else ""
