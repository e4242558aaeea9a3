"""A report file → the document that it shows: JSON as it is, HTML by what it carries with it."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import msgspec

from trailhound import __version__
from trailhound.errors import RequestError
from trailhound.model import Investigation
from trailhound.reports import html

LARGEST = 256 << 20  # bytes
_BEGINS = re.compile(rb'\{\s*"uid"\s*:|<!doctype html>')


def is_report(path: Path) -> bool:
    """Whether a file looks like a report: not whether it is a sound one."""
    if not path.is_file() or path.suffix.lower() not in (".json", ".html", ".htm"):
        return False
    with path.open("rb") as file:
        head = file.read(4096).lstrip()
    return _BEGINS.match(head) is not None


def read(path: Path) -> tuple[Investigation, list[str]]:
    """The document, and in what the file differs from how it was written. Raises RequestError when it is no report."""
    try:
        if path.stat().st_size > LARGEST:
            raise _no_report(path, f"it has more than {LARGEST >> 20} MiB")
        data = path.read_bytes()
    except OSError as error:
        raise RequestError(f"the report cannot be read: {error.strerror}", where=str(path)) from error
    carried = data if data.lstrip().startswith(b"{") else _carried(data.decode("utf-8", "replace")).encode()
    try:
        document = msgspec.json.decode(carried, type=Investigation)
    except (msgspec.MsgspecError, RecursionError, ValueError) as error:
        raise _no_report(path, str(error)) from error
    if carried is data:
        return document, []
    return document, list(_differences(document, data))


def _differences(document: Investigation, data: bytes) -> list[str]:
    """Of a page from what its document gives. Another trailhound may show the same in another way."""
    if document.versions.get("trailhound") != __version__:
        return []
    shown, expected = data.decode("utf-8", "replace").splitlines(), html.render(document).splitlines()
    if shown == expected:
        return []
    pairs = zip([*shown, ""], [*expected, ""], strict=False)
    line = next((n for n, (is_, should) in enumerate(pairs, 1) if is_ != should), min(len(shown), len(expected)) + 1)
    return [f"the page does not show what its document says: it was changed after it was written, first in line {line}"]


def _carried(text: str) -> str:
    finder = _Finder()
    finder.feed(text)
    return "".join(finder.parts)


class _Finder(HTMLParser):
    """The text in `<template id="document">`."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[str] = []
        self._inside = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._inside = tag == "template" and ("id", html.DOCUMENT) in attrs

    def handle_endtag(self, tag: str) -> None:
        if tag == "template":
            self._inside = False

    def handle_data(self, data: str) -> None:
        if self._inside:
            self.parts.append(data)


def _no_report(path: Path, why: str) -> RequestError:
    return RequestError(
        "this is not a report of an investigation",
        where=str(path),
        causes=(why[:200], "a page that is too large to carry its document, Markdown or text", "it was cut off"),
        next_step="`trailhound investigate UID -o report.json` (or .html) writes one that can be run again",
    )
