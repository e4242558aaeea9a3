"""Step 4 as a picture: artifacts in columns by their distance from the alert, and the answers that led to them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import NamedTuple

from markupsafe import Markup

from trailhound.investigation.sentences import name
from trailhound.model import Chase, Hop, Lead, Observable
from trailhound.reports import words
from trailhound.reports.svg import WIDTH, element, image, number, text

DRAWN = 30  # artifacts; the list beside the picture has all
_HEIGHT, _GAP, _HEAD = 42, 12, 24  # a box; the air below it; room for the names of the columns
_LETTERS = 0.145  # characters of a box per unit of its width
_TOLD = 3  # answers that are named where a line ends
_STATUS = {"followed": "followed", "set aside": "aside", "not followed": "left"}


class _Box(NamedTuple):
    observable: Observable
    lead: Lead | None  # None: of the alert itself
    x: float
    y: float


def graph(chase: Chase, labels: Mapping[str, str], label: str) -> Markup:
    """`labels`: of each answer, what is written on the line that it stands for."""
    leads = chase.leads[:DRAWN]
    columns = _columns(chase, leads)
    width = WIDTH / len(columns) - 110 * (len(columns) - 1) / len(columns)
    boxes = {
        observable: _Box(observable, lead, i * (width + 110), _HEAD + j * (_HEIGHT + _GAP))
        for i, column in enumerate(columns)
        for j, (observable, lead) in enumerate(column)
    }
    parts = [
        text(i * (width + 110), 14, "of the alert" if i == 0 else words.plural(i, "hop") + " away", "lane", "start")
        for i in range(len(columns))
    ]
    parts += _lines(chase, boxes, labels, width)
    parts += [_box(box, width) for box in boxes.values()]
    height = _HEAD + max(map(len, columns)) * (_HEIGHT + _GAP)
    return image(parts, height=height, label=label, class_="chase")


def _columns(chase: Chase, leads: Sequence[Lead]) -> list[list[tuple[Observable, Lead | None]]]:
    known = {lead.observable for lead in leads}
    sources = dict.fromkeys(hop.source for hop in chase.hops if hop.target in known and hop.source not in known)
    by_distance = groupby(sorted(leads, key=lambda lead: lead.distance), key=lambda lead: lead.distance)
    return [
        [(source, None) for source in sources],
        *([(lead.observable, lead) for lead in near] for _, near in by_distance),
    ]


def _lines(chase: Chase, boxes: Mapping[Observable, _Box], labels: Mapping[str, str], width: float) -> list[Markup]:
    """From left to right only: what leads back to an artifact that was known already stands in the list."""
    pairs = dict.fromkeys((hop.source, hop.target) for hop in chase.hops if _leads(hop, boxes))
    parts = []
    for source, target in pairs:
        x1, y1 = boxes[source].x + width, boxes[source].y + _HEIGHT / 2
        x2, y2 = boxes[target].x, boxes[target].y + _HEIGHT / 2
        bend = (x1 + x2) / 2
        path = f"M{number(x1)} {number(y1)}C{number(bend)} {number(y1)} {number(bend)} {number(y2)} {number(x2)} {number(y2)}"
        parts.append(element("path", d=path, class_="hop"))
    for target in dict.fromkeys(target for _, target in pairs):
        told = dict.fromkeys(
            labels.get(hop.answer, "Q?") for hop in chase.hops if hop.target == target and _leads(hop, boxes)
        )
        box = boxes[target]
        parts.append(text(box.x - 8, box.y + _HEIGHT / 2 - 5, ", ".join(list(told)[:_TOLD]), "hop", "end"))
    return parts


def _leads(hop: Hop, boxes: Mapping[Observable, _Box]) -> bool:
    return hop.source in boxes and hop.target in boxes and boxes[hop.source].x < boxes[hop.target].x


def _box(box: _Box, width: float) -> Markup:
    told, status = name(box.observable.value), "alert" if box.lead is None else _STATUS[box.lead.status]
    room = int(width * _LETTERS)
    shown = told if len(told) <= room else told[: room - 1] + "…"
    kind = words.plain(box.observable.kind)
    under = [kind] if box.lead is None else [kind, box.lead.status]
    under += [f"{box.lead.score:+d}"] if box.lead and box.lead.status != "set aside" else []
    title = f"{kind} {box.observable.value}" + (f": {box.lead.status}, {box.lead.reason}" if box.lead else "")
    size = {"width": number(width), "height": _HEIGHT}
    return element(
        "g",
        element("title", words.inline(title, 400)),
        element("rect", x=number(box.x), y=number(box.y), rx=5, class_="node", **size),
        text(box.x + 10, box.y + 18, words.inline(shown), "name", "start"),
        text(box.x + 10, box.y + 34, ", ".join(under), "under", "start"),
        class_=f"artifact {status}",
    )
