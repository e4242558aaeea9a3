"""What is listed of an event: from its columns, and from deep within its request and response."""

from __future__ import annotations

import ipaddress
import json
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

import pytest
from tests.identity.listing import INSTANCE, KEY, columns, listing, record, values

from trailhound.identity.derive import derive
from trailhound.identity.observables import MOST, OBSERVABLES
from trailhound.identity.occurrences import where
from trailhound.lake.arrow import events_table
from trailhound.lake.lake import Lake

POLICY = json.dumps(
    {"Statement": [{"Principal": {"AWS": ["arn:aws:iam::999988887777:role/path/outside", "444455556666"]}}]}
)


@pytest.mark.parametrize(
    "document",
    [POLICY, quote(POLICY), json.dumps(POLICY), POLICY.replace("/", "\\/"), POLICY.replace(":", "\\u003a")],
    ids=["text", "of a URL", "twice", "slashes", "code points"],
)
def test_a_policy_within_a_parameter_is_read(document: str) -> None:
    engine = listing([record(requestParameters={"policyDocument": document})])
    assert values(engine, "request") == {
        ("role", "arn:aws:iam::999988887777:role/outside"),
        ("account", "999988887777"),
        ("account", "444455556666"),
    }


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (INSTANCE, {("instance", INSTANCE)}),
        (f"prod-{INSTANCE}", {("instance", INSTANCE)}),
        ("sg-12345678", {("security_group", "sg-12345678")}),
        ("word-12345678", set()),
        ("eipassoc-0abc1234def567890", {("resource", "eipassoc-0abc1234def567890")}),
        (KEY, {("access_key", KEY)}),
        ("AROAEXAMPLEEXAMPLE123", {("principal_id", "AROAEXAMPLEEXAMPLE123")}),
        ("10.0.0.0/16", {("cidr", "10.0.0.0/16")}),
        ("1.2.3.4/203.0.113.9", {("ip_address", "1.2.3.4"), ("ip_address", "203.0.113.9")}),
        ("198.051.100.7", {("ip_address", "198.51.100.7")}),
        ("2001:db8::/32", {("cidr", "2001:db8::/32")}),
        ("12:34:56", set()),
        ("86.0.4240.111", set()),
        ("arn:aws:s3:::store/deep/key", {("bucket", "store")}),
        ("arn:aws:s3:::store/*", {("bucket", "store")}),
        ("arn:aws:sts::111122223333:assumed-role/R/S", {
            ("session", "arn:aws:sts::111122223333:assumed-role/R/S"),
            ("role", "arn:aws:iam::111122223333:role/R"),
            ("account", "111122223333"),
        }),
        ("https://user:hunter2@evil.example.com/x", {("domain", "evil.example.com")}),
        ("mallory@evil.example.com", {("email", "mallory@evil.example.com")}),
        ("evil.example.com.", {("domain", "evil.example.com")}),
        ("4c5ecf6f-3f2f-4f19-b22b-37e1e7d94f6c", set()),
        ("HIDDEN_DUE_TO_SECURITY_REASONS", set()),
    ],
)  # fmt: skip
def test_what_a_text_names(text: str, found: set[tuple[str, str]]) -> None:
    engine = listing([record(responseElements={"deep": [{"er": text}]})])
    assert values(engine, "response") == found


def test_an_object_is_listed_by_its_bucket() -> None:
    asked = {"bucketName": "store", "key": "a/b"}
    engine = listing([record(n, eventSource="s3.amazonaws.com", eventName="GetObject", requestParameters=asked | {"key": f"a/{n}"}) for n in range(9)])  # fmt: skip
    assert values(engine, "resource") == {("bucket", "store"), ("account", "111122223333")} or values(
        engine, "resource"
    ) == {("bucket", "store")}


