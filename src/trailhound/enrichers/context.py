"""What is known of an address: its network, the country of its registration, and what others said when they were asked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.metadata import version
from ipaddress import ip_address, ip_network
from typing import Any

import arro3.core as ac
import iptocc

from trailhound.engines.duckdb import DuckDB
from trailhound.enrichers.lookups import LookedUp

COLUMNS = ("value", "country", "network")
PRIVATE = "private"
_TOLD = ("value", "provider", "verdict", "detail", "network", "owner", "asked", "sha256")
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


def mount(engine: DuckDB, lookups: Sequence[LookedUp] = ()) -> None:
    """Make `context(value, country, network)` readable, one row per source address of `events`, and `looked_up`, one row
    per answer of a service that was asked about an address.
    """
    addresses = [row["ip"] for row in engine.query(_ADDRESSES)]
    rows = describe(addresses)
    engine.mount_arrow("context", _table(rows, COLUMNS))
    told = [{name: getattr(one, name) for name in _TOLD} for one in lookups]
    engine.mount_arrow("looked_up", _table(told, _TOLD))


def describe(addresses: Sequence[str]) -> list[dict[str, Any]]:
    """Country (ISO code) and network of each address; None where it is private, reserved or not known."""
    public = [a for a in addresses if _is_public(a)]
    countries = dict(zip(public, iptocc.country_code(public), strict=True)) if public else {}
    return [{"value": a, "country": countries.get(a), "network": network(a)} for a in addresses]


def _table(rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> ac.Table:
    arrays = [ac.Array([row[name] for row in rows], type=ac.DataType.string()) for name in columns]
    return ac.Table.from_arrays(
        arrays, schema=ac.Schema([ac.Field(name, ac.DataType.string(), nullable=True) for name in columns])
    )


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
