"""`trailhound findings`, and `close` and `suppress` of one."""

from __future__ import annotations

import difflib
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
    workspace = open_workspace(options)
    found = workspace.findings(level=level, status=status, rule=rule, principal=principal)
    show(found, options)
    if not found:
        render.remark(options, _none(workspace.findings(), rule, principal))
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
    workspace = open_workspace(options)
    before = workspace.finding(uid)
    finding = workspace.close_finding(uid, because)
    _tell_earlier(before, options)
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
    workspace = open_workspace(options)
    before = workspace.finding(uid)
    finding = workspace.suppress_finding(uid, because, until)
    _tell_earlier(before, options)
    render.remark(options, f"finding {finding.uid} is suppressed" + (f" until the end of {until}" if until else ""))


def _tell_earlier(finding: Finding, options: Options) -> None:
    if finding.status != "new":
        told = f"it was {finding.status} before, because: {finding.status_reason}"
        render.remark(options, f"{told}; the new reason takes the place of that one, the journal keeps both")


def _none(stored: Sequence[Finding], rule: str | None, principal: str | None) -> str:
    """Why nothing is listed, and what comes near to what was asked for."""
    if not stored:
        return "no findings are stored; `trailhound detect` looks for them"
    names = {name for f in stored for name in (rule and f.rule_title, principal and f.principal_name) if name}
    near = [difflib.get_close_matches(asked, names, n=3) for asked in (rule, principal) if asked]
    listed = " or ".join(name for found in near for name in found)
    hint = f"; did you mean {listed}?" if listed else ""
    return f"none of the {render.counted(len(stored), 'stored finding')} fits{hint}"


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
    what = finding.title
    if finding.origin_uid not in ("", finding.principal_uid):
        what += f" (behind it: {finding.origin_uid.rpartition(':')[2]})"
    return [finding.level, finding.uid[:8], render.at(finding.first_seen_time)[:16], what, finding.status]
