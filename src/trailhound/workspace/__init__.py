"""The one object behind every face: a folder with a lake, findings and settings; one method per verb."""

from __future__ import annotations

from trailhound.workspace.backtesting import Backtesting
from trailhound.workspace.detecting import Detection
from trailhound.workspace.evidence import Evidence
from trailhound.workspace.investigating import Investigating
from trailhound.workspace.reading import Progress

__all__ = ["Detection", "Progress", "Workspace"]


class Workspace(Evidence, Backtesting, Investigating):
    """A folder: `events/`, `ledger/`, `findings/` and the other tables, `trailhound.db`, `trailhound.toml`.

    Every method raises a TrailhoundError that says what, where, likely causes and the next step.
    """