def test_what_is_too_long_or_too_many_is_said() -> None:
    many = [f"10.{n // 250}.{n % 250}.1" for n in range(MOST + 50)]
    engine = listing([record(requestParameters={"many": many}, userAgent="x" * 5000)])
    rows = engine.query("SELECT place, events FROM observables WHERE kind = 'not_indexed' ORDER BY place")
    assert rows == [{"place": "request", "events": 1}, {"place": "source", "events": 1}]
    assert len(values(engine, "request")) == MOST + 1


def test_elsewhere_in_the_record() -> None:
    engine = listing(
        [record(additionalEventData={"note": f"{INSTANCE} {KEY} 203.0.113.9"}), record(1, userAgent=INSTANCE)]
    )
    assert values(engine, "record") == {("instance", INSTANCE), ("access_key", KEY), ("ip_address", "203.0.113.9")}
    assert [one.events for one in where(engine, INSTANCE)] == [1, 1]


@pytest.mark.parametrize(
    "hostile",
    [
        "x" * 1_000_000,
        "1.2.3." * 100_000,
        "a" * 1000 + "@" * 1000,
        "'; DROP TABLE events; --",
        "\x00\x1b[2J\x7f\u202e",
        "arn:aws:iam::1:role/" + "/" * 5000,
        "%FF%FE%zz%",
        "\\ud800 \\u12 \\",
    ],
)
def test_hostile_text_breaks_nothing(hostile: str) -> None:
    made = record(userAgent=hostile, requestParameters={hostile[:100]: [hostile, INSTANCE]}, errorMessage=hostile)
    assert ("instance", INSTANCE) in values(listing([made]), "request")


def test_broken_escapes_and_deep_nesting_break_nothing() -> None:
    deep = "[" * 400 + f'"{INSTANCE}"' + "]" * 400
    asked = '{"a": "\\ud800", "b": ' + deep + "}"
    raw = json.dumps(record(requestParameters="HERE")).replace('"HERE"', asked).encode()
    assert ("instance", INSTANCE) in values(listing([raw]), "request")


def test_as_events_come_equals_at_the_end(tmp_path: Path) -> None:
    made = [
        record(
            n, requestParameters={"instanceId": f"i-{n % 7:017x}", "cidr": f"10.0.{n % 5}.0/24"}, userAgent=f"a{n % 3}"
        )
        for n in range(60)
    ]
    growing, anew = Lake.create(tmp_path / "growing"), Lake.create(tmp_path / "anew")
    for first in range(0, 60, 20):
        growing.append("events", events_table(columns(made[first : first + 20])))
        derive(growing, (OBSERVABLES,))
    anew.append("events", events_table(columns(made)))
    derive(anew, (OBSERVABLES,))
    sql = "SELECT * FROM observables ORDER BY ALL"
    assert growing.query("observables", sql) == anew.query("observables", sql) != []


# A slow reading of the same records, in the words of docs/how-to/pivot-on-anything.md.

PREFIXES = {"i": "instance", "sg": "security_group", "vpc": "vpc", "subnet": "subnet", "vol": "volume", "snap": "snapshot", "ami": "image", "eni": "network_interface"}  # fmt: skip
READ = {*PREFIXES.values(), "access_key", "ip_address", "cidr", "email", "account", "user", "role", "session"}


def texts(node: Any) -> Iterator[str]:
    """Every text of a JSON value, names of members too; JSON within a text, percent-encoded or not, is opened."""
    if isinstance(node, dict):
        for name, value in node.items():
            yield from texts(name)
            yield from texts(value)
    elif isinstance(node, list):
        for item in node:
            yield from texts(item)
    elif isinstance(node, str):
        for opened in {node, unquote(node)}:
            try:
                inner = json.loads(opened)
            except ValueError:
                inner = None
            if isinstance(inner, dict | list):
                yield from texts(inner)
                break
        else:
            yield node


