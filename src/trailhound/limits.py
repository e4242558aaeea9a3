"""How large a thing may be that is read. What is over a limit is a reject that says so.

In force for the whole process, set once before it reads: handed down instead, they would stand in the signature
of everything between the settings and a byte.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import msgspec

_Positive = Annotated[int, msgspec.Meta(ge=1)]


class Limits(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The section `[limits]` of trailhound.toml."""

    record_bytes: _Positive = 16 << 20  # AWS bounds a record to 256 KiB; old and foreign ones are larger
    # A bomb is told by its ratio, and only once it is big: CloudTrail compresses 5 to 40 times.
    inflation: _Positive = 200  # bytes out of one compressed byte
    inflated_bytes: _Positive = 256 << 20  # up to which any ratio is allowed
    archive_depth: _Positive = 4  # archives and compressions within each other


_in_force = Limits()


def limits() -> Limits:
    """Those in force."""
    return _in_force


@contextmanager
def enforced(chosen: Limits) -> Iterator[None]:
    """Put limits into force, until the end of the block."""
    global _in_force  # noqa: PLW0603 - that is what this module is
    before, _in_force = _in_force, chosen
    try:
        yield
    finally:
        _in_force = before
