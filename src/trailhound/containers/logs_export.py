"""Lines of `<ISO time> <record>`: an export task of CloudWatch Logs; `aws logs tail` names the stream between."""

from __future__ import annotations

import re
from collections.abc import Iterator

from trailhound.containers.found import Broken, Found, Text, excerpt
from trailhound.containers.lines import split, values

_STAMP = re.compile(rb"\s*\d{4}-\d\d-\d\dT[\d:.]+(?:Z|[+-]\d\d:?\d\d)\s+(?:[^\s{]+\s+)?(?=\{)")
_LOOK_AT = 20  # lines


def sniff(head: bytes) -> bool:
    return any(_STAMP.match(line) for line in head.split(b"\n", _LOOK_AT)[:_LOOK_AT])


def records(text: Text) -> Iterator[Found]:
    """What follows the time on each line: JSON, which may be wrapped in turn."""
    for position, line in split(text.pieces()):
        if isinstance(line, Broken):
            yield line
        elif stamp := _STAMP.match(line):
            yield from values(line[stamp.end() :], position + stamp.end())
        elif line.strip():
            yield Broken(position, "not_json", "a line that is no time and JSON object", excerpt(line))
