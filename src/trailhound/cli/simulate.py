"""`trailhound simulate STORY`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from trailhound.cli import render
from trailhound.cli.options import Flag, Options, open_workspace
from trailhound.errors import RequestError


def simulate(
    story: str | None = None,
    /,
    *,
    output: Annotated[Path | None, Parameter(name=["--output", "-o"])] = None,
    seed: int | None = None,
    events: int | None = None,
    days: int | None = None,
    digests: Flag = False,
    catalogue: Annotated[Flag, Parameter(name="--list")] = False,
    options: Options = Options(),
) -> None:
    """Write a labelled CloudTrail history: an attack in a plausible quiet account, and the truth beside it.

    The same story and seed give the same bytes.

    For example:

        trailhound simulate --list
        trailhound simulate roboman1 -o incident/
        trailhound simulate my-story.yml -o incident/ --seed 7 --events 100000 --digests

    Parameters
    ----------
    story
        The name of a story, or a YAML file.
    output
        The folder to write into.
    seed
        Another seed, another quiet account. Default: the story's own.
    events
        How many quiet events there are.
    days
        How many quiet days there are.
    digests
        Write signed digest files, too, and public-keys.json to verify them with.
    catalogue
        Print the stories there are.
    """
    if catalogue:
        from trailhound.simulation.story import stories  # noqa: PLC0415 - start-up

        rows = stories()
        if options.json:
            render.lines({"story": name, "summary": summary} for name, summary in rows)
        else:
            render.table(["story", "summary"], rows)
        return
    if story is None or output is None:
        raise RequestError(
            "a story and a folder are needed",
            where="trailhound simulate",
            next_step="trailhound simulate STORY -o FOLDER; `trailhound simulate --list` shows the stories",
        )
    truth = open_workspace(options).simulate(story, output, seed=seed, events=events, days=days, digests=digests)
    counts = {name: getattr(truth.counts, name) for name in truth.counts.__struct_fields__}
    written = {
        "story": truth.story,
        "seed": truth.seed if options.json else str(truth.seed),  # a name, not an amount
        "logs": str(output / "AWSLogs"),
        "truth": str(output / "truth.json"),
    }
    if options.json:
        render.document({**written, "counts": counts})
    else:
        render.pairs({"summary": truth.summary, **written, **counts})
