"""`trailhound rules backtest`."""

from __future__ import annotations

import os
import textwrap
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from trailhound.cli import render, unusable
from trailhound.cli.options import Options, open_workspace

if TYPE_CHECKING:
    from trailhound.detections.backtest.backtest import Backtest, Proposal

_BARS = "▁▂▃▄▅▆▇█"
_SIGNS = 60  # of a picture; of a longer history one sign is several days
_RULES = 20  # in the table


def backtest(
    *paths: Path,
    code: tuple[Path, ...] = (),
    only: tuple[str, ...] = (),
    since: str | None = None,
    until: str | None = None,
    budget: str = "",
    author: str = "",
    options: Options = Options(),
) -> None:
    """Try rules on the history in the lake: how often they fire, on what, and what would quiet them.

    With --budget it proposes the fewest exclusions that keep to it, ready for exclusions.yml, each with what it would
    have hidden of the simulated attacks. Nothing is stored.

    For example:

        trailhound rules backtest
        trailhound rules backtest my-rules/ --budget 5/day
        trailhound rules backtest --only aws_denied_calls_burst --since 2026-10-01 --format json

    Parameters
    ----------
    paths
        Rules, or folders of them. Default: the pack.
    code
        A Python file that a code rule among them may run. May be repeated.
    only
        Try this rule only, by its id or name. May be repeated.
    since
        Look at events from this time on.
    until
        Look at events up to and including this time.
    budget
        How many findings somebody can look at: 5/day, 10/week.
    author
        Who proposes the exclusions. Default: $USER
    """
    found = open_workspace(options).backtest(
        paths,
        code=code,
        only=only,
        since=since,
        until=until,
        budget=budget,
        author=author or os.environ.get("USER") or "unknown",
    )
    if options.json:
        render.document(found)
    else:
        _show(found.result)
    for skipped in found.skipped:
        render.remark(options, f"not run: {skipped.title}: {skipped.reason}")
    unusable.tell(found.errors, (), options)
    unusable.refuse(found.errors, "tried")


def _show(result: Backtest) -> None:
    shown = result.findings - result.excluded
    excluded = f", and {result.excluded:,} that are excluded" if result.excluded else ""
    render.text(
        f"{result.since} to {result.until}, {render.counted(result.days, 'day')}: {render.counted(shown, 'finding')}"
        f"{excluded}, {shown / result.days:.1f} a day"
    )
    rows = [
        [rule.findings, round(rule.findings / result.days, 1), max(rule.days), rule.level, rule.rule_title]
        for rule in result.rules
    ]
    render.table(["findings", "a day", "at most", "level", "rule"], rows[:_RULES])
    if rows[_RULES:]:
        render.text(f"{render.counted(len(rows) - _RULES, 'rule')} more, each with fewer findings")
    if shown:
        render.text("\n".join(_picture([sum(day) for day in zip(*(r.days for r in result.rules), strict=True)])))
        render.text("\n".join(_causes(result)))
    if result.allowed is not None:
        render.text("\n" + "\n".join(_verdict(result)))
        for proposal in result.proposals:
            render.text("\n" + "\n".join(_proposed(proposal)))


def _picture(days: Sequence[int]) -> Iterator[str]:
    """All findings by day, as bars from none to the most."""
    width = -(-len(days) // _SIGNS)
    counts = [sum(days[place : place + width]) for place in range(0, len(days), width)]
    most = max(counts)
    signs = "".join(_BARS[min(7, count * 8 // most)] if count else "·" for count in counts)
    yield signs
    yield f"a sign is {render.counted(width, 'day')}; █ up to {render.counted(most, 'finding')}, · none"


def _causes(result: Backtest) -> Iterator[str]:
    if result.causes:
        yield "\nwhat most of them have in common:"
    shown = result.findings - result.excluded
    for number, cause in enumerate(result.causes, 1):
        share = 100 * cause.findings / shown
        yield f"{number}. {render.counted(cause.findings, 'finding')} ({share:.0f} %): {render.cell(cause.rule_title)}"
        yield from (f"   {name}: {render.cell(values)}" for name, values in cause.scope.items())


def _verdict(result: Backtest) -> Iterator[str]:
    allowed = f"{result.budget} ({result.allowed:,} in {render.counted(result.days, 'day')})"
    left = render.counted(result.left, "finding")
    if not result.proposals:
        yield f"{left}, within {allowed}" if result.left <= (result.allowed or 0) else _no_way(left, allowed)
        return
    number = render.counted(len(result.proposals), "exclusion")
    if result.left <= (result.allowed or 0):
        yield f"{number} would leave {left}, within {allowed}."
    else:
        yield f"{number} would leave {left}: more than {allowed}. What is left has nothing in common; mend its rules."
    yield "Below they are written for exclusions.yml, with what they would have hidden of"
    yield f"the simulated attacks ({len(result.attacks):,} are found by rules; baselines are not played)."
    yield "Paste what is expected, and write why."


def _no_way(left: str, allowed: str) -> str:
    return (
        f"{left}, more than {allowed}, and no exclusion would help: their events have nothing in common; mend the rules"
    )


def _proposed(proposal: Proposal) -> Iterator[str]:
    """As comments and YAML, so that all of it can be pasted."""
    levels = ", ".join(f"{number:,} {level}" for level, number in proposal.levels.items())
    yield f"# hides {render.counted(proposal.findings, 'finding')} ({levels})"
    if not proposal.attacks:
        yield "# of the simulated attacks it would have hidden nothing"
    for attack in proposal.attacks:
        still = f"still told by {render.cell(attack.still)}" if attack.still else "NOTHING else tells of it"
        told = f"{attack.story}, made within this scope: hidden are {attack.hidden:,} of {attack.found:,} findings; {still}"
        yield textwrap.fill(told, 78, initial_indent="# ", subsequent_indent="#   ", break_on_hyphens=False)
    yield proposal.yaml.rstrip()
