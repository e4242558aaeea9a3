"""Who it really was: the tree from the first identity to the last call, around one key, session, person or event."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Literal, NamedTuple

import msgspec

from trailhound.engines.duckdb import DuckDB, Rows
from trailhound.errors import RequestError
from trailhound.identity.making import MADE, Made, making
from trailhound.lake.attribution import SESSION_UID
from trailhound.lake.times import DAY, HOUR
from trailhound.vocab.aws import parse_arn, principal_arn

Confidence = Literal["certain", "likely", "possible", "broken"]
FoundAs = Literal[
    "access key", "session", "session ARN", "event", "principal", "source identity", "name of a session", "name"
]

_CHOSEN = "lineage_chosen"
_MOST = 200  # sessions asked about that are shown; a pipeline opens thousands
_DEEPEST = 100  # steps up or down
_SHOWN = 200  # characters of what was asked, in a message
# Where the log does not say when a credential ends: the longest that AWS allows.
_LONGEST = {"GetSessionToken": 36 * HOUR, "GetFederationToken": 36 * HOUR, "UserAuthentication": 90 * DAY}
_LONGEST_OTHERS = 12 * HOUR
# Short name of a principal: what stands behind the last slash, else behind the last colon.
_LAST = "regexp_extract({}, '(?s)([^/:]*)$', 1)"
_EVENT = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")

_LONG_TERM = f"""
    SELECT principal_uid, credential_uid, first_seen_time, last_seen_time, events FROM credentials
    WHERE session_uid IS NULL
    UNION ALL
    SELECT principal_uid, credential_uid, NULL, NULL, 0 FROM issues WHERE {MADE} AND principal_uid IS NOT NULL"""

# Session and principal, and the event that opened it: two may open sessions of one name in one second.
_Sitting = tuple[str, str, str | None]


class Credential(msgspec.Struct, frozen=True):
    """A long-term access key that was used or made."""

    uid: str
    first_seen_time: int | None  # epoch milliseconds, as all times here; None: it was not used
    last_seen_time: int | None
    calls: int


class Session(msgspec.Struct, frozen=True, kw_only=True):
    """One sitting: a temporary credential, or the several that the console makes for one."""

    uid: str
    principal_uid: str
    name: str | None  # as whoever opened it chose it
    credential_uids: tuple[str, ...]
    operation: str | None  # that opened it; None: not in the log
    established: str | None  # how that is known: docs/how-to/find-who-it-really-was.md
    confidence: Confidence | None  # of this step; None: the chain ends or breaks here
    evidence: tuple[str, ...]  # event uids: the call that opened it, the one that tells who asked; else its own first
    broken: str | None  # what is missing above it
    origin_confidence: Confidence  # of all steps up to the root
    source_identity: str | None
    created_time: int | None
    expiration_time: int | None  # None: the log does not say
    first_seen_time: int | None
    last_seen_time: int | None
    calls: int
    asked: bool  # it is what was asked about
    opened: tuple[Session, ...]  # sessions that it opened, in order of time


class Identity(msgspec.Struct, frozen=True):
    """The root of a tree: a person, a service, an instance; where the chain is broken, as far as it goes."""

    uid: str
    credentials: tuple[Credential, ...]  # long-term keys that it used, or that were made for it
    sessions: tuple[Session, ...]
    made_by: tuple[Made, ...]  # who made it, its password and its keys
    made: tuple[Made, ...]  # what it made for others


class Held(msgspec.Struct, frozen=True, kw_only=True):
    """A session that an identity still holds at `Lineage.as_of`."""

    origin_uid: str
    uid: str
    principal_uid: str
    credential_uids: tuple[str, ...]
    until: int
    at_most: bool  # the log does not say when it ends: AWS allows no longer
    origin_confidence: Confidence
    last_seen_time: int | None
    calls: int
    asked: bool


class Lineage(msgspec.Struct, frozen=True, kw_only=True):
    asked: str
    found_as: FoundAs
    as_of: int
    trees: tuple[Identity, ...]
    held: tuple[Held, ...]  # the one that ends last first
    sessions: int  # that were found
    left_out: int  # of these, the oldest, that the trees do not show


class _Meaning(NamedTuple):
    found_as: FoundAs
    where: str  # condition over `sessions`
    given: dict[str, str]  # its parameters
    identity: str = ""  # who it is when there is no such session


def lineage(engine: DuckDB, asked: str, at: int | None = None) -> Lineage:
    """`asked`: an access key, a session (ARN or uid), a principal (ARN or name), an eventID, a sourceIdentity.

    `at`: what is held then, epoch milliseconds. None: at the end of the log. Raises RequestError when nothing in the
    log answers to it.
    """
    meant = next((one for one in _meanings(engine, asked) if _choose(engine, one)), None)
    if meant is None:
        raise _nothing(asked)
    sessions = engine.query(f"SELECT count(*) AS n FROM sessions WHERE {meant.where}", meant.given)[0]["n"]
    rows = _around(engine)
    return Lineage(
        asked=asked,
        found_as=meant.found_as,
        as_of=_newest(engine) if at is None else at,
        trees=_trees(engine, rows, meant.identity),
        held=_held(engine, rows, meant.identity, _newest(engine) if at is None else at),
        sessions=sessions,
        left_out=max(0, sessions - _MOST),
    )


def _newest(engine: DuckDB) -> int:
    return engine.query("SELECT max(time) AS newest FROM events")[0]["newest"] or 0


def _choose(engine: DuckDB, meant: _Meaning) -> bool:
    """Put the latest sessions that are meant into _CHOSEN; whether the log knows what is meant."""
    engine.execute(
        f"CREATE OR REPLACE TEMP TABLE {_CHOSEN} AS SELECT uid, principal_uid FROM sessions WHERE {meant.where} "
        f"ORDER BY coalesce(last_seen_time, created_time) DESC, uid, principal_uid LIMIT {_MOST}",
        meant.given,
    )
    return bool(meant.identity or engine.query(f"SELECT 1 FROM {_CHOSEN} LIMIT 1"))


def _meanings(engine: DuckDB, asked: str) -> Iterator[_Meaning]:
    """What it may be, the most telling first; the first that the log knows is meant."""
    given, principal = {"asked": asked}, principal_arn(asked)
    yield _Meaning("access key", "credential_uid = $asked", given)
    yield _Meaning("session", "uid = $asked OR session_uid = $asked", given)
    yield _Meaning("access key", "parent_credential_uid = $asked", given, _user(engine, "credential_uid", asked))
    arn = parse_arn(asked)
    if arn and arn.resource.startswith("assumed-role/") and arn.resource.count("/") >= 2:
        named = {"principal": principal, "name": arn.resource.split("/", 2)[2]}
        yield _Meaning("session ARN", "principal_uid = $principal AND name = $name", named)
    else:
        user = _user(engine, "principal_uid", principal)
        of_it = "principal_uid = $principal OR origin_uid = $principal"
        yield _Meaning("principal", of_it, {"principal": principal}, user)
    if _EVENT.fullmatch(asked):
        yield from _of_event(engine, asked)
    yield _Meaning("source identity", "source_identity = $asked", given)
    yield _Meaning("name of a session", "name = $asked", given)
    of_that_name = f"{_LAST.format('principal_uid')} = $asked OR {_LAST.format('origin_uid')} = $asked"
    yield _Meaning("name", of_that_name, given, _user(engine, _LAST.format("principal_uid"), asked))


def _user(engine: DuckDB, column: str, value: str) -> str:
    """The one user who made calls without a session, or was made, and has this value; of several none is meant."""
    rows = engine.query(
        f"SELECT min(principal_uid) AS user FROM ({_LONG_TERM}) WHERE {column} = $value "
        "HAVING count(DISTINCT principal_uid) = 1",
        {"value": value},
    )
    return rows[0]["user"] if rows else ""


def _of_event(engine: DuckDB, uid: str) -> Iterator[_Meaning]:
    """The session that made the call; of a caller from another account, the one of the caller's own copy of it."""
    rows = engine.query(
        f"""
        WITH asked AS (
            SELECT metadata.correlation_uid AS shared, api.operation AS operation FROM events WHERE metadata.uid = $uid
        )
        SELECT {SESSION_UID} AS session, principal_uid FROM events
        WHERE metadata.uid = $uid OR (metadata.correlation_uid, api.operation) IN (SELECT (shared, operation) FROM asked)
        ORDER BY coalesce(actor.user.type = 'AWSAccount', FALSE), metadata.uid LIMIT 1""",
        {"uid": uid},
    )
    for row in rows:
        if row["session"]:
            of_it = {"session": row["session"], "principal": row["principal_uid"]}
            yield _Meaning("event", "uid = $session AND principal_uid = $principal", of_it)
        yield _Meaning("event", "issued_event_uid = $asked", {"asked": uid}, row["principal_uid"])


