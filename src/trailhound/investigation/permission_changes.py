"""What the policies that were written mean: tables that the evaluator of `permissions` makes of slices.

Both are made for the first question that reads one, out of `policy_writes` (packs/evidence.yml).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec

from trailhound.engines.duckdb import Rows
from trailhound.investigation import sentences
from trailhound.lake import times
from trailhound.permissions import words
from trailhound.permissions.change import Change, Part, meanings
from trailhound.permissions.exposure import Exposure
from trailhound.permissions.holding import Holding, holding
from trailhound.permissions.replay import Call
from trailhound.permissions.use import uses

if TYPE_CHECKING:
    from trailhound.investigation.evidence import Evidence

MOST_WRITES = 20_000  # of an account that are replayed
MOST_CHANGES = 20  # of an investigation that are worked out: each takes some hundredths of a second
MOST_HOLDERS = 10
_MANY = f"the log of the account has more than {MOST_WRITES:,} calls that write policies, too many to replay"
_GAINING = ("identity", "managed", "membership", "boundary")  # what those who hold it can do by themselves

# Of the calls that write policies those that the investigation is about, the nearest in time first.
_WANTED = """
SELECT uid FROM policy_writes
WHERE list_contains($event_uids, uid) OR (time BETWEEN $at - 2592000000 AND $to + 86400000 AND (
  target_uid = $principal OR len(list_filter(resources, lambda r: r.uid = $principal OR list_contains($resources, r.uid))) > 0
  OR (time BETWEEN $at - 86400000 AND $to + 86400000 AND (principal_uid = $principal OR ends_with(operation, 'PermissionsBoundary')))))
ORDER BY NOT list_contains($event_uids, uid), abs(time - $at), uid
"""
_USED = """
SELECT c.change, c.holder, e.api.service.name AS service, e.api.operation AS operation,
  min({'time': e.time, 'uid': e.metadata.uid}) FILTER (e.time > c.at) AS first
