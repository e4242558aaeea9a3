"""Searching, differentially: what SQL finds is what plain Python finds in the same rows."""

from __future__ import annotations

import ipaddress
import json
import re
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.lake.rows import START, Row, event, lake_of

from trailhound.lake import fields
from trailhound.lake.expression import And, Comparison, During, Node, Not, Or, Present, Recent, Text, parse
from trailhound.lake.search import search

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
        case Text(text, _):
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
        expected = {f"e{number}" for number, row in enumerate(table) if holds(tree, row, newest)}
        assert {row["metadata"]["uid"] for row in search(engine, text).rows} == expected, text
    engine.close()
