"""Objects that a queue announces: each event once in the lake, each message gone only then."""

# ruff: noqa: F401, F811 - fixtures come by import
from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
import time
from pathlib import Path
from typing import Any

import pytest
from tests.ingest.logs import query, record
from tests.ingest.test_remote_s3 import Run, counts, key, log
from tests.sources.cloud import Asked, Cloud, notices
from tests.sources.conftest import _cloud, cloud

from trailhound.errors import InputError
from trailhound.lake.lake import Lake
from trailhound.sources import sqs

SRC = Path(__file__).parents[2] / "src"
ONE = "111122223333"


class Mailbox:
    def __init__(self, cloud: Cloud) -> None:
        self._client = cloud.client("sqs")
        self.url = self._client.create_queue(QueueName="logs")["QueueUrl"]

    def send(self, *bodies: str) -> None:
        for start in range(0, len(bodies), 10):
            entries = [{"Id": str(n), "MessageBody": body} for n, body in enumerate(bodies[start : start + 10])]
            self._client.send_message_batch(QueueUrl=self.url, Entries=entries)

    def left(self) -> tuple[int, int]:
        """Messages that can be received, and that are hidden."""
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        found = self._client.get_queue_attributes(QueueUrl=self.url, AttributeNames=names)["Attributes"]
        return int(found[names[0]]), int(found[names[1]])


