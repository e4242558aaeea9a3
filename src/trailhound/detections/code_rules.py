"""Code rules: what a window of events means is told by one Python function of the user's.

`code:` of a document names the rules whose events are looked at, how they are grouped, and the look-back. For each group
and each time at which something happened the function gets the events of the window that ends there, and returns how
many of what it looks for there are. Windows, findings and renewal are those of correlations.

The function runs in a process of its own (`code_host`), within a time limit. That is no sandbox: it is the user's code,
and runs only where its file was named. What would make its answer depend on anything but its events is refused.
"""

from __future__ import annotations

import ast
import hashlib
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

import msgspec

from trailhound.detections import fields
from trailhound.detections.correlations import Find, duration_ms
from trailhound.detections.rules import Base, Code, Correlation
from trailhound.errors import CatalogError

SECONDS = 60  # of all windows of a rule together
MOST_EVENTS = 200_000
_HOST = Path(__file__).with_name("code_host.py")
_ALLOWED = {
    *("base64", "bisect", "collections", "dataclasses", "datetime", "difflib", "fnmatch", "functools", "hashlib"),
    *("heapq", "ipaddress", "itertools", "json", "math", "operator", "re", "statistics", "string", "typing", "urllib"),
    "__future__",
}
_IMPURE = {"__import__", "breakpoint", "compile", "eval", "exec", "globals", "input", "open", "setattr"}
_CLOCKS = {"now", "utcnow", "today"}


class CodeSpec(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="kebab"):
    """`code:` of a document."""

    file: str  # beside the document
    rules: list[str]
    group_by: list[str]
    timespan: str
    fields: list[str] = []  # what the function gets of each event, beside its time and uid
    function: str = "judge"


def correlation(spec: CodeSpec, document: Path, find: Find, allowed: Sequence[Path]) -> Correlation:
    """Raises CatalogError when the code is not allowed, cannot be read, or is not pure; `where` are keys below the document."""
    path = document.parent / spec.file
    if path.resolve() not in {each.resolve() for each in allowed}:
        raise CatalogError(
            f"the rule runs Python code ({spec.file}), and its file was not named",
            where="code.file",
            causes=("code is run only when it is asked for",),
            next_step=f"read it, then name it: --code {path}",
        )
    bases = tuple(_base(spec, name, find) for name in spec.rules)
    if not bases:
        raise CatalogError("the code looks at the events of no rule", where="code.rules")
    digest = _check(path, spec.function)
    code = Code(str(path), spec.function, digest, tuple(spec.fields))
    return Correlation(
        kind="code", bases=bases, timespan_ms=duration_ms(spec.timespan), thresholds=(), rests_on=len(bases), code=code
    )


def _base(spec: CodeSpec, name: str, find: Find) -> Base:
    rule = find(name)
    if rule is None or isinstance(rule.logic, Correlation):
        what = "is not there" if rule is None else "is a correlation"
        raise CatalogError(f"the code looks at events of the rule {name!r}, which {what}", where="code.rules")

    def resolve(names: Sequence[str]) -> tuple[fields.Field, ...]:
        return tuple(fields.resolve(each, per_resource=rule.per_resource) for each in names)

    return Base(rule_uid=rule.uid, groups=resolve(spec.group_by), values=resolve(spec.fields))


def _check(path: Path, function: str) -> str:
    """Hash of the source. What is refused is a slip and not an attack: code that means harm finds a way."""
    try:
        source = path.read_bytes()
        tree = ast.parse(source, str(path))
    except OSError as error:
        raise CatalogError(f"the code cannot be read: {path}: {error.strerror}", where="code.file") from error
    except (SyntaxError, ValueError) as error:
        line = getattr(error, "lineno", None) or 1
        raise CatalogError(f"not Python: {path}:{line}: {error}", where="code.file") from error
    for line, what in _impurities(tree):
        raise CatalogError(
            f"{path}:{line}: {what}",
            where="code.file",
            causes=("the answer must depend on nothing but the events",),
            next_step="docs/how-to/bring-your-own-rules.md says what a code rule may do",
        )
    defined = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
    if function not in defined:
        known = ", ".join(sorted(defined)) or "none"
        raise CatalogError(f"{path} has no function {function}", where="code.function", next_step=f"there are: {known}")
    return hashlib.sha256(source).hexdigest()


def _impurities(tree: ast.AST) -> Iterator[tuple[int, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) else [alias.name for alias in node.names]
            foreign = [name for name in names if name.split(".")[0] not in _ALLOWED or name == "urllib.request"]
            if foreign:
                yield node.lineno, f"it imports {foreign[0] or 'its neighbours'}"
        elif isinstance(node, ast.Name) and node.id in _IMPURE:
            yield node.lineno, f"it uses {node.id}"
        elif isinstance(node, ast.Attribute) and node.attr in _CLOCKS:
            yield node.lineno, f"it asks for the time ({node.attr})"
        elif isinstance(node, ast.Global):
            yield node.lineno, "it remembers (global)"


def judge(code: Code, timespan_ms: int, events: Sequence[dict[str, Any]]) -> list[tuple[list[str | None], int, float]]:
    """The windows in which the function counted something: key of the group, end (epoch milliseconds), number.

    `events`: `key`, `time`, `uid` and `values`, by key, time and uid. Raises CatalogError, with file and line, when it fails.
    """
    if len(events) > MOST_EVENTS:
        raise CatalogError(
            f"{len(events):,} events are too many for code, which takes {MOST_EVENTS:,}", where=code.path
        )
    lines = [[code.path, code.function, timespan_ms]]
    for key, group in groupby(events, key=lambda event: event["key"]):
        lines.append([key, [_row(code, event) for event in group]])
    answer = _run(code, b"\n".join(map(msgspec.json.encode, lines)) + b"\n")
    found = [msgspec.json.decode(line) for line in answer.splitlines()]
    end = found.pop() if found and isinstance(found[-1], dict) else None
    if end is None:
        raise CatalogError("the code ended its process", where=code.path)
    if end:
        raise CatalogError(end["error"], where=f"{code.path}:{end['line']}")
    return [(key, time, number) for key, time, number in found]


def _row(code: Code, event: dict[str, Any]) -> dict[str, Any]:
    return {**dict(zip(code.fields, event["values"], strict=True)), "time": event["time"], "uid": event["uid"]}


def _run(code: Code, given: bytes) -> bytes:
    """The same hash seed each time, so that the order of a set is the same, too."""
    environment = {"PYTHONHASHSEED": "0", "PATH": os.environ.get("PATH", "")}
    command = [sys.executable, "-P", "-s", "-S", "-B", str(_HOST)]
    try:
        done = subprocess.run(command, input=given, capture_output=True, timeout=SECONDS, env=environment, check=False)  # noqa: S603 - our own interpreter and file
    except subprocess.TimeoutExpired as error:
        raise CatalogError(f"the code took longer than {SECONDS} s", where=code.path) from error
    return done.stdout
