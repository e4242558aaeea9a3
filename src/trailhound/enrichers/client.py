"""One request to one service, and its answer: bounded in bytes and time, from that host and no other.

Nothing is taken from the environment (no .netrc, no proxy but that of the settings), no redirect is followed, nothing
is decompressed. httpx2 comes with the extra `enrich`, and is imported only when somebody is asked.
"""

from __future__ import annotations

import time
from contextlib import suppress
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

import msgspec

from trailhound import __version__
from trailhound.errors import InputError, RequestError

ANSWER_BYTES = 262_144  # that are kept of an answer; a longer one is not understood
_LONGEST_WAIT = 86_400  # seconds for which a service is believed to want no more requests


class Request(msgspec.Struct, frozen=True):
    """All that leaves: whoever reads this reads what a service learns."""

    url: str
    headers: dict[str, str] = {}
    body: bytes | None = None  # sent by POST


class Reply(msgspec.Struct, frozen=True):
    """What came back. `problem` says why it is no answer; `wait` is how many seconds not to ask again."""

    status: int = 0
    answer: bytes = b""
    problem: str = ""
    wait: int = 0


def checked(url: str, provider: str) -> str:
    """The base URL without its last slash. Raises RequestError for what would send a key in clear text."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError:
        parts, host = urlsplit(""), ""
    plain = parts.scheme == "http" and _is_loopback(host)
    if not host or parts.username or parts.query or parts.fragment or not (plain or parts.scheme == "https"):
        raise RequestError(
            f"{provider} cannot be asked at {url!r}",
            where="trailhound.toml, [enrichment] urls",
            causes=("it is no https:// address", "it holds a name, a password or a query"),
            next_step='write it as "https://misp.example.org"; the key goes into the environment',
        )
    return url.rstrip("/")


def fetch(request: Request, *, seconds: float, proxy: str = "") -> Reply:
    """Ask once. Whatever the other side does is a Reply; raises InputError where the library is missing."""
    httpx = _import_httpx()
    headers = {
        "User-Agent": f"trailhound/{__version__}",
        "Accept": "application/json",
        "Accept-Encoding": "identity",
        **request.headers,
    }
    method = "GET" if request.body is None else "POST"
    until = time.monotonic() + seconds
    try:
        with (
            httpx.Client(trust_env=False, follow_redirects=False, timeout=seconds, proxy=proxy or None) as client,
            client.stream(method, request.url, headers=headers, content=request.body) as response,
        ):
            answer = bytearray()
            for part in response.iter_raw():
                answer += part
                if len(answer) > ANSWER_BYTES:
                    return Reply(response.status_code, bytes(answer[:ANSWER_BYTES]), "the answer is too long")
                if time.monotonic() > until:
                    return Reply(response.status_code, bytes(answer), f"no whole answer within {seconds:g} seconds")
            encoded = response.headers.get("content-encoding", "identity").lower() != "identity"
            problem = "the answer is compressed, which was not asked for" if encoded else ""
            wait = _wait(response.headers.get("retry-after", "")) if response.status_code in (429, 503) else 0
            return Reply(response.status_code, bytes(answer), problem, wait)
    except httpx.TimeoutException:
        return Reply(problem=f"no answer within {seconds:g} seconds")
    except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError) as error:
        return Reply(problem=f"the request failed ({type(error).__name__})")  # its text may hold what was sent


def _wait(retry_after: str) -> int:
    """Seconds, of a header that has a number of them or a date."""
    seconds = 60.0
    if retry_after.isascii() and retry_after.isdigit():
        seconds = float(retry_after[:9])
    else:
        with suppress(ValueError, TypeError, OverflowError):
            seconds = (parsedate_to_datetime(retry_after) - datetime.now(UTC)).total_seconds()
    return int(min(max(seconds, 1), _LONGEST_WAIT))


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _import_httpx() -> Any:
    try:
        import httpx2  # noqa: PLC0415 - start-up
    except ImportError as error:
        raise InputError(
            "asking others needs a library that is not installed",
            causes=(str(error),),
            next_step='install trailhound with its extra: pip install "trailhound[enrich]"',
        ) from error
    return httpx2
