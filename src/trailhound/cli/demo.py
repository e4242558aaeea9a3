"""`trailhound demo`."""

from __future__ import annotations

import sys

from trailhound.cli import render
from trailhound.cli.options import Options
from trailhound.errors import RequestError


def demo(*, options: Options = Options()) -> None:
    """Simulate an incident, ingest its logs, find it, investigate it.

    Works in a folder of its own and leaves it there to be looked at.

    For example:

        trailhound demo
        trailhound demo --format json
    """
    if options.workspace:
        raise RequestError("demo makes a workspace of its own", next_step="leave out --workspace")
    from trailhound import demo as demonstration  # noqa: PLC0415 - start-up

    with render.progress(options, "demo") as advance:
        shown = demonstration.demo(advance)
    if options.format == "json":  # even on a pipe a demonstration is for people
        render.document(shown.investigation)
    else:
        from rich.console import Console  # noqa: PLC0415 - start-up

        from trailhound.reports import text  # noqa: PLC0415

        text.render(shown.investigation, Console(file=sys.stdout))
    render.remark(options, f"\nThe report: {shown.report_path}\nThe workspace: {shown.workspace.folder}")
