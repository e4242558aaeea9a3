"""Artifacts in text: what looks like an address, a key, an id, an ARN, an e-mail address or the host of a URL.

`PATTERNS` find tokens in the text of a request or response (RE2, as the engine has it, and Python read them
alike); `artifacts` says what a token names. Three of them are complete, `TRACED`: whatever contains a text of
that shape contains a token that contains it, so an index of these tokens may be asked where it does not occur.
"""

from __future__ import annotations

import ipaddress
import re
from functools import cache
from itertools import pairwise
from typing import NamedTuple

from trailhound import catalog
from trailhound.ocsf.resources import identify
from trailhound.vocab.aws import address, is_mask, parse_arn, principal_arn

LONGEST = 2048  # characters of a value; longer ones name nothing: an ARN has at most 2048
NOT_INDEXED = "not_indexed"  # the kind that says: here is more than the table holds

# ids of 17 hexadecimal digits, as AWS has given them since 2016; access keys; numbers with three dots.
TRACED = (
    r"[A-Za-z0-9-]*-[0-9a-fA-F]{17}[0-9A-Za-z]*",
    r"(?i)[a-z0-9İ]*a[ks][iİ]a[a-z0-9İ]{16,}",
    r"[0-9]+\.[0-9]+\.[0-9]+\.[0-9./]+",  # with all that stands behind a slash: of a network, or another address
)
# What tells in a fraction of the time whether any of them can occur.
SIGNS = (r"-[0-9a-fA-F]{17}", r"(?i)a[ks]ia[a-z0-9]{16}", "İ", r"\.[0-9]{1,3}\.[0-9]{1,3}\.")
OTHERS = (
    r"arn:aws[a-z-]*:[a-z0-9.-]+:[a-z0-9-]*:(?:[0-9]*|aws):[\w+=.@:/$*-]+",
    r"[a-zA-Z][a-zA-Z0-9+.-]*://(?:[^/\s\"\\@]*@)?[A-Za-z0-9.-]+",  # with user and password, lest they pass for an e-mail
    r"[A-Za-z0-9._%+-]+@(?:[A-Za-z0-9-]+\.)+[A-Za-z]{2,24}",
    r"\"[0-9]{12}\\*\"",
    r"\"(?:[A-Za-z0-9_-]+\.)+[A-Za-z]{2,24}\.\\*\"",  # a name of the DNS that ends in its dot
    r"\b(?:[0-9a-fA-F]{1,4}:[0-9a-fA-F:.]*:[0-9a-fA-F.]*|[0-9a-fA-F]{1,4}::)(?:/[0-9]{1,3})?",
    r"::/0\b",
    r"\b[a-z]+-[0-9a-f]{8}\b",
    r"\b(?:AROA|AIDA|AGPA|ANPA|AIPA|ANVA|ASCA|APKA)[A-Z0-9]{12,}\b",
)

_ID = re.compile(r"(?:[A-Za-z]+-)?[A-Za-z0-9]+-[0-9a-fA-F]{17}(?![0-9A-Za-z])")
_OLD_ID = re.compile(r"[a-z]+-[0-9a-f]{8}")
_HEX = re.compile(r"-[0-9a-fA-F]{17}")
_KEY = re.compile(r"A[KS]IA[A-Z0-9]{12,124}")
_UNIQUE_ID = re.compile(r"A(?:ROA|IDA|GPA|NPA|IPA|NVA|SCA|PKA)[A-Z0-9]+")
_KEY_SIGN = re.compile(r"a[ks][iİ]a", re.IGNORECASE)
_TRACEABLE = (_HEX, re.compile(r"a[ks]ia[a-z0-9]{16}", re.IGNORECASE | re.ASCII))
_IPV4 = re.compile(r"(?<![0-9])(?:[0-9]{1,3}\.){3}[0-9]{1,3}(?![0-9])")


class Artifact(NamedTuple):
    kind: str
    value: str  # in the one form by which it is known: see `events.resources`
    name: str | None  # short, or as it was written


_UNTOLD = Artifact(NOT_INDEXED, "", None)


@cache
def kinds() -> dict[str, str]:
    """CloudFormation type → kind, the finer ones too."""
    coarse, finer, _ = catalog.documents(catalog.PACKS / "kinds.yml")
    return {**coarse, **finer}


