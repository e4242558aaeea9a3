"""`trailhound state` as people read it, and as the page about it shows it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from tests.ingest.logs import log_file, record

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "see-what-a-thing-was.md"


@pytest.fixture
def told(trailhound, tmp_path, monkeypatch):
    """A launch with a name that would steer a terminal, then a stop."""
    which = "i-0123456789abcdef0"
    tags = {"items": [{"key": "Name", "value": "shop\u202e\x1b[31m"}]}
    one = {"instanceId": which, "imageId": "ami-1", "instanceType": "t3.micro", "tagSet": tags}
    stop = {"instancesSet": {"items": [{"instanceId": which}]}}
    launched = record(
        2, requestParameters={"instanceType": "t3.micro"}, responseElements={"instancesSet": {"items": [one]}}
    )
    states = {"previousState": {"name": "running"}, "currentState": {"name": "stopping"}}
    answer = {"instancesSet": {"items": [{"instanceId": which, **states}]}}
    stopped = record(61, requestParameters=stop, responseElements=answer)
    log = log_file(tmp_path / "log.json", [launched, stopped, record(120)])
    monkeypatch.setenv("TRAILHOUND_WORKSPACE", str(tmp_path / "workspace"))
    trailhound("ingest", str(log))
    return lambda *arguments: trailhound("state", f"instance={which}", *arguments, "--format", "table").out


def test_a_moment_and_the_changes_up_to_it(told):
    out = told("--at", "2024-05-01T00:30:00Z")
    assert "it was there" in out
    assert re.search(r"^state +running\n +since 2024-05-01 00:02:00Z, by event ", out, re.MULTILINE)
    assert "Name=shop\\u202e\\u001b[31m" in out
    assert "\u202e" not in out
    assert "\x1b" not in out
    assert "after   stopped" in told("--changes")
    assert "after   stopped" not in told("--changes", "--at", "2024-05-01T00:30:00Z")
    assert "the log of account 111122223333 ends at" in told("--at", "2024-06-01")


def test_what_cannot_be_asked_says_what_can(trailhound, told):
    assert "no event names the Bucket x'; DROP" in trailhound("state", "bucket=x'; DROP TABLE events").err
    assert "these kinds have one: instance" in trailhound("state", "ip_address=192.0.2.1").err
    assert "the log has nothing of account 999" in trailhound("state", "account=999").err
    assert "unknown" in trailhound("state", "user=alice", "--format", "table").out  # it made calls, no more


def test_the_page_shows_the_attributes_as_they_are_called(told):
    shown = PAGE.read_text("utf-8")
    for attribute in re.findall(r"^(\w+) {2,}(?!since)", told(), re.MULTILINE):
        assert attribute.replace("_", " ").removeprefix("instance ").removesuffix(" name") in shown.replace(
            "\n", " "
        ), attribute
