"""Text copied out of a report or a chat: nearly JSON. Told here, mended by `repair` when asked to."""

from __future__ import annotations

import re
from collections.abc import Iterator

from trailhound.containers.found import Broken, Found, Text, excerpt

# A quote that JSON does not know, right behind the first bracket: “ ” „ ‟ ″ ‘ ’ « ' " written as an entity or escaped.
_BEGINS = re.compile(
    rb"\s*[\[{][\s\[{]*(?:\xc2\xa0)*(?:\xe2\x80[\x98-\x9f\xb3]|\xc2\xab|'|&quot;|&#34;|&#x22;|\\\"|\"\")", re.IGNORECASE
)


def sniff(head: bytes) -> bool:
    return _BEGINS.match(head) is not None


def records(text: Text) -> Iterator[Found]:
    detail = "its quotes are not those of JSON: copied out of a document or a chat? --repair mends that and shows how"
    yield Broken(None, "pasted_text", detail, excerpt(text.head))
