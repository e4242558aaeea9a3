"""How often baselines are wrong, and what they find: measured on clean weeks with anomalies put into them.

    python bench/baselines.py --estates 8            prints the table
    python bench/baselines.py --estates 8 --write    puts it into docs/how-to/see-what-is-not-normal.md

The false alarms are those of estates without any anomaly (`bench/estate.py`). For the power, one anomaly is put into the
last week of each of several actors, and the actor's findings of that week are looked for.
"""

from __future__ import annotations

import argparse
import random
import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "src")]

from bench.estate import ACCOUNT, DAY, HOUR, START, Estate, Person, estate, mount  # noqa: E402

from trailhound import catalog  # noqa: E402
from trailhound.detections.baselines.baseline import Baseline  # noqa: E402
from trailhound.detections.baselines.calibration import poisson_interval  # noqa: E402
from trailhound.detections.baselines.judge import judge  # noqa: E402
from trailhound.detections.collection import PROOF  # noqa: E402
from trailhound.detections.rules import Rule  # noqa: E402
from trailhound.detections.sigma import load_rules  # noqa: E402
from trailhound.engines.duckdb import DuckDB  # noqa: E402

PAGE = ROOT / "docs" / "how-to" / "see-what-is-not-normal.md"
Rows = list[dict[str, Any]]

_ACTORS = 6  # of an estate, that each anomaly is put into


class Grade(NamedTuple):
    """An anomaly at a strength, in words."""

    words: str
    strength: float


class Victim(NamedTuple):
    """Into whose week an anomaly is put."""

    chance: random.Random
    held: Estate
    actor: Person
    own: Rows  # of the actor, without any anomaly
    baseline: Baseline


class Power(NamedTuple):
    words: str
    found: int
    tried: int


class Line(NamedTuple):
    rule: Rule
    actor_days: int
    alarms: int
    powers: list[Power]


def rules() -> list[Rule]:
    files = [path for path in catalog.files("baselines") if not path.name.endswith(PROOF)]
    return list(load_rules(files).rules)


def measure(estates: int, weeks: int, chosen: Sequence[Rule]) -> list[Line]:
    counted = {rule.uid: [0, 0] for rule in chosen}
    found: dict[tuple[str, str], list[int]] = {}
    for seed in range(estates):
        held = estate(seed, weeks=weeks)
        engine = DuckDB(threads=2)
        mount(engine, held.rows, held.actors)
        for one in judge(engine, chosen).judged:
            counted[one.rule_uid][0] += one.measured.actor_days
            counted[one.rule_uid][1] += one.measured.alarms
        for rule in chosen:
            for grade in GRADES[_key(rule)]:
                hits = found.setdefault((rule.uid, grade.words), [0, 0])
                hit, tried = _tried(engine, held, rule, grade, seed)
                hits[0] += hit
                hits[1] += tried
        engine.close()
    return [
        Line(
            rule,
            counted[rule.uid][0],
            counted[rule.uid][1],
            [Power(g.words, *found[rule.uid, g.words]) for g in GRADES[_key(rule)]],
        )
        for rule in chosen
    ]


def _key(rule: Rule) -> str:
    baseline = rule.logic
    assert isinstance(baseline, Baseline)
    if baseline.kind == "first_seen":
        return "first_seen of an account" if baseline.actor == "account" else "first_seen"
    return f"more {baseline.measure}" if baseline.measure in ("denials", "bytes_out") else baseline.kind


