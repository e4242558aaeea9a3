"""The whole of it on one incident: simulate, ingest, detect, investigate, report."""

from __future__ import annotations

import tempfile
from pathlib import Path

import msgspec

from trailhound import settings
from trailhound.ingest.ingest import IngestReport
from trailhound.model import Investigation
from trailhound.reports import html
from trailhound.workspace import Progress, Workspace

STORY = "roboman1"


class Demo(msgspec.Struct, frozen=True):
    """What the demonstration made, and where it lies."""

    investigation: Investigation
    report_path: Path
    workspace: Workspace
    ingested: IngestReport


def demo(progress: Progress | None = None) -> Demo:
    """Simulate an incident in a temporary folder, ingest it, find it, investigate it, write the report."""
    folder = Path(tempfile.mkdtemp(prefix="trailhound-demo-"))
    workspace = Workspace(folder / "workspace")
    workspace.simulate(STORY, folder / "logs")
    workspace.folder.mkdir()
    (folder / "logs" / settings.FILE).rename(workspace.folder / settings.FILE)
    ingested = workspace.ingest([folder / "logs" / "AWSLogs"], progress=progress)
    worst = workspace.detect().findings[0]
    investigation = workspace.investigate(worst.uid)
    report = folder / "report.html"
    report.write_text(html.render(investigation), "utf-8")
    return Demo(investigation, report, workspace, ingested)
