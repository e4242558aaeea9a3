"""Does a rule speak of what CloudTrail can record? Names of calls, services and fields; values that a field never has."""

from __future__ import annotations

import difflib
import ipaddress
import re
from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any, NamedTuple

from trailhound.detections import documents
from trailhound.detections.documents import Document
from trailhound.detections.fields import resolve
from trailhound.errors import CatalogError
from trailhound.ocsf.schema import BY_PATH
from trailhound.permissions import actions
from trailhound.vocab import calls
from trailhound.vocab.aws import service_of, undated

_AWS = ".amazonaws.com"
# Members of a record (CloudTrail record contents 1.11), and of those of its members that are the same in all records.
_MEMBERS = {
    "": "eventVersion userIdentity eventTime eventSource eventName awsRegion sourceIPAddress userAgent errorCode "
    "errorMessage requestParameters responseElements additionalEventData requestID eventID eventType apiVersion "
    "managementEvent readOnly resources recipientAccountId serviceEventDetails sharedEventID vpcEndpointId "
    "vpcEndpointAccountId eventCategory addendum sessionCredentialFromConsole eventContext edgeDeviceDetails "
    "tlsDetails insightDetails",
    "userIdentity": "type principalId arn accountId accessKeyId userName sessionContext invokedBy onBehalfOf "
    "identityProvider credentialId inScopeOf identityStoreArn",
    "userIdentity.sessionContext": "sessionIssuer attributes webIdFederationData ec2RoleDelivery sourceIdentity "
    "assumedRoot",
    "userIdentity.sessionContext.attributes": "mfaAuthenticated creationDate",
    "userIdentity.sessionContext.sessionIssuer": "type principalId arn accountId userName",
    "tlsDetails": "tlsVersion cipherSuite clientProvidedHostHeader keyExchange",
}
_CHOICES = {
    "userIdentity.type": "Root IAMUser AssumedRole Role FederatedUser Directory AWSAccount AWSService Unknown "
    "WebIdentityUser SAMLUser IdentityCenterUser",
    "eventType": "AwsApiCall AwsServiceEvent AwsConsoleAction AwsConsoleSignIn AwsCloudTrailInsight AwsVpceEvent "
    "AwsMcpEvent",
    "eventCategory": "Management Data NetworkActivity Insight",
    "status": "success failure",
}
_SUCCESSES = {"", "none", "null", "ok", "success", "successful", "-"}
_ACCOUNT_FIELDS = ("recipientAccountId", "userIdentity.accountId", "cloud.account.uid")
_SHOWN = 3


class _Item(NamedTuple):
    keys: tuple[str, ...]  # the way to it in the document
    field: str
    modifiers: tuple[str, ...]
    values: tuple[Any, ...]

    @property
    def exact(self) -> list[str]:
        """Values that the field has to be, whole."""
        plain = [value for value in self.values if isinstance(value, str) and not set(value) & {"*", "?", "\\"}]
        return plain if set(self.modifiers) <= {"cased", "all"} else []


def complaints(document: Document) -> Iterator[CatalogError]:
    """Of a rule or filter: each with the line of the item that can match nothing, and the likely fix."""
    section = "filter" if document.kind == "filter" else "detection"
    items = list(_items(document, section))
    meant = {name.lower() for name in document.header.trailhound.calls}
    for item in items:
        for what, next_step in _said(item, items, meant):
            where = f"{document.path}:{document.line_of(*item.keys)}"
            yield CatalogError(f"cannot match: {what}", where=where, next_step=next_step)


def _items(document: Document, section: str) -> Iterator[_Item]:
    for name, definition in (document.data.get(section) or {}).items():
        if name in ("condition", "rules"):
            continue
        for keys, key, value in documents.items(definition, (section, str(name))):
            field, *modifiers = key.split("|")
            values = tuple(value) if isinstance(value, list) else (value,)
            yield _Item(keys, field, tuple(modifiers), values)


def _said(item: _Item, items: Sequence[_Item], meant: set[str]) -> Iterator[tuple[str, str]]:
    """What is wrong with an item, and what was probably meant."""
    if not item.field:
        return
    if unknown := _unknown_field(item.field):
        yield unknown
        return
    match item.field:
        case "eventName" | "api.operation":
            yield from _names(item, _sources(item, items), meant)
        case "eventSource" | "api.service.name":
            yield from _services(item)
    yield from _values(item)


def _unknown_field(name: str) -> tuple[str, str] | None:
    if resolve(name, per_resource=True).kind != "json":
        return None  # a column
    way = name.split(".")
    for depth, member in enumerate(way):
        above = ".".join(way[:depth])
        if above not in _MEMBERS:
            return None  # of what stands here nobody has a list
        own = _MEMBERS[above].split()
        if member not in own:
            before, columns = (f"{above}.", []) if above else ("", list(BY_PATH))
            return _near(f"no record has the field {before}{member}", before, member, [*own, *columns])
    return None


def _near(what: str, before: str, name: str, known: Sequence[str]) -> tuple[str, str]:
    by_lower = {each.lower(): each for each in known}
    near = difflib.get_close_matches(name.lower(), by_lower, n=1, cutoff=0.7)
    return what, f"did you mean {before}{by_lower[near[0]]}?" if near else ""


