"""How long `detect` takes: all rules over so many events, from Parquet files laid out like the lake's.

    python bench/detect.py --events 1000000 --rules 150

The floor is one scan of the columns that `detect` reads of every event, on the same files in the same run: the ratio
to it can be compared between machines, the seconds cannot.
"""

from __future__ import annotations

import argparse
import gzip
import resource
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec

from trailhound import catalog, simulation
from trailhound.detections.candidates import GROUPED
from trailhound.detections.detect import detect
from trailhound.detections.placeholders import Placeholders, Production
from trailhound.detections.rules import RuleSet
from trailhound.detections.sigma import load_rules
from trailhound.engines.dialect import column, identifier
from trailhound.engines.duckdb import DuckDB
from trailhound.lake.arrow import events_table
from trailhound.model import Record
from trailhound.ocsf.normalize import normalize
from trailhound.ocsf.schema import COLUMNS

_DISTINCT = 100_000  # events that are simulated; more are copies of them, days later
_DAYS = 31
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
    ("", "requestParameters.policyDocument|re: '\"Action\"\\s*:\\s*\"\\*\"'"),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--rules", type=int, default=150, help="the pack, and synthetic rules up to this number")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeat", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        engine = DuckDB(threads=options.threads, memory_limit="2GB", temp_directory=Path(folder) / "spill")
        files = lay_out(engine, Path(folder), options.events)
        engine.mount("events", [str(file) for file in files], ddl="")
        measure(engine, rules(engine, Path(folder), options.rules), options.repeat)
        engine.close()


def measure(engine: DuckDB, ruleset: RuleSet, repeat: int) -> None:
    events = engine.query("SELECT count(*) AS n FROM events")[0]["n"]
    keys = ", ".join(column(path) for path in GROUPED)
    floor, _ = best(repeat, lambda: engine.query(f"SELECT count(*) FROM (SELECT {keys}, count(*) FROM events GROUP BY {keys})"))
    placeholders = Placeholders(production=Production(tags=["env=production"]))
    taken, found = best(repeat, lambda: detect(engine, ruleset, placeholders=placeholders))
    print(f"events            {events:>12,}")
    print(f"rules             {len(ruleset.rules):>12,}")
    print(f"findings          {len(found.findings):>12,}   skipped rules {len(found.skipped)}")
    print(f"floor             {floor:>12.2f} s")
    print(f"detect            {taken:>12.2f} s   {taken / floor:.1f} x the floor   {events / taken:,.0f} events/s")
    print(f"peak memory       {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:>12,.0f} MiB")


def best(repeat: int, run: Callable[[], object]) -> tuple[float, object]:
    """Seconds of the quickest of `repeat` runs, and what it gave."""
    taken, given = float("inf"), None
    for _ in range(repeat):
        start = time.perf_counter()
        given = run()
        taken = min(taken, time.perf_counter() - start)
    return taken, given


def lay_out(engine: DuckDB, folder: Path, events: int) -> list[Path]:
    """One file a day, sorted by operation and time within it."""
    simulation.simulate("roboman1", folder / "story", events=min(events, _DISTINCT), days=_DAYS)
    batch = normalize(records(folder / "story" / "AWSLogs"))
    engine.mount_arrow("simulated", events_table(batch.columns))
    copies = -(-events // len(batch.columns["time"]))
    shift = f"copy * {_DAYS * 86_400_000}"
    changed = {
        "time": f"time + {shift}",
        "time_dt": f"make_timestamptz((time + {shift}) * 1000)",
        "event_day": f"strftime(make_timestamp_ms(time + {shift}), '%Y-%m-%d')",
        "metadata": "struct_update(metadata, uid := metadata.uid || '-' || copy)",
    }
    top = dict.fromkeys(each.path.split(".")[0] for each in COLUMNS)
    selected = ", ".join(f"{changed.get(name, identifier(name))} AS {identifier(name)}" for name in top)
    target = folder / "events"
    engine.execute(
        f"COPY (SELECT {selected} FROM simulated, range({copies}) AS copies(copy) LIMIT {events}) TO '{target}' "
        f"(FORMAT parquet, PARTITION_BY (event_day), WRITE_PARTITION_COLUMNS true, ROW_GROUP_SIZE 32768, COMPRESSION zstd)"
    )
    return [sort(engine, file) for file in sorted(target.rglob("*.parquet"))]


def sort(engine: DuckDB, file: Path) -> Path:
    target = file.with_suffix(".sorted.parquet")
    engine.execute(
        f"COPY (SELECT * FROM read_parquet('{file}', hive_partitioning = false) ORDER BY api.operation, time) TO '{target}' "
        f"(FORMAT parquet, ROW_GROUP_SIZE 32768, COMPRESSION zstd)"
    )
    file.unlink()
    return target


def records(folder: Path) -> Iterator[Record]:
    for file in sorted(folder.rglob("*.json.gz")):
        for index, raw in enumerate(msgspec.json.decode(gzip.decompress(file.read_bytes()), type=dict[str, list[msgspec.Raw]])["Records"]):
            yield Record(raw=bytes(raw), source_uid=file.name, index=index)


def rules(engine: DuckDB, folder: Path, number: int) -> RuleSet:
    """The pack, and as many rules over the operations of these events as are wanting."""
    pack = load_rules([catalog.PACKS / "rules"])
    calls = engine.query("SELECT DISTINCT api.service.name AS service, api.operation AS operation FROM events ORDER BY ALL")
    folder = folder / "rules"
    folder.mkdir()
    for n in range(max(0, number - len(pack.rules))):
        quantifier, detail = _DETAILS[n % len(_DETAILS)]
        made = _RULE.format(n=n, uid=uuid.UUID(int=n), quantifier=quantifier, detail=detail, **calls[n % len(calls)])
        (folder / f"{n:04}.yml").write_text(made)
    return load_rules([catalog.PACKS / "rules", folder])


if __name__ == "__main__":
    main()
