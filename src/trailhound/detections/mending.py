"""What pySigma refuses or alters although the specification allows it, put into a form it takes as meant."""

from __future__ import annotations

import copy
import ipaddress
import math
import re
from collections.abc import Mapping
from typing import Any, get_args

import re2
from sigma.policy import SigmaPolicy
from sigma.policy.regex_engine import RE2RegexEngine

from trailhound.detections import modifiers
from trailhound.detections.modifiers import COMPARING
from trailhound.detections.rules import Operator, Threshold
from trailhound.errors import CatalogError

_EXACT = 2**53  # pySigma takes whole numbers through a double


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
    mended = copy.deepcopy(data)
    detections = mended.get(section)
    if isinstance(detections, dict):
        mended[section] = {name: _detection(value) for name, value in detections.items()}
    return mended


def _detection(definition: Any) -> Any:
    if isinstance(definition, Mapping):
        return dict(mend_item(str(key), value) for key, value in definition.items())
    if isinstance(definition, list):
        return [_detection(each) for each in definition]
    return definition


def mend_item(key: str, value: Any) -> tuple[str, Any]:
    """Networks without host bits; whole numbers that a double cannot hold as text. Raises CatalogError."""
    key = modifiers.key(key)
    own = set(key.split("|")[1:])
    return key, [_mend_value(own, each) for each in value] if isinstance(value, list) else _mend_value(own, value)


def _mend_value(own: set[str], value: Any) -> Any:
    modifiers.check(own, value, POLICY.regex_engine)
    if "cidr" in own:
        try:
            return str(ipaddress.ip_network(value, strict=False))
        except ValueError as error:
            raise CatalogError(f"{value!r} is not a network", next_step="write it as 10.0.0.0/8") from error
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) >= _EXACT and not own & COMPARING:
        return str(value)
    return value


def split_condition(data: dict[str, Any]) -> tuple[dict[str, Any], tuple[Threshold, ...], float]:
    """A correlation whose condition has one operator; all its operators, as `{gt: 100, lte: 200}` is allowed; its percentile.

    pySigma reads one operator, and the whole part of a percentile.
    """
    mended = copy.deepcopy(data)
    wanted = mended["correlation"].get("condition")
    if not isinstance(wanted, dict):
        return mended, (), 50
    thresholds = tuple(
        Threshold(operator=operator, number=_number(operator, wanted[operator]))
        for operator in get_args(Operator)
        if operator in wanted
    )
    for threshold in thresholds[1:]:
        del wanted[threshold.operator]
    return mended, thresholds, _percentile(mended["correlation"])


def _percentile(correlation: dict[str, Any]) -> float:
    condition = correlation["condition"]
    if "percentile" not in condition and correlation.get("type") != "value_percentile":
        return 50
    percentile = _number("percentile", condition.get("percentile"))
    if not 0 <= percentile <= 100:
        raise CatalogError(f"percentile: {percentile} is not from 0 to 100", where="correlation.condition.percentile")
    condition["percentile"] = int(percentile)
    return percentile


def _number(key: str, value: Any) -> int | float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise CatalogError(f"{key}: {value!r} is not a number", where=f"correlation.condition.{key}")
    return value
