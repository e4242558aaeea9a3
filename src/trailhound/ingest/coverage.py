"""Hour by hour, what the log holds of each account, Region and category, and what an empty hour means.

An hour without events may be quiet, or its events may never have arrived. Digests tell for certain, where
`trailhound verify` has seen them; else the log can say how likely such a stretch is to be empty by chance.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Literal, NamedTuple

import msgspec

from trailhound.engines.duckdb import DuckDB
from trailhound.ingest import proofs, switches
from trailhound.ingest.proofs import Proofs
from trailhound.ingest.switches import DATA, MANAGEMENT, Switch
from trailhound.lake.times import HOUR

ALL = "all"  # Regions, taken together
# Below this a stretch without events is missing rather than quiet: one in a hundred thousand, since a year of
# one Region has nine thousand hours to be empty by chance.
UNLIKELY = 1e-5
_ENOUGH = 4  # hours of the same kind to learn from: with fewer, nothing is called unlikely

Kind = Literal["missing", "quiet", "broken", "logging_stopped", "logging_narrowed", "never_recorded"]


class Stretch(msgspec.Struct, frozen=True):
    """Time of which there are no events, or of which some kinds of events cannot be there."""

    account_uid: str
    region: str  # "all": every Region of the account
    category: str  # Management, Data, NetworkActivity
    since: int  # epoch milliseconds
    until: int | None  # the first moment that is covered again; None: never seen
    kind: Kind
    because: str  # for people
    what: str = ""  # of a trail: see Switch


class Series(NamedTuple):
    """Events by hour of one account, Region and category."""

    account_uid: str
    region: str
    category: str
    hours: dict[int, int]  # epoch hour → events


def series(engine: DuckDB, account_uid: str | None = None) -> list[Series]:
    """Every account × Region × category of the lake, or of one account."""
    where = "" if account_uid is None else "WHERE cloud.account.uid = $account "
    rows = engine.query(
        "SELECT coalesce(cloud.account.uid, '') AS account, coalesce(cloud.region, '') AS region, "
        f"coalesce(nullif(metadata.product.feature.name, ''), '{MANAGEMENT}') AS category, "
        f"CAST((time - time % {HOUR}) // {HOUR} AS BIGINT) AS hour, count(*) AS n "
        f"FROM events {where}GROUP BY ALL ORDER BY ALL",
        {} if account_uid is None else {"account": account_uid},
    )
    found: dict[tuple[str, str, str], dict[int, int]] = defaultdict(dict)
    for row in rows:
        found[row["account"], row["region"], row["category"]][row["hour"]] = row["n"]
    return [Series(*key, hours) for key, hours in found.items()]


def stretches(engine: DuckDB, held: Iterable[Series]) -> list[Stretch]:
    """What the log lacks, account by account and in order of time; a stretch that is empty in every Region is named once."""
    by_account: defaultdict[str, list[Series]] = defaultdict(list)
    for one in held:
        by_account[one.account_uid].append(one)
    found: list[Stretch] = []
    for account, own in by_account.items():
        switched = switches.read(engine, account)
        for s in switched:
            if s.kind != "data_events_on":
                found += [Stretch(account, ALL, s.category, s.since, s.until, s.kind, s.because, s.what)]
        if not any(one.category == DATA for one in own):
            found.append(_never_recorded(account, own, switched))
        proven = proofs.read(engine, account)
        found += [
            Stretch(account, lost.region, MANAGEMENT, lost.begin, lost.end, "broken", lost.because)
            for lost in proven.lost
        ]
        found += _empty(account, own, [switch for switch in switched if switch.kind == "logging_stopped"], proven)
    return sorted(found, key=lambda one: (one.account_uid, one.since, one.region, one.category, one.kind))


def _empty(account: str, own: list[Series], stopped: list[Switch], proven: Proofs) -> Iterator[Stretch]:
    """Empty hours between the account's first and its last, but for those in which a trail is known to be stopped."""
    management = [one for one in own if one.category == MANAGEMENT]
    if not management:
        return
    whole = merged(management)
    span = range(min(whole), max(whole) + 1)
    explained = _hours_of(stopped, span)
    regions = tuple(one.region for one in management)
    for since, until in _runs(hour for hour in span if hour not in whole and hour not in explained):
        explained.update(range(since, until))
        quiet = proven.proves_quiet(regions, since * HOUR, until * HOUR)
        yield _judged(Series(account, ALL, MANAGEMENT, whole), span, since, until, proven=quiet)
    for one in management if len(management) > 1 else ():
        own_span = range(min(one.hours), span.stop)
        for since, until in _runs(hour for hour in own_span if hour not in one.hours and hour not in explained):
            quiet = proven.proves_quiet((one.region,), since * HOUR, until * HOUR)
            yield _judged(one, own_span, since, until, proven=quiet)


