"""packs/states.yml: which call writes which attribute of which kind of resource."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from functools import cache
from typing import Any, Literal

import msgspec
from msgspec import UNSET, UnsetType

from trailhound import catalog
from trailhound.errors import RequestError

EXISTS = "exists"  # the attribute that every kind has
KEEP = "keep"


class _Spec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    pass


class Attribute(_Spec, frozen=True, kw_only=True):
    holds: Literal["one", "set", "map"] = "one"
    not_covered: str = ""
    strict: bool = False
    survives: str = ""
    ids: str = ""


class Source(_Spec, frozen=True, kw_only=True, rename={"read_as": "as", "from_": "from"}):
    """What is written: the same always, or what stands somewhere in the call."""

    to: Any = UNSET
    from_: str | tuple[str, ...] = ()
    read_as: str = "text"
    key: str = ""
    prefix: str = ""
    absent: Any = UNSET
    unless: str = ""

    @property
    def paths(self) -> tuple[str, ...]:
        return (self.from_,) if isinstance(self.from_, str) else self.from_


class Write(_Spec, frozen=True, kw_only=True):
    """What some calls do to a resource of the kind."""

    calls: tuple[str, ...]
    subject: tuple[str, ...] | UnsetType = UNSET
    when: dict[str, str] = {}
    since: date = date.min
    until: date = date.max
    creates: bool = False
    again_in: tuple[str, ...] = ()
    resets: tuple[str, ...] = ()
    ends: bool = False
    unnamed: bool = False
    proves: dict[str, Source] = {}
    sets: dict[str, Source] = {}
    adds: dict[str, Source] = {}
    removes: dict[str, Source] = {}
    forgets: tuple[str, ...] = ()

    def sources(self) -> Iterator[tuple[str, str, Source]]:
        """(how, attribute, source), in the order in which they count."""
        for how in ("proves", "sets", "adds", "removes"):
            for attribute, source in getattr(self, how).items():
                yield how, attribute, source


class Kind(_Spec, frozen=True, kw_only=True):
    type: str  # CloudFormation
    service: str  # of eventSource: "ec2"
    read_now: str
    attributes: dict[str, Attribute]
    writes: tuple[Write, ...]
    prefix: str = ""
    subject: tuple[str, ...] = ()
    regions: Literal["own", "any"] = "own"

    @property
    def calls(self) -> tuple[str, ...]:
        return tuple(sorted({call for write in self.writes for call in write.calls}))

    def attribute(self, name: str) -> Attribute:
        return self.attributes.get(name) or Attribute()  # `exists`


@cache
def kinds() -> dict[str, Kind]:
    return catalog.load(catalog.PACKS / "states.yml", dict[str, Kind])


def kind(name: str) -> Kind:
    """Raises RequestError when nothing is known of such resources."""
    found = kinds().get(name)
    if found is None:
        raise RequestError(
            f"of a thing of the kind {name!r} no state is known",
            causes=(f"these kinds have one: {', '.join(kinds())}",),
            next_step="`trailhound search` shows the calls that name it",
        )
    return found
