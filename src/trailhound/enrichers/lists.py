"""Lists of addresses that somebody else made, as files: one address or network a line, `#` before a remark."""

from __future__ import annotations

from contextlib import suppress
from ipaddress import ip_address, ip_network
from pathlib import Path

from trailhound.enrichers.client import Reply
from trailhound.enrichers.providers import NotUnderstoodError, Opinion, shown

_LINE = 400  # characters that are looked at


def look_up(path: Path, address: str) -> Reply:
    """The first line that names the address, or a network that holds it; an empty answer where none does."""
    asked, read = ip_address(address), 0
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            for line in file:
                written = line[:_LINE].split("#")[0].split()
                with suppress(ValueError, IndexError):
                    network = ip_network(written[0], strict=False)
                    read += 1
                    if asked in network:
                        return Reply(200, line[:_LINE].strip().encode())
    except OSError as error:
        return Reply(problem=f"the list cannot be read ({type(error).__name__})")
    return Reply(200) if read else Reply(problem="the list names no address")


def read(answer: bytes) -> Opinion:
    """Raises NotUnderstoodError for what is no line of a list."""
    if not answer:
        return Opinion("unknown to them", "not on the list")
    try:
        line = answer.decode()
    except UnicodeDecodeError as error:
        raise NotUnderstoodError("the stored line is no text") from error
    return Opinion("suspicious", f"listed: {shown(line)}")
