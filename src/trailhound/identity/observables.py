"""Observables: on which days, by which calls and where in them each artifact occurs; so a pivot is a seek.

Columns of `events` give theirs as they are; request and response are read for what `artifacts` knows, each text
that is distinct once, as delivered and with its escapes undone. The rest of the record is read for what is
`TRACED` only. Keys of S3 objects are not listed, nearly each being new: their bucket is. What no listing could
hold is said by a row of the kind `not_indexed`, for there a value may stand that is not in the table.
"""

from __future__ import annotations

from trailhound.engines import dialect
from trailhound.engines.duckdb import DuckDB
from trailhound.identity.artifacts import LONGEST, NOT_INDEXED, OTHERS, SIGNS, TRACED, artifacts, kinds
from trailhound.identity.derive import Daily
from trailhound.lake import arrow
from trailhound.ocsf.schema import Column

MOST = 256  # artifacts of one request or response that are listed
_OBJECT, _BUCKET = "'AWS::S3::Object'", "'AWS::S3::Bucket'"
_TEXTS = {"request": "api.request.data", "response": "api.response.data"}
_VERBATIM = (
    "http_request.user_agent",
    "src_endpoint.ip",
    "actor.user.credential_uid",
    "actor.user.uid",
    "src_endpoint.uid",
)
_SPAN = "min(time) AS first_time, max(time) AS last_time, count(*) AS events"
_WHO = "CASE WHEN contains({0}, ':role/') THEN 'role' ELSE 'user' END"
_LAST = "split_part({0}, '/', -1)"

# (place, kind, value, name): SQL over events. No two give the same kind and value at one place of an event.
_COLUMNS = (
    ("actor", _WHO.format("principal_uid"), "principal_uid", _LAST.format("principal_uid")),
    ("actor", "'session'", "nullif(actor.user.uid, principal_uid)", _LAST.format("actor.user.uid")),
    ("actor", "'name'", f"nullif(actor.user.name, {_LAST.format('principal_uid')})", "NULL"),
    ("actor", "'principal_id'", "split_part(actor.user.uid_alt, ':', 1)", "NULL"),
    ("actor", "'access_key'", "actor.user.credential_uid", "NULL"),
    ("actor", "'account'", "actor.user.account.uid", "NULL"),
    ("actor", "'service'", "actor.invoked_by", "NULL"),
    ("recipient", "'account'", "cloud.account.uid", "NULL"),
    ("source", "'ip_address'", "src_endpoint.ip", "NULL"),
    ("source", "'service'", "src_endpoint.domain", "NULL"),
    ("source", "'vpc_endpoint'", "src_endpoint.uid", "NULL"),
    ("source", "'user_agent'", "http_request.user_agent", "NULL"),
    ("subject", _WHO.format("user.uid"), "user.uid", "user.name"),
    ("subject", "'name'", "CASE WHEN user.uid IS NULL THEN user.name END", "NULL"),
    ("subject", "'session'", "session.uid", _LAST.format("session.uid")),
    ("subject", "'access_key'", "session.credential_uid", "NULL"),
    ("subject", "'policy'", "policy.uid", _LAST.format("policy.uid")),
)


def _kind(type_: str) -> str:
    """SQL of the kind of a resource by its CloudFormation type."""
    known = " ".join(f"WHEN {dialect.literal(name)} THEN {dialect.literal(kind)}" for name, kind in kinds().items())
    return f"CASE {type_} {known} ELSE 'resource' END"


def undone(text: str) -> str:
    """SQL of a text with the escapes of URLs and of JSON undone, however often one JSON stands within another."""
    plain = f"coalesce(TRY(url_decode({text})), {text})"
    written = {f"u00{ord(sign):02x}": sign for sign in ".-:/@=+_<>&'"} | {"/": "/", '"': '"'}
    for escape, sign in written.items():
        pattern = dialect.literal(rf"\\+(?i:{escape})")
        plain = f"regexp_replace({plain}, {pattern}, {dialect.literal(sign)}, 'g')"
    return plain


