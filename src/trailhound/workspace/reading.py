"""What every verb begins with: the folder, its settings, its lake as it is now, its findings."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import Self

from trailhound import settings as organisation
from trailhound.cases import Decisions
from trailhound.detections.findings import from_rows
from trailhound.engines.duckdb import DuckDB
from trailhound.identity.derive import current, derive
from trailhound.identity.observables import OBSERVABLES
from trailhound.identity.occurrences import Occurrences
from trailhound.identity.tables import DERIVED
from trailhound.lake.lake import Lake, Snapshot
from trailhound.model import Finding

PLACE = ".trailhound"
VARIABLE = "TRAILHOUND_WORKSPACE"

Progress = Callable[..., None]


class Reading:
    """The folder, opened anew for each verb: others may have written to it since."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @classmethod
    def open(cls, folder: Path | str | None = None) -> Self:
        """The folder given, else $TRAILHOUND_WORKSPACE, else ./.trailhound; it is made by the first ingest."""
        return cls(Path(folder or os.environ.get(VARIABLE) or PLACE))

    @cached_property
    def settings(self) -> organisation.Settings:
        return organisation.load(self.folder)

    def _reading(self, *, derived: bool = False) -> tuple[Lake, DuckDB, Snapshot]:
        """With `derived`, the derived tables are brought up to date first, if an ingest was killed before it could."""
        lake, engine = Lake(self.folder), DuckDB()
        if derived:
            derive(lake, DERIVED)
        return lake, engine, lake.mount(engine)

    def _indexed(self, *, derived: bool = False) -> tuple[DuckDB, Snapshot, Occurrences]:
        """Days that are not, or not surely, in the table of observables as they are in the events are read whole."""
        lake = Lake(self.folder)
        before = current(lake, OBSERVABLES)
        _, engine, snapshot = self._reading(derived=derived)
        days = current(lake, OBSERVABLES)
        behind = [day for day, stamp in days.items() if stamp is None or before.get(day) != stamp]
        return engine, snapshot, Occurrences(engine, days, behind)

    def _stored(self, engine: DuckDB) -> list[Finding]:
        rows = engine.query("SELECT * FROM findings ORDER BY first_seen_time, uid")
        return Decisions(self.folder).applied(from_rows(rows))
