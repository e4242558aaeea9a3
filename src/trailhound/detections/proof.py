"""Proofs: beside `NAME.yml` stands `NAME.proof.yml`, with events on which the rule must and must not fire.

The events are records, made complete from a small plausible one, and take the way of real ones: normalised into the
events table, on which the rule runs by itself. For a baseline, what it reads is derived from them.

Cases of one proof are run together where that tells the same: one after another in one log, further apart than the rule
sees. Where a rule looks at the clock, at who stood behind a session, at tags or accounts of instances, or at what does
not follow, a case would be seen in the light of others: there each has a log of its own.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal, NamedTuple

import arro3.core as ac
import msgspec

from trailhound import catalog
from trailhound.detections.baselines.baseline import Baseline
from trailhound.detections.collection import PROOF
from trailhound.detections.correlations import duration_ms
from trailhound.detections.detect import Detected, detect, reach, read
from trailhound.detections.placeholders import Placeholders, Production
from trailhound.detections.rules import Correlation, Rule, RuleSet, only
from trailhound.detections.sigma import load_rules
from trailhound.engines.duckdb import DuckDB
from trailhound.errors import CatalogError
from trailhound.identity.activity import ACTIVITY
from trailhound.identity.credentials import CREDENTIALS
from trailhound.identity.derive import Daily
from trailhound.identity.issues import ISSUES
from trailhound.identity.principals import PRINCIPALS
from trailhound.identity.sessions import SESSIONS
from trailhound.lake import arrow, times
from trailhound.lake.arrow import events_table
from trailhound.lake.attribution import ATTRIBUTED
from trailhound.lake.tables import TABLES
from trailhound.model import Finding, Level, Record
from trailhound.ocsf.normalize import PATHS, normalize

Kind = Literal["fires", "silent"]
_Columns = dict[str, list[Any]]  # path of the events table → values

START = datetime(2026, 11, 24, 10, tzinfo=UTC)
BASE: dict[str, Any] = {
    "eventVersion": "1.11",
    "userIdentity": {
        "type": "IAMUser",
        "principalId": "AIDAEXAMPLEALICE",
        "arn": "arn:aws:iam::111122223333:user/alice",
        "accountId": "111122223333",
        "accessKeyId": "AKIAEXAMPLEALICE",
        "userName": "alice",
    },
    "awsRegion": "us-east-1",
    "sourceIPAddress": "198.51.100.7",
    "userAgent": "aws-cli/2.31.0",
    "readOnly": False,
    "eventType": "AwsApiCall",
    "managementEvent": True,
    "recipientAccountId": "111122223333",
    "eventCategory": "Management",
}
_STEP = timedelta(seconds=1)
_HOW_TO = "docs/how-to/write-a-rule.md"


class Expect(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    findings: int | None = None  # none given: at least one
    count: int | None = None  # of every finding
    level: Level | None = None  # of every finding


class Case(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    name: str
    events: list[dict[str, Any]]
    expect: Expect = Expect()


class Ours(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`[production]` of the settings."""

    ids: list[str] = []
    accounts: list[str] = []
    tags: list[str] = []


