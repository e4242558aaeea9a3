"""Base64 of JSON, mostly of gzip of it: what CloudWatch Logs sends to Lambda, Kinesis and Firehose."""

from __future__ import annotations

import binascii
import re
import zlib
from collections.abc import Iterator

from trailhound.containers.found import Broken, Found, excerpt

LIMIT = 64 << 20  # bytes that one message may inflate to; AWS bounds it to a few

_GZIP = b"\x1f\x8b"
_BASE64 = re.compile(rb"[A-Za-z0-9+/\s]{16,}={0,2}\s*")


def contents(text: bytes) -> Iterator[Found] | None:
    """The text that base64 stands for; None when it is no base64 of JSON or gzip."""
    if not _BASE64.fullmatch(text):
        return None
    bare = b"".join(text.split())
    try:
        data = binascii.a2b_base64(bare[: len(bare) // 4 * 4])  # cut off: as far as it goes
    except binascii.Error:
        return None
    if data.startswith(_GZIP):
        return _inflated(data)
    return iter((data,)) if data.lstrip().startswith((b"{", b"[")) else None


def _inflated(data: bytes) -> Iterator[Found]:
    parts: list[bytes] = []
    room, problem = LIMIT, None
    while data.startswith(_GZIP) and room > 0 and not problem:
        member = zlib.decompressobj(zlib.MAX_WBITS | 16)
        try:
            parts.append(member.decompress(data, room))
        except zlib.error as error:
            problem = Broken(None, "gzip_damaged", f"the compressed data in a message are damaged: {error}")
            break
        room -= len(parts[-1])
        if not member.eof and room > 0:
            problem = Broken(None, "gzip_truncated", "the compressed data in a message break off")
        data = member.unused_data
    if room <= 0:
        problem = Broken(None, "compression_bomb", f"a message that inflates to more than {LIMIT} bytes")
    text = b"".join(parts)
    if text.strip():
        yield text
    if problem:
        yield problem._replace(excerpt=excerpt(text))
