"""A baseline as it is declared in a pack: whose habits, what is measured, on how much history, how often it may err."""

from __future__ import annotations

import re
from typing import Literal, get_args

import msgspec

from trailhound.errors import CatalogError

Kind = Literal[
    "first_seen", "rare_among_peers", "more_than_usual", "unusual_hour", "impossible_travel", "dormant", "two_networks"
]
Actor = Literal["principal", "origin", "family", "account"]
# Something that is used, then something that is counted by the hour.
Measure = Literal[
    "call", "service", "region", "ip", "network", "country", "agent", "principal",
    "calls", "denials", "bytes_out", "resources",
]  # fmt: skip
DIMENSIONS = ("call", "service", "region", "ip", "network", "country", "agent", "principal")
WORDS = {
    "call": "API call", "service": "service", "region": "Region", "ip": "address", "network": "network",
    "country": "country", "agent": "kind of client", "principal": "principal", "calls": "calls an hour",
    "denials": "denied calls an hour", "bytes_out": "bytes from S3 an hour", "resources": "resources an hour",
}  # fmt: skip


class Baseline(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`baseline:` of a document; docs/how-to/see-what-is-not-normal.md tells what each kind compares."""

    kind: Kind
    actor: Actor
    history: int  # active days before an hour is judged; of rare_among_peers: days that peers have been known for
    rate: float  # stated: false alarms per 1,000 actor-days
    score: float  # the least that is told; the workspace's own past may raise it
    ceiling: float  # what is told whatever the past held: it may be the attacker's
    measure: Measure | None = None
    changes_only: bool = False  # calls that only read do not count
    kinds: tuple[str, ...] = ()  # of principals; none named: all but services
    least: int = 0  # the smallest number that is worth telling
    habit: float = 1.0  # it is a habit, and not told, when more than this share of active days scored as high
    peers: int = 0  # that there must be

    def __post_init__(self) -> None:
        if (self.measure in DIMENSIONS) != (self.kind in ("first_seen", "rare_among_peers")):
            raise ValueError(f"{self.kind} does not measure {self.measure or 'nothing'}")
        if self.kind == "more_than_usual" and self.measure is None:
            raise ValueError("more_than_usual needs a measure")
        if not (self.rate > 0 and 0 <= self.score <= self.ceiling and self.history >= 1 and 0 < self.habit <= 1):
            raise ValueError("rate and history are above 0, habit a share, and the ceiling is not below the score")


TEMPLATE_NAMES = (
    *("actor", "seen", "expected", "measured", "count", "history_days", "active_days", "peers", "peers_alike"),
)


def words(baseline: Baseline) -> str:
    """What is measured, for people."""
    if baseline.measure is not None:
        return WORDS[baseline.measure]
    return {
        "unusual_hour": "hour of the day, weekend apart",
        "impossible_travel": "countries",
        "dormant": "days of silence",
        "two_networks": "networks of one credential",
    }[baseline.kind]


def check(title: str) -> None:
    """Raises CatalogError for a baseline without a line that explains its findings."""
    if not title:
        raise CatalogError(
            "a baseline without `trailhound.title` explains nothing",
            next_step=f"write one with {', '.join(f'{{{name}}}' for name in TEMPLATE_NAMES)}",
        )
    for name in re.findall(r"\{([^{}]*)\}", title):
        if name not in TEMPLATE_NAMES:
            raise CatalogError(
                f"the title has {{{name}}}, which stands for nothing",
                next_step=f"there are {', '.join(f'{{{known}}}' for known in TEMPLATE_NAMES)}",
            )


assert set(WORDS) == set(get_args(Measure))
