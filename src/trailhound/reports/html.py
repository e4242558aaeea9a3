"""One self-contained HTML file: no network, no script, no outside font; for a screen, a phone, paper and a court.

Every value passes `_shown` and then Jinja's autoescape, so a template cannot forget either. Links lead only to
anchors of the document itself. The content security policy allows this one style sheet, by its hash, and nothing else.
"""

from __future__ import annotations

import base64
import hashlib
import json
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from trailhound.model import Chart, Chase, Investigation
from trailhound.reports import charts, graph, svg, words
from trailhound.reports.outline import LISTED, Outline, leading, outline

TEMPLATES = Path(__file__).parent / "templates"
DOCUMENT = "document"  # id of the element that carries the document, for `verify`
MOST_CARRIED = 2_000_000  # characters of it; a larger one is verified as JSON


def render(investigation: Investigation) -> str:
    """The whole document. The same investigation gives the same bytes."""
    style = "".join((TEMPLATES / name).read_text("utf-8") for name in ("report.css", "print.css"))
    return (
        _environment()
        .get_template("report.html.j2")
        .render(
            investigation=investigation,
            finding=investigation.finding,
            outline=outline(investigation),
            leading=leading(investigation),
            hours=charts.hours(investigation),
            document=_carried(investigation),
            document_id=DOCUMENT,
            style=Markup(style),  # noqa: S704 our own file, never data
            style_hash=base64.b64encode(hashlib.sha256(style.encode()).digest()).decode(),
        )
    )


def _carried(investigation: Investigation) -> Markup:
    """The document itself, for `verify`, in printable ASCII without a character of HTML; nothing when it is too large."""
    text = json.dumps(msgspec.to_builtins(investigation), separators=(",", ":"))
    for character in "<>&\x7f":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return Markup(text if len(text) <= MOST_CARRIED else "")  # noqa: S704 - escaped above


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        finalize=_shown,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals.update(
        words=words,
        heat_map=_heat_map,
        timeline=svg.timeline,
        chase_graph=_chase_graph,
        cells=charts.cells,
        summary=charts.summary,
        LISTED=LISTED,
    )
    return environment


def _shown(value: Any) -> Any:
    return words.visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _heat_map(chart: Chart) -> Markup:
    return svg.heat_map(chart, "Events by hour of the week. " + " ".join(charts.summary(chart)))


def _chase_graph(chase: Chase, plan: Outline) -> Markup:
    labels = {uid: said.mark.label for uid, said in plan.answers.items()}
    label = f"What the answers revealed: {words.plural(len(chase.leads), 'artifact')}; the list below tells each one."
    return graph.graph(chase, labels, label)
