"""One pass over the events for all rules: what any rule may want, and then what each rule does match.

1. The events are grouped by a few columns of few values (service, operation, outcome ...). Each rule, weakened to
   these columns, is asked once per group and not once per event: that leaves it a handful of groups.
2. Events of those groups are copied, with the columns that rules read of them. Where the groups of a rule hold a
   large part of all events, its whole condition decides which of them are copied.
3. What the groups do not decide of each rule's condition is asked of the events of its groups.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from trailhound.detections.compile import condition_sql
from trailhound.detections.fields import ROW_FIELDS
from trailhound.detections.predicate import TRUE, Listed, Predicate, Test, columns, relax, without
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
    "resources",
)
# Most of the bytes of an event.
_HEAVY = "raw_data"
GROUPS, CANDIDATES, HITS = "detect_groups", "detect_candidates", "detect_hits"

_COPIED = "detect_copied"
_BATCH = 64  # rules in one statement
_LARGE = 20_000  # events of a rule's groups beyond which, if they are also a good part of all, its condition decides


class Query(NamedTuple):
    """A rule as it is asked: its placeholders filled."""

    predicate: Predicate
    per_resource: bool


def collect(
    engine: DuckDB, queries: Mapping[int, Query], more: Iterable[str], *, since: int | None, until: int | None
) -> dict[int, QueryError]:
    """Fill CANDIDATES and HITS (`rule`, `row`, `resource.*`) with what the queries match among events of
    since <= time < until. `more`: columns wanted besides. Queries that the engine refuses are returned, with why.
    """
    within = _within(since, until)
    try:
        _collect(engine, queries, more, within)
        return {}
    except QueryError:
        refused = _refused(engine, queries)
        if not refused:
            raise
        _collect(engine, {uid: query for uid, query in queries.items() if uid not in refused}, more, within)
        return refused


def _collect(engine: DuckDB, queries: Mapping[int, Query], more: Iterable[str], within: str) -> None:
    keys = ", ".join(column(path) for path in GROUPED)
    named = ", ".join(f"{column(path)} AS {identifier(path)}" for path in GROUPED)
    engine.execute(
        f"CREATE OR REPLACE TEMP TABLE {GROUPS} AS SELECT CAST(row_number() OVER () AS INTEGER) AS grouped, * FROM "
        f"(SELECT {named}, count(*) AS events FROM events WHERE {within} GROUP BY {keys})"
    )
    wanted = _wanted(engine, queries)
    _copy(engine, queries, wanted, more, within)
    _match(engine, queries, wanted)


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
    return relax(predicate, lambda test: not columns(test) & set(ROW_FIELDS))


def drop(engine: DuckDB) -> None:
    engine.execute(f"DROP VIEW IF EXISTS {CANDIDATES}")
    for table in (GROUPS, _COPIED, HITS):
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


def _copy(
    engine: DuckDB, queries: Mapping[int, Query], wanted: Mapping[int, Sequence[int]], more: Iterable[str], within: str
) -> None:
    sizes = {row["grouped"]: row["events"] for row in engine.query(f"SELECT grouped, events FROM {GROUPS}")}
    limit = max(_LARGE, sum(sizes.values()) // 50)
    left = {uid: without(_of_event(query.predicate), _is_grouped) for uid, query in queries.items()}
    large = {uid for uid, groups in wanted.items() if sum(sizes[group] for group in groups) > limit}
    wide = {uid for uid in large if left[uid] != TRUE}
    whole = {group for uid, groups in wanted.items() if uid not in wide for group in groups}
    read = {uid: columns(query.predicate) for uid, query in queries.items()}
    paths = sorted({*SHOWN, *more}.union(*read.values()) - set(ROW_FIELDS))
    asked = {group for groups in wanted.values() for group in groups}
    heavy = {group for uid, groups in wanted.items() if _HEAVY in read[uid] for group in groups}
    if _HEAVY in more:
        heavy = asked
    selects = []
    for groups, unread in ((asked - heavy, _HEAVY), (heavy, "")):
        conditions = [
            f"({_among('picked.grouped', groups.intersection(wanted[uid]))} AND {condition_sql(left[uid])})"
            for uid in sorted(wide)
            if groups.intersection(wanted[uid])
        ]
        met = f"{within} AND (picked.whole OR {' OR '.join(conditions) or 'FALSE'})"
        selects.append(f"{_select(paths, whole, groups, unread)} WHERE {met}")
    engine.execute(f"CREATE OR REPLACE TEMP TABLE {_COPIED} AS {' UNION ALL '.join(selects)}")
    # Numbering them by a window would leave the copying to one thread.
    engine.execute(f"CREATE OR REPLACE TEMP VIEW {CANDIDATES} AS SELECT rowid AS row, * FROM {_COPIED}")


def _select(paths: Iterable[str], whole: set[int], groups: set[int], unread: str) -> str:
    """Events of some groups; `unread`: a column that no rule reads of them."""
    copied = ", ".join(f"{column(path) if path != unread else 'NULL'} AS {identifier(path)}" for path in paths)
    same = (f"{column(path)} IS NOT DISTINCT FROM picked.k{n}" for n, path in enumerate(GROUPED) if path != _ALWAYS)
    keys = ", ".join(f"{identifier(path)} AS k{n}" for n, path in enumerate(GROUPED))
    return (
        f"SELECT picked.grouped, {copied} FROM events JOIN "
        f"(SELECT grouped, {keys}, {_among('grouped', whole)} AS whole FROM {GROUPS} WHERE {_among('grouped', groups)}) "
        f"AS picked ON {column(_ALWAYS)} = picked.k{GROUPED.index(_ALWAYS)} AND {' AND '.join(same)}"
    )


def _match(engine: DuckDB, queries: Mapping[int, Query], wanted: Mapping[int, Sequence[int]]) -> None:
    rows = ", ".join(f"{identifier(path)} VARCHAR" for path in ROW_FIELDS)
    engine.execute(f"CREATE OR REPLACE TEMP TABLE {HITS} (rule INTEGER, row BIGINT, {rows})")
    for some in _batches([uid for uid in queries if wanted[uid]]):
        statements = (_hits(uid, queries[uid], wanted[uid]) for uid in some)
        engine.execute(f"INSERT INTO {HITS} {' UNION ALL '.join(statements)}")


def matched(engine: DuckDB) -> set[int]:
    """Rules with a hit."""
    return {row["rule"] for row in engine.query(f"SELECT DISTINCT rule FROM {HITS}")}


def _hits(uid: int, query: Query, groups: Sequence[int]) -> str:
    source = f"SELECT * FROM {CANDIDATES} WHERE {_among('grouped', groups)}"
    rows = ", ".join(f"NULL AS {identifier(path)}" for path in ROW_FIELDS)
    if query.per_resource:
        # The groups are chosen below the unnesting, which stands in the select list: as a join it costs ten times as much.
        members = ", ".join(f"item.{identifier(path.split('.')[1])} AS {identifier(path)}" for path in ROW_FIELDS)
        source = f"SELECT *, {members} FROM (SELECT *, unnest(resources) AS item FROM ({source}))"
        rows = ", ".join(identifier(path) for path in ROW_FIELDS)
    left = condition_sql(without(query.predicate, _is_grouped), identifier)
    return f"SELECT {uid}, row, {rows} FROM ({source}) WHERE {left}"


def _among(name: str, numbers: Iterable[int]) -> str:
    listed = ", ".join(str(number) for number in sorted(numbers))
    return f"{name} IN ({listed})" if listed else "FALSE"


def _batches(uids: Sequence[int]) -> Iterable[Sequence[int]]:
    return (uids[start : start + _BATCH] for start in range(0, len(uids), _BATCH))
