"""The one object behind every face: a folder with a lake, findings and settings; one method per verb."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import msgspec

from trailhound import __version__, settings as organisation
from trailhound.detections.detect import Detection, detect
from trailhound.detections.placeholders import Placeholders, Production
from trailhound.detections.proof import ProofResult, prove
from trailhound.detections.rules import RuleSet, lint, load_rules
from trailhound.engines.duckdb import DuckDB, Rows
from trailhound.enrichers import context
from trailhound.errors import RequestError, WorkspaceError
from trailhound.ingest.ingest import IngestReport, ingest
from trailhound.ingest.ledger import Status, status
from trailhound.investigation import answers, scope as scoping, steps
from trailhound.investigation.evidence import Evidence
from trailhound.investigation.questions import Question, question, questions
from trailhound.lake import sql_guard, times
from trailhound.lake.lake import Lake
from trailhound.lake.search import SearchResult, search
from trailhound.lake.tables import TABLES
from trailhound.model import Answer, Finding, Investigation
from trailhound.reports import html
from trailhound.simulation.simulate import simulate
from trailhound.simulation.story import stories
from trailhound.simulation.truth import Truth
from trailhound.states import States

PLACE = ".trailhound"
VARIABLE = "TRAILHOUND_WORKSPACE"
DEMO_STORY = "roboman1"
_LEVELS = ("informational", "low", "medium", "high", "critical")

Progress = Callable[..., None]


class Demo(msgspec.Struct, frozen=True):
    """What the demonstration made, and where it lies."""

    investigation: Investigation
    report: Path
    workspace: Path
    ingested: IngestReport
    findings: tuple[Finding, ...]
