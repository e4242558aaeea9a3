"""OCSF events of CloudTrail, as Security Lake keeps them: the original record, or the record mapped back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from trailhound.containers.found import NOT_JSON, Broken, Found, Partial, excerpt, reader
from trailhound.containers.rows import PARTIAL, put

KEYS = ("class_uid",)

FROM_OCSF = "from_ocsf"

_CATEGORIES = ("Management", "Data", "NetworkActivity", "Insight")  # else the text Security Lake puts there


class _Product(msgspec.Struct):
    name: str | None = None


class _Metadata(msgspec.Struct):
    product: _Product
    event_code: str | None = None


class _Event(msgspec.Struct):
    class_uid: int
    metadata: _Metadata
    raw_data: str | None = None


_read, _read_all = reader(_Event), reader(dict[str, Any])


def _paths() -> tuple[tuple[tuple[str, ...], tuple[str, ...], str], ...]:
    lines = Path(__file__).with_name("ocsf_paths.tsv").read_text("utf-8").splitlines()
    rows = [line.split("\t") for line in lines if not line.startswith("#")][1:]
    return tuple((tuple(attribute.split(".")), tuple(member.split(".")), kind) for attribute, member, kind in rows)


_PATHS = _paths()


def contents(value: bytes) -> Iterator[Found] | None:
    event = _read(value)
    if event is None:
        return None
    if event.raw_data and event.raw_data.lstrip().startswith("{"):
        return iter((event.raw_data.encode(),))
    product = event.metadata.product.name or ""
    if product != "CloudTrail" and not (event.metadata.event_code or "").startswith("Aws"):
        detail = f"an OCSF event of another source than CloudTrail: {product[:60] or 'unknown'}"
        return iter((Broken(None, "not_cloudtrail", detail, excerpt(value)),))
    attributes = _read_all(value)
    return None if attributes is None else iter((_mapped_back(attributes),))


def _mapped_back(event: dict[str, Any]) -> Partial:
    record: dict[str, Any] = {}
    for attribute, member, kind in _PATHS:
        if (found := _at(event, attribute)) not in (None, ""):
            put(record, member, _converted(found, kind))
    if record.get("eventCategory") not in _CATEGORIES:
        record.pop("eventCategory", None)
    resources = [_resource(item) for item in event.get("resources") or () if isinstance(item, dict)]
    if resources:
        record["resources"] = resources
    unmapped = event.get("unmapped")
    for name, text in unmapped.items() if isinstance(unmapped, dict) else ():
        put(record, tuple(name.split(".")), _json(text))
    return Partial(msgspec.json.encode(record), (PARTIAL, FROM_OCSF))


def _at(value: Any, path: tuple[str, ...]) -> Any:
    for name in path:
        value = value.get(name) if isinstance(value, Mapping) else None
    return value


def _converted(value: Any, kind: str) -> Any:
    if kind == "json":
        return _json(value)
    if kind == "time" and isinstance(value, int):
        try:
            written = datetime.fromtimestamp(value / 1000, UTC).isoformat(timespec="auto")
        except (ValueError, OverflowError, OSError):
            return str(value)
        return written.replace("+00:00", "Z")
    if isinstance(value, bool):
        return str(value).lower()
    return value if isinstance(value, str) else str(value)


def _resource(item: dict[str, Any]) -> dict[str, Any]:
    owner = _at(item, ("owner", "account", "uid")) or item.get("account_uid")
    members = {"ARN": item.get("uid"), "accountId": owner, "type": item.get("type")}
    return {name: value for name, value in members.items() if value}


def _json(text: Any) -> Any:
    """What a text stands for when it is an object, a list or a truth value; OCSF keeps all of these as text."""
    if not isinstance(text, str) or not text.startswith(("{", "[", "true", "false")):
        return text
    try:
        return msgspec.json.decode(text)
    except NOT_JSON:
        return text
