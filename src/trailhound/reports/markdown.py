"""The report as CommonMark, for tickets, chats and repositories.

Values become text and nothing else: `escape` leaves no character that could start markup, also where a renderer
knows tables, strikethrough, mathematics, bare links or raw HTML. Links lead only to the answers' own headings.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from trailhound.model import Investigation
from trailhound.reports import charts, words
from trailhound.reports.outline import LISTED, Mark, Outline, Phase, Said, leading, outline

ENTRIES = 200  # of one list
_SPECIAL = re.compile(r"[\\`*_\[\]<>|~&#$]")
_LINE_START = re.compile(r"^([-+=:]|\d+(?=[.)]))")
_BARE_LINK = re.compile(r"(?i)(?<=:)(?=//)|(?<=www)(?=\.)|(?=@)")


def render(investigation: Investigation) -> str:
    """The whole document. The same investigation gives the same text."""
    plan = outline(investigation)
    sections = (
        _header(investigation),
        _narrative(investigation, plan),
        _recommendations(investigation, plan),
        _timeline(plan),
        _hours(investigation),
        _resources(investigation, plan),
        _questions(plan),
        _chase(investigation, plan),
        _explanations(investigation, plan),
        _unknowns(investigation, plan),
        _evidence(plan),
        _basis(investigation, plan),
    )
    return "\n\n".join(block for section in sections for block in section) + "\n"


def escape(text: str) -> str:
    """`text` on one line, with every character that Markdown or a dialect of it gives a meaning to escaped."""
    shown = _BARE_LINK.sub(r"\\", _SPECIAL.sub(r"\\\g<0>", words.inline(text)))
    return _LINE_START.sub(lambda found: f"{found[0]}\\" if found[0].isdigit() else f"\\{found[0]}", shown)


def code(text: str) -> str:
    """`text` as a code span, whatever it holds."""
    shown = words.inline(text)
    fence = _fence(shown, 1)
    return f"{fence} {shown} {fence}" if "`" in shown or not shown else f"{fence}{shown}{fence}"


def block(text: str, language: str = "") -> str:
    """`text` as a fenced block, lines kept."""
    shown = words.visible(text, words.QUERY_LIMIT)
    fence = _fence(shown, 3)
    return f"{fence}{language}\n{shown}\n{fence}"


def _fence(text: str, least: int) -> str:
    longest = max((len(run) for run in re.findall("`+", text)), default=0)
    return "`" * max(least, longest + 1)


def _cites(marks: Iterable[Mark]) -> str:
    """`[Q4](#q4), E20–E29`: answers have a heading to lead to, events do not."""
    shown = [f"[{m.label}](#{m.anchor})" if m.label.startswith("Q") and m.anchor else m.label for m in marks]
    return f" ({', '.join(shown)})" if shown else ""


def _list(items: Iterable[str], indent: str = "") -> str:
    entries = list(items)
    lines = [f"{indent}- {entry}" for entry in entries[:ENTRIES]]
    if len(entries) > ENTRIES:
        lines.append(f"{indent}- and {len(entries) - ENTRIES:,} more")
    return "\n".join(lines)


def _rest(number: int) -> Iterator[str]:
    if number > 0:
        yield f"and {number:,} more, which the JSON document holds."


def _header(investigation: Investigation) -> Iterator[str]:
    verdict, finding, lead = investigation.verdict, investigation.finding, leading(investigation)
    yield f"# {escape(investigation.subject.title)}"
    best = f" Best supported explanation: {escape(lead.title)}" if lead else ""
    yield f"**{verdict.disposition.capitalize()}**, {verdict.confidence} confidence.{best}"
    if verdict.severity:
        yield f"Severity {escape(words.severity(verdict.severity))}."
    if finding is None:
        asked = investigation.subject.observable
        about = [f"{escape(words.plain(asked.kind))}: {code(asked.value)}"] if asked else []
        yield _list([*about, f"Window: {words.period(*investigation.subject.window)}"])
        return
    yield _list(
        (
            f"When: {words.period(finding.first_seen_time, finding.last_seen_time)}",
            f"Who: {escape(finding.principal_name)} {code(finding.principal_uid)}",
            f"Account: {code(finding.account_uid)} {escape(', '.join(finding.regions[:8]))}".rstrip(),
            f"From: {', '.join(code(ip) for ip in finding.src_ips[:8])}",
            f"How many: {escape(words.how_many(finding))}",
            f"Rule: {escape(finding.rule_title)} ({finding.level}) {escape(', '.join(finding.attacks[:8]))}".rstrip(),
            f"Rule by: {escape(words.rule_source(finding)) or 'nobody is named'}",
        )
    )


def _narrative(investigation: Investigation, plan: Outline) -> Iterator[str]:
    yield "## Narrative"
    if not investigation.narrative:
        yield "No sentence can be said: no question found evidence to stand on."
    for paragraph in investigation.narrative[:LISTED]:
        yield f"### {escape(paragraph.paragraph)}"
        yield " ".join(
            escape(sentence.text) + _cites(plan.marks(answers=sentence.answers, events=sentence.evidence))
            for sentence in paragraph.sentences[:LISTED]
        )
        yield from _rest(len(paragraph.sentences) - LISTED)
    yield from _rest(len(investigation.narrative) - LISTED)


def _recommendations(investigation: Investigation, plan: Outline) -> Iterator[str]:
    yield "## Recommendations"
    if not investigation.recommendations:
        yield "Nothing is recommended on this evidence."
    for number, one in enumerate(investigation.recommendations[:LISTED], start=1):
        yield f"{number}. **{one.urgency}**: {escape(one.action)}{_cites(plan.marks(events=one.evidence))}"
        points = [f"Why: {_statement(said)}" for said in plan.said(one.why)]
        points += [f"What it breaks: {escape(broken)}" for broken in one.breaks]
        points += [f"Playbook: {code(one.playbook)}"] if one.playbook else []
        if points:
            yield _list(points, indent=" " * (len(str(number)) + 2))
    yield from _rest(len(investigation.recommendations) - LISTED)


def _statement(said: Said) -> str:
    return escape(said.answer.sentence) + _cites([said.mark])


def _timeline(plan: Outline) -> Iterator[str]:
    yield "## Timeline"
    if not plan.phases:
        yield "No event is in the window."
    for phase in plan.phases[:LISTED]:
        yield f"### {escape(phase.name)}"
        yield _list(_runs(phase, plan))
    yield from _rest(len(plan.phases) - LISTED)


def _runs(phase: Phase, plan: Outline) -> Iterator[str]:
    for run in phase.runs:
        times = f" {len(run.moments):,} ×" if len(run.moments) > 1 else ""
        status = f" {run.first.status}:" if run.first.status else ""
        when = words.period(run.first.time, run.last.time)
        yield f"{when}{times}{status} {escape(run.first.sentence)}{_cites(plan.marks(events=run.event_uids))}"


def _hours(investigation: Investigation) -> Iterator[str]:
    chart = charts.hours(investigation)
    if chart is None:
        return
    yield "## Hours of the week"
    yield _list(escape(sentence) for sentence in charts.summary(chart))
    head = ["UTC", *(escape(column) for column in chart.columns)]
    rows = [
        [escape(name), *(f"**▲{cell.mark}** {cell.value}" if cell.mark else str(cell.value or "·") for cell in row)]
        for name, row in zip(chart.rows, charts.cells(chart), strict=True)
    ]
    yield "\n".join(f"| {' | '.join(line)} |" for line in (head, ["---"] * len(head), *rows))
    yield "▲ counts the alerting events of that hour; the other numbers are events up to twelve hours before the finding."


def _resources(investigation: Investigation, plan: Outline) -> Iterator[str]:
    yield "## What was hit"
    if not plan.resources:
        yield "The finding names no resource."
    for kind, resources in list(plan.resources.items())[:LISTED]:
        yield f"### {escape(words.kind_of_resource(kind))}: {len(resources):,}"
        yield _list(code(resource.uid) for resource in resources)
    yield from _rest(len(plan.resources) - LISTED)
    yield "### Artifacts"
    yield _list(
        f"{escape(words.plain(a.kind))} {code(a.value)}: "
        + "; ".join((words.plural(a.events, "event"), *(escape(f"{n} {v}") for n, v in words.pairs(a.context))))
        for a in investigation.artifacts
    )


def _questions(plan: Outline) -> Iterator[str]:
    yield "## Questions and answers"
    for stage in plan.stages:
        yield f"### Step {stage.number}{': ' + escape(stage.name) if stage.name else ''}"
        for group in stage.groups:
            for said in group.answers:
                yield f"#### {said.mark.label}"
                yield from _answer(said, plan)
    yield from _rest(plan.answers_omitted)


def _answer(said: Said, plan: Outline) -> Iterator[str]:
    answer = said.answer
    asked_of = f"{escape(words.plain(answer.observable.kind))} {code(answer.observable.value)}"
    yield f"Asked of {asked_of}: {escape(answer.asks)}"
    yield f"**{answer.verdict}**: {escape(answer.sentence)}{_cites(plan.marks(events=answer.evidence))}"
    points = [f"Because {escape(gap.because)}; to get it: {escape(gap.how_to_get)}" for gap in answer.gaps]
    points += [f"Speaks for: {escape(title)}" for title in said.speaks_for]
    points += [f"Speaks against: {escape(title)}" for title in said.speaks_against]
    points += [f"Covers: {escape(answer.covers)}"] if answer.covers else []
    points += [f"Does not cover: {escape(answer.not_covered)}"] if answer.not_covered else []
    points += [f"Fact: {escape(name)} = {code(value)}" for name, value in words.pairs(answer.facts)]
    points += [f"Parameter: {code(name)} = {code(value)}" for name, value in words.parameters(answer.parameters)]
    files = _cites(plan.sources(answer))
    points.append(f"Stood on {escape(words.stood_on(answer.basis))}{'; cites files' + files if files else ''}")
    points.append(f"Rests on {words.plural(answer.evidence_count, 'event')}; question {code(answer.question)}")
    yield _list(points)
    if answer.query:
        yield block(answer.query, "sql")


def _chase(investigation: Investigation, plan: Outline) -> Iterator[str]:
    yield "## What the answers revealed"
    chase = investigation.chase
    if chase is None or not chase.leads:
        yield "No answer revealed another artifact."
        return
    yield _list(
        f"**{lead.status}**: {escape(words.plain(lead.observable.kind))} {code(lead.observable.value)}, "
        f"{words.plural(lead.distance, 'hop')} away, score {lead.score}: {escape(lead.reason)}"
        f"{_cites(plan.marks(answers=plan.revealed(lead)))}"
        + (f"; asked of it{_cites(plan.marks(answers=lead.answers))}" if lead.answers else "")
        for lead in chase.leads
    )
    yield from _rest(chase.omitted)


def _explanations(investigation: Investigation, plan: Outline) -> Iterator[str]:
    yield "## Rival explanations"
    for one in investigation.verdict.explanations[:LISTED]:
        yield f"### {escape(one.title)}"
        yield _list(
            (
                *(f"For: {_statement(said)}" for said in plan.said(one.for_)),
                *(f"Against: {_statement(said)}" for said in plan.said(one.against)),
                f"Would change if: {escape(one.would_change_if)}",
            )
        )
    yield from _rest(len(investigation.verdict.explanations) - LISTED)
    if plan.turns:
        yield "### What would turn the verdict"
        yield _list(escape(turn.told) + _cites([turn.mark]) for turn in plan.turns)
    causes = investigation.finding.falsepositives if investigation.finding else ()
    if causes:
        yield "### Harmless causes the rule knows"
        yield _list(escape(cause) for cause in causes)


def _unknowns(investigation: Investigation, plan: Outline) -> Iterator[str]:
    yield "## What is not known"
    if not investigation.unknowns:
        yield "Every question had the evidence it needs."
        return
    yield _list(
        f"**{escape(plan.asked(one.question))}** Because {escape(one.because)}; to get it: {escape(one.how_to_get)}"
        for one in investigation.unknowns
    )


def _evidence(plan: Outline) -> Iterator[str]:
    yield "## Evidence"
    yield _list(
        f"{exhibit.mark.label} {code(exhibit.uid)}"
        + (f" {words.clock(exhibit.moment.time)}" if exhibit.moment else "")
        + "".join(f" in {file.label}" for file in exhibit.files)
        + f": {', '.join(place.label for place in exhibit.places[:10])}"
        for exhibit in plan.exhibits.values()
    )


def _basis(investigation: Investigation, plan: Outline) -> Iterator[str]:
    yield "## What this stands on"
    stands_on = {**investigation.as_of, **investigation.versions}
    yield _list(
        (
            f"investigation {code(investigation.uid)}",
            f"window: {words.period(*investigation.subject.window)}",
            *(f"{escape(name)}: {code(value)}" for name, value in words.pairs(stands_on)),
        )
    )
    yield "### The log that was looked at"
    yield _list(
        f"{words.plural(number, 'answer')}: {escape(words.stood_on(basis))}; "
        f"{words.period(basis.since, basis.until)}, account {', '.join(map(code, basis.accounts))}"
        for basis, number in plan.bases.items()
    )
    yield "### Files that are cited"
    yield _list(
        f"{file.mark.label} {code(file.source.name or file.source.uid)}: **{words.STATES[file.source.integrity]}**, "
        f"SHA-256 {code(file.source.sha256)}{_cites(file.answers[:10])}"
        for file in plan.files.values()
    )
