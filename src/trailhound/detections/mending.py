"""What pySigma refuses or alters although the specification allows it, put into a form it takes as meant."""

from __future__ import annotations

import copy
import ipaddress
import re
from collections.abc import Mapping
from typing import Any

import re2
from sigma.policy import SigmaPolicy
from sigma.policy.regex_engine import RE2RegexEngine
from sigma.rule.base import check_alias_expansion

from trailhound.errors import CatalogError

_OPERATORS = ("gt", "gte", "lt", "lte", "eq", "neq")
_EXACT = 2**53  # pySigma takes whole numbers through a double
_COMPARING = {"gt", "gte", "lt", "lte"}


class _QuietRE2(RE2RegexEngine):
    """RE2 writes what it refuses to stderr, besides raising."""

    def compile(self, pattern: str, flags: int = 0) -> Any:
        options = re2.Options()
        options.log_errors = False
        letters = "".join(v for k, v in ((re.I, "i"), (re.M, "m"), (re.S, "s")) if int(flags) & int(k))
        return re2.compile(f"(?{letters}){pattern}" if letters else pattern, options)


POLICY = SigmaPolicy(regex_engine=_QuietRE2())


def mend(data: dict[str, Any], section: str) -> dict[str, Any]:
    """A copy of a rule or filter whose detections pySigma takes as meant."""
    check_alias_expansion(data)
    mended = copy.deepcopy(data)
    detections = mended.get(section)
    if isinstance(detections, dict):
        mended[section] = {name: _detection(value) for name, value in detections.items()}
    return mended


def _detection(definition: Any) -> Any:
    if isinstance(definition, Mapping):
        return {key: mend_value(str(key), value) for key, value in definition.items()}
    if isinstance(definition, list):
        return [_detection(each) for each in definition]
    return definition


def mend_value(key: str, value: Any) -> Any:
    """Networks without host bits; whole numbers that a double cannot hold as text."""
    modifiers = set(key.split("|")[1:])
    if isinstance(value, list):
        return [mend_value(key, each) for each in value]
    if "cidr" in modifiers and isinstance(value, str):
        try:
            return str(ipaddress.ip_network(value, strict=False))
        except ValueError as error:
            raise CatalogError(f"{value!r} is not a network", next_step="write it as 10.0.0.0/8") from error
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) >= _EXACT and not modifiers & _COMPARING:
        return str(value)
    return value


def split_range(data: dict[str, Any]) -> tuple[dict[str, Any], dict[str, int | float]]:
    """A correlation whose condition has one operator, and all of them: `{gt: 100, lte: 200}` is allowed."""
    check_alias_expansion(data)
    mended = copy.deepcopy(data)
    wanted = mended["correlation"].get("condition")
    if not isinstance(wanted, dict):
        return mended, {}
    limits = {key: wanted[key] for key in _OPERATORS if key in wanted}
    for key, limit in limits.items():
        if isinstance(limit, bool) or not isinstance(limit, int | float):
            raise CatalogError(f"{key}: {limit!r} is not a number")
    for key in list(limits)[1:]:
        del wanted[key]
    return mended, limits
