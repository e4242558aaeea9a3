"""What the things of a scope were when its first event came, and what its events changed: tables that questions read.

Both are made by the reducer of `states`, for the first question that asks for one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import msgspec

from trailhound.states import words
from trailhound.states.calls import Subject
from trailhound.states.kinds import kinds
from trailhound.states.state import Change, Fact, Resource, resources

if TYPE_CHECKING:
    from trailhound.investigation.evidence import Evidence

MOST = 50  # things of one kind that are looked at; of more it is said of each that it is not known
_THINGS = """
SELECT DISTINCT r.uid AS uid, r.name AS name, r.type AS type, account FROM (SELECT unnest(resources) AS r, account FROM subject)
ORDER BY uid, account
"""
Texts = tuple[str, ...]


class Was(msgspec.Struct, frozen=True, kw_only=True):
    """A row of `states`: an attribute at the first of the events."""

    resource: str
    kind: str
    attribute: str
    known: str  # "known", "in part", "unknown"
    text: str
    pairs: Texts  # of a map: KEY=VALUE
    because: str
    how_to_get: str
    uids: Texts
    began: int | None  # the time of the first of them


class Changed(msgspec.Struct, frozen=True, kw_only=True):
    """A row of `state_changes`: what calls of the scope changed, or may have changed."""

    resource: str
    kind: str
    attribute: str
    time: int
    before: str
    after: str
    known: bool  # on both sides
    uids: Texts


ROWS = {"states": Was, "state_changes": Changed}


def make(evidence: Evidence) -> dict[str, Sequence[msgspec.Struct]]:
    things, parameters = evidence.query(_THINGS), evidence.parameters
    was: list[Was] = []
    changed: list[Changed] = []
    mine = set(parameters["event_uids"])
    for name, kind in kinds().items():
        named = {row["uid"]: row for row in things if row["type"] == kind.type and row["account"]}
        about = [Subject(uid, (uid, row["name"] or uid), row["account"]) for uid, row in named.items()][:MOST]
        for one in resources(evidence.log, name, about) if about else ():
            was += [_was(one, fact) for fact in one.at(parameters["at"]).facts]
            changed += _changed(one, one.changes(parameters["at"], parameters["to"]), mine)
    return {"states": was, "state_changes": changed}


def _was(one: Resource, fact: Fact) -> Was:
    pairs = fact.value.items() if isinstance(fact.value, dict) else ()
    return Was(
        resource=one.about.uid,
        kind=one.kind_name,
        attribute=fact.attribute,
        known=fact.known,
        text=words.said(fact),
        pairs=tuple(f"{key}={value}" for key, value in pairs if isinstance(value, str)),
        because=fact.because,
        how_to_get=fact.how_to_get,
        uids=fact.event_uids,
        began=one.first_of(fact.event_uids),
    )


def _changed(one: Resource, changes: Iterator[Change], mine: set[str]) -> Iterator[Changed]:
    for change in changes:
        if not mine.isdisjoint(change.event_uids):
            yield Changed(
                resource=one.about.uid,
                kind=one.kind_name,
                attribute=change.attribute,
                time=change.time,
                before=words.said(change.before),
                after=words.said(change.after),
                known=change.before.known == change.after.known == "known",
                uids=change.event_uids,
            )
