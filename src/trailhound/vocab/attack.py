"""ATT&CK techniques that CloudTrail can show: names, tactics, and the ids they had before v19."""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

from trailhound.vocab import tsv

VERSION = "19"


class Technique(NamedTuple):
    uid: str
    name: str
    tactic: str
    supersedes: tuple[str, ...]


@cache
def techniques() -> dict[str, Technique]:
    """By id; an id that was superseded leads to the technique that replaced it."""
    listed = [Technique(uid, name, tactic, tuple(old.split())) for uid, name, tactic, old in tsv.rows("attack")]
    current = {technique.uid: technique for technique in listed}
    return {old: technique for technique in listed for old in technique.supersedes} | current
