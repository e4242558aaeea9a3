"""`trailhound findings`, and `close` and `suppress` of one."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Literal

from cyclopts import App

from trailhound.cli import render
from trailhound.cli.options import LEVELS, LevelName, Options, open_workspace

if TYPE_CHECKING:
    from trailhound.model import Finding, Incident

app = App(name="findings", help_format="plaintext")


@app.default
def findings(
    *,
    level: LevelName | None = None,
    status: Literal["new", "closed", "suppressed"] | None = None,
    rule: str | None = None,
    principal: str | None = None,
    by: Literal["incident", "finding"] | None = None,
    fail_on: LevelName | None = None,
    options: Options = Options(),
) -> int:
    """Where do I start? List what was found, ranked by risk; close or suppress a finding, with a reason.

    Findings of one identity that lie near each other in time are one incident. Risk is a number from 0 to 100.

    For example:

        trailhound findings
        trailhound findings --by finding --level high --status new
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
    by
        List incidents, or single findings. Default: incidents as a table, findings as JSON.
    fail_on
        Exit with status 1 when a listed open finding has this level or a higher one.
    """
    workspace = open_workspace(options)
    found = workspace.assessed(level=level, status=status, rule=rule, principal=principal)
    show(found.findings, found.incidents, options, by=by, dealt_with=status is not None)
    if not found.findings:
        render.remark(options, _none(workspace.findings(), rule, principal))
    return int(fail_on is not None and reached(fail_on, found.findings))


@app.command
def close(uid: str, /, *, because: str, options: Options = Options()) -> None:
    """Close a finding, or all open ones of an incident: dealt with, as it is. It is open again when it grows.

    For example:

        trailhound findings close 4f2a --because "approved change CHG-42"

    Parameters
    ----------
    uid
        The uid of a finding or incident, or as much of its beginning as no other has.
    because
        The reason, for whoever asks later.
    """
    workspace = open_workspace(options)
    before = workspace.named(uid)
    found = workspace.close_finding(uid, because)
    _tell_earlier(before, options)
    for finding in found:
        render.remark(options, f"finding {finding.uid} is closed")


@app.command
def suppress(uid: str, /, *, because: str, until: str | None = None, options: Options = Options()) -> None:
    """Suppress a finding, or all open ones of an incident: expected, and out of sight, however it grows.

    For example:

        trailhound findings suppress 4f2a --because "nightly rotation" --until 2026-12-31

    Parameters
    ----------
    uid
        The uid of a finding or incident, or as much of its beginning as no other has.
    because
        The reason, for whoever asks later.
    until
        Show it again after this day.
    """
    workspace = open_workspace(options)
    before = workspace.named(uid)
    found = workspace.suppress_finding(uid, because, until)
    _tell_earlier(before, options)
    for finding in found:
        render.remark(options, f"finding {finding.uid} is suppressed" + (f" until the end of {until}" if until else ""))


def _tell_earlier(named: Sequence[Finding], options: Options) -> None:
    finding = named[0]
    if len(named) == 1 and finding.status != "new":
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


def show(
    found: Sequence[Finding],
    incidents: Sequence[Incident],
    options: Options,
    *,
    by: Literal["incident", "finding"] | None = None,
    dealt_with: bool = False,
) -> None:
    """As JSON Lines in OCSF: Detection Findings, or Incident Findings; else incidents in words, or findings in a table.

    Incidents that are closed or suppressed are out of sight on a terminal, but for their number, unless `dealt_with`.
    """
    from trailhound.detections.ocsf_finding import document, incident_document  # noqa: PLC0415 - start-up

    if (by or ("finding" if options.json else "incident")) == "finding":
        if options.json:
            render.lines(document(finding) for finding in found)
        elif found:
            render.table(["risk", "level", "finding", "first seen", "what", "status"], map(_row, found))
        return
    members: dict[str, list[Finding]] = {}
    for finding in found:
        members.setdefault(finding.incident_uid, []).append(finding)
    if options.json:
        render.lines(incident_document(incident, members[incident.uid]) for incident in incidents)
        return
    shown = [incident for incident in incidents if dealt_with or incident.status == "new"]
    for number, one in enumerate(shown):
        if number:
            render.text("")
        render.led(one.level, "\n".join(_told(one, len(members[one.uid]))))
    if len(shown) < len(incidents):
        hidden = render.counted(len(incidents) - len(shown), "more incident")
        render.remark(options, f"{hidden} closed or suppressed; `trailhound findings --status suppressed` lists such")


def _told(incident: Incident, shown: int) -> Iterator[str]:
    """An incident in a few lines, after its level. Its words come from findings, which bound and clean what the log says."""
    from trailhound.detections.ocsf_finding import risk_words  # noqa: PLC0415 - start-up

    count = render.counted(len(incident.finding_uids), "finding")
    count += f", {shown:,} of them asked for" if shown < len(incident.finding_uids) else ""
    status = "" if incident.status == "new" else f"  {incident.status}"
    who = render.cell(incident.origin_uid.rpartition(":")[2]) or "someone"
    yield f"  {incident.uid[:8]}  risk {incident.risk.score}  {who}  {_when(incident)}  {count}{status}"
    yield f"  {render.cell(incident.title)}"
    if incident.tactics:
        yield f"  {' → '.join(incident.tactics)}"
    for words in risk_words(incident.risk):
        yield f"    {words}"
    yield f"  start with: trailhound investigate {incident.uid[:8]}"


def _when(incident: Incident) -> str:
    first, last = render.at(incident.first_seen_time)[:16], render.at(incident.last_seen_time)[:16]
    return first if first == last else f"{first} to {last[11:] if first[:10] == last[:10] else last}"


def _row(finding: Finding) -> list[str | int]:
    what = finding.title
    if finding.origin_uid not in ("", finding.principal_uid):
        what += f" (behind it: {finding.origin_uid.rpartition(':')[2]})"
    risk = finding.risk.score if finding.risk else 0
    return [risk, finding.level, finding.uid[:8], render.at(finding.first_seen_time)[:16], what, finding.status]
