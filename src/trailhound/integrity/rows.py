"""The verdict as tables of the lake, for those who read it later. A new run over the same path replaces the old one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from trailhound.integrity.report import Verification
from trailhound.integrity.verify import Verified
from trailhound.lake import arrow
from trailhound.lake.lake import Lake
from trailhound.lake.tables import TABLES

OBJECTS, PERIODS = "integrity", "integrity_periods"


def store(lake: Lake, verified: Verified) -> None:
    """Raises WorkspaceError when the lake cannot be written."""
    _replace(lake, OBJECTS, verified.checked, verified.verification)
    _replace(lake, PERIODS, verified.verification.periods, verified.verification)


def _replace(lake: Lake, table: str, found: Sequence[Any], verification: Verification) -> None:
    run = {name: getattr(verification, name) for name in ("path", "checked_at", "since", "until")}
    columns = TABLES[table].columns
    values = {
        column.path: [run[column.path]] * len(found)
        if column.path in run
        else [getattr(one, column.path) for one in found]
        for column in columns
    }
    lake.upsert(table, arrow.table(columns, values), "path", replaced=[verification.path])
