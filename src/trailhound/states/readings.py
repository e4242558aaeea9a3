"""What stands in a call → the value of an attribute. Sources: the API references of EC2, IAM, S3 and CloudTrail."""

from __future__ import annotations

import ipaddress
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any
from urllib.parse import unquote

from trailhound.permissions.document import Unreadable
from trailhound.permissions.document import read as read_policy

BLOCK = ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")
_SETTLED = {"pending": "running", "stopping": "stopped", "shutting-down": "terminated"}
_PROTOCOLS = {"-1": "all", "1": "icmp", "6": "tcp", "17": "udp", "58": "icmpv6"}
_CANNED = {
    **dict.fromkeys(("private", "bucket-owner-read", "bucket-owner-full-control", "aws-exec-read"), ()),
    "public-read": ("AllUsers READ",),
    "public-read-write": ("AllUsers READ", "AllUsers WRITE"),
    "authenticated-read": ("AuthenticatedUsers READ",),
    "log-delivery-write": ("LogDelivery READ_ACP", "LogDelivery WRITE"),
}
_GRANTS = {
    "x-amz-grant-read": "READ",
    "x-amz-grant-write": "WRITE",
    "x-amz-grant-read-acp": "READ_ACP",
    "x-amz-grant-write-acp": "WRITE_ACP",
    "x-amz-grant-full-control": "FULL_CONTROL",
}
_ACCOUNT_KEYS = ("userId", "group", "organizationArn", "organizationalUnitArn")


class UnreadableError(Exception):
    """What stands there is of a form that says nothing to us."""


Reading = Callable[[Sequence[Any]], Any]
"""`values` is never empty. Of a set or map: a mapping. Raises UnreadableError."""


def text(values: Sequence[Any]) -> str:
    one = values[0]
    if not isinstance(one, str | int | float) or any(value != one for value in values):
        raise UnreadableError
    return one if isinstance(one, str) else str(one).lower()


def last(values: Sequence[Any]) -> str:
    """The name at the end of an ARN."""
    return text(values).rpartition("/")[2]


def flag(values: Sequence[Any]) -> bool:
    return _flag(text(values))


def _flag(value: Any) -> bool:
    found = {"true": True, "enabled": True, "false": False, "disabled": False}.get(str(value).lower())
    if found is None:
        raise UnreadableError
    return found


def settled(values: Sequence[Any]) -> str:
    """The state that an instance is on its way to."""
    state = text(values)
    return _SETTLED.get(state, state)


def as_json(values: Sequence[Any]) -> Any:
    return list(values)


def names(values: Sequence[Any]) -> dict[str, bool]:
    if not all(isinstance(value, str) for value in values):
        raise UnreadableError
    return dict.fromkeys(values, True)


def document(values: Sequence[Any]) -> Any:
    """A policy as an object, if it can be read at all."""
    one = values[0]
    if not isinstance(one, str | Mapping) or isinstance(read_policy(one), Unreadable):
        raise UnreadableError
    if not isinstance(one, str):
        return one
    return json.loads(unquote(one) if one.lstrip().startswith("%") else one)


def pairs(values: Sequence[Any]) -> dict[str, str | None]:
    """Tags. None: without a value, which takes a tag away whatever its value is."""
    found: dict[str, str | None] = {}
    for one in values:
        key, value = (_either(one, name) for name in ("key", "value"))
        if not isinstance(key, str) or not isinstance(value, str | None):
            raise UnreadableError
        found[key] = value
    return found


def block(values: Sequence[Any]) -> dict[str, bool]:
    """What a request for an access block leaves out is off."""
    given = {name: _either(values[0], name[0].lower() + name[1:]) for name in BLOCK}
    return {name: value is not None and _flag(value) for name, value in given.items()}


def grantees(values: Sequence[Any]) -> dict[str, bool]:
    """Accounts, organisations, or `all`."""
    found = [
        next((one[key] for key in _ACCOUNT_KEYS if isinstance(one, dict) and one.get(key)), None) for one in values
    ]
    return names(found)


