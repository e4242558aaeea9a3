"""`trailhound verify PATH`, of logs or of a report."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from trailhound.cli import render
from trailhound.cli.options import Flag, Options, open_workspace

if TYPE_CHECKING:
    from trailhound.integrity.report import Fault, Place, Verification

_STATUS = {"verified": 0, "broken": 1, "unverifiable": 3}
_SHOWN = 40  # faults in the table; json has all
_HOUR = 3_600_000


def verify(
    path: str,
    /,
    *,
    since: str | None = None,
    until: str | None = None,
    public_keys: tuple[Path, ...] = (),
    fetch_keys: Flag = False,
    profile: str | None = None,
    map_: Annotated[tuple[str, ...], Parameter(name="--map")] = (),
    options: Options = Options(),
) -> int:
    """Prove, offline, that CloudTrail logs are whole: none altered, none missing. Or run a report again.

    Digest files carry a signature of AWS, name the log files of their hour with their hashes, and name their predecessor.
    PATH is a copy of the bucket, with the digests; nothing in it is changed. The newest digest can only be proven
    with its S3 metadata beside it, in NAME.metadata.json as `aws s3api head-object` prints them.

    Where PATH is a report of `investigate`, as JSON or HTML, its investigation is made again over the lake as it is now:
    each claim of it holds, or is named with the reason why it does not.

    Exit status: 0 all is verified, every claim holds; 1 something is broken or missing; 3 it cannot be told, with the
    reason; 2 could not be carried out.

    For example:

        trailhound verify copy-of-bucket/ --public-keys keys.json
        trailhound verify copy/ --since 2026-03-01 --until 2026-03-31 --format json
        trailhound verify report.html
        trailhound verify copy/ --map s3://our-trail/prod=copy/moved --fetch-keys --profile audit

    Parameters
    ----------
    path
        A folder, an archive or a glob; or a report.
    since
        Only logs that were delivered at this time or later. Default: the first thing found.
    until
        Only logs that were delivered up to this time. Default: the last thing found.
    public_keys
        A file of public keys, which the workspace keeps from then on: what `aws cloudtrail list-public-keys` prints, PEM,
        DER or base64. May be given several times.
    fetch_keys
        Fetch the public keys that are needed from AWS, once. Nothing else uses the network.
    profile
        The profile of the AWS configuration to fetch them with.
    map_
        Which bucket and prefix a folder is a copy of, as s3://bucket/prefix=FOLDER. May be given several times.
        Default: what the path says from AWSLogs/ on.
    """
    from trailhound.reports.reading import is_report  # noqa: PLC0415 - start-up

    if is_report(Path(path)):
        return _report(path, options)
    with render.progress(options, "verifying") as advance:
        found = open_workspace(options).verify(
            path,
            since=since,
            until=until,
            public_keys=public_keys,
            fetch_keys=fetch_keys,
            profile=profile,
            buckets=map_,
            progress=advance,
        )
    if options.json:
        render.document(found)
    else:
        _show(found)
    return _STATUS[found.verdict]


def _report(path: str, options: Options) -> int:
    with render.progress(options, "asking again", unit="questions") as advance:
        found = open_workspace(options).verify_report(path, progress=advance)
    if options.json:
        render.document(found)
    else:
        failed = [claim for claim in found.claims if claim.state != "holds"]
        held = f"{len(found.claims) - len(failed):,} of {render.counted(len(found.claims), 'claim')} hold"
        render.pairs({"report": found.uid, "verdict": f"{found.verdict}: {held}"})
        for line in (*found.faults, *found.remarks):
            render.text(line)
        if failed:
            render.table(["", "in", "claim", "because"], [[c.state, c.part, c.text, c.because] for c in failed])
        for text in found.new:
            render.text(f"said now, and not in the report: {text}")
    return int(found.verdict == "broken")


def _show(found: Verification) -> None:
    render.pairs(
        {
            "verdict": f"{found.verdict}: {found.because}",
            "period": f"{render.at(found.since)} to {render.at(found.until)}" if found.since is not None else "none",
            "read": f"{found.files:,} files, {found.bytes:,} bytes in {found.seconds:.1f} s",
        }
    )
    asked = (found.until or 0) - (found.since or 0)
    header = ["account", "Region", "trail", "digests", "logs", "covered", "keys"]
    render.table(header, [_row(place, asked) for place in found.places])
    if _counts(found.queries) != "none":
        render.text(f"query results: {_counts(found.queries)}")
    for fault in found.faults[:_SHOWN]:
        render.text(_line(fault))
    if len(found.faults) > _SHOWN:
        render.text(f"and {len(found.faults) - _SHOWN:,} more faults; --format json shows all")
    for line in _remarks(found):
        render.text(line)


def _row(place: Place, asked: int) -> list[object]:
    share = f"{place.covered_ms / _HOUR:,.1f} h of {asked / _HOUR:,.1f}"
    return [
        place.account_uid,
        place.region,
        place.trails,
        _counts(place.digests),
        _counts(place.logs),
        share,
        place.keys or "none",
    ]


def _counts(counts: object) -> str:
    """Only what there is: `120 verified, 1 missing`."""
    names = ("verified", "broken", "missing", "unverifiable", "unlisted")
    return ", ".join(f"{number:,} {name}" for name in names if (number := getattr(counts, name))) or "none"


def _line(fault: Fault) -> str:
    when = f"{render.at(fault.begin)} to {render.at(fault.end) or 'the end'}" if fault.begin is not None else ""
    what = when if fault.kind == "period" else fault.name or fault.place
    where = f"{fault.account_uid} {fault.region} " if fault.kind == "period" else ""
    listed = f" [{when}]" if when and fault.kind != "period" else ""
    return f"{fault.state}: {fault.fault} {where}{what}{listed}: {fault.detail}"


def _remarks(found: Verification) -> Iterator[str]:
    for start in found.starts:
        why = start.explained_by or "no call in these logs explains it; what may have been before it is not known"
        yield f"{start.trail} in {start.region} begins at {render.at(start.time)}: {why}"
    for trail, regions in found.absent_regions.items():
        yield f"trail {trail} logs several Regions; of these usual ones there is no digest: {_listed(regions)}"
    for key in found.keys:
        whose = {"aws": "from AWS", "file": "from a file", "self-made": "SELF-MADE, not of AWS"}[key.provenance]
        yield f"key {key.fingerprint} {key.region}: {whose} ({key.origin}); proves {key.proved:,}"
    yield from found.key_problems
    for missed in found.unreadable[:_SHOWN]:
        yield f"not read: {missed.name}: {missed.detail}"


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names)