def _hours_of(stopped: list[Switch], span: range) -> set[int]:
    hours: set[int] = set()
    for switch in stopped:
        last = span.stop if switch.until is None else -(-switch.until // HOUR)
        hours.update(range(max(switch.since // HOUR, span.start), min(last, span.stop)))
    return hours


def merged(held: Iterable[Series]) -> dict[int, int]:
    """Events by hour of several series together."""
    total: dict[int, int] = defaultdict(int)
    for one in held:
        for hour, count in one.hours.items():
            total[hour] += count
    return dict(total)


def _judged(one: Series, span: range, since: int, until: int, *, proven: bool) -> Stretch:
    place = (one.account_uid, one.region, one.category, since * HOUR, until * HOUR)
    if proven:
        return Stretch(*place, "quiet", "digests prove that nothing was delivered")
    chance, expected = chance_of_none(one.hours, span, since, until)
    if chance is None:
        return Stretch(*place, "quiet", "there are too few hours like these to say whether that is unusual")
    hours = "this hour" if until - since == 1 else "these hours"
    if chance > UNLIKELY:
        return Stretch(*place, "quiet", f"about {expected:.0f} events are usual in {hours}: none may be chance")
    return Stretch(*place, "missing", f"about {expected:.0f} events are usual in {hours}, by those of other days")


def chance_of_none(hours: dict[int, int], span: range, since: int, until: int) -> tuple[float | None, float]:
    """How likely the hours from `since` to before `until` are all empty, and how many events they would hold.

    Learned from the same hours of other days (weekends by themselves), each as a negative binomial: Poisson, but
    with the spread that is seen. Hours with too few like them say nothing; None when that is all of them.
    """
    kinds: dict[tuple[bool, int], list[int]] = defaultdict(list)
    wanted = {_kind(hour) for hour in range(since, min(until, since + 7 * 24))}
    for of_day in {hour for _, hour in wanted}:
        for hour in range(span.start + (of_day - span.start) % 24, span.stop, 24):
            if not since <= hour < until and (kind := _kind(hour)) in wanted:
                kinds[kind].append(hours.get(hour, 0))
    chance, expected, learned = 1.0, 0.0, False
    for hour in range(since, until):
        counts = kinds[_kind(hour)]
        if len(counts) < _ENOUGH:
            continue
        learned = True
        mean = sum(counts) / len(counts)
        expected += mean
        chance *= _chance_of_zero(mean, sum((count - mean) ** 2 for count in counts) / (len(counts) - 1))
    return chance if learned else None, expected


def _chance_of_zero(mean: float, variance: float) -> float:
    if mean == 0:
        return 1.0
    spread = mean**2 / max(variance - mean, mean * 1e-3)
    return (spread / (spread + mean)) ** spread


def _kind(hour: int) -> tuple[bool, int]:
    day = hour // 24
    return (day + 3) % 7 >= 5, hour % 24  # 1970-01-01 was a Thursday


def _never_recorded(account: str, own: list[Series], switched: list[Switch]) -> Stretch:
    whole = merged(own)
    on = [s for s in switched if s.kind == "data_events_on"]
    because = "no data event of the account is in the log: reads and writes of objects leave no trace in it"
    if on:
        because += f", although a trail was told to record them ({on[0].because})"
    return Stretch(account, ALL, DATA, min(whole) * HOUR, (max(whole) + 1) * HOUR, "never_recorded", because)


def _runs(hours: Iterable[int]) -> Iterator[tuple[int, int]]:
    """Hours in order → first of each run of neighbours, and the first behind it."""
    run: tuple[int, int] | None = None
    for hour in hours:
        if run and hour == run[1]:
            run = run[0], hour + 1
        else:
            if run:
                yield run
            run = hour, hour + 1
    if run:
        yield run
