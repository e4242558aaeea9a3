"""Who can be asked about an address: what is sent, and what each answer means.

Only a well-formed answer of a service that knows the address and has nothing against it is *clean*. Shapes are those
of the services' public documentation; what does not fit is a NotUnderstoodError, never a guess.
"""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import ip_address
from typing import Annotated, Any, Literal
from urllib.parse import quote

import msgspec

from trailhound.enrichers.client import Request

Verdict = Literal["malicious", "suspicious", "clean", "unknown to them", "could not ask"]
_Count = Annotated[int, msgspec.Meta(ge=0)]
_TOLD = 80  # characters that are shown of a word in an answer
_SURE = 75  # of AbuseIPDB's confidence, in percent: where its makers advise to block


class NotUnderstoodError(ValueError):
    """The answer has another shape than the service documents, or is about another address."""


class Opinion(msgspec.Struct, frozen=True):
    verdict: Verdict
    detail: str = ""
    network: str = ""  # "Tor", "VPN", "hosting": what is said of its network, if anything
    owner: str = ""  # who runs the network, by this service


class Provider(msgspec.Struct, frozen=True):
    """A service: `request(base, address, key)` is all that leaves, `read(answer, address)` raises NotUnderstoodError."""

    title: str
    url: str  # "" where everybody has their own
    per_minute: int
    needs_key: bool
    request: Callable[[str, str, str], Request]
    read: Callable[[bytes, str], Opinion]
    absent: bool = False  # does 404 mean that it does not know the address?


def _decoded(answer: bytes, shape: Any) -> Any:
    try:
        return msgspec.json.decode(answer, type=shape)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise NotUnderstoodError("the answer has another shape than the service documents") from error


def _same(told: str, asked: str) -> None:
    try:
        if ip_address(told) == ip_address(asked):
            return
    except ValueError:
        pass
    raise NotUnderstoodError("the answer is about another address")


def shown(text: str | None) -> str:
    """A word of somebody else's, on one line."""
    return "".join(sign if sign.isprintable() else " " for sign in (text or "")[:_TOLD]).strip()


# --- VirusTotal v3


class _Stats(msgspec.Struct):
    malicious: _Count
    suspicious: _Count
    harmless: _Count
    undetected: _Count


class _Attributes(msgspec.Struct):
    last_analysis_stats: _Stats
    as_owner: str | None = None


class _VirusTotalData(msgspec.Struct):
    id: str
    attributes: _Attributes


class _VirusTotal(msgspec.Struct):
    data: _VirusTotalData


def _virustotal(answer: bytes, address: str) -> Opinion:
    data = _decoded(answer, _VirusTotal).data
    _same(data.id, address)
    stats, owner = data.attributes.last_analysis_stats, shown(data.attributes.as_owner)
    engines = stats.malicious + stats.suspicious + stats.harmless + stats.undetected
    told = f"{stats.malicious} malicious, {stats.suspicious} suspicious of {engines} engines"
    if not engines:
        return Opinion("unknown to them", "no engine has judged it", owner=owner)
    # One engine among ninety is often wrong.
    bad = "malicious" if stats.malicious > 1 else "suspicious" if stats.malicious or stats.suspicious else "clean"
    return Opinion(bad, told, owner=owner)


# --- AbuseIPDB v2


class _Abuse(msgspec.Struct, rename="camel"):
    ip_address: str
    abuse_confidence_score: Annotated[int, msgspec.Meta(ge=0, le=100)]
    total_reports: _Count
    is_tor: bool | None = None
    usage_type: str | None = None
    isp: str | None = None


class _AbuseIpdb(msgspec.Struct):
    data: _Abuse


def _abuseipdb(answer: bytes, address: str) -> Opinion:
    data = _decoded(answer, _AbuseIpdb).data
    _same(data.ip_address, address)
    network = "Tor" if data.is_tor else "hosting" if "hosting" in (data.usage_type or "").lower() else ""
    told = f"{data.total_reports} reports in 90 days, confidence {data.abuse_confidence_score} %"
    reported = data.total_reports or data.abuse_confidence_score
    bad = "malicious" if data.abuse_confidence_score >= _SURE else "suspicious" if reported else "clean"
    return Opinion(bad, told, network, shown(data.isp))


# --- GreyNoise v3


class _Scanner(msgspec.Struct):
    found: bool
    classification: Literal["malicious", "suspicious", "benign", "unknown", ""] = ""


class _Business(msgspec.Struct):
    found: bool


class _GreyNoise(msgspec.Struct):
    ip: str
    internet_scanner_intelligence: _Scanner
    business_service_intelligence: _Business


