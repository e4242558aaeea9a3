"""Thresholds from a workspace's own past, and how often a baseline fires by them.

Each week is judged by a threshold that only earlier weeks have set, so every week is held out. Of an actor and a
week only the highest score counts: an incident of many hours is one. The threshold is the score that the past
exceeded as often as the stated rate allows, and once more: one incident in the past, which may have been an attack,
raises nothing. It never lies below the declared score nor above the declared ceiling.
"""

from __future__ import annotations

import math
from bisect import insort
from collections.abc import Callable, Iterable, Mapping

import msgspec

from trailhound.detections.baselines.baseline import Baseline

Peak = tuple[int, float]  # week, the highest score of one actor in it

_PER = 1000  # actor-days


class Measured(msgspec.Struct, frozen=True):
    """False alarms of a baseline per 1,000 actor-days, if nothing that it found was real."""

    actor_days: int
    alarms: int  # actor-weeks with a finding
    rate: float
    low: float  # of the exact 95 % interval of a Poisson rate
    high: float


def thresholds(baseline: Baseline, actor_days: Mapping[int, int], peaks: Iterable[Peak]) -> dict[int, float]:
    """Week → the score to be told from. `peaks`: those at or above the declared score."""
    by_week: dict[int, list[float]] = {}
    for week, score in peaks:
        by_week.setdefault(week, []).append(score)
    past: list[float] = []  # ascending
    days, found = 0, dict[int, float]()
    for week in sorted(actor_days.keys() | by_week.keys()):
        allowed = 1 + math.floor(baseline.rate * days / _PER)
        raised = math.nextafter(past[-allowed - 1], math.inf) if len(past) > allowed else baseline.score
        found[week] = min(max(raised, baseline.score), baseline.ceiling)
        for score in by_week.get(week, ()):
            insort(past, score)
        days += actor_days.get(week, 0)
    return found


def measure(limits: Mapping[int, float], actor_days: Mapping[int, int], peaks: Iterable[Peak]) -> Measured:
    alarms = sum(score >= limits[week] for week, score in peaks)
    days = sum(actor_days.values())
    low, high = poisson_interval(alarms)
    scale = _PER / days if days else 0.0
    return Measured(actor_days=days, alarms=alarms, rate=alarms * scale, low=low * scale, high=high * scale)


def poisson_interval(count: int, confidence: float = 0.95) -> tuple[float, float]:
    """Exact interval of the mean of a Poisson number that came out as `count` (Garwood 1936)."""
    tail = (1 - confidence) / 2
    low = 0.0 if count == 0 else _solve(lambda mean: 1 - _cdf(count - 1, mean) - tail, count)
    return low, _solve(lambda mean: tail - _cdf(count, mean), count)


def _cdf(count: int, mean: float) -> float:
    """P(X <= count)."""
    if mean <= 0:
        return 1.0
    return math.fsum(math.exp(k * math.log(mean) - mean - math.lgamma(k + 1)) for k in range(count + 1))


def _solve(rising: Callable[[float], float], count: int) -> float:
    """Where a function that rises with the mean crosses zero."""
    low, high = 0.0, count + 10 * math.sqrt(count + 1) + 10
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if rising(middle) < 0 else (low, middle)
    return (low + high) / 2
