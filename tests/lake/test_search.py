"""Searching: what SQL finds is what plain Python finds in the same rows."""

from __future__ import annotations

import ipaddress
import json
import re
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from trailhound.engines.duckdb import DuckDB
from trailhound.errors import QueryError, RequestError
from trailhound.lake import fields, times
from trailhound.lake.arrow import events_table
from trailhound.lake.expression import And, Comparison, During, Node, Not, Or, Present, Recent, Text, parse
from trailhound.lake.search import compile_filter, search
from trailhound.ocsf.schema import COLUMNS

START = times.interval("2020-11-06T03:00:00Z").start
DAY = 86_400_000
Row = dict[str, Any]


def event(number: int, time: int, operation: str = "DescribeInstances", ip: str | None = None, **columns: Any) -> Row:
    row: Row = {column.path: [] if column.type in ("strings", "resources") else None for column in COLUMNS}
    row.update(
        {"time": time, "metadata.uid": f"e{number}", "api.operation": operation, "event_day": times.text(time)[:10]}
    )
    if ip:
        address = ipaddress.ip_address(ip)
        mapped = int(address) + (0xFFFF << 32 if address.version == 4 else 0)
        row.update({"src_endpoint.ip": ip, "src_ip_hex": f"{mapped:032x}"})
    row.update({path.replace("__", "."): value for path, value in columns.items()})
    row["raw_data"] = row["raw_data"] or json.dumps({"eventID": f"e{number}", "eventName": operation})
    return row


def lake_of(rows: list[Row]) -> DuckDB:
    engine = DuckDB(threads=1)
    engine.mount_arrow("events", events_table({column.path: [row[column.path] for row in rows] for column in COLUMNS}))
    return engine


ROBOMAN = "arn:aws:iam::0123456789:user/Roboman1"
INSTANCES = [("i-0aaa", "i-0aaa", "AWS::EC2::Instance", None), ("i-0bbb", "i-0bbb", "AWS::EC2::Instance", None)]
STORY = [
    event(
        0,
        START - 40 * DAY,
        "RunInstances",
        "73.104.10.1",
        principal_uid=ROBOMAN,
        status_id=1,
        resources=INSTANCES,
        api__request__data='{"instanceType": "m5.large", "maxCount": 20, "tagSet": {"items": [{"key": "env"}, {"key": "Name"}]}}',
    ),
    event(
        1,
        START - DAY,
        "GetObject",
        "2001:db8::17",
        principal_uid="arn:aws:iam::1:role/app",
        status_id=2,
        denied=True,
        api__response__error="AccessDenied",
        http_request__user_agent="aws-cli/2.1 100% *new*_x",
    ),
    event(
        2,
        START,
        "ConsoleLogin",
        "180.163.251.231",
        principal_uid=ROBOMAN,
        user__name="Roboman1",
        status_id=2,
        is_mfa=False,
    ),
    event(
        3,
        START + 13_000,
        "ConsoleLogin",
        "180.163.251.231",
        principal_uid=ROBOMAN,
        user__name="Roboman1",
        status_id=1,
        is_mfa=False,
        **{"api.service.name": "signin.amazonaws.com"},
    ),
    event(
        4,
        START + 1_299_000,
        "TerminateInstances",
        "180.163.251.231",
        principal_uid=ROBOMAN,
        status_id=1,
        resources=INSTANCES,
        raw_data='{"eventID": "e4", "userAgent": "Quote \\" and 100%", "additionalEventData": {"x-amz-id-2": "AbC", "n": "7"}}',
    ),
    event(
        5, START + 1_300_000, "AssumeRole", status_id=1, src_endpoint__domain="ec2.amazonaws.com", flags=["repaired"]
    ),
]


@pytest.fixture(scope="module")
def engine() -> Iterator[DuckDB]:
    engine = lake_of(STORY)
    yield engine
    engine.close()


def found(engine: DuckDB, expression: str) -> list[int]:
    return sorted(int(row["metadata"]["uid"][1:]) for row in search(engine, expression).rows)


