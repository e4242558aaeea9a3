"""Detect again only where something changed, and leave the findings as one run over everything would.

What changed is told by day, as for the activity: the files that its events lie in, and the origins of its
sessions. A rule can see no further than its reach, the longest window or episode, so nothing else can change than what lies within that
of a changed day, or in a finding that reaches into it. Of these stretches every finding is made anew; those
that were stored and are not found again are gone. What depends on the whole log is run over the whole log:
rules with placeholders, whose values may be read from any event, and those that tell what does not follow, which is
certain only before the end of the log and outside of its gaps. Baselines judge every hour by those before it:
they are run from the first changed day on.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import msgspec

from trailhound import __version__
from trailhound.detections.baselines.baseline import Baseline
from trailhound.detections.detect import Detected, detect, reach
from trailhound.detections.findings import rank
from trailhound.detections.placeholders import Placeholders
from trailhound.detections.predicate import slots
from trailhound.detections.rules import Correlation, Rule, RuleSet
from trailhound.engines.duckdb import DuckDB
from trailhound.identity.activity import ACTIVITY
from trailhound.identity.derive import stamp_of, stamps
from trailhound.lake import times
from trailhound.lake.lake import Lake
from trailhound.model import Finding

STATE = "detected.json"


class State(msgspec.Struct, frozen=True):
    """What the stored findings were made from."""

    rules: str = ""  # stamp of the rules and of what fills their placeholders
    days: dict[str, str] = {}  # UTC day → stamp of its events


class Span(NamedTuple):
    """Epoch milliseconds, both ends part of it."""

    first: int
    last: int


class Renewal(NamedTuple):
    found: Detected  # in what was looked at again
    current: tuple[Finding, ...]  # all findings of these rules now
    gone: tuple[str, ...]  # uids of stored findings that are no more
    days: int | None  # that had changed; of all, when everything was looked at
    state: State | None  # to be kept once the findings are stored


def renew(
    engine: DuckDB, lake: Lake, rules: RuleSet, placeholders: Placeholders, stored: Sequence[Finding], *, whole: bool
) -> Renewal:
    """Bring the findings of `rules` up to date; `stored` are those made before. `whole`: look at everything again.

    Nothing is written: keep `state` when the findings are stored.
    """
    known, now = _read(lake), State(_stamp(rules, placeholders), stamps(lake, ACTIVITY, lake.partitions("events")))
    of_these = {rule.uid for rule in rules.rules}
    mine = [finding for finding in stored if finding.rule_uid in of_these]
    if whole or known.rules != now.rules:
        found = detect(engine, rules, placeholders=placeholders)
        return _renewal(mine, mine, found, len(now.days), now)
    changed = sorted(day for day in known.days.keys() | now.days.keys() if known.days.get(day) != now.days.get(day))
    if not changed:
        return _renewal(mine, (), Detected((), ()), 0, now)
    found, replaced = _again(engine, rules, placeholders, mine, changed)
    return _renewal(mine, replaced, found, len(changed), now)


def keep(lake: Lake, state: State) -> None:
    """Remember what the findings that have been stored were made from."""
    lake.write_file(STATE, msgspec.json.encode(state, order="sorted"))


def spans(days: Iterable[str], far: int, findings: Sequence[Finding]) -> list[Span]:
    """The changed days and what lies within `far` of them, grown until every finding is wholly in or out."""
    found = _merged(Span(start - far, end - 1 + far) for start, end in map(times.interval, days))
    while True:
        crossing = [
            Span(one.first_seen_time - far, one.last_seen_time + far)
            for one in findings
            if _meets(one, found)
            and not any(s.first <= one.first_seen_time and one.last_seen_time <= s.last for s in found)
        ]
        if not crossing:
            return found
        found = _merged([*found, *crossing])


def _again(
    engine: DuckDB, rules: RuleSet, placeholders: Placeholders, mine: Sequence[Finding], changed: Sequence[str]
) -> tuple[Detected, list[Finding]]:
    """Findings of what changed, and the stored ones that they stand in for."""
    parts: list[Detected] = []
    replaced: list[Finding] = []
    local, anywhere, habits = _parted(rules.rules)
    for stretches, shown in _by_spans(rules.rules, local, mine, changed).items():
        uids = {rule.uid for rule in shown}
        for span in stretches:
            group = _with_bases(rules.rules, shown)
            part = detect(engine, group, placeholders=placeholders, since=span.first, until=span.last + 1)
            parts.append(Detected(tuple(f for f in part.findings if f.first_seen_time >= span.first), part.skipped))
        replaced += [one for one in mine if one.rule_uid in uids and _meets(one, stretches)]
    if anywhere:
        parts.append(detect(engine, _with_bases(rules.rules, anywhere), placeholders=placeholders))
    begin = times.interval(changed[0]).start
    if habits:
        parts.append(detect(engine, habits, placeholders=placeholders, since=begin))
    others, baselines = {rule.uid for rule in anywhere}, {rule.uid for rule in habits}
    replaced += [
        one for one in mine if one.rule_uid in others or (one.rule_uid in baselines and one.last_seen_time >= begin)
    ]
    return _joined(parts), replaced


def _parted(rules: Sequence[Rule]) -> tuple[list[Rule], list[Rule], list[Rule]]:
    """Rules that see only as far as their reach; those that stand on the whole log; baselines. Only what is shown."""
    by_uid = {rule.uid: rule for rule in rules}
    shown = [rule for rule in rules if rule.output and not isinstance(rule.logic, Baseline)]
    wide = {rule.uid for rule in shown if any(map(_asks, _below(rule, by_uid)))}
    return (
        [rule for rule in shown if rule.uid not in wide],
        [rule for rule in shown if rule.uid in wide],
        [rule for rule in rules if isinstance(rule.logic, Baseline)],
    )


def _asks(rule: Rule) -> bool:
    if isinstance(rule.logic, Correlation):
        return rule.logic.tells_absence
    return not isinstance(rule.logic, Baseline) and bool(slots(rule.logic))


def _by_spans(
    rules: Sequence[Rule], shown: Sequence[Rule], mine: Sequence[Finding], changed: Sequence[str]
) -> dict[tuple[Span, ...], list[Rule]]:
    """Most rules see no further than a day: they are run together, apart from those whose findings last for weeks."""
    by_uid = {rule.uid: rule for rule in rules}
    grouped: dict[tuple[Span, ...], list[Rule]] = {}
    for rule in shown:
        far = max(reach(_below(rule, by_uid)), times.DAY)
        own = [one for one in mine if one.rule_uid == rule.uid]
        grouped.setdefault(tuple(spans(changed, far, own)), []).append(rule)
    return grouped


def _below(rule: Rule, by_uid: Mapping[str, Rule]) -> list[Rule]:
    """The rule and all that it stands on."""
    if not isinstance(rule.logic, Correlation):
        return [rule]
    return [rule, *(one for base in rule.logic.bases for one in _below(by_uid[base.rule_uid], by_uid))]


def _with_bases(rules: Sequence[Rule], shown: Sequence[Rule]) -> list[Rule]:
    """In the order of `rules`; what is only stood on shows nothing."""
    by_uid = {rule.uid: rule for rule in rules}
    own, needed = {rule.uid for rule in shown}, {one.uid for rule in shown for one in _below(rule, by_uid)}
    return [msgspec.structs.replace(rule, output=rule.uid in own) for rule in rules if rule.uid in needed]


def _joined(parts: Sequence[Detected]) -> Detected:
    found = {finding.uid: finding for part in parts for finding in part.findings}
    skipped = {one.rule_uid: one for part in parts for one in part.skipped}
    judged = tuple(one for part in parts for one in part.judged)
    return Detected(tuple(sorted(found.values(), key=rank)), tuple(skipped.values()), judged)


def _renewal(mine: Sequence[Finding], replaced: Sequence[Finding], found: Detected, days: int, now: State) -> Renewal:
    gone = {finding.uid for finding in replaced} - {finding.uid for finding in found.findings}
    current = {finding.uid: finding for finding in (*mine, *found.findings) if finding.uid not in gone}
    return Renewal(found, tuple(current.values()), tuple(sorted(gone)), days, now)


def _meets(finding: Finding, found: Sequence[Span]) -> bool:
    return any(span.first <= finding.last_seen_time and finding.first_seen_time <= span.last for span in found)


def _merged(found: Iterable[Span]) -> list[Span]:
    merged: list[Span] = []
    for span in sorted(found):
        if merged and span.first <= merged[-1].last + 1:
            merged[-1] = Span(merged[-1].first, max(merged[-1].last, span.last))
        else:
            merged.append(span)
    return merged


def _stamp(rules: RuleSet, placeholders: Placeholders) -> str:
    return stamp_of(__version__, repr(rules.rules), msgspec.json.encode(placeholders).decode())


def _read(lake: Lake) -> State:
    """A state that cannot be read is none: everything is looked at again."""
    try:
        return msgspec.json.decode((lake.root / STATE).read_bytes(), type=State)
    except (OSError, msgspec.MsgspecError):
        return State()