def _around(engine: DuckDB) -> Rows:
    """The sessions chosen, all above them, and what they opened, at most so many."""
    return engine.query(f"""
        WITH RECURSIVE above AS (
            SELECT uid, principal_uid, 0 AS steps FROM {_CHOSEN}
            UNION
            SELECT sessions.parent_uid, sessions.parent_principal_uid, steps + 1 FROM above
            JOIN sessions USING (uid, principal_uid) WHERE sessions.parent_uid IS NOT NULL AND steps < {_DEEPEST}
        ), below AS (
            SELECT uid, principal_uid, 0 AS steps FROM {_CHOSEN}
            UNION
            SELECT sessions.uid, sessions.principal_uid, steps + 1 FROM below JOIN sessions
                ON sessions.parent_uid = below.uid AND sessions.parent_principal_uid = below.principal_uid
            WHERE steps < {_DEEPEST}
        ), wanted AS (
            SELECT uid, principal_uid FROM above
            UNION
            SELECT uid, principal_uid FROM (SELECT * FROM below ORDER BY steps, uid, principal_uid LIMIT {2 * _MOST})
        ), first_calls AS (
            SELECT uid, principal_uid, arg_min(first_event_uid, (first_seen_time, first_event_uid)) AS first_event_uid
            FROM credentials SEMI JOIN wanted USING (uid, principal_uid) GROUP BY uid, principal_uid
        )
        SELECT sessions.*, list_filter([coalesce(issued_event_uid, CASE WHEN parent_event_uid IS NULL THEN first_event_uid END),
                parent_event_uid], lambda uid: uid IS NOT NULL) AS evidence, chosen.uid IS NOT NULL AS asked
        FROM sessions SEMI JOIN wanted USING (uid, principal_uid) LEFT JOIN first_calls USING (uid, principal_uid)
        LEFT JOIN {_CHOSEN} AS chosen USING (uid, principal_uid)
        ORDER BY created_time, first_seen_time, uid, principal_uid""")


