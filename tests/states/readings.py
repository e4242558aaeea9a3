"""Records → calls, plainly; and where a state that was read from the log contradicts the truth."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from trailhound.states.conclusions import CONCLUSIONS
from trailhound.states.history import Cell, Field, State
from trailhound.states.kinds import Kind, kind
from trailhound.states.places import Call

Json = dict[str, Any]
NO_BLOCK = Field(Cell(None, (), "not asked about"))


def names_of(thing: tuple[str, str]) -> tuple[str, ...]:
    return thing[1], thing[1].rpartition("/")[2]


def calls_of(records: Sequence[Json], kind: Kind, thing: tuple[str, str]) -> list[Call]:
    """Those of its kind that succeeded and name it anywhere."""
    return [
        call(one)
        for one in records
        if "errorCode" not in one
        and one["eventSource"] == f"{kind.service}.amazonaws.com"
        and one["eventName"] in kind.calls
        and any(
            f'"{name}"' in json.dumps([one["requestParameters"], one["responseElements"]]) for name in names_of(thing)
        )
    ]


def call(record: Json) -> Call:
    return Call(
        uid=record["eventID"],
        time=int(datetime.fromisoformat(record["eventTime"]).timestamp() * 1000),
        operation=record["eventName"],
        region=record["awsRegion"],
        account=record["recipientAccountId"],
        principal_uid="ops",
        request=record["requestParameters"],
        response=record["responseElements"],
        certain=True,
    )


def wrong(kind_name: str, state: State, truth: Json) -> list[str]:
    """Attributes of which the log says what is not so; of those that are unknown it says nothing."""
    there = state["exists"].rest
    if not there.because and there.value is not truth["exists"]:
        return ["exists"]
    if not truth["exists"]:
        return []
    concluded = [
        one.name
        for one in CONCLUSIONS.get(kind_name, ())
        if one.name in truth and not _fits(one.conclude(state, NO_BLOCK, ""), truth[one.name])
    ]
    return concluded + [
        name
        for name in state
        if name in truth and name != "exists" and _wrong(kind(kind_name), name, state[name], truth[name])
    ]


def _wrong(kind: Kind, name: str, field: Field, truth: Any) -> bool:
    holds = kind.attributes[name].holds
    if holds == "one":
        return not _fits(field.rest, truth)
    there = {key: truth[key] if holds == "map" else True for key in truth}
    if not all(_fits(cell, there.get(key)) for key, cell in field.entries.items()):
        return True
    return not field.rest.because and not set(there) <= set(field.entries)


def _fits(cell: Cell, truth: Any) -> bool:
    return bool(cell.because) or cell.value == truth