def _tried(engine: DuckDB, held: Estate, rule: Rule, grade: Grade, seed: int) -> tuple[int, int]:
    """(found, tried) with the anomaly in the last week of several actors."""
    baseline = rule.logic
    assert isinstance(baseline, Baseline)
    chance = random.Random(f"{seed} {rule.uid} {grade.words}")
    last = START + (held.days - 7) * DAY
    fit = [a for a in held.actors if a.joined < held.days // 3 and (not baseline.kinds or a.kind in baseline.kinds)]
    victims = chance.sample(fit, min(1 if baseline.actor == "account" else _ACTORS, len(fit)))
    rows = held.rows
    for victim in victims:
        own = [row for row in held.rows if row["principal_uid"] == victim.uid]
        rows = ANOMALIES[baseline.kind](Victim(chance, held, victim, own, baseline), rows, grade.strength)
    mount(engine, rows, held.actors)
    told = {f.analysis.actor for f in judge(engine, [rule], since=last).findings if f.analysis}
    sought = {ACCOUNT} if baseline.actor == "account" else {a.uid for a in victims}
    return len(told & sought), len(victims)


def _moment(on: Victim) -> int:
    """An hour of the last week at which the actor is used to working."""
    clock = on.chance.choice(on.own)["hour"] // HOUR % 24
    return START + (on.held.days - 7 + on.chance.randrange(5)) * DAY + clock * HOUR


def _new_thing(on: Victim, rows: Rows, strength: float) -> Rows:
    """Something new, which a share of its peers has used before."""
    new = f"new-{on.actor.uid[-8:]}"
    values = {
        "call": {"operation": new}, "service": {"service": new}, "region": {"region": new}, "network": {"network": f"{new}/24"},
        "ip": {"ip": new}, "country": {"country": new}, "agent": {"agent": new}, "principal": {"principal_uid": new},
    }  # fmt: skip
    changed = values[on.baseline.measure or ""] | {"read_only": False}
    like = on.own[-1] | {"events": 3}
    peers = [a for a in on.held.actors if a.team == on.actor.team and a.uid != on.actor.uid]
    known = on.chance.sample(peers, round(strength * len(peers)))
    before = [
        like | changed | {"principal_uid": p.uid, "origin_uid": p.uid} | _at(START + (p.joined + 30) * DAY)
        for p in known
    ]
    return [*rows, *before, like | changed | _at(_moment(on))]


def _at(hour: int) -> dict[str, int]:
    return {"hour": hour, "first_time": hour + 60_000, "last_time": hour + 50 * 60_000}


def _much(on: Victim, rows: Rows, strength: float) -> Rows:
    """So many times what is usual in an active hour, or so much where nothing is usual."""
    if on.baseline.measure == "denials":
        more = {"outcome": "denied", "events": round(strength)}
    elif on.baseline.measure == "bytes_out":
        usual = sorted(row["bytes_out"] for row in on.own)[len(on.own) // 2]
        more = {"bytes_out": round(max(usual, 5_000_000) * strength)}
    else:
        name = "resources" if on.baseline.measure == "resources" else "events"
        by_hour: dict[int, int] = {}
        for row in on.own:
            if not (on.baseline.changes_only and row["read_only"]):
                by_hour[row["hour"]] = by_hour.get(row["hour"], 0) + row[name]
        usual = max(1, sorted(by_hour.values())[len(by_hour) // 2])
        more = {name: round(usual * strength)}
    return [*rows, on.own[-1] | {"read_only": False} | more | _at(_moment(on))]


def _late(on: Victim, rows: Rows, strength: float) -> Rows:
    """So many hours after the last hour at which it is used to working."""
    counts = [0] * 24
    for row in on.own:
        counts[row["hour"] // HOUR % 24] += 1
    usual = [clock for clock in range(24) if counts[clock] > max(counts) / 8]
    last = max(usual, key=lambda clock: min((other - clock - 1) % 24 for other in usual))
    day = on.held.days - 7 + on.chance.randrange(5)
    return [*rows, on.own[-1] | _at(START + day * DAY + ((last + round(strength)) % 24) * HOUR)]


def _travel(on: Victim, rows: Rows, strength: float) -> Rows:
    """A call from far away so many hours after one at home."""
    hour = _moment(on)
    then = hour + round(strength * HOUR)
    home = on.own[-1] | _at(hour) | {"last_time": hour + 60_000}
    away = on.own[-1] | {
        "country": "AU",
        "hour": then - then % HOUR,
        "first_time": then + 120_000,
        "last_time": then + 180_000,
    }
    kept = [row for row in rows if not (row["principal_uid"] == on.actor.uid and hour <= row["hour"] <= then)]
    return [*kept, home, away]


def _silent(on: Victim, rows: Rows, strength: float) -> Rows:
    """Nothing for so many days, then a call."""
    hour = _moment(on)
    return [
        *(r for r in rows if r["principal_uid"] != on.actor.uid or r["hour"] < hour - strength * DAY),
        on.own[-1] | _at(hour),
    ]


def _two(on: Victim, rows: Rows, strength: float) -> Rows:
    """A second network, in turn with the usual one, in so many hours one after the other."""
    hour = _moment(on)
    both = ({"network": on.own[-1]["network"], "ip": on.own[-1]["ip"]}, {"network": "192.0.2.0/24", "ip": "192.0.2.1"})
    return [*rows, *(on.own[-1] | one | _at(hour + n * HOUR) for n in range(round(strength)) for one in both)]


def _newcomer(on: Victim, rows: Rows, strength: float) -> Rows:
    """A new principal, a peer of the victim's, changes something in so many services that no peer uses."""
    hour = _moment(on)
    made = [
        on.own[-1]
        | {"principal_uid": f"{on.actor.uid}", "service": f"new-{n}-{on.actor.uid[-8:]}", "read_only": False}
        | _at(hour)
        for n in range(round(strength))
    ]
    kept = [row for row in rows if row["principal_uid"] != on.actor.uid or row["hour"] >= hour]
    return [*kept, *made]


ANOMALIES: dict[str, Callable[[Victim, Rows, float], Rows]] = {
    "first_seen": _new_thing, "more_than_usual": _much, "unusual_hour": _late, "impossible_travel": _travel,
    "dormant": _silent, "two_networks": _two, "rare_among_peers": _newcomer,
}  # fmt: skip
GRADES: dict[str, tuple[Grade, ...]] = {
    "first_seen": (Grade("known to half of its peers", 0.5), Grade("to a fifth", 0.2), Grade("to none", 0)),
    "first_seen of an account": (Grade("new", 0),),
    "more_than_usual": (Grade("5 times the usual", 5), Grade("20 times", 20), Grade("100 times", 100)),
    "more denials": (Grade("10 denials", 10), Grade("40", 40), Grade("200", 200)),
    "more bytes_out": (Grade("100 MB or 20 times the usual", 20), Grade("500 MB or 100 times", 100)),
    "unusual_hour": (Grade("2 hours late", 2), Grade("5", 5), Grade("8", 8)),
    "impossible_travel": (Grade("Australia, 8 hours later", 8), Grade("4", 4), Grade("1", 1)),
    "dormant": (Grade("20 days of silence", 20), Grade("35", 35), Grade("60", 60)),
    "two_networks": (Grade("for an hour", 1), Grade("for three", 3)),
    "rare_among_peers": (Grade("1 service", 1), Grade("3", 3)),
}


def table(lines: Sequence[Line]) -> str:
    head = ["baseline", "stated", "measured", "95 % interval", "found, by strength of the anomaly"]
    rows = [head, ["---"] * len(head)]
    for line in lines:
        baseline = line.rule.logic
        assert isinstance(baseline, Baseline)
        low, high = (1000 * bound / line.actor_days for bound in poisson_interval(line.alarms))
        power = "; ".join(f"{p.words}: {100 * p.found / p.tried:.0f} %" for p in line.powers)
        rate = 1000 * line.alarms / line.actor_days
        rows.append([f"`{line.rule.name}`", f"{baseline.rate:g}", f"{rate:.1f}", f"{low:.1f} to {high:.1f}", power])
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--estates", type=int, default=8)
    parser.add_argument("--weeks", type=int, default=26)
    parser.add_argument("--only", nargs="*", default=[], help="names of baselines")
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    chosen = [rule for rule in rules() if not options.only or rule.name in options.only]
    text = table(measure(options.estates, options.weeks, chosen))
    print(text)
    if options.write:
        block = re.compile(r"(<!-- measured -->\n).*?(<!-- end -->)", re.DOTALL)
        PAGE.write_text(block.sub(lambda found: f"{found[1]}\n{text}\n{found[2]}", PAGE.read_text("utf-8")), "utf-8")


if __name__ == "__main__":
    main()
