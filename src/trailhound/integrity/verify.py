"""From a folder to a verdict."""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from trailhound.integrity import chain, coverage, logs, places, query_results, reading
from trailhound.integrity.chain import Missing, Node
from trailhound.integrity.coverage import Asked
from trailhound.integrity.faults import DERIVED
from trailhound.integrity.fetch import Wanted
from trailhound.integrity.keys import KeyRing, PublicKey
from trailhound.integrity.places import Bucket
from trailhound.integrity.reading import Found
from trailhound.integrity.report import Checked, Counts, Fault, KeyUsed, Period, Place, State, Verification
from trailhound.integrity.trail_calls import TrailCall
from trailhound.lake.times import HOUR

_UNLISTED = ("unlisted", "not_yet_listed")
_NEVER = Asked(0, 0, 0)


class Verified(NamedTuple):
    """The verdict, and what it stands on: every object that was looked at."""

    verification: Verification
    checked: tuple[Checked, ...]


def verify(
    path: str,
    keys: Sequence[PublicKey],
    *,
    buckets: Sequence[Bucket] = (),
    since: int | None = None,
    until: int | None = None,
    fetch: Callable[[Sequence[Wanted]], Sequence[PublicKey]] | None = None,
    key_problems: Sequence[str] = (),
    progress: Callable[..., None] | None = None,
) -> Verified:
    """Prove, from the copy at `path` alone, that the logs delivered from `since` to `until` (epoch milliseconds) are
    whole. The network is used by `fetch` only, when it is given. Raises InputError when there is nothing at `path`.
    """
    began, now = time.monotonic(), time.time_ns() // 1_000_000
    found = reading.read(path, buckets, progress)
    if fetch:
        keys = fetch(list(_wanted(found)))
    ring = KeyRing(keys)
    nodes, missing = chain.judge(found.digests, found.metadata, ring)
    period = coverage.asked(nodes, _delivered(found), since, until)
    judged = list(logs.judge(nodes, found.logs, reading.first_member))
    checked = list(_checked(nodes, missing, judged, period or _NEVER))
    checked += query_results.judge(found.results, ring)
    calls = _sound(found.calls, (log for _, log in judged))
    periods, spans, starts, stops = [], [], [], []
    if period:
        areas = {(one.account_uid, one.region) for one in checked if one.kind in ("digest", "log") and one.account_uid}
        periods = list(coverage.periods(nodes, areas, period, calls))
        stops = list(coverage.stops(calls, period))
        begun = list(coverage.starts(nodes, calls, period))
        starts = [start for start, _ in begun]
        spans = [
            *coverage.gaps(periods, missing, period),
            *(fault for _, fault in begun if fault),
            *map(coverage.stopped, stops),
            *coverage.missing_regions(nodes),
        ]
    faults = [_fault(one) for one in checked if one.state != "verified" and one.fault not in DERIVED] + spans
    verdict, because = _verdict(checked, spans, ring)
    verification = Verification(
        verdict=verdict,
        because=because,
        path=path,
        since=period.since if period else since,
        until=period.until if period else until,
        places=tuple(_places(checked, periods)),
        queries=_counts(one for one in checked if one.kind in ("query", "query_file")),
        faults=tuple(sorted(faults, key=lambda fault: fault.state != "broken")),
        periods=tuple(periods),
        starts=tuple(starts),
        stops=tuple(stops),
        absent_regions=coverage.absent_regions(nodes),
        keys=tuple(_used(checked, keys)),
        key_problems=tuple(key_problems),
        unreadable=tuple(found.unreadable),
        other_files=found.others,
        files=found.files,
        bytes=found.bytes,
        checked_at=now,
        seconds=round(time.monotonic() - began, 3),
    )
    return Verified(verification, tuple(checked))


def _wanted(found: Found) -> Iterator[Wanted]:
    """The keys that are needed: by Region, of the time in which its digests were signed."""
    spans: defaultdict[str, list[int]] = defaultdict(list)
    for file in found.digests:
        node = Node(file, found.metadata.get(file.name))
        if node.digest and node.chain:
            made = chain.generated(node) if node.digest.backfill else None
            begin, end = (node.digest.begin, node.digest.end + 2 * HOUR) if made is None else (made - HOUR, made + HOUR)
            spans[node.chain.region] += (begin, end)
    for region, moments in sorted(spans.items()):
        yield Wanted(region, min(moments), max(moments))
    yield from query_results.wanted(found.results)