@pytest.fixture
def mailbox(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> Mailbox:
    monkeypatch.setattr(sqs, "WAIT", 0)
    return Mailbox(cloud)


@pytest.fixture
def run(lake: Lake) -> Run:
    return Run(lake)


def objects(number: int) -> dict[str, bytes]:
    return {key(ONE, "us-east-1", n % 28 + 1, n): log(3 * n, 3 * n + 1, 3 * n + 2) for n in range(number)}


def test_every_wrapping_leads_to_the_object(cloud: Cloud, mailbox: Mailbox, run: Run) -> None:
    held = objects(6)
    cloud.bucket("logs", held)
    for number, name in enumerate(held):
        mailbox.send(list(notices("logs", name, len(held[name])).values())[number])
    mailbox.send("CloudTrail validation message.", '{"Event":"s3:TestEvent"}')
    mailbox.send(notices("logs", key(ONE, "us-east-1", 1, service="CloudTrail-Digest"), 5)["s3"])
    assert counts(run(f"sqs:{mailbox.url.replace(str(cloud.backend), cloud.url.rpartition(':')[2])}")) == (18, 18, 0, 0)
    assert mailbox.left() == (0, 0)
    assert "nothing to read in 1 digest files, 2 test messages" in " ".join(run.remarks)
    names = {name for (name,) in query(run.lake, "SELECT name FROM ledger")}
    assert names == {f"s3://logs/{name}" for name in held}


def test_announced_twice_it_is_in_the_lake_once(cloud: Cloud, mailbox: Mailbox, run: Run) -> None:
    held = objects(3)
    cloud.bucket("logs", held)
    for name in held:
        mailbox.send(*notices("logs", name, len(held[name])).values())
    report = run("sqs:logs")
    assert (report.events, report.rejected) == (9, 0)
    assert report.duplicates == 5 * 9
    assert query(run.lake, "SELECT count(*), count(DISTINCT metadata.uid) FROM events") == [(9, 9)]
    assert mailbox.left() == (0, 0)


def test_what_is_not_understood_or_not_there_stays(cloud: Cloud, mailbox: Mailbox, run: Run) -> None:
    held = objects(2)
    cloud.bucket("logs", held)
    good, denied = held
    cloud.refuse(denied, 403, "AccessDenied")
    both = json.dumps({"s3Bucket": "logs", "s3ObjectKey": [good, "missing"]})
    removed = json.dumps(
        {"Records": [{"eventName": "ObjectRemoved:Delete", "s3": {"bucket": {"name": "logs"}, "object": {"key": "k"}}}]}
    )
    mailbox.send(notices("logs", good, 1)["s3"], notices("logs", denied, 1)["s3"], both, "poison \u202e", removed)
    mailbox.send(notices("nowhere", "k", 1)["s3"])
    report = run("sqs:logs")
    assert report.reasons == {
        "access_denied": 1, "object_missing": 1, "not_a_notice": 1, "not_a_write": 1, "no_such_bucket": 1,
    }  # fmt: skip
    assert report.events == 3
    assert mailbox.left() == (5, 0), "all but the first, and at once there for the next reader"
    assert "5 messages stay in the queue" in " ".join(run.remarks)
    cloud.faults.clear()
    assert run("sqs:logs").events == 3
    assert mailbox.left() == (4, 0)


def test_a_message_goes_only_when_its_events_are_committed(cloud: Cloud, mailbox: Mailbox, run: Run) -> None:
    held = objects(3)
    cloud.bucket("logs", held)
    mailbox.send(*(notices("logs", name, 1)["s3"] for name in held))
    before: list[int] = []

    def deleting(asked: Asked) -> None:
        if asked.target.startswith("AmazonSQS.DeleteMessage"):
            before.append(query(Lake(run.lake.root), "SELECT count(*) FROM events")[0][0])

    cloud.faults.append(deleting)
    run("sqs:logs")
    assert before
    assert set(before) == {9}


def test_messages_stay_hidden_while_they_are_worked_on(
    cloud: Cloud,
    mailbox: Mailbox,
    run: Run,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sqs, "HIDDEN", 1)
    monkeypatch.setattr(sqs, "WAIT", 2)  # while it waits for more, what it has is not yet written
    cloud.bucket("logs", objects(1))
    (name,) = objects(1)
    mailbox.send(notices("logs", name, 1)["s3"])
    seen: list[tuple[int, int]] = []

    def slow(asked: Asked) -> None:
        if name in asked.path:
            time.sleep(1.6)
            seen.append(mailbox.left())

    cloud.faults.append(slow)
    report = run("sqs:logs")
    assert (report.events, report.duplicates) == (3, 0)
    assert seen == [(0, 1)]
    assert [a for a in cloud.asked if a.target == "AmazonSQS.ChangeMessageVisibilityBatch"]


KILLED = """
    import sys
    from pathlib import Path
    from trailhound.ingest import batch, ingest
    from trailhound.lake.lake import Lake
    from trailhound.sources import groups, sqs
    batch.FULL_OBJECTS, groups._ITEMS, sqs.HIDDEN, sqs.WAIT = 10, 10, 2, 1
    ingest.ingest(Lake.create(Path(sys.argv[1])), ["sqs:logs"], processes=1)
"""


def test_killed_in_the_middle_nothing_is_lost_or_doubled(cloud: Cloud, mailbox: Mailbox, tmp_path: Path) -> None:
    held = objects(80)
    cloud.bucket("logs", held)
    forms = list(notices("", "", 0))
    mailbox.send(*(notices("logs", name, 1)[forms[n % 6]] for n, name in enumerate(held)))
    root = tmp_path / "lake"
    command = [sys.executable, "-c", textwrap.dedent(KILLED), str(root)]
    running = subprocess.Popen(command, env=os.environ | {"PYTHONPATH": str(SRC)})
    deadline = time.monotonic() + 30
    while not [a for a in cloud.asked if a.target == "AmazonSQS.DeleteMessageBatch"]:
        assert time.monotonic() < deadline
        time.sleep(0.002)
    running.kill()
    running.wait()
    left = sum(mailbox.left())
    assert 0 < left < 80
    while mailbox.left()[1]:  # they come back by themselves
        assert time.monotonic() < deadline
        time.sleep(0.1)
    run = Run(Lake(root))
    partly = query(run.lake, "SELECT count(*) FROM events")[0][0]
    rest = run("sqs:logs")
    assert rest.events == 240 - partly
    assert partly >= 3 * (80 - left), "what is gone from the queue is in the lake"
    assert query(run.lake, "SELECT count(*), count(DISTINCT metadata.uid), max(len(flags)) FROM events") == [
        (240, 240, 0)
    ]
    assert query(run.lake, "SELECT count(*), sum(events)::INT FROM ledger") == [(80, 240)]
    assert mailbox.left() == (0, 0)


def test_copies_across_objects_are_counted(cloud: Cloud, mailbox: Mailbox, run: Run) -> None:
    """Nineteen of a hundred records are copies of others."""
    numbers = [n if n % 100 < 81 else n - 50 for n in range(1000)]
    held = {f"k/{n}": log(*numbers[n : n + 20]) for n in range(0, 1000, 20)}
    cloud.bucket("logs", held)
    mailbox.send(*(notices("logs", name, 1)["event bridge"] for name in held))
    assert counts(run("sqs:logs")) == (1000, 810, 190, 0)


def test_a_queue_that_is_not_there(mailbox: Mailbox, run: Run) -> None:
    with pytest.raises(InputError, match="no such queue"):
        run("sqs:other")


def test_an_interrupt_lets_go_of_what_was_not_read(cloud: Cloud, mailbox: Mailbox, run: Run) -> None:
    cloud.bucket("logs", objects(2))
    mailbox.send(*(notices("logs", name, 1)["s3"] for name in objects(2)))

    def interrupt(*_: Any) -> None:
        raise KeyboardInterrupt

    run.lake.append = interrupt  # type: ignore[method-assign]
    with pytest.raises(KeyboardInterrupt):
        run("sqs:logs")
    assert mailbox.left() == (2, 0)


def test_a_record_in_many_forms_is_one(cloud: Cloud, mailbox: Mailbox, run: Run) -> None:
    cloud.bucket("logs", {"a": json.dumps(record(1)).encode(), "b": log(1)})
    mailbox.send(notices("logs", "a", 1)["s3"], notices("logs", "b", 1)["cloudtrail"])
    assert counts(run("sqs:logs")) == (2, 1, 1, 0)