def _trees(engine: DuckDB, rows: Rows, identity: str) -> tuple[Identity, ...]:
    sittings: dict[_Sitting, Rows] = defaultdict(list)
    of_row: dict[tuple[str, str], _Sitting] = {}
    for row in rows:
        sitting = (row["session_uid"], row["principal_uid"], row["issued_event_uid"])
        sittings[sitting].append(row)
        of_row[row["uid"], row["principal_uid"]] = sitting
    below: dict[_Sitting | str, list[_Sitting]] = defaultdict(list)
    for sitting, keys in sittings.items():
        first = keys[0]
        above = of_row.get((first["parent_uid"], first["parent_principal_uid"]))
        below[first["origin_uid"] if above in (None, sitting) else above].append(sitting)

    def session(sitting: _Sitting) -> Session:
        return _session(sittings[sitting], tuple(map(session, below[sitting])))

    roots = sorted({root for root in below if isinstance(root, str)} or {identity})
    used = _long_term(engine, roots)
    made = making(engine, roots)
    return tuple(
        Identity(
            root,
            tuple(used[root]),
            tuple(map(session, below[root])),
            made_by=tuple(one for one in made if one.principal_uid == root),
            made=tuple(one for one in made if one.by_origin_uid == root != one.principal_uid),
        )
        for root in roots
    )


