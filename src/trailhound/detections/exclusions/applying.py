"""Findings × exclusions: which findings are set aside, by which exclusion.

Nothing is written: a finding stays in the lake as it was found, and is back as soon as no active exclusion fits.
A finding is set aside when a single exclusion fits all of its events. What an event has not, fits nothing; a finding
some of whose events are not known, or no longer in the lake, is never set aside.
"""

from __future__ import annotations

import ipaddress
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Literal, NamedTuple

import arro3.core as ac
import msgspec

from trailhound.detections.exclusions.exclusion import ALL, TEXTS, Exclusion, Glob, Network, address, glob, within
from trailhound.engines.dialect import listed
from trailhound.engines.duckdb import DuckDB
from trailhound.identity.origins import attributed
from trailhound.lake import times
from trailhound.model import Finding

NAMED_AT_MOST = 1_000  # events that a finding of a baseline names; of the others nothing is known

_ASKED = "exclusions_asked_events"
_BY_CALL = ("principal", "origin", "account", "user_agent")  # scopes that are compared as text, call by call
# The most telling first: by one of these an exclusion is looked up.
_ANCHORS = ("address", "resource", "principal", "origin", "user_agent", "account")

Fit = Literal["no", "part", "whole"]


class Trace(NamedTuple):
    """Calls of one finding that are alike in all that a scope looks at."""

    principal: str | None
    origin: str | None
    account: str | None
    user_agent: str | None
    address: tuple[int, int] | None
    calls: int


class Applied(msgspec.Struct, frozen=True):
    findings: tuple[Finding, ...]  # all, in the order given; those set aside are `suppressed`
    hidden: dict[str, Exclusion]  # uid of a finding → the exclusion that sets it aside, the first of those that fit
    partly: dict[str, Exclusion]  # uid of a finding that is shown → an exclusion that fits some of its events


def apply(engine: DuckDB, findings: Sequence[Finding], exclusions: Iterable[Exclusion], today: str) -> Applied:
    """`findings` with their decisions: those that somebody decided on are left as they are. `today`: UTC day."""
    active = [one for one in exclusions if one.state(today) == "active"]
    shelf = Shelf(active)
    asked = [one for one in findings if one.status == "new" and shelf.knows(one)]
    hidden: dict[str, Exclusion] = {}
    partly: dict[str, Exclusion] = {}
    found = traces(engine, asked, origins=any(one.origin for one in active))
    for finding in asked:
        own = found[finding.uid]
        fits = [(active[place], shelf.fit(place, finding, own)) for place in shelf.near(finding, own)]
        if excluded := next((one for one, fit in fits if fit == "whole"), None):
            hidden[finding.uid] = excluded
        elif touched := next((one for one, fit in fits if fit == "part"), None):
            partly[finding.uid] = touched
    return Applied(tuple(_marked(one, hidden, partly) for one in findings), hidden, partly)


def _marked(finding: Finding, hidden: Mapping[str, Exclusion], partly: Mapping[str, Exclusion]) -> Finding:
    if one := hidden.get(finding.uid):
        reason = f"excluded by {one.where} ({one.author}, until {one.expires}): {one.reason}"
        return msgspec.structs.replace(finding, status="suppressed", status_reason=reason)
    if one := partly.get(finding.uid):
        return msgspec.structs.replace(finding, status_reason=f"the exclusion {one.where} fits only a part of it")
    return finding


def traces(engine: DuckDB, findings: Sequence[Finding], *, origins: bool) -> dict[str, list[Trace]]:
    """By uid, the events of these findings that are in the lake. Without `origins` nobody stands behind a call."""
    found: dict[str, list[Trace]] = {one.uid: [] for one in findings}
    asked = [(number, uid) for number, one in enumerate(findings) for uid in one.event_uids]
    if not asked:
        return found
    columns = {
        "finding": ac.Array([number for number, _ in asked], type=ac.DataType.int64()),
        "uid": ac.Array([uid for _, uid in asked], type=ac.DataType.string()),
    }
    engine.mount_arrow(_ASKED, ac.Table.from_pydict(columns))
    days = {day for one in findings for day in _days(one)}
    with attributed(engine, wanted=origins):
        rows = engine.query(
            f"SELECT finding, principal_uid AS principal, {'origin_uid' if origins else 'NULL'} AS origin, "
            "cloud.account.uid AS account, http_request.user_agent AS user_agent, src_ip_hex AS hex, count(*) AS calls "
            f"FROM events JOIN {_ASKED} AS asked ON metadata.uid = asked.uid "
            f"WHERE event_day IN ({listed(sorted(days))}) GROUP BY ALL ORDER BY ALL"
        )
    for row in rows:
        number, hexadecimal = row.pop("finding"), row.pop("hex")
        found[findings[number].uid].append(Trace(**row, address=address(hexadecimal) if hexadecimal else None))
    return found


