"""Does a condition of a policy hold for a request? True, false, or it depends on a key that is not known.

Sources: the IAM User Guide, "Condition operators", "Conditions with multiple context keys or values",
"Multivalued context keys".
"""

from __future__ import annotations

import ipaddress
import operator
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from typing import Any

from trailhound.permissions import arn
from trailhound.permissions.document import Condition
from trailhound.permissions.patterns import glob, matches, plain
from trailhound.permissions.truth import FALSE, TRUE, Truth, depends, every, some

Context = Mapping[str, tuple[str, ...] | None]
"""Key in lower case → its values; an empty tuple: the request has no such key; None or not there: not known."""

_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "Equals": operator.eq,
    "NotEquals": operator.eq,
    "LessThan": operator.lt,
    "LessThanEquals": operator.le,
    "GreaterThan": operator.gt,
    "GreaterThanEquals": operator.ge,
}


def negated(name: str) -> bool:
    return "Not" in name


def holds(condition: Condition, context: Context, *, variables: bool = True) -> Truth:
    """`variables`: whether `${aws:username}` is a variable, or plain text as before Version 2012-10-17."""
    given = context.get(condition.key)
    if given is None:
        return depends(condition.key)
    if condition.operator == "Null":
        return some(Truth((value == "true") == (not given)) for value in condition.values)
    if not given:
        return _absent(condition)
    # One value that must not match and one of many are the same to the letter; of several values none must.
    fits = (_fits(condition, value, context, variables) for value in given)
    if condition.quantifier == "all" or (negated(condition.operator) and not condition.quantifier):
        return every(fits)
    return some(fits)


def _absent(condition: Condition) -> Truth:
    if condition.if_exists or condition.quantifier == "all":
        return TRUE
    return Truth(negated(condition.operator) and not condition.quantifier)


def _fits(condition: Condition, given: str, context: Context, variables: bool) -> Truth:
    """One value of the request against all of the policy."""
    any_fits = some(_compared(condition.operator, wanted, given, context, variables) for wanted in condition.values)
    return ~any_fits if negated(condition.operator) else any_fits


def _compared(name: str, wanted: str, given: str, context: Context, variables: bool) -> Truth:
    """Without the *not* of the operator."""
    if name.startswith(("String", "Arn")) and variables and "${" in wanted:
        missing = unknown_variables(wanted, context)
        if missing:
            return depends(*missing)
        filled = arn.substituted(wanted, value_in(context))
        if filled is None:
            return FALSE
        wanted = filled
    return Truth(_same(name, wanted, given))


def unknown_variables(pattern: str, context: Context) -> list[str]:
    return [each.key for each in arn.variables(pattern) if context.get(each.key) is None]


def value_in(context: Context) -> Callable[[arn.Variable], str | None]:
    """A variable has the one value of its key, or its default; of a key with many values it has none."""

    def value(variable: arn.Variable) -> str | None:
        values = context.get(variable.key) or ()
        return values[0] if len(values) == 1 else variable.default if not values else None

    return value


def _same(name: str, wanted: str, given: str) -> bool:
    if name in ("StringLike", "StringNotLike"):
        return matches(glob(wanted), given)
    if name.startswith("Arn"):
        return arn.arn_like(wanted, given)
    wanted = plain(wanted)
    if name.endswith("IgnoreCase"):
        return wanted.casefold() == given.casefold()
    if name.startswith(("Numeric", "Date")):
        read = number if name.startswith("Numeric") else moment
        left, right = read(given), read(wanted)
        compare = _COMPARE[name.removeprefix("Numeric").removeprefix("Date")]
        return left is not None and right is not None and compare(left, right)
    if name in ("IpAddress", "NotIpAddress"):
        address, block = network(given), network(wanted)
        return (
            address is not None and block is not None and address.version == block.version and address.subnet_of(block)  # type: ignore[arg-type]
        )
    return wanted.lower() == given.lower() if name == "Bool" else wanted == given


def number(text: str) -> Decimal | None:
    try:
        found = Decimal(text.strip())
    except InvalidOperation:
        return None
    return found if found.is_finite() else None


def moment(text: str) -> Decimal | None:
    """Seconds since 1970 of an ISO 8601 date in UTC, or of what is seconds already."""
    seconds = number(text)
    if seconds is not None and len(text.strip()) != 4:  # four digits are a year
        return seconds
    for form in ("%Y", "%Y-%m", "%Y-%m-%d"):
        try:
            return Decimal(int(datetime.strptime(text.strip(), form).replace(tzinfo=UTC).timestamp()))
        except ValueError:
            continue
    try:
        found = datetime.fromisoformat(text.strip())
    except ValueError:
        return None
    return Decimal(str((found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()))


@lru_cache(4096)
def network(text: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network | None:
    try:
        return ipaddress.ip_network(text.strip(), strict=False)
    except ValueError:
        return None