@pytest.mark.parametrize(
    ("expression", "events"),
    [
        ("", [0, 1, 2, 3, 4, 5]),
        ("principal=ARN:aws:iam::0123456789:user/roboman1", [0, 2, 3, 4]),
        ("op~Terminate*", [4]),
        ("op~instances", [0, 4]),
        ("op~?onsoleLogin", [2, 3]),
        ("op=Console", []),
        ("service=signin", [3]),
        ("ip in 180.163.0.0/16 -status=success last 7d", [2]),
        ("ip in (180.163.251.231, 73.0.0.0/8)", [0, 2, 3, 4]),
        ("ip=2001:0DB8:0::17", [1]),
        ("ip in 2001:db8::/33", [1]),
        ("ip=::ffff:73.104.10.1", [0]),
        ("sourceIPAddress=ec2.amazonaws.com", [5]),
        ("status=failure", [1, 2]),
        ("denied=yes", [1]),
        ("denied!=yes", [0, 2, 3, 4, 5]),
        ("mfa=no", [2, 3]),
        ("resource=I-0AAA type=AWS::EC2::Instance", [0, 4]),
        ("has:resource", [0, 4]),
        ("has:error or has:user", [1, 2, 3]),
        ("not has:ip", []),
        ("errorCode=accessdenied", [1]),
        ("api.response.error!=AccessDenied", [0, 2, 3, 4, 5]),
        ('agent~"*100% \\*new\\*_x"', [1]),
        ('agent="aws-cli/2.1 100% *new*_x"', [1]),
        ("agent~*100_*", []),
        ("flags=repaired", [5]),
        ("requestParameters.instanceType~m5.*", [0]),
        ("requestParameters.maxCount>=20", [0]),
        ("requestParameters.maxCount>20", []),
        ("requestParameters.instanceType>1", []),
        ("requestParameters.tagSet.items[*].key=env", [0]),
        ("requestParameters.tagSet.items[0].key=name", []),
        ("has:requestParameters.tagSet", [0]),
        ("additionalEventData.x-amz-id-2=abc", [4]),
        ("status_id=2 status_id<3", [1, 2]),
        ("100% and", None),
        ('"100%"', [4]),
        ("E4", [4]),
        ("since 2020-11-06T03:00:13Z", [3, 4, 5]),
        ("until 2020-11-06T03:00", [0, 1, 2, 3]),
        ("at 2020-11-06T03:21:39Z ±1s", [4, 5]),
        ("at 2020-11-06T03:21:39Z", [4]),
        ("last 1s", [4, 5]),
        ("op=RunInstances or (op=ConsoleLogin -status=success)", [0, 2]),
    ],
)
def test_what_an_expression_finds(engine: DuckDB, expression: str, events: list[int] | None) -> None:
    if events is None:
        with pytest.raises(QueryError):
            found(engine, expression)
    else:
        assert found(engine, expression) == events


@pytest.mark.parametrize(
    ("expression", "says", "hint"),
    [
        ("principl=x", "no field", "did you mean principal"),
        ("eventnam=x", "no field", "eventName"),
        ("op=Terminate*", "a star is a star", "op~Terminate*"),
        ("region in 10.0.0.0/8", "holds no addresses", "networks are for ip"),
        ("mfa=maybe", "yes, true, no, false", ""),
        ("status=ok", "success, failure", ""),
        ("status_id=x", "compared as a number", ""),
        ("status_id~2*", "holds no text", "status_id="),
        ("mfa>1", "cannot be ordered", "mfa="),
        ("resources=x", "has members", "resources.uid"),
        ("time_dt=x", "by time", "since"),
        ('requestParameters."x"=1', "without a blank", "quotes"),
        ("requestParameters.a..b=1", "not a path", "dots"),
    ],
)
def test_a_refused_expression_says_what_to_write(expression: str, says: str, hint: str) -> None:
    with pytest.raises(QueryError) as raised:
        compile_filter(expression, newest_ms=START)
    assert says in raised.value.what
    assert hint in raised.value.next_step
    assert "^" in raised.value.where


def test_last_counts_from_the_newest_event_not_from_now(engine: DuckDB) -> None:
    assert search(engine, "last 1s").newest_time == START + 1_300_000
    assert compile_filter("last 1d", newest_ms=START).since == START - DAY


def test_bounds_prune_days_but_never_lose_an_event() -> None:
    assert compile_filter("since 2020-11-01 (until 2020-11-06 or until 2020-11-03)", newest_ms=None)[1:] == (
        times.interval("2020-11-01").start,
        times.interval("2020-11-06").end,
    )
    assert compile_filter("since 2020-11-01 or op=x", newest_ms=None)[1:] == (None, None)
    assert compile_filter("not since 2020-11-01", newest_ms=None)[1:] == (None, None)


def test_groups_count_an_event_once_for_each_of_its_resources(engine: DuckDB) -> None:
    result = search(engine, "has:resource", group_by=["resource"])
    assert [(row["resource"], row["events"]) for row in result.rows] == [("i-0aaa", 2), ("i-0bbb", 2)]
    assert {(row["first_time"], row["last_time"]) for row in result.rows} == {(START - 40 * DAY, START + 1_299_000)}
    assert result.matched == 2


