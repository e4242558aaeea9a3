"""What an actor's peers do is asked as of the moment before, and answered as a slow reading answers."""

from __future__ import annotations

import random
from typing import Any

import pytest
from tests.investigation.history import ALERT, History, call, user

from trailhound.lake import times

Json = dict[str, Any]
DAYS_30 = 30 * 24
NAMES = ("eve", "finn", "gil", "hana")
CALLS = (
    ("DescribeVpcs", "ec2"),
    ("ListBuckets", "s3"),
    ("ListUsers", "iam"),
    ("TerminateInstances", "ec2"),
    ("Encrypt", "kms"),
)
STOPPED = call("TerminateInstances")


def by(name: str, operation: str, service: str, hours: float, **fields: Any) -> Json:
    who = user(name, f"AKIA{name.upper():0<16}")
    return call(operation, hours, service=service, userIdentity=who, **fields)


def asked(others: list[Json]) -> tuple[str, int | None, int | None]:
    found = History([STOPPED], others).ask("user.peers")
    return found.verdict, found.facts.get("peers"), found.facts.get("doing")


def slowly(others: list[Json]) -> tuple[set[str], set[str]]:
    """The peers of Ann, who uses ec2 alone, and those of them that had terminated: all are users without a path."""
    used: dict[str, set[str]] = {}
    doing = set()
    for record in others:
        hours = (times.interval(record["eventTime"]).start - ALERT) / 3_600_000
        if -DAYS_30 <= hours < 0:
            name = record["userIdentity"]["userName"]
            used.setdefault(name, set()).add(record["eventSource"])
            if record["eventName"] == "TerminateInstances" and "errorCode" not in record:
                doing.add(name)
    peers = {name for name, services in used.items() if "ec2.amazonaws.com" in services}
    return peers | {"ci"}, doing & peers


@pytest.mark.parametrize("seed", range(6))
def test_peers_and_what_they_did_are_those_of_a_slow_reading(seed: int) -> None:
    dice = random.Random(seed)
    others = [
        by(
            dice.choice(NAMES),
            *dice.choice(CALLS),
            dice.uniform(-35 * 24, 48),
            **dice.choice(({}, {"errorCode": "AccessDenied"})),
        )
        for _ in range(12)
    ]
    peers, doing = slowly(others)
    assert asked(others) == ("yes" if doing else "no", len(peers), len(doing))


def test_what_a_peer_does_later_changes_nothing() -> None:
    worked = by("eve", "DescribeVpcs", "ec2", -40)
    before = asked([worked])
    assert before == ("no", 2, 0)
    assert (
        asked([worked, by("eve", "TerminateInstances", "ec2", 5), by("finn", "TerminateInstances", "ec2", 6)]) == before
    )
    assert asked([worked, by("eve", "TerminateInstances", "ec2", -5)]) == ("yes", 2, 1)


def test_where_nobody_is_alike_or_the_log_is_short_nobody_can_say() -> None:
    alone = History([STOPPED], kept=lambda record: record["userIdentity"]["userName"] == "ann").ask("user.peers")
    assert alone.verdict == "unknown"
    assert "no other actor of its sort" in alone.gaps[0].because
    week = call("X", -7 * 24)["eventTime"]
    assert History([STOPPED], kept=lambda record: record["eventTime"] >= week).ask("user.peers").verdict == "unknown"
