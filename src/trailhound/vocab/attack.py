"""ATT&CK techniques of the IaaS matrix: names, tactics, the ids they had before v19, and why some are not seen."""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

from trailhound.vocab import tsv

VERSION = "19"
TACTICS = (
    "initial-access",
    "execution",
    "persistence",
    "privilege-escalation",
    "stealth",
    "defense-impairment",
    "credential-access",
    "discovery",
    "lateral-movement",
    "collection",
    "exfiltration",
    "impact",
)  # of the matrix, in its order


class Technique(NamedTuple):
    uid: str
    name: str
    tactics: tuple[str, ...]  # none: it is of another matrix
    supersedes: tuple[str, ...]
    unseen: str  # why no rule names it; "" where rules do


@cache
def techniques() -> dict[str, Technique]:
    """By id; an id that was superseded leads to the technique that replaced it."""
    listed = [
        Technique(uid, name, tuple(tactics.split()), tuple(old.split()), unseen)
        for uid, name, tactics, old, unseen in tsv.rows("attack")
    ]
    current = {technique.uid: technique for technique in listed}
    return {old: technique for technique in listed for old in technique.supersedes} | current