def _delivered(found: Found) -> Iterator[int]:
    for log in found.logs:
        named = places.log_name(log.known)
        if named and named.time is not None:
            yield named.time


def _checked(
    nodes: Sequence[Node], missing: Sequence[Missing], judged: Iterable[tuple[int | None, Checked]], period: Asked
) -> Iterator[Checked]:
    """Every object that belongs to the period; what says no time always may."""
    for node in nodes:
        if _belongs(node, period):
            yield node.checked()
    for one in missing:
        if one.end is None or period.meets(one.end - HOUR, one.end):
            yield one.checked()
    for delivered, log in judged:
        if delivered is None or period.since <= delivered < period.until:
            yield log


def _belongs(node: Node, period: Asked) -> bool:
    """By its own times, and while these are not proven by its name, too."""
    if node.digest is None or node.broken or period.meets(node.digest.begin, node.digest.end):
        return True
    named = places.digest_end(node.file.known)
    return not node.proven and (named is None or period.meets(named - HOUR, named))


def _sound(calls: Iterable[TrailCall], judged: Iterable[Checked]) -> list[TrailCall]:
    """Calls out of logs that a digest lists as they are: a log planted here explains nothing."""
    unsound = {one.name for one in judged if one.state == "broken" or one.fault in _UNLISTED}
    return [call for call in calls if call.log not in unsound]


def _verdict(checked: Sequence[Checked], spans: Sequence[Fault], ring: KeyRing) -> tuple[State, str]:
    states = Counter(one.state for one in checked)
    missing = sum(one.fault == "missing" for one in checked)
    if states["broken"]:
        return "broken", _said({"objects are broken": states["broken"] - missing, "are missing": missing})
    if not any(one.kind in ("digest", "query") for one in checked):
        return "unverifiable", "there is no digest here that could prove anything"
    if not states["verified"] and not len(ring):
        return "unverifiable", "there are no public keys to verify signatures with"
    if states["unverifiable"] or spans:
        return "unverifiable", _said(
            {"objects are not proven": states["unverifiable"], "times are not covered as they should be": len(spans)}
        )
    return "verified", f"all {states['verified']} objects are proven, and digests cover the whole period"


def _said(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{number:,} {what}" for what, number in counts.items() if number)


def _fault(one: Checked) -> Fault:
    return Fault(**{name: getattr(one, name) for name in Fault.__struct_fields__})


def _places(checked: Iterable[Checked], periods: Iterable[Period]) -> Iterator[Place]:
    objects: defaultdict[tuple[str, str], list[Checked]] = defaultdict(list)
    for one in checked:
        if one.kind in ("digest", "log"):
            objects[one.account_uid, one.region].append(one)
    covered: Counter[tuple[str, str]] = Counter()
    for period in periods:
        if period.state == "verified":
            covered[period.account_uid, period.region] += period.end - period.begin
    for (account, region), own in sorted(objects.items()):
        yield Place(
            account_uid=account,
            region=region,
            trails=tuple(sorted({one.trail for one in own if one.trail})),
            digests=_counts(one for one in own if one.kind == "digest"),
            logs=_counts(one for one in own if one.kind == "log"),
            covered_ms=covered[account, region],
            keys=tuple(sorted({one.key_provenance for one in own if one.key_provenance})),
        )


def _counts(checked: Iterable[Checked]) -> Counts:
    kinds = Counter(
        "missing" if one.fault == "missing" else "unlisted" if one.fault in _UNLISTED else one.state for one in checked
    )
    return Counts(**kinds)


def _used(checked: Iterable[Checked], keys: Iterable[PublicKey]) -> Iterator[KeyUsed]:
    proved = Counter(
        (one.key_fingerprint, one.key_provenance, one.region) for one in checked if one.kind in ("digest", "query")
    )
    for key in keys:
        name = key.fingerprint, key.provenance
        number = sum(n for (*of, region), n in proved.items() if tuple(of) == name and key.region in ("", region))
        if number:
            yield KeyUsed(
                fingerprint=key.fingerprint,
                region=key.region,
                provenance=key.provenance,
                origin=key.origin,
                proved=number,
            )