def _tokens(text: str, patterns: tuple[str, ...]) -> str:
    found = ", ".join(f"regexp_extract_all({text}, {dialect.literal(pattern)})" for pattern in patterns)
    return f"flatten([{found}])"


def _bounded(tokens: str) -> str:
    """An empty token stands for what is too long or too many; `artifacts` knows it."""
    cut = f"list_transform(tokens, lambda t: CASE WHEN length(t) > {LONGEST} THEN '' ELSE t END)"
    return (
        f"SELECT * REPLACE (CASE WHEN len(tokens) > {MOST} THEN list_append(tokens[:{MOST}], '') ELSE tokens END AS tokens) "
        f"FROM (SELECT * REPLACE (list_distinct({cut}) AS tokens) FROM ({tokens}))"
    )


def _texts(place: str, column: str) -> str:
    others = "|".join(OTHERS)
    escaped = dialect.regex("text", r"\\[u/\\\"]|%[0-9A-Fa-f]{2}")
    plain = (
        f"CASE WHEN {escaped} THEN {_tokens(undone('text'), (*TRACED, others))} ELSE {_tokens('text', (others,))} END"
    )
    more = f"list_concat({_tokens('text', TRACED)}, {plain})"
    return (
        f"SELECT event_day, operation, '{place}' AS place, {more} AS tokens, first_time, last_time, events FROM ("
        f"SELECT event_day, api.operation AS operation, {column} AS text, {_SPAN} FROM events "
        f"WHERE {column} IS NOT NULL GROUP BY ALL)"
    )


def _signed(text: str) -> str:
    return "(" + " OR ".join(f"regexp_matches({text}, {dialect.literal(sign)})" for sign in SIGNS) + ")"


def _rest() -> str:
    """The record without what is listed anyway, for the few in which something traced is left.

    What is taken out begins and ends with a sign that no token has, so none is cut.
    """
    taken = [(f"{column} LIKE '{{%}}' AND {_signed(column)}", column) for column in _TEXTS.values()]
    taken += [
        (f"length({column}) <= {LONGEST} AND {_signed(column)}", f"'\"' || {column} || '\"'") for column in _VERBATIM
    ]
    session = _LAST.format("actor.user.uid")
    taken += [(f"length(actor.user.uid) <= {LONGEST} AND {_signed(session)}", f"':' || {session} || '\"'")]
    rest = "SELECT *, raw_data AS text FROM events"
    for when, part in taken:
        rest = (
            f"SELECT * REPLACE (CASE WHEN {when} THEN replace(text, {part}, ' ') ELSE text END AS text) FROM ({rest})"
        )
    return (
        f"SELECT event_day, api.operation AS operation, 'record' AS place, {_tokens('text', TRACED)} AS tokens, "
        f"time AS first_time, time AS last_time, 1 AS events FROM ({rest}) WHERE {_signed('text')}"
    )


def _prepare(engine: DuckDB) -> None:
    """The tokens of all texts, and what each names."""
    found = " UNION ALL ".join((*(_texts(place, column) for place, column in _TEXTS.items()), _rest()))
    engine.execute(f"CREATE TEMP TABLE read_texts AS {_bounded(f'SELECT * FROM ({found}) WHERE len(tokens) > 0')}")
    tokens = engine.query("SELECT DISTINCT unnest(tokens) AS token FROM read_texts")
    rows = sorted((row["token"], *one) for row in tokens for one in artifacts(row["token"]))
    columns = tuple(Column(name, "string", "", "") for name in ("token", "kind", "value", "name"))
    values = zip(*rows, strict=True) if rows else ((),) * len(columns)
    engine.mount_arrow("named", arrow.table(columns, dict(zip((c.path for c in columns), values, strict=True))))


def _of_columns() -> str:
    parts = (
        f"SELECT event_day, operation, '{place}' AS place, {kind} AS kind, {value} AS value, {name} AS name, "
        "first_time, last_time, events FROM tuples"
        for place, kind, value, name in _COLUMNS
    )
    return " UNION ALL ".join(parts)


