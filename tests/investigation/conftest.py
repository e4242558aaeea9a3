"""Stories, played once and held in memory."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from functools import cache
from pathlib import Path

import msgspec
import pytest
from tests.investigation.history import mount

from trailhound import settings
from trailhound.engines.duckdb import DuckDB
from trailhound.enrichers import context
from trailhound.investigation import scope, steps
from trailhound.lake.arrow import events_table
from trailhound.model import Finding, Investigation, Record, Resource
from trailhound.ocsf.normalize import normalize
from trailhound.simulation.simulate import simulate


class _File(msgspec.Struct):
    Records: list[msgspec.Raw]


class Case:
    """One story: its events, what its organisation knows, and what is true of it."""

    def __init__(self, story: str, folder: Path) -> None:
        # The other stories tell the same in a quieter account, in less time.
        self.truth = simulate(story, folder, events=None if story == "roboman1" else 6_000)
        self.settings = settings.load(folder)
        files = sorted((folder / "AWSLogs").rglob("*.json.gz"))
        raw = (r for f in files for r in msgspec.json.decode(gzip.decompress(f.read_bytes()), type=_File).Records)
        batch = normalize(Record(bytes(r), "source", i) for i, r in enumerate(raw))
        self.engine = DuckDB()
        mount(self.engine, events_table(batch.columns), name="all_events")
        self.keep("TRUE")

    def keep(self, condition: str) -> None:
        """Take evidence away: only events for which the SQL condition holds are there."""
        self.engine.execute("DROP VIEW IF EXISTS events")
        self.engine.execute(f"CREATE VIEW events AS SELECT * FROM all_events WHERE {condition}")
        context.mount(self.engine)

    @property
    def finding(self) -> Finding:
        """The first finding that the truth expects, as detection would store it."""
        true = self.truth.findings[0]
        sql = (
            "SELECT metadata.uid AS uid, time, api.operation AS operation, resources, cloud.account.uid AS account "
            "FROM all_events WHERE list_contains($uids, metadata.uid) ORDER BY time, uid"
        )
        rows = self.engine.query(sql, {"uids": list(true.event_uids)})
        named = {r["uid"]: r["type"] for row in rows for r in row["resources"] if r["type"] != "AWS::IAM::AccessKey"}
        return Finding(
            uid="f" * 16, rule_uid="rule", rule_title=true.theme, rule_kind="value_count", level="high", title=true.theme,
            desc="", attacks=(), first_seen_time=rows[0]["time"], last_seen_time=rows[-1]["time"],
            event_uids=tuple(row["uid"] for row in rows), count=true.count, threshold=None, window_ms=None,
            principal_uid=true.principal_uid, principal_name="", account_uid=rows[0]["account"], regions=(), src_ips=(),
            operations=tuple({row["operation"] for row in rows}),
            resources=tuple(Resource(uid=uid, type=kind) for uid, kind in sorted(named.items())),
        )  # fmt: skip

    def investigate(self) -> Investigation:
        inputs = steps.Inputs(engine=self.engine, settings=self.settings, findings=[], as_of={}, versions={})
        finding = self.finding
        return steps.investigate(inputs, scope.of_finding(self.engine, finding), finding=finding, observable=None)


@pytest.fixture(scope="session")
def case(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Case]:
    @cache
    def play(story: str) -> Case:
        return Case(story, tmp_path_factory.mktemp(story))

    return play
