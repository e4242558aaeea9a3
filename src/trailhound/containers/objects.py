"""One object by itself, or several with nothing between them, as Firehose writes them."""

from __future__ import annotations

import re
from collections.abc import Iterator

from trailhound.containers import scan
from trailhound.containers.found import Found, Text

_RECORD = re.compile(rb'\{\s*"(?:eventVersion|awsRegion)"\s*:')


def sniff(head: bytes) -> bool:
    """An object, or text among which a record begins."""
    return head.lstrip().startswith(b"{") or _RECORD.search(head) is not None


def records(text: Text) -> Iterator[Found]:
    if text.whole is not None and text.whole.lstrip().startswith(b"{") and scan.fault(text.whole) is None:
        return iter((text.whole.strip(),))
    return scan.values(text.pieces())
