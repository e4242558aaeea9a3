"""CSV: event history from the console, query results of Lake and Athena, exports of Splunk and Sentinel.

The header tells what the columns are. A cell that holds the record is handed on as it is; else the record
is put together from the columns, and flagged `partial`.
"""

from __future__ import annotations

import codecs
import csv
from collections.abc import Callable, Iterable, Iterator

from trailhound.containers import scan
from trailhound.containers.found import Broken, Found, Text, excerpt
from trailhound.containers.rows import is_table, record_of
from trailhound.limits import limits

_DELIMITERS = (",", "\t", ";")


def sniff(head: bytes) -> bool:
    return _delimiter(head) is not None


def records(text: Text) -> Iterator[Found]:
    """Rows as Partial, Broken, or as the text of a cell: JSON, which may be wrapped in turn."""
    csv.field_size_limit(limits().record_bytes)  # of the whole process; its own limit is less than a record may have
    rows = csv.reader(_lines(text.pieces()), delimiter=_delimiter(text.head) or ",")
    header: list[str] = []
    while True:
        try:
            row = next(rows)
        except StopIteration:
            return
        except csv.Error as error:
            yield Broken(None, "csv_damaged", f"a row that cannot be read, near line {rows.line_num}: {error}")
            continue
        if not header:
            header = row
        elif row and row != header:  # files that were appended to each other
            yield _record(header, row, rows.line_num)


def _record(header: list[str], row: list[str], line: int) -> Found:
    shown = excerpt(",".join(row).encode("utf-8", "surrogateescape"))
    if len(row) != len(header):
        detail = f"{len(row)} cells where the header has {len(header)}, at line {line}"
        return Broken(None, "csv_damaged", detail, shown)
    found = record_of(dict(zip(header, row, strict=True)))
    if found is None:
        return Broken(None, "no_event_name", f"a row without a record or an event name, at line {line}", shown)
    if isinstance(found, bytes) and (problem := scan.fault(found)):
        return Broken(None, problem[0], f"a cell at line {line}: {problem[1]}", shown)
    return found


def _delimiter(head: bytes) -> str | None:
    """What parts the names of the header; None when it is not the header of a table of events."""
    first = head.lstrip(b"\r\n").split(b"\n", 1)[0].strip()
    if not first or first[:1] in b"{[<":
        return None
    line = first.decode("utf-8", "replace")
    for delimiter in _DELIMITERS:
        try:
            names = next(csv.reader([line], delimiter=delimiter), [])
        except csv.Error:
            return None
        if is_table(names):
            return delimiter
    return None


def _lines(pieces: Iterable[bytes]) -> Iterator[str]:
    """Lines with their ends; bytes that are no UTF-8 are kept, as halves of surrogate pairs."""
    decode: Callable[..., str] = codecs.getincrementaldecoder("utf-8")("surrogateescape").decode
    rest = ""
    for piece in pieces:
        *lines, rest = (rest + decode(piece)).split("\n")
        for line in lines:
            yield line + "\n"
        if len(rest) > limits().record_bytes:  # a cell of that size is refused by the reader
            yield rest
            rest = ""
    if rest := rest + decode(b"", True):
        yield rest
