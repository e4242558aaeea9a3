"""`trailhound status`."""

from __future__ import annotations

from trailhound.cli import render
from trailhound.cli.options import Options, open_workspace


def status(*, options: Options = Options()) -> None:
    """Show what the lake holds, what is missing from it, and what was rejected and why.

    For example:

        trailhound status
        trailhound status --format json
    """
    found = open_workspace(options).status()
    render.document(found)
