"""What is known of an address without asking anybody: the country of its registration."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import version
from ipaddress import ip_address
from typing import Any

import arro3.core as ac
import iptocc

from trailhound.engines.duckdb import DuckDB

COLUMNS = ("value", "country")
_ADDRESSES = "SELECT DISTINCT src_endpoint.ip AS ip FROM events WHERE src_endpoint.ip IS NOT NULL ORDER BY ip"


def mount(engine: DuckDB) -> None:
    """Make `context(value, country)` readable: one row per source address of `events`."""
    addresses = [row["ip"] for row in engine.query(_ADDRESSES)]
    rows = describe(addresses)
    arrays = [ac.Array([row[name] for row in rows], type=ac.DataType.string()) for name in COLUMNS]
    fields = [ac.Field(name, ac.DataType.string(), nullable=True) for name in COLUMNS]
    engine.mount_arrow("context", ac.Table.from_arrays(arrays, schema=ac.Schema(fields)))


def describe(addresses: Sequence[str]) -> list[dict[str, Any]]:
    """Country (ISO code) of each address; None where it is private, reserved or not known."""
    public = [a for a in addresses if _is_public(a)]
    countries = dict(zip(public, iptocc.country_code(public), strict=True)) if public else {}
    return [{"value": a, "country": countries.get(a)} for a in addresses]


def versions() -> dict[str, str]:
    """The data that the answers stand on."""
    return {"iptocc": version("iptocc")}


def _is_public(address: str) -> bool:
    try:
        return ip_address(address).is_global
    except ValueError:
        return False