def _days(finding: Finding) -> Iterator[str]:
    first, last = finding.first_seen_time // times.DAY, finding.last_seen_time // times.DAY
    return (times.day(day * times.DAY) for day in range(first, last + 1))


def whole(finding: Finding, found: Sequence[Trace]) -> bool:
    """Is all known of its events that a scope looks at?"""
    named_all = finding.analysis is None or len(finding.event_uids) < NAMED_AT_MOST
    return named_all and bool(found) and sum(trace.calls for trace in found) == len(finding.event_uids)


class Shelf:
    """Exclusions by what they are about, so that a finding is compared with those that can fit it, of however many."""

    def __init__(self, exclusions: Sequence[Exclusion]) -> None:
        self._rules = [frozenset(one.rule) for one in exclusions]
        self._globs = [{n: tuple(map(glob, values)) for n, values in one.scope() if n in TEXTS} for one in exclusions]
        self._networks = [tuple(map(ipaddress.ip_network, one.address)) for one in exclusions]
        self._accounts = [one.account for one in exclusions]
        self._named = frozenset().union(*self._rules)
        self._by_text: defaultdict[tuple[str, str], list[int]] = defaultdict(list)
        self._by_prefix: defaultdict[tuple[str, str], list[int]] = defaultdict(
            list
        )  # what stands before the first star
        self._by_network: defaultdict[tuple[int, int, int], list[int]] = defaultdict(list)
        self._unanchored: defaultdict[str, list[int]] = defaultdict(list)
        for place in range(len(exclusions)):
            self._put(place)
        self._lengths = {name: {len(prefix) for of, prefix in self._by_prefix if of == name} for name in TEXTS}
        self._widths = sorted({(version, width) for version, width, _ in self._by_network})

    def knows(self, finding: Finding) -> bool:
        """Does any exclusion name its rule?"""
        return not self._named.isdisjoint((finding.rule_uid, finding.rule_title, ALL))

    def near(self, finding: Finding, found: Sequence[Trace]) -> list[int]:
        """Places of the exclusions that may fit, in their order."""
        places = {place for key in (finding.rule_uid, finding.rule_title, ALL) for place in self._unanchored[key]}
        texts = {("resource", resource.uid) for resource in finding.resources}
        texts |= {(name, value) for trace in found for name in _BY_CALL if (value := getattr(trace, name)) is not None}
        places |= {place for key in texts for place in self._by_text.get(key, ())}
        cut = {(name, value[:length]) for name, value in texts for length in self._lengths.get(name, ())}
        places |= {place for key in cut for place in self._by_prefix.get(key, ())}
        for version, number in {trace.address for trace in found if trace.address}:
            for own, width in self._widths:
                if own == version:
                    places |= set(self._by_network.get((version, width, number >> (_bits(version) - width)), ()))
        named = (finding.rule_uid, finding.rule_title, ALL)
        return sorted(place for place in places if not self._rules[place].isdisjoint(named))

    def fit(self, place: int, finding: Finding, found: Sequence[Trace]) -> Fit:
        """How far one exclusion fits a finding whose rule it names."""
        globs = self._globs[place].get("resource", ())
        touched = [_any(globs, resource.uid) for resource in finding.resources] if globs else [True]
        calls = [self._call(place, trace) for trace in found]
        if whole(finding, found) and touched and all(touched) and all(calls):
            return "whole"
        return "part" if any(touched) and any(calls) else "no"

    def _call(self, place: int, trace: Trace) -> bool:
        globs, networks, accounts = self._globs[place], self._networks[place], self._accounts[place]
        if accounts and trace.account not in accounts:
            return False
        if networks and not (trace.address and any(within(network, trace.address) for network in networks)):
            return False
        return all(_any(globs[name], getattr(trace, name)) for name in _BY_CALL if name in globs)

    def _put(self, place: int) -> None:
        for name in _ANCHORS:
            if name == "address" and self._networks[place]:
                for network in self._networks[place]:
                    self._by_network[_key(network)].append(place)
                return
            globs = self._globs[place].get(name, tuple(map(glob, self._accounts[place])) if name == "account" else ())
            if globs and all(one.parts[0] for one in globs):
                for one in globs:
                    (self._by_text if one.exact else self._by_prefix)[name, one.parts[0]].append(place)
                return
        for rule in self._rules[place]:
            self._unanchored[rule].append(place)


def _any(globs: Iterable[Glob], value: str | None) -> bool:
    return value is not None and any(one.fits(value) for one in globs)


def _key(network: Network) -> tuple[int, int, int]:
    width = network.prefixlen
    return network.version, width, int(network.network_address) >> (_bits(network.version) - width)


def _bits(version: int) -> int:
    return 32 if version == 4 else 128
