"""What makes most of the findings, and the fewest exclusions that leave few enough.

What a group of findings has in common: a rule, and one value of one scope in all of their events. A group of two
values together is never larger than that of either, so that groups of one value are all that has to be chosen from;
each is then narrowed by whatever else its findings share, which costs nothing. Choosing the fewest groups that hold
so many findings is set cover; taking the largest each time takes at most H(n) = 1 + 1/2 + ... + 1/n times as many as
are needed, n being the findings to be held (Slavik, 1997), and what turns out to be superfluous is dropped.
"""

from __future__ import annotations

import heapq
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from trailhound.detections.exclusions.applying import Trace, whole
from trailhound.detections.exclusions.exclusion import LONGEST, exactly
from trailhound.model import Finding

SAFE = ("principal", "origin", "resource", "address")  # a user agent alone is no scope: its sender chooses it
_LISTED = 5  # values that a scope is narrowed to; of more it says nothing

Scope = dict[str, tuple[str, ...]]


class Features(NamedTuple):
    """Of one finding: for each scope all values, where every one of its events has any."""

    uid: str
    rule_uid: str
    values: Mapping[str, frozenset[str]]


class Group(NamedTuple):
    """Findings of one rule that have something in common."""

    rule_uid: str
    scope: Scope
    uids: frozenset[str]


def features(finding: Finding, found: Sequence[Trace], addresses: Mapping[tuple[int, int], str]) -> Features:
    """Nothing of a finding whose events are not all known: no exclusion can set it aside."""
    if not whole(finding, found):
        return Features(finding.uid, finding.rule_uid, {})
    by_scope: dict[str, set[str | None]] = {
        "principal": {trace.principal for trace in found},
        "origin": {trace.origin for trace in found},
        "address": {addresses[trace.address] if trace.address else None for trace in found},
        "resource": {resource.uid for resource in finding.resources},
        "user_agent": {trace.user_agent for trace in found},
    }
    if by_scope["origin"] == by_scope["principal"]:
        del by_scope["origin"]  # the same said twice
    known = {name: frozenset(map(_writable, values)) for name, values in by_scope.items()}
    return Features(finding.uid, finding.rule_uid, {n: v for n, v in known.items() if v and "" not in v})


def _writable(value: str | None) -> str:
    """The value, if an exclusion can be written about it."""
    return value if value and value.strip() and len(exactly(value)) <= LONGEST else ""


def groups(found: Sequence[Features], scopes: Sequence[str]) -> list[Group]:
    """For each rule and value of these scopes, the findings all of whose events have it; as narrow as can be."""
    by_value: defaultdict[tuple[str, str, str], list[Features]] = defaultdict(list)
    for one in found:
        for name in scopes:
            values = one.values.get(name, frozenset())
            if len(values) == 1:
                by_value[one.rule_uid, name, next(iter(values))].append(one)
    made: dict[frozenset[str], Group] = {}
    for (rule, _, _), members in by_value.items():
        uids = frozenset(one.uid for one in members)
        made.setdefault(uids, Group(rule, _shared(members, scopes), uids))
    return sorted(made.values(), key=lambda group: (group.rule_uid, sorted(group.scope.items())))


def fewest(candidates: Iterable[Group], wanted: int) -> list[Group]:
    """Groups that together hold `wanted` findings, or all that any holds: the one that adds most first, of equals the first."""
    listed, chosen, held = list(candidates), list[Group](), set[str]()
    heap = [(-len(group.uids), place) for place, group in enumerate(listed)]
    heapq.heapify(heap)
    while heap and len(held) < wanted:
        _, place = heapq.heappop(heap)
        now = (-len(listed[place].uids - held), place)  # what a group adds only ever shrinks
        if heap and now > heap[0]:
            heapq.heappush(heap, now)
        elif now[0]:
            chosen.append(listed[place])
            held |= listed[place].uids
    return _needed(chosen, min(wanted, len(held)))


def _needed(chosen: Sequence[Group], wanted: int) -> list[Group]:
    """Without those that later ones made superfluous."""
    kept, times = list(chosen), Counter(uid for group in chosen for uid in group.uids)
    for group in sorted(chosen, key=lambda one: len(one.uids)):
        alone = sum(times[uid] == 1 for uid in group.uids)
        if len(times) - alone >= wanted:
            kept.remove(group)
            times -= Counter(group.uids)
    return kept


def _shared(members: Sequence[Features], scopes: Sequence[str]) -> Scope:
    scope: Scope = {}
    for name in scopes:
        values = [one.values.get(name) for one in members]
        together = frozenset[str]().union(*(each or () for each in values))
        if all(values) and len(together) <= _LISTED:
            scope[name] = tuple(sorted(together))
    return scope
