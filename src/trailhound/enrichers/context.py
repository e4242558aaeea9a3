"""What is known of an address without asking anybody: its network, and the country of its registration."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import version
from ipaddress import ip_address, ip_network
from typing import Any

import arro3.core as ac
import iptocc

from trailhound.engines.duckdb import DuckDB

COLUMNS = ("value", "country", "network")
PRIVATE = "private"
_ADDRESSES = "SELECT DISTINCT src_endpoint.ip AS ip FROM events WHERE src_endpoint.ip IS NOT NULL ORDER BY ip"
# Addresses of one's own, which are the same everywhere. Python's `is_private` also has those for documentation,
# which stand for public ones in samples.
_OWN = tuple(
    ip_network(text)
    for text in (
        *("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16"),
        *("fc00::/7", "fe80::/10", "::1/128"),
    )
)
_PREFIX = {4: 24, 6: 48}  # bits: the smallest network that is routed by itself


def mount(engine: DuckDB) -> None:
    """Make `context(value, country, network)` readable: one row per source address of `events`."""
    addresses = [row["ip"] for row in engine.query(_ADDRESSES)]
    rows = describe(addresses)
    arrays = [ac.Array([row[name] for row in rows], type=ac.DataType.string()) for name in COLUMNS]
    fields = [ac.Field(name, ac.DataType.string(), nullable=True) for name in COLUMNS]
    engine.mount_arrow("context", ac.Table.from_arrays(arrays, schema=ac.Schema(fields)))


def describe(addresses: Sequence[str]) -> list[dict[str, Any]]:
    """Country (ISO code) and network of each address; None where it is private, reserved or not known."""
    public = [a for a in addresses if _is_public(a)]
    countries = dict(zip(public, iptocc.country_code(public), strict=True)) if public else {}
    return [{"value": a, "country": countries.get(a), "network": network(a)} for a in addresses]


def network(address: str) -> str | None:
    """203.0.113.0/24, 2001:db8:1::/48, or `private`; None for what is no address."""
    try:
        found = ip_address(address)
    except ValueError:
        return None
    if any(found in own for own in _OWN):
        return PRIVATE
    return str(ip_network((found, _PREFIX[found.version]), strict=False))


def versions() -> dict[str, str]:
    """The data that the answers stand on."""
    return {"iptocc": version("iptocc")}


def _is_public(address: str) -> bool:
    try:
        return ip_address(address).is_global
    except ValueError:
        return False
