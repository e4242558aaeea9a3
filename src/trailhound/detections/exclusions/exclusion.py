"""An exclusion: which findings of which rule are expected, who says so, why, and until when.

A scope is of exact values. `*` stands for any text, also for none, in principals, origins, resources and user agents;
`\\*` is a star and `\\\\` a backslash. Nothing else is a wildcard, and letters keep their case.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator
from typing import Literal, NamedTuple

import msgspec

ALL = "all"  # every rule, those not yet written included
TEXTS = ("principal", "origin", "resource", "user_agent")  # scopes in which `*` is a wildcard
LONGEST = 2000  # characters of one value
SCOPES = ("principal", "origin", "address", "resource", "account", "user_agent")

State = Literal["active", "expired", "not yet"]
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_SIGN = re.compile(r"\\[*\\]|\*|.", re.DOTALL)
_MAPPED = "00000000000000000000ffff"  # an IPv4 address in `src_ip_hex`


class Exclusion(msgspec.Struct, frozen=True, kw_only=True):
    """A finding fits when its rule is named, and every scope that is not empty fits by one of its values."""

    rule: tuple[str, ...]  # id or title; or ALL
    principal: tuple[str, ...] = ()  # path-less ARN
    origin: tuple[str, ...] = ()  # identity at the root of the session
    address: tuple[str, ...] = ()  # an address, or a network in CIDR
    resource: tuple[str, ...] = ()  # uid; all resources of the finding have to fit
    account: tuple[str, ...] = ()
    user_agent: tuple[str, ...] = ()
    reason: str
    author: str
    created: str  # UTC day
    expires: str  # its last UTC day
    file: str = ""
    line: int = 0

    @property
    def where(self) -> str:
        return f"{self.file}:{self.line}"

    def scope(self) -> Iterator[tuple[str, tuple[str, ...]]]:
        """The scopes that say something."""
        return ((name, values) for name in SCOPES if (values := getattr(self, name)))

    def state(self, today: str) -> State:
        """`today`: UTC day, YYYY-MM-DD. The day on which it expires is its last."""
        if today > self.expires:
            return "expired"
        return "not yet" if today < self.created else "active"


class Glob(NamedTuple):
    """A text with stars: the stretches between them."""

    parts: tuple[str, ...]  # at least one

    @property
    def exact(self) -> str | None:
        """The text, where there is no star."""
        return self.parts[0] if len(self.parts) == 1 else None

    def fits(self, value: str) -> bool:
        """The leftmost place for each stretch leaves the most for the next: no going back, whatever the value is."""
        if self.exact is not None:
            return value == self.exact
        first, *middle, last = self.parts
        place, end = len(first), len(value) - len(last)
        if place > end or not value.startswith(first) or not value.endswith(last):
            return False
        for part in middle:
            found = value.find(part, place, end)
            if found < 0:
                return False
            place = found + len(part)
        return True


def glob(text: str) -> Glob:
    parts = [""]
    for sign in _SIGN.findall(text):
        if sign == "*":
            parts.append("")
        else:
            parts[-1] += sign[-1]
    return Glob(tuple(parts))


def exactly(value: str) -> str:
    """How a scope is written that fits this value alone."""
    return re.sub(r"([*\\])", r"\\\1", value)


def address(src_ip_hex: str) -> tuple[int, int]:
    """Version and number of an address as the events table holds it."""
    if src_ip_hex.startswith(_MAPPED):
        return 4, int(src_ip_hex[len(_MAPPED) :], 16)
    return 6, int(src_ip_hex, 16)


def within(network: Network, found: tuple[int, int]) -> bool:
    version, number = found
    return version == network.version and number & int(network.netmask) == int(network.network_address)
