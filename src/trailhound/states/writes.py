"""One call → what it wrote to one resource. Nothing here depends on what the resource was before."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Literal, NamedTuple

from msgspec import UNSET

from trailhound.states.kinds import EXISTS, KEEP, Kind, Source, Write
from trailhound.states.places import Call, Found, first, look, shown
from trailhound.states.readings import READINGS, UnreadableError
from trailhound.vocab.aws import is_mask

How = Literal["proves", "sets", "adds", "removes", "forgets"]


class Effect(NamedTuple):
    """`value`: of a set or map, a mapping; None for all that is in it. `because`: why it is not known."""

    how: How
    attribute: str
    value: Any = None
    because: str = ""
    if_new: bool = False  # nothing was written if the resource was there already


class Written(NamedTuple):
    effects: tuple[Effect, ...] = ()
    creates: bool = False
    again: bool = False  # `creates` says nothing of whether it was there before
    ends: bool = False
    proves: bool = False  # the resource was there, or is from now on


def written(kind: Kind, call: Call, names: Sequence[str]) -> Written:
    """`names`: all by which calls may name the resource."""
    found = Written()
    day = datetime.fromtimestamp(call.time / 1000, UTC).date()
    for write in kind.writes:
        if call.operation in write.calls and write.since <= day <= write.until:
            found = _with(found, write, kind, call, names)
    return found


def _with(found: Written, write: Write, kind: Kind, call: Call, names: Sequence[str]) -> Written:
    about = _about(write, kind, call, names)
    holds = all(_holds(call, path, wanted, names) for path, wanted in write.when.items())
    if about is False or not (holds or about is None):
        return found
    if about is None or not call.certain:
        if write.creates:  # what is there already is not made
            return found
        doubt = (
            "may have changed it, and the log does not show all of it"
            if call.certain
            else "does not say if it succeeded"
        )
        touched = [name for _, name, _ in write.sources()] + _forgotten(write, kind) + [EXISTS] * write.ends
        more = [Effect("forgets", name, because=f"{call.operation} {doubt}") for name in touched]
        return found._replace(effects=(*found.effects, *more))
    again = call.region in write.again_in
    effects = [
        one._replace(if_new=again and one.attribute not in write.resets)
        for one in (*_effects(write, kind, call, names), *_hidden(write, kind, call))
    ]
    return Written(
        effects=(*found.effects, *effects),
        creates=found.creates or write.creates,
        again=found.again or again,
        ends=found.ends or write.ends,
        proves=found.proves or EXISTS not in write.forgets,
    )


def _about(write: Write, kind: Kind, call: Call, names: Sequence[str]) -> bool | None:
    """Whether the call is about the resource; None: it may be."""
    paths = kind.subject if write.subject is UNSET else write.subject
    found = [look(call, path, names) for path in paths]
    values = [value for one in found for value in one.values if isinstance(value, str)]
    if not values:
        return None if any(one.hidden for one in found) or not shown(call.request) else True
    if any(_called(value, names, kind.prefix) for value in values):
        return True
    return None if any(one.hidden and not shown(call.request) for one in found) and not write.creates else False


def _called(value: str, names: Sequence[str], prefix: str) -> bool:
    bare = value.rpartition("/")[2]
    return value in names or (value.startswith("arn:") and prefix != "arn:" and bare in names)


def _holds(call: Call, path: str, wanted: str, names: Sequence[str]) -> bool:
    found = look(call, path, names)
    if wanted in ("present", "absent"):
        return bool(found.values or found.hidden) == (wanted == "present")
    return found.hidden or any(str(value).lower() == wanted.lower() for value in found.values)


def _forgotten(write: Write, kind: Kind) -> list[str]:
    return list(kind.attributes) if "all" in write.forgets else list(write.forgets)


def _hidden(write: Write, kind: Kind, call: Call) -> Iterator[Effect]:
    for name in _forgotten(write, kind):
        yield Effect("forgets", name, because=f"{call.operation} changed it, and the log does not show to what")


def _effects(write: Write, kind: Kind, call: Call, names: Sequence[str]) -> Iterator[Effect]:
    for how, attribute, source in write.sources():
        many = kind.attribute(attribute).holds != "one"
        if how == "removes" and source.absent == "all" and not _found(source, call, names).values:
            hidden = _found(source, call, names).hidden
            because = f"{call.operation} took some of it away, and the log hides what" if hidden else ""
            yield Effect("forgets" if hidden else "sets", attribute, {}, because)
            continue
        try:
            value = _value(source, call, names)
        except UnreadableError:
            if how != "proves":
                because = f"{call.operation} wrote it, and the log does not show what"
                yield Effect("forgets", attribute, because=because)
            continue
        if value == KEEP:
            continue
        value = _mapping(value, source.prefix) if many else value
        if how in ("adds", "sets") and many:
            value = {key: "" if one is None else one for key, one in value.items()}  # a tag without a value
        yield Effect(how, attribute, value)  # type: ignore[arg-type]


def _found(source: Source, call: Call, names: Sequence[str]) -> Found:
    return first(call, source.paths, names)


def _value(source: Source, call: Call, names: Sequence[str]) -> Any:
    if source.to is not UNSET:
        return source.to
    found = _found(source, call, names)
    if found.hidden or _masked(found.values):
        raise UnreadableError
    if not found.values:
        if source.absent is UNSET or (source.unless and look(call, source.unless, names) != Found((), False)):
            raise UnreadableError
        return source.absent
    try:
        value = READINGS[source.read_as](found.values)
    except UnreadableError:
        if source.read_as == "acl" and source.absent is not UNSET:  # the place is the whole request
            return source.absent
        raise
    if source.key:
        keys = look(call, source.key, names)
        if not keys.values:
            raise UnreadableError
        return {str(keys.values[0]): value}
    return value


def _mapping(value: Any, prefix: str) -> dict[str, Any]:
    if isinstance(value, Mapping):
        return {f"{prefix}{key}": one for key, one in value.items()}
    return {f"{prefix}{key}": True for key in value}


def _masked(node: Any) -> bool:
    if isinstance(node, str):
        return is_mask(node)
    if isinstance(node, Mapping):
        return any(map(_masked, node.values())) or any(map(_masked, node.keys()))
    return isinstance(node, list | tuple) and any(map(_masked, node))
