"""How long `detect` takes: all rules over so many simulated events in a lake.

    python bench/detect.py --events 1000000 --rules 150

The floor is one scan of the columns that `detect` reads of every event, in the same run: the ratio to it can be
compared between machines, the seconds cannot.
"""

from __future__ import annotations

import argparse
import resource
import sys
import tempfile
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

sys.path.insert(0, str(Path(__file__).parents[1] / "src"))

from trailhound import catalog
from trailhound.detections.candidates import GROUPED
from trailhound.detections.detect import detect
from trailhound.detections.placeholders import Placeholders, Production
from trailhound.detections.rules import RuleSet
from trailhound.detections.sigma import load_rules
from trailhound.engines.dialect import column
from trailhound.engines.duckdb import DuckDB
from trailhound.ingest.ingest import ingest
from trailhound.lake.lake import Lake
from trailhound.simulation import simulate

Given = TypeVar("Given")

_RULE = """title: Synthetic {n}
id: {uid}
logsource: {{product: aws, service: cloudtrail}}
detection:
  selection: {{eventSource: {service}, eventName: {operation}}}
  detail: {{{detail}}}
  condition: selection and {quantifier} detail
level: informational
"""
# What public rules ask besides the operation's name.
_DETAILS = (
    ("not", "userIdentity.type: AWSService"),
    ("", "sourceIPAddress|cidr: 203.0.113.0/24"),
    ("", "userAgent|contains: [kali, parrot, pacu]"),
    ("not", "userIdentity.arn|contains: ':assumed-role/'"),
    ("", "errorCode|contains: Denied"),
    ("", "requestParameters.name|startswith: temp"),
    ("", "requestParameters.ipPermissions.items.ipRanges.items.cidrIp: 0.0.0.0/0"),
    ("", 'requestParameters.policyDocument|re: \'"Action"\\s*:\\s*"\\*"\''),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--rules", type=int, default=150, help="the pack, and synthetic rules up to this number")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--keep", type=Path, help="folder to put the simulated workspace into, or to find it in")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="trailhound-bench-") as scratch:
        folder = options.keep or Path(scratch)
        if not (folder / "lake").exists():
            simulate("roboman1", folder / "logs", events=options.events)
            ingest(Lake.create(folder / "lake"), [str(folder / "logs" / "AWSLogs")], processes=options.threads)
        engine = DuckDB(threads=options.threads, memory_limit="2GB", temp_directory=Path(scratch) / "spill")
        Lake(folder / "lake").mount(engine)
        measure(engine, rules(engine, Path(scratch), options.rules), options.repeat)
        engine.close()


def measure(engine: DuckDB, ruleset: RuleSet, repeat: int) -> None:
    events = engine.query("SELECT count(*) AS n FROM events")[0]["n"]
    keys = ", ".join(column(path) for path in GROUPED)
    scan = f"SELECT count(*) FROM (SELECT {keys}, count(*) FROM events GROUP BY {keys})"
    floor, floor_cpu, _ = best(repeat, lambda: engine.query(scan))
    placeholders = Placeholders(production=Production(tags=["env=production"]))
    taken, cpu, found = best(repeat, lambda: detect(engine, ruleset, placeholders=placeholders))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{events:,} events, {len(ruleset.rules):,} rules, {len(found.findings):,} findings, {peak:,.0f} MiB")
    print(f"{'':10}{'seconds':>9}{'CPU s':>9}{'events/s':>12}{'x floor':>9}{'x CPU':>9}")
    for name, seconds, busy in (("floor", floor, floor_cpu), ("detect", taken, cpu)):
        rate = events / seconds
        print(f"{name:10}{seconds:9.2f}{busy:9.2f}{rate:12,.0f}{seconds / floor:9.1f}{busy / floor_cpu:9.1f}")


def best(repeat: int, run: Callable[[], Given]) -> tuple[float, float, Given]:
    """(seconds on the wall, seconds of CPU, what it gave) of the quickest of `repeat` runs."""
    runs = []
    for _ in range(repeat):
        wall, cpu = time.perf_counter(), time.process_time()
        given = run()
        runs.append((time.perf_counter() - wall, time.process_time() - cpu, given))
    return min(runs, key=lambda each: each[0])


def rules(engine: DuckDB, folder: Path, number: int) -> RuleSet:
    """The pack, and as many rules over the operations of these events as are wanting."""
    pack = load_rules([catalog.PACKS / "rules"])
    calls = engine.query(
        "SELECT DISTINCT api.service.name AS service, api.operation AS operation FROM events ORDER BY ALL"
    )
    folder = folder / "rules"
    folder.mkdir()
    for n in range(max(0, number - len(pack.rules))):
        quantifier, detail = _DETAILS[n % len(_DETAILS)]
        made = _RULE.format(n=n, uid=uuid.UUID(int=n), quantifier=quantifier, detail=detail, **calls[n % len(calls)])
        (folder / f"{n:04}.yml").write_text(made)
    return load_rules([catalog.PACKS / "rules", folder])


if __name__ == "__main__":
    main()
