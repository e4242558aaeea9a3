"""JSON Lines: a record, or an envelope of records, on each line."""

from __future__ import annotations

from collections.abc import Iterator

from trailhound.containers import scan
from trailhound.containers.found import Broken, Found, Text, excerpt
from trailhound.limits import limits

_LOOK_AT = 20  # lines


def sniff(head: bytes) -> bool:
    """Whole objects begin at the margin: on the first line, or on several, since any line may be broken."""
    first, *others = head.strip(b"\r\n").split(b"\n", _LOOK_AT)[:_LOOK_AT]
    return bool(others) and (_is_object(first) or sum(map(_is_object, others)) > 1)


def records(text: Text) -> Iterator[Found]:
    for position, line in split(text.pieces()):
        if isinstance(line, Broken):
            yield line
        else:
            yield from values(line, position)


def split(pieces: Iterator[bytes]) -> Iterator[tuple[int, bytes | Broken]]:
    """Lines without their ends, each with its position; Broken stands for one beyond all measure."""
    position, rest = 0, b""
    for piece in pieces:
        *lines, rest = (rest + piece).split(b"\n")
        for line in lines:
            yield position, line
            position += len(line) + 1
        if len(rest) > limits().record_bytes:
            detail = f"a line of more than {limits().record_bytes} bytes"
            yield position, Broken(position, "record_too_large", detail, excerpt(rest))
            position, rest = position + len(rest), b""
    yield position, rest


def values(line: bytes, position: int) -> Iterator[Found]:
    """The objects on a line that stands at `position`."""
    value = line.strip()
    if not value:
        return
    problem = scan.fault(value)
    if problem is None and value.startswith((b"{", b"[{")):
        yield value
    elif problem is None:
        yield Broken(position, "not_json", "a line that is no JSON object", excerpt(value))
    else:
        # Two objects run together, or one that is damaged.
        for found in scan.values(iter((value,))):
            if isinstance(found, Broken):
                yield found._replace(position=position + (found.position or 0))
            else:
                yield found


def _is_object(line: bytes) -> bool:
    return line.startswith(b"{") and len(line) > 2 and scan.fault(line.rstrip()) is None