def _greynoise(answer: bytes, address: str) -> Opinion:
    data = _decoded(answer, _GreyNoise)
    _same(data.ip, address)
    scanner = data.internet_scanner_intelligence
    if scanner.found and scanner.classification in ("malicious", "suspicious"):
        return Opinion(scanner.classification, "scans the internet")
    if scanner.found and scanner.classification == "benign":
        return Opinion("clean", "a scanner known as benign")
    if data.business_service_intelligence.found and not scanner.found:
        return Opinion("clean", "an address of a common business service")
    return Opinion("unknown to them", "scans the internet, for what is not known" if scanner.found else "not seen")


# --- OTX, SANS ISC, MISP


class _Pulses(msgspec.Struct):
    count: _Count


class _Otx(msgspec.Struct):
    indicator: str
    pulse_info: _Pulses


def _otx(answer: bytes, address: str) -> Opinion:
    data = _decoded(answer, _Otx)
    _same(data.indicator, address)
    # It answers about any address: no pulse means that nobody wrote of it.
    count = data.pulse_info.count
    return Opinion("suspicious", f"in {count} pulses") if count else Opinion("unknown to them", "in no pulse")


class _Seen(msgspec.Struct):
    number: str
    count: _Count | None  # reports; null where it was never seen
    attacks: _Count | None
    threatfeeds: dict[str, Any] | None = None
    asname: str | None = None


class _Isc(msgspec.Struct):
    ip: _Seen


def _isc(answer: bytes, address: str) -> Opinion:
    seen = _decoded(answer, _Isc).ip
    _same(seen.number, address)
    owner, feeds = shown(seen.asname), len(seen.threatfeeds or ())
    if seen.count or seen.attacks or feeds:
        told = f"{seen.count or 0} reports, {seen.attacks or 0} targets, in {feeds} feeds"
        return Opinion("suspicious", told, owner=owner)
    if seen.count is None or seen.attacks is None:
        return Opinion("unknown to them", "never seen", owner=owner)
    return Opinion("clean", "0 reports", owner=owner)


class _Attribute(msgspec.Struct):
    value: str
    to_ids: bool = False


class _Attributes2(msgspec.Struct):
    attributes: list[_Attribute] = msgspec.field(name="Attribute")


class _Misp(msgspec.Struct):
    response: _Attributes2


def _misp(answer: bytes, address: str) -> Opinion:
    found = _decoded(answer, _Misp).response.attributes
    for one in found:
        # "ip-dst|port" is written as 8.8.8.8|443
        _same(one.value.split("|")[0], address)
    if not found:
        return Opinion("unknown to them", "in no event")
    told = f"in {len(found)} attributes"
    return Opinion("malicious" if any(one.to_ids for one in found) else "suspicious", told)


def _misp_request(base: str, address: str, key: str) -> Request:
    body = msgspec.json.encode({"returnFormat": "json", "value": address, "limit": 100})
    return Request(f"{base}/attributes/restSearch", {"Authorization": key, "Content-Type": "application/json"}, body)


def _get(path: str, header: str = "") -> Callable[[str, str, str], Request]:
    """A GET with the address in its path, and the key in a header."""

    def request(base: str, address: str, key: str) -> Request:
        version = "IPv6" if ":" in address else "IPv4"
        at = path.format(address=quote(address, safe=":"), version=version)
        return Request(base + at, {header: key} if header and key else {})

    return request


PROVIDERS: dict[str, Provider] = {
    "virustotal": Provider(
        "VirusTotal", "https://www.virustotal.com", 4, needs_key=True,
        request=_get("/api/v3/ip_addresses/{address}", "x-apikey"), read=_virustotal, absent=True,
    ),
    "abuseipdb": Provider(
        "AbuseIPDB", "https://api.abuseipdb.com", 60, needs_key=True,
        request=_get("/api/v2/check?ipAddress={address}&maxAgeInDays=90", "Key"), read=_abuseipdb,
    ),
    "greynoise": Provider(
        "GreyNoise", "https://api.greynoise.io", 30, needs_key=True,
        request=_get("/v3/ip/{address}?quick=true", "key"), read=_greynoise, absent=True,
    ),
    "otx": Provider(
        "OTX", "https://otx.alienvault.com", 60, needs_key=True,
        request=_get("/api/v1/indicators/{version}/{address}/general", "X-OTX-API-KEY"), read=_otx,
    ),
    "isc": Provider(
        "SANS ISC", "https://isc.sans.edu", 20, needs_key=False,
        request=_get("/api/ip/{address}?json"), read=_isc,
    ),
    "misp": Provider("MISP", "", 60, needs_key=True, request=_misp_request, read=_misp),
}  # fmt: skip
