"""How much a finding by itself asks to be looked at: points from 0 to 100, each with the words that it stands for.

It begins with the rule's level. What is new for the identity behind the finding adds to it; only what is known takes
from it. Evidence that is missing takes nothing, and is named in `unknown`. What else the same lineage did is
added in `trailhound.detections.incidents`.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from trailhound.detections import placeholders
from trailhound.detections.findings import plain, principal_name, some
from trailhound.detections.placeholders import PRODUCTION_INSTANCES, Placeholders
from trailhound.detections.precedent import Precedent, actor, precedents
from trailhound.engines.duckdb import DuckDB
from trailhound.lake import times
from trailhound.lake.times import DAY
from trailhound.model import LEVELS, Finding, Level, Reason, Risk
from trailhound.settings import Change, Settings

BY_LEVEL: Mapping[Level, int] = {"informational": 5, "low": 20, "medium": 40, "high": 60, "critical": 80}
NEW_CALL, NEW_COUNTRY, NEW_NETWORK, NEW_CLIENT = 10, 15, 5, 5
PRODUCTION, MACHINE_ELSEWHERE, BROKEN_LINEAGE = 10, 5, 5
BY_KIND = {"root": (10, "the root user did it"), "anonymous": (10, "nobody knows who did it: it had no credentials"),
           "other_account": (5, "it is of another account"), "service": (-15, "AWS itself did it")}  # fmt: skip
USUAL_PLACE, ATTEMPT, REPEATED, APPROVED = -10, -10, -20, -30
MOST = 95  # of a finding by itself
HISTORY = 7  # days with calls, from which on it can be said what is usual
USUAL = 3  # days make a place or a client usual, and a finding one that comes again and again
REGULAR = 14 * DAY  # over which these findings are spread: an intruder who comes back within days is no habit

_INSTANCE = "AWS::EC2::Instance"


class _Earlier(NamedTuple):
    """Findings of one rule and lineage."""

    days: int  # on which they began
    since: int  # when the first of them began


_NEVER = _Earlier(0, 0)


class Production(NamedTuple):
    instances: frozenset[str]
    accounts: frozenset[str]
    unknown: str  # why it is not known which instances are; empty: it is


def alone(engine: DuckDB, found: Sequence[Finding], settings: Settings) -> dict[str, Risk]:
    """By uid of the finding its risk without what else its lineage did. Reads derived tables and `events`."""
    before = precedents(engine, found)
    production = _production(engine, found, settings)
    again = _repeated(found)
    changes = [_Window.of(change) for change in settings.changes]
    risks = {}
    for finding in found:
        own = before[finding.uid]
        reasons = [
            Reason(points=BY_LEVEL[finding.level], text=f"the level of the rule is {finding.level}"),
            *_of_precedent(finding, own),
            *_of_surroundings(finding, own, production),
            *_explaining(finding, again[finding.uid], changes),
        ]
        unknown = tuple(_unknown(finding, own, production))
        risks[finding.uid] = risk(min(MOST, sum(reason.points for reason in reasons)), reasons, unknown)
    return risks


def risk(score: float, reasons: Iterable[Reason], unknown: Sequence[str] = (), *, own: int | None = None) -> Risk:
    """Bounded, with its level; `own`: the score before what else its lineage did."""
    bounded = min(100, max(1, round(score)))
    return Risk(
        score=bounded,
        level=_level(bounded),
        alone=bounded if own is None else own,
        reasons=tuple(reasons),
        unknown=tuple(unknown),
    )


def _level(score: int) -> Level:
    for level in reversed(LEVELS):
        if BY_LEVEL[level] <= score:
            return level
    return LEVELS[0]


def _of_precedent(finding: Finding, before: Precedent) -> Iterator[Reason]:
    """New calls, places and clients. A baseline's finding says this itself, and has its level from it."""
    if finding.analysis or before.days < HISTORY:
        return
    who, since = _name(finding), f"in {before.days:,} days of calls before"
    if new := _new(before.calls):
        yield Reason(points=NEW_CALL, text=f"the first time that {who} called {some(new)} {since}")
    if new := _new(before.countries):
        yield Reason(points=NEW_COUNTRY, text=f"the first time that {who} came from {some(new)} {since}")
    elif new := _new(before.networks):
        yield Reason(points=NEW_NETWORK, text=f"the first time that {who} came from {some(new)} {since}")
    if (_new(before.countries) or _new(before.networks)) and before.kind in ("ci", "workload"):
        yield Reason(points=MACHINE_ELSEWHERE, text=f"{who} is a machine, and machines do not travel")
    if new := _new(before.agents):
        yield Reason(points=NEW_CLIENT, text=f"the first time that {who} used {some(new)} {since}")
    if before.networks and min([*before.networks.values(), *before.agents.values()]) >= USUAL:
        yield Reason(points=USUAL_PLACE, text=f"{who} came from a network and with a client that are usual for it")


