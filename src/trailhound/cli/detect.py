"""`trailhound detect`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from trailhound.cli import exclusions, render, unusable
from trailhound.cli.findings import reached, show
from trailhound.cli.options import Flag, LevelName, Options, open_workspace

if TYPE_CHECKING:
    from trailhound.detections.baselines.judge import Judged


def detect(
    *,
    since: str | None = None,
    until: str | None = None,
    rules: tuple[Path, ...] = (),
    code: tuple[Path, ...] = (),
    only: tuple[str, ...] = (),
    no_pack: Flag = False,
    everything: Annotated[Flag, Parameter(name="--all")] = False,
    fail_on: LevelName | None = None,
    options: Options = Options(),
) -> int:
    """Bring the findings of rules and baselines up to date, and list them.

    Only days whose events changed since the last time are looked at, and what reaches into them; the findings are
    those of one run over everything. With --since, --until or --only a part is looked at.

    Exits with status 2 when a rule of --rules is not usable; the others are run all the same.

    For example:

        trailhound detect
        trailhound detect --since 2020-11-01 --until 2020-11-06
        trailhound detect --rules my-rules/ --no-pack
        trailhound detect --fail-on high --format json > findings.jsonl

    Parameters
    ----------
    since
        Look at events from this time on: 2020-11-01, 2020-11-06T03:21Z.
    until
        Look at events up to and including this time.
    rules
        Sigma rules to run besides the pack: a file, or a folder of them. May be repeated.
    code
        A Python file that a code rule among them may run. May be repeated.
    only
        Run this rule only, by its id or name. May be repeated.
    no_pack
        Leave out the rules and baselines that come with trailhound.
    everything
        Look at everything again.
    fail_on
        Exit with status 1 when an open finding has this level or a higher one.
    """
    detection = open_workspace(options).detect(
        since=since, until=until, rules=rules, code=code, only=only, no_pack=no_pack, everything=everything
    )
    show(detection.findings, detection.incidents, options)
    for skipped in detection.skipped:
        render.remark(options, f"not run: {skipped.title}: {skipped.reason}")
    for judged in detection.judged:
        for remark in _habits(judged):
            render.remark(options, f"{judged.title}: {remark}")
    unusable.tell(detection.errors, detection.left_out, options)
    for told in exclusions.remarks(detection.exclusions):
        render.remark(options, told)
    render.remark(options, _summary(len(detection.findings), detection.new))
    if detection.days == 0:
        render.remark(options, "no event has changed since the last time; --all looks at everything again")
    unusable.refuse(detection.errors, "run")
    return int(fail_on is not None and reached(fail_on, detection.findings))


def _habits(judged: Judged) -> Iterator[str]:
    """What a baseline could not judge, and whether it is wrong more often than it states."""
    if judged.too_new:
        share = f"{judged.too_new:,} of {render.counted(judged.actors, 'actor')}"
        needed = f"{judged.history} active days"
        yield f"not enough history: {share}, in {render.counted(judged.days, 'day')} of log; it needs {needed}"
    if judged.measured.low > judged.stated:
        yield (
            f"it fires on {judged.measured.rate:.1f} of 1,000 actor-days "
            f"({judged.measured.low:.1f} to {judged.measured.high:.1f}), and states {judged.stated:g}"
        )


def _summary(found: int, new: int) -> str:
    """Not their status: a finding that nobody has closed is open, however old."""
    share = "none" if not new else "all" if new == found else f"{new:,}"
    told = f", {share} of them found for the first time" if found else ""
    return render.counted(found, "finding") + told
