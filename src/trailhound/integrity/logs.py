"""Log files against what the digests list."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from trailhound.integrity import places
from trailhound.integrity.chain import Node
from trailhound.integrity.digest import SHA256, Entry
from trailhound.integrity.faults import state_of
from trailhound.integrity.places import LogName
from trailhound.integrity.reading import LogFile
from trailhound.integrity.report import Checked
from trailhound.lake import times

_NAMELESS = LogName("", "", None)


class Listing(NamedTuple):
    entry: Entry
    node: Node


class Ruling(NamedTuple):
    fault: str  # "" when it is verified
    detail: str
    listing: Listing | None


def judge(
    nodes: Sequence[Node],
    logs: Sequence[LogFile],
    first_member: Callable[[str], str],
) -> Iterator[tuple[int | None, Checked]]:
    """Each log, here or missing, and when it was delivered (epoch milliseconds; None where nothing says it).

    `first_member` gives the SHA-256 of what the first gzip member of a file holds, or "".
    """
    here: defaultdict[str, list[LogFile]] = defaultdict(list)
    for log in logs:
        here[log.known].append(log)
    listings: defaultdict[int, list[Listing]] = defaultdict(list)
    absent: dict[tuple[str, str], list[Listing]] = {}
    for node in nodes:
        for entry in node.digest.entries if node.digest else ():
            copies = [log for name in places.names(entry.bucket, entry.key) for log in here.get(name, ())]
            for log in copies:
                listings[id(log)].append(Listing(entry, node))
            if not copies:
                absent.setdefault((entry.bucket, entry.key), []).append(Listing(entry, node))
    newest = _newest(nodes)
    for log in logs:
        found = listings.get(id(log), [])
        checked = _checked(log, _ruling(log, found, newest, first_member))
        yield _delivered(log.known, found), checked
    for (_, key), several in absent.items():
        yield _delivered(key, several), _absent(several)


def _delivered(key: str, listings: Sequence[Listing]) -> int | None:
    """By its name, else by the digest that lists it."""
    named = places.log_name(key)
    if named and named.time is not None:
        return named.time
    return listings[0].node.digest.begin if listings and listings[0].node.digest else None


def _newest(nodes: Iterable[Node]) -> dict[tuple[str, str], int]:
    """The end of the last digest, by account and Region."""
    newest: dict[tuple[str, str], int] = {}
    for node in nodes:
        if node.digest and node.chain and not node.broken:
            place = node.chain.account_uid, node.chain.region
            newest[place] = max(newest.get(place, 0), node.digest.end)
    return newest


def _ruling(
    log: LogFile,
    listings: Sequence[Listing],
    newest: Mapping[tuple[str, str], int],
    first_member: Callable[[str], str],
) -> Ruling:
    """What a broken digest says accuses nobody, and proves nothing."""
    if log.damage == "unreadable":
        return Ruling("unreadable", log.detail, listings[0] if listings else None)
    if not listings:
        return _unlisted(log, newest)
    sound = [one for one in listings if one.node.proven or not one.node.broken]
    if not sound:
        return Ruling("digest_broken", f"{listings[0].node.place} is broken", listings[0])
    for one in sound:
        if one.entry.algorithm != SHA256:
            return Ruling("algorithm_unsupported", one.entry.algorithm[:100], one)
        if one.entry.sha256 != log.sha256:
            return _mismatch(log, one, first_member)
    if log.damage:
        return Ruling(log.damage, log.detail, sound[0])
    if proof := next((one for one in sound if one.node.proven), None):
        return Ruling("", "", proof)
    return Ruling("digest_unproven", f"{sound[0].node.place} is not proven", sound[0])


def _unlisted(log: LogFile, newest: Mapping[tuple[str, str], int]) -> Ruling:
    named = places.log_name(log.known) or _NAMELESS
    end = newest.get((named.account_uid, named.region))
    if end is None:
        return Ruling("unlisted", "there is no digest of its account and Region", None)
    if named.time is not None and named.time >= end:
        return Ruling("not_yet_listed", f"the newest digest ends at {times.text(end)}", None)
    return Ruling("unlisted", "no digest names it", None)


def _mismatch(log: LogFile, listing: Listing, first_member: Callable[[str], str]) -> Ruling:
    if log.damage and log.damage != "trailing_data":
        return Ruling("invalid_format", log.detail, listing)
    if first_member(log.name) == listing.entry.sha256:
        detail = "the listed content is whole, and another gzip member with more content follows it"
        return Ruling("trailing_data", detail, listing)
    detail = f"its content has SHA-256 {log.sha256}, listed is {listing.entry.sha256[:64]}"
    return Ruling("hash_mismatch", detail, listing)


def _checked(log: LogFile, ruling: Ruling) -> Checked:
    named = places.log_name(log.known)
    entry, node = ruling.listing if ruling.listing else (None, None)
    chain = node.chain if node else None
    if named is None:
        named = LogName(chain.account_uid, chain.region, None) if chain else _NAMELESS
    proof = node.key if node and not ruling.fault else None
    return Checked(
        kind="log",
        state=state_of(ruling.fault),
        fault=ruling.fault,
        detail=ruling.detail,
        place=f"s3://{entry.bucket}/{entry.key}" if entry else log.known,
        name=log.name,
        sha256=log.file_sha256,
        account_uid=named.account_uid,
        region=named.region,
        trail=chain.trail if chain else "",
        begin=node.digest.begin if node and node.digest else named.time,
        end=node.digest.end if node and node.digest else named.time,
        listed_in=node.place if node else "",
        key_fingerprint=proof.fingerprint if proof else "",
        key_provenance=proof.provenance if proof else "",
    )


def _absent(listings: Sequence[Listing]) -> Checked:
    sound = next((one for one in listings if one.node.proven or not one.node.broken), None)
    entry, node = sound or listings[0]
    named = places.log_name(entry.key)
    chain = node.chain
    fault = "missing" if sound else "digest_broken"
    assert node.digest
    return Checked(
        kind="log",
        state=state_of(fault),
        fault=fault,
        detail="a digest lists it" if sound else f"it is not here, but {node.place}, which lists it, is broken",
        place=f"s3://{entry.bucket}/{entry.key}",
        account_uid=named.account_uid if named else (chain.account_uid if chain else ""),
        region=named.region if named else (chain.region if chain else ""),
        trail=chain.trail if chain else "",
        begin=node.digest.begin,
        end=node.digest.end,
        listed_in=node.place,
    )
