"""SQL written by a user: one reading statement over the lake's tables, or a refusal that says why.

The statement is read by the engine's own parser (`json_serialize_sql`), so that no comment, quote or
dialect trick can mean one thing to the guard and another to what runs. Behind the guard stands the
engine's confinement: even a statement that slipped through reaches no file, network or setting outside.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Any, NoReturn

import msgspec

from trailhound.engines.duckdb import DuckDB, Rows
from trailhound.errors import QueryError

# What may stand in FROM; everything else (files, remote tables, settings) is refused by not being here.
_SOURCES = {"BASE_TABLE", "JOIN", "SUBQUERY", "TABLE_FUNCTION", "EMPTY", "EXPRESSION_LIST", "PIVOT", "SHOW_REF"}
_TABLE_FUNCTIONS = {"unnest", "range", "generate_series", "json_each", "json_tree"}
_MACROS = ("list_", "array_", "json")  # macros of the engine whose bodies are pure
_PURE_MACROS = {"nullif", "if", "split_part", "date_add", "days_in_month", "geomean", "weighted_avg", "pg_typeof"}
_CLOCK = {"now", "today", "current_date", "get_current_time", "get_current_timestamp", "transaction_timestamp"}


def run(engine: DuckDB, query: str, *, tables: Collection[str], directories: Sequence[Path]) -> Rows:
    """Check `query`, confine `engine` for good to `directories`, run.

    Raises QueryError. The engine serves nothing else afterwards that needs a file outside.
    """
    check(engine, query, tables=tables)
    engine.confine(directories)
    return engine.query(query)


def check(engine: DuckDB, query: str, *, tables: Collection[str]) -> None:
    """Raises QueryError unless `query` is one SELECT, WITH or DESCRIBE over `tables` by pure functions."""
    if bad := re.search("[\0\ud800-\udfff]", query):
        raise QueryError(
            f"the statement holds the character {bad[0]!r}",
            causes=("text in an encoding other than UTF-8",),
            next_step="write it in UTF-8, without NUL",
        )
    guard = _Guard(engine, query, tables)
    guard.node(guard.statement(), frozenset())


class _Guard:
    def __init__(self, engine: DuckDB, query: str, tables: Collection[str]) -> None:
        self.query = query
        self.tables = {table.lower() for table in tables}
        answer = engine.query("SELECT json_serialize_sql($query) AS tree", {"query": query})[0]["tree"]
        self.read = msgspec.json.decode(answer)
        self.functions = _functions(engine)

    def statement(self) -> dict[str, Any]:
        if self.read["error"]:
            self._not_a_query()
        statements = self.read["statements"]
        if len(statements) != 1:
            self._refuse(f"there are {len(statements)} statements, and one is run at a time", None)
        return statements[0]["node"]

    def node(self, node: Any, visible: frozenset[str]) -> None:
        """Walk the tree; `visible` are the names that WITH has defined for this part of it."""
        if isinstance(node, list):
            for item in node:
                self.node(item, visible)
            return
        if not isinstance(node, dict):
            return
        if "cte_map" in node:
            visible = self._with(node["cte_map"]["map"], visible)
        if "class" in node:
            self._expression(node)
        elif "type" in node and "sample" in node and "alias" in node:
            self._source(node, visible)
        for key, value in node.items():
            if key != "cte_map":
                self.node(value, visible)

    def _with(self, definitions: list[dict[str, Any]], visible: frozenset[str]) -> frozenset[str]:
        # A name is visible to what follows it, and to itself only when recursive: elsewhere it may be a file.
        for definition in definitions:
            name = definition["key"].lower()
            body = definition["value"]["query_node"]
            recursive = body["type"] == "RECURSIVE_CTE_NODE"
            self.node(definition["value"], visible | {name} if recursive else visible)
            visible |= {name}
        return visible

    def _source(self, node: dict[str, Any], visible: frozenset[str]) -> None:
        kind = node["type"]
        if kind not in _SOURCES:
            self._refuse(f"{kind.lower().replace('_', ' ')} is not available here", node)
        if kind == "BASE_TABLE" or (kind == "SHOW_REF" and node["query"] is None and node["table_name"]):
            path = [part.lower() for part in node["qualified_name"]["path"]]
            if path == ['"tables"'] and kind == "SHOW_REF":
                return
            if len(path) != 1 or path[0] not in self.tables | visible:
                name = ".".join(node["qualified_name"]["path"])
                self._refuse(f"there is no table {name!r}", node, f"the tables are {', '.join(sorted(self.tables))}")
        if kind == "TABLE_FUNCTION" and (name := _name(node["function"])) not in _TABLE_FUNCTIONS:
            self._refuse(f"the table function {name} is not available here", node)

    def _expression(self, node: dict[str, Any]) -> None:
        if node["class"] not in ("FUNCTION", "WINDOW"):
            return
        name = _name(node)
        if name not in self.functions and name not in _TABLE_FUNCTIONS:
            self._refuse(
                f"the function {name} is not available here",
                node,
                "use functions that compute from their arguments alone",
            )

    def _not_a_query(self) -> NoReturn:
        if self.read["error_type"] == "parser":
            place = int(self.read.get("position", 0))
            self._refuse(self.read["error_message"], {"query_location": place})
        self._refuse("this is no reading statement", None, "write one SELECT, WITH or DESCRIBE statement")

    def _refuse(self, what: str, node: dict[str, Any] | None, next_step: str = "") -> NoReturn:
        raise QueryError(
            what,
            where=self._shown(node),
            causes=("`sql` reads the lake and nothing else",),
            next_step=next_step or "write one SELECT over the lake's tables",
        )

    def _shown(self, node: dict[str, Any] | None) -> str:
        # The engine counts bytes.
        place = node["query_location"] if node else 0
        before = self.query.encode()[:place].decode(errors="replace") if place < 2**31 else ""
        line = before.rpartition("\n")[2][-60:]
        rest = self.query[len(before) :].partition("\n")[0][:60]
        return f"{line}{rest}\n{' ' * (len('where: ') + len(line))}^" if before or node else self.query[:120]


def _name(function: dict[str, Any]) -> str:
    # Schema-qualified calls keep their path, which no list holds.
    return ".".join(part.lower() for part in function["qualified_name"]["path"])


def _functions(engine: DuckDB) -> set[str]:
    """Functions whose value depends on their arguments alone, in the engine's own words, and the clock."""
    rows = engine.query(
        "SELECT DISTINCT function_name AS name, function_type AS type FROM duckdb_functions() "
        "WHERE function_type = 'macro' "
        "OR (function_type IN ('scalar', 'aggregate', 'window') AND stability = 'CONSISTENT')"
    )
    return _CLOCK | set(_pure(rows))


def _pure(rows: Rows) -> Iterator[str]:
    for row in rows:
        name = row["name"]
        if name.startswith(("__", "json_serialize", "json_deserialize")):
            continue
        if row["type"] != "macro" or name.startswith(_MACROS) or name in _PURE_MACROS:
            yield name.lower()
