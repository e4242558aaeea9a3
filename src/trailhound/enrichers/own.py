"""Which addresses nobody outside is asked about: private and reserved ones, and one's own."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from trailhound.engines.duckdb import DuckDB
from trailhound.errors import RequestError

_TUNNELS = (ip_network("64:ff9b::/96"), ip_network("64:ff9b:1::/48"), ip_network("2002::/16"), ip_network("2001::/32"))
# Addresses that EC2 gave to any account of the log. What instances get at launch stands in no record.
_GIVEN = """
  SELECT DISTINCT unnest(regexp_extract_all(api.response.data, '"(publicIp|publicIpAddress)": ?"([^"]+)"', 2)) AS ip
  FROM events WHERE api.operation IN ('AllocateAddress', 'CreateNatGateway') AND status_id = 1
  UNION
  SELECT unnest(regexp_extract_all(api.request.data, '"(publicIp)": ?"([^"]+)"', 2))
  FROM events WHERE api.operation = 'AssociateAddress' AND status_id = 1
"""


def given(engine: DuckDB) -> frozenset[str]:
    """Public addresses that the log shows as given to its accounts."""
    return frozenset(row["ip"] for row in engine.query(_GIVEN))


def networks(listed: Iterable[str]) -> list[IPv4Network | IPv6Network]:
    """Of the settings. Raises RequestError for what is neither an address nor a network."""
    try:
        return [ip_network(text.strip(), strict=False) for text in listed]
    except ValueError as error:
        raise RequestError(
            f"own_networks: {error}",
            where="trailhound.toml, [enrichment]",
            next_step='write addresses and networks: ["192.0.2.7", "198.51.100.0/24"]',
        ) from error


def why_not(text: str, own: Sequence[IPv4Network | IPv6Network], of_log: frozenset[str]) -> str:
    """Why nobody is asked about this address; "" where somebody may be."""
    try:
        address = ip_address(text)
    except ValueError:
        return "it is no address"
    if isinstance(address, IPv6Address) and address.scope_id is not None:
        return "it is an address of one link"
    if not _is_public(address):
        return "it is private or reserved"
    if any(address in network for network in own):
        return "it is our own, by trailhound.toml"
    return "it is our own: the log shows that it was given to an account" if str(address) in of_log else ""


def _is_public(address: IPv4Address | IPv6Address) -> bool:
    """Also not of a tunnel: such an address holds another one, which may be private."""
    held = any(address in tunnel for tunnel in _TUNNELS) or (isinstance(address, IPv6Address) and address.ipv4_mapped)
    return address.is_global and not address.is_multicast and not address.is_reserved and not held
