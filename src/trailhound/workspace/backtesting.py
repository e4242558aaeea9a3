"""`rules backtest`: what rules would have told on this history."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec

from trailhound.detections.backtest.attacks import attacks
from trailhound.detections.backtest.backtest import Backtest, backtest, per_day
from trailhound.detections.detect import Skipped, detect
from trailhound.detections.placeholders import Placeholders
from trailhound.detections.rules import only as only_rules
from trailhound.engines.duckdb import DuckDB
from trailhound.errors import CatalogError, RequestError
from trailhound.lake import times
from trailhound.workspace.detecting import Detecting
from trailhound.workspace.excluding import today


class Backtested(msgspec.Struct, frozen=True):
    result: Backtest
    skipped: tuple[Skipped, ...]
    errors: tuple[CatalogError, ...]  # rules that could not be read


class Backtesting(Detecting):
    def backtest(
        self,
        rules: Sequence[Path | str] = (),
        *,
        code: Sequence[Path | str] = (),
        only: Sequence[str] = (),
        since: str | None = None,
        until: str | None = None,
        budget: str = "",
        author: str = "",
    ) -> Backtested:
        """Findings of these rules (of the pack when none is named) over the history in the lake; nothing is stored.

        With a `budget` (`5/day`) the fewest exclusions that keep to it, written for exclusions.yml in the name of
        `author`, each with what it would have hidden of the simulated attacks.
        """
        if budget:
            per_day(budget)
        excluded = self._exclusions()
        chosen = self.rules(rules, code=code, no_pack=bool(rules))
        chosen = only_rules(chosen, only) if only else chosen
        _, engine, _ = self._reading(derived=True)
        begin = times.interval(since).start if since else None
        end = times.interval(until).end if until else None
        span = _days(engine, begin, end)
        found = detect(engine, chosen, placeholders=Placeholders.of(self.settings), since=begin, until=end)
        shown = self._set_aside(engine, found.findings, excluded)
        played = attacks(self.rules(rules, code=code).rules) if budget else ()
        result = backtest(
            engine,
            shown.findings,
            chosen.rules,
            span=span,
            budget=budget,
            attacks=tuple(played),
            author=author,
            today=today(),
        )
        return Backtested(result, found.skipped, chosen.errors)


def _days(engine: DuckDB, begin: int | None, end: int | None) -> tuple[str, str]:
    """First and last UTC day with events."""
    row = engine.query(
        "SELECT min(event_day) AS first, max(event_day) AS last FROM events "
        "WHERE ($begin IS NULL OR time >= $begin) AND ($end IS NULL OR time < $end)",
        {"begin": begin, "end": end},
    )[0]
    if row["first"] is None:
        raise RequestError(
            "there are no events to test rules on",
            causes=("nothing is ingested", "--since and --until name another time"),
            next_step="`trailhound status` shows what the lake holds",
        )
    return row["first"], row["last"]
