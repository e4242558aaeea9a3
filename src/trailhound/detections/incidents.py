"""Findings → incidents: what one lineage did without a longer pause is one thing to look at, and its risks add up.

A finding belongs to the lineage of the identity behind its session. Findings of a lineage with no more than a day
between them are one incident; a finding that lasts for longer than a day counts with its last one. Risks add up like
chances: what remains of 100 is multiplied, so that weak signals grow together and never pass the bound. The first
finding of each tactic counts in full, each further one half as much as the one before. What is closed or suppressed
adds nothing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from trailhound.detections.findings import plain, principal_name
from trailhound.detections.precedent import actor
from trailhound.detections.risk import alone, risk
from trailhound.engines.duckdb import DuckDB
from trailhound.lake.times import DAY
from trailhound.model import LEVELS, Finding, Incident, Reason, Risk
from trailhound.settings import Settings
from trailhound.vocab import attack

NEAR = DAY  # between two findings of one incident
FADING = 0.5  # of each further finding of a tactic

_NOBODY = "anonymous"


class Assessed(NamedTuple):
    findings: tuple[Finding, ...]  # with risk and incident; those of the first incident first, the gravest of it first
    incidents: tuple[Incident, ...]  # open ones first, then by risk, then the latest

    def of(self, wanted: Callable[[Finding], bool]) -> Assessed:
        """Only these findings, and the incidents that hold any of them."""
        kept = tuple(filter(wanted, self.findings))
        uids = {finding.incident_uid for finding in kept}
        return Assessed(kept, tuple(one for one in self.incidents if one.uid in uids))


def assess(engine: DuckDB, found: Sequence[Finding], settings: Settings) -> Assessed:
    """All findings of a workspace, with their decisions. It depends on nothing but these, the lake and the settings."""
    return ranked(found, alone(engine, found, settings))


def ranked(found: Iterable[Finding], own: Mapping[str, Risk]) -> Assessed:
    """`own`: by uid of each finding its risk by itself."""
    made = [_incident(members, own) for members in together(found)]
    incidents = sorted((incident for incident, _ in made), key=_rank)
    members = {incident.uid: findings for incident, findings in made}
    return Assessed(tuple(one for incident in incidents for one in members[incident.uid]), tuple(incidents))


def uids(found: Iterable[Finding]) -> set[str]:
    """Of the incidents that these findings make; no risk is needed to tell."""
    return {_uid(members) for members in together(found)}


def together(found: Iterable[Finding]) -> list[list[Finding]]:
    """Findings by incident, each in order of time."""
    by_lineage: dict[tuple[str, ...], list[Finding]] = {}
    for finding in found:
        by_lineage.setdefault(_lineage(finding), []).append(finding)
    made: list[list[Finding]] = []
    for key in sorted(by_lineage):
        until = None
        for finding in sorted(by_lineage[key], key=_order):
            if until is None or _begin(finding) > until + NEAR:
                made.append([])
            made[-1].append(finding)
            until = max(until or finding.last_seen_time, finding.last_seen_time)
    return made


def tactics(finding: Finding) -> tuple[str, ...]:
    """As its rule names them; else those of its techniques."""
    named = [tag.removeprefix("attack.") for tag in finding.tags if tag.removeprefix("attack.") in attack.TACTICS]
    known = attack.techniques()
    return tuple(named) or tuple(
        dict.fromkeys(tactic for uid in finding.attacks if uid in known for tactic in known[uid].tactics[:1])
    )


def whole(found: Sequence[Finding]) -> Finding:
    """Findings as one, to be investigated: the first of them, with the events and what is named of all.

    But for those that last for longer than an incident is near: what was long before is what it is compared with.
    As it is stored, without risk: what is decided on other findings must not change what an investigation says.
    """
    found = [one for one in found if one is found[0] or not _lasts(one)]
    ordered = sorted(found, key=_order)

    def all_of(name: str) -> tuple[Any, ...]:
        return tuple(dict.fromkeys(value for one in ordered for value in getattr(one, name)))

    return msgspec.structs.replace(
        found[0],
        event_uids=all_of("event_uids"),
        resources=all_of("resources"),
        first_seen_time=min(one.first_seen_time for one in found),
        last_seen_time=max(one.last_seen_time for one in found),
        **{name: tuple(sorted(all_of(name))) for name in ("regions", "src_ips", "operations")},
        incident_uid="",
        risk=None,
    )


def total(found: Sequence[Finding], own: Mapping[str, Risk]) -> float:
    """0 to 100; `found`: the gravest first."""
    left, seen = 1.0, dict[str, int]()
    for finding in found:
        tactic = next(iter(tactics(finding)), "")
        left *= 1 - own[finding.uid].score / 100 * FADING ** seen.get(tactic, 0)
        seen[tactic] = seen.get(tactic, 0) + 1
    return 100 * (1 - left)


def _uid(found: Sequence[Finding]) -> str:
    first = min(found, key=lambda one: (_lasts(one), *_order(one)))
    return hashlib.sha256("\x1f".join(["incident", *_lineage(first), first.uid]).encode()).hexdigest()[:32]


def _incident(found: Sequence[Finding], own: Mapping[str, Risk]) -> tuple[Incident, tuple[Finding, ...]]:
    uid = _uid(found)
    ranked = sorted(found, key=lambda one: (one.status != "new", -own[one.uid].score, *_order(one)))
    gravest = ranked[0]
    counted = [one for one in ranked if one.status == gravest.status]
    company = _Company.of(counted, own)
    members = tuple(
        msgspec.structs.replace(
            one, incident_uid=uid, risk=company.risk(own[one.uid]) if one.status == gravest.status else own[one.uid]
        )
        for one in ranked
    )
    named = (tactic for one in sorted(found, key=_order) for tactic in tactics(one))
    incident = Incident(
        uid=uid,
        origin_uid=actor(gravest),
        title=gravest.title,
        level=max(counted, key=lambda one: LEVELS.index(one.level)).level,
        status=gravest.status,
        risk=members[0].risk or own[gravest.uid],
        first_seen_time=min(one.first_seen_time for one in found),
        last_seen_time=max(one.last_seen_time for one in found),
        tactics=tuple(dict.fromkeys(named)),
        account_uids=tuple(sorted({one.account_uid for one in found} - {""})),
        finding_uids=tuple(one.uid for one in ranked),
    )
    return incident, members


class _Company(NamedTuple):
    """What the findings of an incident come to together."""

    total: float
    highest: int  # of a single finding
    text: str  # empty: there is one only

    @classmethod
    def of(cls, counted: Sequence[Finding], own: Mapping[str, Risk]) -> _Company:
        others, over = len(counted) - 1, {tactic for one in counted for tactic in tactics(one)[:1]}
        who = plain(principal_name(actor(counted[0]))) or "the same"
        text = f"{others:,} more finding{'s'[: others > 1]} of {who} near in time"
        text += f", over {len(over)} tactics" if len(over) > 1 else ""
        return cls(total(counted, own), own[counted[0].uid].score, text if others else "")

    def risk(self, alone: Risk) -> Risk:
        """The gravest has that of the incident; each other has of what was added a part as large as its own risk."""
        if not self.text:
            return alone
        score = alone.score + (self.total - self.highest) * alone.score / self.highest
        added = Reason(points=round(score) - alone.score, text=self.text)
        return risk(score, (*alone.reasons, added), alone.unknown, own=alone.score)


def _rank(incident: Incident) -> tuple[bool, int, int, int, str]:
    return (
        incident.status != "new",
        -incident.risk.score,
        -LEVELS.index(incident.level),
        -incident.last_seen_time,
        incident.uid,
    )


def _lineage(finding: Finding) -> tuple[str, ...]:
    """Callers without credentials are no one identity: those of one address are taken together."""
    who = actor(finding)
    if who in ("", _NOBODY):
        return (who, finding.account_uid, next(iter(finding.src_ips), ""))
    return (who,)


def _lasts(finding: Finding) -> bool:
    return finding.last_seen_time - finding.first_seen_time > NEAR


def _begin(finding: Finding) -> int:
    return max(finding.first_seen_time, finding.last_seen_time - NEAR)


def _order(finding: Finding) -> tuple[int, str]:
    return _begin(finding), finding.uid
