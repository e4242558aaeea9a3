"""AWS words: ARN grammar, partitions, dated API names, masks, source addresses."""

from __future__ import annotations

import ipaddress
import re
from functools import lru_cache
from typing import NamedTuple

from trailhound.vocab import tsv

# What CloudTrail writes where a value is withheld: never the name of anything.
MASKS = frozenset(
    {"HIDDEN_DUE_TO_SECURITY_REASONS", "<sensitiveDataRemoved>", "***", "Value hidden due to security reasons."}
)

_PARTITIONS = tuple((prefix, partition) for prefix, partition in tsv.rows("partitions"))
_DATED = re.compile(r"_?20\d\d_?\d\d_?\d\d(?:v\d+)?$")
_PADDED_IPV4 = re.compile(r"[0-9]{1,3}(?:\.[0-9]{1,3}){3}")


class Arn(NamedTuple):
    """arn:partition:service:region:account:resource"""

    partition: str
    service: str
    region: str
    account: str
    resource: str


def parse_arn(text: str) -> Arn | None:
    """None when `text` is not an ARN."""
    parts = text.split(":", 5)
    if len(parts) != 6 or parts[0] != "arn":
        return None
    return Arn(*parts[1:])


@lru_cache(8192)
def principal_arn(text: str) -> str:
    """The ARN of the user or role behind `text`, without path and session; anything else as it is.

    A session ARN has lost the path of its role, so a path in the others would break every join.
    """
    arn = parse_arn(text)
    if arn is None:
        return text
    kind, _, rest = arn.resource.partition("/")
    if not rest:
        return text
    if arn.service == "sts" and kind == "assumed-role":
        return f"arn:{arn.partition}:iam::{arn.account}:role/{rest.partition('/')[0]}"
    if arn.service == "iam" and kind in ("user", "role", "group"):
        return f"arn:{arn.partition}:iam::{arn.account}:{kind}/{rest.rpartition('/')[2]}"
    return text


@lru_cache(256)
def partition_of(region: str | None) -> str:
    return next((name for prefix, name in _PARTITIONS if region and region.startswith(prefix)), "aws")


def undated(operation: str) -> str:
    """`UpdateFunctionCode20150331v2` → `UpdateFunctionCode`: Lambda and CloudFront log the date of their API."""
    return _DATED.sub("", operation)


def service_of(event_source: str | None) -> str:
    """`ec2.amazonaws.com` → `ec2`."""
    return (event_source or "").removesuffix(".amazonaws.com")


def is_mask(text: str) -> bool:
    return text in MASKS or "****" in text


@lru_cache(16_384)
def address(text: str) -> tuple[str, str] | None:
    """An IP address as (canonical text, 32 lower-case hex digits, IPv4 mapped into IPv6), or None.

    `255.090.254.5`, as anonymised samples have it, is read as decimal.
    """
    if _PADDED_IPV4.fullmatch(text):
        text = ".".join(str(int(octet)) for octet in text.split("."))
    try:
        found = ipaddress.ip_address(text)
    except ValueError:
        return None
    if isinstance(found, ipaddress.IPv4Address):
        return str(found), f"{0xFFFF:024x}{int(found):08x}"
    if found.scope_id is not None:
        return None
    if found.ipv4_mapped is not None:
        return address(str(found.ipv4_mapped))
    return str(found), f"{int(found):032x}"
