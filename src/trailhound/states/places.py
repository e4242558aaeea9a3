"""A path into a call → what stands there, or that the log hides it (paths: packs/states.yml)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any, NamedTuple

from trailhound.vocab.aws import is_mask

_DEEPEST = 12  # levels that are looked into for a key
_STEP = re.compile(r"(?P<key>[^.\[]*)(?:\[(?P<name>[^=\]]+)(?:=(?P<value>[^\]]*))?\])?(?:\.|$)")


class Call(NamedTuple):
    """One event of the log. `request`, `response`: as JSON has them. `copy`: the same for the copies that other
    accounts have of it."""

    uid: str
    time: int  # epoch ms
    operation: str
    region: str
    account: str
    principal_uid: str
    request: Any
    response: Any
    certain: bool  # it is told to have succeeded
    copy: str = ""


class Found(NamedTuple):
    values: tuple[Any, ...]
    hidden: bool  # there is, or may be, more that the log does not show


class _Step(NamedTuple):
    key: str  # empty: the next one may be at any depth
    name: str
    value: str | None


def shown(part: Any) -> bool:
    """Whether the log has a request or response at all: CloudTrail leaves out those that are too large."""
    return isinstance(part, dict) and not ("omitted" in part and ("originalSize" in part or "reason" in part))


def look(call: Call, path: str, names: Sequence[str]) -> Found:
    """`names`: of the resource, for `list[name]`."""
    side, *steps = _steps(path)
    part = call.request if side.key == "request" else call.response
    if not shown(part):
        return Found((), True)
    values = tuple(value for value in _walk(part, steps, names) if value not in ({}, [], None))
    masked = [value for value in values if isinstance(value, str) and is_mask(value)]
    return Found(tuple(value for value in values if value not in masked), bool(masked))


def first(call: Call, paths: Sequence[str], names: Sequence[str]) -> Found:
    """Of the first path at which something stands. Of several, those that the log does not show count for nothing if
    another has it."""
    found = [look(call, path, names) for path in paths]
    return next((one for one in found if one.values), Found((), any(one.hidden for one in found)))


def _walk(node: Any, steps: Sequence[_Step], names: Sequence[str]) -> Iterator[Any]:
    if isinstance(node, str) and is_mask(node):
        yield node  # also where an object was
    elif isinstance(node, list):
        for item in node:
            yield from _walk(item, steps, names)
    elif not steps:
        yield node
    elif isinstance(node, dict):
        step, *rest = steps
        if not step.key:
            for value in _anywhere(node, rest[0].key, _DEEPEST):
                yield from _walk(value, rest[1:], names)
        else:
            yield from _walk(_picked(node.get(step.key), step, names), rest, names)


def _picked(node: Any, step: _Step, names: Sequence[str]) -> Any:
    if not step.name:
        return node
    wanted = names if step.value is None else (step.value,)
    return [item for item in _list(node) if isinstance(item, dict) and item.get(step.name) in wanted]


def _list(node: Any) -> list[Any]:
    return node if isinstance(node, list) else [node]


def _anywhere(node: Any, key: str, depth: int) -> Iterator[Any]:
    if isinstance(node, list) and depth:
        for item in node:
            yield from _anywhere(item, key, depth - 1)
    elif isinstance(node, dict) and depth:
        for name, value in node.items():
            if name in (key, key[0].upper() + key[1:]):
                yield value
            else:
                yield from _anywhere(value, key, depth - 1)


@cache
def _steps(path: str) -> tuple[_Step, ...]:
    return tuple(_Step(*found.group("key", "name", "value")) for found in _STEP.finditer(path) if found[0])
