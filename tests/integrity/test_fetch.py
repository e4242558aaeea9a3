"""Public keys from AWS: a server on this machine that speaks CloudTrail's protocol, since the simulators lack the call."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from tests.integrity.trails import HOUR, START, Trail, der, md5, ms

from trailhound.errors import InputError
from trailhound.workspace import Workspace

pytest.importorskip("boto3")


class CloudTrail(ThreadingHTTPServer):
    """Lists the key of its Region, one a page; refuses when told to."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked: list[dict[str, Any]] = []
        self.denied = False


class Handler(BaseHTTPRequestHandler):
    server: CloudTrail

    def do_POST(self) -> None:
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        scope = self.headers["Authorization"].split("Credential=")[1].split("/")
        self.server.asked.append({**request, "region": scope[2], "target": self.headers["X-Amz-Target"]})
        if self.server.denied:
            self.answer(400, {"__type": "AccessDeniedException", "Message": "not authorized"})
            return
        value = der(1) if "NextToken" not in request else der(0)
        key = {
            "Value": base64.b64encode(value).decode(),
            "Fingerprint": md5(value),
            "ValidityStartTime": ms(START) / 1000 - 86400,
            "ValidityEndTime": ms(START) / 1000 + 86400,
        }
        self.answer(200, {"PublicKeyList": [key], **({} if "NextToken" in request else {"NextToken": "more"})})

    def answer(self, status: int, body: dict[str, Any]) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/x-amz-json-1.1")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[CloudTrail]:
    server = CloudTrail()
    Thread(target=server.serve_forever, daemon=True).start()
    for name, value in {
        "AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_ENDPOINT_URL_CLOUDTRAIL": f"http://127.0.0.1:{server.server_port}",
    }.items():
        monkeypatch.setenv(name, value)
    yield server
    server.shutdown()
    server.server_close()


def test_the_keys_that_are_needed_are_fetched_once_and_kept(aws: CloudTrail, tmp_path: Path) -> None:
    trail = Trail(tmp_path / "copy").hours(0, 3)
    Trail(tmp_path / "copy", region="eu-west-1").hours(0, 3)
    workspace = Workspace(tmp_path / "ws")
    found = workspace.verify(trail.root, fetch_keys=True)
    assert found.verdict == "verified"
    assert {(key.provenance, key.region) for key in found.keys} == {("aws", "us-east-1"), ("aws", "eu-west-1")}
    assert [asked["region"] for asked in aws.asked] == ["eu-west-1", "eu-west-1", "us-east-1", "us-east-1"]
    first = aws.asked[0]
    assert first["target"].endswith("ListPublicKeys")
    assert (first["StartTime"] * 1000, first["EndTime"] * 1000) == (ms(START), ms(START + 5 * HOUR))
    again = workspace.verify(trail.root)
    assert (again.verdict, len(aws.asked)) == ("verified", 4), "nothing is asked that was not asked for"


def test_a_refusal_says_what_to_do(aws: CloudTrail, tmp_path: Path) -> None:
    aws.denied = True
    trail = Trail(tmp_path / "copy").hours(0, 1)
    with pytest.raises(InputError) as refused:
        Workspace(tmp_path / "ws").verify(trail.root, fetch_keys=True)
    assert "list-public-keys in us-east-1" in str(refused.value)