def _sources(item: _Item, items: Sequence[_Item]) -> list[str]:
    """Services that the item may be about: of its own mapping, else of any in the rule."""
    sources = [each for each in items if each.field in ("eventSource", "api.service.name")]
    own = [each for each in sources if each.keys[:-1] == item.keys[:-1]] or sources
    whole = all(each.exact for each in own)
    return [service_of(value.lower()) for each in own for value in each.exact] if whole else []


def _names(item: _Item, services: Sequence[str], meant: set[str]) -> Iterator[tuple[str, str]]:
    known = calls.by_service()
    if services and not all(service in known for service in services):
        return  # a service that is not in the table: nothing can be said of its calls
    pool = frozenset().union(*(known[service] for service in services)) if services else frozenset()
    for name in (name for name in item.exact if name.lower() not in meant):
        there = set(calls.services_of(name))
        if there and (not services or there & set(services)):
            yield from _bare(name, [service for service in there if not services or service in services])
        elif there:
            listed = ", ".join(sorted(f"{each}{_AWS}" for each in there)[:_SHOWN])
            yield f"{services[0]}{_AWS} has no call {name}", f"it is a call of {listed}"
        elif name.lower() in _permissions():
            about = "IAM checks it within other calls, and no record has it as eventName"
            near = difflib.get_close_matches(name, pool, n=1, cutoff=0.6)
            yield f"{name} is a permission and not a call: {about}", f"did you mean {near[0]}?" if near else ""
        else:
            yield _near(f"there is no call {name}", "", undated(name), sorted(pool or _all_names()))
    if item.values and set(item.modifiers) & {"startswith", "endswith", "contains"} and "re" not in item.modifiers:
        yield from _parts(item, pool or _all_names())


def _parts(item: _Item, pool: frozenset[str]) -> Iterator[tuple[str, str]]:
    fits = {"startswith": str.startswith, "endswith": str.endswith, "contains": str.__contains__}
    fit = next(fits[each] for each in item.modifiers if each in fits)
    for part in item.values:
        if isinstance(part, str) and part.isalpha() and not any(fit(name.lower(), part.lower()) for name in pool):
            yield f"no call has a name like {part!r}", ""


def _bare(name: str, services: Sequence[str]) -> Iterator[tuple[str, str]]:
    if services and all(calls.is_dated(service, name) for service in services):
        yield f"{services[0]} writes the date of its API after {name}", f"write {name}*, or the name with its date"


def _all_names() -> frozenset[str]:
    return frozenset().union(*calls.by_service().values())


@cache
def _permissions() -> frozenset[str]:
    """Actions of IAM, in lower case, without their services."""
    return frozenset(name.partition(":")[2].lower() for names in actions.by_service().values() for name in names)


def _services(item: _Item) -> Iterator[tuple[str, str]]:
    known = calls.by_service()
    for value in item.exact:
        service = service_of(value.lower())
        if not value.lower().endswith(_AWS):
            right = f"write {service}{_AWS}" if service in known else ""
            yield f"no event comes from {value!r}: a source ends in {_AWS}", right
        elif service not in known:
            near = difflib.get_close_matches(service, known, n=1, cutoff=0.8)
            if near:
                yield f"there is no service {value}", f"did you mean {near[0]}{_AWS}?"


def _values(item: _Item) -> Iterator[tuple[str, str]]:
    kind = resolve(item.field, per_resource=True).kind
    plain = set(item.modifiers) <= {"cased", "all", "neq"}
    for value in item.values if plain else ():
        shown = str(value)
        if value is None:
            continue
        if kind == "boolean" and shown.lower() not in ("true", "false"):
            yield f"{item.field} is true or false, never {shown!r}", "write true or false, without quotes"
        elif kind == "number" and not re.fullmatch(r"-?\d+", shown):
            yield f"{item.field} is a whole number, never {shown!r}", ""
        elif item.field in _ACCOUNT_FIELDS and not re.fullmatch(r"\d{12}|.*[*?].*|ANONYMOUS_PRINCIPAL", shown):
            yield f"an account is 12 digits, never {shown!r}", "write it in quotes, with its leading zeros"
        elif item.field == "errorCode" and shown.lower() in _SUCCESSES:
            yield f"a call that succeeded has no errorCode, never {shown!r}", "write status: success"
        elif item.field in ("sourceIPAddress", "src_endpoint.ip"):
            yield from _address(shown)
        elif item.field in _CHOICES and not set(shown) & {"*", "?"}:
            choices = _CHOICES[item.field].split()
            if shown.lower() not in {each.lower() for each in choices}:
                yield _near(f"{item.field} is never {shown!r}", "", shown, choices)


def _address(value: str) -> Iterator[tuple[str, str]]:
    if not re.fullmatch(r"[0-9.]+(/\d+)?|[0-9a-fA-F:]*:[0-9a-fA-F:.]*(/\d+)?", value):
        return  # a name of a service, or a pattern
    try:
        ipaddress.ip_address(value)
    except ValueError:
        yield f"{value!r} is not an address", "write sourceIPAddress|cidr" if "/" in value else ""
