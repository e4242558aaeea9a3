"""From raw AWS CloudTrail logs to an answer you can defend.

import trailhound

workspace = trailhound.Workspace.open("case-42")
workspace.ingest(["logs/"])
for finding in workspace.detect().findings:
    print(workspace.investigate(finding.uid).verdict.disposition)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from trailhound.workspace import Workspace

__version__ = "0.1.0"
__all__ = ["Workspace", "__version__"]


def __getattr__(name: str) -> Any:
    # Loaded when first used: `trailhound --help` must not wait for a database engine.
    if name == "Workspace":
        from trailhound.workspace import Workspace  # noqa: PLC0415

        return Workspace
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
