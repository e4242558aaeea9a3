"""How long `detect` takes, by number of rules and by number of events: the pack, and copies of it under other ids.

    python bench/detect.py --events 1000000 --rules 10 100 300 1000

Each line is a process of its own. The floor is one scan of the columns that `detect` groups all events by, in the same
process: the ratio to it can be compared between machines, the seconds cannot. CPU is that of all threads.
"""

from __future__ import annotations

import argparse
import multiprocessing
import resource
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import NamedTuple, TypeVar

import msgspec

sys.path.insert(0, str(Path(__file__).parents[1] / "src"))

from trailhound import catalog
from trailhound.detections.baselines.baseline import Baseline
from trailhound.detections.candidates import GROUPED
from trailhound.detections.detect import detect
from trailhound.detections.placeholders import Placeholders, Production
from trailhound.detections.predicate import TRUE, columns, relax
from trailhound.detections.rules import Correlation, Rule, RuleSet, only
from trailhound.detections.sigma import load_rules
from trailhound.engines.dialect import column
from trailhound.engines.duckdb import DuckDB
from trailhound.ingest.ingest import ingest
from trailhound.lake.lake import Lake
from trailhound.simulation import simulate

Given = TypeVar("Given")


class Line(NamedTuple):
    name: str
    rules: int
    part: float = 1.0  # of the time that the log spans
    everywhere: bool = True  # with rules that name no call


class Measured(NamedTuple):
    events: int
    rules: int
    findings: int
    seconds: float
    cpu: float
    floor: float
    floor_cpu: float
    peak: float  # MiB


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--rules", type=int, nargs="+", default=[10, 100, 300, 1000])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeat", type=int, default=2)
    parser.add_argument("--keep", type=Path, help="folder to put the simulated workspace into, or to find it in")
    options = parser.parse_args()
    pack = len(load_rules([catalog.PACKS / "rules"]).rules)
    lines = [Line(f"{number} rules", number) for number in options.rules]
    lines += [Line(f"the pack, {part:.0%} of the time", pack, part) for part in (0.25, 0.5, 1.0)]
    lines += [Line("the pack, but for rules that name no call", pack, everywhere=False)]
    with tempfile.TemporaryDirectory(prefix="trailhound-bench-") as scratch:
        folder = options.keep or Path(scratch)
        if not (folder / "lake").exists():
            simulate("roboman1", folder / "logs", events=options.events)
            ingest(Lake.create(folder / "lake"), [str(folder / "logs" / "AWSLogs")], processes=options.threads)
        print(f"{'':42}{'rules':>6}{'events':>11}{'found':>7}{'s':>7}{'CPU s':>7}{'x floor':>9}{'x CPU':>7}{'MiB':>7}")
        for line in lines:
            with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as process:
                m = process.submit(measure, folder / "lake", line, options.threads, options.repeat).result()
            ratios = f"{m.seconds / m.floor:9.1f}{m.cpu / m.floor_cpu:7.1f}{m.peak:7.0f}"
            print(f"{line.name:42}{m.rules:6,}{m.events:11,}{m.findings:7,}{m.seconds:7.2f}{m.cpu:7.2f}{ratios}")


def measure(lake: Path, line: Line, threads: int, repeat: int) -> Measured:
    engine = DuckDB(threads=threads)
    Lake(lake).mount(engine)
    ruleset = _multiplied(load_rules([catalog.PACKS / "rules"]), line.rules)
    if not line.everywhere:
        ruleset = only(ruleset, [rule.uid for rule in ruleset.rules if rule.output and _names_a_call(rule, ruleset)])
    (span,) = engine.query("SELECT min(time) AS first, max(time) AS last FROM events")
    until = span["first"] + int((span["last"] - span["first"]) * line.part) + 1
    events = engine.query(f"SELECT count(*) AS n FROM events WHERE time < {until}")[0]["n"]
    keys = ", ".join(column(path) for path in GROUPED)
    scan = f"SELECT count(*) FROM (SELECT {keys}, count(*) FROM events WHERE time < {until} GROUP BY {keys})"
    floor, floor_cpu, _ = best(repeat, lambda: engine.query(scan))
    production = Placeholders(production=Production(tags=["env=production"]))
    taken, cpu, found = best(repeat, lambda: detect(engine, ruleset, placeholders=production, until=until))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return Measured(events, len(ruleset.rules), len(found.findings), taken, cpu, floor, floor_cpu, peak)


def best(repeat: int, run: Callable[[], Given]) -> tuple[float, float, Given]:
    """(seconds on the wall, seconds of CPU, what it gave) of the quickest of `repeat` runs."""
    runs = []
    for _ in range(repeat):
        wall, cpu = time.perf_counter(), time.process_time()
        given = run()
        runs.append((time.perf_counter() - wall, time.process_time() - cpu, given))
    return min(runs, key=lambda each: each[0])


def _multiplied(pack: RuleSet, number: int) -> RuleSet:
    """About so many rules: copies of the pack under other ids, and of these an even choice with what it stands on."""
    copies = -(-number // len(pack.rules))
    every = RuleSet(rules=tuple(_renamed(rule, copy) for copy in range(copies) for rule in pack.rules))
    shown = [rule.uid for rule in every.rules if rule.output]
    share = number / len(every.rules)
    return only(every, [uid for n, uid in enumerate(shown) if int((n + 1) * share) > int(n * share)])


def _renamed(rule: Rule, copy: int) -> Rule:
    def uid(known: str) -> str:
        return str(uuid.uuid5(uuid.NAMESPACE_OID, f"{copy}/{known}")) if copy else known

    logic = rule.logic
    if isinstance(logic, Correlation):
        renamed = (msgspec.structs.replace(base, rule_uid=uid(base.rule_uid)) for base in logic.bases)
        logic = msgspec.structs.replace(logic, bases=tuple(renamed))
    return msgspec.structs.replace(rule, uid=uid(rule.uid), name="", logic=logic)


def _names_a_call(rule: Rule, ruleset: RuleSet) -> bool:
    """It, and what it stands on, can be looked for among the events of some calls."""
    if isinstance(rule.logic, Correlation):
        below: Sequence[str] = [base.rule_uid for base in rule.logic.bases]
        return all(_names_a_call(one, ruleset) for one in ruleset.rules if one.uid in below)
    assert not isinstance(rule.logic, Baseline)
    return relax(rule.logic, lambda test: columns(test) <= {"api.operation"}) != TRUE


if __name__ == "__main__":
    main()
