"""Rules over a history that is there: how often they fire, on what, and what would quiet them at which price."""

from __future__ import annotations

import ipaddress
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, timedelta
from typing import Any

import msgspec
import yaml

from trailhound.detections.backtest.attacks import Attack, Hidden, hidden
from trailhound.detections.backtest.causes import SAFE, Features, Group, Scope, features, fewest, groups
from trailhound.detections.exclusions.applying import traces
from trailhound.detections.exclusions.exclusion import ALL, LONGEST, SCOPES, TEXTS, Exclusion, exactly
from trailhound.detections.exclusions.warnings import UNREVIEWED
from trailhound.detections.rules import Rule
from trailhound.engines.duckdb import DuckDB
from trailhound.errors import RequestError
from trailhound.lake import times
from trailhound.model import LEVELS, Finding

CAUSES = 5
_LASTING = 90  # days until a proposed exclusion is to be looked at again
_BUDGET = re.compile(r"([0-9]{1,9})/(day|week)")


class Fires(msgspec.Struct, frozen=True, kw_only=True):
    """How often one rule fires."""

    rule_uid: str
    rule_title: str
    level: str
    findings: int
    days: tuple[int, ...]  # findings by UTC day of their first event, from the first day of the history on


class Cause(msgspec.Struct, frozen=True, kw_only=True):
    """What several findings of one rule have in common, in all of their events."""

    rule_uid: str
    rule_title: str
    scope: Scope
    findings: int
    new: int  # of these, in no cause before it


class Proposal(msgspec.Struct, frozen=True, kw_only=True):
    """An exclusion that nobody has reviewed yet."""

    yaml: str  # to be put into exclusions.yml
    exclusion: Exclusion
    findings: int  # that it would have hidden
    levels: dict[str, int]  # of these, by level
    attacks: tuple[Hidden, ...]  # what it would have hidden of these, had they been made as it says


class Backtest(msgspec.Struct, frozen=True, kw_only=True):
    since: str  # UTC days, both part of it
    until: str
    days: int
    findings: int
    excluded: int  # of these, by the exclusions that are active now
    rules: tuple[Fires, ...]  # the one that fires most first; of findings that are not excluded
    causes: tuple[Cause, ...]  # five at most
    budget: str  # as it was asked; "" when it was not
    allowed: int | None  # findings in so many days
    left: int  # findings that would be left with all proposals
    proposals: tuple[Proposal, ...]
    attacks: tuple[str, ...]  # names of the simulated attacks that the rules find


def per_day(budget: str) -> float:
    """`5/day`, `10/week` → findings a day. Raises RequestError."""
    found = _BUDGET.fullmatch(budget)
    if not found:
        raise RequestError(f"{budget!r} is no budget of findings", next_step="write 5/day or 10/week")
    return int(found[1]) / (1 if found[2] == "day" else 7)


def backtest(
    engine: DuckDB,
    found: Sequence[Finding],
    rules: Sequence[Rule],
    *,
    span: tuple[str, str],
    budget: str = "",
    attacks: Sequence[Attack] = (),
    author: str = "",
    today: str,
) -> Backtest:
    """`found`: all findings of `rules` within `span` (UTC days); those that are not `new` are excluded already.

    `author` and `today` are written into proposals. Nothing is stored.
    """
    first, last = map(date.fromisoformat, span)
    days = (last - first).days + 1
    shown = [one for one in found if one.status == "new"]
    known = _features(engine, shown)
    by_uid = {one.uid: one for one in shown}
    titles = {rule.uid: rule.title for rule in rules}
    allowed = int(per_day(budget) * days + 1e-9) if budget else None
    chosen = [] if allowed is None else fewest(groups(known, SAFE), max(0, len(shown) - allowed))
    writes = _Writing(rules, author, today, f"{span[0]} to {span[1]}")
    return Backtest(
        since=span[0],
        until=span[1],
        days=days,
        findings=len(found),
        excluded=len(found) - len(shown),
        rules=tuple(_fires(shown, first, days)),
        causes=tuple(_causes(known, titles)),
        budget=budget,
        allowed=allowed,
        left=len(shown) - len(frozenset[str]().union(*(group.uids for group in chosen))),
        proposals=tuple(_proposal(group, by_uid, writes, attacks) for group in chosen),
        attacks=tuple(attack.story for attack in attacks),
    )


