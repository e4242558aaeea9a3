"""Sigma's correlations: what is counted over which events, and how many of it make a finding."""

from __future__ import annotations

from collections.abc import Sequence
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
from trailhound.detections.rules import Base, Correlation, CorrelationKind, Operator, Rule, Threshold
from trailhound.errors import CatalogError


def duration_ms(text: str) -> int:
    """A Sigma timespan, `5m`, `1h`, `7d`, in milliseconds. Raises SigmaError."""
    return SigmaCorrelationTimespan(text).seconds * 1000


def correlation(parsed: SigmaCorrelationRule, limits: dict[str, int | float], known: dict[str, Rule]) -> Correlation:
    """`limits`: the operators of its condition, which pySigma reads one of; `known`: rules by uid and name."""
    references = _references(parsed)
    bases = tuple(_base(parsed, reference, _find(reference, known)) for reference in references)
    kind: CorrelationKind = parsed.type.name.lower()  # type: ignore[assignment]
    if kind not in get_args(CorrelationKind):
        raise CatalogError(f"the correlation type {kind} is not supported")
    expression, thresholds = "", _thresholds(parsed, limits)
    if isinstance(parsed.condition, SigmaExtendedCorrelationCondition):
        if kind == "temporal_ordered":
            raise CatalogError(
                "temporal_ordered with `and`, `or`, `not` is not supported yet", next_step="use temporal"
            )
        expression, thresholds = _expression(parsed.condition.parsed, references), ()
    elif kind == "temporal_ordered" and thresholds != (Threshold(operator="gte", number=len(bases)),):
        raise CatalogError("temporal_ordered asks for all of its rules", next_step="leave its condition out")
    percentile = getattr(parsed.condition, "percentile", None)
    if kind == "value_percentile" and (percentile is None or not 0 <= percentile <= 100):
        raise CatalogError("value_percentile needs `percentile`, from 0 to 100, in its condition")
    return Correlation(
        kind=kind,
        bases=bases,
        timespan_ms=parsed.timespan.seconds * 1000,
        thresholds=thresholds,
        percentile=50 if percentile is None else percentile,
        aliases=tuple(parsed.aliases.aliases),
        expression=expression,
    )


def _references(parsed: SigmaCorrelationRule) -> list[str]:
    if parsed.rules is not None:
        found = [reference.reference for reference in parsed.rules]
    elif isinstance(parsed.condition, SigmaExtendedCorrelationCondition):
        found = parsed.condition.get_referenced_rules()
    else:
        found = []
    if not found:
        raise CatalogError("the correlation names no rules")
    return list(dict.fromkeys(found))


def _find(reference: str, known: dict[str, Rule]) -> Rule:
    if reference not in known:
        raise CatalogError(
            f"the correlation stands on {reference!r}, and no rule that could be read has this name or id",
            causes=("a misspelt name", "that rule has an error of its own", "the two stand on each other"),
        )
    return known[reference]


def _base(parsed: SigmaCorrelationRule, reference: str, rule: Rule) -> Base:
    def resolve(name: str) -> Field:
        alias = parsed.aliases.aliases.get(name)
        if alias is not None:
            names = {each.reference: field for each, field in alias.mapping.items()}
            if reference not in names:
                raise CatalogError(f"the alias {name!r} does not say what it is in {reference!r}")
            name = names[reference]
        elif isinstance(rule.logic, Correlation) and name in rule.logic.aliases:
            raise CatalogError(f"{name!r} is an alias within {reference!r}", next_step="name a field of the event")
        return fields.resolve(name, per_resource=rule.per_resource)

    wanted = parsed.condition.fieldref if isinstance(parsed.condition, SigmaCorrelationCondition) else None
    counted = [wanted] if isinstance(wanted, str) else wanted or []
    if len(counted) > 1 and parsed.type.name != "VALUE_COUNT":
        raise CatalogError("only value_count takes several fields")
    return Base(
        rule_uid=rule.uid,
        groups=tuple(resolve(name) for name in parsed.group_by or ()),
        values=tuple(resolve(name) for name in counted),
    )


def _thresholds(parsed: SigmaCorrelationRule, limits: dict[str, int | float]) -> tuple[Threshold, ...]:
    if not isinstance(parsed.condition, SigmaCorrelationCondition):
        return ()
    if limits:
        return tuple(Threshold(operator=operator, number=number) for operator, number in limits.items())  # type: ignore[arg-type]
    operator: Operator = parsed.condition.op.name.lower()  # type: ignore[assignment]
    return (Threshold(operator=operator, number=parsed.condition.count),)


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
            raise CatalogError(f"the condition has a part that is not understood: {node}")
