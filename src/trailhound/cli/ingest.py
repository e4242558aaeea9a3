"""`trailhound ingest SOURCE...`."""

from __future__ import annotations

import difflib
import re
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Annotated

from cyclopts import Group, Parameter

from trailhound.cli import render
from trailhound.cli.options import Flag, Options, open_workspace
from trailhound.errors import InputError, RequestError

if TYPE_CHECKING:
    from trailhound.ingest.ingest import IngestReport


@Parameter(name="*", group=Group("AWS", sort_key=50))
@dataclass(frozen=True)
class Aws:
    """What is not left to the usual chain of boto3: environment, profiles, container, instance."""

    profile: str | None = None
    """Profile of the AWS configuration to take credentials and Region from."""

    role_arn: str | None = None
    """Role to take on before anything is read."""

    endpoint_url: str | None = None
    """Another endpoint than that of AWS, for all its services. Default: $AWS_ENDPOINT_URL"""

    requester_pays: Flag = False
    """Accept that whoever reads pays, as buckets of that kind demand."""


@Parameter(name="*", group=Group("Selection", sort_key=40))
@dataclass(frozen=True)
class Selected:
    accounts: Annotated[tuple[str, ...], Parameter(name="--account", show_default=False)] = ()
    """Of s3:// in CloudTrail's layout: read only this account. May be repeated."""

    regions: Annotated[tuple[str, ...], Parameter(name="--region", show_default=False)] = ()
    """Of s3:// in CloudTrail's layout: read only this Region. May be repeated."""

    since: str | None = None
    """Of s3://, lookup-events: and logs: what was delivered on this day or later."""

    until: str | None = None
    """Of these: what was delivered up to the day after this one, since events come late."""


_ALL, _USUAL = Selected(), Aws()
_REMOTE = re.compile(r"(s3://|sqs:|lookup-events:|logs:)")  # where nothing may be new, or nothing be there yet


def ingest(
    *sources: Annotated[str, Parameter(allow_leading_hyphen=True)],
    repair: Flag = False,
    follow_links: Flag = False,
    selected: Selected = _ALL,
    aws: Aws = _USUAL,
    options: Options = Options(),
) -> None:
    """Read CloudTrail logs into the lake; every record is accounted for.

    Files, folders and globs; plain, gzip, zip or tar; what is in them is told from the content, not from the name.
    Reading the same logs again adds nothing. Records that cannot be read are counted with their reason.

    From AWS (docs/how-to/read-from-s3.md); what is in the lake is not fetched again:

        s3://BUCKET[/PREFIX]           objects
        sqs:QUEUE                      objects that a queue announces, until it is empty
        lookup-events:[REGION,...]     management events of the last 90 days
        logs:GROUP[:STREAM_PREFIX]     CloudWatch Logs

    For example:

        trailhound ingest logs/
        trailhound ingest 'logs/2020/11/*.json.gz' export.zip
        pbpaste | trailhound ingest - --repair
        trailhound ingest s3://my-trail --account 111122223333 --since 2024-05-01 --until 2024-05-07
        trailhound ingest sqs:cloudtrail-queue --profile security
        trailhound ingest lookup-events:us-east-1,eu-west-1 --since 2024-05-01

    Parameters
    ----------
    sources
        What to read; - is standard input.
    repair
        Mend text that was pasted from a report or a chat (smart quotes, missing braces), and mark its events.
    follow_links
        Follow symbolic links inside folders; each folder is read once.
    """
    if mistyped := [source for source in sources if source.startswith("-") and source != "-"]:
        raise RequestError(
            f"there is no option {mistyped[0]}",
            where="trailhound ingest",
            next_step=f"{_nearest(mistyped[0])}`trailhound ingest --help` shows the options; a file of that name is ./-name",
        )
    if not sources:
        raise RequestError(
            "nothing to read is named", where="trailhound ingest", next_step="name files or folders, or -"
        )
    remarks: list[str] = []
    with render.progress(options, "reading") as advance:
        report = open_workspace(options).ingest(
            sources,
            repair=repair,
            follow_links=follow_links,
            **asdict(aws),
            **asdict(selected),
            progress=advance,
            remark=remarks.append,
        )
    if options.json:
        render.document({**{name: getattr(report, name) for name in report.__struct_fields__}, "remarks": remarks})
    else:
        _show(report, options)
        for remark in remarks:
            render.remark(options, remark)
    if not (report.events or report.duplicates) and not any(map(_REMOTE.match, sources)):
        raise _nothing_read(report, sources)


def _nearest(option: str) -> str:
    names = [field.name for options in (Selected, Aws, Options) for field in fields(options)]
    known = ["--repair", "--follow-links", "--account", "--region", *(f"--{name.replace('_', '-')}" for name in names)]
    near = difflib.get_close_matches(option, known, n=1)
    return f"did you mean {near[0]}? " if near else ""


def _nothing_read(report: IngestReport, sources: tuple[str, ...]) -> InputError:
    """No record is not the same as no new record."""
    if report.rejected:
        what = f"no CloudTrail record was found; {render.counted(report.rejected, 'reject')}"
        causes = tuple(f"{example.name}: {example.reject.detail}" for example in report.examples[:3])
    else:
        what = "no CloudTrail record was found"
        causes = ("the file holds none",) if report.files else ("there is no file in it",)
    next_step = "name files or folders of CloudTrail logs; --repair mends a log that was pasted as text"
    return InputError(what, where=" ".join(sources), causes=causes, next_step=next_step)


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
