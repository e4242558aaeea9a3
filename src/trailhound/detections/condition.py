"""Sigma's detections and condition, as pySigma parses them → a predicate.

pySigma expands the modifiers (contains, base64offset, windash ...); what a value then means is said here, once.
"""

from __future__ import annotations

import ipaddress
import json
import re
from collections.abc import Callable
from typing import Any as Anything

from sigma.conditions import (
    ConditionAND,
    ConditionIdentifier,
    ConditionNOT,
    ConditionOR,
    ConditionSelector,
    SigmaCondition,
)
from sigma.exceptions import SigmaConditionError
from sigma.modifiers import SigmaCaseSensitiveModifier
from sigma.rule import SigmaDetection, SigmaDetectionItem, SigmaDetections
from sigma.types import (
    CompareOperators,
    Placeholder,
    SigmaBool,
    SigmaCIDRExpression,
    SigmaCompareExpression,
    SigmaExists,
    SigmaExpansion,
    SigmaFieldReference,
    SigmaNull,
    SigmaNumber,
    SigmaRegularExpression,
    SigmaString,
    SigmaTimestampPart,
    SigmaType,
    SpecialChars,
)

from trailhound.detections.fields import ADDRESS, RECORD, Field
from trailhound.detections.predicate import (
    All,
    Any,
    Compare,
    Match,
    Moment,
    Network,
    Not,
    Operator,
    Pattern,
    Predicate,
    Present,
    Reference,
    Regex,
    Slot,
    Test,
    Text,
    Wildcard,
)
from trailhound.errors import CatalogError

Resolve = Callable[[str], Field]

_WILDCARDS = {SpecialChars.WILDCARD_MULTI: Wildcard.MANY, SpecialChars.WILDCARD_SINGLE: Wildcard.ONE}
_OPERATORS: dict[CompareOperators, Operator] = {
    CompareOperators.LT: "<",
    CompareOperators.LTE: "<=",
    CompareOperators.GT: ">",
    CompareOperators.GTE: ">=",
}
_PLACE = re.compile(r"\(at char (\d+)\)")
_MAPPED_LOW, _MAPPED_HIGH = "00000000000000000000ffff00000000", "00000000000000000000ffffffffffff"


def predicate(detections: SigmaDetections, resolve: Resolve) -> Predicate:
    """Several conditions of one rule are alternatives. Raises SigmaError and CatalogError."""
    alternatives = [_walk(_parsed(text, detections), detections, resolve) for text in detections.condition]
    return alternatives[0] if len(alternatives) == 1 else Any(tuple(alternatives))


def _parsed(text: Anything, detections: SigmaDetections) -> Anything:
    if not isinstance(text, str):
        raise CatalogError("a condition is text", next_step="condition: selection and not filter")
    try:
        return SigmaCondition(text, detections).parse(postprocess=False)
    except SigmaConditionError as error:
        place = _PLACE.search(str(error))
        read = f", from {text[int(place[1]) :] or 'its end'!r} on" if place else ""
        raise CatalogError(
            f"the condition {text!r} is not understood{read}",
            causes=("`and`, `or`, `not`, `1 of`, `any of` and `all of` join names of detections, in small letters",),
        ) from error


def _walk(node: Anything, detections: SigmaDetections, resolve: Resolve) -> Predicate:
    match node:
        case ConditionIdentifier():
            return _named(node.identifier, detections, resolve)
        case ConditionSelector():
            parts = tuple(
                _named(found.identifier, detections, resolve)
                for found in node.resolve_referenced_detections(detections)
            )
            if not parts:
                raise CatalogError(f"`{node.args[0]} of {node.pattern}` names no detection of this rule")
            return All(parts) if node.cond_class is ConditionAND else Any(parts)
        case ConditionNOT():
            return Not(_walk(node.args[0], detections, resolve))
        case ConditionAND():
            return All(tuple(_walk(part, detections, resolve) for part in node.args))
        case ConditionOR():
            return Any(tuple(_walk(part, detections, resolve) for part in node.args))
        case _:
            raise CatalogError(f"the condition has a part that is not understood: {node}")


def _named(name: str, detections: SigmaDetections, resolve: Resolve) -> Predicate:
    if name not in detections.detections:
        raise CatalogError(
            f"the condition names {name!r}, and there is no such detection",
            next_step=f"there are: {', '.join(detections.detections)}",
        )
    return _detection(detections[name], resolve)


def _detection(detection: SigmaDetection, resolve: Resolve) -> Predicate:
    parts = tuple(
        item(part, resolve) if isinstance(part, SigmaDetectionItem) else _detection(part, resolve)
        for part in detection.detection_items
    )
    if len(parts) == 1:
        return parts[0]
    return All(parts) if detection.item_linking is ConditionAND else Any(parts)


def item(detected: SigmaDetectionItem, resolve: Resolve) -> Predicate:
    values = detected.value or [SigmaNull()]
    # windash makes plain strings of cased ones, so the modifier is asked, not the value.
    cased = SigmaCaseSensitiveModifier in detected.modifiers
    if detected.field is None:
        parts = [_keyword(value, cased=cased) for value in values]
    else:
        field = resolve(detected.field)
        parts = [_test(field, value, resolve, cased=cased) for value in values]
    linked = All(tuple(parts)) if detected.value_linking is ConditionAND else _any(parts)
    return Not(linked) if detected.negated else linked


