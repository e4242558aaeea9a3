"""Verbs over the logs themselves: take them in, account for them, prove them, look into them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from trailhound import settings as organisation
from trailhound.engines.duckdb import Rows
from trailhound.identity.derive import derive
from trailhound.identity.lineage import Lineage, lineage
from trailhound.identity.origins import attributed
from trailhound.identity.tables import DERIVED
from trailhound.ingest.ingest import IngestReport, ingest
from trailhound.ingest.ledger import Status, status
from trailhound.integrity.prove import verify_copy
from trailhound.integrity.report import Verification
from trailhound.investigation import scope as scoping
from trailhound.lake import sql_guard, times
from trailhound.lake.attribution import mentioned
from trailhound.lake.lake import Lake
from trailhound.lake.search import SearchResult, search
from trailhound.lake.tables import TABLES
from trailhound.simulation.simulate import simulate
from trailhound.simulation.truth import Truth
from trailhound.sources.aws import Access
from trailhound.sources.layout import Selection
from trailhound.states.calls import Log
from trailhound.states.state import State, resource
from trailhound.workspace.reading import Progress, Reading


class Evidence(Reading):
    def ingest(
        self,
        sources: Sequence[str | Path],
        *,
        repair: bool = False,
        follow_links: bool = False,
        profile: str | None = None,
        role_arn: str | None = None,
        endpoint_url: str | None = None,
        requester_pays: bool = False,
        accounts: Sequence[str] = (),
        regions: Sequence[str] = (),
        since: str | None = None,
        until: str | None = None,
        progress: Progress | None = None,
        remark: Callable[[str], None] = lambda _: None,
    ) -> IngestReport:
        """Read files, folders, globs, archives, `-`, `s3://`, `sqs:`, `lookup-events:` or `logs:` into the lake; every
        record is accounted for. `remark` is called with what was left out on purpose, and why.
        """
        selection = Selection(
            accounts=tuple(accounts),
            regions=tuple(regions),
            since=times.interval(since).start if since else None,
            until=times.interval(until).end if until else None,
        )
        lake = Lake.create(self.folder)
        toml = self.folder / organisation.FILE
        if not toml.exists():
            toml.write_text(organisation.TEMPLATE, "utf-8")
        report = ingest(
            lake,
            [str(s) for s in sources],
            repair=repair,
            follow_links=follow_links,
            access=Access(profile, role_arn, endpoint_url, requester_pays),
            selection=selection,
            progress=progress,
            remark=remark,
        )
        derive(lake, DERIVED)
        return report

    def status(self) -> Status:
        """What the lake holds, where its gaps are, and what was rejected."""
        lake, engine, _ = self._reading()
        return status(engine, lake.sizes())

    def verify(
        self,
        path: str | Path,
        *,
        since: str | None = None,
        until: str | None = None,
        public_keys: Sequence[Path | str] = (),
        fetch_keys: bool = False,
        profile: str | None = None,
        buckets: Sequence[str] = (),
        progress: Progress | None = None,
    ) -> Verification:
        """Prove offline that a copy of a bucket is whole (docs/how-to/prove-that-logs-are-whole.md)."""
        return verify_copy(
            Lake.create(self.folder),
            str(path),
            since=since,
            until=until,
            public_keys=public_keys,
            access=Access(profile) if fetch_keys else None,
            buckets=buckets,
            progress=progress,
        )

    def search(
        self, expression: str, *, limit: int = 100, group_by: Sequence[str] = (), timeline: bool = False
    ) -> SearchResult:
        """Filter all events (docs/reference/search.md)."""
        by_origin = mentioned(expression, *group_by)
        engine, _, index = self._indexed(derived=by_origin)
        with attributed(engine, wanted=by_origin):
            return search(engine, expression, limit=limit, group_by=group_by, timeline=timeline, index=index)

    def lineage(self, key_or_session: str, *, at: str | None = None) -> Lineage:
        """From the first identity to the last call, around an access key, session, principal, event or sourceIdentity;
        and what that identity still holds at a time (docs/how-to/find-who-it-really-was.md)."""
        _, engine, _ = self._reading(derived=True)
        return lineage(engine, key_or_session, times.interval(at).end - 1 if at else None)

    def state(self, observable: str, *, at: str | None = None) -> State:
        """What `KIND=VALUE` was at a time (default: the end of the log), and each change up to it, by the log alone
        (docs/how-to/see-what-a-thing-was.md).
        """
        asked = scoping.parse(observable)
        engine, _, index = self._indexed(derived=True)
        found = resource(Log(engine, index), asked.kind, asked.value)
        return found.at(times.interval(at).end - 1 if at else found.span.last)

    def sql(self, query: str, *, version: int | None = None) -> Rows:
        """One reading statement over the lake's tables; `events` has `session_uid` and `origin_uid` where it asks.

        With `version`, the events are those of a version that was kept for a decision on it.
        """
        lake, engine, _ = self._reading(derived=True)
        if version is not None:
            lake.mount_kept(engine, version)
        with attributed(engine, wanted=mentioned(query)):
            return sql_guard.run(engine, query, tables=tuple(TABLES), directories=[lake.root.resolve()])

    def simulate(
        self,
        story: str | Path,
        out: Path,
        *,
        seed: int | None = None,
        events: int | None = None,
        days: int | None = None,
        digests: bool = False,
    ) -> Truth:
        """Write a labelled history into a folder (docs/tutorial.md)."""
        return simulate(story, out, seed=seed, events=events, days=days, digests=digests)
