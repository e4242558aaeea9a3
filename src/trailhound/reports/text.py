"""The report on a terminal: the story and its evidence, the verdict and its rivals, what to do, what was asked.

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

from trailhound.investigation.sentences import name
from trailhound.model import Investigation, Sentence
from trailhound.reports import words
from trailhound.reports.outline import Outline, Said, leading, outline

WIDTH = 100  # columns at most: longer lines are hard to read
LISTED = 12
MARKS = 4  # citations of one sentence
EXHIBITS = 10  # events of the evidence list
CELL = 60  # characters of a cell there
VERDICTS = {"yes": ("✓ yes", "bold"), "no": ("✗ no", ""), "unknown": ("? unknown", "yellow")}
DISPOSITIONS = {"malicious": "bold red", "suspicious": "bold yellow", "benign": "bold green", "undetermined": "bold"}
URGENCIES = {"now": "bold red", "today": "yellow", "this week": ""}


def render(investigation: Investigation, console: Console) -> None:
    """Print to `console`, at most 100 columns wide."""
    plan = outline(investigation)
    blocks = (
        _header(investigation),
        *_narrative(investigation, plan),
        *_evidence(investigation, plan),
        *_chase(investigation, plan),
        *_explanations(investigation, plan),
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
    if verdict.severity:
        grid.add_row("Severity", _said(words.severity(verdict.severity)))
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


def _narrative(investigation: Investigation, plan: Outline) -> Iterable[RenderableType]:
    yield _heading("Narrative")
    if not investigation.narrative:
        yield Text("No sentence can be said: no question found evidence to stand on.")
    for number, paragraph in enumerate(investigation.narrative):
        told = Text(" ").join(_cited(sentence, plan) for sentence in paragraph.sentences)
        yield Padding(told, (1 if number else 0, 0, 0, 0))


def _cited(sentence: Sentence, plan: Outline) -> Text:
    """`Nine sign-ins failed. [E4–E12]`: the numbers are those of the list below."""
    marks = ", ".join(mark.label for mark in plan.marks(events=sentence.evidence, most=MARKS))
    return Text.assemble(words.inline(sentence.text), *([f" [{marks}]"] if marks else []))


def _evidence(investigation: Investigation, plan: Outline) -> Iterable[RenderableType]:
    """The first event of every sentence, then others, as long as there is room."""
    sentences = [sentence for paragraph in investigation.narrative for sentence in paragraph.sentences]
    cited = dict.fromkeys(uid for sentence in sentences for uid in sentence.evidence)
    if not cited:
        return
    yield _heading("Evidence")
    leading_ = dict.fromkeys(sentence.evidence[0] for sentence in sentences if sentence.evidence)
    shown = list({**leading_, **cited})[:EXHIBITS]
    told = {exhibit.uid: exhibit for exhibit in investigation.exhibits}
    table = Table.grid(padding=(0, 1))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for uid in sorted(shown, key=lambda uid: int(plan.exhibits[uid].mark.label[1:])):
        one = told.get(uid)
        when = words.iso(one.time).replace("T", " ") if one else ""
        call = f"{_short(one.operation)} by {_short(name(one.principal_uid))} " if one else ""
        table.add_row(plan.exhibits[uid].mark.label, when, Text.assemble(call, (_short(uid), "dim")))
    yield table
    yield from _more(len(cited) - len(shown))


def _short(text: str) -> str:
    shown = words.inline(text)
    return shown if len(shown) <= CELL else shown[: CELL - 1] + "…"


def _chase(investigation: Investigation, plan: Outline) -> Iterable[RenderableType]:
    """What the answers revealed, what was followed of it, and why the rest was not."""
    chase = investigation.chase
    if chase is None or not chase.leads:
        return
    yield _heading("What the answers revealed")
    for lead in chase.leads[:LISTED]:
        by = ", ".join(mark.label for mark in plan.marks(answers=plan.revealed(lead), most=MARKS))
        asked = ", ".join(mark.label for mark in plan.marks(answers=lead.answers, most=MARKS))
        told = f"{lead.reason}; revealed by {by}" + (f"; asked of it {asked}" if asked else "")
        sign = Text("→" if lead.status == "followed" else "·", "bold")
        what = f"{_short(name(lead.observable.value))} ({words.plain(lead.observable.kind)}, {lead.status})"
        yield _item(sign, _said(what), _said(told, "dim"))
    yield from _more(len(chase.leads) - LISTED + chase.omitted)


def _explanations(investigation: Investigation, plan: Outline) -> Iterable[RenderableType]:
    yield _heading("Rival explanations")
    for one in investigation.verdict.explanations[:LISTED]:
        sides = [
            f"{side} {', '.join(mark.label for mark in plan.marks(answers=uids, most=MARKS))}"
            for side, uids in (("for", one.for_), ("against", one.against))
            if uids
        ]
        weighed = "; ".join(sides) or "nothing for or against it"
        yield Text.assemble(words.inline(one.title), (f" ({one.score:+d}: {weighed})", "dim"))
    for turn in plan.turns[:MARKS]:
        yield _item(Text("?", "yellow"), _said(f"{turn.told} [{turn.mark.label}]", "dim"))


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
    table.add_column("of", style="dim", overflow="fold", max_width=12)
    table.add_column("what was asked, and found", overflow="fold")
    told: dict[str, str] = {}  # reason → the question at which it was given
    for stage in plan.stages:
        for group in stage.groups:
            for said in group.answers:
                word, style = VERDICTS[said.answer.verdict]
                kind = words.plain(said.answer.observable.kind)
                found = Text.assemble((words.inline(said.answer.asks), "dim"), " ", words.inline(_found(said, told)))
                table.add_row(said.mark.label, Text(word, style), _said(kind), found)
    yield table
    yield from _more(plan.answers_omitted)
    for basis, number in plan.bases.items():
        yield _said(f"{words.plural(number, 'answer')} stood on {words.stood_on(basis)}", "dim")
    broken = [file for file in plan.files.values() if file.source.integrity == "broken"]
    for file in broken[:LISTED]:
        citing = ", ".join(mark.label for mark in file.answers[:MARKS])
        more = f" and {len(file.answers) - MARKS:,} more" if len(file.answers) > MARKS else ""
        yield _item(
            Text("!", "bold red"), _said(f"broken, and cited in {citing}{more}: {file.source.name.rpartition('/')[2]}")
        )
    yield from _more(len(broken) - LISTED)


def _found(said: Said, told: dict[str, str]) -> str:
    """The answer's sentence; a reason that another answer gave already is named by that answer's number."""
    sentence = said.answer.sentence
    reason = said.answer.gaps[0].because if said.answer.gaps else ""
    if not reason:
        return sentence
    first = told.setdefault(reason, said.mark.label)
    if first == said.mark.label:
        return sentence
    if sentence.rstrip(".").lower() == reason.rstrip(".").lower():
        return f"Not known, for the reason given at {first}."
    return sentence.replace(f"({reason})", f"(the reason given at {first})")


def _unknowns(investigation: Investigation, plan: Outline) -> Iterable[RenderableType]:
    """Each reason once, with the questions that it leaves open."""
    if not investigation.unknowns:
        return
    yield _heading("What is not known")
    reasons: dict[tuple[str, str], list[str]] = {}
    for one in investigation.unknowns:
        reasons.setdefault((one.because, one.how_to_get), []).append(one.question)
    for (because, how), open_ in list(reasons.items())[:LISTED]:
        labels = [plan.answers[uid].mark.label for uid in open_ if uid in plan.answers]
        asked = plan.asked(open_[0]) if len(open_) == 1 else f"{words.plural(len(open_), 'question')}:"
        yield _item(
            Text("?", "yellow"),
            _said(" ".join((asked, *([", ".join(labels)] if len(open_) > 1 else [])))),
            _said(f"because {because}", "dim"),
            _said(f"to get it: {how}", "dim"),
        )
    yield from _more(len(reasons) - LISTED)
