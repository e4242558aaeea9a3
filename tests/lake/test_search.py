"""What an expression finds, what it is refused for, and how its results are laid out."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.lake.rows import DAY, START, event, lake_of

from trailhound.engines.duckdb import DuckDB
from trailhound.errors import QueryError, RequestError
from trailhound.lake import times
from trailhound.lake.search import compile_filter, search

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
        ("op:StopLogging", "a colon compares nothing", "did you mean op=StopLogging?"),
        ("mfa=no OP:StopLogging", "a colon compares nothing", "did you mean op=StopLogging?"),
        ("eventname:StopLogging", "a colon compares nothing", "did you mean eventName=StopLogging?"),
        ("requestParameters.name:x", "a colon compares nothing", "did you mean requestParameters.name=x?"),
        ("username:alice", "a colon compares nothing", "did you mean user=alice?"),
        ("op: x", "a colon compares nothing", "in quotes"),
        ("op :x", "a colon compares nothing", "in quotes"),
        ("op==StopLogging", "no comparison ==", "did you mean op=StopLogging?"),
        ("op=~Stop*", "no comparison =~", "did you mean op~Stop*?"),
        ("status_id=>1", "no comparison =>", "did you mean status_id>=1?"),
        ("op<>x", "no comparison <>", "did you mean op!=x?"),
        ("event=StopLogging", "is the eventID", "did you mean op=StopLogging?"),
        ("event in (StopLogging)", "is the eventID", "did you mean op=StopLogging?"),
        ("source=ec2", "no field", "write service=ec2 for what was called"),
        ("severity>3", "no field", "findings have a level"),
        ("OP=x", "no field", "did you mean op?"),
        ("resourcs=x", "no field", "did you mean resources or resource?"),
        ("time>2024-08-02", "compared as a number", "since"),
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


@pytest.mark.parametrize(
    "word",
    ["2001:db8::1", "::1", "::ffff:10.0.0.1", "arn:aws:iam::1:user/x", "s3:GetObject", "AWS::EC2::Instance", '"op:x"', "'op==x'", ":a:b"],
)  # fmt: skip
def test_a_word_with_colons_is_text_unless_it_names_a_field(word: str) -> None:
    assert "raw_data" in compile_filter(word, newest_ms=START).where


@pytest.mark.parametrize("written", ["180.163.251.231", "::ffff:180.163.251.231"])
@pytest.mark.parametrize("operator", ["=", "~", " in "])
def test_an_address_is_read_as_the_events_table_writes_it(engine: DuckDB, operator: str, written: str) -> None:
    plain = found(engine, "ip=180.163.251.231")
    assert plain
    assert found(engine, f"ip{operator}{written}") == plain
    assert found(engine, f"ip{operator}073.104.010.01") == [0]


def test_a_quoted_value_is_taken_as_it_stands(engine: DuckDB) -> None:
    assert found(engine, 'op="=StopLogging" or event="StopLogging"') == []


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


def test_a_limit_lets_something_through(engine: DuckDB) -> None:
    with pytest.raises(RequestError, match="finds nothing"):
        search(engine, "", limit=0)


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
