"""The report on a terminal: the story, the verdict, what to do, what was asked, what is not known.

Values are `rich.text.Text`, never markup, and made visible first, so that no log can move the cursor or set a
colour. Whether there is colour at all is the console's decision.
"""

from __future__ import annotations

from collections.abc import Iterable

from rich import box
from rich.console import Console, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from trailhound.model import Investigation
from trailhound.reports import words
from trailhound.reports.outline import Outline, leading, outline

WIDTH = 100  # columns at most: longer lines are hard to read
LISTED = 12
VERDICTS = {"yes": ("✓ yes", "bold"), "no": ("✗ no", ""), "unknown": ("? unknown", "yellow")}
DISPOSITIONS = {"malicious": "bold red", "suspicious": "bold yellow", "benign": "bold green", "undetermined": "bold"}
URGENCIES = {"now": "bold red", "today": "yellow", "this week": ""}


def render(investigation: Investigation, console: Console) -> None:
    """Print to `console`, at most 100 columns wide."""
    plan = outline(investigation)
    blocks = (
        _header(investigation),
        *_narrative(investigation),
        *_recommendations(investigation),
        *_questions(plan),
        *_unknowns(investigation, plan),
    )
    width = min(WIDTH, console.width)
    for block in blocks:
        console.print(block, width=width, highlight=False, markup=False, emoji=False)


def _said(text: str, style: str = "") -> Text:
    return Text(words.inline(text), style)


def _heading(text: str) -> RenderableType:
    return Padding(Text(text, "bold underline"), (1, 0, 0, 0))


def _indented(text: Text) -> RenderableType:
    return Padding(text, (0, 0, 0, 2))


def _item(sign: Text, *lines: Text) -> RenderableType:
    """Lines that hang beside their sign."""
    grid = Table.grid(padding=(0, 1))
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold")
    for number, line in enumerate(lines):
        grid.add_row("" if number else sign, line)
    return grid


def _more(hidden: int) -> Iterable[RenderableType]:
    return [_indented(Text(f"and {hidden:,} more", "dim"))] if hidden > 0 else []


def _header(investigation: Investigation) -> RenderableType:
    verdict, finding, lead = investigation.verdict, investigation.finding, leading(investigation)
    grid = Table.grid(padding=(0, 2), expand=False)
    grid.add_column(style="dim", no_wrap=True)
    grid.add_column(overflow="fold")
    told = f", {verdict.confidence} confidence" + (f": {words.inline(lead.title)}" if lead else "")
    disposition = (verdict.disposition.capitalize(), DISPOSITIONS[verdict.disposition])
    grid.add_row("Verdict", Text.assemble(disposition, told))
    grid.add_row("What", _said(investigation.subject.title, "bold"))
    if finding:
        grid.add_row("When", _said(words.period(finding.first_seen_time, finding.last_seen_time)))
        grid.add_row("Who", _said(f"{finding.principal_name} ({finding.principal_uid})"))
        grid.add_row("Account", _said(" ".join((finding.account_uid, *finding.regions[:8]))))
        grid.add_row("From", _said(", ".join(finding.src_ips[:8])))
        grid.add_row("How many", _said(words.how_many(finding)))
    else:
        grid.add_row("Window", _said(words.period(*investigation.subject.window)))
    return grid


def _narrative(investigation: Investigation) -> Iterable[RenderableType]:
    yield _heading("Narrative")
    if not investigation.narrative:
        yield Text("No sentence can be said: no question found evidence to stand on.")
    for number, paragraph in enumerate(investigation.narrative):
        yield Padding(_said(" ".join(sentence.text for sentence in paragraph.sentences)), (1 if number else 0, 0, 0, 0))


def _recommendations(investigation: Investigation) -> Iterable[RenderableType]:
    yield _heading("Recommendations")
    if not investigation.recommendations:
        yield Text("Nothing is recommended on this evidence.")
    for number, one in enumerate(investigation.recommendations[:LISTED], start=1):
        action = Text.assemble((one.urgency, URGENCIES[one.urgency]), f": {words.inline(one.action)}")
        yield _item(Text(f"{number}."), action, *(_said(f"breaks: {broken}", "dim") for broken in one.breaks[:LISTED]))
    yield from _more(len(investigation.recommendations) - LISTED)


def _questions(plan: Outline) -> Iterable[RenderableType]:
    yield _heading("Questions and answers")
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, header_style="dim")
    table.add_column("", style="dim", no_wrap=True)
    table.add_column("answer", no_wrap=True)
    table.add_column("of", style="dim", overflow="fold", max_width=16)
    table.add_column("what was found", overflow="fold")
    for stage in plan.stages:
        for group in stage.groups:
            for said in group.answers:
                word, style = VERDICTS[said.answer.verdict]
                kind = words.plain(said.answer.observable.kind)
                table.add_row(said.mark.label, Text(word, style), _said(kind), _said(said.answer.sentence))
    yield table
    yield from _more(plan.answers_omitted)


def _unknowns(investigation: Investigation, plan: Outline) -> Iterable[RenderableType]:
    if not investigation.unknowns:
        return
    yield _heading("What is not known")
    for one in investigation.unknowns[:LISTED]:
        yield _item(
            Text("?", "yellow"),
            _said(plan.asked(one.question)),
            _said(f"because {one.because}", "dim"),
            _said(f"to get it: {one.how_to_get}", "dim"),
        )
    yield from _more(len(investigation.unknowns) - LISTED)
