"""AWS as far as the tests need it: moto's server as a process of its own, and a gateway before it that counts
what is asked for and, when told to, refuses, breaks off or is slow."""

from __future__ import annotations

import http.client
import json
import os
import re
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple
from urllib.parse import parse_qs, unquote, urlsplit

import boto3

REGION = "us-east-1"


class Asked(NamedTuple):
    """One request, as it reached the gateway."""

    method: str
    path: str  # decoded
    query: dict[str, str]
    target: str  # of a JSON service: "AmazonSQS.ReceiveMessage"
    headers: dict[str, str]
    body: bytes


Answer = tuple[int, dict[str, str], bytes]
Fault = Callable[[Asked], Answer | str | None]
"""What to answer instead; "cut" lets through half of the answer; None lets the request pass."""


class Cloud:
    def __init__(self, backend: int) -> None:
        self.backend = backend
        self.asked: list[Asked] = []
        self.faults: list[Fault] = []
        gateway = self

        class Handler(_Handler):
            cloud = gateway

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def reset(self) -> None:
        request = urllib.request.Request(f"http://127.0.0.1:{self.backend}/moto-api/reset", method="POST")
        urllib.request.urlopen(request).close()
        self.asked, self.faults = [], []

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def client(self, service: str) -> Any:
        """Past the gateway: what the test itself does is not counted."""
        return boto3.client(
            service,
            endpoint_url=f"http://127.0.0.1:{self.backend}",
            region_name=REGION,
            aws_access_key_id="test",
            aws_secret_access_key="test",
        )

    def environment(self) -> dict[str, str]:
        return {
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_ENDPOINT_URL": self.url,
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def bucket(self, name: str, objects: dict[str, bytes]) -> None:
        client = self.client("s3")
        client.create_bucket(Bucket=name)
        for key, body in objects.items():
            client.put_object(Bucket=name, Key=key, Body=body)

    def listings(self) -> list[str]:
        """Prefixes that were listed, one for each request; with / at the end where only one level was asked for."""
        return [a.query.get("prefix", "") for a in self.asked if "list-type" in a.query]

    def fetched(self) -> list[str]:
        """Keys that were asked for, in order of name."""
        gets = (a for a in self.asked if a.method == "GET" and not a.query and a.path.count("/") > 1)
        return sorted(a.path.split("/", 2)[2] for a in gets)

    def refuse(self, pattern: str, status: int, code: str, message: str = "", *, times: int = 1 << 30) -> None:
        """Answer requests for keys that match with an error of S3, so many times."""
        left = [times]

        def fault(asked: Asked) -> Answer | None:
            if asked.method != "GET" or asked.query or not re.search(pattern, asked.path) or left[0] <= 0:
                return None
            left[0] -= 1
            text = f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>{message}</Message></Error>"
            return status, {"Content-Type": "application/xml"}, text.encode()

        self.faults.append(fault)


class _Handler(BaseHTTPRequestHandler):
    cloud: Cloud
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1  # an answer in one piece

    def _pass(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        parts = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(parts.query, keep_blank_values=True).items()}
        asked = Asked(
            self.command, unquote(parts.path), query, self.headers.get("X-Amz-Target", ""), dict(self.headers), body
        )
        self.cloud.asked.append(asked)
        told = next((answer for fault in list(self.cloud.faults) if (answer := fault(asked))), None)
        if isinstance(told, tuple):
            self._answer(*told)
            return
        backend = http.client.HTTPConnection("127.0.0.1", self.cloud.backend, timeout=60)
        backend.request(self.command, self.path, body, dict(self.headers))
        answer = backend.getresponse()
        headers = {
            name: value for name, value in answer.getheaders() if name.lower() not in ("connection", "date", "server")
        }
        self._answer(answer.status, headers, answer.read(), cut=told == "cut")
        backend.close()

    do_GET = do_PUT = do_POST = do_DELETE = _pass  # noqa: N815 - the names of the server

    def do_HEAD(self) -> None:
        self._pass()

    def _answer(self, status: int, headers: dict[str, str], body: bytes, *, cut: bool = False) -> None:
        self.send_response(status)
        for name, value in headers.items():
            if name.lower() not in ("content-length", "transfer-encoding"):
                self.send_header(name, value)
        if self.command == "HEAD":
            self.send_header("Content-Length", headers.get("Content-Length", "0"))
        else:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body[: len(body) // 2] if cut else body)
        if cut:
            self.close_connection = True

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def running() -> Iterator[Cloud]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 30
        while True:
            try:
                socket.create_connection(("127.0.0.1", port)).close()
                break
            except OSError:
                assert time.monotonic() < deadline
                assert server.poll() is None
                time.sleep(0.05)
        cloud = Cloud(port)
        yield cloud
        cloud.close()
    finally:
        server.kill()
        server.wait()


def notices(bucket: str, key: str, size: int) -> dict[str, str]:
    """One new object, in every form in which a queue may announce it."""
    entry = {
        "eventSource": "aws:s3",
        "eventName": "ObjectCreated:Put",
        "s3": {"bucket": {"name": bucket}, "object": {"key": key.replace(" ", "+"), "size": size}},
    }
    event = json.dumps({"Records": [entry]})
    own = json.dumps({"s3Bucket": bucket, "s3ObjectKey": [key]})
    bridge = {
        "source": "aws.s3",
        "detail-type": "Object Created",
        "detail": {"bucket": {"name": bucket}, "object": {"key": key, "size": size}},
    }
    return {
        "s3": event,
        "s3 through sns": json.dumps({"Type": "Notification", "Message": event}),
        "cloudtrail through sns": json.dumps({"Type": "Notification", "Message": own}),
        "cloudtrail": own,
        "event bridge": json.dumps(bridge),
        "event bridge through sns": json.dumps({"Type": "Notification", "Message": json.dumps(bridge)}),
    }
