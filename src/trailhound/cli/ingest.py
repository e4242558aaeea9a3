"""`trailhound ingest SOURCE...`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from trailhound.cli import render
from trailhound.cli.options import Flag, Options, open_workspace
from trailhound.errors import RequestError

if TYPE_CHECKING:
    from trailhound.ingest.ingest import IngestReport


def ingest(
    *sources: Annotated[str, Parameter(allow_leading_hyphen=True)], repair: Flag = False, options: Options = Options()
) -> None:
    """Read CloudTrail logs into the lake; every record is accounted for.

    Files, folders and globs; plain, gzip, zip or tar; what is in them is told from the content, not from the name.
    Reading the same logs again adds nothing. Records that cannot be read are counted with their reason.

    For example:

        trailhound ingest logs/
        trailhound ingest 'logs/2020/11/*.json.gz' export.zip
        pbpaste | trailhound ingest - --repair

    Parameters
    ----------
    sources
        What to read; - is standard input.
    repair
        Mend text that was pasted from a report or a chat (smart quotes, missing braces), and mark its events.
    """
    if mistyped := [source for source in sources if source.startswith("-") and source != "-"]:
        raise RequestError(
            f"there is no option {mistyped[0]}",
            where="trailhound ingest",
            next_step="write a file of that name as ./-name",
        )
    if not sources:
        raise RequestError(
            "nothing to read is named", where="trailhound ingest", next_step="name files or folders, or -"
        )
    with render.progress(options, "reading") as advance:
        report = open_workspace(options).ingest(sources, repair=repair, progress=advance)
    if options.json:
        render.document(report)
    else:
        _show(report, options)


def _show(report: IngestReport, options: Options) -> None:
    render.pairs(
        {
            "seen": report.seen,
            "events": report.events,
            "duplicates": report.duplicates,
            "rejected": report.rejected,
            "files": report.files,
            "bytes": report.bytes,
            "first": render.at(report.first_time),
            "last": render.at(report.last_time),
            "seconds": round(report.seconds, 1),
        }
    )
    for reason, count in sorted(report.reasons.items()):
        render.text(f"  rejected as {reason}: {count:,}")
    for example in report.examples:
        place = f", record {example.reject.index}" if example.reject.index >= 0 else ""
        render.remark(options, f"  {example.name}{place}: {example.reject.detail}")
    for repair in report.repaired:
        render.text(f"repaired {repair.name}: {', '.join(repair.steps)}\n{repair.difference}")
    if report.seen and not report.events and not report.rejected:
        render.remark(options, "nothing new: every record was in the lake already")
