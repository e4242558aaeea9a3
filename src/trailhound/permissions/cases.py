"""The cases that some statements tell apart: callers, keys of the request, resources.

Two policies that agree in all cases of their statements together agree in every request. The cases are representatives:
a name that only `*` meets, a value just beyond a bound.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal

from trailhound.permissions import arn, conditions
from trailhound.permissions.document import Condition, Statement
from trailhound.permissions.evaluate import Caller, principal_met
from trailhound.permissions.patterns import OPEN, SHUT, Pattern, Token, TooManyError, glob, plain, resource, samples
from trailhound.vocab import aws

Values = tuple[str, ...]
Case = dict[str, Values]  # key of the request → its values; all others have none

_CONTEXTS = 4096
_SETS = 64  # of values of one key
# Keys with several values in one request. Source: the IAM User Guide, "Multivalued context keys".
_MANY = (
    *("aws:tagkeys", "aws:calledvia", "aws:principalorgpaths", "aws:resourceorgpaths", "aws:sourceorgpaths"),
    *("aws:principalservicenameslist", "dynamodb:attributes", "dynamodb:leadingkeys"),
)
_SOMEBODY = "somebody"  # who is behind a variable


def callers(statements: Iterable[Statement]) -> dict[str, Caller]:
    """Those who are named, and one who is not: how we call them → who they are."""
    named = sorted({each for statement in statements for each in statement.principals})
    stranger = next(n for n in map(str, range(999_999_999_999, 0, -1)) if not any(n in name for _, name in named))
    found: dict[str, Caller] = {}
    for kind, name in named:
        found[_label(kind, name)] = _caller(kind, name, stranger)
    if named:
        found.setdefault("anyone", _caller("AWS", "*", stranger))
    return found or {"": Caller("anonymous")}  # policies of an identity name nobody


def _label(kind: str, name: str) -> str:
    if kind != "AWS":
        return name if kind == "Service" else f"{kind} {name}"
    if name == "*":
        return "anyone"
    found = aws.parse_arn(name)
    return (
        f"account {found.account}" if found and found.resource == "root" else f"account {name}" * name.isdigit() or name
    )


def _caller(kind: str, name: str, stranger: str) -> Caller:
    """`stranger`: an account that nobody names."""
    if kind != "AWS":
        kinds = {"Service": "service", "Federated": "federated"}
        return Caller(kinds.get(kind, "anonymous"), name)  # type: ignore[arg-type]
    found = aws.parse_arn(name)
    account = stranger if name == "*" else found.account if found else name
    if found and found.service == "sts":
        return Caller("role", aws.principal_arn(name), account, name)
    if found and found.resource != "root":
        return Caller("role" if found.resource.startswith("role/") else "user", name, account)
    return Caller("user", f"arn:aws:iam::{account}:user/somebody", account)


def is_met(statement: Statement, label: str, caller: Caller) -> bool:
    if label.startswith("CanonicalUser "):
        named = ("CanonicalUser", label.removeprefix("CanonicalUser ")) in statement.principals
        return (named or ("AWS", "*") in statement.principals) != statement.not_principals
    return bool(principal_met(statement, caller).value)


def contexts(statements: Sequence[Statement]) -> tuple[list[Case], bool]:
    """Requests that differ in a condition or a variable, and whether these are all that there are."""
    asked: dict[str, list[Condition]] = {}
    read: set[str] = set()
    for statement in statements:
        for condition in statement.conditions:
            asked.setdefault(condition.key, []).append(condition)
            if statement.variables and condition.operator.startswith(("String", "Arn")):
                read |= {v.key for value in condition.values for v in arn.variables(value)}
        if statement.variables:
            read |= {v.key for pattern in statement.resources for v in arn.variables(pattern)}
    complete = True
    found: dict[str, list[Values]] = {}
    for key in sorted(asked.keys() | read, key=lambda key: (key not in read, key)):  # what variables read comes first
        about = sorted(set(asked.get(key, ())))
        try:
            values = _values(about, found, read=key in read)
        except TooManyError:
            values, complete = [(value,) for each in about for value in each.values], False
        found[key], whole = _told_apart(about, values, key in read)
        complete &= whole
    if _product(found.values()) <= _CONTEXTS:
        return [dict(zip(found, each, strict=True)) for each in itertools.product(*found.values())], complete
    first = {key: values[0] for key, values in found.items()}
    one_changed = ({**first, key: value} for key, values in found.items() for value in values)
    return [first, *one_changed], False


def _product(parts: Iterable[Sequence[object]]) -> int:
    total = 1
    for part in parts:
        total *= len(part)
    return total


def _values(about: Sequence[Condition], filling: dict[str, list[Values]], *, read: bool) -> list[Values]:
    """Single values of a key on every side of what its conditions compare it with."""
    found: list[str] = []
    texts: list[Pattern] = []
    for condition in about:
        family = condition.operator
        if family.startswith(("String", "Arn", "Binary")):
            texts += [
                text for value in condition.values for each in _filled(value, filling) for text in _text(family, each)
            ]
        elif family.startswith("Numeric"):
            found += _around([each for value in condition.values if (each := conditions.number(value)) is not None])
        elif family.startswith("Date"):
            found += _around([each for value in condition.values if (each := conditions.moment(value)) is not None])
        elif family in ("IpAddress", "NotIpAddress"):
            found += [address for value in condition.values for address in _bounds(value)]
        else:
            found += ["true", "false"]
    if texts or not found:
        found += samples(texts) if texts else ["x"]
    if read:
        found.insert(0, _SOMEBODY)
    return [(each,) for each in dict.fromkeys(found)]


def _text(family: str, value: str) -> list[Pattern]:
    if family.startswith("Arn"):
        return [_arn_pattern(value)] if value.count(":") >= 5 else []
    return [glob(value if "Like" in family else f"{OPEN}{plain(value)}{SHUT}")]


def _filled(value: str, filling: dict[str, list[Values]]) -> list[str]:
    """A value of a policy with all that its variables may stand for."""
    keys = sorted({each.key for each in arn.variables(value)} & filling.keys())
    if not keys:
        return [value]
    choices = itertools.islice(itertools.product(*(filling[key] for key in keys)), _SETS)
    contexts = (dict(zip(keys, each, strict=True)) for each in choices)
    filled = (arn.substituted(value, conditions.value_in(context)) for context in contexts)
    return [each for each in filled if each is not None]


def _arn_pattern(value: str) -> Pattern:
    *parts, last = value.split(":", 5)
    whole: list[Token] = []
    for part in parts:
        whole.extend(token if token[0] == "text" else (token[0], ":") for token in glob(part))
        whole.append(("text", ":"))
    return (*whole, *glob(last))


def _around(bounds: Sequence[Decimal]) -> list[str]:
    """Each bound, a value between each two, one below and one above."""
    bounds = sorted(bounds)
    between = [(low + high) / 2 for low, high in itertools.pairwise(bounds)]
    ends = [bounds[0] - 1, bounds[-1] + 1] if bounds else [Decimal(0)]
    return [format(each, "f") for each in (*bounds, *between, *ends)]


def _bounds(block: str) -> Iterator[str]:
    """The first and the last address of a block, and the ones next to it."""
    found = conditions.network(block)
    if found is None:
        yield "192.0.2.1"
        return
    kind = type(found.network_address)
    top = (1 << found.max_prefixlen) - 1
    first, last = int(found.network_address), int(found.broadcast_address)
    for number in dict.fromkeys((first, last, max(first - 1, 0), min(last + 1, top))):
        yield str(kind(number))


def _told_apart(about: Sequence[Condition], values: list[Values], read: bool) -> tuple[list[Values], bool]:
    """One set of values for each way in which the conditions hold together; the absent key is a set, too."""
    linked = read or any("${" in value for each in about for value in each.values)
    many = any(each.quantifier or each.key in _MANY for each in about)
    kept: dict[tuple[object, ...], Values] = {}
    waiting = [*values, ()]
    for each in waiting:  # grows while sets of values bring new cases
        case = tuple(conditions.holds(c, {c.key: each}, variables=False).value for c in about)
        if linked:
            case = (case, each)
        if case in kept:
            continue
        if len(kept) >= _SETS:
            return list(kept.values()), False
        kept[case] = each
        if many and each:
            waiting += [tuple(sorted({*each, *other})) for other in list(kept.values()) if other != each]
    return list(kept.values()), True


def resources(statements: Sequence[Statement], context: Case) -> tuple[list[str], bool]:
    """Names that differ in which statements they fit, and whether these are all."""
    patterns = sorted({filled for each in statements for filled in filled_resources(each, context)})
    try:
        return samples(
            [resource(each) for each in patterns], first="*"
        ), True  # * is what calls without a resource ask for
    except TooManyError:
        return [each.replace("*", "x").replace("?", "x") for each in patterns], False


def filled_resources(statement: Statement, context: Case) -> list[str]:
    if not statement.variables:
        return list(statement.resources)
    value = conditions.value_in(context)
    filled = (arn.substituted(pattern, value) for pattern in statement.resources)
    return [each for each in filled if each is not None]