def artifacts(token: str) -> set[Artifact]:
    """What a token of one of the patterns names; with `NOT_INDEXED` when that is more than can be told."""
    if not token or len(token) > LONGEST:
        return {_UNTOLD}
    if is_mask(token):
        return set()
    if token.startswith("arn:"):
        return _of_arn(token)
    if "://" in token:
        return _of_host(token.partition("://")[2].rpartition("@")[2])
    if token.startswith('"'):
        bare = token.strip('"\\')
        return {Artifact("account", bare, None)} if bare.isdigit() else _of_host(bare)
    if "@" in token:
        return {Artifact("email", token, None)}
    if _UNIQUE_ID.fullmatch(token):
        return {Artifact("principal_id", token, None)}
    if _KEY.fullmatch(token):
        return {Artifact("access_key", token, None)}
    if ":" in token or (token[0].isdigit() and "." in token):
        return _of_address(token)
    return _of_id(token)


def traced(text: str) -> str | None:
    """A part of `text`, in lower case, without which it cannot occur and which any value that covers it contains.

    None when the table is not to be asked: text of another shape may stand where nothing was indexed.
    """
    for shape in _TRACEABLE:
        if found := shape.search(text):
            return found[0].lower()
    found = _IPV4.search(text)
    return found[0] if found and address(found[0]) else None


def _of_arn(token: str) -> set[Artifact]:
    token = token.rstrip(".:")
    arn = parse_arn(token)
    if arn is None:
        return set()
    found = {Artifact("account", arn.account, None)} if arn.account.isdigit() else set[Artifact]()
    if arn.service == "sts" and arn.resource.count("/") == 2:
        found.add(Artifact("session", token, arn.resource.rpartition("/")[2]))
    if arn.service == "s3" and "/" in arn.resource and not arn.account:
        token = f"arn:{arn.partition}:s3:::{arn.resource.partition('/')[0]}"  # of objects, their bucket
    if arn.service == "iam" and arn.resource == "root":
        return found | {Artifact("user", token, "root")}
    resource = identify(token, "", "", arn.partition, None)
    if resource is not None and resource[0]:
        uid, name, kind, _ = resource
        found.add(Artifact(kinds().get(kind, "resource"), principal_arn(uid), name))
    return found


def _of_host(host: str) -> set[Artifact]:
    host = host.rstrip(".").lower()
    if found := address(host):
        return {Artifact("ip_address", found[0], host if host != found[0] else None)}
    return {Artifact("domain", host, None)} if "." in host.strip(".") else set()


def _of_address(token: str) -> set[Artifact]:
    """IPv4 and IPv6 addresses and networks; of a chain of them between slashes, each."""
    found = set[Artifact]()
    parts = token.split("/")
    for part, behind in pairwise([*parts, ""]):
        text, width = part.rstrip(".") if "::" in part else part.rstrip(".:"), behind.rstrip(".")
        written = address(text)
        if written and _is_network(written[0], width):
            found.add(Artifact("cidr", f"{text}/{width}", None))  # as it was written, so that it is found by it
        elif written:
            found.add(Artifact("ip_address", written[0], text if text != written[0] else None))
        elif _may_hide_address(text):
            found.add(Artifact("text", text, None))
    return found


def _is_network(host: str, width: str) -> bool:
    if not (width.isdigit() and len(width) <= 3):
        return False
    try:
        return ipaddress.ip_network(f"{host}/{width}", strict=False) is not None
    except ValueError:
        return False


def _may_hide_address(text: str) -> bool:
    """More than four numbers, or larger ones, are no address; but one may stand among them."""
    numbers = [int(number) for number in text.split(".") if number.isdigit()]
    return "." in text and any(max(pair) <= 255 for pair in pairwise(numbers[1:-1]))


def _of_id(token: str) -> set[Artifact]:
    found = {_identified(match[0]) for match in _ID.finditer(token)}
    if not found and _OLD_ID.fullmatch(token) and (known := identify(token, "", "", "aws", None)) and known[2]:
        return {Artifact(kinds().get(known[2], "resource"), token, None)}
    told = {piece.lower() for one in found for piece in _HEX.findall(one.value)}
    if not {piece.lower() for piece in _HEX.findall(token)} <= told:
        return {_UNTOLD}  # the hash of a file or a commit: each is new
    # A key may stand within it, in any case: the Kelvin sign is a k to whoever searches so.
    return found | {Artifact("text", token, None)} if _KEY_SIGN.search(token) else found


def _identified(text: str) -> Artifact:
    """`prod-i-0abc...` is an instance by the end of it; what has no known prefix is a resource as it stands."""
    for value in (text, text.partition("-")[2]):
        if (known := identify(value, "", "", "aws", None)) and known[2]:
            return Artifact(kinds().get(known[2], "resource"), value, None)
    return Artifact("resource", text, None)
