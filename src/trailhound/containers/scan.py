"""JSON objects out of text that cannot be decoded whole: damaged, cut off, run together, or too big.

Brackets are followed and strings skipped, so every complete value comes out whatever stands beside it.
A document around a list is one value while it is whole and small; else its elements come out one by one.
After the first fault brackets can no longer be trusted: from there on the text is cut wherever
something begins as the records before it began.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise

import msgspec

from trailhound.containers.found import Broken, Found, excerpt
from trailhound.limits import limits

_STRING = rb'"[^"\\]*(?:\\.[^"\\]*)*"'
_TOKEN = re.compile(_STRING + rb'|["{}\[\]]', re.DOTALL)
_FIRST_KEY = re.compile(rb"\{\s*(" + _STRING + rb")\s*:", re.DOTALL)
_USUAL_FIRST_KEYS = (b'"eventVersion"', b'"awsRegion"')
_RECORDS = re.compile(rb'\s*"Records"\s*:\s*\[')
_AFTER_RECORD = re.compile(rb'\s*\](?:\s*\}\s*(?:\{\s*"Records"\s*:\s*\[)?)?[\s,]*$')
_SEPARATORS = b" \t\r\n,"
_UTF8_MARK = b"\xef\xbb\xbf"  # of a file that was appended to another
_LOOK_AHEAD = 256  # `{ "Records" : [` is told apart within so many bytes
_CLOSES = {b"}": b"{", b"]": b"["}

# The documents of other wrappings: small members, then the list.
_FLAT = rb"(?:" + _STRING + rb"|[-+.\w]+|\{[^{}\[\]]*\}|\[[^{}\[\]]*\])"
_MEMBERS = rb"(?>(?:\s*" + _STRING + rb"\s*:\s*" + _FLAT + rb"\s*,)*)"
_LISTS = (
    rb'(?:"(?:records|Records|Events|events|logEvents|Messages|results|QueryResultRows|hits)"\s*:\s*\['
    rb'|"[^"\\]{0,40}"\s*:\s*\[(?=\s*\{\s*"(?:eventVersion|awsRegion)"\s*:))'  # records under any other name
)
_DOCUMENT = re.compile(rb"\{" + _MEMBERS + rb'\s*(?P<inner>"hits"\s*:\s*\{' + _MEMBERS + rb"\s*)?" + _LISTS, re.DOTALL)

# What the value looked for stands in.
_ARRAY, _RECORDS_LIST, _RECORDS_DOCUMENT = b"[", b"{[", b"{"
_LIST, _AFTER_LIST = b"([", b"("  # of another document; what follows its list is passed over
_PASSED = (_AFTER_LIST, b"({", b"([[")


def values(pieces: Iterator[bytes]) -> Iterator[Found]:
    """Every object in the text, also out of arrays and documents around a list; all else as Broken.

    The elements of a document's list may be arrays: rows of a query's result.
    """
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
        self._around: list[bytes] = []  # arrays and documents the value stands in
        self._junk: Broken | None = None
        self._first_keys: set[bytes] = set(_USUAL_FIRST_KEYS)

    def values(self) -> Iterator[Found]:
        while self._find_value():
            if self._junk:
                yield self._junk
                self._junk = None
            end, why = self._follow_value()
            value = self._data[self._at : end]
            if not why and fault(value) is None:
                self._learn(value)
                yield value
                self._at = end
            elif self._enter():
                continue
            elif why:
                yield from self._cut(why)
                return
            else:
                yield from self._parts(value)
                self._at = end
        if self._junk:
            yield self._junk
        if self._around:
            yield Broken(self._base + self._at, "truncated", "the text ends before the list of records is closed")

    def _find_value(self) -> bool:
        """Move to the next bracket that begins a value; False at the end of the text."""
        while True:
            match = _TOKEN.search(self._data, self._at)
            if match is None:
                if len(self._data) - self._at < _LOOK_AHEAD and self._more():
                    continue
                self._note_junk(self._data[self._at :])
                self._at = len(self._data)
                if self._more():
                    continue
                return False
            left = len(self._data) - match.start()
            if (left < _LOOK_AHEAD or (match[0] == b'"' and left <= limits().record_bytes)) and self._more():
                continue
            self._note_junk(self._data[self._at : match.start()])
            self._at = match.start()
            if self._inside in _PASSED:
                self._pass_over(match[0])
                self._at = match.end()
                continue
            records = _RECORDS.match(self._data, match.end()) if match[0] == b"{" else None
            if (match[0] == b"{" and records is None) or (match[0] == b"[" and self._inside == _LIST):
                return True
            self._step_around(match[0], match.end(), records)

    @property
    def _inside(self) -> bytes:
        return self._around[-1] if self._around else b""

    def _step_around(self, token: bytes, end: int, records: re.Match[bytes] | None) -> None:
        """Enter or leave an array or a document; what does neither is junk."""
        inside = self._inside
        if records:
            self._around.append(_RECORDS_LIST)
            end = records.end()
        elif token == b"[":
            self._around.append(_ARRAY)
        elif token == b"]" and inside == _RECORDS_LIST:
            self._around[-1] = _RECORDS_DOCUMENT
        elif token == b"]" and inside == _LIST:
            self._around[-1] = _AFTER_LIST
        elif (token == b"]" and inside == _ARRAY) or (token == b"}" and inside == _RECORDS_DOCUMENT):
            self._around.pop()
        elif token == b'"Records"' and inside == _RECORDS_DOCUMENT and (again := _RECORDS.match(self._data, self._at)):
            self._around[-1] = _RECORDS_LIST
            end = again.end()
        else:
            self._note_junk(self._data[self._at : end])
        self._at = end

    def _pass_over(self, token: bytes) -> None:
        """Members of a document behind its list: a token for the next page, statistics."""
        if token == b"{":
            self._around.append(b"({")
        elif token == b"[":
            self._around.append(b"([[")
        elif token in _CLOSES:
            self._around.pop()

    def _enter(self) -> bool:
        """Step into the list of the document that begins here."""
        document = _DOCUMENT.match(self._data, self._at)
        if document is None:
            return False
        self._around += [_AFTER_LIST, _LIST] if document["inner"] else [_LIST]
        self._at = document.end()
        return True

    def _follow_value(self) -> tuple[int, str]:
        """The end of the value that begins here, or what is wrong with it."""
        open_brackets: list[bytes] = []
        position = self._at
        while True:
            match = _TOKEN.search(self._data, position)
            if match is None or match[0] == b'"':
                if len(self._data) - self._at > limits().record_bytes:
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
        told = False  # of the stretch that goes on here: it has no end, and is one reject however long it is
        while True:
            match = begins.search(self._data, self._at + 1)
            if match is None and len(self._data) - self._at <= limits().record_bytes and self._more():
                continue
            end = match.start() if match else len(self._data)
            if not told:
                yield from _stretch(self._data[self._at : end], self._base + self._at, why)
            self._at, why, told = end, "not_json", match is None
            if match is None and not self._more():
                return

    def _parts(self, value: bytes) -> Iterator[Found]:
        """A value whose brackets match, but which is no JSON: the records in it, when it is more than one record."""
        starts = [0, *(match.start() for match in self._begins().finditer(value, 1)), len(value)]
        for begin, end in pairwise(starts):
            yield from _stretch(value[begin:end], self._base + self._at + begin, "not_json")

    def _begins(self) -> re.Pattern[bytes]:
        return re.compile(rb"\{\s*(?:" + b"|".join(map(re.escape, self._first_keys)) + rb")\s*:")

    def _learn(self, value: bytes) -> None:
        if len(self._first_keys) < 16 and (key := _FIRST_KEY.match(value)):
            self._first_keys.add(key[1])

    def _note_junk(self, text: bytes) -> None:
        if self._junk or self._inside in _PASSED:
            return
        stripped = text.strip(_SEPARATORS)
        if stripped and stripped != _UTF8_MARK:
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


def _stretch(data: bytes, position: int, why: str) -> Iterator[Found]:
    """The record that `data` begins with, and what follows it unless that is the end of a list."""
    text = data.rstrip(_SEPARATORS)
    for candidate in (text, _AFTER_RECORD.sub(b"", text)):
        if fault(candidate) is None:
            yield candidate
            return
    end = _end_of_value(text)
    if fault(text[:end]) is None:
        yield text[:end]
        yield Broken(position + end, "not_json", "text that is no JSON object", excerpt(text[end:].strip(_SEPARATORS)))
        return
    reason, detail = fault(text) or ("not_json", "")
    if why == "truncated":
        reason, detail = why, "the text ends inside this record"
    elif why == "record_too_large":
        reason, detail = why, f"more than {limits().record_bytes} bytes without an end"
    yield Broken(position, reason, detail, excerpt(text))


def _end_of_value(text: bytes) -> int:
    """Behind the bracket that closes the first one; 0 when none does."""
    depth = 0
    for match in _TOKEN.finditer(text):
        if match[0] in (b"{", b"["):
            depth += 1
        elif match[0] in _CLOSES:
            depth -= 1
            if depth <= 0:
                return match.end()
    return 0
