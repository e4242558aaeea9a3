"""Time: which of it digests cover, where there are holes, and what the logs themselves say of these."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from trailhound.integrity import places, trail_calls
from trailhound.integrity.chain import Missing, Node
from trailhound.integrity.faults import state_of
from trailhound.integrity.places import Chain
from trailhound.integrity.report import Cover, Fault, Period, Start, State, Stop
from trailhound.integrity.trail_calls import TrailCall
from trailhound.lake import times
from trailhound.lake.times import HOUR

LATE = 2 * HOUR  # until a digest is here, when the end of the period was asked for
_NEAR = HOUR  # between a call and the digest that begins or ends with it

_RANK: tuple[State, ...] = ("verified", "unverifiable", "broken")


class Asked(NamedTuple):
    """The period that is to be proven; epoch milliseconds, `until` not part of it."""

    since: int
    until: int
    tolerance: int  # how far the last digest may end before `until`

    def meets(self, begin: int, end: int) -> bool:
        return begin < self.until and end > self.since


class _Span(NamedTuple):
    begin: int
    end: int
    state: State


Area = tuple[str, str]  # account, Region

# Regions that are on in every account, and can be in none switched off.
_USUAL = frozenset(
    {
        *("ap-northeast-1", "ap-northeast-2", "ap-northeast-3", "ap-south-1", "ap-southeast-1", "ap-southeast-2"),
        *("ca-central-1", "eu-central-1", "eu-north-1", "eu-west-1", "eu-west-2", "eu-west-3", "sa-east-1"),
        *("us-east-1", "us-east-2", "us-west-1", "us-west-2"),
    }
)


def asked(nodes: Sequence[Node], delivered: Iterable[int], since: int | None, until: int | None) -> Asked | None:
    """What was asked for, else all that is here; None when nothing here has a time."""
    ends = [(node.digest.begin, node.digest.end) for node in nodes if node.digest and not node.broken]
    moments = list(delivered)
    begins = [begin for begin, _ in ends] + moments
    latest = [end for _, end in ends] + [time + 60_000 for time in moments]
    first = since if since is not None else min(begins, default=None)
    last = until if until is not None else max(latest, default=None)
    if first is None or last is None:
        return None
    return Asked(first, last, HOUR - 1 if until is None else LATE)


def periods(
    nodes: Sequence[Node], areas: Iterable[Area], period: Asked, calls: Sequence[TrailCall]
) -> Iterator[Period]:
    """The whole period of every account and Region, in stretches of one state."""
    spans: defaultdict[Area, list[_Span]] = defaultdict(list)
    chains: defaultdict[Area, set[Chain]] = defaultdict(set)
    for node in nodes:
        if node.chain and (span := _span(node)):
            area = node.chain.account_uid, node.chain.region
            spans[area].append(span)
            chains[area].add(node.chain)
    for area in sorted(areas):
        for begin, end, state in _stretches(spans[area], period):
            because = ""
            if state == "uncovered":
                because = explanation(begin, end, [c for c in calls if any(_of(c, one) for one in chains[area])])
            account, region = area
            yield Period(account_uid=account, region=region, begin=begin, end=end, state=state, because=because)


def gaps(found: Iterable[Period], missing: Sequence[Missing], period: Asked) -> Iterator[Fault]:
    """Holes that are no mere lag: within the chain any, at its ends those in which a digest is due."""
    for one in found:
        if one.state != "uncovered":
            continue
        at_head, at_tail = one.begin <= period.since, one.end >= period.until
        lasts = one.end - one.begin
        if at_head != at_tail and lasts <= (period.tolerance if at_tail else HOUR - 1):
            continue
        fault = "gap" if at_head == at_tail else "tail_gap" if at_tail else "head_gap"
        lost = [m.key for m in missing if m.end is not None and one.begin < m.end <= one.end and _in(m, one)]
        detail = one.because or (f"missing are {', '.join(lost)}" if lost else "no call in the logs explains it")
        yield _fault(fault, one.account_uid, one.region, "", one.begin, one.end, detail)


def starts(nodes: Sequence[Node], calls: Sequence[TrailCall], period: Asked) -> Iterator[tuple[Start, Fault | None]]:
    """Digests without a predecessor; a fault for one in the middle of a chain that nothing explains."""
    first: dict[Chain, int] = {}
    for node in nodes:
        if node.digest and node.chain:
            first[node.chain] = min(first.get(node.chain, node.digest.begin), node.digest.begin)
    for node in nodes:
        digest, chain = node.digest, node.chain
        if (
            digest is None
            or chain is None
            or node.broken
            or digest.previous
            or not period.meets(digest.begin, digest.end)
        ):
            continue
        near = [c for c in calls if c.on and _of(c, chain) and digest.begin - _NEAR <= c.time <= digest.end]
        nearest = min(near, key=lambda c, begin=digest.begin: abs(c.time - begin), default=None)
        start = Start(
            account_uid=chain.account_uid,
            region=chain.region,
            trail=chain.trail,
            time=digest.begin,
            place=node.place,
            explained_by=str(nearest) if nearest else "",
        )
        restart = digest.begin > first[chain]
        detail = "it names no predecessor, though there are older digests of this trail"
        fault = None
        if restart and nearest is None:
            where = chain.account_uid, chain.region, chain.trail
            fault = _fault("unexplained_start", *where, digest.begin, digest.end, detail, node.place)
        yield start, fault


def stops(calls: Sequence[TrailCall], period: Asked) -> Iterator[Stop]:
    """From a call that stopped a trail to the one that started it again."""
    off: dict[tuple[str, str, str], TrailCall] = {}
    pairs: list[tuple[TrailCall, TrailCall | None]] = []
    for call in sorted(set(calls), key=lambda call: call.time):
        trail = call.account_uid, call.region, call.trail
        if call.operation in trail_calls.OFF:
            off.setdefault(trail, call)
        elif call.operation == "StartLogging" and trail in off:
            pairs.append((off.pop(trail), call))
    pairs += [(call, None) for call in off.values()]
    for began, ended in sorted(pairs, key=lambda pair: pair[0].time):
        if period.meets(began.time, ended.time if ended else period.until):
            yield Stop(
                account_uid=began.account_uid,
                region=began.region,
                trail=began.trail,
                begin=began.time,
                end=ended.time if ended else None,
                because=f"{began}, {ended}" if ended else f"{began}, and no start of it",
            )


def stopped(stop: Stop) -> Fault:
    place = stop.account_uid, stop.region, stop.trail
    return _fault("logging_stopped", *place, stop.begin, stop.end, stop.because)


def missing_regions(nodes: Sequence[Node]) -> Iterator[Fault]:
    """Regions that a trail of an organisation covers in one account, and of which there is no digest of another."""
    covered: defaultdict[tuple[str, str, str], dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    for node in nodes:
        if node.chain and (organisation := places.organisation(node.place)):
            trail = organisation, node.chain.trail, node.chain.home
            covered[trail][node.chain.account_uid].add(node.chain.region)
    for (_, trail, _), accounts in covered.items():
        everywhere = set().union(*accounts.values())
        for account, regions in sorted(accounts.items()):
            for region in sorted(everywhere - regions):
                detail = "other accounts of the organisation have digests of it"
                yield _fault("region_missing", account, region, trail, None, None, detail)


def absent_regions(nodes: Sequence[Node]) -> dict[str, tuple[str, ...]]:
    """For trails that log several Regions: those of every account that have no digest here. A copy may leave some
    out on purpose, so this is a remark and no fault."""
    regions: defaultdict[str, set[str]] = defaultdict(set)
    for node in nodes:
        if node.chain:
            regions[f"{node.chain.trail} ({node.chain.home})"].add(node.chain.region)
    several = {trail: held for trail, held in regions.items() if len(held) > 1 and held <= _USUAL}
    return {trail: tuple(sorted(_USUAL - held)) for trail, held in sorted(several.items()) if _USUAL - held}


def explanation(begin: int, end: int, calls: Sequence[TrailCall]) -> str:
    """The calls that stopped the digests of a trail, and let them begin again."""
    off = [c for c in calls if not c.on and begin - _NEAR <= c.time < end]
    if not off:
        return ""
    on = [c for c in calls if c.on and off[0].time < c.time <= end + _NEAR]
    return ", ".join(map(str, (off[-1], *on[:1])))


def _of(call: TrailCall, chain: Chain) -> bool:
    """Whether a call is about the trail of a chain. A trail of an organisation is switched in another account."""
    return (call.trail, call.region) == (chain.trail, chain.home) and (
        chain.organisation or call.account_uid == chain.account_uid
    )


def _span(node: Node) -> _Span | None:
    if node.digest:
        return _Span(node.digest.begin, node.digest.end, node.state)
    end = places.digest_end(node.file.known)
    return _Span(end - HOUR, end, node.state) if end is not None else None


def _stretches(spans: Sequence[_Span], period: Asked) -> Iterator[tuple[int, int, Cover]]:
    """Cut at every begin and end; where several digests meet, the best of them counts."""
    inside = [s for s in spans if s.begin < s.end and period.meets(s.begin, s.end)]
    edges = {period.since, period.until}
    starting: defaultdict[int, list[State]] = defaultdict(list)
    ending: defaultdict[int, list[State]] = defaultdict(list)
    for span in inside:
        begin, end = max(span.begin, period.since), min(span.end, period.until)
        starting[begin].append(span.state)
        ending[end].append(span.state)
        edges |= {begin, end}
    active: dict[State, int] = dict.fromkeys(_RANK, 0)
    last: tuple[int, Cover] | None = None
    for edge in sorted(edges):
        for state in starting[edge]:
            active[state] += 1
        for state in ending[edge]:
            active[state] -= 1
        standing: list[Cover] = [state for state in _RANK if active[state]]
        now: Cover = standing[0] if standing else "uncovered"
        if last and (edge == period.until or now != last[1]):
            yield last[0], edge, last[1]
            last = (edge, now)
        last = last or (edge, now)


def _in(missing: Missing, period: Period) -> bool:
    checked = missing.checked()
    return (checked.account_uid, checked.region) == (period.account_uid, period.region)


def _fault(
    fault: str, account: str, region: str, trail: str, begin: int | None, end: int | None, detail: str, place: str = ""
) -> Fault:
    span = f"{times.text(begin)} to {times.text(end) if end is not None else 'the end'}" if begin is not None else ""
    return Fault(
        fault=fault,
        state=state_of(fault),
        kind="period",
        place=place or span,
        name="",
        account_uid=account,
        region=region,
        trail=trail,
        begin=begin,
        end=end,
        detail=detail,
    )