def acl(values: Sequence[Any]) -> dict[str, bool]:
    """Grants to groups, which are not of one account: `AllUsers READ`. Of a request without any, UnreadableError."""
    request = values[0]
    canned = request.get("x-amz-acl")
    if canned:
        one = canned[0] if isinstance(canned, list) else canned
        if one not in _CANNED:
            raise UnreadableError
        return dict.fromkeys(_CANNED[one], True)
    policy = request.get("AccessControlPolicy")
    if isinstance(policy, dict):
        return dict.fromkeys(_granted(policy), True)
    headers = {name: str(request[name]) for name in _GRANTS if name in request}
    if not headers:
        raise UnreadableError
    return {
        f"{group} {_GRANTS[name]}": True
        for name, value in headers.items()
        for group in re.findall(r"/(\w+)[\"',]", value + '"')
    }


def _granted(policy: Mapping[str, Any]) -> Iterator[str]:
    listed = policy.get("AccessControlList")
    if "AccessControlList" not in policy:
        raise UnreadableError
    for grant in _listed(listed.get("Grant") if isinstance(listed, dict) else None):
        grantee = grant.get("Grantee") if isinstance(grant, dict) else None
        if not isinstance(grantee, dict):
            raise UnreadableError
        if uri := grantee.get("URI"):
            yield f"{str(uri).rpartition('/')[2]} {grant.get('Permission')}"


def rules(values: Sequence[Any]) -> dict[str, str]:
    """`tcp 22 0.0.0.0/0` → its id, or "". Of a request that names ids alone: these."""
    if any(isinstance(one, dict) and "ipProtocol" in one and "ipPermissions" not in one for one in values):
        return dict(_rule(one) for one in values)
    request = values[0]
    ids = [
        one.get("securityGroupRuleId", one)
        for one in _items(request.get("securityGroupRuleIds"))
        if isinstance(one, dict)
    ]
    ids += [one for one in _items(request.get("securityGroupRuleIds")) if isinstance(one, str)]
    permissions = [*_items(request.get("ipPermissions"))]
    if request.get("cidrIp"):
        permissions.append({**request, "ipRanges": {"items": [{"cidrIp": request["cidrIp"]}]}})
    found = {name: "" for one in permissions for name in _permission(one)}
    found |= {str(one): "" for one in ids}
    if not found:
        raise UnreadableError
    return found


def _rule(rule: Mapping[str, Any]) -> tuple[str, str]:
    group = rule.get("referencedGroupInfo")
    peer = next((rule[key] for key in ("cidrIpv4", "cidrIpv6", "prefixListId") if rule.get(key)), None)
    peer = peer or (group.get("groupId") if isinstance(group, dict) else None)
    if not isinstance(peer, str):
        raise UnreadableError
    return _named(rule, peer), str(rule.get("securityGroupRuleId") or "")


def _permission(permission: Mapping[str, Any]) -> Iterator[str]:
    listed = (
        ("ipRanges", "cidrIp"),
        ("ipv6Ranges", "cidrIpv6"),
        ("prefixListIds", "prefixListId"),
        ("groups", "groupId"),
    )
    for place, key in listed:
        for one in _items(permission.get(place)):
            peer = one.get(key) if isinstance(one, dict) else None
            if not isinstance(peer, str):
                raise UnreadableError
            yield _named(permission, peer)


def _named(rule: Mapping[str, Any], peer: str) -> str:
    protocol = str(rule.get("ipProtocol"))
    protocol = _PROTOCOLS.get(protocol, protocol)
    ports = [str(rule[key]) for key in ("fromPort", "toPort") if rule.get(key) not in (None, -1, "-1")]
    if protocol == "all":
        ports = []
    with suppress(ValueError):  # a group, or a list of prefixes
        peer = str(ipaddress.ip_network(peer, strict=False))
    return " ".join(filter(None, (protocol, "-".join(dict.fromkeys(ports)), peer)))


def _items(node: Any) -> list[Any]:
    """EC2 wraps lists."""
    return _listed(node.get("items")) if isinstance(node, dict) else _listed(node)


def _listed(node: Any) -> list[Any]:
    return node if isinstance(node, list) else [] if node is None else [node]


def _either(one: Any, name: str) -> Any:
    """A member whose first letter may be of either case."""
    if not isinstance(one, dict):
        raise UnreadableError
    return one.get(name, one.get(name[0].upper() + name[1:]))


READINGS: dict[str, Reading] = {
    "text": text,
    "last": last,
    "flag": flag,
    "settled": settled,
    "json": as_json,
    "names": names,
    "document": document,
    "pairs": pairs,
    "block": block,
    "grantees": grantees,
    "acl": acl,
    "rules": rules,
}
