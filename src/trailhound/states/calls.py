"""The calls of the log that may have written to a resource, and the time of which calls may be missing.

The table of observables says on which days the resource is named, so that no others are read.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import msgspec

from trailhound.engines import dialect
from trailhound.engines.duckdb import DuckDB, Rows
from trailhound.errors import RequestError
from trailhound.ingest import coverage, proofs
from trailhound.ingest.coverage import ALL, Stretch
from trailhound.ingest.ledger import Coverage
from trailhound.ingest.switches import MANAGEMENT
from trailhound.lake.places import Index, condition
from trailhound.lake.times import text
from trailhound.states.history import Hole
from trailhound.states.kinds import Kind
from trailhound.states.places import Call
from trailhound.vocab.aws import MASKS, parse_arn, principal_arn, undated

_COLUMNS = """
metadata.uid AS uid, time, api.operation AS operation, coalesce(cloud.region, '') AS region,
coalesce(cloud.account.uid, '') AS account, principal_uid, api.request.data AS request, api.response.data AS response,
status_id = 1 AND source_uid NOT IN (SELECT uid FROM object_states WHERE state = 'broken') AS certain,
coalesce(metadata.correlation_uid, '') AS copy
"""
_LOST = ("missing", "broken", "logging_stopped", "logging_narrowed")


class Subject(NamedTuple):
    """A resource as the log names it."""

    uid: str
    names: tuple[str, ...]
    account: str


class Span(NamedTuple):
    """From the first to the last event of an account, epoch ms."""

    first: int
    last: int


class Log:
    """The events that are mounted, an index of them if there is one, and what is known of one account's already."""

    def __init__(self, engine: DuckDB, index: Index | None, known: Coverage | None = None) -> None:
        self._engine = engine
        self._index = index
        self._stretches: dict[str, list[Stretch]] = {}
        self._spans: dict[str, Span] = {}
        if known and known.first_time is not None and known.last_time is not None:
            self._stretches[known.account_uid] = _lost(known.lacking)
            self._spans[known.account_uid] = Span(known.first_time, known.last_time)
        proofs.mount_object_states(engine)

    def subject(self, kind: Kind, value: str) -> Subject:
        """The one resource of this kind that the log knows by this id, name or ARN.

        Raises RequestError when no event names it, or when several are called so.
        """
        if kind.regions == "any":  # an account is there without being named
            return Subject(value, (value,), value)
        asked = principal_arn(value)
        where = condition(self._index.equal(asked)) if self._index else "TRUE"
        rows = self._engine.query(
            "SELECT r.uid AS uid, r.name AS name, coalesce(r.account_uid, '') AS owner, cloud.account.uid AS account, "
            f"min(time) AS first FROM (SELECT *, unnest(resources) AS r FROM events WHERE {where}) "
            "WHERE r.type = $type AND (r.uid = $value OR r.name = $value) GROUP BY ALL ORDER BY first, uid, account",
            {"type": kind.type, "value": asked},
        )
        rows = rows or self._actors(kind, asked, where)
        if not rows:
            raise RequestError(
                f"no event names the {kind.type.rpartition('::')[2]} {value}",
                causes=("another spelling", "its logs are not ingested"),
                next_step=f"try `trailhound search '{value}'`",
            )
        exact = {row["uid"] for row in rows if row["uid"] == asked and parse_arn(asked)}
        uids = exact or {row["uid"] for row in rows if parse_arn(row["uid"])} or {row["uid"] for row in rows}
        if len(uids) > 1:
            raise RequestError(
                f"{len(uids)} things of the log are called {value}: {', '.join(sorted(uids)[:5])}",
                next_step="give the ARN of the one that is meant",
            )
        return _subject(uids.pop(), rows)

    def _actors(self, kind: Kind, asked: str, where: str) -> Rows:
        """Users and roles that no call was made to, but that made calls."""
        form = f"arn:%:iam::%:{kind.type.rpartition('::')[2].lower()}/%"
        return self._engine.query(
            "SELECT DISTINCT principal_uid AS uid, split_part(principal_uid, '/', -1) AS name, '' AS owner, '' AS account "
            f"FROM events WHERE {where} AND {dialect.like('principal_uid', form)} "
            "AND (principal_uid = $value OR split_part(principal_uid, '/', -1) = $value) ORDER BY uid",
            {"value": asked},
        )

    def calls(self, kind: Kind, about: Sequence[Subject]) -> list[list[Call]]:
        """For each resource of one kind the calls that name it, and those that may have meant it: whose subject the log
        does not show."""
        service = dialect.equals(dialect.column("api.service.name"), f"{kind.service}.amazonaws.com")
        wrote = f"{service} AND {dialect.one_of('api.operation', kind.calls)} AND status_id IS DISTINCT FROM 2"
        every = sorted({name for one in about for name in one.names})
        names, type_ = dialect.listed(every), dialect.literal(kind.type)
        ours = f"list_filter(resources, lambda r: r.type = {type_} AND (r.uid IN ({names}) OR r.name IN ({names})))"
        accounts = sorted({one.account for one in about})
        days = dialect.one_of("event_day", self._index.days_of([*every, *accounts]) or [""]) if self._index else "TRUE"
        rows = self._engine.query(
            f"SELECT {_COLUMNS}, list_transform({ours}, lambda r: [r.uid, r.name]) AS named FROM events WHERE {days} AND {wrote} "
            f"AND (len({ours}) > 0 OR (list_contains($accounts, coalesce(cloud.account.uid, '')) AND ({_unnamed(kind, every)})))",
            {"accounts": accounts},
        )
        return [_calls_of(one, rows) for one in about]

    def span(self, account: str) -> Span:
        """Raises RequestError when the log has nothing of the account."""
        if account not in self._spans:
            (row,) = self._engine.query(
                "SELECT min(time) AS first, max(time) AS last FROM events WHERE coalesce(cloud.account.uid, '') = $account",
                {"account": account},
            )
            if row["first"] is None:
                raise RequestError(
                    f"the log has nothing of account {account}", next_step="`trailhound status` lists the accounts"
                )
            self._spans[account] = Span(**row)
        return self._spans[account]

    def holes(self, kind: Kind, account: str, regions: Iterable[str]) -> list[Hole]:
        """When calls of the kind may have been made in these Regions that are not in the log."""
        if account not in self._stretches:
            held = coverage.series(self._engine, account)
            self._stretches[account] = _lost(coverage.stretches(self._engine, held))
        places = {ALL, *regions}
        return [
            Hole(one.since, one.until, _because(one), one.kind)
            for one in self._stretches[account]
            if (kind.regions == "any" or one.region in places)
            and (one.what != "global_services" or kind.service == "iam")
        ]


