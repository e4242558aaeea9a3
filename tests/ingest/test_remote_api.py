# ruff: noqa: F401, F811 - fixtures come by import
"""Records that an API hands out page by page: the event history, and log groups."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from tests.ingest.logs import query, record
from tests.ingest.test_remote_s3 import Run, counts
from tests.sources.cloud import Cloud
from tests.sources.conftest import _cloud, cloud

from trailhound.errors import InputError
from trailhound.lake.lake import Lake
from trailhound.sources import api
from trailhound.sources.aws import Access

SECOND = 1_000
MAY = 1714521600000  # 2024-05-01
TARGET = "com.amazonaws.cloudtrail.v20131101.CloudTrail_20131101.LookupEvents"


class EventHistory:
    """CloudTrail's LookupEvents, as its protocol is (JSON 1.1): newest first, 50 a page, impatient now and then."""

    def __init__(self, records: list[dict[str, Any]], throttled: int = 0) -> None:
        self.records, self.throttled = records, throttled
        self.requests: list[dict[str, Any]] = []
        history = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True
            wbufsize = -1

            def do_POST(self) -> None:
                request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                assert self.headers["X-Amz-Target"] == TARGET
                assert "/us-east-1/cloudtrail/" in self.headers["Authorization"]
                status, answer = history.answer(request)
                body = json.dumps(answer).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/x-amz-json-1.1")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def answer(self, request: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        if self.throttled and len(self.requests) % 3 == 1:
            self.throttled -= 1
            self.requests.append({"throttled": True})
            return 400, {"__type": "ThrottlingException", "message": "Rate exceeded"}
        self.requests.append(request)
        page = int(request.get("NextToken", "0"))
        size = request["MaxResults"]
        chosen = self.records[::-1][page * size : (page + 1) * size]
        events = [{"EventId": one["eventID"], "CloudTrailEvent": json.dumps(one)} for one in chosen]
        more = {"NextToken": str(page + 1)} if (page + 1) * size < len(self.records) else {}
        return 200, {"Events": events, **more}


@pytest.fixture
def run(cloud: Cloud, lake: Lake, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setattr(api, "PAUSE", 0.001)
    return Run(lake)


@pytest.fixture
def history() -> Iterator[EventHistory]:
    served = EventHistory([record(n) for n in range(130)], throttled=2)
    yield served
    served.server.shutdown()
    served.server.server_close()


def test_the_event_history_is_read_to_its_end(history: EventHistory, run: Run) -> None:
    access = Access(endpoint_url=history.url)
    assert counts(run("lookup-events:us-east-1", access=access)) == (130, 130, 0, 0)
    assert history.requests.count({"throttled": True}) == 1
    assert [r["NextToken"] for r in history.requests if "NextToken" in r] == ["1", "2"]
    assert "management events only" in " ".join(run.remarks)
    raws = {raw for (raw,) in query(run.lake, "SELECT raw_data FROM events")}
    assert raws == {json.dumps(one) for one in history.records}
    names = query(run.lake, "SELECT name, records FROM ledger ORDER BY name")
    assert names == [
        ("lookup-events:us-east-1#1", 50),
        ("lookup-events:us-east-1#2", 50),
        ("lookup-events:us-east-1#3", 30),
    ]
    assert counts(run("lookup-events:", access=access)) == (130, 0, 130, 0), "the Region of the environment"


def test_times_are_asked_for_and_what_is_too_old_is_said(history: EventHistory, run: Run) -> None:
    run("lookup-events:us-east-1", access=Access(endpoint_url=history.url), since=MAY, until=MAY + 60 * SECOND)
    asked = next(request for request in history.requests if "StartTime" in request)
    assert (asked["StartTime"], asked["EndTime"]) == (MAY / 1000, (MAY + 60 * SECOND - 1) / 1000)
    assert "goes back 90 days only" in " ".join(run.remarks)


def test_patience_has_an_end(history: EventHistory, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api, "ATTEMPTS", 2)
    monkeypatch.setattr(
        history, "answer", lambda _: (400, {"__type": "ThrottlingException", "message": "Rate exceeded"})
    )
    with pytest.raises(InputError, match="slow down"):
        run("lookup-events:us-east-1", access=Access(endpoint_url=history.url))


def test_a_look_up_without_a_record_is_a_reject(
    history: EventHistory, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    events = [{"EventId": "x"}, {"EventId": "y", "CloudTrailEvent": json.dumps(record(1), indent=2)}]
    monkeypatch.setattr(history, "answer", lambda _: (200, {"Events": events}))
    assert counts(run("lookup-events:us-east-1", access=Access(endpoint_url=history.url))) == (2, 1, 0, 1)


def test_a_log_group_is_read(cloud: Cloud, run: Run) -> None:
    client, now = cloud.client("logs"), time.time_ns() // 1_000_000
    client.create_log_group(logGroupName="/aws/trail")
    for stream, first in (("a_CloudTrail_us-east-1", 0), ("b_CloudTrail_us-east-1", 40)):
        client.create_log_stream(logGroupName="/aws/trail", logStreamName=stream)
        events = [{"timestamp": now + n, "message": json.dumps(record(n))} for n in range(first, first + 40)]
        client.put_log_events(
            logGroupName="/aws/trail", logStreamName=stream, logEvents=[{"timestamp": now, "message": "START"}, *events]
        )
    assert counts(run("logs:/aws/trail")) == (82, 80, 0, 2)
    assert counts(run("logs:/aws/trail:a_")) == (82, 0, 80, 2), "moto does not look at the prefix"
    asked = [json.loads(a.body) for a in cloud.asked if a.target.endswith("FilterLogEvents")]
    assert [a.get("logStreamNamePrefix") for a in asked] == [None, "a_"]
    with pytest.raises(InputError, match="no such log group"):
        run("logs:/other")


def test_pages_and_times_of_a_log_group(cloud: Cloud, run: Run) -> None:
    pages = [
        {"events": [{"message": json.dumps(record(1))}], "nextToken": "t1"},
        {"events": [], "nextToken": "t2"},
        {"events": [{"message": json.dumps(record(2))}, {"message": json.dumps(record(1))}]},
    ]
    asked: list[str] = []

    def paged(request: Any) -> Any:
        if request.target != "Logs_20140328.FilterLogEvents":
            return None
        asked.append(request.target)
        return 200, {"Content-Type": "application/x-amz-json-1.1"}, json.dumps(pages[len(asked) - 1]).encode()

    cloud.faults.append(paged)
    assert counts(run("logs:g", since=MAY, until=MAY + 1)) == (3, 2, 1, 0)
    assert len(asked) == 3
    assert "events come late" in " ".join(run.remarks)
