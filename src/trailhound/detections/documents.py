"""YAML files of rules → documents that remember their lines."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal, cast

import msgspec
import yaml
from yaml.reader import ReaderError

from trailhound import catalog
from trailhound.detections.baselines.baseline import Baseline
from trailhound.detections.code_rules import CodeSpec
from trailhound.detections.findings import plain
from trailhound.errors import CatalogError
from trailhound.model import Level

Kind = Literal["rule", "correlation", "filter", "baseline", "code"]

_PARTS = {"logsource", "detection", "correlation", "filter", "baseline", "code"}
_OCTAL = re.compile(r"0\d+")
_NUMBERS = ("tag:yaml.org,2002:int", "tag:yaml.org,2002:float")
_Loader = yaml.CSafeLoader


class Extension(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Our own key in a rule, `trailhound`; other tools ignore it."""

    title: str = ""  # of findings: "{principal} terminated {count} production instances within {window}"
    attempt: Level | None = None  # of findings none of whose events succeeded; `level` when not given
    episode: str = "1h"  # events of one actor further apart than this are two findings
    calls: list[str] = []  # names that are meant though AWS lists no such call: lint takes them as they are
    window: Literal["before", "after"] = "before"  # of temporal_ordered: up to its last event, or from its first on


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
    status: str = ""
    date: Any = None  # a date to YAML, or text
    modified: Any = None
    logsource: dict[str, Any] | None = None
    detection: dict[str, Any] | None = None
    correlation: dict[str, Any] | None = None
    filter: dict[str, Any] | None = None
    baseline: Baseline | None = None
    code: CodeSpec | None = None
    trailhound: Extension = Extension()


class NotARuleError(CatalogError):
    """YAML of another kind: nothing in it says that it was meant as a rule."""


class Document(msgspec.Struct, frozen=True):
    path: Path
    kind: Kind
    header: Header
    data: dict[str, Any]
    node: yaml.Node

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
    collection = _Collection()
    try:
        for position, node in enumerate(_nodes(path)):
            if node.tag == "tag:yaml.org,2002:null":
                continue  # nothing between two `---`
            try:
                data = collection.add(_data(path, node), f"{path}:{node.start_mark.line + 1}")
                if data is not None:
                    found.append(_document(path, position, node, data))
            except CatalogError as error:
                faults.append(_plain(error))
    except CatalogError as error:
        faults.append(error)
    return found, faults


def _plain(error: CatalogError) -> CatalogError:
    """What a stranger wrote is quoted in it."""
    return type(error)(plain(error.what), where=error.where, causes=error.causes, next_step=plain(error.next_step))


def _nodes(path: Path) -> Iterator[yaml.Node]:
    """Documents as nodes, up to the first place that is not YAML."""
    text = catalog.text(path)
    try:
        loader = _Loader(text)
        while loader.check_node():
            yield cast("yaml.Node", loader.get_node())
    except yaml.MarkedYAMLError as error:
        raise _not_yaml(path, error, 1) from error
    except ReaderError as error:
        line = text.encode().count(b"\n", 0, error.position) + 1
        raise CatalogError(f"not YAML: {error.reason}", where=f"{path}:{line}") from error


def _not_yaml(path: Path, error: yaml.MarkedYAMLError, line: int) -> CatalogError:
    line = error.problem_mark.line + 1 if error.problem_mark else line
    return CatalogError(f"not YAML: {error.problem}", where=f"{path}:{line}")


def _data(path: Path, node: yaml.Node) -> dict[Any, Any]:
    line = node.start_mark.line + 1
    if not isinstance(node, yaml.MappingNode):
        raise CatalogError("a rule is a mapping of keys", where=f"{path}:{line}")
    _check(path, node, set(), set())
    try:
        return cast("dict[Any, Any]", _Loader("").construct_document(node))
    except yaml.MarkedYAMLError as error:
        raise _not_yaml(path, error, line) from error
    except (ValueError, OverflowError, TypeError) as error:  # a date in month 13, a number of 5,000 digits
        raise CatalogError(f"not YAML: {error}", where=f"{path}:{line}") from error


class _Collection:
    """Sigma's collections: `action: global` is part of the rules after it, `repeat` adds to the one before it."""

    def __init__(self) -> None:
        self._shared: dict[Any, Any] = {}
        self._before: dict[Any, Any] = {}

    def add(self, data: dict[Any, Any], where: str) -> dict[Any, Any] | None:
        """The next document of the file as the rule that it stands for; None when it stands for none."""
        if any(key in data for key in ("correlation", "filter", "baseline", "code")):
            return data
        match data.pop("action", None):
            case None:
                self._before = _merged(data, self._shared)
            case "global":
                self._shared = self._before = data
                return None
            case "reset":
                self._shared = {}
                return None
            case "repeat":
                self._before = _merged(self._before, data)
            case other:
                known = "there are global, reset and repeat"
                raise CatalogError(f"the action {other!r} is not known", where=where, next_step=known)
        return self._before


def _merged(base: dict[Any, Any], over: Mapping[Any, Any]) -> dict[Any, Any]:
    """Mappings are merged; of all else `over` counts."""
    merged = dict(base)
    for key, value in over.items():
        below = merged.get(key)
        merged[key] = _merged(below, value) if isinstance(below, dict) and isinstance(value, dict) else value
    return merged


def _document(path: Path, position: int, node: yaml.Node, data: dict[Any, Any]) -> Document:
    if not data.keys() & _PARTS:
        parts = ", ".join(sorted(_PARTS))
        raise NotARuleError(
            "this is not a rule", where=f"{path}:{node.start_mark.line + 1}", causes=(f"it has none of {parts}",)
        )
    header = catalog.convert(data, Header, path, position)
    return Document(path, _kind(header), header, data, node)


def _kind(header: Header) -> Kind:
    kinds: tuple[Kind, ...] = ("correlation", "filter", "baseline", "code")
    found: list[Kind] = [kind for kind in kinds if getattr(header, kind) is not None]
    return found[0] if found else "rule"


def _check(path: Path, node: yaml.Node, seen: set[int], open_: set[int]) -> None:
    """YAML lets the last of two equal keys win, and reads 0123 as octal and 12:30 as 750: both change a rule silently."""
    where = f"{path}:{node.start_mark.line + 1}"
    if id(node) in open_:
        raise CatalogError("an alias leads back to where it stands", where=where)
    if id(node) in seen:
        return
    seen.add(id(node))
    open_.add(id(node))
    if isinstance(node, yaml.MappingNode):
        _check_keys(path, node)
        for each in (part for pair in node.value for part in pair):
            _check(path, each, seen, open_)
    elif isinstance(node, yaml.SequenceNode):
        for each in node.value:
            _check(path, each, seen, open_)
    elif node.tag in _NUMBERS and (_OCTAL.fullmatch(node.value) or ":" in node.value):
        base = "a number to the base of 60" if ":" in node.value else "an octal number"
        next_step = f"write '{node.value}' in quotes"
        raise CatalogError(f"{node.value} is {base} to YAML", where=where, next_step=next_step)
    open_.remove(id(node))


def _check_keys(path: Path, node: yaml.MappingNode) -> None:
    keys: set[str] = set()
    for key, _ in _pairs(node):
        if key.value in keys:
            raise CatalogError(f"the key {key.value!r} stands twice", where=f"{path}:{key.start_mark.line + 1}")
        keys.add(key.value)


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