def _any(parts: list[Predicate]) -> Predicate:
    """A list of strings is one test of one field, which is what makes 10,000 of them bearable."""
    texts: dict[tuple[Field, bool], list[Pattern]] = {}
    others: list[Predicate] = []
    for part in parts:
        if isinstance(part, Test) and isinstance(part.match, Text):
            texts.setdefault((part.field, part.match.cased), []).extend(part.match.patterns)
        else:
            others.append(part)
    merged = [Test(field, Text(tuple(patterns), cased)) for (field, cased), patterns in texts.items()]
    return (merged + others)[0] if len(merged) + len(others) == 1 else Any((*merged, *others))


def _test(field: Field, value: SigmaType, resolve: Resolve, *, cased: bool) -> Predicate:
    match value:
        case SigmaExpansion():
            return _any([_test(field, each, resolve, cased=cased) for each in value.values])
        case SigmaNull():
            return Not(Test(field, Present()))
        case SigmaExists():
            return Test(field, Present()) if value.exists else Not(Test(field, Present()))
        case SigmaCIDRExpression():
            return _network(field, value)
        case SigmaFieldReference():
            return Test(field, Reference(resolve(value.field), _relation(value), cased))
        case _:
            return Test(field, _match(value, cased=cased))


def _match(value: SigmaType, *, cased: bool) -> Match:
    match value:
        case SigmaString():
            return Text((pattern(value),), cased)
        case SigmaTimestampPart():
            return _moment(value)
        case SigmaNumber():
            return Text(_numerals(value.number))
        case SigmaBool():
            return Text(((str(value).lower(),),))
        case SigmaRegularExpression():
            return Regex(_regex(value))
        case SigmaCompareExpression(number=SigmaTimestampPart()) if value.op in _OPERATORS:
            return _moment(value.number, _OPERATORS[value.op])
        case SigmaCompareExpression() if value.op in _OPERATORS:
            return Compare(_OPERATORS[value.op], value.number.number)
        case _:
            raise CatalogError(f"a value of the kind {type(value).__name__} is not understood")


def _moment(part: Anything, operator: Operator | None = None) -> Moment:
    return Moment(part.timestamp_part.name.lower(), int(part.number), operator or "=")


def pattern(text: SigmaString) -> Pattern:
    """Sigma's own reading of wildcards and their escapes."""
    return tuple(_part(part) for part in text.s if part != "")


def _part(part: str | SpecialChars | Placeholder) -> str | Wildcard | Slot:
    if isinstance(part, Placeholder):
        return Slot(part.name)
    return part if isinstance(part, str) else _WILDCARDS[part]


def _numerals(number: int | float) -> tuple[Pattern, ...]:
    """Numbers are compared as text, so that an id is not mistaken for another; JSON may write 0 as 0.0."""
    return ((str(number),), (f"{number}.0",)) if isinstance(number, int) else ((repr(number),),)


def _regex(value: SigmaRegularExpression) -> str:
    if value.contains_placeholder():
        raise CatalogError("a placeholder cannot stand in a regular expression", next_step="use |contains|expand")
    flags = "".join(sorted(value.sigma_to_re_flag[flag] for flag in value.flags))
    return (f"(?{flags})" if flags else "") + str(value.regexp)


def _relation(value: SigmaFieldReference) -> Anything:
    return {(True, True): "contains", (True, False): "starts", (False, True): "ends"}.get(
        (value.starts_with, value.ends_with), "equals"
    )


def _network(field: Field, value: SigmaCIDRExpression) -> Predicate:
    network = value.network
    by_hex = field.kind == "address" or field.columns in (("src_endpoint.ip",), ("src_ip_hex",))
    if isinstance(network, ipaddress.IPv4Network):
        low, high = (f"{_MAPPED_LOW[:24]}{int(network[edge]):08x}" for edge in (0, -1))
        return Test(ADDRESS, Network(low, high, parse=False)) if by_hex else Test(field, Network(low, high, parse=True))
    if not by_hex:
        raise CatalogError(
            f"an IPv6 network is looked for in {field.name}",
            causes=("IPv6 networks are understood in sourceIPAddress only",),
            next_step="write the beginning of the address with |startswith",
        )
    low, high = (f"{int(network[edge]):032x}" for edge in (0, -1))
    inside = Test(ADDRESS, Network(low, high, parse=False))
    if low <= _MAPPED_LOW and high >= _MAPPED_HIGH and network.prefixlen < 96:
        # ::/0 means every IPv6 address, not every address.
        return All((inside, Not(Test(ADDRESS, Network(_MAPPED_LOW, _MAPPED_HIGH, parse=False)))))
    return inside


def _keyword(value: SigmaType, *, cased: bool) -> Predicate:
    """Found anywhere in the record, as written or as JSON writes it."""
    match value:
        case SigmaExpansion():
            return Any(tuple(_keyword(each, cased=cased) for each in value.values))
        case SigmaRegularExpression():
            return Test(RECORD, Regex(_regex(value)))
        case SigmaString():
            wanted = pattern(value)
        case SigmaNumber() | SigmaBool():
            wanted = (str(value),)
        case _:
            raise CatalogError("a keyword is text; anything else needs a field")
    spellings = {tuple(_spelt(part, ascii_only) for part in wanted) for ascii_only in (True, False)} | {wanted}
    anywhere = tuple((Wildcard.MANY, *spelling, Wildcard.MANY) for spelling in sorted(spellings, key=repr))
    return Test(RECORD, Text(anywhere, cased))


def _spelt(part: str | Wildcard | Slot, ascii_only: bool) -> str | Wildcard | Slot:
    return json.dumps(part, ensure_ascii=ascii_only)[1:-1] if isinstance(part, str) else part
