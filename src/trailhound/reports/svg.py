"""Charts as inline SVG, drawn on the server: readable without scripts, in print, and in any theme.

Colours come from the style sheet (classes only), and nothing is told by colour alone. Each chart is one image
to a screen reader, named by its summary; the numbers themselves stand beside it as text.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from markupsafe import Markup

from trailhound.model import Chart, Moment
from trailhound.reports import charts, words

WIDTH = 880
MOMENTS_DRAWN = 400
PHASES = ("before", "sign-in", "alert", "after")

_GUTTER, _CELL_HEIGHT, _HEAD = 52, 30, 26  # heat map: room for row names; a row; room for column names
_LANE_GUTTER, _GAP, _STEP = 72, 50, 12  # timeline: room for lane names; a break in the axis; a mark and its air
_LEAST_PANEL, _PAD, _STACK = 70, 12, 6
_PANELS, _LEAST_BREAK = 5, 60_000


def element(name: str, *children: str | Markup, **attributes: object) -> Markup:
    """One SVG element; text and attribute values are made visible and escaped. `class_` is `class`, `x_y` is `x-y`."""
    given = Markup().join(Markup(' {}="{}"').format(_attribute(key), value) for key, value in attributes.items())
    inner = Markup().join(child if isinstance(child, Markup) else words.visible(child) for child in children)
    return Markup("<{0}{1}>{2}</{0}>").format(name, given, inner)


def _attribute(key: str) -> str:
    return key if key == "viewBox" else key.rstrip("_").replace("_", "-")


def text(x: float, y: float, content: str, class_: str, anchor: str = "middle") -> Markup:
    """Words at a place; `anchor` is SVG's `text-anchor`."""
    return element("text", content, x=number(x), y=number(y), class_=class_, text_anchor=anchor)


def number(value: float) -> str:
    """A coordinate, to a tenth."""
    return f"{value:.1f}".removesuffix(".0")


def image(parts: Sequence[Markup], *, height: float, label: str, class_: str) -> Markup:
    """The whole picture, WIDTH wide; `label` is all that a screen reader tells of it."""
    return element(
        "svg",
        *parts,
        viewBox=f"0 0 {WIDTH} {number(height)}",
        class_=f"chart {class_}",
        role="img",
        aria_label=words.inline(label),
    )


# --- heat map -------------------------------------------------------------------------------------------------


def heat_map(chart: Chart, label: str) -> Markup:
    """Rows × columns of counts; a cell that holds marks has a frame and a triangle."""
    grid = charts.cells(chart)
    bounds = charts.bounds(charts.largest(grid))
    width = (WIDTH - _GUTTER) / max(1, len(chart.columns))
    marked_columns = {j for row in grid for j, cell in enumerate(row) if cell.mark}
    parts = [
        text(
            _GUTTER + (j + 0.5) * width,
            _HEAD - 9,
            name,
            f"column{' minor' if j % 3 else ''}{' marked' if j in marked_columns else ''}",
        )
        for j, name in enumerate(chart.columns)
    ]
    frames: list[Markup] = []  # drawn last, so that no neighbour covers them
    for i, row in enumerate(grid):
        y = _HEAD + i * _CELL_HEIGHT
        marked = " marked" if any(cell.mark for cell in row) else ""
        parts.append(text(_GUTTER - 10, y + 20, chart.rows[i], f"row{marked}", "end"))
        for j, cell in enumerate(row):
            x = _GUTTER + j * width
            parts.append(_cell(cell, x, y, width, bounds))
            if cell.mark:
                frames.append(_frame(x, y, width))
    height = _HEAD + len(grid) * _CELL_HEIGHT + 2
    return image([*parts, *frames], height=height, label=label, class_="heat-map")


def _cell(cell: charts.Cell, x: float, y: float, width: float, bounds: tuple[int, ...]) -> Markup:
    level = sum(cell.value > bound for bound in bounds) + 1 if cell.value else 0
    shade = round(level * charts.SHADES / len(bounds))  # few different counts: use the whole scale all the same
    told = f"{cell.row} {cell.column}: {cell.value:,} before" + (f", {cell.mark:,} in the alert" if cell.mark else "")
    count = text(x + width / 2, y + 19.5, _short(cell.value), f"count on-{shade}") if cell.value else Markup()
    return element("g", element("title", told), _box(x, y, width, f"level-{shade}"), count)


def _frame(x: float, y: float, width: float) -> Markup:
    corner = f"M{number(x + 1)} {number(y + 1)}h13l-13 13z"
    return element("path", d=corner, class_="alert-corner") + _box(x, y, width, "alert-frame")


def _box(x: float, y: float, width: float, class_: str) -> Markup:
    size = {"width": number(width - 2), "height": number(_CELL_HEIGHT - 2)}
    return element("rect", x=number(x + 1), y=number(y + 1), rx=3, class_=class_, **size)


def _short(value: int) -> str:
    """At most four characters, for a narrow cell."""
    for size, unit in ((1_000_000, "M"), (1_000, "k")):
        if value >= size:
            return f"{value / size:.1f}{unit}" if value < 10 * size else f"{value // size}{unit}"
    return str(value)


# --- timeline -------------------------------------------------------------------------------------------------


