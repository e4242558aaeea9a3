"""The verb: the keys of a workspace, a verdict, and the tables it is kept in."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from trailhound.integrity import key_files, places, rows
from trailhound.integrity.fetch import fetch
from trailhound.integrity.report import Verification
from trailhound.integrity.verify import verify
from trailhound.lake import times
from trailhound.lake.lake import Lake
from trailhound.sources.aws import Access, Aws


def verify_copy(
    lake: Lake,
    path: str,
    *,
    since: str | None,
    until: str | None,
    public_keys: Sequence[Path | str],
    access: Access | None,
    buckets: Sequence[str],
    progress: Callable[..., None] | None,
) -> Verification:
    """Verify `path` with the keys of the workspace, to which those of the files `public_keys` are added and, where
    there is `access` to AWS, those fetched from there; `buckets` are `s3://bucket/prefix=FOLDER`.

    Raises TrailhoundError of a kind that says what was wrong.
    """
    problems: list[str] = []
    for file in public_keys:
        found, complaints = key_files.read(Path(file))
        key_files.keep(lake.root, found)
        problems += complaints
    aws = Aws(access) if access else None
    verified = verify(
        path,
        key_files.kept(lake.root),
        buckets=[places.mapping(bucket) for bucket in buckets],
        since=times.interval(since).start if since else None,
        until=times.interval(until).end if until else None,
        fetch=(lambda wanted: key_files.keep(lake.root, fetch(aws, wanted))) if aws else None,
        key_problems=problems,
        progress=progress,
    )
    rows.store(lake, verified)
    return verified.verification
