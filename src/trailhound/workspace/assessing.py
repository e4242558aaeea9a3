"""Stored findings as people see them: with decisions and exclusions, by incident, ranked by risk."""

from __future__ import annotations

from collections.abc import Sequence

from trailhound.cases import by_uid
from trailhound.detections.exclusions.exclusion import Exclusion
from trailhound.detections.incidents import Assessed, assess, uids, whole
from trailhound.engines.duckdb import DuckDB
from trailhound.model import LEVELS, Finding, Incident
from trailhound.workspace.excluding import Excluding


class Assessing(Excluding):
    def findings(
        self,
        *,
        level: str | None = None,
        status: str | None = None,
        rule: str | None = None,
        principal: str | None = None,
    ) -> list[Finding]:
        """Stored findings, those of the incident to look at first at the top; `level` means that level or above."""
        return list(self.assessed(level=level, status=status, rule=rule, principal=principal).findings)

    def assessed(
        self,
        *,
        level: str | None = None,
        status: str | None = None,
        rule: str | None = None,
        principal: str | None = None,
    ) -> Assessed:
        """Stored findings that fit, with their risk, and the incidents that they are part of, ranked."""
        _, engine, _ = self._reading(derived=True)
        return self._all(engine, self._stored(engine), self._exclusions()).of(
            lambda f: (
                (level is None or LEVELS.index(f.level) >= LEVELS.index(level))
                and (status is None or f.status == status)
                and (rule is None or rule in (f.rule_uid, f.rule_title))
                and (principal is None or principal in (f.principal_uid, f.principal_name))
            )
        )

    def finding(self, uid: str) -> Finding:
        """The stored finding whose uid begins so; of an incident its gravest."""
        return self.named(uid)[0]

    def named(self, uid: str) -> list[Finding]:
        """The stored finding whose uid begins so; or, if an incident's does, its findings, the gravest first."""
        _, engine, _ = self._reading(derived=True)
        return self._named(engine, uid, self._stored(engine), self._exclusions())

    def _named(
        self, engine: DuckDB, uid: str, stored: Sequence[Finding], exclusions: Sequence[Exclusion]
    ) -> list[Finding]:
        known = self._all(engine, stored, exclusions)
        found = by_uid([*known.findings, *known.incidents], uid)
        of = found.incident_uid if isinstance(found, Finding) else found.uid
        return [
            one for one in known.findings if one.incident_uid == of and (isinstance(found, Incident) or one is found)
        ]

    def _subject(self, engine: DuckDB, uid: str, stored: Sequence[Finding]) -> Finding:
        """What is to be investigated: a finding, or those of an incident as one, for which alone they are ranked."""
        exclusions = self._understood_exclusions()
        shown = self._set_aside(engine, stored, exclusions).findings
        alone = [one for one in shown if uid and one.uid.startswith(uid)]
        if len(alone) == 1 and not any(other.startswith(uid) for other in uids(shown)):
            return whole(alone)
        return whole(self._named(engine, uid, stored, exclusions))

    def _all(self, engine: DuckDB, stored: Sequence[Finding], exclusions: Sequence[Exclusion]) -> Assessed:
        shown = self._set_aside(engine, stored, exclusions)
        return assess(engine, shown.findings, self.settings)
