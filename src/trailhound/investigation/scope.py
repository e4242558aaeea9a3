"""What an investigation is about: the events, and the artifacts gathered from them (steps 1 and 2)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from functools import cache
from typing import Any

import msgspec

from trailhound import catalog
from trailhound.engines import dialect
from trailhound.engines.duckdb import DuckDB
from trailhound.errors import RequestError
from trailhound.identity.artifacts import LONGEST, NOT_INDEXED, artifacts, kinds
from trailhound.identity.observables import undone
from trailhound.lake.places import Index, Places
from trailhound.lake.places import condition as narrowed
from trailhound.lake.times import DAY, day
from trailhound.model import Finding, Observable
from trailhound.vocab.aws import address

LOOK_BACK = 90 * DAY
LOOK_AHEAD = 2 * DAY
NO_ACCOUNT = "unknown"  # of events that name none; nothing of theirs can be looked at
MOST_EVENTS = 100_000  # of one scope; more are counted, not looked at
MOST_PER_KIND = 200  # artifacts of one kind; more are counted, not asked about

_FACTS = """
SELECT metadata.uid AS uid, time, api.operation AS operation, principal_uid, cloud.account.uid AS account,
  cloud.region AS region, src_endpoint.ip AS ip, http_request.user_agent AS agent,
  nullif(actor.user.credential_uid, '') AS access_key, actor.user.type AS user_type, resources
FROM events WHERE event_day BETWEEN $first_day AND $last_day AND {where} ORDER BY time, uid LIMIT {most}
"""


class Scope(msgspec.Struct, frozen=True, kw_only=True):
    """The subject's events and what they name. Times in epoch ms."""

    event_uids: tuple[str, ...]
    at: int  # the first of them
    to: int  # the last of them
    principal: str
    account: str
    user_type: str
    operations: tuple[str, ...]
    values: dict[str, tuple[str, ...]]  # artifacts by kind, the most frequent first
    counts: dict[str, dict[str, int]]  # how many of the subject's events name each
    spans: dict[str, dict[str, tuple[int, int]]]  # the first and the last of the subject's events that names each
    types: dict[str, frozenset[str]]  # CloudFormation types of each resource
    finding_uid: str = ""
    beyond_window: int = 0  # events that name the observable at other times
    beyond_limit: int = 0  # and in the window, after the first MOST_EVENTS

    @property
    def one_actor(self) -> bool:
        """Whether `principal` is who is asked about: a finding has an actor, all that names a thing may have many."""
        return bool(self.finding_uid) or len(self.of("user")) == 1

    def of(self, kind: str) -> tuple[str, ...]:
        return self.values.get(kind, ())

    def typed(self, types: Iterable[str]) -> tuple[str, ...]:
        """Those of kind "resource" that are of one of these CloudFormation types."""
        return tuple(uid for uid in self.of("resource") if not self.types.get(uid, frozenset()).isdisjoint(types))

    @property
    def resources(self) -> tuple[str, ...]:
        """Uids of all that the events happened to."""
        kinds = set(resource_kinds().values()) | {"resource"}
        return tuple(v for kind in sorted(kinds) for v in self.of(kind) if v != self.principal)


@cache
def resource_kinds() -> dict[str, str]:
    kinds, _, _ = catalog.documents(catalog.PACKS / "kinds.yml")
    return kinds


@cache
def _meant() -> dict[str, str]:
    """What people call a kind → the kind."""
    _, _, meant = catalog.documents(catalog.PACKS / "kinds.yml")
    return meant


def of_finding(engine: DuckDB, finding: Finding) -> Scope:
    """The scope of a finding: exactly its events. Its own principal and account are the actor's."""
    rows = _fetch(
        engine,
        "list_contains($uids, metadata.uid)",
        {"uids": list(finding.event_uids)},
        finding.first_seen_time,
        finding.last_seen_time,
    )
    if not rows:
        raise RequestError(
            "the finding's events are not in the lake",
            where=finding.uid,
            causes=("the lake was rebuilt from other logs since the finding was made",),
            next_step="run `trailhound detect --all` again",
        )
    wanted = {r.uid for r in finding.resources}
    scope = _scope(rows, principal=finding.principal_uid, account=finding.account_uid, wanted=wanted)
    return msgspec.structs.replace(scope, finding_uid=finding.uid)


