"""The one object behind every face: a folder with a lake, findings and settings; one method per verb."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import msgspec

from trailhound import __version__, catalog
from trailhound import settings as organisation
from trailhound.cases import Decisions, by_uid, check_until
from trailhound.detections.baselines.judge import Judged
from trailhound.detections.detect import Skipped, detect
from trailhound.detections.findings import as_table, from_rows
from trailhound.detections.incremental import Renewal, keep, renew
from trailhound.detections.lint import lint
from trailhound.detections.placeholders import Placeholders, Production
from trailhound.detections.proof import ProofResult, prove
from trailhound.detections.rules import RuleSet
from trailhound.detections.rules import only as only_rules
from trailhound.detections.sigma import PROOF, load_rules
from trailhound.engines.duckdb import DuckDB, Rows
from trailhound.enrichers import context
from trailhound.errors import CatalogError, RequestError
from trailhound.identity.derive import current, derive
from trailhound.identity.lineage import Lineage, lineage
from trailhound.identity.observables import OBSERVABLES
from trailhound.identity.occurrences import Occurrences
from trailhound.identity.origins import attributed
from trailhound.identity.tables import DERIVED
from trailhound.ingest import proofs
from trailhound.ingest.ingest import IngestReport, ingest
from trailhound.ingest.ledger import Status, status, totals
from trailhound.integrity.prove import verify_copy
from trailhound.integrity.report import Verification
from trailhound.investigation import answers, steps
from trailhound.investigation import scope as scoping
from trailhound.investigation.evidence import Evidence
from trailhound.investigation.questions import Question, question, questions
from trailhound.lake import sql_guard, times
from trailhound.lake.attribution import mentioned
from trailhound.lake.lake import Lake, Snapshot
from trailhound.lake.search import SearchResult, search
from trailhound.lake.tables import TABLES
from trailhound.model import LEVELS, Answer, Finding, Investigation, Observable
from trailhound.simulation.simulate import simulate
from trailhound.simulation.truth import Truth
from trailhound.sources.aws import Access
from trailhound.sources.layout import Selection

PLACE = ".trailhound"
VARIABLE = "TRAILHOUND_WORKSPACE"

Progress = Callable[..., None]


class Detection(msgspec.Struct, frozen=True):
    """What `detect` did. A rule that did not run is named: what it would have found is unknown."""

    findings: tuple[Finding, ...]  # the gravest first
    skipped: tuple[Skipped, ...]
    errors: tuple[CatalogError, ...]  # rules that could not be read
    new: int  # findings that were not stored before
    judged: tuple[Judged, ...] = ()  # by baseline: on how much history it stood, and how often it fires
    days: int | None = None  # of log that had changed and were looked at; None: a part was asked for


class Workspace:
    """A folder: `events/`, `ledger/`, `findings/` and the other tables, `trailhound.db`, `trailhound.toml`.

    Every method raises a TrailhoundError that says what, where, likely causes and the next step.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @classmethod
    def open(cls, folder: Path | str | None = None) -> Workspace:
        """The folder given, else $TRAILHOUND_WORKSPACE, else ./.trailhound; it is made by the first ingest."""
        return cls(Path(folder or os.environ.get(VARIABLE) or PLACE))

    @cached_property
    def settings(self) -> organisation.Settings:
        return organisation.load(self.folder)

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

    def detect(
        self,
        *,
        since: str | None = None,
        until: str | None = None,
        rules: Sequence[Path | str] = (),
        only: Sequence[str] = (),
        no_pack: bool = False,
        everything: bool = False,
    ) -> Detection:
        """Bring the findings of rules and baselines up to date: they are those of one run over the whole lake.

        Only what changed since the last time is looked at, unless `everything` is. With `since`, `until` or `only` it is
        a look at a part: what it finds is stored beside the rest.
        """
        lake, engine, _ = self._reading(derived=True)
        stored = self._stored(engine)
        chosen = self.rules(rules, no_pack=no_pack)
        if only:
            chosen = only_rules(chosen, only)
        if since or until or only:
            span = times.interval(since).start if since else None, times.interval(until).end if until else None
            found = detect(engine, chosen, placeholders=self._placeholders(), since=span[0], until=span[1])
            made = Renewal(found, found.findings, (), None, None)
        else:
            made = renew(engine, lake, chosen, self._placeholders(), stored, whole=everything)
        lake.upsert("findings", as_table(made.found.findings), "uid", replaced=made.gone)
        if made.state:
            keep(lake, made.state)
        known = {finding.uid for finding in stored}
        return Detection(
            findings=self._ranked(Decisions(self.folder).applied(made.current)),
            skipped=made.found.skipped,
            errors=chosen.errors,
            new=sum(finding.uid not in known for finding in made.current),
            judged=made.found.judged,
            days=made.days,
        )

    def findings(
        self,
        *,
        level: str | None = None,
        status: str | None = None,
        rule: str | None = None,
        principal: str | None = None,
    ) -> list[Finding]:
        """Stored findings, the gravest and latest first; `level` means that level or above."""
        _, engine, _ = self._reading()
        return [
            f
            for f in self._ranked(self._stored(engine))
            if (level is None or LEVELS.index(f.level) >= LEVELS.index(level))
            and (status is None or f.status == status)
            and (rule is None or rule in (f.rule_uid, f.rule_title))
            and (principal is None or principal in (f.principal_uid, f.principal_name))
        ]

    def finding(self, uid: str) -> Finding:
        """The stored finding whose uid begins so."""
        _, engine, _ = self._reading()
        return by_uid(self._stored(engine), uid)

    def close_finding(self, uid: str, because: str) -> Finding:
        return self._decide(uid, "closed", because, None)

    def suppress_finding(self, uid: str, because: str, until: str | None = None) -> Finding:
        """Hide a finding, for good or until the end of a day (YYYY-MM-DD)."""
        if until is not None:
            check_until(until)
        return self._decide(uid, "suppressed", because, until)

    def investigate(
        self,
        finding_uid: str | None = None,
        *,
        observable: str | None = None,
        at: str | None = None,
        window: str = "7d",
        progress: Progress | None = None,
    ) -> Investigation:
        """All five steps for a finding (uid or the beginning of one), or for `KIND=VALUE` around a time."""
        if (finding_uid is None) == (observable is None):
            raise RequestError(
                "name one finding, or one observable", next_step="`trailhound findings` lists the findings"
            )
        engine, snapshot, index = self._indexed()
        stored = self._stored(engine)
        inputs = steps.Inputs(
            engine=engine,
            settings=self.settings,
            findings=stored,
            as_of=self._as_of(engine, snapshot),
            versions=_versions(),
        )
        context.mount(engine)
        if finding_uid is not None:
            finding = by_uid(stored, finding_uid)
            scope = scoping.of_finding(engine, finding)
            return steps.investigate(inputs, scope, finding=finding, observable=None, progress=progress)
        asked = scoping.parse(observable or "")
        scope = self._scope(engine, asked, at, window, index)
        return steps.investigate(inputs, scope, finding=None, observable=asked, progress=progress)

    def ask(self, name: str, observable: str, *, at: str | None = None, window: str = "7d") -> Answer:
        """One question (`ip_address.who_else`, or its number in the catalogue) of `KIND=VALUE`."""
        asked, about = question(name), scoping.parse(observable)
        engine, _, index = self._indexed()
        context.mount(engine)
        scope = self._scope(engine, about, at, window, index)
        if about.kind in scope.values and (about.kind != "user" or scope.one_actor):  # a name may be that of several
            scope = msgspec.structs.replace(scope, values={**scope.values, about.kind: (about.value,)})
        evidence = Evidence(engine, scope, self.settings, self._stored(engine))
        if not answers.applies(asked, evidence):
            raise RequestError(
                f"{asked.id} cannot be asked of {observable}",
                causes=(f"its events name no {asked.kind}", "it is about other operations or identities"),
                next_step="`trailhound ask --list` shows what each question is about",
            )
        return answers.ask(asked, evidence)

    def questions(self) -> list[Question]:
        return list(questions())

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

    def sql(self, query: str) -> Rows:
        """One reading statement over the lake's tables; `events` has `session_uid` and `origin_uid` where it asks."""
        lake, engine, _ = self._reading(derived=True)
        with attributed(engine, wanted=mentioned(query)):
            return sql_guard.run(engine, query, tables=tuple(TABLES), directories=[lake.root.resolve()])

    def rules(self, rules: Sequence[Path | str] = (), *, no_pack: bool = False) -> RuleSet:
        """The rules that `detect` would run; those that are malformed are in its errors."""
        return load_rules(_rule_paths(rules, no_pack=no_pack))

    def prove_rules(self, rules: Sequence[Path | str] = (), *, progress: Progress | None = None) -> list[ProofResult]:
        """Run the proof beside each rule file; of the pack when none is named."""
        found = (file for path in _rule_paths(rules, no_pack=bool(rules)) for file in catalog.find(path))
        files, results = [file for file in found if not file.name.endswith(PROOF)], []
        for number, file in enumerate(files, 1):
            results += prove(file)
            if progress:
                progress(number, len(files))
        return results

    def lint_rules(self, rules: Sequence[Path | str] = ()) -> list[CatalogError]:
        """Complaints about rule files, malformed ones first; of the pack when none is named."""
        found = self.rules(rules, no_pack=bool(rules))
        return [*found.errors, *lint(found)]

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

    def _reading(self, *, derived: bool = False) -> tuple[Lake, DuckDB, Snapshot]:
        """With `derived`, the derived tables are brought up to date first, if an ingest was killed before it could."""
        lake, engine = Lake(self.folder), DuckDB()
        if derived:
            derive(lake, DERIVED)
        return lake, engine, lake.mount(engine)

    def _indexed(self, *, derived: bool = False) -> tuple[DuckDB, Snapshot, Occurrences]:
        """Days that are not, or not surely, in the table of observables as they are in the events are read whole."""
        lake = Lake(self.folder)
        before = current(lake, OBSERVABLES)
        _, engine, snapshot = self._reading(derived=derived)
        days = current(lake, OBSERVABLES)
        behind = [day for day, stamp in days.items() if stamp is None or before.get(day) != stamp]
        return engine, snapshot, Occurrences(engine, days, behind)

    def _placeholders(self) -> Placeholders:
        known = self.settings.production
        production = Production(ids=known.instances, accounts=known.accounts, tags=known.tags)
        return Placeholders(values=self.settings.placeholders, production=production)

    def _stored(self, engine: DuckDB) -> list[Finding]:
        rows = engine.query("SELECT * FROM findings ORDER BY first_seen_time, uid")
        return Decisions(self.folder).applied(from_rows(rows))

    def _ranked(self, findings: Iterable[Finding]) -> tuple[Finding, ...]:
        return tuple(
            sorted(findings, key=lambda f: (f.status != "new", -LEVELS.index(f.level), -f.last_seen_time, f.uid))
        )

    def _decide(self, uid: str, status: str, because: str, until: str | None) -> Finding:
        lake, engine, snapshot = self._reading()
        journal = Decisions(self.folder)
        finding = by_uid(self._stored(engine), uid)
        journal.record(finding.uid, status, because, until)
        lake.keep(snapshot)
        return journal.applied([finding])[0]

    def _scope(
        self, engine: DuckDB, asked: Observable, at: str | None, window: str, index: Occurrences
    ) -> scoping.Scope:
        until = times.interval(at).end - 1 if at else scoping.latest(engine, asked, index)
        if until is None:
            raise RequestError(
                f"no event names {asked.kind} {asked.value}",
                causes=("another spelling", "its logs are not ingested"),
                next_step=f"try `trailhound search '{asked.value}'`",
            )
        return scoping.of_observable(engine, asked, until - times.duration(window), until, index)

    def _as_of(self, engine: DuckDB, snapshot: Snapshot) -> dict[str, Any]:
        integrity = proofs.counts(engine) or "not verified"
        return {"delta_version": snapshot.versions["events"], "ledger": totals(engine), "integrity": integrity}


def _rule_paths(extra: Sequence[Path | str], *, no_pack: bool) -> list[Path]:
    return [*([] if no_pack else [catalog.PACKS / "rules", catalog.PACKS / "baselines"]), *map(Path, extra)]


def _versions() -> dict[str, str]:
    return {"trailhound": __version__, **context.versions()}