FROM events e JOIN (SELECT unnest($changes) AS change, unnest($holders) AS holder, unnest($times) AS at) c ON e.principal_uid = c.holder
WHERE e.principal_uid IN (SELECT unnest($holders)) AND e.time BETWEEN $since AND $until AND e.status_id = 1
GROUP BY ALL HAVING count(*) FILTER (e.time < c.at) = 0 AND count(*) FILTER (e.time > c.at) > 0
"""

Texts = tuple[str, ...]


class Changed(msgspec.Struct, frozen=True, kw_only=True):
    """A row of `permission_changes`: what one call means for one principal, role, policy or resource."""

    uid: str
    time: int
    principal_uid: str
    operation: str
    kind: str = ""  # as in permissions.change.Change; empty: it put no policy into force
    subject: str = ""
    policy: str = ""
    effect: str = "none"
    holder: str = ""
    gained: Texts = ()  # in plain words
    lost: Texts = ()
    at_most: bool = False
    administrator: bool = False
    ways: Texts = ()  # to more permissions, that it opened
    almost: Texts = ()  # for which one permission is not seen, and an older policy may grant it
    public: bool = False  # after the call; with or without conditions
    outside: Texts = ()  # who from outside is let in after the call
    let_in: Texts = ()  # who of them was not before, as far as the log tells
    unknowns: Texts = ()
    used: Texts = ()  # actions that it gained and had not made before
    used_uids: Texts = ()
    used_at: int | None = None
    meaning: str = ""  # all this in a sentence


class Holds(msgspec.Struct, frozen=True, kw_only=True):
    """A row of `permissions_held`: what a principal, role or policy of the subject has at the last of its events."""

    holder: str
    allowed: Texts = ()
    administrator: bool = False
    dormant: bool = False  # an administrator's in a version of the policy that is not in force
    holders: Texts = ()
    trusted: Texts = ()
    lets_in: Texts = ()
    ways: Texts = ()
    unknowns: Texts = ()


ROWS = {"permission_changes": Changed, "permissions_held": Holds}


def changes(evidence: Evidence) -> dict[str, Sequence[msgspec.Struct]]:
    return {"permission_changes": _changes(evidence)}


def held(evidence: Evidence) -> dict[str, Sequence[msgspec.Struct]]:
    return {"permissions_held": _held(evidence)}


def _changes(evidence: Evidence) -> Sequence[Changed]:
    wanted = [row["uid"] for row in evidence.query(_WANTED)]
    if not wanted:
        return []
    writes = _writes(evidence)
    by_uid = {row["uid"]: row for row in writes}
    if len(writes) > MOST_WRITES:
        return [Changed(**_call(by_uid[uid]), effect="unknown", unknowns=(_MANY,)) for uid in wanted if uid in by_uid]
    own = _accounts(evidence)
    found = meanings([_record(row) for row in writes], wanted[:MOST_CHANGES], own=own)
    used = _used(evidence, found)
    rows = [row for change in found for row in _rows(by_uid[change.event_uid], change, used)]
    more = f"what it means: of {len(wanted):,} calls that write policies the first {MOST_CHANGES} were looked at"
    rows += [Changed(**_call(by_uid[uid]), effect="unknown", unknowns=(more,)) for uid in wanted[MOST_CHANGES:]]
    return rows


def _held(evidence: Evidence) -> Sequence[Holds]:
    parameters = evidence.parameters
    holders = [uid for uid in (parameters["principal"], *parameters["resources"]) if ":iam:" in uid]
    writes = _writes(evidence) if holders else []
    if len(writes) > MOST_WRITES:
        return [Holds(holder=uid, unknowns=(_MANY,)) for uid in holders]
    until, day = parameters["to"], times.day(parameters["to"])
    records = [_record(row) for row in writes if row["time"] <= until]
    own = _accounts(evidence)
    return [_told_of(holding(records, uid, day, own=own)) for uid in holders[:MOST_HOLDERS]]


def _writes(evidence: Evidence) -> Rows:
    columns = "uid, time, service, operation, region, account, principal_uid, request, response"
    return evidence.query(f"SELECT {columns} FROM policy_writes ORDER BY time DESC, uid LIMIT {MOST_WRITES + 1}")


def _accounts(evidence: Evidence) -> list[str]:
    """Those whose log this is are no outsiders."""
    rows = evidence.query("SELECT DISTINCT cloud.account.uid AS uid FROM events WHERE cloud.account.uid IS NOT NULL")
    return [row["uid"] for row in rows]


def _record(row: Mapping[str, Any]) -> Call:
    """As CloudTrail writes it, as far as `permissions` reads it."""
    return {
        "eventID": row["uid"],
        "eventTime": times.text(row["time"]),
        "eventSource": row["service"],
        "eventName": row["operation"],
        "awsRegion": row["region"],
        "recipientAccountId": row["account"],
        "requestParameters": _parsed(row["request"]),
        "responseElements": _parsed(row["response"]),
    }


def _parsed(text: str | None) -> Any:
    try:
        return json.loads(text) if text else None
    except (ValueError, RecursionError):
        return None  # what cannot be read is not shown


def _call(row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "uid": row["uid"],
        "time": row["time"],
        "principal_uid": row["principal_uid"] or "",
        "operation": row["operation"] or "",
    }


_Used = dict[tuple[str, str], tuple[Texts, Texts, int]]


def _used(evidence: Evidence, found: Sequence[Change]) -> _Used:
    """By call and holder: the actions that it used, by which events, and since when."""
    gaining = [
        (c, p.holder) for c in found if c.kind in _GAINING for p in c.parts if p.gained and ":policy/" not in p.holder
    ]
    if not gaining:
        return {}
    bound = {
        "changes": [change.event_uid for change, _ in gaining],
        "holders": [holder for _, holder in gaining],
        "times": [change.time for change, _ in gaining],
    }
    rows = evidence.engine.query(_USED, {**evidence.parameters, **bound})
    made: _Used = {}
    for change in {change.event_uid: change for change, _ in gaining}.values():
        first = {row["first"]["uid"]: row for row in rows if row["change"] == change.event_uid}
        calls = [_use(uid, row["first"]["time"], row) for uid, row in first.items()]
        for use in uses(change, [_use(change.event_uid, change.time, {}), *calls]):
            at = min(first[uid]["first"]["time"] for uid in use.event_uids)
            made[change.event_uid, use.holder] = (use.actions, use.event_uids, at)
    return made


def _use(uid: str, time: int, row: Mapping[str, Any]) -> Call:
    return {
        "eventID": uid,
        "eventTime": times.text(time),
        "eventSource": row.get("service"),
        "eventName": row.get("operation"),
        "userIdentity": {"arn": row.get("holder")},
    }


def _rows(row: Mapping[str, Any], change: Change, used: _Used) -> list[Changed]:
    about = partial(
        Changed, **_call(row), kind=change.kind, subject=change.subject, policy=change.name, effect=change.effect
    )
    found = [about(**_part(part), **_use_of(change, part, used)) for part in change.parts] or [about()]
    return [msgspec.structs.replace(each, meaning=_told(each)) for each in found]


def _told(row: Changed) -> str:
    who = sentences.name(row.holder)
    if not row.holder:
        return f"{row.operation} put no policy into force"
    if not row.gained and not row.lost:
        known = "means no difference" if row.effect == "none" else "means, what is not known,"
        return f"{row.operation} {known} for {who}"
    gained, lost = sentences.listing(row.gained), sentences.listing(row.lost)
    if row.kind in ("trust", "resource"):
        subject, verbs = f"the policy of {who}", ("now allows", "no longer allows")
    else:
        subject, verbs = who, ("is allowed" if row.at_most else "gained", "lost")
    said = [
        f"{verb} {what}" for verb, what, is_ in zip(verbs, (gained, lost), (row.gained, row.lost), strict=True) if is_
    ]
    text = f"{subject} {' and '.join(said)}"
    if row.public and "anyone" in row.let_in:
        text += ", so that it is open to the public"
    if row.administrator:
        text += ", as an administrator is"
    elif row.ways:
        ways = sentences.listing([sentences.quoted(each) for each in row.ways])
        text += f", which opens {sentences.count(len(row.ways), 'way')} to more permissions ({ways})"
    if row.at_most and row.gained:
        text += " (some of it perhaps before, too)"
    if row.used_at is not None:
        used, lag = sentences.listing(row.used), sentences.span(row.used_at - row.time)
        text += f", and used it {lag} later ({used}), which it had not called before"
    return text


def _part(part: Part) -> dict[str, Any]:
    return {
        "effect": part.effect,
        "holder": part.holder,
        "gained": tuple(map(words.gained, part.gained)),
        "lost": tuple(map(words.lost, part.lost)),
        "at_most": part.at_most,
        "administrator": words.administrator(part.gained),
        "ways": tuple(each.title for each in part.escalations if not each.missing),
        "almost": tuple(each.title for each in part.escalations if each.missing),
        "public": any(each.reach.startswith("public") for each in part.lets_in),
        "outside": _strangers(part.lets_in),
        "let_in": _strangers(part.exposures),
        "unknowns": part.unknowns,
    }


def _strangers(found: Sequence[Exposure]) -> Texts:
    inside = ("own account", "service")
    return tuple(dict.fromkeys(each.principal for each in found if each.reach not in inside))


def _use_of(change: Change, part: Part, used: _Used) -> dict[str, Any]:
    actions, uids, at = used.get((change.event_uid, part.holder), ((), (), None))
    return {"used": actions, "used_uids": uids, "used_at": at}


def _told_of(found: Holding) -> Holds:
    return Holds(
        holder=found.holder,
        allowed=tuple(map(words.gained, found.allowed)),
        administrator=words.administrator(found.allowed),
        dormant=words.administrator(found.in_other_versions),
        holders=found.holders,
        trusted=tuple(dict.fromkeys(name for each in found.lets_in for name in each.principals)),
        lets_in=tuple(map(words.gained, found.lets_in)),
        ways=tuple(each.title for each in found.escalations if not each.missing),
        unknowns=found.unknowns,
    )