def test_groups_speak_in_words(engine: DuckDB) -> None:
    rows = search(engine, "op=ConsoleLogin", group_by=["op", "status"]).rows
    assert [(row["op"], row["status"], row["events"]) for row in rows] == [
        ("ConsoleLogin", "success", 1),
        ("ConsoleLogin", "failure", 1),
    ]


def test_events_come_newest_first_and_the_rest_is_counted(engine: DuckDB) -> None:
    result = search(engine, "", limit=2)
    assert [row["metadata"]["uid"] for row in result.rows] == ["e5", "e4"]
    assert result.matched == 6


def test_groups_and_time_are_not_mixed(engine: DuckDB) -> None:
    with pytest.raises(RequestError):
        search(engine, "", group_by=["op"], timeline=True)


def test_an_empty_lake_answers() -> None:
    engine = lake_of([])
    assert search(engine, "last 7d op=x").rows == []
    assert search(engine, "", timeline=True).rows == []


@given(st.lists(st.integers(0, 400 * DAY), min_size=1, max_size=20))
@settings(max_examples=40, deadline=None)
def test_buckets_hold_every_event_exactly_once(offsets: list[int]) -> None:
    engine = lake_of([event(number, START + offset) for number, offset in enumerate(offsets)])
    buckets = search(engine, "", timeline=True).rows
    engine.close()
    assert len(buckets) <= 61
    assert all(left["end"] == right["start"] for left, right in pairwise(buckets))
    for bucket in buckets:
        assert bucket["events"] == sum(bucket["start"] <= START + offset < bucket["end"] for offset in offsets)
    assert sum(bucket["events"] for bucket in buckets) == len(offsets)


# The differential test: an independent reading of the same tree over the same rows.

RAW_PATHS = {"requestParameters.instanceType", "requestParameters.maxCount", "requestParameters.tagSet.items[*].key"}


def values(row: Row, name: str) -> list[Any]:
    short = {short.name: short.columns for short in fields.names().short_names}
    if name in RAW_PATHS:
        nodes = [json.loads(row["api.request.data"] or "{}")]
        for step in name.split(".")[1:]:
            key = step.removesuffix("[*]")
            nodes = [node[key] for node in nodes if isinstance(node, dict) and key in node]
            nodes = [item for node in nodes for item in node] if step.endswith("[*]") else nodes
        return [node if isinstance(node, str) else json.dumps(node) for node in nodes]
    result: list[Any] = []
    for path in short.get(name, (name,)):
        if path.startswith("resources."):
            position = ("uid", "name", "type", "account_uid").index(path.removeprefix("resources."))
            result += [resource[position] for resource in row["resources"]]
        elif isinstance(row[path], list):
            result += row[path]
        else:
            result.append(row[path])
    return [value for value in result if value is not None]


def holds(node: Node, row: Row, newest: int) -> bool:
    match node:
        case And(nodes):
            return all(holds(inner, row, newest) for inner in nodes)
        case Or(nodes):
            return any(holds(inner, row, newest) for inner in nodes)
        case Not(inner):
            return not holds(inner, row, newest)
        case Text(text):
            return text.lower() in row["raw_data"].lower()
        case Recent(duration):
            return row["time"] >= newest - duration
        case During(start, end):
            return (start is None or start <= row["time"]) and (end is None or row["time"] < end)
        case Present(name):
            return bool(values(row, name))
        case Comparison():
            return compares(node, row)


def compares(node: Comparison, row: Row) -> bool:
    present = values(row, node.field)
    wanted = [value.text for value in node.values]
    if node.operator == "!=":
        return not compares(node._replace(operator="="), row)
    if node.field == "status":
        return any({1: "success", 2: "failure"}[value] in wanted for value in present)
    if node.field == "ip" and node.operator == "in":
        return any(
            ipaddress.ip_address(value) in ipaddress.ip_network(text)
            for value in present
            for text in wanted
            if ipaddress.ip_address(value).version == ipaddress.ip_network(text).version
        )
    if node.operator in ("=", "in"):
        return any(str(value).lower() == text.lower() for value in present for text in wanted)
    if node.operator == "~":
        return any(glob(wanted[0]).search(value) for value in present)
    numbers = [float(value) for value in present if re.fullmatch(r"\d+", str(value))]
    order = {">": float.__gt__, ">=": float.__ge__, "<": float.__lt__, "<=": float.__le__}[node.operator]
    return any(order(number, float(wanted[0])) for number in numbers)


def glob(pattern: str) -> re.Pattern[str]:
    wild = {"*": ".*", "?": "."}
    body = "".join(wild.get(sign, re.escape(sign)) for sign in pattern)
    return re.compile(rf"\A{body}\Z" if any(sign in pattern for sign in wild) else body, re.IGNORECASE | re.DOTALL)


