"""Run rules over the events table."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from trailhound.detections import absence, candidates, findings, windows
from trailhound.detections.baselines.baseline import Baseline
from trailhound.detections.baselines.judge import Habits, Judged, judge
from trailhound.detections.behind import attribute
from trailhound.detections.candidates import Query
from trailhound.detections.placeholders import Filled, Placeholders, bind, drop, fill
from trailhound.detections.predicate import columns, slots
from trailhound.detections.rules import Correlation, Rule, RuleSet
from trailhound.engines.duckdb import DuckDB
from trailhound.errors import CatalogError
from trailhound.identity.origins import attributed
from trailhound.lake.attribution import ATTRIBUTED
from trailhound.model import Finding

Numbered = dict[int, Rule]


class Skipped(msgspec.Struct, frozen=True):
    """A rule that did not run: what it would have found is unknown."""

    rule_uid: str
    title: str
    reason: str


class Detected(msgspec.Struct, frozen=True):
    findings: tuple[Finding, ...]  # most severe first
    skipped: tuple[Skipped, ...]
    judged: tuple[Judged, ...] = ()  # by baseline, on what it stood


def detect(
    engine: DuckDB,
    rules: RuleSet | Sequence[Rule],
    *,
    placeholders: Placeholders | None = None,
    since: int | None = None,
    until: int | None = None,
) -> Detected:
    """Findings that reach into since <= time < until (epoch milliseconds), among the events mounted as `events`.

    Before `since` the events of the longest window or episode of the rules are looked at too, so that a window that
    ends after it is whole. A correlation's bases must be among the rules (see `rules.only`). Baselines read the tables
    `activity` and `principals`, too; correlations that tell what does not follow read `integrity` and
    `integrity_periods`. Only temporary tables are made in the engine, and removed again.
    """
    given = rules.rules if isinstance(rules, RuleSet) else rules
    listed = [rule for rule in given if not isinstance(rule.logic, Baseline)]
    filled = Filled({}, {}, {})
    try:
        filled = _fill(engine, listed, placeholders or Placeholders())
        numbered = dict(enumerate(listed))
        with attributed(engine, wanted=_by_origin(numbered)):
            found = _run(engine, numbered, filled, since, until)
        baselines = [rule for rule in given if isinstance(rule.logic, Baseline)]
        if baselines:
            found = _with_habits(found, judge(engine, baselines, since=since, until=until))
        return msgspec.structs.replace(found, findings=tuple(attribute(engine, found.findings)))
    finally:
        candidates.drop(engine)
        windows.drop(engine)
        drop(engine, filled)


def _with_habits(found: Detected, habits: Habits) -> Detected:
    return Detected(tuple(sorted([*found.findings, *habits.findings], key=findings.rank)), found.skipped, habits.judged)


def _fill(engine: DuckDB, rules: Sequence[Rule], given: Placeholders) -> Filled:
    names = [name for rule in rules if not isinstance(rule.logic, Correlation | Baseline) for name in slots(rule.logic)]
    return fill(engine, given, names)


def _run(engine: DuckDB, rules: Numbered, filled: Filled, since: int | None, until: int | None) -> Detected:
    reasons: dict[int, str] = {}
    queries: dict[int, Query] = {}
    more = _correlated(rules)
    for number, rule in rules.items():
        if isinstance(rule.logic, Correlation | Baseline):
            continue
        missing = sorted(slots(rule.logic) & filled.missing.keys())
        if missing:
            reasons[number] = "; ".join(filled.missing[name] for name in missing)
        else:
            queries[number] = Query(bind(rule.logic, filled), rule.per_resource, frozenset(more[number]))
    start = None if since is None else since - reach(rules.values())
    refused = candidates.collect(engine, queries, since=start, until=until)
    reasons.update({number: f"the engine refuses it: {error.what}" for number, error in refused.items()})
    windows.prepare(engine)
    if any(isinstance(rule.logic, Correlation) and rule.logic.after for rule in rules.values()):
        absence.prepare(engine, until=until)
    windows.episodes(engine, {n: rules[n].episode_ms for n in queries if rules[n].output and n not in refused})
    _correlate(engine, rules, reasons)
    candidates.complete(engine, windows.MEMBERS)
    found = [f for f in findings.findings(engine, rules) if since is None or f.last_seen_time >= since]
    skipped = [Skipped(rules[number].uid, rules[number].title, reason) for number, reason in sorted(reasons.items())]
    return Detected(tuple(found), tuple(skipped))


def _correlate(engine: DuckDB, rules: Numbered, reasons: dict[int, str]) -> None:
    """Correlations stand in the order in which they stand on each other."""
    positions = {rule.uid: number for number, rule in rules.items()}
    matched = candidates.matched(engine)
    stood_on = {
        base.rule_uid for rule in rules.values() if isinstance(rule.logic, Correlation) for base in rule.logic.bases
    }
    for number, rule in rules.items():
        if not isinstance(rule.logic, Correlation):
            continue
        bases = [positions[base.rule_uid] for base in rule.logic.bases]
        absent = [base for base in bases if base in reasons]
        if absent:
            reasons[number] = f"it stands on {rules[absent[0]].title!r}, which did not run: {reasons[absent[0]]}"
            continue
        if not matched.intersection(bases):
            continue  # planning so many windows takes longer than looking
        feeds = rule.uid in stood_on
        try:
            windows.correlate(engine, number, rule.logic, positions, feeds=feeds)
        except CatalogError as error:  # its code failed
            reasons[number] = f"{error.where}: {error.what}"
            continue
        matched |= {number} if feeds else set()
        for base in bases:
            if isinstance(rules[base].logic, Correlation):
                windows.take_in(engine, number, base)


def reach(rules: Iterable[Rule]) -> int:
    """The longest window or episode, in milliseconds; windows add up where correlations stand on each other."""
    by_uid = {rule.uid: rule for rule in rules}

    def far(rule: Rule) -> int:
        if not isinstance(rule.logic, Correlation):
            return 0
        return rule.logic.timespan_ms + max(far(by_uid[base.rule_uid]) for base in rule.logic.bases)

    return max((max(far(rule), rule.episode_ms) for rule in by_uid.values()), default=0)


def _by_origin(rules: Numbered) -> bool:
    """Does any rule ask for a session or its origin?"""
    return bool({column.path for column in ATTRIBUTED} & read(rules.values()))


def read(rules: Iterable[Rule]) -> set[str]:
    """Columns of the events that rules and correlations read; not those of baselines."""
    numbered = dict(enumerate(rules))
    own = (columns(rule.logic) for rule in numbered.values() if not isinstance(rule.logic, Correlation | Baseline))
    return set[str]().union(*own, *_correlated(numbered).values())


def _correlated(rules: Numbered) -> dict[int, set[str]]:
    """By rule the columns that correlations group its events by and count in them, however far above it they stand."""
    positions = {rule.uid: number for number, rule in rules.items()}
    found: dict[int, set[str]] = {number: set() for number in rules}
    for number, rule in reversed(rules.items()):  # a correlation stands after those it stands on
        if isinstance(rule.logic, Correlation):
            for base in rule.logic.bases:
                own = {path for field in (*base.groups, *base.values) for path in field.columns}
                found[positions[base.rule_uid]] |= own | found[number]
    return found
