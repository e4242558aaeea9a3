"""Names within ARNs, and policy variables. The grammar of an ARN itself is `trailhound.vocab.aws`.

Sources: the IAM User Guide, "Amazon Resource Names", "IAM policy elements: Variables and tags".
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple

from trailhound.permissions.patterns import OPEN, SHUT, glob, matches
from trailhound.vocab import aws

_VARIABLE = re.compile(r"\$\{([^{}]*)\}")
_LITERAL = {"*": "*", "?": "?", "$": "$"}  # ${*} is an asterisk, nothing more


class Variable(NamedTuple):
    """`${aws:username, 'nobody'}`"""

    key: str  # in lower case: keys of a request have no case
    default: str | None


class Name(NamedTuple):
    """What the resource part of an ARN says, in any of its forms: `kind/name`, `kind:name`, `name`.

    `separator` is "" where there is only a name; `name` keeps paths and qualifiers.
    """

    kind: str
    separator: str
    name: str


def name_of(resource: str) -> Name:
    """`role/path/admin` → role, /, path/admin; `function:f:1` → function, :, f:1; `bucket` → "", "", bucket."""
    found = re.fullmatch(r"([A-Za-z][A-Za-z0-9_.-]*)([:/])(.*)", resource, re.DOTALL)
    return Name(*found.groups()) if found else Name("", "", resource)


def account_of(arn: str) -> str:
    """The account of an ARN; empty where there is none, as in those of buckets and of AWS itself."""
    found = aws.parse_arn(arn)
    return found.account if found and found.account.isdigit() else ""


def variables(pattern: str) -> tuple[Variable, ...]:
    """The keys that a pattern reads from the request, in order."""
    inner = (found.group(1) for found in _VARIABLE.finditer(pattern))
    return tuple(_variable(text) for text in inner if text not in _LITERAL)


def _variable(inner: str) -> Variable:
    key, comma, rest = inner.partition(",")
    default = rest.strip()
    if comma and len(default) >= 2 and default[0] == default[-1] == "'":
        return Variable(key.strip().lower(), default[1:-1])
    return Variable(key.strip().lower(), None)


def substituted(pattern: str, value_of: Callable[[Variable], str | None]) -> str | None:
    """The pattern with values for its variables, none of which is a wildcard; None when one has no value.

    What cannot have a value never matches (User Guide: the key is not present, so the statement does not apply).
    """
    pieces: list[str] = []
    end = 0
    for found in _VARIABLE.finditer(pattern):
        inner = found.group(1)
        value = _LITERAL.get(inner) or value_of(_variable(inner))
        if value is None:
            return None
        pieces += [pattern[end : found.start()], OPEN, value.replace(OPEN, "").replace(SHUT, ""), SHUT]
        end = found.end()
    return "".join((*pieces, pattern[end:]))


def arn_like(pattern: str, text: str) -> bool:
    """As the operators ArnLike and ArnEquals do: each of the six parts by itself."""
    wanted, given = pattern.split(":", 5), text.split(":", 5)
    return len(wanted) == len(given) == 6 and all(
        matches(glob(part), value) for part, value in zip(wanted, given, strict=True)
    )
