"""A rule by `origin` sees one person through many sessions, and two persons through one role."""

from __future__ import annotations

from typing import Any

import yaml
from tests.detections.conftest import Fires, record

ROLE = "AROAEXAMPLEROLE000001"
GROUPED = """
title: Many refusals of one identity
id: 6b1b9f0e-0000-4000-8000-000000000001
correlation:
    type: event_count
    rules: [stopped]
    group-by: [{field}]
    timespan: 1h
    condition: {{gte: 3}}
level: low
"""
STOPPED = {
    "title": "Stopped",
    "id": "6b1b9f0e-0000-4000-8000-000000000002",
    "name": "stopped",
    "logsource": {"product": "aws", "service": "cloudtrail"},
    "detection": {"selection": {"eventName": "StopInstances"}, "condition": "selection"},
    "level": "low",
}


def grouped_by(field: str) -> str:
    return yaml.safe_dump(STOPPED) + "---" + GROUPED.format(field=field)


def user(name: str) -> dict[str, Any]:
    return {
        "type": "IAMUser",
        "principalId": f"AIDA{name.upper()}",
        "arn": f"arn:aws:iam::111122223333:user/{name}",
        "accountId": "111122223333",
        "accessKeyId": f"AKIA{name.upper()}",
        "userName": name,
    }


def session(number: int, person: str) -> list[dict[str, Any]]:
    """A person assumes a role and stops an instance with it; every time the key and the session name are others."""
    name, key, time = f"session-{number}", f"ASIA{number:016}", f"2024-01-01T00:{number:02}:00Z"
    arn = f"arn:aws:sts::111122223333:assumed-role/ops/{name}"
    answer = {
        "credentials": {"accessKeyId": key, "expiration": "Jan 1, 2024, 1:00:00 PM"},
        "assumedRoleUser": {"assumedRoleId": f"{ROLE}:{name}", "arn": arn},
    }
    caller = {
        "type": "AssumedRole",
        "principalId": f"{ROLE}:{name}",
        "arn": arn,
        "accountId": "111122223333",
        "accessKeyId": key,
        "sessionContext": {"attributes": {"creationDate": time}},
    }
    source = {"eventName": "AssumeRole", "eventSource": "sts.amazonaws.com", "userIdentity": user(person)}
    request = {"roleArn": "arn:aws:iam::111122223333:role/ops", "roleSessionName": name}
    return [
        record(2 * number, eventTime=time, **source, requestParameters=request, responseElements=answer),
        record(2 * number + 1, eventTime=time, eventName="StopInstances", userIdentity=caller),
    ]


def test_three_sessions_of_one_person_are_one(fires: Fires) -> None:
    records = [one for number in range(3) for one in session(number, "alice")]
    found = fires(grouped_by("origin"), records).findings
    assert [finding.count for finding in found] == [3]
    assert not fires(grouped_by("session"), records).findings


def test_two_persons_in_one_role_are_two(fires: Fires) -> None:
    records = [one for number in range(4) for one in session(number, "alice" if number % 2 else "bob")]
    assert not fires(grouped_by("origin"), records).findings
    assert fires(grouped_by("principal"), records).findings


def test_an_event_without_a_session_is_its_own_origin(fires: Fires) -> None:
    by_hand = [record(90 + n, eventName="StopInstances", userIdentity=user("alice")) for n in range(2)]
    assert fires(grouped_by("origin"), [*session(1, "alice"), *by_hand]).findings
    assert not fires(grouped_by("origin"), [*session(1, "bob"), *by_hand]).findings


def test_a_rule_may_name_an_origin(fires: Fires) -> None:
    chosen = STOPPED | {
        "detection": {
            "selection": {"origin|endswith": "user/alice", "eventName": "StopInstances"},
            "condition": "selection",
        }
    }
    found = fires(yaml.safe_dump(chosen), [*session(1, "alice"), *session(2, "bob")]).findings
    assert [finding.event_uids[0][-2:] for finding in found] == ["03"]
