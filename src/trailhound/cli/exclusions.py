"""`trailhound exclusions`, and `check` and `findings`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from cyclopts import App

from trailhound.cli import render
from trailhound.cli.options import Options, open_workspace

if TYPE_CHECKING:
    from trailhound.errors import CatalogError
    from trailhound.model import Finding
    from trailhound.workspace.excluding import ExclusionUse

app = App(name="exclusions", help_format="plaintext")


@app.default
def exclusions(*, options: Options = Options()) -> None:
    """List the exclusions of exclusions.yml: findings that are expected, why, and until when.

    An excluded finding stays in the lake, as `suppressed`; it is back when its exclusion is removed or expires.

    For example:

        trailhound exclusions
        trailhound exclusions check
        trailhound exclusions findings --format json
    """
    found = open_workspace(options).exclusions()
    if options.json:
        render.lines(found)
    else:
        for number, use in enumerate(found):
            render.text("\n" * (number > 0) + "\n".join(_told(use)))
    if not found:
        render.remark(options, "there are no exclusions; docs/how-to/quiet-a-rule.md shows how to write one")
    for remark in remarks(found):
        render.remark(options, remark)


@app.command
def check(*paths: Path, rules: tuple[Path, ...] = (), options: Options = Options()) -> int:
    """Check files of exclusions: what is wrong with them, and what they allow that nobody may have meant.

    Exits with status 1 when something is wrong; with a warning, with 0.

    For example:

        trailhound exclusions check
        trailhound exclusions check ../rules/exclusions.yml --rules ../rules

    Parameters
    ----------
    paths
        Files, or folders of them. Default: those of the workspace.
    rules
        Sigma rules besides the pack that they may name: a file, or a folder of them. May be repeated.
    """
    found = open_workspace(options).check_exclusions(paths, rules=rules)
    for kind, complaints in (("error", found.errors), ("warning", found.warnings)):
        for complaint in complaints:
            _complain(kind, complaint, options)
    counts = [render.counted(len(found.errors), "error"), render.counted(len(found.warnings), "warning")]
    render.remark(options, f"{render.counted(found.exclusions, 'good exclusion')}, {', '.join(counts)}")
    return int(bool(found.errors))


@app.command
def findings(*, options: Options = Options()) -> None:
    """List the findings that are excluded, each with its exclusion and the reason.

    For example:

        trailhound exclusions findings
        trailhound exclusions findings --format json
    """
    found = open_workspace(options).excluded()
    if options.json:
        from trailhound.detections.ocsf_finding import document  # noqa: PLC0415 - start-up

        render.lines(document(finding) for finding in found)
        return
    for number, finding in enumerate(found):
        render.text("\n" * (number > 0) + "\n".join(_listed(finding)))
    if not found:
        render.remark(options, "no finding is excluded")


def remarks(found: Sequence[ExclusionUse]) -> Iterator[str]:
    """What exclusions did, for `detect` and for whoever lists them."""
    if hidden := sum(len(use.hidden) for use in found):
        acting = sum(bool(use.hidden) for use in found)
        told = f"{render.counted(hidden, 'finding')} set aside by {render.counted(acting, 'exclusion')}"
        yield f"{told}; `trailhound exclusions findings` lists them"
    if partly := sum(len(use.partly) for use in found):
        yield f"{render.counted(partly, 'finding')} shown although an exclusion fits a part of them"
    for use in found:
        one = use.exclusion
        if use.state == "active" and "all" in one.rule:
            yield f"EVERY rule is concerned: {one.where} sets aside {render.counted(len(use.hidden), 'finding')}"
        if use.state == "expired":
            yield f"expired: {one.where} ({one.author}, until {one.expires}) hides nothing any more: {one.reason}"


def _told(use: ExclusionUse) -> Iterator[str]:
    one = use.exclusion
    yield f"{one.where}  {use.state}, until {one.expires}  {_counts(use)}"
    yield f"  rule: {render.cell(one.rule)}"
    yield from (f"  {name}: {render.cell(values)}" for name, values in one.scope())
    yield f"  {render.cell(one.author)}: {render.cell(one.reason)}"


def _counts(use: ExclusionUse) -> str:
    if use.state != "active":
        return "hides nothing"
    partly = f", fits {len(use.partly):,} in part" if use.partly else ""
    return f"hides {render.counted(len(use.hidden), 'finding')}{partly}"


def _listed(finding: Finding) -> Iterator[str]:
    yield f"{finding.level}  {finding.uid[:8]}  {render.at(finding.first_seen_time)[:16]}"
    yield f"  {render.cell(finding.title)}"
    yield f"  {render.cell(finding.status_reason)}"


def _complain(kind: str, complaint: CatalogError, options: Options) -> None:
    if options.json:
        said = {"where": complaint.where, "what": complaint.what, "next_step": complaint.next_step}
        render.document({"kind": kind, **said})
    else:
        render.text(f"{complaint.where}: {kind}: {complaint.what}\n  {complaint.next_step}")
