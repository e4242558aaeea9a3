"""Verbs of investigation: all five steps, or one question."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec

from trailhound import __version__
from trailhound.engines.duckdb import DuckDB
from trailhound.enrichers import context
from trailhound.errors import RequestError
from trailhound.identity.occurrences import Occurrences
from trailhound.ingest import proofs
from trailhound.ingest.ledger import totals
from trailhound.investigation import after_answers, answers, replay, steps
from trailhound.investigation import scope as scoping
from trailhound.investigation.evidence import Evidence
from trailhound.investigation.questions import Question, question, questions
from trailhound.investigation.replay import Replay
from trailhound.lake import times
from trailhound.lake.lake import Snapshot
from trailhound.model import Answer, Investigation, Observable
from trailhound.workspace.enriching import Enriching
from trailhound.workspace.reading import Progress


class Investigating(Enriching):
    def investigate(
        self,
        finding_uid: str | None = None,
        *,
        observable: str | None = None,
        at: str | None = None,
        window: str = "7d",
        progress: Progress | None = None,
    ) -> Investigation:
        """All five steps for a finding or an incident (uid or the beginning of one), or for `KIND=VALUE` around a time."""
        if (finding_uid is None) == (observable is None):
            raise RequestError(
                "name one finding, or one observable", next_step="`trailhound findings` lists the findings"
            )
        engine, snapshot, index = self._indexed(derived=True)
        inputs = self._inputs(engine, snapshot, index)
        if finding_uid is not None:
            finding = self._subject(engine, finding_uid, inputs.findings)
            scope = scoping.of_finding(engine, finding)
            return steps.investigate(inputs, scope, finding=finding, observable=None, progress=progress)
        asked = scoping.parse(observable or "")
        scope = self._scope(engine, asked, at, window, index)
        return steps.investigate(inputs, scope, finding=None, observable=asked, progress=progress)

    def verify_report(self, path: str | Path, *, progress: Progress | None = None) -> Replay:
        """Run the investigation of a report again, over the lake as it is now, and compare claim by claim.

        `path`: the report as JSON or HTML. Raises RequestError when it is none.
        """
        from trailhound.reports.reading import read  # noqa: PLC0415 - start-up: it brings the templates of pages

        document, faults = read(Path(path))
        engine, snapshot, index = self._indexed(derived=True)
        inputs = self._inputs(engine, snapshot, index)
        finding, observable = document.finding, document.subject.observable
        scope = again = None
        with suppress(RequestError):  # of what it is about nothing is there any more
            if finding:
                scope = scoping.of_finding(engine, finding)
            elif observable:
                scope = scoping.of_observable(engine, observable, *document.subject.window, index)
        if scope:
            again = steps.investigate(inputs, scope, finding=finding, observable=observable, progress=progress)
        return replay.compare(document, again, replay.hashes(engine, replay.cited(document)), faults)

    def ask(self, name: str, observable: str, *, at: str | None = None, window: str = "7d") -> Answer:
        """One question (`ip_address.who_else`, or its number in the catalogue) of `KIND=VALUE`."""
        asked, about = question(name), scoping.parse(observable)
        engine, _, index = self._indexed(derived=True)
        self._mount_context(engine)
        scope = self._scope(engine, about, at, window, index)
        if about.kind in scope.values and (about.kind != "user" or scope.one_actor):  # a name may be that of several
            scope = msgspec.structs.replace(scope, values={**scope.values, about.kind: (about.value,)})
        evidence = Evidence(engine, scope, self.settings, self._stored(engine), index=index)
        if asked.of_answers:
            return after_answers.ask(asked, evidence)
        if not answers.applies(asked, evidence):
            raise RequestError(
                f"{asked.id} cannot be asked of {observable}",
                causes=(f"its events name no {asked.kind}", "it is about other operations or identities"),
                next_step="`trailhound ask --list` shows what each question is about",
            )
        return answers.ask(asked, evidence)

    def questions(self) -> list[Question]:
        return list(questions())

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

    def _inputs(self, engine: DuckDB, snapshot: Snapshot, index: Occurrences) -> steps.Inputs:
        self._mount_context(engine)
        return steps.Inputs(
            engine=engine,
            settings=self.settings,
            findings=self._stored(engine),
            index=index,
            as_of=self._as_of(engine, snapshot),
            versions=_versions(),
        )

    def _as_of(self, engine: DuckDB, snapshot: Snapshot) -> dict[str, Any]:
        integrity = proofs.counts(engine) or "not verified"
        return {"delta_version": snapshot.versions["events"], "ledger": totals(engine), "integrity": integrity}


def _versions() -> dict[str, str]:
    return {"trailhound": __version__, **context.versions()}