def _lost(stretches: Iterable[Stretch]) -> list[Stretch]:
    return [one for one in stretches if one.kind in _LOST and one.category == MANAGEMENT]


def _subject(uid: str, rows: Rows) -> Subject:
    arn = parse_arn(uid)
    name = next((row["name"] for row in rows if row["uid"] == uid), uid)
    if arn and arn.account.isdigit():
        return Subject(uid, (uid, name), arn.account)
    return Subject(uid, (uid, name), next((row["owner"] for row in rows if row["owner"]), rows[0]["account"] or ""))


def _calls_of(about: Subject, rows: Rows) -> list[Call]:
    found: dict[str, Call] = {}
    for row in rows:
        if row["named"] and not any(name in about.names for pair in row["named"] for name in pair):
            continue
        values = {name: row[name] for name in Call._fields} | {
            name: _object(row[name]) for name in ("request", "response")
        }
        call = Call(**values)._replace(operation=undated(row["operation"]))
        if (other := found.get(call.uid)) and other != call:  # two records of one event that contradict each other
            call = call._replace(certain=False)
        found[call.uid] = call
    return [call for call in found.values() if _here(call, about)]


def _here(call: Call, about: Subject) -> bool:
    """Of a thing that is named by its bare name, another account or Region has another."""
    arn = parse_arn(about.uid)
    return not arn or not arn.account.isdigit() or (call.account == arn.account and arn.region in ("", call.region))


def _unnamed(kind: Kind, names: Iterable[str]) -> str:
    """SQL of calls whose subject the log does not show, or shows by a name that is no id, or does not list."""
    request = "coalesce(api.request.data, '')"
    parts = [f"NOT starts_with({request}, '{{')", f"contains({request}, '\"omitted\"')"]
    parts += [f"contains({request}, {dialect.literal(mask)})" for mask in sorted(MASKS)]
    if kind.prefix:
        improper = f"r.type = {dialect.literal(kind.type)} AND NOT starts_with(r.uid, {dialect.literal(kind.prefix)})"
        parts.append(f"len(list_filter(resources, lambda r: {improper})) > 0")
    unlisted = sorted({call for write in kind.writes if write.unnamed for call in write.calls})
    if unlisted:
        named = " OR ".join(f"contains({request}, {dialect.literal(chr(34) + name + chr(34))})" for name in names)
        parts.append(f"({dialect.one_of('api.operation', unlisted)} AND ({named}))")
    return " OR ".join(parts)


def _object(data: str | None) -> Any:
    try:
        return msgspec.json.decode(data) if data else None
    except (msgspec.DecodeError, RecursionError):  # shows nothing
        return None


def _because(one: Stretch) -> str:
    where = "" if one.region == ALL else f" in {one.region}"
    until = text(one.until) if one.until is not None else "its end"
    return (
        f"the log of account {one.account_uid} may lack calls{where} from {text(one.since)} to {until}: {one.because}"
    )