def of_observable(engine: DuckDB, observable: Observable, since: int, until: int, index: Index | None = None) -> Scope:
    """The scope of anything one can ask about: all events in the window that name it, and how many others do."""
    where, value = condition(observable, _places(observable, index)), {"value": observable.value}
    rows = _fetch(engine, where, value, since, until)
    if not rows:
        raise RequestError(
            f"no event between {day(since)} and {day(until)} names {observable.kind} {observable.value}",
            causes=("another spelling (principals are ARNs without path)", "another time", "the log is not ingested"),
            next_step="`trailhound search` finds where a value occurs; `--at` and `--window` move the window",
        )
    sql = f"SELECT count(*) AS n, count(*) FILTER (time BETWEEN $since AND $until) AS inside FROM events WHERE {where}"
    (all_,) = engine.query(sql, {**value, "since": since, "until": until})
    return msgspec.structs.replace(
        _scope(rows), beyond_window=all_["n"] - all_["inside"], beyond_limit=all_["inside"] - len(rows)
    )


def latest(engine: DuckDB, observable: Observable, index: Index | None = None) -> int | None:
    """When an observable was last seen, epoch ms."""
    places = _places(observable, index)
    # From the newest day on, where the days are known: as a rule the first is the last that is read.
    days = [None] if places is None else [{name: places[name]} for name in sorted(places, reverse=True)]
    for among in days:
        sql = f"SELECT max(time) AS latest FROM events WHERE {condition(observable, among)}"
        if (found := engine.query(sql, {"value": observable.value})[0]["latest"]) is not None:
            return found
    return None


def condition(observable: Observable, places: Places | None) -> str:
    """SQL over `events` that holds where the observable, as `$value`, occurs; within the places where it can."""
    holds = _BY_COLUMN.get(observable.kind) or (_mentioned(observable.value) if observable.kind in _DEEP else _NAMED)
    return f"({holds})" if places is None else f"{narrowed(places)} AND ({holds})"


_NAMED = "len(list_filter(resources, lambda r: r.uid = $value OR r.name = $value)) > 0"
_ACTS = "(principal_uid = $value OR ends_with(principal_uid, '/' || $value))"
_BY_COLUMN = {
    "user": _ACTS,
    "role": f"((contains(principal_uid, ':role/') AND {_ACTS}) OR {_NAMED})",
    "ip_address": "src_endpoint.ip = $value",
    "account": "cloud.account.uid = $value",
    "region": "cloud.region = $value",
    "operation": "api.operation = $value",
    "access_key": f"(actor.user.credential_uid = $value OR session.credential_uid = $value OR {_NAMED})",
    "user_agent": "http_request.user_agent = $value",
    "event": "metadata.uid = $value",
    "session": "(actor.user.uid = $value OR session.uid = $value)",
    "service": "(src_endpoint.domain = $value OR actor.invoked_by = $value)",
    "vpc_endpoint": f"(src_endpoint.uid = $value OR {_NAMED})",
    "principal_id": "split_part(actor.user.uid_alt, ':', 1) = $value",
}
_UNLISTED = ("region", "operation", "event")  # not in the table of observables
_DEEP = ("cidr", "domain", "email", "session_name", "source_identity")  # stand within requests and responses only


def _mentioned(value: str) -> str:
    """SQL that holds where a request or response contains the value as a word, escapes undone."""
    pattern = rf"(?i)(?:^|[^\w.+-]){dialect.regex_escape(value)}(?:$|[^\w+-])"
    texts = ("api.request.data", "api.response.data")
    return " OR ".join(dialect.regex(written, pattern) for text in texts for written in (text, undone(text)))


def _places(observable: Observable, index: Index | None) -> Places | None:
    """Where the observable can occur; None where the index does not tell."""
    path = "/" in observable.value and not observable.value.startswith("arn:")
    if index is None or observable.kind in _UNLISTED or (path and observable.kind in ("user", "role")):
        return None
    return index.equal(observable.value)