class _Panel(NamedTuple):
    """A stretch of time drawn to scale; between panels the axis is broken."""

    x: float
    width: float
    moments: tuple[Moment, ...]

    def place(self, time: int) -> float:
        first, span = self.moments[0].time, self.moments[-1].time - self.moments[0].time
        share = (time - first) / span if span else 0.5
        return self.x + _PAD + share * (self.width - 2 * _PAD)


def timeline(moments: Sequence[Moment], label: str) -> Markup:
    """Lanes by phase over a time axis whose long silences are cut out and named."""
    drawn = sorted(moments, key=lambda moment: moment.time)[:MOMENTS_DRAWN]
    panels = _panels(_bursts(drawn))
    lanes = [*(p for p in PHASES if any(m.phase == p for m in drawn))]
    lanes += dict.fromkeys(m.phase for m in drawn if m.phase not in PHASES)
    back, front, y = [], [], 26.0
    for lane in lanes:
        stacks = [_stacked(panel, lane) for panel in panels]
        height = 20 + _STEP * max((level for stack in stacks for _, _, level in stack), default=0)
        front.append(text(_LANE_GUTTER - 12, y + height / 2 + 4.5, lane, "lane", "end"))
        front += [_mark(moment, x, y + height - 10 - _STEP * level) for s in stacks for moment, x, level in s]
        y += height + 8
        if lane != lanes[-1]:
            back.append(element("path", d=f"M0 {number(y - 4)}H{WIDTH}", class_="lane-line"))
    for i, panel in enumerate(panels):
        size = {"width": number(panel.width), "height": number(y - 22)}
        back.insert(0, element("rect", x=number(panel.x), y=20, rx=5, class_="panel", **size))
        front += _axis(panel, panels[i - 1] if i else None, y)
    return image([*back, *front], height=y + 34, label=label, class_="timeline")


def _bursts(moments: Sequence[Moment]) -> list[tuple[Moment, ...]]:
    """Cut at the longest silences, those between two phases first, into as many parts as there is room for."""

    def worth(i: int) -> tuple[bool, int]:
        return moments[i].phase != moments[i - 1].phase, moments[i].time - moments[i - 1].time

    silences = [i for i in range(1, len(moments)) if worth(i)[1] >= _LEAST_BREAK]
    cuts = sorted(sorted(silences, key=worth, reverse=True)[: _PANELS - 1])
    return [tuple(moments[a:b]) for a, b in zip([0, *cuts], [*cuts, len(moments)], strict=True) if a < b]


def _panels(bursts: Sequence[tuple[Moment, ...]]) -> list[_Panel]:
    room = WIDTH - _LANE_GUTTER - _GAP * (len(bursts) - 1)
    weights = [len(burst) ** 0.5 if burst[-1].time > burst[0].time else 0 for burst in bursts]
    spare = room - _LEAST_PANEL * len(bursts)
    panels, x = [], float(_LANE_GUTTER)
    for burst, weight in zip(bursts, weights, strict=True):
        width = _LEAST_PANEL + spare * (weight / sum(weights) if sum(weights) else 1 / len(bursts))
        panels.append(_Panel(x, width, burst))
        x += width + _GAP
    return panels


def _stacked(panel: _Panel, lane: str) -> list[tuple[Moment, float, int]]:
    """Marks of a lane with their x, piled up where they would cover each other; the pile has a top."""
    last: list[float] = []
    found = []
    for moment in panel.moments:
        if moment.phase != lane:
            continue
        x = panel.place(moment.time)
        level = next((i for i, at in enumerate(last) if x - at >= _STEP), len(last))
        if level < len(last):
            last[level] = x
        elif level < _STACK:
            last.append(x)
        found.append((moment, x, min(level, _STACK - 1)))
    return found


def _mark(moment: Moment, x: float, y: float) -> Markup:
    """A cross for what failed, a dot for what succeeded, a ring where that is not known."""
    if moment.status == "failure":
        shape = element("path", d=f"M{number(x - 4)} {number(y - 4)}l8 8m0 -8l-8 8", class_="cross")
    else:
        shape = element("circle", cx=number(x), cy=number(y), r=5, class_="dot" if moment.status else "ring")
    title = element("title", f"{words.clock(moment.time)} {words.inline(moment.sentence, 300)}")
    return element("g", title, shape, class_="event alert" if moment.phase == "alert" else "event")


def _axis(panel: _Panel, previous: _Panel | None, y: float) -> list[Markup]:
    """Day above, time of day below, and the silence before the panel."""
    first, last = panel.moments[0].time, panel.moments[-1].time
    parts = []
    if previous is None or words.day(previous.moments[-1].time) != words.day(last):
        parts.append(text(panel.x + 2, 12, words.days(first, last), "date", "start"))
    if previous is not None:
        middle = panel.x - _GAP / 2
        silence = words.duration(first - previous.moments[-1].time).split()
        parts.append(element("path", d=f"M{number(middle)} 24V{number(y + 14)}", class_="break"))
        parts.append(text(middle, y + 28, f"+{' '.join(silence[:2])}", "silence"))
    if words.day(first) != words.day(last):
        return parts
    parts.append(text(panel.x + 2, y + 14, words.time_of_day(first), "tick", "start"))
    if last > first and panel.width > 140:
        parts.append(text(panel.x + panel.width - 2, y + 14, words.time_of_day(last), "tick", "end"))
    return parts
