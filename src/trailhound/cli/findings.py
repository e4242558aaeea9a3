"""`trailhound findings`, and `close` and `suppress` of one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from cyclopts import App

from trailhound.cli import render
from trailhound.cli.options import LEVELS, LevelName, Options, open_workspace

if TYPE_CHECKING:
    from trailhound.model import Finding

app = App(name="findings", help_format="plaintext")


@app.default
def findings(
    *,
    level: LevelName | None = None,
    status: Literal["new", "closed", "suppressed"] | None = None,
    rule: str | None = None,
    principal: str | None = None,
    fail_on: LevelName | None = None,
    options: Options = Options(),
) -> int:
    """List stored findings; close or suppress one, with a reason.

    For example:

        trailhound findings --level high --status new
        trailhound findings --principal alice --format json
        trailhound findings close 4f2a --because "approved change CHG-42"
        trailhound findings suppress 4f2a --because "nightly rotation" --until 2026-12-31

    Parameters
    ----------
    level
        This level or a higher one.
    status
        Only those in this state.
    rule
        Only those of this rule, by id or title.
    principal
        Only those of this principal, by ARN or by name.
    fail_on
        Exit with status 1 when a listed open finding has this level or a higher one.
    """
    found = open_workspace(options).findings(level=level, status=status, rule=rule, principal=principal)
    show(found, options)
    return int(fail_on is not None and reached(fail_on, found))


@app.command
def close(uid: str, /, *, because: str, options: Options = Options()) -> None:
    """Close a finding: it has been dealt with.

    For example:

        trailhound findings close 4f2a --because "approved change CHG-42"

    Parameters
    ----------
    uid
        The finding's uid, or as much of its beginning as no other finding has.
    because
        The reason, for whoever asks later.
    """
    finding = open_workspace(options).close_finding(uid, because)
    render.remark(options, f"finding {finding.uid} is closed")


@app.command
def suppress(uid: str, /, *, because: str, until: str | None = None, options: Options = Options()) -> None:
    """Suppress a finding: it is expected, and stays out of sight.

    For example:

        trailhound findings suppress 4f2a --because "nightly rotation" --until 2026-12-31

    Parameters
    ----------
    uid
        The finding's uid, or as much of its beginning as no other finding has.
    because
        The reason, for whoever asks later.
    until
        Show it again after this day.
    """
    finding = open_workspace(options).suppress_finding(uid, because, until)
    render.remark(options, f"finding {finding.uid} is suppressed" + (f" until the end of {until}" if until else ""))


def reached(level: LevelName, found: Sequence[Finding]) -> bool:
    """Is any open one as grave as `level`?"""
    gravest = max((LEVELS.index(finding.level) for finding in found if finding.status == "new"), default=-1)
    return gravest >= LEVELS.index(level)


def show(found: Sequence[Finding], options: Options) -> None:
    """Findings as OCSF Detection Findings, JSON Lines; or as a table."""
    if options.json:
        from trailhound.detections.ocsf_finding import document  # noqa: PLC0415 - start-up

        render.lines(document(finding) for finding in found)
    elif found:
        render.table(["level", "finding", "first seen", "what", "status"], map(_row, found))


def _row(finding: Finding) -> list[str]:
    return [finding.level, finding.uid[:8], render.at(finding.first_seen_time)[:16], finding.title, finding.status]
