"""The command line as a whole: which verbs there are, and what happens around each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from cyclopts import App, CycloptsError, Parameter

import trailhound
from trailhound.cli import (
    ask,
    demo,
    detect,
    enrich,
    exclusions,
    findings,
    ingest,
    investigate,
    lineage,
    rules,
    search,
    simulate,
    sql,
    state,
    status,
    verify,
)
from trailhound.cli.options import Options
from trailhound.errors import RequestError

_HELP = """From raw AWS CloudTrail logs to an answer you can defend.

Start here:

    trailhound demo                     all of it, on a simulated incident
    trailhound ingest logs/             read logs into the lake
    trailhound detect                   find what is not normal
    trailhound investigate FINDING_UID  to a narrative that cites its evidence

Every verb takes --workspace FOLDER, --format table|json, --quiet, --debug,
before it or after it (demo makes a workspace of its own).
`trailhound VERB --help` explains it.

Exit status: 0 done; 1 done, and findings at or above --fail-on; 2 could not
be carried out; 130 interrupted. `verify` has 1 for broken logs, 3 for cannot
tell.
"""

app = App(
    name="trailhound",
    help=_HELP,
    help_format="plaintext",
    default_parameter=Parameter(negative=()),
    version=trailhound.__version__,
    usage="Usage: trailhound VERB [OPTIONS]",
    result_action="return_value",
    suppress_keyboard_interrupt=False,
)
VERBS = {  # in the order of an investigation
    "ingest": ingest.ingest,
    "status": status.status,
    "verify": verify.verify,
    "detect": detect.detect,
    "findings": findings.app,
    "exclusions": exclusions.app,
    "enrich": enrich.enrich,
    "investigate": investigate.investigate,
    "ask": ask.ask,
    "lineage": lineage.lineage,
    "state": state.state,
    "search": search.search,
    "sql": sql.sql,
    "rules": rules.app,
    "simulate": simulate.simulate,
    "demo": demo.demo,
}
for _position, (_name, _verb) in enumerate(VERBS.items()):
    app.command(_verb)
    app[_name].sort_key = _position


app.meta.suppress_keyboard_interrupt = False  # it is answered in __main__


# Every verb has the options itself, so they are not shown twice.
@app.meta.default
def _launch(
    *tokens: Annotated[str, Parameter(show=False, allow_leading_hyphen=True)],
    options: Annotated[Options, Parameter(show=False)] = Options(),
) -> int | None:
    verb, bound, _ = app.parse_args(tokens, exit_on_error=False, print_error=False)
    if "options" in bound.signature.parameters:
        own = bound.arguments.get("options", bound.signature.parameters["options"].default)
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
