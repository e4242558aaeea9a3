"""The derived tables, kept equal to what the events say.

A daily table is, for each UTC day, a function of the events of that day; a whole table is a function of
other tables. Each is declared by the module that knows what it means, and `derive` does the rest: a day is
derived again when the files of its events have changed, when what it `also` depends on has, or when the
declaration has. So late events, corrections and an interrupted run need no rule of their own, and deriving
everything anew gives the same tables.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date, timedelta
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from trailhound.engines import dialect
from trailhound.engines.duckdb import DuckDB, Rows
from trailhound.lake import arrow
from trailhound.lake.lake import Lake
from trailhound.lake.tables import TABLES

STATE = "derived.json"  # table → what of it ("" for a whole table) → stamp of what it was derived from

_AT_ONCE = 256 << 20  # bytes of events whose days are derived in one commit; what bounds the memory
_WEEK = "strftime(date_trunc('week', CAST(event_day AS DATE)), '%Y-%m-%d')"  # as `week` has it


class Daily(NamedTuple):
    """A table with the columns `event_day` and `week`."""

    table: str
    version: int  # raised when the same events would give other rows
    select: str  # SQL over `events`, which holds the days at hand; gives every column but `week`
    prepare: Callable[[DuckDB], None] | None = None  # makes what `select` reads beside `events`
    needs: tuple[str, ...] = ()  # derived tables it reads, mounted whole
    also: str = ""  # SQL over `needs`: (event_day, stamp) of what of them a day was derived from


class Whole(NamedTuple):
    """A table made anew from other tables whenever one of them changes."""

    table: str
    version: int
    make: Callable[[DuckDB], Any]  # rows through the Arrow C stream interface
    needs: tuple[str, ...]  # tables it reads, derived or not


Derived = Daily | Whole
_State = dict[str, dict[str, str]]


def derive(lake: Lake, declared: Sequence[Derived]) -> dict[str, int]:
    """Bring the tables up to date, in the order given; how many days (or 1) were derived, by table.

    Raises WorkspaceError when the lake cannot be read or written.
    """
    done: dict[str, int] = {}
    shapes = (f"{one.table} {one.version} {TABLES[one.table].columns}" for one in declared)
    whole = stamp_of(*shapes, *_names(lake.files("events")))
    if _read(lake.root).get("events") == {"": whole}:
        return done
    with lake.lock():
        state = _read(lake.root)
        for one in declared:
            if lake.reshape(one.table):
                state.pop(one.table, None)
            done[one.table] = _daily(lake, one, state) if isinstance(one, Daily) else _whole(lake, one, state)
        _remember(lake, state, "events", {"": whole})
        lake.close()
        lake.vacuum()
    return done


def current(lake: Lake, one: Daily) -> dict[str, str | None]:
    """Days of the events → stamp of the day, None where the table is behind them.

    A day that has the same stamp before tables are mounted and after it is the same in both.
    """
    days, known = lake.partitions("events"), _read(lake.root).get(one.table, {})
    return {day: stamp if known.get(day) == stamp else None for day, stamp in stamps(lake, one, days).items()}


def stamps(lake: Lake, one: Daily, days: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """Day → stamp of what its rows are to be derived from. `days`: the files of each, see `Lake.partitions`."""
    wanted = {day: stamp_of(str(one.version), *_names(files)) for day, files in days.items()}
    for row in _also(lake, one):
        if row["event_day"] in wanted:
            wanted[row["event_day"]] = stamp_of(wanted[row["event_day"]], str(row["stamp"]))
    return wanted


def _daily(lake: Lake, one: Daily, state: _State) -> int:
    days = lake.partitions("events")
    wanted = stamps(lake, one, days)
    known = dict(state.get(one.table, {}))
    changed = sorted(day for day in wanted.keys() | known.keys() if wanted.get(day) != known.get(day))
    for now in _portions(changed, days):
        _write(lake, one, days, now)
        known = {day: stamp for day, stamp in known.items() if day not in now}
        known |= {day: wanted[day] for day in now if day in wanted}
        _remember(lake, state, one.table, known)
    return len(changed)


def _also(lake: Lake, one: Daily) -> Rows:
    if not one.also:
        return []
    with _engine(lake) as engine:
        lake.mount(engine, one.needs)
        return engine.query(one.also)


def _portions(changed: Sequence[str], days: Mapping[str, Sequence[str]]) -> Iterator[list[str]]:
    """Whole weeks of changed days, as many as one commit should hold: a week is rewritten as a whole."""
    portion, size = list[str](), 0
    for _, of_week in groupby(changed, week):
        those = list(of_week)
        portion += those
        size += sum(Path(path).stat().st_size for day in those for path in days.get(day, ()))
        if size > _AT_ONCE:
            yield portion
            portion, size = [], 0
    if portion:
        yield portion


def _write(lake: Lake, one: Daily, days: Mapping[str, Sequence[str]], changed: Sequence[str]) -> None:
    layout, events = TABLES[one.table], TABLES["events"]
    files = [path for day in changed for path in days.get(day, ())]
    weeks = sorted({week(day) for day in changed})
    names = ", ".join(dialect.identifier(column.path) for column in layout.columns)
    with _engine(lake) as engine:
        engine.mount("events", files, ddl=arrow.ddl(events.columns), partition=events.partition)
        lake.mount(engine, (one.table, *one.needs))
        if one.prepare:
            one.prepare(engine)
        rows = engine.stream(
            f"SELECT {names} FROM {one.table} WHERE week IN ({dialect.listed(weeks)}) AND event_day NOT IN ({dialect.listed(changed)}) "
            f"UNION ALL SELECT {names} FROM (SELECT *, {_WEEK} AS week FROM ({one.select})) "
            f"ORDER BY week, {', '.join(layout.sort)}"
        )
        lake.replace(one.table, rows, weeks)


def _whole(lake: Lake, one: Whole, state: _State) -> int:
    stamp = stamp_of(str(one.version), *(path for name in one.needs for path in _names(lake.files(name))))
    if state.get(one.table) == {"": stamp}:
        return 0
    with _engine(lake) as engine:
        lake.mount(engine, one.needs)
        lake.replace(one.table, one.make(engine))
    _remember(lake, state, one.table, {"": stamp})
    return 1


def week(day: str) -> str:
    """Monday of the week of a day, both YYYY-MM-DD."""
    at = date.fromisoformat(day)
    return (at - timedelta(days=at.weekday())).isoformat()


@contextmanager
def _engine(lake: Lake) -> Iterator[DuckDB]:
    engine = DuckDB(temp_directory=lake.root / ".spill")
    try:
        yield engine
    finally:
        engine.close()


def _read(root: Path) -> _State:
    """A state that cannot be read is none: all is derived again."""
    try:
        return msgspec.json.decode((root / STATE).read_bytes(), type=_State)
    except (OSError, msgspec.MsgspecError):
        return {}


def _remember(lake: Lake, state: _State, table: str, made: dict[str, str]) -> None:
    state[table] = made
    lake.write_file(STATE, msgspec.json.encode(state, order="sorted"))


def stamp_of(*parts: str) -> str:
    return hashlib.blake2b("\n".join(parts).encode(), digest_size=12).hexdigest()


def _names(files: Iterable[str]) -> list[str]:
    """No two files have the same; and it stays when the workspace is copied or moved."""
    return sorted("/".join(Path(path).parts[-2:]) for path in files)
