"""Verbs of detection: rules, what they find, and what people decide about it."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import msgspec

from trailhound import catalog
from trailhound.cases import Decisions, check_until
from trailhound.detections.baselines.judge import Judged
from trailhound.detections.collection import PROOF
from trailhound.detections.detect import Skipped, detect
from trailhound.detections.findings import as_table
from trailhound.detections.incidents import assess
from trailhound.detections.incremental import Renewal, keep, renew
from trailhound.detections.lint import lint
from trailhound.detections.placeholders import Placeholders
from trailhound.detections.proof import ProofResult, proof_path, prove
from trailhound.detections.rules import LeftOut, RuleSet
from trailhound.detections.rules import only as only_rules
from trailhound.detections.sigma import load_rules
from trailhound.engines.duckdb import DuckDB
from trailhound.errors import CatalogError
from trailhound.lake import times
from trailhound.model import Finding, Incident
from trailhound.workspace.assessing import Assessing
from trailhound.workspace.excluding import ExclusionUse, uses
from trailhound.workspace.reading import Progress


class Detection(msgspec.Struct, frozen=True):
    """What `detect` did. A rule that did not run is named: what it would have found is unknown."""

    findings: tuple[Finding, ...]  # those of the incident to look at first, the gravest of it first
    incidents: tuple[Incident, ...]  # of these findings, the one to look at first at the top
    skipped: tuple[Skipped, ...]
    errors: tuple[CatalogError, ...]  # rules that could not be read
    left_out: tuple[LeftOut, ...]  # what the folders hold besides rules that can run
    new: int  # findings that were not stored before
    judged: tuple[Judged, ...] = ()  # by baseline: on how much history it stood, and how often it fires
    days: int | None = None  # of log that had changed and were looked at; None: a part was asked for
    exclusions: tuple[ExclusionUse, ...] = ()  # what each sets aside of the findings; those are `suppressed`


class Detecting(Assessing):
    def detect(
        self,
        *,
        since: str | None = None,
        until: str | None = None,
        rules: Sequence[Path | str] = (),
        code: Sequence[Path | str] = (),
        only: Sequence[str] = (),
        no_pack: bool = False,
        everything: bool = False,
    ) -> Detection:
        """Bring the findings of rules and baselines up to date: they are those of one run over the whole lake.

        Only what changed since the last time is looked at, unless `everything` is. With `since`, `until` or `only` it is
        a look at a part: what it finds is stored beside the rest.
        """
        exclusions = self._exclusions()
        lake, engine, _ = self._reading(derived=True)
        stored = self._stored(engine)
        chosen = self.rules(rules, code=code, no_pack=no_pack)
        if only:
            chosen = only_rules(chosen, only)
        if since or until or only:
            span = times.interval(since).start if since else None, times.interval(until).end if until else None
            found = detect(engine, chosen, placeholders=Placeholders.of(self.settings), since=span[0], until=span[1])
            made = Renewal(found, found.findings, (), None, None)
        else:
            made = renew(engine, lake, chosen, Placeholders.of(self.settings), stored, whole=everything)
        lake.upsert("findings", as_table(made.found.findings), "uid", replaced=made.gone)
        if made.state:
            keep(lake, made.state)
        known, current = {finding.uid for finding in stored}, {finding.uid for finding in made.current}
        now = {one.uid: one for one in (*stored, *made.current) if one.uid not in made.gone}
        shown = self._set_aside(engine, Decisions(self.folder).applied(now.values()), exclusions)
        assessed = assess(engine, shown.findings, self.settings).of(lambda finding: finding.uid in current)
        return Detection(
            findings=assessed.findings,
            incidents=assessed.incidents,
            skipped=made.found.skipped,
            errors=chosen.errors,
            left_out=chosen.left_out,
            new=sum(finding.uid not in known for finding in made.current),
            judged=made.found.judged,
            days=made.days,
            exclusions=tuple(uses(exclusions, shown)),
        )

    def close_finding(self, uid: str, because: str) -> list[Finding]:
        """A finding, or all open ones of an incident, has been dealt with, as it is: open again when it grows."""
        return self._decide(uid, "closed", because, None)

    def suppress_finding(self, uid: str, because: str, until: str | None = None) -> list[Finding]:
        """Hide a finding, or all open ones of an incident, however it grows: for good or until the end of a day."""
        if until is not None:
            check_until(until)
        return self._decide(uid, "suppressed", because, until)

    def rules(
        self, rules: Sequence[Path | str] = (), *, code: Sequence[Path | str] = (), no_pack: bool = False
    ) -> RuleSet:
        """The rules that `detect` would run; those that are malformed are in its errors.

        `code`: Python files that code rules among them may run.
        """
        return load_rules(_rule_paths(rules, no_pack=no_pack), code=list(map(Path, code)))

    def prove_rules(
        self,
        rules: Sequence[Path | str] = (),
        *,
        code: Sequence[Path | str] = (),
        progress: Progress | None = None,
    ) -> list[ProofResult]:
        """Run the proof beside each rule file; of the pack when none is named. In a folder a rule may be without."""
        files, results = _with_proof(_rule_paths(rules, no_pack=bool(rules))), []
        with closing(DuckDB(threads=1)) as engine:
            for number, file in enumerate(files, 1):
                results += prove(file, engine, code=list(map(Path, code)))
                if progress:
                    progress(number, len(files))
        return results

    def lint_rules(self, rules: Sequence[Path | str] = (), *, code: Sequence[Path | str] = ()) -> list[CatalogError]:
        """Complaints about rule files, malformed ones first; of the pack when none is named."""
        found = self.rules(rules, code=code, no_pack=bool(rules))
        return [*found.errors, *lint(found)]

    def _decide(self, uid: str, status: str, because: str, until: str | None) -> list[Finding]:
        lake, engine, snapshot = self._reading()
        journal = Decisions(self.folder)
        named = self._named(engine, uid, self._stored(engine), self._exclusions())
        found = named if len(named) == 1 else [one for one in named if one.status == "new"] or named
        for finding in found:
            journal.record(finding, status, because, until)
        lake.keep(snapshot)
        return journal.applied(found)


def _with_proof(paths: Sequence[Path]) -> list[Path]:
    """Rule files that are named, and those of folders that have a proof beside them."""
    files = [(file, file == path) for path in paths for file in catalog.find(path) if not file.name.endswith(PROOF)]
    found = [file for file, named in files if named or proof_path(file).is_file()]
    if not found:
        where = ", ".join(map(str, paths))
        raise CatalogError(
            "no rule there has a proof beside it", where=where, next_step="see docs/how-to/write-a-rule.md"
        )
    return found


def _rule_paths(extra: Sequence[Path | str], *, no_pack: bool) -> list[Path]:
    """What is brought comes first: of two rules with one id the first counts."""
    return [*map(Path, extra), *([] if no_pack else [catalog.PACKS / "rules", catalog.PACKS / "baselines"])]
