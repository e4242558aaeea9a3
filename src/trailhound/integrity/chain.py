"""Digests: is each what AWS signed, does it lie where it was delivered, and is none missing between them?

The signature of a digest is not in the digest: S3 keeps it as metadata, and the successor records it. Wherever it
comes from, a signature that fits proves the digest; so without metadata all but the newest can be proven. Digests
are judged from the newest back, since what a broken successor records accuses nobody.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence

import msgspec

from trailhound.integrity import places
from trailhound.integrity.digest import RSA, SHA256, Digest, epoch
from trailhound.integrity.faults import state_of
from trailhound.integrity.keys import Answer, KeyRing, PublicKey
from trailhound.integrity.places import Chain
from trailhound.integrity.reading import DigestFile, Metadata
from trailhound.integrity.report import Checked, State
from trailhound.lake.times import HOUR

_MALFORMED = "the file of metadata beside it is not what `aws s3api head-object` prints"


class Node:
    """A digest, and what is known of it so far."""

    def __init__(self, file: DigestFile, metadata: Metadata | None, *, malformed: bool = False) -> None:
        self.file = file
        self.digest = file.digest
        self.metadata = metadata
        self.malformed = malformed  # there is a file of metadata, and it cannot be understood
        self.state: State = "unverifiable"
        self.fault = self.detail = ""
        self.proven = False  # signed, and where it belongs: what it lists can be trusted
        self.key: PublicKey | None = None
        self.chain: Chain | None = places.chain(self.digest.key if self.digest else file.known)

    @property
    def place(self) -> str:
        return self.digest.place if self.digest else self.file.known

    def fail(self, fault: str, detail: str) -> None:
        """The first fault stays, unless a graver one is found."""
        state = state_of(fault)
        if not self.fault or (state == "broken" and self.state != "broken"):
            self.state, self.fault, self.detail = state, fault, detail

    @property
    def broken(self) -> bool:
        return self.state == "broken"

    def checked(self) -> Checked:
        digest, chain = self.digest, self.chain
        return Checked(
            kind="digest",
            state=self.state,
            fault=self.fault,
            detail=self.detail,
            place=self.place,
            name=self.file.name,
            account_uid=chain.account_uid if chain else (digest.account_uid or "" if digest else ""),
            region=chain.region if chain else "",
            trail=chain.trail if chain else "",
            begin=digest.begin if digest else None,
            end=digest.end if digest else places.digest_end(self.file.known),
            key_fingerprint=self.key.fingerprint if self.key else "",
            key_provenance=self.key.provenance if self.key else "",
        )


class Missing(msgspec.Struct, frozen=True):
    """A digest that a successor names, and that is not there."""

    bucket: str
    key: str
    successor: Node

    @property
    def end(self) -> int | None:
        return places.digest_end(self.key)

    def checked(self) -> Checked:
        chain = places.chain(self.key) or self.successor.chain
        assert self.successor.digest
        return Checked(
            kind="digest",
            state="broken",
            fault="missing",
            detail=f"{self.successor.place} names it as its predecessor",
            place=f"s3://{self.bucket}/{self.key}",
            account_uid=chain.account_uid if chain else "",
            region=chain.region if chain else "",
            trail=chain.trail if chain else "",
            end=self.end or self.successor.digest.begin,
            listed_in=self.successor.place,
        )


def judge(
    files: Sequence[DigestFile], metadata: Mapping[str, Metadata | None], keys: KeyRing
) -> tuple[list[Node], list[Missing]]:
    """Each digest with its state, and those that are missing."""
    nodes = [
        Node(file, metadata.get(file.name), malformed=file.name in metadata and metadata[file.name] is None)
        for file in files
    ]
    lying: defaultdict[str, list[Node]] = defaultdict(list)
    for node in nodes:
        lying[node.file.known].append(node)
        _check_place(node)
    successors: defaultdict[int, list[Node]] = defaultdict(list)
    orphans: list[Node] = []
    for node in nodes:
        before = _before(node, lying)
        if node.digest and node.digest.previous and not before:
            orphans.append(node)
        for earlier in before:
            successors[id(earlier)].append(node)
    for node in sorted(nodes, key=lambda node: -node.digest.end if node.digest else 0):
        if node.digest and not node.broken:
            _check_signature(node, node.digest, successors[id(node)], keys)
            _check_hash(node, node.digest, successors[id(node)])
    _check_order(nodes, lying)
    return nodes, list(_missing(orphans))


def _before(node: Node, lying: Mapping[str, Sequence[Node]]) -> list[Node]:
    """Whatever lies where the predecessor should."""
    previous = node.digest.previous if node.digest else None
    if previous is None:
        return []
    found = (one for name in places.names(previous.bucket, previous.key) for one in lying.get(name, ()))
    return [one for one in found if one is not node]


def _check_place(node: Node) -> None:
    digest = node.digest
    if digest is None:
        node.fail(node.file.damage, node.file.detail)
    elif node.file.known not in places.names(digest.bucket, digest.key):
        node.fail("moved", f"it was delivered to {digest.place}")
    elif node.chain is None:
        node.fail("moved", f"{digest.place} is no place of a digest")
    elif digest.account_uid != node.chain.account_uid:
        node.fail("wrong_account", f"it says account {digest.account_uid!r}")


def _check_signature(node: Node, digest: Digest, successors: Sequence[Node], keys: KeyRing) -> None:
    key, fault, detail = _key(node, digest, keys)
    if key is None:
        agree = any(_records(one, digest) for one in successors if not one.broken)
        consistent = "; its SHA-256 is the one its successor records" if agree else ""
        node.fail(fault, detail + consistent)
        return
    text = digest.signed_text()
    own = node.metadata.signature if node.metadata else None
    fits = own is not None and keys.signed(key, own, text)
    told = [(one, _told(one, text, key, keys)) for one in successors]
    if fits or any(good for _, good in told):
        node.state, node.key, node.proven = "verified", key, True
        if own is not None and not fits:
            node.fail("signature_mismatch", "its successor records another signature, and that one is right")
        for one, good in told:
            if not good and not one.broken:
                one.fail("previous_signature_mismatch", f"the signature of {digest.place} is another one")
    elif own is not None:
        _refuse(node, digest, "the signature in its metadata does not fit")
    elif sound := [one for one, _ in told if not one.broken]:
        doubt = "" if sound[0].proven else ", which is not proven itself: one of the two is not what was delivered"
        _refuse(node, digest, f"the signature recorded of it does not fit; it stands in {sound[0].place}{doubt}")
    elif node.malformed:
        node.fail("metadata_unreadable", _MALFORMED)
    else:
        why = "its successor is broken" if told else "no successor of it is here"
        node.fail("signature_unknown", f"{why}, and no file of its S3 metadata")


def _refuse(node: Node, digest: Digest, detail: str) -> None:
    written = {digest.algorithm, (node.metadata.algorithm if node.metadata else None) or RSA}
    if written == {RSA}:
        node.fail("signature_invalid", detail)
    else:
        other = ", ".join(sorted(written - {RSA}))[:100]
        node.fail("algorithm_unsupported", f"{detail}; it is said to be {other}")


def _key(node: Node, digest: Digest, keys: KeyRing) -> Answer:
    """The key of its fingerprint, valid when it was signed: at the end of its period, or when it was generated."""
    region = node.chain.region if node.chain else ""
    since: int | None = digest.begin
    until: int | None = digest.end + 2 * HOUR
    if digest.backfill:
        made = generated(node)
        since, until = (made - HOUR, made + HOUR) if made is not None else (None, None)
    return keys.find(digest.fingerprint, region, since, until)


def generated(node: Node) -> int | None:
    """When a backfill digest was made, by its metadata; epoch milliseconds."""
    try:
        return epoch((node.metadata and node.metadata.backfill_time) or "")
    except (ValueError, OverflowError):
        return None


def _told(successor: Node, text: bytes, key: PublicKey, keys: KeyRing) -> bool:
    signature = successor.digest.previous_signature if successor.digest else None
    return signature is not None and keys.signed(key, signature, text)


def _records(successor: Node, digest: Digest) -> bool | None:
    """Whether the hash that a successor records is that of the digest; None when it records none that we can make."""
    link = successor.digest.previous if successor.digest else None
    if link is None or link.sha256 is None or link.algorithm not in (None, SHA256):
        return None
    return link.sha256 == digest.sha256


def _check_hash(node: Node, digest: Digest, successors: Iterable[Node]) -> None:
    """Needs no key. A proven digest accuses its successor, any other is accused by it."""
    for one in successors:
        if _records(one, digest) is False and not one.broken:
            if node.proven:
                one.fail("previous_hash_mismatch", f"the SHA-256 of {digest.place} is another one")
            else:
                node.fail("hash_mismatch", f"{one.place} records another SHA-256 of it")


def _check_order(nodes: Sequence[Node], lying: Mapping[str, Sequence[Node]]) -> None:
    """Forks and overlaps among digests that are sound by themselves."""
    chains: defaultdict[Chain, dict[str, Node]] = defaultdict(dict)
    after: defaultdict[tuple[Chain, str], dict[str, Node]] = defaultdict(dict)
    for node in nodes:
        if node.digest and node.chain and not node.broken:
            chains[node.chain].setdefault(node.place, node)
            if previous := node.digest.previous:
                after[node.chain, f"s3://{previous.bucket}/{previous.key}"].setdefault(node.place, node)
    for (_, place), several in after.items():
        for node in several.values() if len(several) > 1 else ():
            others = ", ".join(other for other in several if other != node.place)
            node.fail("fork", f"{others} follows {place}, too")
    for chain in chains.values():
        _check_periods(chain.values(), lying)


def _check_periods(nodes: Iterable[Node], lying: Mapping[str, Sequence[Node]]) -> None:
    latest: Digest | None = None
    for node in sorted(nodes, key=lambda node: (node.digest.begin, node.digest.end) if node.digest else (0, 0)):
        digest = node.digest
        assert digest
        if latest and digest.begin < latest.end:
            node.fail("overlap", f"it begins before {latest.place} ends")
        for earlier in _before(node, lying):
            if earlier.digest and not earlier.broken and earlier.digest.end > digest.begin:
                node.fail("out_of_order", f"{earlier.place} ends after it begins")
        if latest is None or digest.end > latest.end:
            latest = digest


def _missing(orphans: Iterable[Node]) -> Iterator[Missing]:
    seen: set[tuple[str, str]] = set()
    for node in orphans:
        if node.broken or node.digest is None or node.digest.previous is None:
            continue  # what a broken digest says proves nothing
        link = node.digest.previous
        if (link.bucket, link.key) not in seen:
            seen.add((link.bucket, link.key))
            yield Missing(link.bucket, link.key, node)
