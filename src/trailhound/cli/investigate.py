"""`trailhound investigate`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TextIO

from cyclopts import Parameter

from trailhound.cli import render
from trailhound.cli.options import ReportOptions, open_workspace
from trailhound.errors import RequestError

if TYPE_CHECKING:
    from trailhound.model import Investigation

_BY_SUFFIX = {".txt": "text", ".json": "json", ".html": "html", ".htm": "html", ".md": "md"}


def investigate(
    finding_uid: str | None = None,
    /,
    *,
    observable: str | None = None,
    at: str | None = None,
    window: str = "7d",
    output: Annotated[Path | None, Parameter(name=["--output", "-o"])] = None,
    options: ReportOptions = ReportOptions(),
) -> None:
    """Investigate a finding or an observable in five steps, to a narrative that cites its evidence.

    For example:

        trailhound investigate 4f2a
        trailhound investigate 4f2a -o report.html
        trailhound investigate --observable ip_address=180.163.251.231 --at 2020-11-06T03:21:39Z --window 3d
        trailhound investigate 4f2a --format json
        trailhound investigate 4f2a --format ocsf -o incident.json

    Parameters
    ----------
    finding_uid
        The finding's uid, or as much of its beginning as no other finding has.
    observable
        KIND=VALUE instead of a finding: user=..., ip_address=..., instance=...
    at
        The time that the questions are asked about. Default: the newest event of the observable.
    window
        How far back "usual" reaches: 24h, 7d.
    output
        Write the report into this file; its suffix tells the format.
    """
    chosen = options.format or _by_default(output)
    with render.progress(options, "asking", unit="questions") as advance:
        investigation = open_workspace(options).investigate(
            finding_uid, observable=observable, at=at, window=window, progress=advance
        )
    if output is None:
        _write(investigation, chosen, sys.stdout)
        return
    try:
        with output.open("w", encoding="utf-8") as file:
            _write(investigation, chosen, file)
    except OSError as error:
        raise RequestError(f"the report cannot be written: {error.strerror}", where=str(output)) from error
    render.remark(options, f"the report is in {output}")


def _by_default(output: Path | None) -> str:
    if output is None:
        return "text" if sys.stdout.isatty() else "json"
    if output.suffix.lower() not in _BY_SUFFIX:
        raise RequestError(
            "the name of the file does not tell its format",
            where=str(output),
            next_step=f"let it end in one of {', '.join(_BY_SUFFIX)}, or give --format",
        )
    return _BY_SUFFIX[output.suffix.lower()]


def _write(investigation: Investigation, chosen: str, file: TextIO) -> None:
    if chosen == "json":
        print(render.encode(investigation), file=file)
        return
    from rich.console import Console  # noqa: PLC0415 - start-up

    from trailhound.reports import html, markdown, ocsf_incident, text  # noqa: PLC0415

    match chosen:
        case "ocsf":
            print(render.encode(ocsf_incident.document(investigation)), file=file)
        case "html":
            print(html.render(investigation), file=file)
        case "md":
            print(markdown.render(investigation), file=file)
        case _:
            text.render(investigation, Console(file=file))
