"""Hits → the events of findings: episodes of single-event rules, sliding windows of correlations.

A window is closed, [t - timespan, t], and ends in an event: exactly `timespan` apart is together. Times are whole
milliseconds, so no rounding decides. Events at equal times are in each other's windows.

Windows of one group that overlap are one finding: all events of all of them; `counted` is the largest count of any
one window (the smallest, where the rule asks for few), so that "20 within 5 minutes" is true as said.

Windows of what does not follow begin in an event: [t, t + timespan]. They are told only where the log is whole.

A correlation may stand on another: its hits are then the events in which a window of the other is full.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import arro3.core as ac

from trailhound.detections import absence, behind, code_rules
from trailhound.detections.candidates import CANDIDATES, HITS
from trailhound.detections.compile import value_sql
from trailhound.detections.fields import ROW_FIELDS, Field
from trailhound.detections.rules import Base, Chain, Code, Correlation, Operator
from trailhound.engines.dialect import identifier, literal, number, unnest
from trailhound.engines.duckdb import DuckDB

MEMBERS = "detect_members"
_JUDGED = "detect_judged"

_SQL: dict[Operator, str] = {"gt": ">", "gte": ">=", "lt": "<", "lte": "<=", "eq": "=", "neq": "<>"}
_RESOURCE = ", ".join(identifier(path) for path in ROW_FIELDS)
# What only grows when events are added: groups that do not reach the threshold as a whole have no window that does.
_GROWING = {"event_count": "count(*)", "value_count": "count(DISTINCT v)", "temporal": "count(DISTINCT part)"}


def prepare(engine: DuckDB) -> None:
    """MEMBERS: (`rule`, `finding` within the rule, `row`, `resource.*`, `counted`, `grp`: values of its group)."""
    columns = ", ".join(f"{identifier(path)} VARCHAR" for path in ROW_FIELDS)
    engine.execute(
        f"CREATE OR REPLACE TEMP TABLE {MEMBERS} "
        f"(rule INTEGER, finding BIGINT, row BIGINT, {columns}, counted DOUBLE, grp VARCHAR[])"
    )


def drop(engine: DuckDB) -> None:
    engine.execute(f"DROP TABLE IF EXISTS {MEMBERS}")
    engine.execute(f"DROP VIEW IF EXISTS {_JUDGED}")
    absence.drop(engine)
    behind.drop(engine)


def episodes(engine: DuckDB, gaps: Mapping[int, int]) -> None:
    """Hits of one rule, lineage and account with no gap longer than `gaps` (rule → milliseconds).

    Its group is the principal of its first event: that stays what it is when the log tells more of who stood behind it.
    """
    if not gaps:
        return
    behind.collect(engine, gaps)
    principal, account, uid = (identifier(path) for path in ("principal_uid", "cloud.account.uid", "metadata.uid"))
    actor, order = f"rule, lineage, {account}", f"time, {uid}"
    allowed = ", ".join(f"({rule}, {gap})" for rule, gap in gaps.items())
    engine.execute(f"""
        INSERT INTO {MEMBERS}
        WITH apart AS (
            SELECT *, coalesce(origin, {principal}) AS lineage,
                time - lag(time) OVER (PARTITION BY {actor} ORDER BY {order}) AS since_last
            FROM {HITS} JOIN {CANDIDATES} USING (row) JOIN (VALUES {allowed}) AS allowed(rule, gap) USING (rule)
            LEFT JOIN {behind.BEHIND} USING (row)
        ), numbered AS (
            SELECT *, count(*) FILTER (WHERE since_last IS NULL OR since_last > gap)
                OVER (PARTITION BY rule ORDER BY {actor}, {order} RANGE UNBOUNDED PRECEDING) AS finding
            FROM apart
        )
        SELECT rule, finding, row, {_RESOURCE}, NULL,
            first_value([{principal}, {account}]) OVER (PARTITION BY rule, finding ORDER BY {order})
        FROM numbered""")


def correlate(
    engine: DuckDB, rule: int, correlation: Correlation, positions: Mapping[str, int], *, feeds: bool
) -> None:
    """Add the findings of one correlation. `positions`: rule uid → number in HITS; `feeds`: others stand on it."""
    seen = _seen(correlation, positions)
    if correlation.code:
        _judge(engine, correlation.code, correlation, seen)
    steps = f"seen AS ({seen}), {_fired(correlation)}"
    engine.execute(f"INSERT INTO {MEMBERS} WITH {steps}, {_islands(correlation)} {_members(rule, correlation)}")
    if feeds:
        engine.execute(f"INSERT INTO {HITS} WITH {steps} SELECT DISTINCT {rule}, row, {_RESOURCE} FROM fired")


def take_in(engine: DuckDB, rule: int, inner: int) -> None:
    """Findings of a correlation hold the events of the findings of the correlation it stands on, not only their ends."""
    engine.execute(f"""
        INSERT INTO {MEMBERS}
        SELECT DISTINCT outside.rule, outside.finding, inside.row,
            {", ".join(f"inside.{identifier(path)}" for path in ROW_FIELDS)}, outside.counted, outside.grp
        FROM {MEMBERS} AS outside
        JOIN {MEMBERS} AS shared ON shared.row = outside.row AND shared.rule = {inner}
        JOIN {MEMBERS} AS inside ON inside.rule = {inner} AND inside.finding = shared.finding
        WHERE outside.rule = {rule}""")


def _keys(correlation: Correlation) -> list[str]:
    return [f"g{place}" for place in range(max(1, len(correlation.bases[0].groups)))]


def _seen(correlation: Correlation, positions: Mapping[str, int]) -> str:
    """Hits of the bases: row, time, group, what is counted (`v`), which base (`part`, where it matters).

    UNION and not UNION ALL: an event that meets two bases is still one event.
    """
    parts = correlation.kind.startswith("temporal")
    bases = enumerate(correlation.bases)
    return " UNION ".join(_base(correlation, base, positions[base.rule_uid], part * parts) for part, base in bases)


def _base(correlation: Correlation, base: Base, position: int, part: int) -> str:
    """One row per event (per resource, in rules over resources) and combination of values of fields with several.

    Rows without a value for a field of the group, or for what is counted, are left out, as Sigma has it.
    """
    joins: list[str] = []

    def text(field: Field) -> str:
        sql = value_sql(field, identifier)
        if not field.multiple:
            return sql
        joins.append(unnest(sql, f"list{len(joins)}"))
        return f"list{len(joins) - 1}.item"

    groups = [text(field) for field in base.groups] or ["''"]
    values = [] if correlation.code else [text(field) for field in base.values]
    if correlation.kind not in _GROWING:
        values = [number(value) for value in values]
    counted = "NULL" if not values else values[0] if len(values) == 1 else f"concat_ws(chr(31), {', '.join(values)})"
    selected = ", ".join(f"{sql} AS g{place}" for place, sql in enumerate(groups))
    present = " AND ".join(f"{sql} IS NOT NULL" for sql in (*groups, *values))
    hits = f"(SELECT * FROM {HITS} JOIN {CANDIDATES} USING (row) WHERE rule = {position})"
    once = "DISTINCT " if joins else ""  # a list may hold a value twice
    return f"""
        SELECT {once}row, time, {_RESOURCE}, {selected}, {counted} AS v, {part} AS part
        FROM {", ".join([hits, *joins])} WHERE {present}"""


def _fired(correlation: Correlation) -> str:
    """Common table expressions that end in `fired`: rows of `seen` whose window meets the condition, with `measure`."""
    if correlation.kind == "temporal_ordered":
        return _ordered(correlation)
    if correlation.code:
        return (
            f"fired AS (SELECT seen.*, measure FROM seen JOIN {_JUDGED} USING ({', '.join(_keys(correlation))}, time))"
        )
    keys, span = ", ".join(_keys(correlation)), literal(correlation.timespan_ms)
    frame = f"PARTITION BY {keys} ORDER BY time RANGE BETWEEN {span} PRECEDING AND CURRENT ROW"
    if correlation.expression:
        present = (f"bool_or(part = {n}) OVER sliding AS p{n}" for n in range(len(correlation.bases)))
        return f"""fired AS (
            SELECT *, 1 AS measure FROM (SELECT *, {", ".join(present)} FROM seen WINDOW sliding AS ({frame}))
            WHERE {correlation.expression})"""
    measure = {
        **_GROWING,
        "value_sum": "sum(v)",
        "value_avg": "avg(v)",
        "value_median": "median(v)",
        "value_percentile": f"quantile_cont(v, {literal(correlation.percentile / 100)})",
    }[correlation.kind]
    met = " AND ".join(f"measure {_SQL[t.operator]} {literal(t.number)}" for t in correlation.thresholds)
    return f"""busy AS ({_busy(correlation, keys)}), fired AS (
        SELECT * FROM (SELECT *, {measure} OVER ({frame}) AS measure FROM busy) WHERE {met})"""


def _judge(engine: DuckDB, code: Code, correlation: Correlation, seen: str) -> None:
    """_JUDGED: (`g0` ..., `time`, `measure`), the windows in which the code counted something, by where they end."""
    keys, values = _keys(correlation), correlation.bases[0].values
    asked = [f"{value_sql(field, identifier)} AS v{place}" for place, field in enumerate(values)]
    uid, names = identifier("metadata.uid"), [f"v{place}" for place in range(len(values))]
    rows = engine.query(
        f"WITH seen AS ({seen}) SELECT DISTINCT [{', '.join(keys)}] AS key, time, {', '.join([f'{uid} AS uid', *asked])} "
        f"FROM (SELECT DISTINCT row, {', '.join(keys)} FROM seen) JOIN {CANDIDATES} USING (row) "
        f"ORDER BY {', '.join(['key', 'time', 'uid', *names])}"
    )
    events = [{**row, "values": [row[name] for name in names]} for row in rows]
    judged = code_rules.judge(code, correlation.timespan_ms, events)
    columns = {
        **{key: ac.Array([one[0][place] for one in judged], ac.DataType.string()) for place, key in enumerate(keys)},
        "time": ac.Array([one[1] for one in judged], ac.DataType.int64()),
        "measure": ac.Array([float(one[2]) for one in judged], ac.DataType.float64()),
    }
    engine.mount_arrow(_JUDGED, ac.Table.from_pydict(columns))


def _busy(correlation: Correlation, keys: str) -> str:
    """Rows of groups that could reach the threshold at all; windows are computed for no others."""
    least = [
        f"{_GROWING[correlation.kind]} {_SQL[t.operator]} {literal(t.number)}"
        for t in correlation.thresholds
        if t.operator in ("gt", "gte") and correlation.kind in _GROWING
    ]
    if not least:
        return "SELECT * FROM seen"
    return f"""
        SELECT seen.* FROM seen
        JOIN (SELECT {keys} FROM seen GROUP BY {keys} HAVING {" AND ".join(least)}) USING ({keys})"""


def _ordered(correlation: Correlation) -> str:
    """Of each event the nearest chain that ends in it, or begins in it where windows lie after their first event.

    Chains are walked from their far end to the event that their window belongs to, and share what they walk alike.
    """
    keys, span = ", ".join(_keys(correlation)), literal(correlation.timespan_ms)
    after = correlation.after
    way = "CURRENT ROW AND UNBOUNDED FOLLOWING" if after else "UNBOUNDED PRECEDING AND CURRENT ROW"
    walks = {chain: chain.present[::-1] if after else chain.present for chain in correlation.chains}
    steps, before = [], "seen"
    for length in range(1, max(map(len, walks.values())) + 1):
        columns = []
        for walk in sorted({walk[:length] for walk in walks.values() if len(walk) >= length}):
            nearest = f"{'min' if after else 'max'}({_far(walk[:-1])}) OVER ({_frame(keys, way)})"
            columns.append(f"CASE WHEN part = {walk[-1]} THEN {nearest if walk[1:] else 'time'} END AS {_far(walk)}")
        steps.append(f"walk{length} AS (SELECT *, {', '.join(columns)} FROM {before})")
        before = f"walk{length}"
    window = f"CURRENT ROW AND {span} FOLLOWING" if after else f"{span} PRECEDING AND CURRENT ROW"
    absent = sorted({part for chain in walks for part in chain.absent})
    there = "".join(f", bool_or(part = {part}) OVER ({_frame(keys, window)}) AS p{part}" for part in absent)
    met = " OR ".join(_met(chain, walk, span) for chain, walk in walks.items())
    steps.append(f"met AS (SELECT * FROM (SELECT *, 1 AS measure{there} FROM {before}) WHERE {met})")
    return ", ".join((*steps, f"fired AS ({_certain(span) if after else 'SELECT * FROM met'})"))


def _frame(keys: str, between: str) -> str:
    return f"PARTITION BY {keys} ORDER BY time RANGE BETWEEN {between}"


def _far(walk: Sequence[int]) -> str:
    """Column with the time of the far end of this walk."""
    return f"far{'_'.join(map(str, walk))}"


def _met(chain: Chain, walk: Sequence[int], span: str) -> str:
    near = [f"abs(time - {_far(walk)}) <= {span}"] if walk else []
    return "(" + " AND ".join([*near, *(f"NOT p{part}" for part in chain.absent)]) + ")"


def _certain(span: str) -> str:
    """What did not follow is told only where the log would show it."""
    whole = absence.certain(f"found.{identifier('cloud.account.uid')}", "met.time", f"met.time + {span}")
    return f"SELECT met.* FROM met JOIN {CANDIDATES} AS found ON found.row = met.row WHERE {whole}"


def _islands(correlation: Correlation) -> str:
    """`islands`: runs of windows that overlap, from the beginning of the first (`low`) to the end of the last."""
    keys, span = ", ".join(_keys(correlation)), literal(correlation.timespan_ms)
    few = correlation.thresholds and all(t.operator in ("lt", "lte") for t in correlation.thresholds)
    counted = "NULL" if correlation.kind.startswith("temporal") else f"{'min' if few else 'max'}(measure)"
    low, high = ("0", span) if correlation.after else (span, "0")
    return f"""
        apart AS (SELECT *, time - lag(time) OVER (PARTITION BY {keys} ORDER BY time) AS since_last FROM fired),
        numbered AS (
            SELECT *, count(*) FILTER (WHERE since_last IS NULL OR since_last > {span})
                OVER (ORDER BY {keys}, time RANGE UNBOUNDED PRECEDING) AS finding
            FROM apart
        ),
        islands AS (
            SELECT {keys}, finding, min(time) - {low} AS low, max(time) + {high} AS high, {counted} AS counted
            FROM numbered GROUP BY {keys}, finding
        )"""


def _members(rule: int, correlation: Correlation) -> str:
    """Joined by time and not marked on the way, because a window that is full takes in the events before."""
    keys = _keys(correlation)
    same = " AND ".join(f"seen.{key} = islands.{key}" for key in keys)
    return f"""
        SELECT DISTINCT {rule}, finding, seen.row, {", ".join(f"seen.{identifier(path)}" for path in ROW_FIELDS)},
            CAST(counted AS DOUBLE), [{", ".join(f"islands.{key}" for key in keys)}]
        FROM seen JOIN islands ON {same} AND seen.time BETWEEN low AND high"""
