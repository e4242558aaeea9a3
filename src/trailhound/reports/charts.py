"""What a chart says in words and numbers: the text beside every picture."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from trailhound.model import Chart, Investigation
from trailhound.reports import words

SHADES = 5  # of the heat map, besides empty
MARKS_TOLD = 6


class Cell(NamedTuple):
    """One number of a chart, its place, and how many alerting events fell there."""

    row: str
    column: str
    value: int
    mark: int


def hours(investigation: Investigation) -> Chart | None:
    """The chart of the actor's hours of the week, if the investigation has it."""
    return next((chart for chart in investigation.charts if chart.name == "hours"), None)


def cells(chart: Chart) -> tuple[tuple[Cell, ...], ...]:
    """The chart by rows; numbers that are missing are 0."""

    def at(numbers: tuple[tuple[int, ...], ...], i: int, j: int) -> int:
        return numbers[i][j] if i < len(numbers) and j < len(numbers[i]) else 0

    def cell(i: int, j: int) -> Cell:
        return Cell(chart.rows[i], chart.columns[j], at(chart.values, i, j), at(chart.marks, i, j))

    return tuple(tuple(cell(i, j) for j in range(len(chart.columns))) for i in range(len(chart.rows)))


def bounds(top: int) -> tuple[int, ...]:
    """Upper bound of each shade. They grow as squares, so that quiet hours still differ: 4, 16, 36, 64, 100."""
    return tuple(dict.fromkeys(max(1, round(top * (step / SHADES) ** 2)) for step in range(1, SHADES + 1)))


def largest(grid: Iterable[Iterable[Cell]]) -> int:
    return max((cell.value for row in grid for cell in row), default=0)


def summary(chart: Chart) -> tuple[str, ...]:
    """Sentences that say what the hour-of-week chart shows, without the picture."""
    grid = cells(chart)
    used = [cell for row in grid for cell in row if cell.value]
    marked = [cell for row in grid for cell in row if cell.mark]
    return (_rhythm(chart, used, sum(len(row) for row in grid)), *_alerts(marked))


def _rhythm(chart: Chart, used: list[Cell], size: int) -> str:
    if not used:
        return "No event of this actor before the finding: there is no rhythm to compare with."
    columns = [column for column in chart.columns if any(cell.column == column for cell in used)]
    total = words.plural(sum(cell.value for cell in used), "event")
    between = f"all between {columns[0]}:00 and {columns[-1]}:59 UTC"
    return f"{total} up to twelve hours before the finding, in {len(used)} of the {size} hours of the week, {between}."


def _alerts(marked: list[Cell]) -> list[str]:
    told = [
        f"{cell.row} {cell.column}:00 to {cell.column}:59 UTC: {words.plural(cell.mark, 'alerting event')}; "
        f"{words.plural(cell.value, 'event')} in that hour of the week before."
        for cell in marked[:MARKS_TOLD]
    ]
    hidden = len(marked) - MARKS_TOLD
    return [*told, f"Alerting events fell in {words.plural(hidden, 'more hour')} of the week."] if hidden > 0 else told
