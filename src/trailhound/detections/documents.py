"""YAML files of rules → documents that remember their lines."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

import msgspec
import yaml

from trailhound import catalog
from trailhound.detections.baselines.baseline import Baseline
from trailhound.errors import CatalogError
from trailhound.model import Level

Kind = Literal["rule", "correlation", "filter", "baseline"]

_OCTAL = re.compile(r"0\d+")
_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class Extension(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Our own key in a rule, `trailhound`; other tools ignore it."""

    title: str = ""  # of findings: "{principal} terminated {count} production instances within {window}"
    episode: str = "1h"  # events of one actor further apart than this are two findings


class Header(msgspec.Struct, frozen=True):
    """What every kind of document has, so that a value of the wrong type is a complaint with its line."""

    title: str
    id: uuid.UUID | None = None
    name: str = ""
    description: str = ""
    level: Level | None = None
    tags: list[str] | None = None
    falsepositives: list[str] | None = None
    references: list[str] | None = None
    author: str = ""
    license: str = ""
    logsource: dict[str, Any] | None = None
    detection: dict[str, Any] | None = None
    correlation: dict[str, Any] | None = None
    filter: dict[str, Any] | None = None
    baseline: Baseline | None = None
    trailhound: Extension = Extension()


class Document(msgspec.Struct, frozen=True):
    path: Path
    kind: Kind
    header: Header
    data: dict[str, Any]
    node: yaml.MappingNode

    @property
    def line(self) -> int:
        return self.node.start_mark.line + 1

    def line_of(self, *keys: str) -> int:
        """Line of a key below the document; of the deepest parent there is, when it is not."""
        node: yaml.Node = self.node
        line = self.line
        for key in keys:
            entry = next((pair for pair in _pairs(node) if pair[0].value == key), None)
            if entry is None:
                return line
            line, node = entry[0].start_mark.line + 1, entry[1]
        return line


def read(path: Path) -> tuple[list[Document], list[CatalogError]]:
    """All documents of a file, and a complaint for each that is none."""
    found: list[Document] = []
    faults: list[CatalogError] = []
    try:
        for position, (node, data) in enumerate(_compose(path)):
            if data is None:
                continue
            try:
                found.append(_document(path, position, node, data))
            except CatalogError as error:
                faults.append(error)
    except CatalogError as error:
        faults.append(error)
    return found, faults


def _compose(path: Path) -> Iterator[tuple[yaml.Node, Any]]:
    try:
        loader = _Loader(path.read_text("utf-8"))
        while loader.check_node():
            node = loader.get_node()
            if node is not None:
                yield node, loader.construct_document(node)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise CatalogError(f"not YAML: {error.problem}", where=f"{path}:{line}") from error
    except (OSError, UnicodeDecodeError, yaml.YAMLError, ValueError, RecursionError) as error:
        raise CatalogError(f"cannot be read: {error}", where=str(path)) from error


def _document(path: Path, position: int, node: yaml.Node, data: Any) -> Document:
    if not isinstance(node, yaml.MappingNode) or not isinstance(data, dict):
        raise CatalogError("a rule is a mapping of keys", where=f"{path}:{node.start_mark.line + 1}")
    _check_scalars(path, node)
    if "action" in data:
        raise CatalogError(
            "collections with `action` are not understood",
            where=f"{path}:{node.start_mark.line + 1}",
            causes=("a rule written for Sigma 1",),
            next_step="write each rule out in full, separated by ---",
        )
    header = catalog.convert(data, Header, path, position)
    return Document(path, _kind(header), header, data, node)


def _kind(header: Header) -> Kind:
    kinds: tuple[Kind, ...] = ("correlation", "filter", "baseline")
    found: list[Kind] = [kind for kind in kinds if getattr(header, kind) is not None]
    return found[0] if found else "rule"


def _check_scalars(path: Path, root: yaml.Node) -> None:
    """YAML lets the last of two equal keys win, and reads 0123 as octal: both change a rule silently."""
    seen: set[int] = set()
    waiting: list[yaml.Node] = [root]
    while waiting:
        node = waiting.pop()
        if id(node) in seen:  # an alias
            continue
        seen.add(id(node))
        where = f"{path}:{node.start_mark.line + 1}"
        if isinstance(node, yaml.MappingNode):
            keys: set[str] = set()
            for key, _ in _pairs(node):
                if key.value in keys:
                    raise CatalogError(f"the key {key.value!r} stands twice", where=f"{path}:{key.start_mark.line + 1}")
                keys.add(key.value)
            waiting += [value for _, value in node.value]
        elif isinstance(node, yaml.SequenceNode):
            waiting += node.value
        elif (
            node.tag == "tag:yaml.org,2002:int"
            and node.value.startswith("0")
            and node.value.isdigit()
            and len(node.value) > 1
        ):
            raise CatalogError(
                f"{node.value} is an octal number to YAML", where=where, next_step=f"write '{node.value}' in quotes"
            )


def _pairs(node: yaml.Node) -> list[tuple[yaml.ScalarNode, yaml.Node]]:
    if not isinstance(node, yaml.MappingNode):
        return []
    return [(key, value) for key, value in node.value if isinstance(key, yaml.ScalarNode)]


def items(definition: Any, keys: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], str, Any]]:
    """Every `field|modifier: value` of a detection, lists of mappings too: path of keys to it, key, value."""
    if isinstance(definition, Mapping):
        for key, value in definition.items():
            yield (*keys, str(key)), str(key), value
    elif isinstance(definition, list):
        for each in definition:
            if isinstance(each, Mapping):
                yield from items(each, keys)