def parse(text: str) -> Observable:
    """`KIND=VALUE`."""
    kind, equals, value = text.partition("=")
    if not equals or not value.strip():
        raise RequestError(
            f"{text!r} does not name an observable", next_step="write KIND=VALUE, as in ip_address=180.163.251.231"
        )
    kind, value = kind.strip(), value.strip()
    known = {*_BY_COLUMN, *_DEEP, *kinds().values(), "resource"}
    if kind not in known:
        raise RequestError(
            f"there is no kind of observable called {kind!r}",
            causes=(f"known are {', '.join(sorted(known))}",),
            next_step=_hint(kind, value),
        )
    if kind == "ip_address" and (written := address(value)):
        value = written[0]  # as the events table writes it
    return Observable(kind=kind, value=value)


def _hint(kind: str, value: str) -> str:
    """What was meant, by the word or by what the value looks like."""
    looks = [one.kind for one in artifacts(value) if one.kind not in ("text", NOT_INDEXED)]
    meant = _meant().get(kind.lower()) or next(iter(looks), "") if len(value) <= LONGEST else ""
    return f"did you mean {meant}={value}?" if meant else ""


def _fetch(engine: DuckDB, where: str, params: dict[str, Any], since: int, until: int) -> list[dict[str, Any]]:
    window = {"first_day": day(since), "last_day": day(until), "since": since, "until": until}
    sql = _FACTS.format(where=f"time BETWEEN $since AND $until AND {where}", most=MOST_EVENTS)
    return engine.query(sql, {**params, **window})


def _scope(
    rows: Sequence[dict[str, Any]], *, principal: str = "", account: str = "", wanted: Iterable[str] = ()
) -> Scope:
    counts: dict[str, Counter[str]] = {}
    spans: dict[str, dict[str, tuple[int, int]]] = {}
    types: dict[str, set[str]] = {}
    for row in rows:
        for resource in row["resources"] or ():
            types.setdefault(resource["uid"], set()).add(resource["type"] or "")
        for kind, value in _named(row, set(wanted)):
            counts.setdefault(kind, Counter())[value] += 1
            first, _ = spans.setdefault(kind, {}).get(value, (row["time"], 0))
            spans[kind][value] = (first, row["time"])
    # Most frequent first, then by name: never by the order in which rows happen to arrive.
    values = {
        k: tuple(v for v, _ in sorted(c.items(), key=lambda i: (-i[1], i[0]))[:MOST_PER_KIND])
        for k, c in counts.items()
    }
    principal = principal or values["user"][0]
    return Scope(
        event_uids=tuple(row["uid"] for row in rows),
        at=rows[0]["time"],
        to=rows[-1]["time"],
        principal=principal,
        account=account or next(iter(values.get("account", ())), NO_ACCOUNT),
        user_type=next((row["user_type"] for row in rows if row["principal_uid"] == principal), rows[0]["user_type"])
        or "",
        operations=tuple(sorted(counts["operation"])),
        values=values,
        counts={kind: dict(sorted(c.items())) for kind, c in sorted(counts.items())},
        spans=spans,
        types={uid: frozenset(found) for uid, found in types.items()},
    )


def _named(row: dict[str, Any], wanted: set[str]) -> Iterable[tuple[str, str]]:
    """Each artifact of one event, once."""
    plain = {
        "user": row["principal_uid"],
        "operation": row["operation"],
        "account": row["account"],
        "region": row["region"],
        "ip_address": row["ip"],
        "user_agent": row["agent"],
        "access_key": row["access_key"],
    }
    named = {(kind, value) for kind, value in plain.items() if value}
    for resource in row["resources"] or ():
        # A finding says which resources it counted; the others in its calls are not what it is about.
        if resource["uid"] and (not wanted or resource["uid"] in wanted):
            named.add((resource_kinds().get(resource["type"] or "", "resource"), resource["uid"]))
    return sorted(named)
