"""Clean weeks of an organisation as its hourly activity: people, machines and pipelines with the habits they have.

Nothing here is an attack. People work by the week and their own time zone, take holidays, work a night or a weekend now
and then, travel, change networks, take up new duties and work in bursts; some join later; machines run day and night and
are replaced; pipelines run when somebody pushes. `bench/baselines.py` measures on it how often baselines are wrong.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from trailhound.engines.duckdb import DuckDB
from trailhound.lake import arrow
from trailhound.lake.tables import TABLES

HOUR, DAY = 3_600_000, 86_400_000
START = 1_767_571_200_000  # Monday, 2026-01-05
ACCOUNT = "111122223333"
COUNTRIES = ("DE", "US", "FR", "IN", "BR", "JP")
_SERVICES = [f"s{n}.amazonaws.com" for n in range(30)]
_AGENTS = ("console", "aws-cli", "boto3", "terraform")
_COLUMNS = [column.path for column in TABLES["activity"].columns]


class Person(NamedTuple):
    uid: str
    kind: str
    team: str
    joined: int  # day
    zone: int  # hours from UTC
    country: str


class Estate(NamedTuple):
    days: int
    actors: list[Person]
    rows: list[dict[str, Any]]  # of `activity`


def estate(seed: int, weeks: int = 26, people: int = 30, machines: int = 10, pipelines: int = 4) -> Estate:
    """The same seed gives the same estate."""
    chance = random.Random(seed)
    actors: list[Person] = []
    rows: list[dict[str, Any]] = []
    days = weeks * 7
    makers: list[tuple[str, int, Callable[..., Iterable[dict[str, Any]]]]] = [
        ("human", people, _person), ("workload", machines, _machine), ("ci", pipelines, _pipeline),
    ]  # fmt: skip
    for kind, number, make in makers:
        for n in range(number):
            joined = chance.randrange(days // 2) if n % 6 == 5 else 0
            where = "user" if kind == "human" else "role"
            actor = Person(
                f"arn:aws:iam::{ACCOUNT}:{where}/{kind}-{n}", kind, f"{kind}-{n % 3 if kind == 'human' else 0}", joined,
                chance.choice((-6, 0, 1, 1, 5)), chance.choice(COUNTRIES[:3]),
            )  # fmt: skip
            actors.append(actor)
            rows += make(random.Random(f"{seed} {actor.uid}"), actor, days)
    return Estate(days, actors, rows)


def cell(actor: Person, hour: int, **more: Any) -> dict[str, Any]:
    """A row of `activity`, ordinary unless it is said how it differs."""
    first = hour + 5 * 60_000
    return {
        "hour": hour, "account_uid": ACCOUNT, "region": "eu-central-1", "principal_uid": actor.uid,
        "principal_type": "IAMUser" if actor.kind == "human" else "AssumedRole", "origin_uid": actor.uid, "family": actor.uid,
        "service": _SERVICES[0], "operation": "DescribeThings", "outcome": "success", "read_only": True,
        "ip": "198.51.100.7", "network": "198.51.100.0/24", "country": actor.country, "agent": "boto3", "console": False,
        "events": 1, "resources": 0, "bytes_out": 0, "first_time": first, "last_time": first + 50 * 60_000, **more,
    }  # fmt: skip


def _person(chance: random.Random, actor: Person, days: int) -> Iterable[dict[str, Any]]:
    team = random.Random(actor.team)  # the habits of a team are alike
    services = team.sample(_SERVICES, 8) + chance.sample(_SERVICES, 2)
    weights = [1 / (rank + 1) for rank in range(len(services))]
    size, wild = chance.lognormvariate(2.6, 0.5), chance.uniform(0.6, 1.0)
    networks = [_network(chance) for _ in range(2)]  # the office and home
    starts, length = chance.randint(7, 10), chance.randint(5, 9)
    away = {day for begin in chance.sample(range(days), max(1, days // 90)) for day in range(begin, begin + 14)}
    country, abroad_until = actor.country, -1
    on_call = chance.random() < 0.15
    for day in range(actor.joined, days):
        weekend = day % 7 >= 5
        if day in away or chance.random() > (0.03 if weekend else 0.92):
            continue
        if chance.random() < 0.004:
            country, abroad_until = chance.choice(COUNTRIES), day + 6
        if day > abroad_until:
            country = actor.country
        if chance.random() < 0.01:  # a new duty
            services[chance.randrange(len(services))] = chance.choice(_SERVICES)
        if chance.random() < 0.02:  # moved, or a new provider
            networks[chance.randrange(2)] = _network(chance)
        hours = _working(chance, starts, length, on_call)
        network = _network(chance) if chance.random() < 0.03 else networks[chance.random() < 0.35]
        for local in hours:
            at = START + day * DAY + (local - actor.zone) * HOUR
            calls = max(1, round(size * chance.lognormvariate(0, wild) * (12 if chance.random() < 0.01 else 1)))
            denied = chance.random() < 0.04
            for part in range(min(4, calls)):
                service = chance.choices(services, weights)[0]
                call = f"{service[:3]}Call{min(int(chance.expovariate(0.35)), 24)}"
                changing = chance.random() < 0.25
                yield cell(
                    actor, at, service=service, operation=("Put" if changing else "Get") + call,
                    region="eu-central-1" if chance.random() < 0.97 else team.choice(("us-east-1", "eu-west-1")),
                    outcome="denied" if denied and part == 0 else "success", read_only=not changing,
                    ip=network + ".9", network=network + ".0/24", country=country,
                    agent=_AGENTS[0 if chance.random() < 0.8 else chance.randrange(3)],
                    events=-(-calls // min(4, calls)), resources=round(calls / 4 * chance.random()),
                )  # fmt: skip


def _working(chance: random.Random, starts: int, length: int, on_call: bool) -> list[int]:
    """Local hours of a day's work."""
    hours = {starts + n for n in range(length) if chance.random() < 0.75}
    if chance.random() < 0.04:  # a long evening
        hours.add(starts + length + chance.randrange(3))
    if chance.random() < (0.15 if on_call else 0.004):
        hours.add(chance.randrange(24))
    return sorted(hours)