def _features(engine: DuckDB, found: Sequence[Finding]) -> list[Features]:
    traced = traces(engine, found, origins=True)
    seen = {trace.address for own in traced.values() for trace in own if trace.address}
    addresses = {one: _address(*one) for one in seen}
    return [features(finding, traced[finding.uid], addresses) for finding in found]


def _address(version: int, number: int) -> str:
    return str(ipaddress.IPv4Address(number) if version == 4 else ipaddress.IPv6Address(number))


def _fires(found: Sequence[Finding], first: date, days: int) -> Iterator[Fires]:
    by_rule: dict[str, list[Finding]] = {}
    for finding in found:
        by_rule.setdefault(finding.rule_uid, []).append(finding)
    for uid, own in sorted(by_rule.items(), key=lambda item: (-len(item[1]), item[0])):
        begin = times.interval(first.isoformat()).start
        counted = Counter((max(one.first_seen_time, begin) - begin) // times.DAY for one in own)
        level = max((one.level for one in own), key=LEVELS.index)
        yield Fires(
            rule_uid=uid,
            rule_title=own[0].rule_title,
            level=level,
            findings=len(own),
            days=tuple(counted[day] for day in range(days)),
        )


def _causes(known: Sequence[Features], titles: Mapping[str, str]) -> Iterator[Cause]:
    held: set[str] = set()
    several = [group for group in groups(known, (*SAFE, "user_agent")) if len(group.uids) > 1]
    for group in fewest(several, len(known))[:CAUSES]:
        yield Cause(
            rule_uid=group.rule_uid,
            rule_title=titles.get(group.rule_uid, group.rule_uid),
            scope=group.scope,
            findings=len(group.uids),
            new=len(group.uids - held),
        )
        held |= group.uids


class _Writing(msgspec.Struct, frozen=True):
    """What a proposal needs besides its group."""

    rules: Sequence[Rule]
    author: str
    today: str
    span: str

    def rule(self, uid: str) -> str:
        """Its title; its id where that says more or less than this rule."""
        title = next((rule.title for rule in self.rules if rule.uid == uid), "")
        alike = sum(title in (rule.title, rule.uid) for rule in self.rules)
        return title if 0 < len(title.strip()) <= LONGEST and title != ALL and alike == 1 else uid

    def exclusion(self, group: Group) -> Exclusion:
        scope = {name: tuple(map(exactly, values)) if name in TEXTS else values for name, values in group.scope.items()}
        expires = (date.fromisoformat(self.today) + timedelta(days=_LASTING)).isoformat()
        reason = f"{UNREVIEWED} {len(group.uids):,} findings from {self.span}; write here why they are expected"
        said = {"reason": reason, "author": self.author, "created": self.today, "expires": expires}
        return msgspec.convert({"rule": [self.rule(group.rule_uid)], **scope, **said}, Exclusion)


def _proposal(group: Group, by_uid: Mapping[str, Finding], writes: _Writing, attacks: Sequence[Attack]) -> Proposal:
    levels = Counter(by_uid[uid].level for uid in group.uids)
    exclusion = writes.exclusion(group)
    return Proposal(
        yaml=written(exclusion),
        exclusion=exclusion,
        findings=len(group.uids),
        levels={level: levels[level] for level in reversed(LEVELS) if levels[level]},
        attacks=hidden(group.rule_uid, attacks),
    )


def written(exclusion: Exclusion) -> str:
    """As an item of exclusions.yml. What is not plain text in a value is escaped as YAML has it."""
    names = ("rule", *SCOPES, "reason", "author", "created", "expires")
    values: dict[str, Any] = {name: getattr(exclusion, name) for name in names if getattr(exclusion, name)}
    lists = {n: v[0] if len(v) == 1 else list(v) for n, v in values.items() if isinstance(v, tuple)}
    return yaml.safe_dump([{**values, **lists}], sort_keys=False, width=10_000, default_flow_style=False)