def read(text: str) -> Iterator[tuple[str, str]]:
    yield from ids(text)
    yield from addresses(text)
    yield from arns(text)
    for mail in re.findall(r"[A-Za-z0-9._%+-]+@(?:[A-Za-z0-9-]+\.)+[A-Za-z]+", text):
        yield "email", mail
    if re.fullmatch(r"[0-9]{12}", text):
        yield "account", text


def ids(text: str) -> Iterator[tuple[str, str]]:
    for prefix, digits in re.findall(r"(?<![A-Za-z0-9])([a-z]+)-([0-9a-fA-F]{17}|[0-9a-f]{8})(?![A-Za-z0-9-])", text):
        if prefix in PREFIXES:
            yield PREFIXES[prefix], f"{prefix}-{digits}"
    for key in re.findall(r"(?<![A-Za-z0-9])A[KS]IA[A-Z0-9]{16}(?![A-Za-z0-9])", text):
        yield "access_key", key


def addresses(text: str) -> Iterator[tuple[str, str]]:
    for dotted, _, width in re.findall(r"(?<![0-9.])([0-9]+(?:\.[0-9]+){3})(?![0-9.])(/([0-9]{1,2})(?![0-9]))?", text):
        if all(int(number) < 256 and len(number) < 4 for number in dotted.split(".")):
            plain = ".".join(str(int(number)) for number in dotted.split("."))
            yield ("cidr", f"{dotted}/{width}") if width else ("ip_address", plain)
    for run in re.findall(r"(?<![A-Za-z0-9])(?:[0-9a-fA-F]{1,4}:[0-9a-fA-F:.]*|::)(?:/[0-9]+)?", text):
        host, _, width = run.partition("/")
        if host == "::" and width != "0":
            continue
        try:
            yield ("cidr", run) if width else ("ip_address", str(ipaddress.IPv6Address(host)))
        except ValueError:
            continue


def arns(text: str) -> Iterator[tuple[str, str]]:
    for arn in re.findall(r"arn:aws[a-z-]*:[a-z0-9.-]+:[a-z0-9-]*:(?:[0-9]*|aws):[\w+=.@:/$*-]+", text):
        _, partition, service, _, account, rest = arn.split(":", 5)
        if account.isdigit():
            yield "account", account
        kind, *names = rest.split("/")
        if service == "iam" and kind in ("user", "role") and "*" not in rest:
            yield kind, f"arn:{partition}:iam::{account}:{kind}/{names[-1]}"
        if service == "iam" and rest == "root":
            yield "user", arn
        if service == "sts" and kind == "assumed-role":
            yield "role", f"arn:{partition}:iam::{account}:role/{names[0]}"
            if len(names) == 2:
                yield "session", arn


def expected(records: list[dict[str, Any]]) -> Counter[tuple[str, str, str, str]]:
    found = Counter[tuple[str, str, str, str]]()
    for one in records:
        for place, member in (("request", "requestParameters"), ("response", "responseElements")):
            named = {pair for text in texts(one.get(member)) for pair in read(text)}
            found.update((one["eventName"], place, kind, value) for kind, value in named if kind in READ)
    return found


def test_real_records_are_read_as_a_slow_reading_does(shared_data: Path) -> None:
    records: list[dict[str, Any]] = []
    for file in sorted((shared_data / "stratus").glob("*.json")):
        found = json.loads(file.read_text())
        records += found["Records"] if isinstance(found, dict) else found
    assert len(records) > 100
    engine = listing(json.dumps(one).encode() for one in records)
    rows = engine.query(
        "SELECT operation, place, kind, value, sum(events)::BIGINT AS events FROM "
        "(SELECT DISTINCT ON (operation, place, kind, value, event_day) * FROM observables) "
        "WHERE place IN ('request', 'response') GROUP BY ALL"
    )
    listed = Counter(
        {(r["operation"], r["place"], r["kind"], r["value"]): r["events"] for r in rows if r["kind"] in READ}
    )
    wanted = expected(records)
    assert listed == wanted, (listed - wanted, wanted - listed)
