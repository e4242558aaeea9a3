"""YAML packs → typed specs. Every complaint has file and line.

A pack is a folder of data; what a spec means is known by the stage that runs it. This module only
reads: text → documents → `msgspec` structs.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import yaml

from trailhound.errors import CatalogError

PACKS = Path(__file__).parent / "packs"
LARGEST = 16 << 20  # bytes of a file
DEEPEST = 64  # levels of lists and mappings
MOST = 1_000_000  # values of a document, its aliases written out
Spec = TypeVar("Spec")


class _Loader(yaml.CSafeLoader):
    """Booleans as in YAML 1.2: `yes` and `no` are words, and answers, and Norway stays a country."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:bool"]
    for first, resolvers in _Loader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:bool", re.compile(r"^(?:true|True|TRUE|false|False|FALSE)$"), list("tTfF")
)


def files(pack: str, *, suffixes: tuple[str, ...] = (".yml", ".yaml")) -> list[Path]:
    """Files of a built-in pack, by name: `files("rules")`."""
    return find(PACKS / pack, suffixes=suffixes)


def find(path: Path, *, suffixes: tuple[str, ...] = (".yml", ".yaml")) -> list[Path]:
    """YAML files at or below `path`, sorted, so that the order never depends on the file system."""
    if path.is_file():
        return [path]
    if not path.is_dir():
        raise CatalogError("there is no such pack", where=str(path), next_step="name a YAML file or a folder of them")
    return sorted(p for p in path.rglob("*") if p.suffix in suffixes)


def text(path: Path) -> str:
    """What stands in a YAML file, safe to be parsed: whoever wrote it, it is no larger and no deeper than can be read."""
    try:
        if path.exists() and not (path.is_file() or path.is_dir()):  # a pipe would wait for ever
            raise CatalogError("not a file", where=str(path))
        if path.stat().st_size > LARGEST:
            raise CatalogError(f"the file is larger than {LARGEST >> 20} MiB", where=str(path))
        found = path.read_text("utf-8-sig")
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise CatalogError("not UTF-8", where=f"{path}:{line}", next_step="save the file as UTF-8") from error
    except OSError as error:
        raise CatalogError(f"cannot be read: {error.strerror}", where=f"{path}:1") from error
    if PACKS not in path.parents:  # our own are read at every start, and hold nothing of the kind
        _check_bounds(path, found)
    return found


def _check_bounds(path: Path, found: str) -> None:
    """Before anything that recurses sees the text: how deep it is, and how much with its aliases written out, for a
    few lines can stand for billions.
    """
    named: dict[str, _Bulk] = {}  # by anchor
    whole = _Bulk()
    open_: list[tuple[str, _Bulk]] = []
    with suppress(yaml.YAMLError):  # whoever reads it stops at the same place, after the documents before it
        for event in yaml.parse(found, Loader=yaml.CSafeLoader):
            anchor = getattr(event, "anchor", None) or ""
            around = open_[-1][1] if open_ else whole
            if isinstance(event, yaml.CollectionStartEvent):
                open_.append((anchor, _Bulk()))
            elif isinstance(event, yaml.CollectionEndEvent):
                name, made = open_.pop()
                named[name] = made
                around = open_[-1][1] if open_ else whole
                around.add(made)
            elif isinstance(event, yaml.AliasEvent):
                around.add(named.get(anchor, _Bulk()))
            elif isinstance(event, yaml.ScalarEvent):
                around.add(_Bulk())
            else:
                whole = _Bulk()  # a document begins or ends
            if len(open_) > DEEPEST or around.height > 2 * DEEPEST:
                raise CatalogError(f"nested more than {DEEPEST} levels deep", where=_at(path, event))
            if around.size > MOST:
                raise CatalogError(f"its aliases stand for more than {MOST:,} values", where=_at(path, event))


class _Bulk:
    """How much a value is, and how far it reaches down, with its aliases written out."""

    def __init__(self) -> None:
        self.size = self.height = 1

    def add(self, other: _Bulk) -> None:
        self.size += other.size
        self.height = max(self.height, other.height + 1)


def _at(path: Path, event: yaml.Event) -> str:
    return f"{path}:{event.start_mark.line + 1 if event.start_mark else 1}"


def documents(path: Path) -> list[Any]:
    """All YAML documents of a file, as plain data."""
    try:
        return [d for d in yaml.load_all(text(path), Loader=_Loader) if d is not None]
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise CatalogError(f"not YAML: {error.problem}", where=f"{path}:{line}") from error
    except yaml.YAMLError as error:
        raise CatalogError(f"cannot be read: {error}", where=str(path)) from error


def load(path: Path, spec: type[Spec]) -> Spec:
    """One document as `spec`; unknown keys are complaints when the struct forbids them."""
    found = documents(path)
    if len(found) != 1:
        raise CatalogError(f"expected one YAML document, found {len(found)}", where=str(path))
    return convert(found[0], spec, path)


def convert(data: Any, spec: type[Spec], path: Path, document: int = 0) -> Spec:
    """Plain data as `spec`; a complaint names the line the faulty value stands on."""
    try:
        return msgspec.convert(data, spec)
    except msgspec.ValidationError as error:
        message, _, where = str(error).partition(" - at `")
        keys = re.findall(r"\.([^.\[\]`]+)|\[(\d+|\.\.\.)\]", where)
        line = _line(path, document, [name or index for name, index in keys])
        raise CatalogError(
            message, where=f"{path}:{line}", next_step="see docs/reference for the keys of this file"
        ) from error


def _line(path: Path, document: int, keys: list[str]) -> int:
    node = next((n for position, n in enumerate(_compose(path)) if position == document), None)
    line = 1
    for key in [None, *keys]:
        node = _child(node, key) if key is not None and node is not None else node
        if node is None:
            break
        line = node.start_mark.line + 1
    return line


def _compose(path: Path) -> Iterator[yaml.Node]:
    return (node for node in yaml.compose_all(path.read_text("utf-8"), Loader=yaml.SafeLoader) if node is not None)


def _child(node: yaml.Node, key: str) -> yaml.Node | None:
    if isinstance(node, yaml.MappingNode):
        return next((value for name, value in node.value if name.value == key), None)
    if isinstance(node, yaml.SequenceNode) and key.isdigit() and int(key) < len(node.value):
        return node.value[int(key)]
    return None
