"""Proofs: beside `NAME.yml` stands `NAME.proof.yml`, with events on which the rule must and must not fire.

The events are records, made complete from a small plausible one, and take the way of real ones: normalised into the
events table, on which the rule runs by itself. For a baseline, what it reads is derived from them.
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
from trailhound.detections.detect import Detected, detect
from trailhound.detections.placeholders import Placeholders, Production
from trailhound.detections.rules import Rule, RuleSet, only
from trailhound.detections.sigma import load_rules
from trailhound.engines.duckdb import DuckDB
from trailhound.errors import CatalogError
from trailhound.identity.activity import ACTIVITY
from trailhound.identity.credentials import CREDENTIALS
from trailhound.identity.derive import Daily
from trailhound.identity.principals import PRINCIPALS
from trailhound.identity.sessions import SESSIONS
from trailhound.lake import arrow
from trailhound.lake.arrow import events_table
from trailhound.lake.tables import TABLES
from trailhound.model import Finding, Record
from trailhound.ocsf.normalize import normalize

Kind = Literal["fires", "silent"]

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
        fires = [_result(own, trial, "fires", case) for case in proof.fires]
        return fires + [_result(own, trial, "silent", case) for case in proof.silent]
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


def _result(engine: DuckDB, trial: _Trial, kind: Kind, case: Case) -> ProofResult:
    batch = normalize(_records(case, trial.path))
    if batch.rejects:
        detail = f"a record of the case is not an event: {batch.rejects[0].detail}"
    else:
        engine.mount_arrow("events", events_table(batch.columns))
        if isinstance(trial.rule.logic, Baseline):
            _derive(engine)
        found = detect(engine, trial.rules, placeholders=trial.placeholders)
        detail = _difference(kind, case.expect, found)
    return ProofResult(
        rule_uid=trial.rule.uid,
        rule_title=trial.rule.title,
        kind=kind,
        case=case.name,
        passed=not detail,
        detail=detail,
    )


def _derive(engine: DuckDB) -> None:
    """What baselines read beside the events, from nothing but these."""
    for one in (CREDENTIALS, SESSIONS, ACTIVITY, PRINCIPALS):
        if isinstance(one, Daily) and one.prepare:
            one.prepare(engine)
        rows = engine.stream(one.select) if isinstance(one, Daily) else one.make(engine)
        engine.mount_arrow(one.table, ac.Table.from_arrow(rows))


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