def _of_resources() -> str:
    """Of an object its bucket. The lists are told apart first, for most events share theirs with many others."""
    bucket = f"r.type = {_OBJECT} AND r.name IS NOT DISTINCT FROM r.uid"
    shared = (
        f"CASE WHEN {bucket} THEN struct_pack(type := {_BUCKET}, uid := split_part(r.uid, '/', 1), "
        "name := split_part(r.uid, '/', 1), account_uid := r.account_uid) "
        "ELSE struct_pack(type := r.type, uid := r.uid, name := r.name, account_uid := r.account_uid) END"
    )
    one = f"struct_pack(kind := {_kind('r.type')}, value := coalesce(r.uid, r.name), name := r.name)"
    owner = "struct_pack(kind := 'account', value := r.account_uid, name := NULL)"
    both = f"list_concat(list_transform(shared, lambda r: {one}), list_transform(shared, lambda r: {owner}))"
    return (
        "SELECT event_day, operation, 'resource' AS place, unnest(list_distinct({both}), recursive := true), "
        f"first_time, last_time, events FROM (SELECT event_day, api.operation AS operation, "
        f"list_distinct(list_transform(resources, lambda r: {shared})) AS shared, {_SPAN} FROM events "
        "WHERE len(resources) > 0 GROUP BY ALL)"
    ).replace("{both}", both)


def _of_sessions() -> str:
    """Names that whoever opens a session gives it; the call may be denied, so that nothing else shows them."""
    parts = (
        f"SELECT event_day, api.operation AS operation, 'request' AS place, '{kind}' AS kind, "
        f"TRY({dialect.json_text('api.request.data', path)}) AS value, NULL AS name, time AS first_time, "
        "time AS last_time, 1 AS events FROM events WHERE starts_with(api.operation, 'AssumeRole')"
        for kind, path in (("session_name", "$.roleSessionName"), ("source_identity", "$.sourceIdentity"))
    )
    return " UNION ALL ".join(parts)


def _of_texts() -> str:
    return (
        "SELECT DISTINCT ON (t.number, kind, value, name) event_day, operation, place, kind, value, name, first_time, "
        "last_time, events FROM (SELECT rowid AS number, * EXCLUDE (tokens), unnest(tokens) AS token FROM read_texts) AS t "
        "JOIN named ON named.token = t.token"
    )


_TUPLES = f"""
SELECT event_day, api.operation AS operation, principal_uid,
  struct_pack("user" := actor.user, invoked_by := actor.invoked_by) AS actor,
  struct_pack(account := cloud.account) AS cloud, src_endpoint,
  struct_pack(user_agent := http_request.user_agent) AS http_request, "user",
  struct_pack(uid := session.uid, credential_uid := session.credential_uid) AS session, policy, {_SPAN}
FROM events GROUP BY ALL"""

_TOO_LONG = f"greatest(length(value), coalesce(length(name), 0)) > {LONGEST}"
_SELECT = f"""
WITH tuples AS MATERIALIZED ({_TUPLES}),
listed AS (
  SELECT event_day, operation, place, kind, value, name, first_time, last_time, events FROM ({_of_columns()})
  UNION ALL {_of_resources()} UNION ALL {_of_sessions()} UNION ALL {_of_texts()}),
bounded AS (
  SELECT * REPLACE (
    CASE WHEN {_TOO_LONG} THEN '{NOT_INDEXED}' ELSE kind END AS kind, CASE WHEN {_TOO_LONG} THEN '' ELSE value END AS value,
    CASE WHEN {_TOO_LONG} OR name = value THEN NULL ELSE name END AS name)
  FROM listed WHERE length(value) > 0 OR kind = '{NOT_INDEXED}')
SELECT kind, value, name, event_day, operation, place, min(first_time) AS first_time, max(last_time) AS last_time,
  sum(events)::BIGINT AS events
FROM bounded GROUP BY kind, value, name, event_day, operation, place"""

OBSERVABLES = Daily(table="observables", version=2, select=_SELECT, prepare=_prepare)