def _of_surroundings(finding: Finding, before: Precedent, production: Production) -> Iterator[Reason]:
    if before.kind in BY_KIND:
        points, text = BY_KIND[before.kind]
        yield Reason(points=points, text=text)
    touched = [one.uid for one in finding.resources if one.type == _INSTANCE and one.uid in production.instances]
    if touched:
        yield Reason(points=PRODUCTION, text=f"it touched production: {some(touched)}")
    elif finding.account_uid in production.accounts:
        yield Reason(points=PRODUCTION, text=f"it happened in a production account, {plain(finding.account_uid)}")
    if before.confidence == "broken":
        yield Reason(points=BROKEN_LINEAGE, text="who stands behind its session is not in the log")
    if before.outcome == "attempt":
        yield Reason(points=ATTEMPT, text="none of its calls succeeded")


def _explaining(finding: Finding, earlier: _Earlier, changes: Sequence[_Window]) -> Iterator[Reason]:
    """What speaks for work as usual: the same on several days before, an approved change."""
    if earlier.days >= USUAL and finding.first_seen_time - earlier.since >= REGULAR:
        since = times.day(earlier.since)
        text = f"the same rule found the same of {_name(finding)} on {earlier.days:,} days before, since {since}"
        yield Reason(points=REPEATED, text=text)
    for change in changes:
        if change.covers(finding):
            yield Reason(points=APPROVED, text=f"an approved change covers it: {plain(change.change.reason)}")
            return


def _unknown(finding: Finding, before: Precedent, production: Production) -> Iterator[str]:
    who = _name(finding)
    if not finding.analysis and before.days < HISTORY:
        seen = f"{who} was seen on {before.days} days before" if before.days else f"{who} was not seen before"
        yield f"what is usual: {seen}, and {HISTORY} are needed"
    if before.outcome == "unknown":
        yield "whether its calls succeeded: the log does not say"
    if before.confidence == "possible":
        yield f"who stands behind its session: {who} is possible, not certain"
    if production.unknown and any(resource.type == _INSTANCE for resource in finding.resources):
        yield f"which instances are production: {production.unknown}"


class _Window(NamedTuple):
    """An approved change, with its times in epoch milliseconds."""

    change: Change
    since: int
    until: int

    @classmethod
    def of(cls, change: Change) -> _Window:
        return cls(change, times.interval(change.since).start, times.interval(change.until).end - 1)

    def covers(self, finding: Finding) -> bool:
        """All of it: who, every call, from its first event to its last."""
        named, asked = finding.principal_uid.lower(), self.change.principal.lower()
        by_it = bool(asked) and (named == asked or named.endswith((f"/{asked}", f":{asked}")))
        calls = not self.change.operations or set(finding.operations) <= set(self.change.operations)
        return by_it and calls and self.since <= finding.first_seen_time and finding.last_seen_time <= self.until


def _production(engine: DuckDB, found: Iterable[Finding], settings: Settings) -> Production:
    accounts = frozenset(settings.production.accounts)
    if not any(resource.type == _INSTANCE for finding in found for resource in finding.resources):
        return Production(frozenset(), accounts, "")
    filled = placeholders.fill(engine, Placeholders.of(settings), [PRODUCTION_INSTANCES])
    placeholders.drop(engine, filled)
    exact = (part[0] for part in filled.patterns.get(PRODUCTION_INSTANCES, ()) if len(part) == 1)
    return Production(
        frozenset(text for text in exact if isinstance(text, str)),
        accounts,
        filled.missing.get(PRODUCTION_INSTANCES, ""),
    )


def _repeated(found: Iterable[Finding]) -> dict[str, _Earlier]:
    """By finding, what the same rule had found of the same lineage, and was over, before."""
    by_rule: dict[tuple[str, str, str], list[Finding]] = {}
    for finding in found:
        by_rule.setdefault((finding.rule_uid, actor(finding), finding.account_uid), []).append(finding)
    earlier: dict[str, _Earlier] = {}
    for same in by_rule.values():
        ended = sorted(same, key=lambda one: one.last_seen_time)
        days, since, so_far = set[int](), ended[0].first_seen_time, [_NEVER]
        for one in ended:
            days.add(one.first_seen_time // DAY)
            since = min(since, one.first_seen_time)
            so_far.append(_Earlier(len(days), since))
        ends = [one.last_seen_time for one in ended]
        earlier |= {one.uid: so_far[bisect_left(ends, one.first_seen_time)] for one in same}
    return earlier


def _new(days: Mapping[str, int]) -> list[str]:
    return sorted(value for value, seen in days.items() if not seen)


def _name(finding: Finding) -> str:
    return plain(principal_name(actor(finding))) or "someone"
