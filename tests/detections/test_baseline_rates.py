"""The contract of baselines: how often they are wrong on clean weeks, what they find, and what a poisoned past can do."""

from __future__ import annotations

import math
import random
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from bench.baselines import PAGE, measure, rules
from bench.estate import DAY, HOUR, START, Estate, Person, cell, estate, mount
from hypothesis import given
from hypothesis import strategies as st

from trailhound.detections.baselines.baseline import Baseline
from trailhound.detections.baselines.calibration import poisson_interval, thresholds
from trailhound.detections.baselines.judge import judge
from trailhound.detections.rules import Rule
from trailhound.engines.duckdb import DuckDB
from trailhound.model import Finding

RULES = {rule.name: rule for rule in rules()}
_ROW = re.compile(r"^\| `(\w+)` \| ([\d.]+) \| ([\d.]+) \| ([\d.]+) to ([\d.]+) \| (.+) \|$", re.MULTILINE)


@pytest.fixture(scope="module")
def clean() -> Iterator[tuple[Estate, DuckDB]]:
    """An estate that `bench/baselines.py` does not use: what is stated must hold elsewhere, too."""
    held, engine = estate(1_000, weeks=20), DuckDB(threads=2)
    mount(engine, held.rows, held.actors)
    yield held, engine
    engine.close()


def test_on_weeks_that_were_never_looked_at_no_baseline_is_wrong_more_often_than_it_states(clean) -> None:
    judged = judge(clean[1], list(RULES.values())).judged
    assert len(judged) == len(RULES)
    # Of twenty intervals of 99.9 % hardly one misses by chance.
    for one in judged:
        low, _ = poisson_interval(one.measured.alarms, 0.999)
        assert 1000 * low / max(one.measured.actor_days, 1) <= one.stated, one.name


def test_findings_are_few(clean) -> None:
    held, engine = clean
    found = judge(engine, list(RULES.values()), since=START + (held.days - 28) * DAY).findings
    assert len(found) <= 28 * len(held.actors) / 10


@pytest.mark.parametrize("name", ["baseline_first_country", "baseline_many_denials", "baseline_two_networks"])
def test_strong_anomalies_are_found_at_the_power_that_the_page_states(name: str) -> None:
    (line,) = measure(1, 20, [RULES[name]])
    strongest = line.powers[-1]
    stated = int(re.findall(r"(\d+) %", _measured()[name][5])[-1]) / 100
    # As many as chance leaves of so many tries.
    assert strongest.found / strongest.tried >= stated - 3 * math.sqrt(
        max(stated * (1 - stated), 0.05) / strongest.tried
    )


def _measured() -> dict[str, tuple[str, ...]]:
    return {row[0]: row for row in _ROW.findall(Path(PAGE).read_text("utf-8"))}


def test_the_page_tells_of_every_baseline_what_it_states_and_that_it_keeps_to_it() -> None:
    page = _measured()
    assert page.keys() == RULES.keys()
    for name, (_, stated, _, low, _, _) in page.items():
        logic = RULES[name].logic
        assert isinstance(logic, Baseline)
        assert float(stated) == logic.rate
        assert float(low) <= logic.rate, name


def _told(rows, actor: Person, rule: Rule) -> list[Finding]:
    engine = DuckDB(threads=1)
    mount(engine, rows, [actor])
    found = list(judge(engine, [rule]).findings)
    engine.close()
    return found


@pytest.mark.parametrize("growth", [1.02, 1.05, 1.1, 1.3])
def test_who_raises_activity_slowly_is_told_on_the_way_or_at_the_leap(growth: float) -> None:
    """Each day so much more than the day before, up to forty times, for twelve weeks; then a leap to forty times that.

    What was told on the way is not told again within 90 days when it is no higher.
    """
    chance, actor = random.Random(1), Person("arn:aws:iam::111122223333:user/mallory", "human", "t", 0, 0, "DE")
    rows = []
    for day in range(60 + 84):
        level = 20 * min(growth ** max(0, day - 60), 40)
        for clock in range(8, 16):
            calls = max(1, round(level * chance.lognormvariate(0, 0.5)))
            rows.append(cell(actor, START + day * DAY + clock * HOUR, events=calls))
    rows.append(cell(actor, START + 144 * DAY + 9 * HOUR, events=20 * 40 * 40))
    found = _told(rows, actor, RULES["baseline_many_calls"])
    rise = [f for f in found if START + 60 * DAY <= f.first_seen_time < START + 144 * DAY]
    leap = [f for f in found if f.last_seen_time >= START + 144 * DAY]
    assert rise or leap
    assert rise or growth < 1.1
    assert leap or growth >= 1.1


def test_one_attack_in_the_past_hides_no_later_one() -> None:
    actor = Person("arn:aws:iam::111122223333:user/mallory", "human", "t", 0, 0, "DE")
    rows = [cell(actor, START + day * DAY + 9 * HOUR, events=20) for day in range(100)]
    rows += [cell(actor, START + day * DAY + 10 * HOUR, events=100_000 // (day // 30)) for day in (31, 95)]
    assert len(_told(rows, actor, RULES["baseline_many_calls"])) == 2


_LOGIC = Baseline(kind="dormant", actor="origin", history=1, rate=5, score=1, ceiling=8)
_PEAKS = st.lists(st.tuples(st.integers(0, 20), st.floats(1, 20)), max_size=60)
_DAYS = st.dictionaries(st.integers(0, 20), st.integers(0, 300), max_size=20)


@given(days=_DAYS, peaks=_PEAKS)
def test_a_threshold_is_what_the_weeks_before_allow(days, peaks) -> None:
    for week, limit in thresholds(_LOGIC, days, peaks).items():
        before = [score for at, score in peaks if at < week]
        allowed = 1 + math.floor(5 * sum(n for at, n in days.items() if at < week) / 1000)
        assert _LOGIC.score <= limit <= _LOGIC.ceiling
        if limit < _LOGIC.ceiling:
            assert sum(score >= limit for score in before) <= allowed
        if limit > _LOGIC.score:  # and no higher than needed
            assert sum(score >= math.nextafter(limit, 0) for score in before) > allowed


@given(days=_DAYS, peaks=_PEAKS, week=st.integers(0, 20), score=st.floats(1, 20))
def test_later_weeks_set_no_earlier_threshold(days, peaks, week, score) -> None:
    before, after = thresholds(_LOGIC, days, peaks), thresholds(_LOGIC, days, [*peaks, (week, score)])
    assert all(before[at] == after[at] for at in before if at <= week)


@pytest.mark.parametrize(
    ("count", "low", "high"), [(0, 0, 3.689), (1, 0.0253, 5.572), (10, 4.795, 18.39), (100, 81.36, 121.6)]
)
def test_the_interval_is_the_exact_one(count: int, low: float, high: float) -> None:
    """Values of published tables of Poisson limits."""
    found = poisson_interval(count)
    assert found == (pytest.approx(low, abs=2e-3, rel=2e-3), pytest.approx(high, rel=2e-3))
