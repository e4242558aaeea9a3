"""The shapes of API calls, from `calls.yml`, and the CloudTrail record around them."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any, Literal, NamedTuple

import msgspec

from trailhound import catalog
from trailhound.errors import CatalogError

_FILE = Path(__file__).with_name("calls.yml")
_TLS_SINCE = 8  # minor version of the record format that brought tlsDetails and sessionCredentialFromConsole


class _Spec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    pass


class Call(_Spec, frozen=True, kw_only=True):
    """What the log says of one API call. Slots as in `template`."""

    read: bool = False
    request: Any = None
    response: Any = None
    extra: Any = None  # additionalEventData
    details: Any = None  # serviceEventDetails
    resources: list[dict[str, str]] = []
    message: str = ""  # errorMessage of a call that fails without an error code
    type: Literal["AwsApiCall", "AwsConsoleSignIn", "AwsServiceEvent"] = "AwsApiCall"
    category: Literal["Management", "Data"] = "Management"
    region: str = ""  # a global service is logged in one Region
    host: str = "$service.$region.amazonaws.com"
    api_version: str = ""
    request_id: str = "$request_id"
    identity: Literal["session", "signing_in", "not_signed_in"] = "session"
    target: str = "*"  # the resource, as a denial names it
    defaults: dict[str, Any] = {}


class Denial(_Spec, frozen=True, kw_only=True):
    """How a service words a denial."""

    code: str
    message: str
    request: bool = True  # the parameters are logged all the same


class _Catalogue(_Spec, frozen=True, kw_only=True):
    denials: dict[str, Denial]
    reads: dict[str, list[str]]  # by service: calls that ask for no more than their name says
    everywhere: list[str]  # services without Regions, which are logged in us-east-1
    calls: dict[str, Call]


class Circumstances(NamedTuple):
    """What decides which members a record has, beside the call."""

    version: str  # of the record format
    by_service: bool  # AWS calls from within: no TLS details
    shared: bool = False  # the record is the owner's copy, or a service's
    console: bool = False
    vpc_endpoint: str = ""


@cache
def _catalogue() -> _Catalogue:
    return catalog.load(_FILE, _Catalogue)


def find(name: str) -> Call:
    """A call by `service:Operation`, or `service:Operation:variant`. Raises CatalogError for any other name."""
    catalogue = _catalogue()
    if call := catalogue.calls.get(name):
        return call
    service, _, operation = name.partition(":")
    if operation not in catalogue.reads.get(service, ()):
        raise CatalogError(f"there is no call {name!r}", where=str(_FILE), next_step="add its shape there")
    if service in catalogue.everywhere:
        return Call(read=True, region="us-east-1", host="$service.amazonaws.com")
    return Call(read=True)


def reads(service: str) -> list[str]:
    """Operations of a service that only read. Raises CatalogError when none are listed."""
    listed = _catalogue().reads.get(service)
    if not listed:
        raise CatalogError(f"no reading calls of {service!r} are listed", where=str(_FILE), next_step="add them there")
    return listed


def shape(name: str, circumstances: Circumstances, error: Literal["denied"] | tuple[str, str] | None) -> dict[str, Any]:
    """The record of a call, members in CloudTrail's order, slots unfilled."""
    call = find(name)
    service, operation = name.split(":")[:2]
    code, message, keeps_request = _error(service, operation, call, error)
    failed = code or message
    plain = {
        "eventVersion": circumstances.version,
        "userIdentity": "$$identity",
        "eventTime": "$time",
        "eventSource": f"{service}.amazonaws.com",
        "eventName": operation,
        "awsRegion": "$region",
        "sourceIPAddress": "$address",
        "userAgent": "$agent",
        "errorCode": code,
        "errorMessage": message,
        "requestParameters": call.request if keeps_request else None,
        "responseElements": None if failed and not call.message else call.response,
        "additionalEventData": call.extra,
        "requestID": call.request_id,
        "eventID": "$event_uid",
        "readOnly": call.read,
        "resources": call.resources,
        "eventType": call.type,
        "apiVersion": call.api_version,
        "managementEvent": call.category == "Management",
        "recipientAccountId": "$account",
        "serviceEventDetails": call.details,
        "sharedEventID": "$shared_uid" if circumstances.shared else "",
        "vpcEndpointId": circumstances.vpc_endpoint,
        "eventCategory": call.category,
        **_since_tls(call, circumstances),
    }
    needed = ("requestParameters", "responseElements")
    return {key: value for key, value in plain.items() if key in needed or value not in (None, "", [])}


def _since_tls(call: Call, circumstances: Circumstances) -> dict[str, Any]:
    """The members that came with tlsDetails. A console's calls come through its own servers and have none."""
    if int(circumstances.version.split(".")[1]) < _TLS_SINCE or circumstances.by_service:
        return {}
    if circumstances.console and call.type == "AwsApiCall":
        return {"sessionCredentialFromConsole": "true"}
    return {
        "tlsDetails": {
            "tlsVersion": "TLSv1.2",
            "cipherSuite": "ECDHE-RSA-AES128-GCM-SHA256",
            "clientProvidedHostHeader": call.host,
        }
    }


def _error(service: str, operation: str, call: Call, error: Any) -> tuple[str, str, bool]:
    if error is None:
        return "", call.message, True
    if error == "denied":
        denials = _catalogue().denials
        denial = denials.get(service) or denials["default"]
        action = f"{service}:{operation.split('20', maxsplit=1)[0]}"  # Lambda's names carry API dates
        return denial.code, denial.message.replace("$action", action).replace("$target", call.target), denial.request
    return *error, True