def _session(keys: Rows, opened: tuple[Session, ...]) -> Session:
    """`keys`: rows of one sitting, in order of time. They share how it was opened."""
    first = keys[0]
    return Session(
        uid=first["session_uid"],
        principal_uid=first["principal_uid"],
        name=first["name"],
        credential_uids=tuple(row["credential_uid"] for row in keys if row["credential_uid"]),
        operation=first["operation"],
        established=first["established"],
        confidence=first["confidence"],
        evidence=tuple(dict.fromkeys(uid for row in keys for uid in row["evidence"])),
        broken=first["broken"],
        origin_confidence=first["origin_confidence"],
        source_identity=first["source_identity"],
        created_time=first["created_time"],
        expiration_time=max((row["expiration_time"] for row in keys if row["expiration_time"]), default=None),
        first_seen_time=min((row["first_seen_time"] for row in keys if row["first_seen_time"]), default=None),
        last_seen_time=max((row["last_seen_time"] for row in keys if row["last_seen_time"]), default=None),
        calls=sum(row["events"] for row in keys),
        asked=any(row["asked"] for row in keys),
        opened=opened,
    )


def _long_term(engine: DuckDB, roots: Sequence[str]) -> dict[str, list[Credential]]:
    rows = engine.query(
        "SELECT principal_uid, credential_uid AS uid, min(first_seen_time) AS first_seen_time, "
        "max(last_seen_time) AS last_seen_time, CAST(sum(events) AS BIGINT) AS calls "
        f"FROM ({_LONG_TERM}) WHERE credential_uid IS NOT NULL AND list_contains($roots, principal_uid) "
        "GROUP BY ALL ORDER BY first_seen_time, uid",
        {"roots": list(roots)},
    )
    found: dict[str, list[Credential]] = {root: [] for root in roots}
    for row in rows:
        found[row.pop("principal_uid")].append(Credential(**row))
    return found


def _held(engine: DuckDB, rows: Rows, identity: str, as_of: int) -> tuple[Held, ...]:
    """Of identities that are known; where the chain breaks, nobody can say what else they hold."""
    known = {row["origin_uid"] for row in rows if row["origin_confidence"] != "broken"} | {identity} - {""}
    longest = " ".join(f"WHEN '{operation}' THEN {longest}" for operation, longest in _LONGEST.items())
    held = engine.query(
        f"""
        WITH ends AS (
            SELECT *, coalesce(expiration_time, created_time + CASE operation {longest} ELSE {_LONGEST_OTHERS} END) AS until
            FROM sessions WHERE list_contains($known, origin_uid) AND created_time <= $as_of
        )
        SELECT min(origin_uid) AS origin_uid, session_uid AS uid, principal_uid,
            list_sort(list(credential_uid) FILTER (credential_uid IS NOT NULL)) AS credential_uids, max(until) AS until,
            bool_or(expiration_time IS NULL) AS at_most, min(origin_confidence) AS origin_confidence,
            max(last_seen_time) AS last_seen_time, CAST(sum(events) AS BIGINT) AS calls,
            bool_or((uid, principal_uid) IN (SELECT (uid, principal_uid) FROM {_CHOSEN})) AS asked
        FROM ends WHERE until > $as_of GROUP BY session_uid, principal_uid, issued_event_uid
        ORDER BY max(until) DESC, session_uid, principal_uid, issued_event_uid LIMIT {_MOST}""",
        {"known": sorted(known), "as_of": as_of},
    )
    return tuple(msgspec.convert(held, list[Held]))


def _nothing(asked: str) -> RequestError:
    shown = asked if len(asked) <= _SHOWN else f"{asked[:_SHOWN]}..."
    return RequestError(
        f"nothing in the log answers to {shown!r}",
        causes=(
            "another spelling",
            "the logs of its account or time are not ingested",
            "it made no call and opened none",
        ),
        next_step="give an access key, a session ARN, a principal, an eventID or a sourceIdentity; "
        "`trailhound search` finds events that name it",
    )
