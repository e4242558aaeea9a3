"""The text of a policy → statements, and their normal form; or why it cannot be read.

Source: the IAM User Guide, "Grammar of the IAM JSON policy language".
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, Literal
from urllib.parse import unquote

import msgspec

from trailhound.permissions import actions as known

Effect = Literal["Allow", "Deny"]
Quantifier = Literal["", "all", "any"]

_BYTES = 1 << 20  # AWS's own bounds are far below: 20 KB for a bucket, 32 KB for a key
_ELEMENTS = {
    "Sid",
    "Effect",
    "Principal",
    "NotPrincipal",
    "Action",
    "NotAction",
    "Resource",
    "NotResource",
    "Condition",
}
_VERSIONS = {"2008-10-17", "2012-10-17"}
_PRINCIPALS = {"AWS", "Service", "Federated", "CanonicalUser"}
_OPERATORS = {
    each.lower(): each
    for each in (
        *("StringEquals", "StringNotEquals", "StringEqualsIgnoreCase", "StringNotEqualsIgnoreCase"),
        *("StringLike", "StringNotLike", "NumericEquals", "NumericNotEquals", "NumericLessThan"),
        *("NumericLessThanEquals", "NumericGreaterThan", "NumericGreaterThanEquals", "DateEquals", "DateNotEquals"),
        *("DateLessThan", "DateLessThanEquals", "DateGreaterThan", "DateGreaterThanEquals", "Bool", "BinaryEquals"),
        *("IpAddress", "NotIpAddress", "ArnEquals", "ArnLike", "ArnNotEquals", "ArnNotLike", "Null"),
    )
}


class Condition(msgspec.Struct, frozen=True, order=True):
    """One key compared with some values; all conditions of a statement have to hold."""

    operator: str  # without prefix and suffix: "StringEquals"
    key: str  # in lower case
    values: tuple[str, ...]  # sorted, none twice
    quantifier: Quantifier = ""  # "all" of the request's values, "any" of them
    if_exists: bool = False

    def __str__(self) -> str:
        prefix = {"": "", "all": "ForAllValues:", "any": "ForAnyValue:"}[self.quantifier]
        return f"{prefix}{self.operator}{'IfExists' * self.if_exists} {self.key} {' or '.join(self.values)}"


class Statement(msgspec.Struct, frozen=True, order=True):
    """Who (in policies of resources and roles) may or may not do what to which resources, and when."""

    effect: Effect
    actions: tuple[str, ...]  # patterns in lower case
    resources: tuple[str, ...] = ("*",)  # patterns; "*" too where the policy names none, for it hangs on one
    conditions: tuple[Condition, ...] = ()
    principals: tuple[tuple[str, str], ...] = ()  # ("AWS", "*"), ("Service", "ec2.amazonaws.com"); none: the holder
    not_actions: bool = False  # all actions but these
    not_resources: bool = False
    not_principals: bool = False
    variables: bool = True  # Version 2012-10-17 only: before it, ${aws:username} is plain text
    sid: str = ""


class Policy(msgspec.Struct, frozen=True):
    statements: tuple[Statement, ...] = ()


class Unreadable(msgspec.Struct, frozen=True):
    """A policy that says nothing to us, which is not the same as a policy that says nothing."""

    because: str


class Grant(msgspec.Struct, frozen=True):
    """A part of the normal form: all that is said alike of the same resources, under the same conditions."""

    effect: Effect
    principal: tuple[str, str] | None
    not_principals: frozenset[tuple[str, str]]
    resource: str | None
    not_resources: frozenset[str]
    conditions: frozenset[Condition]
    variables: bool
    actions: frozenset[str]


class _MalformedError(Exception):
    pass


def read(document: str | Mapping[str, Any]) -> Policy | Unreadable:
    """A policy as a log or a file has it: JSON, JSON in URL encoding, or an object already."""
    try:
        data = _object(document) if isinstance(document, str) else document
        return Policy(tuple(_statements(data)))
    except _MalformedError as error:
        return Unreadable(str(error))
    except RecursionError:
        return Unreadable("it is nested too deeply")


def _object(text: str) -> Any:
    if len(text) > _BYTES:
        raise _MalformedError(f"it has {len(text)} characters, and no policy of AWS has so many")
    text = text.strip().removeprefix("\ufeff")
    if text[:3].lower() in ("%7b", "%0a", "%20"):
        text = unquote(text)
    try:
        return json.loads(text, object_pairs_hook=_unique)
    except ValueError as error:
        raise _MalformedError(f"it is not JSON: {error}") from error


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise _MalformedError("a key stands in it twice")
    return found


def _statements(data: Any) -> Iterator[Statement]:
    if not isinstance(data, Mapping):
        raise _MalformedError("it is not an object")
    extra = set(data) - {"Version", "Id", "Statement"}
    if extra or "Statement" not in data:
        raise _MalformedError(f"it has {_some(extra)}" if extra else "it has no Statement")
    version = data.get("Version", "2008-10-17")
    if not isinstance(version, str) or version not in _VERSIONS:
        raise _MalformedError(f"its Version is {str(version)[:40]!r}")
    found = data["Statement"]
    for each in found if isinstance(found, list | tuple) else [found]:
        if not isinstance(each, Mapping):
            raise _MalformedError("a statement is not an object")
        yield _statement(each, version == "2012-10-17")


def _statement(data: Mapping[str, Any], variables: bool) -> Statement:
    if extra := set(data) - _ELEMENTS:
        raise _MalformedError(f"a statement has {_some(extra)}")
    if data.get("Effect") not in ("Allow", "Deny"):
        raise _MalformedError("the Effect of a statement is neither Allow nor Deny")
    for element in ("Action", "Resource", "Principal"):
        if element in data and f"Not{element}" in data:
            raise _MalformedError(f"a statement has {element} and Not{element}")
    if "Action" not in data and "NotAction" not in data:
        raise _MalformedError("a statement has no Action")
    no_principals = "NotPrincipal" in data
    principals = data.get("NotPrincipal" if no_principals else "Principal")
    named = "Resource" in data or "NotResource" in data
    return Statement(
        effect=data["Effect"],
        actions=_texts(data.get("Action", data.get("NotAction")), "Action", lower=True),
        not_actions="NotAction" in data,
        resources=_texts(data.get("Resource", data.get("NotResource")), "Resource") if named else ("*",),
        not_resources="NotResource" in data,
        principals=() if principals is None else _principals(principals),
        not_principals=no_principals,
        conditions=_conditions(data.get("Condition", {})),
        variables=variables,
        sid=str(data.get("Sid", ""))[:200],
    )


def _texts(value: Any, element: str, *, lower: bool = False) -> tuple[str, ...]:
    values = value if isinstance(value, list | tuple) else [value]
    if not values or not all(isinstance(each, str) and each for each in values):
        raise _MalformedError(f"an {element} is not text" if values else f"an {element} is empty")
    return tuple(sorted({each.lower() if lower else each for each in values}))


def _principals(value: Any) -> tuple[tuple[str, str], ...]:
    if value == "*":
        return (("AWS", "*"),)
    if not isinstance(value, Mapping) or not value:
        raise _MalformedError("a Principal is neither * nor an object")
    if extra := set(value) - _PRINCIPALS:
        raise _MalformedError(f"a Principal has {_some(extra)}")
    return tuple(sorted((kind, name) for kind, names in value.items() for name in _texts(names, "Principal")))


def _conditions(value: Any) -> tuple[Condition, ...]:
    if not isinstance(value, Mapping):
        raise _MalformedError("a Condition is not an object")
    found: set[Condition] = set()
    for operator, keys in value.items():
        if not isinstance(keys, Mapping):
            raise _MalformedError("a Condition names no keys")
        found |= {_condition(operator, key, values) for key, values in keys.items()}
    return tuple(sorted(found))


def _condition(operator: str, key: str, value: Any) -> Condition:
    prefix, colon, name = operator.rpartition(":")
    quantifiers: dict[str, Quantifier] = {"": "", "forallvalues": "all", "foranyvalue": "any"}
    if_exists = name.lower().endswith("ifexists")
    name = _OPERATORS.get(name.lower().removesuffix("ifexists"), "")
    if prefix.lower() not in quantifiers or not name or (name == "Null" and (if_exists or colon)):
        raise _MalformedError(f"a Condition has the operator {operator[:60]!r}")
    values = value if isinstance(value, list | tuple) else [value]
    if not all(isinstance(each, str | int | float) for each in values):
        raise _MalformedError("a value of a Condition is not text, number or truth")
    texts = {str(each).lower() if isinstance(each, bool) else str(each) for each in values}
    if name in ("Bool", "Null"):
        texts = {each.lower() for each in texts}
    return Condition(name, key.lower(), tuple(sorted(texts)), quantifiers[prefix.lower()], if_exists)


def _some(names: set[str]) -> str:
    return "the unknown " + ", ".join(sorted(repr(str(each)[:40]) for each in names)[:5])


def grants(policy: Policy) -> frozenset[Grant]:
    """The normal form: equal for texts that differ in white space, order, how statements are split, and wildcards of
    actions written out. Texts that mean the same in other ways may differ: `difference` tells those."""
    found: dict[Grant, set[str]] = {}
    for statement in policy.statements:
        named = frozenset().union(*map(known.named, statement.actions))
        listed = known.everything() - named if statement.not_actions else named
        for frame in _frames(statement):
            found.setdefault(frame, set()).update(listed)
    return frozenset(msgspec.structs.replace(frame, actions=frozenset(each)) for frame, each in found.items())


def _frames(statement: Statement) -> Iterator[Grant]:
    """The statement for each of its principals and resources, without actions."""
    who = [None] if statement.not_principals or not statement.principals else statement.principals
    which = [None] if statement.not_resources else statement.resources
    for principal in who:
        for resource in which:
            yield Grant(
                effect=statement.effect,
                principal=principal,
                not_principals=frozenset(statement.principals if statement.not_principals else ()),
                resource=resource,
                not_resources=frozenset(statement.resources if statement.not_resources else ()),
                conditions=frozenset(statement.conditions),
                variables=statement.variables or not _reads_request(statement),
                actions=frozenset(),
            )


def _reads_request(statement: Statement) -> bool:
    values = (value for condition in statement.conditions for value in condition.values)
    return any("${" in text for text in (*statement.resources, *values))
