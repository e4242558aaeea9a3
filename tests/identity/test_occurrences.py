"""Whoever asks where to look finds what reading everything finds."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.identity.listing import INSTANCE, KEY, columns, index, listing, record

from trailhound.errors import RequestError, TrailhoundError
from trailhound.identity.derive import derive
from trailhound.identity.observables import OBSERVABLES
from trailhound.identity.occurrences import where
from trailhound.identity.tables import DERIVED
from trailhound.investigation import scope as scoping
from trailhound.lake.arrow import events_table
from trailhound.lake.lake import Lake
from trailhound.lake.search import search
from trailhound.workspace import Workspace

OTHER = "i-0abc1234def567891"
SOUGHT = [KEY, KEY.lower(), INSTANCE, OTHER, "1.2.3.4", "203.0.113.9", "2.3.4.5", f"x{INSTANCE}", f"{KEY}AAAA", "alice", "store", "store/a/b", "arn:aws:iam::111122223333:user/alice", "111122223333", "S", "agent"]  # fmt: skip
pieces = st.sampled_from(
    [
        *SOUGHT,
        KEY.replace("K", "\u212a"),
        KEY.replace("I", "İ"),
        "11.2.3.45",
        "1.2.3.4.5",
        "286.0.2.1",
        "-",
        ".",
        ":",
        "/",
        '"',
        "\\",
        " ",
        "AKIA",
        "%41",
        "\\u0041",
        "é",
        INSTANCE.upper(),
        INSTANCE[:-1],
        INSTANCE[1:],
        "a" * 2100,
    ]
)
texts = st.lists(pieces, min_size=1, max_size=4).map("".join)
members = st.fixed_dictionaries(
    {"eventName": st.sampled_from(["DescribeInstances", "AssumeRole", "GetObject", "ConsoleLogin", "CreateAccessKey"])},
    optional={
        "userAgent": texts,
        "sourceIPAddress": texts | st.sampled_from(["1.2.3.4", "203.0.113.9", "201.002.03.4"]),
        "requestParameters": st.dictionaries(texts, texts | st.lists(texts, max_size=3), max_size=2)
        | texts
        | st.just({"bucketName": "store", "key": "a/b"}),
        "responseElements": st.dictionaries(texts, st.dictionaries(texts, texts, max_size=2), max_size=2),
        "additionalEventData": st.dictionaries(texts, texts, max_size=2),
        "errorMessage": texts,
        "vpcEndpointId": texts,
        "userIdentity": st.fixed_dictionaries(
            {"type": st.sampled_from(["IAMUser", "AssumedRole"])},
            optional={
                "arn": texts.map(lambda text: f"arn:aws:sts::111122223333:assumed-role/R/{text}"),
                "accessKeyId": texts,
                "userName": texts,
                "principalId": texts,
            },
        ),
        "resources": st.lists(
            st.fixed_dictionaries({"ARN": texts.map(lambda text: f"arn:aws:s3:::{text}")}), max_size=2
        ),
    },
)
asked = st.sampled_from(SOUGHT).flatmap(
    lambda value: st.sampled_from(
        [
            value,
            f'"{value}"',
            f'ip="{value}"',
            f'key="{value}"',
            f'resource="{value}"',
            f'principal="{value}"',
            f'user="{value}"',
            f'agent="{value}"',
            f'account="{value}"',
            f'-"{value}"',
            f'key!="{value}"',
        ]
    )
)
expressions = st.recursive(
    asked,
    lambda inner: st.tuples(inner, st.sampled_from([" ", " or "]), inner).map(lambda p: f"({''.join(p)})"),
    max_leaves=3,
)


def named(call: str, number: int) -> str:
    return call if call in ("ConsoleLogin", "CreateAccessKey") else f"{call}{number}"


@given(st.lists(members, min_size=1, max_size=6), st.lists(expressions, min_size=6, max_size=12))
@settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
def test_a_search_with_the_index_finds_what_one_without_it_finds(made: list[dict[str, Any]], sought: list[str]) -> None:
    # Each by a call of its own, so that none is found by what another names.
    engine = listing([record(n, **{**one, "eventName": named(one["eventName"], n)}) for n, one in enumerate(made)])
    for expression in sought:
        assert search(engine, expression, index=index(engine)) == search(engine, expression), expression
    engine.close()


@given(st.lists(members, min_size=1, max_size=6))
@settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
def test_no_day_on_which_a_value_stands_is_left_out(made: list[dict[str, Any]]) -> None:
    engine = listing([record(n, **one) for n, one in enumerate(made)])
    columns = (
        "principal_uid",
        "src_endpoint.ip",
        '"user".uid',
        "unnest(resources).uid",
        "split_part(actor.user.uid, '/', -1)",
    )
    stands = " UNION ALL ".join(f"SELECT event_day AS day, {column} AS value FROM events" for column in columns)
    for row in engine.query(f"SELECT value, list(DISTINCT day) AS days FROM ({stands}) WHERE value <> '' GROUP BY ALL"):
        assert {*row["days"]} <= {*index(engine).days_of([row["value"]])}, row
    engine.close()


def test_only_the_days_and_calls_in_which_it_occurs_are_read() -> None:
    engine = listing(
        [record(0, requestParameters={"instanceId": INSTANCE}), record(1), record(2, eventName="StopInstances")]
    )
    (day, place), *more = index(engine).equal(INSTANCE).items()
    assert (day, place.calls, more) == ("2026-01-01", frozenset({"DescribeInstances"}), [])
    assert index(engine).within(INSTANCE) == index(engine).equal(INSTANCE)
    assert index(engine).days_of([INSTANCE, "nobody"]) == ["2026-01-01"]
    assert index(engine).days_of(["nobody"]) == index(engine).days_of([]) == []
    assert index(engine).within(KEY) == {}
    assert index(engine).within("alice") is None  # may stand where nothing was read


def test_where_tells_place_and_time() -> None:
    engine = listing([record(n, requestParameters={"instanceId": INSTANCE}) for n in range(6)])
    found = where(engine, INSTANCE.upper(), kind="instance")
    requests = [one for one in found if one.place == "request"]
    assert [(one.event_day, one.events, one.last_time - one.first_time) for one in requests] == [
        ("2026-01-01", 2, 3000),
        ("2026-01-02", 2, 3000),
        ("2026-01-03", 2, 3000),
    ]
    assert where(engine, INSTANCE, kind="bucket") == []


def add(lake: Lake, made: list[dict[str, Any]]) -> None:
    lake.append("events", events_table(columns(made)))


def test_days_of_which_the_table_does_not_tell_are_read_whole(tmp_path: Path) -> None:
    lake, workspace = Lake.create(tmp_path), Workspace(tmp_path)
    add(lake, [record(0, requestParameters={"a": OTHER}), record(1), record(2)])
    assert workspace.search(OTHER).matched == 1
    derive(lake, (OBSERVABLES,))
    assert workspace.search(INSTANCE).matched == 0
    add(lake, [record(4, requestParameters={"a": INSTANCE})])  # and killed before anything was derived
    assert workspace.search(INSTANCE).matched == 1
    derive(lake, DERIVED)
    assert workspace.search(INSTANCE).matched == 1


@pytest.mark.parametrize(
    ("observable", "events"),
    [
        ("user=alice", 4), ("user=arn:aws:iam::111122223333:user/alice", 4), ("ip_address=203.0.113.9", 1),
        (f"access_key={KEY}", 1), (f"instance={INSTANCE}", 1), ("bucket=store", 1), ("object=store/a/b", 1),
        ("account=111122223333", 4), ("operation=GetObject", 1), ("user_agent=curl", 1), ("cidr=10.0.0.0/24", 1),
        ("email=m@example.com", 1), ("domain=evil.example.com", 1), ("region=us-east-1", 4),
    ],
)  # fmt: skip
def test_a_scope_is_the_same_with_and_without_the_index(observable: str, events: int) -> None:
    engine = listing(
        [
            record(0, userAgent="curl", sourceIPAddress="203.0.113.9", eventName="StopInstances",
                   requestParameters={"instancesSet": {"items": [{"instanceId": INSTANCE}]}}),
            record(1, eventSource="s3.amazonaws.com", eventName="GetObject", requestParameters={"bucketName": "store", "key": "a/b"}),
            record(2, requestParameters={"cidr": "10.0.0.0\\/24 10.0.0.0/2", "mail": "m@example.com", "url": "https%3A%2F%2Fevil.example.com%2F"}),
            record(3, userIdentity={**record()["userIdentity"], "accessKeyId": KEY}),
        ]
    )  # fmt: skip
    about = scoping.parse(observable)
    found = [
        (last := scoping.latest(engine, about, each) or 0, scoping.of_observable(engine, about, 0, last, each))
        for each in (None, index(engine))
    ]
    assert found[0] == found[1]
    assert len(found[0][1].event_uids) == events


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("ip=180.163.251.231", "ip_address=180.163.251.231"), ("IP=1.2.3.4", "ip_address=1.2.3.4"),
        (f"aws={KEY}", f"access_key={KEY}"), ("sg=sg-12345678", "security_group=sg-12345678"),
        (f"thing={INSTANCE}", f"instance={INSTANCE}"),
    ],
)  # fmt: skip
def test_a_kind_that_is_not_known_is_hinted_at(written: str, meant: str) -> None:
    with pytest.raises(RequestError) as refused:
        scoping.parse(written)
    assert meant in refused.value.next_step


def test_a_kind_that_cannot_be_guessed_is_refused() -> None:
    for written in ("thing=x", "thing=" + "1.2.3." * 10_000):
        with pytest.raises(TrailhoundError, match="no kind of observable"):
            scoping.parse(written)


def test_real_records_are_found_with_the_index_as_without(shared_data: Path) -> None:
    found = [json.loads(file.read_text()) for file in sorted((shared_data / "stratus").glob("*.json"))]
    engine = listing(
        json.dumps(one).encode() for file in found for one in (file["Records"] if isinstance(file, dict) else file)
    )
    sample = engine.query(
        "SELECT DISTINCT kind, value FROM observables WHERE kind <> 'not_indexed' ORDER BY hash(value) LIMIT 60"
    )
    for row in sample:
        text = row["value"].replace("\\", "\\\\").replace('"', '\\"')
        for expression in (f'"{text}"', f'resource="{text}" or principal="{text}" or ip="{text}"'):
            assert search(engine, expression, index=index(engine)) == search(engine, expression)
