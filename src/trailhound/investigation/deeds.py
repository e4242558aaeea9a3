"""The calls of a scope by their names, with what of their parameters matters (packs/deeds.yml)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import cache
from itertools import accumulate, groupby
from typing import Any, Literal

import msgspec

from trailhound import catalog
from trailhound.investigation import sentences
from trailhound.investigation.evidence import Evidence

_READ = 50  # calls of one operation whose parameters are read
_NAMED = 6  # operations that the sentence names
_ROOM = 400  # characters of what is named of one operation
_HIDDEN = "HIDDEN_DUE_TO_SECURITY_REASONS"
_TOKEN = re.compile(r"[\w.:/@*+=-]+")  # what reads as one name; all else is put between quotation marks
_CALLS = f"""
SELECT api.operation AS operation, status_id, status_detail, denied,
  CASE WHEN row_number() OVER calls <= {_READ} THEN api.request.data END AS request,
  CASE WHEN row_number() OVER calls <= {_READ} THEN api.response.data END AS response
FROM events WHERE event_day BETWEEN $first_day AND $last_day AND list_contains($event_uids, metadata.uid)
WINDOW calls AS (PARTITION BY api.operation ORDER BY time, metadata.uid)
ORDER BY min(time) OVER (PARTITION BY api.operation), api.operation, time, metadata.uid
"""


class _Detail(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename={"path": "in"}):
    says: str
    path: str

    @property
    def side(self) -> Literal["request", "response"]:
        return "request" if self.path.startswith("request.") else "response"


def told(evidence: Evidence) -> str:
    """One sentence: each operation, how often it was called, on or for whom, and whether it failed."""
    rows = evidence.query(_CALLS)
    parts = [_deed(operation, list(calls)) for operation, calls in groupby(rows, key=lambda row: row["operation"])]
    if len(parts) > _NAMED:
        parts = [*parts[: _NAMED - 1], f"calls of {sentences.count(len(parts) - _NAMED + 1, 'other operation')}"]
    listed = " and ".join(filter(None, (", ".join(parts[:-1]), parts[-1]))) if parts else ""
    return listed and f"What was called: {listed}."


def _deed(operation: str, calls: Sequence[dict[str, Any]]) -> str:
    inside = [sentences.count(len(calls), "time")] if len(calls) > 1 else []
    inside += _details(calls)
    inside += _outcome(calls)
    return sentences.short(operation or "a call without a name") + (f" ({'; '.join(inside)})" if inside else "")


def _details(calls: Sequence[dict[str, Any]]) -> list[str]:
    documents = {side: [_read(call[side]) for call in calls] for side in ("request", "response")}
    found: dict[str, dict[str, None]] = {}
    for detail in _specs():
        steps = detail.path.split(".")[1:]
        for document in documents[detail.side]:
            for value in _walk(document, steps):
                found.setdefault(detail.says, {})[_said(value)] = None
    named = [f"{says} {sentences.listing(list(values))}" for says, values in found.items()]
    fitting = [text for text, length in zip(named, accumulate(map(len, named)), strict=True) if length <= _ROOM]
    if fitting and len(calls) > _READ:
        fitting[0] = f"in the first {sentences.number(_READ)}: {fitting[0]}"
    return fitting if len(fitting) == len(named) else [*fitting, "and more"]


def _outcome(calls: Sequence[dict[str, Any]]) -> list[str]:
    failed = [call for call in calls if call["status_id"] == 2]
    if not failed:
        return []
    reasons = sorted({_said(call["status_detail"]) for call in failed if call["status_detail"]})
    how = "denied" if all(call["denied"] for call in failed) else "failed"
    many = (
        "" if len(calls) == 1 else "all " if len(failed) == len(calls) else f"{sentences.number(len(failed))} of these "
    )
    return [f"{many}{how}: {sentences.listing(reasons)}" if reasons else f"{many}{how}"]


def _walk(node: Any, steps: Sequence[str]) -> Iterator[Any]:
    if isinstance(node, list):
        for item in node:
            yield from _walk(item, steps)
    elif not steps:
        if isinstance(node, str | int) and node not in ("", _HIDDEN):
            yield str(node).lower() if isinstance(node, bool) else str(node)
    elif isinstance(node, dict):
        yield from _walk(node.get(steps[0]), steps[1:])
    elif isinstance(node, str):
        inner = _read(node)
        yield from _walk(inner if isinstance(inner, dict | list) else None, steps)


def _read(text: str | None) -> Any:
    try:
        return msgspec.json.decode(text) if text else None
    except (msgspec.DecodeError, RecursionError):  # not JSON, or no JSON that a service would write
        return None


def _said(value: str) -> str:
    return sentences.short(value) if _TOKEN.fullmatch(value) else sentences.quoted(value)


@cache
def _specs() -> tuple[_Detail, ...]:
    return catalog.load(catalog.PACKS / "deeds.yml", tuple[_Detail, ...])