class Proof(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    fires: list[Case]
    silent: list[Case]
    rule: str = ""  # id or name; the last rule of the file when not given
    placeholders: dict[str, list[str]] = {}
    production: Ours = Ours()


class ProofResult(msgspec.Struct, frozen=True, kw_only=True):
    rule_uid: str
    rule_title: str
    kind: Kind
    case: str
    passed: bool
    detail: str  # what was found instead; "" when passed


class _Trial(NamedTuple):
    rule: Rule
    rules: RuleSet  # it, and what it stands on
    placeholders: Placeholders
    path: Path  # of the proof


class _Case(NamedTuple):
    kind: Kind
    case: Case


def proof_path(rule_file: Path) -> Path:
    return rule_file.with_name(rule_file.name.removesuffix(".yml").removesuffix(".yaml") + PROOF)


def prove(rule_file: Path, engine: DuckDB | None = None, *, code: Sequence[Path] = ()) -> list[ProofResult]:
    """Run every case of the proof beside `rule_file`. The engine's table `events` is replaced.

    `code`: Python files that the rule may run.

    Raises CatalogError when the rules or the proof cannot be read, or there is no proof.
    """
    rules = load_rules([rule_file], code=code)
    if rules.errors:
        raise rules.errors[0]
    path = proof_path(rule_file)
    if not path.is_file():
        raise CatalogError(
            "there is no proof beside the rule", where=str(path), next_step="see docs/how-to/write-a-rule.md"
        )
    proof = catalog.load(path, Proof)
    rule = _subject(rules, proof, rule_file, path)
    placeholders = Placeholders(
        values=proof.placeholders, production=Production(**msgspec.structs.asdict(proof.production))
    )
    trial = _Trial(rule, only(rules, [rule.uid]), placeholders, path)
    own = engine or DuckDB(threads=1)
    try:
        for table in ("integrity", "integrity_periods"):  # what tells an absence reads them: nobody verified this log
            own.mount(table, [], ddl=arrow.ddl(TABLES[table].columns))
        cases = [_Case("fires", case) for case in proof.fires] + [_Case("silent", case) for case in proof.silent]
        return [
            ProofResult(
                rule_uid=rule.uid, rule_title=rule.title, kind=kind, case=case.name, passed=not detail, detail=detail
            )
            for (kind, case), detail in zip(cases, _details(own, trial, cases), strict=True)
        ]
    finally:
        if engine is None:
            own.close()


def _subject(rules: RuleSet, proof: Proof, rule_file: Path, path: Path) -> Rule:
    if not proof.rule:
        return max(rules.rules, key=lambda rule: rule.line)
    for rule in rules.rules:
        if proof.rule in (rule.uid, rule.name):
            return rule
    raise CatalogError(f"{rule_file.name} has no rule {proof.rule!r}", where=str(path))


def _details(engine: DuckDB, trial: _Trial, cases: Sequence[_Case]) -> list[str]:
    """By case what speaks against it; "" when nothing does."""
    batches = [normalize(_records(one.case, trial.path)) for one in cases]
    usable = [number for number, batch in enumerate(batches) if not batch.rejects]
    details = [f"a record of the case is not an event: {b.rejects[0].detail}" if b.rejects else "" for b in batches]
    found = _found(engine, trial, [batches[number].columns for number in usable])
    for number, detected in zip(usable, found, strict=True):
        kind, case = cases[number]
        details[number] = _difference(kind, case.expect, detected)
    return details


def _found(engine: DuckDB, trial: _Trial, logs: Sequence[_Columns]) -> list[Detected]:
    """What is found in each of these logs."""
    if len(logs) > 1 and _blind_to_others(trial):
        together = _together(engine, trial, logs)
        if together is not None:
            return together
    return [_in_one_log(engine, trial, columns) for columns in logs]


def _blind_to_others(trial: _Trial) -> bool:
    """Does the rule see no further than its windows and episodes, and not when something was?"""
    production = trial.placeholders.production
    if isinstance(trial.rule.logic, Baseline) or production.accounts or production.tags:
        return False
    correlations = [rule.logic for rule in trial.rules.rules if isinstance(rule.logic, Correlation)]
    if any(one.tells_absence or one.code for one in correlations):  # code is told the times of events
        return False
    return not read(trial.rules.rules) & {"time", "time_dt", "event_day", *(column.path for column in ATTRIBUTED)}


def _together(engine: DuckDB, trial: _Trial, logs: Sequence[_Columns]) -> list[Detected] | None:
    """One run over the logs, each moved behind the one before; None where a rule did not run, in whichever it was."""
    apart, end = 2 * reach(trial.rules.rules) + times.DAY, 0
    moved: dict[str, list[Any]] = {path: [] for path in PATHS}
    spans: list[range] = []
    for columns in logs:
        shift = end + apart - min(columns["time"], default=0)
        at = [time + shift for time in columns["time"]]
        for path, values in (columns | {"time": at, "event_day": [times.day(time) for time in at]}).items():
            moved[path] += values
        spans.append(range(end + apart, max(at, default=end + apart) + 1))
        end = spans[-1].stop
    found = _in_one_log(engine, trial, moved)
    if found.skipped:
        return None
    by_log: list[list[Finding]] = [[] for _ in logs]
    for finding in found.findings:
        (number,) = (n for n, span in enumerate(spans) if finding.first_seen_time in span)
        by_log[number].append(finding)
    return [Detected(tuple(findings), ()) for findings in by_log]


def _in_one_log(engine: DuckDB, trial: _Trial, columns: _Columns) -> Detected:
    engine.mount_arrow("events", events_table(columns))
    derived = _derive(engine) if isinstance(trial.rule.logic, Baseline) else []
    try:
        return detect(engine, trial.rules, placeholders=trial.placeholders)
    finally:
        for table in derived:
            engine.unmount(table)


def _derive(engine: DuckDB) -> list[str]:
    """The tables that baselines read beside the events, from nothing but these."""
    tables = []
    for one in (CREDENTIALS, ISSUES, SESSIONS, ACTIVITY, PRINCIPALS):
        if isinstance(one, Daily) and one.prepare:
            one.prepare(engine)
        rows = engine.stream(one.select) if isinstance(one, Daily) else one.make(engine)
        engine.mount_arrow(one.table, ac.Table.from_arrow(rows))
        tables.append(one.table)
    return tables


def _difference(kind: Kind, expect: Expect, detected: Detected) -> str:
    """What speaks against the expectation; "" when nothing does."""
    if detected.skipped:
        return detected.skipped[0].reason
    found: tuple[Finding, ...] = detected.findings
    if kind == "silent":
        return f"expected silence, found: {found[0].title}" if found else ""
    if expect.findings is None and not found:
        return "expected a finding, found none"
    if expect.findings is not None and len(found) != expect.findings:
        return f"expected {expect.findings} findings, found {len(found)}"
    levels = [finding.level for finding in found if expect.level not in (None, finding.level)]
    if levels:
        return f"expected the level {expect.level}, found {levels[0]}"
    counts = [finding.count for finding in found if expect.count not in (None, finding.count)]
    return f"expected a count of {expect.count}, found {counts[0]}" if counts else ""


def _records(case: Case, path: Path) -> Iterator[Record]:
    try:
        for position, record in enumerate(_expanded(case.events)):
            yield Record(raw=msgspec.json.encode(record), source_uid="proof", index=position)
    except (ValueError, TypeError, KeyError) as error:
        raise CatalogError(
            f"the events of the case {case.name!r} are not understood: {error}", where=str(path)
        ) from error


def _expanded(events: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Complete records: a second apart unless they say when; `repeat` is a record so many times."""
    time, position = START, 0
    for event in events:
        repeat = event.get("repeat")
        template = event["record"] if repeat else event
        times = int(repeat["times"]) if repeat else 1
        every = timedelta(milliseconds=duration_ms(repeat.get("every", "1s"))) if repeat else _STEP
        time = _time(template["eventTime"]) if "eventTime" in template else time
        for number in range(1, times + 1):
            position += 1
            uid = {"eventID": f"00000000-0000-4000-8000-{position:012d}", "requestID": f"request-{position}"}
            record = merge({**copy.deepcopy(BASE), **uid}, _numbered(template, number))
            yield {**record, "eventTime": f"{time:%Y-%m-%dT%H:%M:%SZ}"}
            time += every if number < times else _STEP


def _time(written: Any) -> datetime:
    return written if isinstance(written, datetime) else datetime.fromisoformat(written)


def _numbered(value: Any, number: int) -> Any:
    """`{n}` in strings becomes the running number of the repetition."""
    if isinstance(value, str):
        return value.replace("{n}", str(number))
    if isinstance(value, Mapping):
        return {key: _numbered(each, number) for key, each in value.items()}
    return [_numbered(each, number) for each in value] if isinstance(value, list) else value


def merge(base: dict[str, Any], patch: Mapping[str, Any]) -> dict[str, Any]:
    """JSON Merge Patch (RFC 7396): mappings merge, null removes, everything else replaces."""
    for key, value in patch.items():
        if value is None:
            base.pop(key, None)
        elif isinstance(value, Mapping):
            below = base.get(key)
            base[key] = merge(dict(below) if isinstance(below, dict) else {}, value)
        else:
            base[key] = value
    return base
