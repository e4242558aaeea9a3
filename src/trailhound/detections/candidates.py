"""One pass over the events for all rules: what any rule may want, and then what each rule does match.

1. The events are grouped by a few columns of few values (service, operation, outcome ...). Each rule, weakened to
   these columns, is asked once per group and not once per event: that leaves it a handful of groups.
2. Events of those groups are copied, with the columns that rules read of them. Where the groups of a rule hold a
   large part of all events, its whole condition decides which of them are copied: the copy says so, and what the
   condition reads need not be part of it.
3. What is not decided by then of each rule's condition is asked of the events of its groups.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

from trailhound.detections.compile import condition_sql
from trailhound.detections.fields import ROW_FIELDS, Field
from trailhound.detections.predicate import (
    TRUE,
    All,
    Any,
    Listed,
    Not,
    Predicate,
    Regex,
    Test,
    columns,
    relax,
    rewrite,
    without,
)
from trailhound.engines.dialect import column, identifier, literal
from trailhound.engines.duckdb import DuckDB
from trailhound.errors import QueryError

GROUPED = (
    "api.service.name",
    "api.operation",
    "api.response.error",
    "status_id",
    "denied",
    "read_only",
    "metadata.event_code",
    "actor.user.type",
    "actor.invoked_by",
)
# Never NULL: only plain equality lets the engine skip what cannot match before it reads the other columns.
_ALWAYS = "api.operation"
# What every finding shows.
SHOWN = (
    "time",
    "metadata.uid",
    "principal_uid",
    "cloud.account.uid",
    "cloud.region",
    "src_endpoint.ip",
    "api.operation",
    "status_id",
    "resources",
)
# Of events that only some queries ask for: `resources` are fetched for those that end in a finding.
_NARROW = tuple(path for path in SHOWN if path != "resources")
# Most of the bytes of an event.
_RECORD = "raw_data"
_HEAVY = frozenset({_RECORD, "api.request.data", "api.response.data"})
GROUPS, CANDIDATES, HITS = "detect_groups", "detect_candidates", "detect_hits"

_COPIED, _ASKED, _LATE = "detect_copied", "detect_asked", "detect_late"
_BATCH = 64  # rules in one statement
_LARGE = 20_000  # events of a rule's groups beyond which its condition decides which of them are copied
_PLAIN_KEY = re.compile(r"[A-Za-z0-9_-]+")


class Query(NamedTuple):
    """A rule as it is asked: its placeholders filled."""

    predicate: Predicate
    per_resource: bool
    more: frozenset[str] = frozenset()  # columns that correlations read of what it matches


class _Plan(NamedTuple):
    """By query what is asked of it, and where."""

    wanted: dict[int, list[int]]  # groups in which it may match
    whole: set[int]  # groups whose events are all copied
    wide: dict[
        int, Predicate
    ]  # of queries over much: the condition on which an event is copied, where it is not anyway
    left: dict[int, Predicate]  # what is to be asked of the copies of its groups
    read: dict[int, frozenset[str]]  # columns that the copies of its groups need


def collect(
    engine: DuckDB, queries: Mapping[int, Query], *, since: int | None, until: int | None
) -> dict[int, QueryError]:
    """Fill CANDIDATES and HITS (`rule`, `row`, `resource.*`) with what the queries match among events of
    since <= time < until. Queries that the engine refuses are returned, with why.
    """
    within = _within(since, until) if queries else "FALSE"
    try:
        _collect(engine, queries, within)
        return {}
    except QueryError:
        refused = _refused(engine, queries)
        if not refused:
            raise
        _collect(engine, {uid: query for uid, query in queries.items() if uid not in refused}, within)
        return refused


def _collect(engine: DuckDB, queries: Mapping[int, Query], within: str) -> None:
    keys = ", ".join(column(path) for path in GROUPED)
    named = ", ".join(f"{column(path)} AS {identifier(path)}" for path in GROUPED)
    engine.execute(
        f"CREATE OR REPLACE TEMP TABLE {GROUPS} AS SELECT CAST(row_number() OVER () AS INTEGER) AS grouped, * FROM "
        f"(SELECT {named}, count(*) AS events FROM events WHERE {within} GROUP BY {keys})"
    )
    plan = _plan(engine, queries)
    _copy(engine, plan, within)
    _match(engine, queries, plan)


def _refused(engine: DuckDB, queries: Mapping[int, Query]) -> dict[int, QueryError]:
    """Slow, and only asked for when something was refused: a rule of a user must not stop the others."""
    refused = {}
    for uid, query in queries.items():
        try:
            engine.query(f"SELECT count(*) FROM events WHERE {condition_sql(_of_event(query.predicate))}")
        except QueryError as error:
            refused[uid] = error
    return refused


def _of_event(predicate: Predicate) -> Predicate:
    """What a condition over resources says of the event alone."""
    return relax(predicate, _is_of_event)


def _is_of_event(test: Test) -> bool:
    return not columns(test) & set(ROW_FIELDS)


def drop(engine: DuckDB) -> None:
    engine.execute(f"DROP VIEW IF EXISTS {CANDIDATES}")
    for table in (GROUPS, _COPIED, HITS, _ASKED, _LATE):
        engine.execute(f"DROP TABLE IF EXISTS {table}")


def _within(since: int | None, until: int | None) -> str:
    """`event_day` besides `time`, because it is what the files are laid out by."""
    limits = []
    for sign, limit in ((">=", since), ("<", until)):
        if limit is not None:
            day = f"strftime(make_timestamp_ms({literal(limit)}), '%Y-%m-%d')"
            limits.append(f"time {sign} {literal(limit)} AND event_day {'>=' if sign == '>=' else '<='} {day}")
    return " AND ".join(limits) or "TRUE"


def _is_grouped(test: Test) -> bool:
    return not isinstance(test.match, Listed) and columns(test) <= set(GROUPED)


def _wanted(engine: DuckDB, queries: Mapping[int, Query]) -> dict[int, list[int]]:
    """Groups in which each query may match."""
    weak = {uid: condition_sql(relax(query.predicate, _is_grouped), identifier) for uid, query in queries.items()}
    found: dict[int, list[int]] = {}
    for some in _batches(list(weak)):
        lists = ", ".join(f"list(grouped ORDER BY grouped) FILTER (WHERE {weak[uid]}) AS r{uid}" for uid in some)
        row = engine.query(f"SELECT {lists} FROM {GROUPS}")[0]
        found.update({uid: row[f"r{uid}"] or [] for uid in some})
    return found


def _plan(engine: DuckDB, queries: Mapping[int, Query]) -> _Plan:
    wanted = _wanted(engine, queries)
    sizes = {row["grouped"]: row["events"] for row in engine.query(f"SELECT grouped, events FROM {GROUPS}")}
    large = {uid for uid, groups in wanted.items() if sum(sizes[group] for group in groups) > _LARGE}
    of_event = {uid: without(_of_event(queries[uid].predicate), _is_grouped) for uid in sorted(large)}
    wide = {uid: condition for uid, condition in of_event.items() if condition != TRUE}
    whole = {group for uid, groups in wanted.items() if uid not in wide for group in groups}
    left = {
        uid: without(query.predicate, _is_of_event if uid in wide else _is_grouped) for uid, query in queries.items()
    }
    read = {uid: _read(left[uid], query) for uid, query in queries.items()}
    return _Plan(wanted, whole, wide, left, read)


def _read(left: Predicate, query: Query) -> frozenset[str]:
    return (columns(left) | query.more | ({"resources"} if query.per_resource else set())) - set(ROW_FIELDS)


def _copy(engine: DuckDB, plan: _Plan, within: str) -> None:
    """Twice over the events, because a column that is read for some of them is decompressed for nearly all."""
    asked = {group for groups in plan.wanted.values() for group in groups}
    full = plan.whole | _groups(plan, lambda uid: _RECORD in plan.read[uid] | columns(plan.wide.get(uid, TRUE)))
    paths = sorted({*SHOWN}.union(*plan.read.values()))
    selects = []
    for groups, always in ((asked - full, _NARROW), (full, SHOWN)):
        read = {path: _groups(plan, lambda uid, path=path: path in plan.read[uid]) & groups for path in paths}
        read |= dict.fromkeys(always, groups)
        copied = [f"{_where(path, read[path], groups)} AS {identifier(path)}" for path in paths]
        selects.append(_select(plan, groups, copied, within))
    with engine.as_written():
        engine.execute(f"CREATE OR REPLACE TEMP TABLE {_COPIED} AS {' UNION ALL '.join(selects)}")
    # Numbering them by a window would leave the copying to one thread.
    engine.execute(f"CREATE OR REPLACE TEMP VIEW {CANDIDATES} AS SELECT rowid AS row, * FROM {_COPIED}")


def _groups(plan: _Plan, chosen: Callable[[int], bool]) -> set[int]:
    """In which any of the chosen queries may match."""
    return {group for uid, groups in plan.wanted.items() if chosen(uid) for group in groups}


def _where(path: str, read: set[int], groups: set[int]) -> str:
    """A column where it is read, else NULL of its type; a small one is copied for all groups when it is for some."""
    if read == groups or (read and path not in _HEAVY):
        return column(path)
    return f"CASE WHEN {_among('picked.grouped', read)} THEN {column(path)} END"


def _select(plan: _Plan, groups: set[int], copied: Iterable[str], within: str) -> str:
    """Events of some groups, and which of the wide queries each meets."""
    near = [uid for uid in plan.wide if not groups.isdisjoint(plan.wanted[uid])]
    # In WHEN, unlike in a select list, the engine asks no further where the first part of a conjunction is false.
    flags = {uid: f"CASE WHEN near{uid} AND {_quickly(plan.wide[uid])} THEN TRUE ELSE FALSE END" for uid in near}
    met = "".join(f", {flags.get(uid, 'FALSE')} AS {_flag(uid)}" for uid in plan.wide)
    keys = ", ".join(f"{identifier(path)} AS k{n}" for n, path in enumerate(GROUPED))
    asking = "".join(f", {_among('grouped', plan.wanted[uid])} AS near{uid}" for uid in near)
    same = (f"{column(path)} IS NOT DISTINCT FROM picked.k{n}" for n, path in enumerate(GROUPED) if path != _ALWAYS)
    return (
        f"SELECT * FROM (SELECT picked.grouped, picked.whole, {', '.join(copied)}{met} FROM events JOIN "
        f"(SELECT grouped, {keys}, {_among('grouped', plan.whole)} AS whole{asking} FROM {GROUPS} "
        f"WHERE {_among('grouped', groups)}) AS picked "
        f"ON {column(_ALWAYS)} = picked.k{GROUPED.index(_ALWAYS)} AND {' AND '.join(same)} WHERE {within}) "
        f"WHERE {' OR '.join(['whole', *map(_flag, near)])}"
    )


def _flag(uid: int) -> str:
    return f"met{uid}"


def _quickly(predicate: Predicate) -> str:
    """SQL of the same condition, with what is cheap to ask before what is dear."""
    return condition_sql(_cheap_first(rewrite(predicate, _hinted)))


def _cheap_first(predicate: Predicate) -> Predicate:
    match predicate:
        case All(parts) | Any(parts):
            ordered = sorted(map(_cheap_first, parts), key=lambda part: bool(columns(part) & _HEAVY))
            return type(predicate)(tuple(ordered))
        case Not(part):
            return Not(_cheap_first(part))
    return predicate


def _hinted(test: Test) -> Predicate:
    """A value in JSON is absent where the text holds neither its key nor an escape that may spell the key."""
    field = test.field
    if field.kind != "json" or not _PLAIN_KEY.fullmatch(field.keys[-1]):
        return test
    return All((Test(Field(field.name, "text", field.columns), Regex(f'"{field.keys[-1]}"|\\\\')), test))


def _match(engine: DuckDB, queries: Mapping[int, Query], plan: _Plan) -> None:
    rows = ", ".join(f"{identifier(path)} VARCHAR" for path in ROW_FIELDS)
    engine.execute(f"CREATE OR REPLACE TEMP TABLE {HITS} (rule INTEGER, row BIGINT, {rows})")
    for some in _batches([uid for uid in queries if plan.wanted[uid]]):
        statements = (_hits(uid, queries[uid], plan) for uid in some)
        engine.execute(f"INSERT INTO {HITS} {' UNION ALL '.join(statements)}")


def complete(engine: DuckDB, members: str) -> None:
    """CANDIDATES gets the resources of those rows in the table `members` that were copied without."""
    events = again(engine, _ASKED, f"{CANDIDATES} WHERE NOT whole AND row IN (SELECT row FROM {members})")
    if not events:
        return
    # An event stands once in a lake; of events that are the same but for their resources one is as good as another.
    with engine.as_written():
        engine.execute(
            f"CREATE OR REPLACE TEMP TABLE {_LATE} AS SELECT row, max(resources) AS resources FROM {events} GROUP BY row"
        )
    engine.execute(
        f"CREATE OR REPLACE TEMP VIEW {CANDIDATES} AS SELECT copied.* REPLACE (coalesce(copied.resources, late.resources) "
        f"AS resources) FROM (SELECT rowid AS row, * FROM {_COPIED}) AS copied LEFT JOIN {_LATE} AS late USING (row)"
    )


def again(engine: DuckDB, table: str, wanted: str) -> str:
    """Candidates, as the whole events that they are copies of: SQL after FROM, `events` joined with `sought`, which
    has `row` and `principal`; "" when there are none. `wanted`: SQL after FROM that gives the candidates.

    `table` is made for it, and is the caller's to drop.
    """
    uid, principal, operation = map(identifier, ("metadata.uid", "principal_uid", "api.operation"))
    engine.execute(
        f"CREATE OR REPLACE TEMP TABLE {table} AS SELECT DISTINCT row, {uid} AS uid, {principal} AS principal, "
        f"{operation} AS operation, time, strftime(make_timestamp_ms(time), '%Y-%m-%d') AS day FROM {wanted}"
    )
    days = [literal(row["day"]) for row in engine.query(f"SELECT DISTINCT day FROM {table} ORDER BY day")]
    if not days:
        return ""
    return (
        f"(SELECT * FROM events WHERE event_day IN ({', '.join(days)})) AS events JOIN {table} AS sought ON "
        f"{column('metadata.uid')} = sought.uid AND events.time = sought.time AND {column('api.operation')} = sought.operation"
    )


def matched(engine: DuckDB) -> set[int]:
    """Rules with a hit."""
    return {row["rule"] for row in engine.query(f"SELECT DISTINCT rule FROM {HITS}")}


def _hits(uid: int, query: Query, plan: _Plan) -> str:
    met = f" AND {_flag(uid)}" if uid in plan.wide else ""
    source = f"SELECT * FROM {CANDIDATES} WHERE {_among('grouped', plan.wanted[uid])}{met}"
    rows = ", ".join(f"NULL AS {identifier(path)}" for path in ROW_FIELDS)
    if query.per_resource:
        # The groups are chosen below the unnesting, which stands in the select list: as a join it costs ten times as much.
        members = ", ".join(f"item.{identifier(path.split('.')[1])} AS {identifier(path)}" for path in ROW_FIELDS)
        source = f"SELECT *, {members} FROM (SELECT *, unnest(resources) AS item FROM ({source}))"
        rows = ", ".join(identifier(path) for path in ROW_FIELDS)
    return f"SELECT {uid}, row, {rows} FROM ({source}) WHERE {condition_sql(plan.left[uid], identifier)}"


def _among(name: str, numbers: Iterable[int]) -> str:
    listed = ", ".join(str(number) for number in sorted(numbers))
    return f"{name} IN ({listed})" if listed else "FALSE"


def _batches(uids: Sequence[int]) -> Iterable[Sequence[int]]:
    return (uids[start : start + _BATCH] for start in range(0, len(uids), _BATCH))
