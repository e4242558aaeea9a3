"""What a thing was at any moment, as the log tells it, is what a simulator of AWS says it was; or it is unknown."""

# ruff: noqa: F401, F811 - fixtures come by import
from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.ingest.logs import log_file
from tests.sources.cloud import Cloud
from tests.sources.conftest import _cloud, cloud
from tests.states.acts import ACTS
from tests.states.histories import BEGIN, History, Thing, record
from tests.states.readings import calls_of, names_of, wrong

from trailhound.lake.times import interval
from trailhound.states import history
from trailhound.states.calls import Log
from trailhound.states.history import Hole
from trailhound.states.kinds import kind
from trailhound.states.state import resource
from trailhound.workspace import Workspace

STEPS, MOMENTS = 115, 12


@pytest.fixture(scope="module")
def past(_cloud: Cloud) -> History:
    _cloud.reset()
    past = History(_cloud, seed=6)
    for _ in range(STEPS):
        past.step(ACTS)
    assert any("errorCode" in one for one in past.records)
    return past


def told(past: History, thing: Thing, holes: list[Hole], records: list[dict[str, Any]]) -> history.History:
    which = kind(thing[0])
    return history.History(which, names_of(thing), calls_of(records, which, thing), holes, "the log begins")


def moments(past: History, thing: Thing, chance: random.Random) -> Iterator[tuple[int, dict[str, Any]]]:
    """Random instants, and what was so then; the instants of the changes themselves among them."""
    truths = past.truth[thing]
    for time in (
        *(time for time, _ in truths),
        *(chance.randint(truths[0][0], past.now * 1000) for _ in range(MOMENTS)),
    ):
        yield time, [state for since, state in truths if since <= time][-1]


def test_every_attribute_is_what_it_was(past: History) -> None:
    chance, known = random.Random(1), Counter[str]()
    for thing in past.truth:
        found = told(past, thing, [], past.records)
        for time, truth in moments(past, thing, chance):
            state = found.at(time).state
            assert not wrong(thing[0], state, truth), (thing, time)
            told_of = [name for name in state if name in truth and truth["exists"]]
            unknown = [name for name in told_of if state[name].rest.because]
            assert not unknown, (thing, time)
            known[thing[0]] += 1
    assert len(known) == 8, known


def test_what_is_missing_makes_unknown_and_never_another_value(past: History) -> None:
    chance, lost = random.Random(2), 0
    begin, end = past.records[0]["eventTime"], past.records[-1]["eventTime"]
    assert begin < end
    for thing in past.truth:
        for _ in range(4):
            since, until = sorted(chance.randint(past.truth[thing][0][0], past.now * 1000) for _ in range(2))
            since = 0 if chance.random() < 0.3 else since  # the log begins later
            kept = [one for one in past.records if not since <= past.time_of(one) < until]
            found = told(past, thing, [Hole(since, until, "missing")], kept)
            for time, truth in moments(past, thing, chance):
                state = found.at(time).state
                assert not wrong(thing[0], state, truth), (thing, time, since, until)
                lost += any(field.rest.because for field in state.values())
    assert lost > 1000


def background(past: History) -> list[dict[str, Any]]:
    """Sixteen calls an hour that only read, in each Region: an hour without any is missing."""
    found = []
    for hour in range(BEGIN, past.now + 48 * 3600, 3600):
        for region in ("us-east-1", "eu-west-1"):
            for minute in range(16):
                number = 10_000_000 + len(found)
                one = record(number, hour + 60 * minute, "ec2", "DescribeRegions", {"regionSet": {}}, None)
                found.append(one | {"awsRegion": region, "readOnly": True})
    return found


def opened(folder: Path, records: list[dict[str, Any]]) -> Workspace:
    log_file(folder / "log.json", records)
    workspace = Workspace.open(folder / "workspace")
    workspace.ingest([folder / "log.json"])
    return workspace


def test_in_a_lake_it_is_the_same_and_missing_hours_are_seen(past: History, tmp_path: Path) -> None:
    chance = random.Random(3)
    every = sorted(past.records + background(past), key=lambda one: one["eventTime"])
    some = [
        thing
        for name in ("instance", "bucket", "role", "security_group")
        for thing in sorted(past.truth)
        if thing[0] == name
    ]
    some = chance.sample(some, 10)
    whole = opened(tmp_path / "whole", every)
    engine, _, index = whole._indexed()
    for thing in some:
        found, plain = resource(Log(engine, index), *thing), told(past, thing, [], past.records)
        for time, _ in moments(past, thing, chance):
            assert {name: field.told for name, field in found.history.at(time).state.items()} == {
                name: field.told for name, field in plain.at(time).state.items()
            }, thing
    since, until = "2026-05-06T06", "2026-05-06T12"
    torn = opened(tmp_path / "torn", [one for one in every if not since <= one["eventTime"] < until])
    engine, _, index = torn._indexed()
    for thing in some:
        if past.truth[thing][0][0] >= interval(since).start:
            continue
        found = resource(Log(engine, index), *thing)
        assert found.at(interval(until).start).exists.known == "unknown"
        for time, truth in moments(past, thing, chance):
            assert not wrong(thing[0], found.history.at(time).state, truth), (thing, time)
