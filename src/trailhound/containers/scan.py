"""JSON objects out of text that cannot be decoded whole: damaged, cut off, run together, or too big.

Brackets are followed and strings skipped, so every complete value comes out whatever stands beside it.
After the first fault brackets can no longer be trusted: from there on the text is cut wherever
something begins as the records before it began.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise

import msgspec

from trailhound.containers.found import Broken, Found, excerpt

RECORD_LIMIT = 16 << 20  # AWS bounds a record to 256 KiB; old and foreign ones are larger

_TOKEN = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"|["{}\[\]]', re.DOTALL)
_RECORDS = re.compile(rb'\s*"Records"\s*:\s*\[')
_FIRST_KEY = re.compile(rb'\{\s*("(?:[^"\\]|\\.)*")')
_USUAL_FIRST_KEYS = (b'"eventVersion"', b'"awsRegion"')
_AFTER_RECORD = re.compile(rb'\s*\](?:\s*\}\s*(?:\{\s*"Records"\s*:\s*\[)?)?[\s,]*$')
_SEPARATORS = b" \t\r\n,"
_LOOK_AHEAD = 64  # `{ "Records" : [` is told apart within so many bytes
_CLOSES = {b"}": b"{", b"]": b"["}


def values(pieces: Iterator[bytes]) -> Iterator[Found]:
    """Every object in the text, also out of arrays and `{"Records": [...]}`; all else as Broken."""
    return _Scanner(pieces).values()


def fault(data: bytes) -> tuple[str, str] | None:
    """Why `data` is not one JSON value: reason and detail; None when it is one."""
    try:
        msgspec.json.decode(data, type=msgspec.Raw)
    except msgspec.DecodeError as error:
        return "not_json", str(error)
    except RecursionError:
        return "too_deep", "objects within objects, deeper than any record of CloudTrail"
    return None


class _Scanner:
    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._data = b""
        self._base = 0  # position of `_data` in the text
        self._at = 0  # where to read on, in `_data`
        self._around: list[bytes] = []  # arrays and Records documents the value stands in
        self._junk: Broken | None = None
        self._first_keys: set[bytes] = set(_USUAL_FIRST_KEYS)

    def values(self) -> Iterator[Found]:
        while self._find_value():
            if self._junk:
                yield self._junk
                self._junk = None
            end, why = self._follow_value()
            if why:
                yield from self._cut(why)
                return
            value = self._data[self._at : end]
            if fault(value) is None:
                self._learn(value)
                yield value
            else:
                yield from self._parts(value)
            self._at = end
        if self._junk:
            yield self._junk
        if self._around:
            yield Broken(self._base + self._at, "truncated", "the text ends before the list of records is closed")

    def _find_value(self) -> bool:
        """Move to the next `{` that begins a value; False at the end of the text."""
        while True:
            match = _TOKEN.search(self._data, self._at)
            if match is None:
                self._note_junk(self._data[self._at :])
                self._at = len(self._data)
                if self._more():
                    continue
                return False
            left = len(self._data) - match.start()
            if (left < _LOOK_AHEAD or (match[0] == b'"' and left <= RECORD_LIMIT)) and self._more():
                continue
            self._note_junk(self._data[self._at : match.start()])
            self._at = match.start()
            records = _RECORDS.match(self._data, match.end()) if match[0] == b"{" else None
            if match[0] == b"{" and records is None:
                return True
            self._step_around(match[0], match.end(), records)

    def _step_around(self, token: bytes, end: int, records: re.Match[bytes] | None) -> None:
        """Enter or leave an array or a Records document; what does neither is junk."""
        inside = self._around[-1] if self._around else b""
        if records:
            self._around.append(b"{[")
            end = records.end()
        elif token == b"[":
            self._around.append(b"[")
        elif token == b"]" and inside.endswith(b"["):
            self._around.pop()
            if inside == b"{[":
                self._around.append(b"{")
        elif token == b"}" and inside == b"{":
            self._around.pop()
        elif token == b'"Records"' and inside == b"{" and (again := _RECORDS.match(self._data, self._at)):
            self._around[-1] = b"{["
            end = again.end()
        else:
            self._note_junk(self._data[self._at : end])
        self._at = end

    def _follow_value(self) -> tuple[int, str]:
        """The end of the value that begins here, or what is wrong with it."""
        open_brackets: list[bytes] = []
        position = self._at
        while True:
            match = _TOKEN.search(self._data, position)
            if match is None or match[0] == b'"':
                if len(self._data) - self._at > RECORD_LIMIT:
                    return -1, "record_too_large"
                read = position - self._at
                if not self._more():
                    return -1, "truncated"
                position = self._at + read
                continue
            position = match.end()
            token = match[0]
            if token in (b"{", b"["):
                open_brackets.append(token)
            elif token in _CLOSES and open_brackets.pop() != _CLOSES[token]:
                return -1, "not_json"
            if not open_brackets:
                return position, ""

    def _cut(self, why: str) -> Iterator[Found]:
        """From a fault on: cut where a record seems to begin, and take each stretch for itself."""
        begins = self._begins()
        while True:
            match = begins.search(self._data, self._at + 1)
            if match is None and len(self._data) - self._at <= RECORD_LIMIT and self._more():
                continue
            end = match.start() if match else len(self._data)
            yield _stretch(self._data[self._at : end], self._base + self._at, why)
            self._at, why = end, "not_json"
            if match is None and not self._more():
                return

    def _parts(self, value: bytes) -> Iterator[Found]:
        """A value whose brackets match, but which is no JSON: the records in it, when it is more than one record."""
        starts = [0, *(match.start() for match in self._begins().finditer(value, 1)), len(value)]
        for begin, end in pairwise(starts):
            yield _stretch(value[begin:end], self._base + self._at + begin, "not_json")

    def _begins(self) -> re.Pattern[bytes]:
        return re.compile(rb"\{\s*(?:" + b"|".join(map(re.escape, self._first_keys)) + rb")\s*:")

    def _learn(self, value: bytes) -> None:
        if len(self._first_keys) < 16 and (key := _FIRST_KEY.match(value)):
            self._first_keys.add(key[1])

    def _note_junk(self, text: bytes) -> None:
        if self._junk is None and (stripped := text.strip(_SEPARATORS)):
            position = self._base + self._at + text.index(stripped[:1])
            self._junk = Broken(position, "not_json", "text that is no JSON object", excerpt(stripped))

    def _more(self) -> bool:
        """Drop what has been read and take the next piece; at the end of the text change nothing and say no."""
        piece = next(self._pieces, b"")
        if piece:
            self._data = self._data[self._at :] + piece
            self._base += self._at
            self._at = 0
        return bool(piece)


def _stretch(data: bytes, position: int, why: str) -> Found:
    """The record that `data` begins with, if nothing but the end of a list follows it."""
    text = data.rstrip(_SEPARATORS)
    for candidate in (text, _AFTER_RECORD.sub(b"", text)):
        if fault(candidate) is None:
            return candidate
    reason, detail = fault(text) or ("not_json", "")
    if why == "truncated":
        reason, detail = why, "the text ends inside this record"
    elif why == "record_too_large":
        reason, detail = why, f"more than {RECORD_LIMIT} bytes without an end"
    return Broken(position, reason, detail, excerpt(text))
