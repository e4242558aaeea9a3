"""Aggregations of Sigma 1 (`selection | count() by user > 10`): refused, with the correlation that says the same.

Sigma 2 took them out of the language (https://sigmahq.io/docs/meta/correlations.html). What they left open, such as
whether windows slide, a correlation states; so they are not translated behind the author's back.
"""

from __future__ import annotations

import re
from typing import Any

from trailhound.errors import CatalogError

_COUNTED = re.compile(
    r"(?P<what>count|sum|avg)\s*\(\s*(?P<field>[^)\s]*)\s*\)\s*(?:by\s+(?P<by>[\w.,\s]+?))?\s*"
    r"(?P<operator>>=|<=|==|=|>|<)\s*(?P<number>\d+)\s*$"
)
_NEAR = re.compile(r"near\s+(?P<names>.+)$")
_SEPARATED = re.compile(r"[\s,]+|\band\b")
_OPERATORS = {">": "gt", ">=": "gte", "<": "lt", "<=": "lte", "=": "eq", "==": "eq"}
_TYPES = {"sum": "value_sum", "avg": "value_avg"}


def refuse(detection: dict[str, Any] | None, name: str) -> None:
    """Raise CatalogError when the condition of `detection` aggregates. `name`: of the rule, "" when it has none."""
    written = (detection or {}).get("condition")
    for condition in written if isinstance(written, list) else [written]:
        selected, pipe, aggregated = (part.strip() for part in str(condition).partition("|"))
        if pipe:
            timespan = str((detection or {}).get("timeframe", "5m"))
            instead = _near(selected, aggregated, timespan) or _counted(aggregated, timespan, name or "NAME")
            raise CatalogError(
                f"the condition aggregates ({aggregated}), as was written for Sigma 1",
                where="detection.condition",
                causes=("Sigma 2 has correlations for this: docs/how-to/bring-your-own-rules.md",),
                next_step=f"condition: {selected}, and a second document with correlation: {instead}",
            )


def _near(selected: str, aggregated: str, timespan: str) -> str:
    near = _NEAR.match(aggregated)
    if near is None:
        return ""
    others = [name for name in _SEPARATED.split(near["names"]) if name]
    return f"{{type: temporal, rules: [{', '.join([selected, *others])}], timespan: {timespan}}}"


def _counted(aggregated: str, timespan: str, name: str) -> str:
    counted = _COUNTED.match(aggregated)
    if counted is None:
        return "{...}"
    kind = _TYPES.get(counted["what"]) or ("value_count" if counted["field"] else "event_count")
    groups = ", ".join(_SEPARATED.split(counted["by"].strip())) if counted["by"] else ""
    grouped = f"group-by: [{groups}], " if groups else ""
    field = f"field: {counted['field']}, " if counted["field"] else ""
    condition = f"{{{field}{_OPERATORS[counted['operator']]}: {counted['number']}}}"
    return f"{{type: {kind}, rules: [{name}], {grouped}timespan: {timespan}, condition: {condition}}}"