def _machine(chance: random.Random, actor: Person, days: int) -> Iterable[dict[str, Any]]:
    size, services = chance.choice((20, 60, 300)), chance.sample(_SERVICES, 3)
    network, host = _network(chance), chance.randrange(1, 250)
    for day in range(actor.joined, days):
        if chance.random() < 0.03:  # replaced
            host = chance.randrange(1, 250)
            network = network if chance.random() < 0.8 else _network(chance)
        if chance.random() < 0.01:
            services[chance.randrange(3)] = chance.choice(_SERVICES)
        for clock in range(24):
            calls = max(1, round(size * chance.lognormvariate(0, 0.3)))
            for n, service in enumerate(services[: 1 + (clock % 3 == 0)]):
                yield cell(
                    actor, START + day * DAY + clock * HOUR, service=service, operation=f"GetThing{n}", read_only=n == 0,
                    ip=f"{network}.{host}", network=network + ".0/24", agent="aws-sdk-java", events=calls,
                    resources=calls, bytes_out=round(calls * chance.lognormvariate(11, 0.6)),
                )  # fmt: skip


def _pipeline(chance: random.Random, actor: Person, days: int) -> Iterable[dict[str, Any]]:
    services = chance.sample(_SERVICES, 5)
    network = _network(chance)
    for day in range(actor.joined, days):
        if chance.random() < 0.02:
            services[chance.randrange(5)] = chance.choice(_SERVICES)
        pushes = [3] + [chance.randint(8, 18) for _ in range(0 if day % 7 >= 5 else chance.randrange(8))]
        for clock in sorted(set(pushes)):
            for n in range(3):
                service = chance.choice(services)
                calls = max(1, round(40 * chance.lognormvariate(0, 0.7)))
                host = chance.randrange(1, 250)
                yield cell(
                    actor, START + day * DAY + clock * HOUR, service=service, operation=f"PutThing{n}", read_only=n == 0,
                    ip=f"{network}.{host}", network=network + ".0/24", agent="terraform", events=calls, resources=calls,
                )  # fmt: skip


def _network(chance: random.Random) -> str:
    return f"203.{chance.randrange(256)}.{chance.randrange(256)}"


def mount(engine: DuckDB, rows: list[dict[str, Any]], actors: Iterable[Person]) -> None:
    """The tables that baselines read; `events` holds two events of each row, which name its resources."""
    columns = {name: [row.get(name) for row in rows] for name in _COLUMNS}
    engine.mount_arrow("activity", arrow.table(TABLES["activity"].columns, columns))
    known = [
        {"uid": a.uid, "kind": a.kind, "family": a.uid, "peers": a.team, "account_uid": ACCOUNT}
        | {"known_since": [0], "known_kinds": [a.kind], "known_peers": [a.team]}
        for a in actors
    ]
    listed = {"strings": [], "bigints": []}
    held = {
        column.path: [row.get(column.path, listed.get(column.type)) for row in known]
        for column in TABLES["principals"].columns
    }
    engine.mount_arrow("principals", arrow.table(TABLES["principals"].columns, held))
    engine.execute(
        """CREATE OR REPLACE TEMP VIEW events AS
        SELECT strftime(make_timestamp_ms(hour), '%Y-%m-%d') AS event_day, moment AS time, principal_uid,
          {'uid': md5(concat_ws(' ', principal_uid, service, operation, ip, moment))} AS metadata,
          {'operation': operation, 'service': {'name': service}} AS api,
          {'account': {'uid': account_uid}, 'region': region} AS cloud, {'ip': ip, 'domain': NULL} AS src_endpoint,
          {'user': {'credential_uid': principal_uid}} AS actor,
          list_transform(range(resources), lambda n: {'uid': concat('r', n), 'type': ''}) AS resources
        FROM activity, unnest([first_time, last_time]) AS m(moment)"""
    )
