"""Sigma's correlations: what is counted over which events, and how many of it make a finding."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import combinations, islice
from typing import Any, get_args

from sigma.correlations import (
    CorrelationConditionAND,
    CorrelationConditionNOT,
    CorrelationConditionOR,
    SigmaCorrelationCondition,
    SigmaCorrelationRule,
    SigmaCorrelationTimespan,
    SigmaExtendedCorrelationCondition,
    SigmaRuleReference,
)

from trailhound.detections import fields
from trailhound.detections.fields import Field
from trailhound.detections.rules import Base, Chain, Correlation, CorrelationKind, Rule, Threshold
from trailhound.errors import CatalogError

Find = Callable[[str], Rule | None]  # by name or id
Literals = tuple[frozenset[int], frozenset[int]]  # bases that are there, bases that are not

MOST_CHAINS = 64  # each is a window over all events of the group
MOST_RULES = 200  # that one stands on, and that these stand on, each as often as it is stood on
_CONDITION, _RULES = "correlation.condition", "correlation.rules"


def duration_ms(text: str) -> int:
    """A Sigma timespan, `5m`, `1h`, `7d`, in milliseconds. Raises SigmaError."""
    return SigmaCorrelationTimespan(text).seconds * 1000


def correlation(
    parsed: SigmaCorrelationRule, thresholds: Sequence[Threshold], percentile: float, find: Find, *, after: bool
) -> Correlation:
    """`thresholds` and `percentile` of its condition, of which pySigma reads one and the whole part; `after`: windows
    begin with the first event and do not end with the last.

    Raises CatalogError, `where` of which are keys below the document.
    """
    references = _references(parsed)
    rules = [_known(reference, find) for reference in references]
    bases = tuple(_base(parsed, reference, rule) for reference, rule in zip(references, rules, strict=True))
    kind: CorrelationKind = parsed.type.name.lower()  # type: ignore[assignment]
    if kind not in get_args(CorrelationKind):
        raise CatalogError(f"the correlation type {kind} is not supported", where="correlation.type")
    expression = ""
    if isinstance(parsed.condition, SigmaExtendedCorrelationCondition):
        expression = _expression(parsed.condition.parsed, references)
    elif not thresholds:
        thresholds = (Threshold(operator="gte", number=len(bases)),)
    chains = _chains(parsed, thresholds, references) if kind == "temporal_ordered" else ()
    below = [rule.logic for rule in rules if isinstance(rule.logic, Correlation)]
    built = Correlation(
        kind=kind,
        bases=bases,
        timespan_ms=parsed.timespan.seconds * 1000,
        thresholds=tuple(thresholds),
        percentile=percentile,
        aliases=tuple(parsed.aliases.aliases),
        expression=expression,
        chains=chains,
        after=after,
        tells_absence=after or any(logic.tells_absence for logic in below),
        rests_on=len(bases) + sum(logic.rests_on for logic in below),
    )
    if built.rests_on > MOST_RULES:
        raise CatalogError(f"the correlation stands on more than {MOST_RULES} rules, one upon the other", where=_RULES)
    _check_absence(built, rules)
    return built


def _references(parsed: SigmaCorrelationRule) -> list[str]:
    if parsed.rules is not None:
        found = [reference.reference for reference in parsed.rules]
    elif isinstance(parsed.condition, SigmaExtendedCorrelationCondition):
        found = parsed.condition.get_referenced_rules()
    else:
        found = []
    if not found:
        raise CatalogError("the correlation names no rules", where=_RULES)
    twice = sorted({str(name) for name in found if found.count(name) > 1})
    if twice:
        raise CatalogError(f"the correlation names {twice[0]!r} twice", where=_RULES, next_step="count it: event_count")
    return found


def _known(reference: str, find: Find) -> Rule:
    rule = find(reference) if isinstance(reference, str) else None
    if rule is None:
        raise CatalogError(
            f"the correlation stands on {reference!r}, and no rule that could be read has this name or id",
            where=_RULES,
            causes=("a misspelt name", "that rule has an error of its own", "the two stand on each other"),
        )
    return rule


def _base(parsed: SigmaCorrelationRule, reference: str, rule: Rule) -> Base:
    def resolve(name: str) -> Field:
        alias = parsed.aliases.aliases.get(name)
        if alias is not None:
            names = {each.reference: field for each, field in alias.mapping.items()}
            if reference not in names:
                raise CatalogError(
                    f"the alias {name!r} does not say what it is in {reference!r}", where="correlation.aliases"
                )
            name = names[reference]
        elif isinstance(rule.logic, Correlation) and name in rule.logic.aliases:
            raise CatalogError(f"{name!r} is an alias within {reference!r}", next_step="name a field of the event")
        return fields.resolve(name, per_resource=rule.per_resource)

    wanted = parsed.condition.fieldref if isinstance(parsed.condition, SigmaCorrelationCondition) else None
    counted = [wanted] if isinstance(wanted, str) else wanted or []
    if len(counted) > 1 and parsed.type.name != "VALUE_COUNT":
        raise CatalogError("only value_count takes several fields", where=_CONDITION)
    return Base(
        rule_uid=rule.uid,
        groups=tuple(resolve(name) for name in parsed.group_by or ()),
        values=tuple(resolve(name) for name in counted),
    )


def _expression(node: Any, references: Sequence[str]) -> str:
    match node:
        case SigmaRuleReference():
            return f"p{references.index(node.reference)}"
        case CorrelationConditionNOT():
            return f"(NOT {_expression(node.args[0], references)})"
        case CorrelationConditionAND():
            return "(" + " AND ".join(_expression(part, references) for part in node.args) + ")"
        case CorrelationConditionOR():
            return "(" + " OR ".join(_expression(part, references) for part in node.args) + ")"
        case _:
            raise CatalogError(f"the condition has a part that is not understood: {node}", where=_CONDITION)


def _chains(
    parsed: SigmaCorrelationRule, thresholds: Sequence[Threshold], references: Sequence[str]
) -> tuple[Chain, ...]:
    """Which rules in order, and which not at all, make the condition true: its disjunctive normal form."""
    everything = range(len(references))
    if isinstance(parsed.condition, SigmaExtendedCorrelationCondition):
        found = _normal_form(parsed.condition.parsed, references, wanted=True)
    else:
        some = islice(combinations(everything, _least(thresholds, everything)), MOST_CHAINS + 1)
        found = _check_many({(frozenset(each), frozenset[int]()) for each in some})
    least = [one for one in found if not any(other != one and _part(other, one) for other in found)]
    chains = {Chain(tuple(sorted(present)), tuple(sorted(absent))) for present, absent in least}
    return tuple(sorted(chains, key=lambda chain: (chain.present, chain.absent)))


def _part(one: Literals, other: Literals) -> bool:
    return one[0] <= other[0] and one[1] <= other[1]


def _least(thresholds: Sequence[Threshold], everything: range) -> int:
    if len(thresholds) == 1 and thresholds[0].operator in ("gte", "gt"):
        least = int(thresholds[0].number) + (thresholds[0].operator == "gt")
        if 1 <= least <= len(everything) and thresholds[0].number == int(thresholds[0].number):
            return least
    raise CatalogError(
        f"temporal_ordered asks how many of its {len(everything)} rules come in their order: from 1 to all",
        where=_CONDITION,
        next_step="write gte, or leave the condition out for all of them",
    )


def _normal_form(node: Any, references: Sequence[str], *, wanted: bool) -> set[Literals]:
    match node:
        case SigmaRuleReference():
            one = frozenset({references.index(node.reference)})
            return {(one, frozenset()) if wanted else (frozenset(), one)}
        case CorrelationConditionNOT():
            return _normal_form(node.args[0], references, wanted=not wanted)
        case CorrelationConditionAND() | CorrelationConditionOR():
            parts = [_normal_form(part, references, wanted=wanted) for part in node.args]
            if isinstance(node, CorrelationConditionAND) != wanted:
                return _check_many(set().union(*parts))
            joined: set[Literals] = {(frozenset(), frozenset())}
            for part in parts:
                both = ((a | c, b | d) for a, b in joined for c, d in part)
                joined = _check_many({(there, gone) for there, gone in both if not there & gone})
            return joined
        case _:
            raise CatalogError(f"the condition has a part that is not understood: {node}", where=_CONDITION)


def _check_many(found: set[Literals]) -> set[Literals]:
    if len(found) > MOST_CHAINS:
        raise CatalogError(
            f"the condition can be met in more than {MOST_CHAINS} ways",
            where=_CONDITION,
            next_step="write it as several correlations",
        )
    return found


def _check_absence(built: Correlation, rules: Sequence[Rule]) -> None:
    """An absence is told of the time after an event, and only where it is certain: nothing may rest on it not being."""
    if built.kind == "temporal_ordered" and not built.chains:
        raise CatalogError("the condition asks for a rule and for its absence: it can never be met", where=_CONDITION)
    if built.after and not any(chain.absent for chain in built.chains):
        raise CatalogError(
            "`window: after` tells what does not follow",
            where="trailhound.window",
            next_step="use it with type temporal_ordered and a condition with `not`: `started and not ended`",
        )
    if built.after and not all(chain.present for chain in built.chains):
        raise CatalogError(
            "with `window: after` something must be there for something else not to follow it", where=_CONDITION
        )
    negated = built.expression or any(chain.absent for chain in built.chains)
    few = any(threshold.operator not in ("gt", "gte") for threshold in built.thresholds)
    for rule in rules:
        if (negated or few) and isinstance(rule.logic, Correlation) and rule.logic.tells_absence:
            raise CatalogError(
                f"{rule.title!r} tells an absence, which is found only where it is certain",
                where=_CONDITION,
                causes=("a condition that is met when it is not found would be met where nothing is known",),
                next_step="use it without `not`, and with gt or gte",
            )
