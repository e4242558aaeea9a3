"""A rule as the engine runs it: Sigma's words for what it is, and its logic, compiled away from Sigma."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Literal

import msgspec

from trailhound.detections.baselines.baseline import Baseline
from trailhound.detections.fields import Field
from trailhound.detections.predicate import Predicate
from trailhound.errors import CatalogError, RequestError
from trailhound.model import Level

CorrelationKind = Literal[
    "event_count",
    "value_count",
    "value_sum",
    "value_avg",
    "value_median",
    "value_percentile",
    "temporal",
    "temporal_ordered",
    "code",
]
Operator = Literal["gt", "gte", "lt", "lte", "eq", "neq"]


class Threshold(msgspec.Struct, frozen=True, kw_only=True):
    operator: Operator
    number: int | float


class Base(msgspec.Struct, frozen=True, kw_only=True):
    """One rule that a correlation stands on, and what the correlation's fields are called in its events."""

    rule_uid: str
    groups: tuple[Field, ...]
    values: tuple[Field, ...]


class Chain(msgspec.Struct, frozen=True):
    """Numbers of bases: events of the `present` come in this order, and none of the `absent` is in the window."""

    present: tuple[int, ...]
    absent: tuple[int, ...] = ()


class Code(msgspec.Struct, frozen=True):
    """A Python function that judges windows; see `code_rules`."""

    path: str
    function: str
    digest: str  # SHA-256 of the file, so that another text is another rule
    fields: tuple[str, ...]  # what it gets of each event, as its bases' `values` are


class Correlation(msgspec.Struct, frozen=True, kw_only=True):
    kind: CorrelationKind
    bases: tuple[Base, ...]
    timespan_ms: int
    thresholds: tuple[Threshold, ...]  # all must hold
    percentile: float = 50
    aliases: tuple[str, ...] = ()  # names that mean something only within it
    expression: str = ""  # extended condition of `temporal`: SQL over p0, p1 ..., "base N is in the window"
    chains: tuple[Chain, ...] = ()  # of `temporal_ordered`: one of them is enough
    after: bool = False  # windows begin with the first event of a chain, and do not end with its last
    tells_absence: bool = False  # it, or one that it stands on: what it does not find may still be so
    rests_on: int = 0  # rules, and those that these stand on
    code: Code | None = None  # of kind "code"


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    uid: str
    name: str
    title: str
    description: str
    level: Level
    attempt: Level | None = None  # of a finding none of whose events succeeded, where that is another
    kind: str  # "sigma", the kind of correlation, or "baseline"
    logic: Predicate | Correlation | Baseline
    per_resource: bool = False  # one row per event and resource
    output: bool = True  # false: it only feeds correlations
    template: str = ""  # of the finding's title
    episode_ms: int = 3_600_000  # events of one actor further apart than this are two findings
    tags: tuple[str, ...] = ()
    falsepositives: tuple[str, ...] = ()
    references: tuple[str, ...] = ()
    author: str = ""
    license: str = ""
    status: str = ""  # Sigma's: stable, test, experimental
    date: str = ""  # of its last change, YYYY-MM-DD
    path: str = ""
    line: int = 0


class LeftOut(msgspec.Struct, frozen=True):
    """What a folder holds besides rules that can run."""

    where: str  # file:line
    title: str
    reason: str


class RuleSet(msgspec.Struct, frozen=True, kw_only=True):
    """Rules that can run, each after those it stands on. `errors`: one per faulty rule."""

    rules: tuple[Rule, ...]
    errors: tuple[CatalogError, ...] = ()
    left_out: tuple[LeftOut, ...] = ()


def only(rules: RuleSet, uids: Iterable[str]) -> RuleSet:
    """The rules of these ids or names, and what they stand on. Raises RequestError for one that is not there."""
    by_key = {key: rule for rule in rules.rules for key in (rule.uid, rule.name) if key}
    asked = list(uids)
    if unknown := [uid for uid in asked if uid not in by_key]:
        unusable = tuple(f"not usable: {error.where}: {error.what}" for error in rules.errors[:3])
        near = difflib.get_close_matches(unknown[0], by_key, n=1)
        raise RequestError(
            f"there is no rule {unknown[0]!r}",
            causes=unusable,
            next_step=f"{f'did you mean {near[0]}? ' if near else ''}`trailhound rules list` shows their names",
        )
    shown = {by_key[uid].uid for uid in asked}
    needed, waiting = set(shown), list(shown)
    while waiting:
        logic = by_key[waiting.pop()].logic
        below = {base.rule_uid for base in logic.bases} - needed if isinstance(logic, Correlation) else set()
        needed |= below
        waiting += below
    kept = (msgspec.structs.replace(rule, output=rule.uid in shown) for rule in rules.rules if rule.uid in needed)
    return RuleSet(rules=tuple(kept), errors=rules.errors, left_out=rules.left_out)
