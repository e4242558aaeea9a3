"""The command line as a whole: which verbs there are, and what happens around each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from cyclopts import App, CycloptsError, Parameter

import trailhound
from trailhound.cli import ask, demo, detect, findings, ingest, investigate, rules, search, simulate, sql, status
from trailhound.cli.options import Options
from trailhound.errors import RequestError

_HELP = """From raw AWS CloudTrail logs to an answer you can defend.

    trailhound demo                      the whole of it, on a simulated incident
    trailhound ingest logs/              read logs into the lake
    trailhound detect                    find what is not normal
    trailhound investigate FINDING_UID   five steps to a narrative that cites its evidence
"""

app = App(
    name="trailhound",
    help=_HELP,
    help_format="plaintext",
    version=trailhound.__version__,
    usage="Usage: trailhound VERB [OPTIONS]",
    result_action="return_value",
    suppress_keyboard_interrupt=False,
)
# In the order of an investigation.
VERBS = (
    ingest.ingest, status.status, detect.detect, findings.app, investigate.investigate, ask.ask, search.search, sql.sql,
    rules.app, simulate.simulate, demo.demo,
)  # fmt: skip
for _position, _verb in enumerate(VERBS):
    app.command(_verb, sort_key=_position)


@app.meta.default
def _launch(
    *tokens: Annotated[str, Parameter(show=False, allow_leading_hyphen=True)], options: Options = Options()
) -> int | None:
    verb, bound, _ = app.parse_args(tokens, exit_on_error=False, print_error=False)
    if "options" in bound.signature.parameters:
        own = bound.arguments.get("options", Options())
        bound.arguments["options"] = own.over(options)
    return verb(*bound.args, **bound.kwargs)


def run(arguments: Sequence[str]) -> int:
    """Run one command line; its exit status. Raises TrailhoundError."""
    try:
        return app.meta(arguments, exit_on_error=False, print_error=False) or 0
    except CycloptsError as error:
        verb = " ".join(error.command_chain or ())
        raise RequestError(
            " ".join(str(error).split()),
            where=" ".join(["trailhound", *arguments]),
            next_step=f"`{' '.join(filter(None, ['trailhound', verb]))} --help` shows what can be written",
        ) from error
