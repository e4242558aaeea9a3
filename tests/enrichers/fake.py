"""A service of threat intelligence on loopback, which keeps what it is sent and answers what it is told to."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any, NamedTuple

import msgspec


class Answer(NamedTuple):
    status: int = 200
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()
    delay: float = 0  # seconds, before each of ten parts of the body


class Sent(NamedTuple):
    line: str
    headers: dict[str, str]
    body: bytes


class Fake:
    """`answers`: by a part of the request's path; whatever is not among them is a 500."""

    def __init__(self) -> None:
        self.answers: dict[str, Answer] = {}
        self.sent: list[Sent] = []
        self.url = ""

    def answer(self, path: str) -> Answer:
        return next((answer for part, answer in self.answers.items() if part in path), Answer(500))


@contextmanager
def served() -> Iterator[Fake]:
    fake = Fake()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            fake.sent.append(Sent(self.requestline, {k.lower(): v for k, v in self.headers.items()}, body))
            answer = fake.answer(self.path)
            self.send_response(answer.status)
            for name, value in answer.headers:
                self.send_header(name, value)
            self.end_headers()
            part = max(1, len(answer.body) // 10)
            try:
                for begin in range(0, len(answer.body), part):
                    time.sleep(answer.delay)
                    self.wfile.write(answer.body[begin : begin + part])
                    self.wfile.flush()
            except OSError:
                pass  # the client has gone, as it should from what is too long or too slow

        do_POST = do_GET  # noqa: N815 - the name that http.server asks for

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    fake.url = f"http://127.0.0.1:{server.server_port}"
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield fake
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def virustotal(address: str, *, malicious: int = 0, suspicious: int = 0, undetected: int = 60) -> Any:
    stats = {"malicious": malicious, "suspicious": suspicious, "harmless": 30, "undetected": undetected, "timeout": 0}
    attributes = {"last_analysis_stats": stats, "as_owner": "EXAMPLE-NET", "reputation": 0, "country": "US"}
    return {
        "data": {
            "id": address,
            "type": "ip_address",
            "links": {"self": "http://127.0.0.1:1/"},
            "attributes": attributes,
        }
    }


def abuseipdb(address: str, *, score: int = 0, reports: int = 0, tor: bool = False) -> Any:
    told = {"ipAddress": address, "abuseConfidenceScore": score, "totalReports": reports, "numDistinctUsers": reports}
    return {
        "data": {
            **told,
            "isTor": tor,
            "usageType": "Data Center/Web Hosting/Transit",
            "isp": "Example",
            "isWhitelisted": None,
        }
    }


def greynoise(address: str, *, classification: str = "", business: bool = False) -> Any:
    scanner = {"found": bool(classification), "classification": classification}
    return {
        "ip": address,
        "internet_scanner_intelligence": scanner,
        "business_service_intelligence": {"found": business, "trust_level": "1" if business else ""},
    }


def otx(address: str, *, count: int = 0) -> Any:
    return {
        "indicator": address,
        "type": "IPv4",
        "pulse_info": {"count": count, "pulses": [{"name": "x", "tags": []}] * count},
    }


def isc(address: str, *, count: int | None = 0, attacks: int | None = 0, feeds: Any = None) -> Any:
    return {
        "ip": {
            "number": address,
            "count": count,
            "attacks": attacks,
            "maxdate": None,
            "asname": "EXAMPLE",
            "threatfeeds": feeds,
        }
    }


def misp(address: str, *, found: int = 0, to_ids: bool = False) -> Any:
    return {
        "response": {"Attribute": [{"value": address, "to_ids": to_ids, "type": "ip-src", "event_id": "1"}] * found}
    }


def encoded(document: Any) -> bytes:
    return msgspec.json.encode(document)
