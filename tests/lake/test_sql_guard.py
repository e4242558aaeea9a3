"""`sql` runs one reading statement over the lake's tables: what it lets through, and all that it does not."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from trailhound.engines.duckdb import DuckDB
from trailhound.errors import QueryError
from trailhound.lake.sql_guard import check, run

TABLES = ("events", "ledger")


def make_engine() -> DuckDB:
    engine = DuckDB(threads=1)
    engine.execute("CREATE TABLE events (time BIGINT, name VARCHAR, resources STRUCT(uid VARCHAR, type VARCHAR)[])")
    engine.execute("INSERT INTO events VALUES (1, '{\"a\": 5}', [{uid: 'i-0abc', type: 'x'}]), (2, NULL, [])")
    engine.execute("CREATE TABLE ledger (seen BIGINT)")
    engine.execute("CREATE TABLE hidden AS SELECT 'treasure' AS secret")
    return engine


@pytest.fixture(scope="module")
def engine() -> Iterator[DuckDB]:
    engine = make_engine()
    yield engine
    engine.close()


@pytest.mark.parametrize(
    "query",
    [
        "SELECT 1",
        "select count(*), count(DISTINCT name), sum(time) FILTER (WHERE name > 'a') FROM events;",
        "DESCRIBE events",
        "DESCRIBE SELECT time FROM events",
        "SUMMARIZE events",
        "SHOW TABLES",
        "FROM events LIMIT 3",
        "WITH x AS (SELECT * FROM events), y AS (SELECT * FROM x) SELECT * FROM y",
        "WITH RECURSIVE x AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM x WHERE n < 3) SELECT * FROM x",
        "SELECT r.uid FROM events, unnest(resources) AS t(r)",
        "SELECT row_number() OVER (PARTITION BY name ORDER BY time) AS n FROM events QUALIFY n = 1",
        "SELECT list_filter(resources, lambda r: r.uid = 'i-0abc'), [r.uid FOR r IN resources] FROM events",
        "SELECT json_extract_string(name, '$.a'), name->>'$.a', CAST(time AS VARCHAR) FROM events",
        "SELECT date_trunc('day', to_timestamp(time / 1000)), strftime(now(), '%H'), current_date FROM events",
        "SELECT * FROM events WHERE EXISTS (SELECT 1 FROM ledger WHERE seen = time) UNION ALL SELECT * FROM events",
        "SELECT * FROM events PIVOT (count(*) FOR name IN ('x'))",
        "SELECT name FROM events -- FROM '/etc/passwd'",
        "SELECT '; COPY events TO ''x''' AS text /* ; DROP TABLE events */",
        "SELECT * FROM (VALUES (1), (2)) AS v(x), range(2)",
    ],
)
def test_reading_statements_run(engine: DuckDB, query: str) -> None:
    check(engine, query, tables=TABLES)
    engine.query(query)


@pytest.mark.parametrize(
    "query",
    [
        # not one statement that reads
        "",
        "-- nothing",
        "SELECT 1; SELECT 2",
        "SELECT 1 /* */; COPY events TO 'x'",
        "COPY events TO 'x.csv'",
        "COPY events FROM 'x.csv'",
        "ATTACH 'x.db'",
        "DETACH x",
        "USE x",
        "PRAGMA version",
        "SET threads = 1",
        "RESET threads",
        "CREATE TABLE x AS SELECT 1",
        "CREATE MACRO m() AS 1",
        "DROP TABLE events",
        "INSERT INTO events VALUES (1)",
        "UPDATE events SET name = 'x'",
        "DELETE FROM events",
        "TRUNCATE events",
        "CALL pragma_version()",
        "LOAD json",
        "INSTALL httpfs",
        "EXPORT DATABASE 'x'",
        "CHECKPOINT",
        "BEGIN",
        "PREPARE x AS SELECT 1",
        "EXECUTE x",
        "EXPLAIN ANALYZE COPY events TO 'x'",
        "SELECT 1\x00",
        "SELECT '\udc80'",
        # files and networks, however they are written
        "FROM '/etc/passwd'",
        'SELECT * FROM "/etc/passwd"',
        "TABLE '/etc/passwd'",
        "DESCRIBE '/etc/passwd'",
        "SUMMARIZE 'x.parquet'",
        "SHOW '/etc/passwd'",
        "DESCRIBE SELECT * FROM '/etc/passwd'",
        "SELECT * FROM 's3://bucket/x.parquet'",
        "FROM 'https://example.com/x.csv'",
        "SELECT * FROM read_csv('/etc/passwd')",
        "SELECT * FROM ReAd_TeXt('/etc/passwd')",
        "SELECT * FROM read_blob('/etc/passwd')",
        "SELECT * FROM read_parquet('x')",
        "SELECT * FROM glob('/*')",
        "SELECT * FROM sniff_csv('x')",
        "SELECT * FROM parquet_metadata('x')",
        "SELECT (SELECT count(*) FROM '/etc/passwd')",
        "SELECT * FROM events WHERE name IN (SELECT content FROM read_text('/etc/passwd'))",
        "SELECT * FROM events ORDER BY (SELECT content FROM read_text('x'))",
        "SELECT * FROM events LIMIT (SELECT count(*) FROM 'x.csv')",
        "SELECT sum(time) OVER (ORDER BY (SELECT 1 FROM 'x.csv')) FROM events",
        "VALUES ((SELECT 1 FROM 'x.csv'))",
        "SELECT list_filter(resources, lambda r: r.uid = (SELECT content FROM read_text('x'))) FROM events",
        "SELECT * FROM events PIVOT (count(*) FOR name IN (SELECT content FROM read_text('x')))",
        "SELECT * FROM events JOIN 'x.csv' USING (name)",
        "SELECT * FROM events UNION ALL BY NAME SELECT * FROM 'x.csv'",
        "SELECT * FROM events, LATERAL (SELECT * FROM 'x.csv')",
        # a name defined by WITH hides a file only where it is in scope
        "WITH x AS (SELECT * FROM 'x.csv') SELECT * FROM x",
        'WITH "x.csv" AS (SELECT * FROM "x.csv") SELECT * FROM "x.csv"',
        'SELECT * FROM (WITH "x.csv" AS (SELECT 1) SELECT 1), "x.csv"',
        'WITH y AS (SELECT * FROM "x.csv"), "x.csv" AS (SELECT 1) SELECT * FROM y',
        # the engine's own tables, settings and state
        "SELECT * FROM hidden",
        "SELECT * FROM main.events",
        "SELECT * FROM information_schema.tables",
        "SELECT * FROM duckdb_settings()",
        "SELECT * FROM pragma_table_info('events')",
        "SELECT * FROM sqlite_master",
        "SHOW DATABASES",
        "SHOW ALL TABLES",
        "DESCRIBE",
        "SELECT current_setting('home_directory')",
        "SELECT getenv('HOME')",
        "SELECT getvariable('x')",
        "SELECT current_query()",
        "SELECT system.main.lower('x')",
        "SELECT main.getenv('x')",
        "SELECT nextval('x')",
        "SELECT setseed(1)",
        "SELECT sleep_ms(1)",
        "SELECT pg_sleep(1)",
        "SELECT write_log('x')",
        "SELECT * FROM which_secret('s3://x', 's3')",
        "SELECT * FROM test_all_types()",
        # SQL inside SQL, and variables of the Python process
        "SELECT * FROM query('SELECT 1')",
        "SELECT * FROM query_table('hidden')",
        "SELECT json_serialize_plan('FROM hidden')",
        "FROM json_execute_serialized_sql(json_serialize_sql('FROM hidden'))",
        "SELECT * FROM engine",
        "SELECT * FROM TABLES",
    ],
)
def test_everything_else_is_refused(engine: DuckDB, query: str) -> None:
    with pytest.raises(QueryError) as raised:
        check(engine, query, tables=TABLES)
    assert raised.value.next_step


def test_a_refusal_marks_the_place(engine: DuckDB) -> None:
    with pytest.raises(QueryError) as raised:
        check(engine, "SELECT name,\n  'é', getenv('HOME')\nFROM events", tables=TABLES)
    line, mark = raised.value.where.split("\n")
    assert line == "  'é', getenv('HOME')"
    assert mark.index("^") - len("where: ") == line.index("getenv")


def test_a_syntax_error_says_where(engine: DuckDB) -> None:
    with pytest.raises(QueryError, match="syntax error") as raised:
        check(engine, "SELECT name FRM events WHERE", tables=TABLES)
    assert "^" in raised.value.where


def test_behind_the_guard_the_engine_itself_reaches_nothing(tmp_path: Path) -> None:
    lake, outside = tmp_path / "lake", tmp_path / "outside.csv"
    lake.mkdir()
    outside.write_text("secret\n1\n")
    engine = make_engine()
    assert run(engine, "SELECT count(*) AS n FROM events", tables=TABLES, directories=[lake]) == [{"n": 2}]
    for query in (
        f"FROM '{outside}'",
        f"SELECT * FROM read_text('{outside}')",
        "SET enable_external_access = true",
        f"ATTACH '{tmp_path}/x.db'",
    ):
        with pytest.raises(QueryError):
            engine.query(query)  # not through the guard
    engine.close()


fragments = st.sampled_from(
    [
        "SELECT",
        "*",
        "FROM",
        "hidden",
        "events",
        "'hidden'",
        '"hidden"',
        "main.hidden",
        "WITH hidden AS (SELECT 1)",
        "(",
        ")",
        ",",
        "query('FROM hidden')",
        "UNION ALL",
        "JOIN",
        "ON TRUE",
        ";",
        "/*",
        "*/",
        "--\n",
        "x",
        "AS",
        "TABLE",
        "DESCRIBE",
        "1",
    ]
)


@given(st.lists(fragments, min_size=2, max_size=12).map(" ".join) | st.text(max_size=30))
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_passes_cannot_see_a_hidden_table(engine: DuckDB, query: str) -> None:
    try:
        check(engine, query, tables=TABLES)
        rows = engine.query(query)
    except QueryError:
        return
    assert "treasure" not in str(rows)
