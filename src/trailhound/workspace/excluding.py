"""Verbs of exclusions: which findings are expected, who said so, and until when."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from trailhound import catalog
from trailhound.detections.exclusions import reading
from trailhound.detections.exclusions.applying import Applied, apply
from trailhound.detections.exclusions.exclusion import Exclusion, State
from trailhound.detections.exclusions.warnings import warnings
from trailhound.detections.sigma import load_rules
from trailhound.engines.duckdb import DuckDB
from trailhound.errors import CatalogError
from trailhound.model import Finding
from trailhound.workspace.reading import Reading


class ExclusionUse(msgspec.Struct, frozen=True):
    """What an exclusion does today. Findings by uid."""

    exclusion: Exclusion
    state: State
    hidden: tuple[str, ...]  # that it sets aside
    partly: tuple[str, ...]  # that are shown, since it fits only some of their events


class Checked(msgspec.Struct, frozen=True):
    exclusions: int  # that are well written
    errors: tuple[CatalogError, ...]  # with any of these `detect` stops
    warnings: tuple[CatalogError, ...]


class Excluding(Reading):
    def exclusions(self) -> list[ExclusionUse]:
        """Every exclusion, and the stored findings that it sets aside. Raises CatalogError when a file is not understood."""
        known = self._exclusions()
        _, engine, _ = self._reading(derived=True)
        return uses(known, self._set_aside(engine, self._stored(engine), known))

    def excluded(self) -> list[Finding]:
        """Stored findings that are set aside, with their exclusion and the reason in `status_reason`."""
        known = self._exclusions()
        _, engine, _ = self._reading(derived=True)
        shown = self._set_aside(engine, self._stored(engine), known)
        return [finding for finding in shown.findings if finding.uid in shown.hidden]

    def check_exclusions(self, paths: Sequence[Path | str] = (), *, rules: Sequence[Path | str] = ()) -> Checked:
        """All complaints about files of exclusions; about those of the workspace when none is named.

        `rules`: files and folders of rules besides the pack that exclusions may name.
        """
        found = self._read_exclusions([Path(path) for path in paths] or self._exclusion_files())
        known = load_rules([*map(Path, rules), catalog.PACKS / "rules", catalog.PACKS / "baselines"]).rules
        return Checked(len(found.exclusions), found.errors, tuple(warnings(found.exclusions, known)))

    def _exclusions(self) -> tuple[Exclusion, ...]:
        found = self._read_exclusions(self._exclusion_files())
        if found.errors:
            raise reading.refused(found.errors)
        return found.exclusions

    def _understood_exclusions(self) -> tuple[Exclusion, ...]:
        """None of them when a file is not understood: a colleague's typo is no reason not to investigate."""
        found = self._read_exclusions(self._exclusion_files())
        return () if found.errors else found.exclusions

    def _set_aside(self, engine: DuckDB, findings: Sequence[Finding], exclusions: Sequence[Exclusion]) -> Applied:
        """`findings` with their decisions."""
        return apply(engine, findings, exclusions, today())

    def _exclusion_files(self) -> list[Path]:
        own = self.folder / reading.FILE
        named = (self.folder / file for file in self.settings.exclusions.files)
        return [*([own] if os.path.lexists(own) else []), *named]  # a link that leads nowhere is not "no exclusions"

    def _read_exclusions(self, paths: Sequence[Path]) -> reading.Read:
        return reading.read(paths, longest_days=self.settings.exclusions.longest_days)


def uses(known: Sequence[Exclusion], applied: Applied) -> list[ExclusionUse]:
    hidden, partly = _by_place(applied.hidden), _by_place(applied.partly)
    now = today()
    return [ExclusionUse(one, one.state(now), tuple(hidden[one.where]), tuple(partly[one.where])) for one in known]


def _by_place(found: Mapping[str, Exclusion]) -> defaultdict[str, list[str]]:
    listed: defaultdict[str, list[str]] = defaultdict(list)
    for uid, one in found.items():
        listed[one.where].append(uid)
    return listed


def today() -> str:
    """The UTC day."""
    return datetime.now(UTC).strftime("%Y-%m-%d")
