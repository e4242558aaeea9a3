"""One row of the events table → one OCSF event, valid against the published schema.

Nothing of the record is lost: what OCSF has no place for stands in `unmapped` under its CloudTrail
name, and `raw_data` is the record itself. The row is as the engine returns it: nested dicts, lists
of dicts.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from msgspec import Raw

from trailhound.ocsf.actor import UNKNOWN
from trailhound.ocsf.classify import API_ACTIVITY, AUTHENTICATION
from trailhound.ocsf.record import ABSENT, members, scalar
from trailhound.ocsf.schema import BY_SOURCE
from trailhound.vocab import ocsf

_INFORMATIONAL = 1
_OTHER = 99
_AWS_ACCOUNT = 10
# Fields of a record that have a place in the event, besides those that `schema.COLUMNS` names.
_MAPPED = frozenset(BY_SOURCE) | {
    "eventTime",
    "sourceIPAddress",
    "recipientAccountId",
    "resources",
    "userIdentity.credentialId",
    "userIdentity.sessionContext.attributes.creationDate",
    "userIdentity.sessionContext.attributes.mfaAuthenticated",
    "additionalEventData.MFAUsed",
    "additionalEventData.LoginTo",
}
_FLATTENED = 6  # levels of an unmapped part that become dotted names; what lies deeper stays JSON text
_EMPTY = frozenset({"null", "{}", "[]", '""'})
_OWN = ("principal_uid", "read_only", "denied", "flags", "traffic", "source_uid", "source_index")


def document(row: dict[str, Any]) -> dict[str, Any]:
    """The event in OCSF 1.8, with the profiles cloud and datetime. `row` needs all columns of the events table."""
    record = members(row["raw_data"])
    placed, left = _by_class(row, record)
    found = {
        **_classification(row),
        "time": row["time"],
        "time_dt": _datetime(row["time"]),
        "metadata": _metadata(row),
        "cloud": {"provider": "AWS", "region": row["cloud"]["region"], "account": _account(row["cloud"]["account"])},
        "api": _api(row),
        "actor": _actor(row),
        "src_endpoint": _src_endpoint(row),
        "http_request": {"user_agent": row["http_request"]["user_agent"]},
        **placed,
        "observables": list(_observables(row)),
        "unmapped": {**dict(_unmapped(record, row)), "trailhound": {**{key: row[key] for key in _OWN}, **left}},
        "raw_data": row["raw_data"],
    }
    return _clean(found)


def _classification(row: dict[str, Any]) -> dict[str, Any]:
    kind = ocsf.CLASSES[row["class_uid"]]
    return {
        "class_uid": row["class_uid"],
        "class_name": kind.caption,
        "category_uid": kind.category_uid,
        "category_name": kind.category,
        "activity_id": row["activity_id"],
        "activity_name": kind.activity[row["activity_id"]],
        "type_uid": ocsf.type_uid(row["class_uid"], row["activity_id"]),
        "type_name": kind.type_name(row["activity_id"]),
        "severity_id": _INFORMATIONAL,
        "severity": ocsf.SEVERITY[_INFORMATIONAL],
        "status_id": row["status_id"],
        "status": kind.status[row["status_id"]],
        "status_code": row["api"]["response"]["error"],
        "status_detail": row["status_detail"],
    }


def _by_class(row: dict[str, Any], record: dict[str, Raw]) -> tuple[dict[str, Any], dict[str, Any]]:
    """(what the class has a place for, what it has none for)."""
    resources = [_resource(item) for item in row["resources"] or ()]
    user, session, policy = row["user"], _session(row["session"]), row["policy"]
    if row["class_uid"] == API_ACTIVITY:
        return {"resources": resources}, {"user": user, "session": session, "policy": policy}
    if not _clean(user):  # a group or a password policy was changed, say: these classes still want a user
        user = {"account": _account({"uid": row["cloud"]["account"]["uid"] or "unknown"})}
    if row["class_uid"] == AUTHENTICATION:
        additional = members(record.get("additionalEventData", ABSENT))
        return {
            "user": user,
            "service": {"name": row["api"]["service"]["name"] or "unknown"},
            "dst_endpoint": {"svc_name": scalar(additional.get("LoginTo", ABSENT))},
            "is_mfa": row["is_mfa"],
            "session": session,
        }, {"resources": resources}
    return {"user": user, "policy": policy}, {"resources": resources, "session": session}


def _metadata(row: dict[str, Any]) -> dict[str, Any]:
    metadata = row["metadata"]
    return {
        "version": ocsf.VERSION,
        "profiles": ["cloud", "datetime"],
        "uid": metadata["uid"],
        "event_code": metadata["event_code"],
        "correlation_uid": metadata["correlation_uid"],
        "product": {"name": "CloudTrail", "vendor_name": "AWS", **metadata["product"]},
    }


def _api(row: dict[str, Any]) -> dict[str, Any]:
    # `request` may not be without uid: `_unmapped` keeps the parameters of such records.
    return {**row["api"], "request": row["api"]["request"] if row["api"]["request"]["uid"] else None}


def _actor(row: dict[str, Any]) -> dict[str, Any]:
    actor = row["actor"]
    user = {**actor["user"], "type": None, "account": _account(actor["user"]["account"])}
    if not user["uid"] and UNKNOWN[0] not in (row["flags"] or ()):
        user["uid"] = row["principal_uid"]
    found = {"session": _session(actor["session"]), "invoked_by": actor["invoked_by"], "idp": actor["idp"]}
    if user["name"] or user["uid"] or user["account"]:  # of which a user must have one
        found["user"] = user | _user_type(actor["user"]["type"])
    if not _clean(found):
        found["app_name"] = row["api"]["service"]["name"] or "unknown"
    return found


def _user_type(kind: str | None) -> dict[str, Any]:
    """OCSF's own words do not tell a role from a service: the log's word, then, as `Other`."""
    if not kind:
        return {}
    return {"type": kind, "type_id": next((uid for uid, caption in ocsf.USER.items() if caption == kind), _OTHER)}


def _src_endpoint(row: dict[str, Any]) -> dict[str, Any]:
    if _clean(row["src_endpoint"]):
        return row["src_endpoint"]
    return {"svc_name": row["api"]["service"]["name"] or "unknown"}


def _session(session: dict[str, Any]) -> dict[str, Any]:
    times = {f"{key}_dt": _datetime(value) for key, value in session.items() if key.endswith("_time")}
    return session | times


def _resource(item: dict[str, Any]) -> dict[str, Any]:
    owner = {"account": _account({"uid": item["account_uid"]})}
    return {"uid": item["uid"], "name": item["name"], "type": item["type"], "owner": owner}


def _account(account: dict[str, Any]) -> dict[str, Any] | None:
    return {**account, "type": ocsf.ACCOUNT[_AWS_ACCOUNT], "type_id": _AWS_ACCOUNT} if account["uid"] else None


def _observables(row: dict[str, Any]) -> Iterator[dict[str, Any]]:
    within = "resources" if row["class_uid"] == API_ACTIVITY else "unmapped.trailhound.resources"
    user, source = row["actor"]["user"], row["src_endpoint"]
    named = [
        ("src_endpoint.ip", 2, source["ip"]),
        ("src_endpoint.domain", 1, source["domain"]),
        ("http_request.user_agent", 16, row["http_request"]["user_agent"]),
        ("actor.user.name", 4, user["name"]),
        ("actor.user.uid", 31, user["uid"]),
        ("actor.user.credential_uid", 19, user["credential_uid"]),
        ("actor.user.account.uid", 35, user["account"]["uid"]),
        ("cloud.account.uid", 35, row["cloud"]["account"]["uid"]),
        *((f"{within}[].uid", 10, item["uid"]) for item in row["resources"] or ()),
    ]
    for name, type_id, value in named:
        if value:
            yield {"name": name, "type_id": type_id, "type": ocsf.OBSERVABLE[type_id], "value": value}


def _unmapped(record: dict[str, Raw], row: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """What has no place in the event, by its dotted CloudTrail name, as text."""
    if row["api"]["request"]["data"] and not row["api"]["request"]["uid"]:
        yield "requestParameters", row["api"]["request"]["data"]
    for name, raw in record.items():
        if name not in _MAPPED:
            yield from _flatten(name, raw, _FLATTENED)


def _flatten(name: str, raw: Raw, levels: int) -> Iterator[tuple[str, str]]:
    inner = members(raw) if levels else {}
    for key, value in inner.items():
        if f"{name}.{key}" not in _MAPPED:
            yield from _flatten(f"{name}.{key}", value, levels - 1)
    if not inner and (text := scalar(raw) or bytes(raw).decode().strip()) not in _EMPTY:
        yield name, text


def _datetime(time: int | None) -> str | None:
    if time is None:
        return None
    return datetime.fromtimestamp(time / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _clean(value: Any) -> Any:
    """Without nulls and empty objects, which the schema refuses."""
    if isinstance(value, dict):
        cleaned = {key: _clean(inner) for key, inner in value.items()}
        return {key: inner for key, inner in cleaned.items() if inner not in (None, {}, [], "")}
    if isinstance(value, list):
        return [_clean(item) for item in value]
    return value
