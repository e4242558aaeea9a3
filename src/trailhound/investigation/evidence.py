"""The slices of `events` that questions read, taken once per scope (packs/evidence.yml)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import nullcontext
from functools import lru_cache
from typing import Any

import msgspec

from trailhound.engines import dialect
from trailhound.engines.duckdb import DuckDB
from trailhound.identity.origins import with_sessions
from trailhound.ingest.ledger import Coverage, coverage
from trailhound.investigation import permission_changes, questions, resource_states
from trailhound.investigation.basis import Ledger
from trailhound.investigation.scope import LOOK_AHEAD, LOOK_BACK, Scope
from trailhound.investigation.tables import hold
from trailhound.lake import times
from trailhound.lake.attribution import SESSION_UID
from trailhound.lake.places import Index
from trailhound.lake.times import DAY, day
from trailhound.model import Basis, Finding
from trailhound.permissions.replay import operations
from trailhound.settings import Lookup, Settings
from trailhound.states.calls import Log
from trailhound.vocab import attack

# Slices that begin where the log does, and those of the last day before the subject; `subject` is of its own time only.
_OF_ANY_TIME = {"place", "target", "policy_writes"}
_OF_THE_DAY = {"subject", "hands", "unfollowed", "sign_in", "opened"}
_EVENTS = re.compile(r"(\b(?:FROM|JOIN)\s+)events\b")
_COMMENTS = re.compile(r"\A(?:--[^\n]*\n\s*)*")
_SESSIONS = re.compile(r"\b(?:FROM|JOIN)\s+sessions\b")
# Tables that no query over the events gives: name → what makes it, perhaps with others.
_MADE: dict[str, Callable[[Evidence], Mapping[str, Sequence[msgspec.Struct]]]] = {
    **dict.fromkeys(("states", "state_changes"), resource_states.make),
    "permission_changes": permission_changes.changes,
    "permissions_held": permission_changes.held,
}
_ROWS = {**resource_states.ROWS, **permission_changes.ROWS}
# Of other findings a question may know so much.
_OF_FINDINGS = (
    *("uid", "title", "principal_uid", "account_uid", "status", "src_ips"),
    *("first_seen_time", "last_seen_time", "event_uids"),
)


class Evidence:
    """All that questions about one scope may stand on."""

    def __init__(
        self,
        engine: DuckDB,
        scope: Scope,
        settings: Settings,
        findings: Sequence[Finding],
        beside: Evidence | None = None,  # the last that was taken of this engine, around the same events and accounts
        index: Index | None = None,  # of the engine's events
    ) -> None:
        self.scope = scope
        self.index = beside.index if beside else index
        self._days_of: dict[frozenset[str], list[str]] = beside._days_of if beside else {}
        self.settings = settings
        self.engine = engine
        self._ready: dict[str, None] = {}
        since = scope.at - LOOK_BACK
        # A day more on either side than any question looks: what is asked decides, not what is at hand.
        self.coverage: Coverage = (
            beside.coverage if beside else coverage(engine, scope.account, since, scope.to + LOOK_AHEAD)
        )
        self.log = beside.log if beside else Log(engine, index, self.coverage)
        self.parameters: dict[str, Any] = {
            "event_uids": list(scope.event_uids),
            "at": scope.at,
            "to": scope.to,
            "since": since,
            "until": scope.to + LOOK_AHEAD,
            "log_begins": self.coverage.first_time or scope.at,
            "log_ends": self.coverage.last_time or scope.to,
            "first_day": day(scope.at),
            "last_day": day(scope.to),
            "day_before": day(scope.at - DAY),
            "day_after": day(scope.to + DAY),
            "findings_stored": len(findings),
            "finding_uid": scope.finding_uid,
            "principal": scope.principal,
            "account": scope.account,
            "operations": list(scope.operations),
            "policy_calls": list(operations()),
            "ips": list(scope.of("ip_address")),
            "resources": list(scope.resources),
            "keys": list(scope.of("access_key")),
            "manager": settings.person(scope.principal).manager,
            "works_until": settings.person(scope.principal).last_day,
            "owner": settings.accounts[scope.account].owner if scope.account in settings.accounts else "",
            "expected_countries": list(settings.expected.countries),
            **_named_by_rules(findings, scope),
        }
        self.ledger = beside.ledger if beside else Ledger(engine, sorted({scope.account, *scope.of("account")}))
        self._places = self.ledger.places
        if beside:
            self._ready = beside._alike(self.parameters)
        else:
            self._mount_known(findings)

    def row(self, question: questions.Question, values: Sequence[str]) -> dict[str, Any]:
        for table in self._tables(question.sql):
            self._take(table)
        return self.engine.query(question.sql, {**self.parameters, "values": list(values)})[0]

    def shown(self, sql: str) -> str:
        """The query as it can be run again against the lake: its slices as WITH clauses."""
        slices = [f"{name} AS ({self._select(name)})" for name in self._tables(sql) if name not in _MADE]
        if not slices:
            return sql.strip()
        body = _COMMENTS.sub("", sql.strip(), count=1)
        said = sql.strip().removesuffix(body)
        return f"{said}WITH " + ",\n".join(slices) + (",\n" + body[5:] if body.startswith("WITH ") else "\n" + body)

    def used(self, sql: str, values: Sequence[str]) -> dict[str, Any]:
        """The parameters that `shown(sql)` mentions."""
        text = self.shown(sql)
        return {k: v for k, v in {**self.parameters, "values": list(values)}.items() if re.search(rf"\${k}\b", text)}

    def query(self, sql: str) -> list[dict[str, Any]]:
        """Rows of a query of the investigation's own over the slices."""
        for table in self._tables(sql):
            self._take(table)
        return self.engine.query(sql, self.parameters)

    def basis(self, sql: str, cited: Sequence[str], *, shown: int) -> Basis:
        """What an answer of this query stands on, which cites these events and shows the first ones."""
        return self.ledger.basis(*self._span(sql), cited, self.places(cited), shown=shown)

    def _span(self, sql: str) -> tuple[int, int]:
        """From when to when this query may look, by the slices that it reads."""
        tables = set(self._tables(sql))
        since, until = self.parameters["since"], self.parameters["until"]
        if tables & (_OF_ANY_TIME | _MADE.keys()) or re.search(r"\b(?:FROM|JOIN)\s+events\b", sql):
            return min(since, self.parameters["log_begins"]), until
        if tables == {"subject"}:
            return self.scope.at, self.scope.to
        return (self.scope.at - DAY if tables and tables <= _OF_THE_DAY else since), until

    def places(self, uids: Iterable[str]) -> dict[str, frozenset[str]]:
        """The ledger rows in which records of these events stand: by the slices that were taken, else by the lake,
        at first by its days around the subject."""
        wanted = dict.fromkeys(uids)
        spec = questions.tables().tables
        slices = [
            f"SELECT uid, source_uid FROM {name}"
            for name in self._ready
            if name not in _MADE and not spec[name].columns
        ]
        lake = "SELECT metadata.uid AS uid, source_uid FROM events"
        for select in (" UNION ALL ".join(slices), f"{lake} WHERE event_day BETWEEN $day_before AND $day_after", lake):
            lacking = [uid for uid in wanted if uid not in self._places]
            if lacking and select:
                found: dict[str, set[str]] = {}
                sql = f"SELECT DISTINCT uid, source_uid FROM ({select}) WHERE uid IN (SELECT unnest($uids))"
                for row in self.engine.query(sql, {**self.parameters, "uids": lacking}):
                    found.setdefault(row["uid"], set()).add(row["source_uid"])
                self._places |= {uid: frozenset(places) for uid, places in found.items()}
        self._places |= {uid: frozenset() for uid in wanted if uid not in self._places}  # no longer in the lake
        return {uid: self._places[uid] for uid in wanted}

    def days(self, uids: Iterable[str]) -> list[str]:
        """The days on which these events can have been, by the ledger rows in which they stand."""
        return self.ledger.days(frozenset[str]().union(*self.places(uids).values()))

    @staticmethod
    @lru_cache(maxsize=1024)
    def _tables(sql: str) -> tuple[str, ...]:
        """The slices that this reads, and those that these read, in the order in which they can be taken."""
        found: dict[str, None] = {}
        for name, table in questions.tables().tables.items():
            if re.search(rf"(?:\A|\b(?:FROM|JOIN)\s+){name}\b", sql):
                found.update(dict.fromkeys([*Evidence._tables(table.from_), name]))
        return tuple(found)

    def _select(self, name: str) -> str:
        spec = questions.tables()
        table = spec.tables[name]
        extra = f", {table.extra}" if table.extra else ""
        return f"SELECT {table.columns or f'{spec.columns}, source_uid'}{extra} FROM {table.from_.replace('{session}', SESSION_UID)}"

    def _narrowed(self, name: str) -> str:
        """The same, of the days alone on which its events can be: files of other days are not opened."""
        names, select = questions.tables().tables[name].names, self._select(name)
        if self.index is None or not names:
            return select
        values = frozenset[str]().union(*(self._values_of(each) for each in names))
        if values not in self._days_of:
            self._days_of[values] = self.index.days_of(values)
        days = dialect.listed(self._days_of[values])
        return _EVENTS.sub(lambda at: f"{at[1]}(SELECT * FROM events WHERE event_day IN ({days})) AS events", select)

    def _values_of(self, parameter: str) -> frozenset[str]:
        value = self.parameters[parameter]
        return frozenset((value,) if isinstance(value, str) else value)

    def _alike(self, parameters: Mapping[str, Any]) -> dict[str, None]:
        """The slices that would be the same with these parameters."""
        other = [name for name, value in self.parameters.items() if parameters[name] != value]
        found: dict[str, None] = {}
        for name in self._ready:  # after those that it reads
            if name in _MADE:
                continue  # of whatever it is made, it is of this scope
            sql = self._select(name)
            if found.keys() >= set(self._tables(sql)) and not any(re.search(rf"\${each}\b", sql) for each in other):
                found[name] = None
        return found

    def _take(self, name: str) -> None:
        if name in self._ready:
            return
        if make := _MADE.get(name):
            for table, rows in make(self).items():
                hold(self.engine, table, _ROWS[table], rows)
                self._ready[table] = None
            return
        select = self._narrowed(name)
        with with_sessions(self.engine) if _SESSIONS.search(select) else nullcontext():
            self.engine.execute(f"CREATE OR REPLACE TEMP TABLE {name} AS {select}", self.parameters)
        self._ready[name] = None

    def _mount_known(self, findings: Sequence[Finding]) -> None:
        """What the settings and the earlier findings say, as tables."""
        # Of an observable every finding is another; of a finding those that say the same of the same events are none.
        about, mine = self.scope.finding_uid, set(self.scope.event_uids)
        others = [f for f in findings if not about or (f.uid != about and set(f.event_uids) != mine)]
        hold(self.engine, "other_findings", Finding, others, _OF_FINDINGS)
        hold(self.engine, "lookups", Lookup, self.settings.lookups)
        hold(self.engine, "changes", _Dated, [_Dated.of(change) for change in self.settings.changes])


class _Dated(msgspec.Struct, frozen=True):
    """An approved change with its times in epoch ms."""

    reason: str
    principal: str
    operations: tuple[str, ...]
    since: int
    until: int

    @classmethod
    def of(cls, change: Any) -> _Dated:
        since, until = times.interval(change.since).start, times.interval(change.until).end - 1
        return cls(change.reason, change.principal, change.operations, since, until)


def _named_by_rules(findings: Sequence[Finding], scope: Scope) -> dict[str, list[str]]:
    """What ATT&CK calls it, by the rule of the finding, else by all that alerted on these events: techniques and their tactics."""
    uids, known = set(scope.event_uids), attack.techniques()
    alerted = [f for f in findings if f.uid == scope.finding_uid] or [
        f for f in findings if not uids.isdisjoint(f.event_uids)
    ]
    named = {known[uid].uid: known[uid] for finding in alerted for uid in finding.attacks if uid in known}
    return {
        "techniques": [
            f"{uid} {one.name}" + (f" ({', '.join(one.tactics)})" if one.tactics else "")
            for uid, one in sorted(named.items())
        ]
    }