nasty = st.one_of(
    st.sampled_from(["a", "ab", "aab", "A%b", "a_b", "éb", "20", "m5.large", "env", "' OR 1=1 --"]),
    st.text("aAbB%_!'\"é-; \\", min_size=1, max_size=4),
)
quoted = nasty.map(lambda text: '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"')
patterns = st.one_of(
    st.sampled_from(["a*", "*b", "?b", "a?b", "*%*", "*_*", "a", "??", "a*b"]),
    st.text("aAbB%_!'*?é", min_size=1, max_size=4),
).map(lambda text: f'"{text}"')
text_fields = st.sampled_from(
    ["principal", "user", "agent", "error", "resource", "flags", *sorted(RAW_PATHS - {"requestParameters.maxCount"})]
)
leaves = st.one_of(
    st.tuples(text_fields, st.sampled_from(["=", "!="]), quoted).map("".join),
    st.tuples(text_fields, st.just("~"), patterns).map("".join),
    st.tuples(text_fields, st.lists(quoted, min_size=1, max_size=3)).map(lambda p: f"{p[0]} in ({', '.join(p[1])})"),
    st.tuples(
        st.sampled_from(["requestParameters.maxCount", "status_id"]),
        st.sampled_from([">", ">=", "<", "<="]),
        st.integers(-1, 21).map(str),
    ).map("".join),
    st.sampled_from(
        [
            "status=success",
            "status!=failure",
            "ip in 10.0.0.0/31",
            "ip in (10.0.0.1/32, 2001:db8::/64)",
            "last 2s",
            "since 2020-11-06T03:00:02Z",
            "until 2020-11-06T03:00:02Z",
            "at 2020-11-06T03:00:01Z ±1s",
            "has:user",
            "has:resource",
            "has:flags",
            "has:requestParameters.instanceType",
        ]
    ),
    quoted,
)
expressions = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.tuples(inner, inner).map(lambda p: f"({p[0]} {p[1]})"),
        st.tuples(inner, inner).map(lambda p: f"({p[0]} or {p[1]})"),
        inner.map(lambda text: f"-{text}" if not text.startswith("-") else f"not {text}"),
    ),
    max_leaves=6,
)
optional = st.none() | nasty
rows = st.lists(
    st.builds(
        lambda **made: made,
        time=st.integers(0, 4_000),
        status=st.sampled_from([1, 2, None]),
        ip=st.sampled_from([None, "10.0.0.1", "10.0.0.2", "2001:db8::1"]),
        principal=optional,
        user=optional,
        agent=optional,
        error=optional,
        flags=st.lists(nasty, max_size=2),
        resources=st.lists(st.tuples(nasty, optional, st.none(), st.none()), max_size=2),
        request=st.none()
        | st.fixed_dictionaries(
            {},
            optional={
                "instanceType": nasty,
                "maxCount": st.integers(0, 30) | nasty,
                "tagSet": st.fixed_dictionaries({"items": st.lists(st.fixed_dictionaries({"key": nasty}), max_size=2)}),
            },
        ),
        raw=nasty,
    ),
    min_size=1,
    max_size=6,
)


@given(rows, st.lists(expressions, min_size=1, max_size=8))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
def test_sql_and_plain_python_find_the_same(made: list[dict[str, Any]], texts: list[str]) -> None:
    table = [
        event(
            number,
            START + row["time"],
            ip=row["ip"],
            status_id=row["status"],
            principal_uid=row["principal"],
            user__name=row["user"],
            http_request__user_agent=row["agent"],
            api__response__error=row["error"],
            flags=row["flags"],
            resources=row["resources"],
            api__request__data=None if row["request"] is None else json.dumps(row["request"], ensure_ascii=False),
            raw_data=row["raw"],
        )
        for number, row in enumerate(made)
    ]
    newest = max(row["time"] for row in table)
    engine = lake_of(table)
    for text in texts:
        tree = parse(text)
        expected = [number for number, row in enumerate(table) if holds(tree, row, newest)]
        assert found(engine, text) == expected, text
    engine.close()


@given(
    st.text(max_size=20),
    st.sampled_from(["{}", "op={}", "op!={}", "op~{}", "ip in ({})", "requestParameters.x={}", "resource={}"]),
)
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_value_breaks_out_of_its_quotes(engine: DuckDB, text: str, shape: str) -> None:
    value = '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
    try:
        where = compile_filter(shape.format(value), newest_ms=START).where
    except QueryError:
        return
    assert engine.query(f"SELECT count(*) AS n FROM events WHERE ({where}) OR NOT ({where})")[0]["n"] == len(STORY)
