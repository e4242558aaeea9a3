"""The tables of the lake beside `events`, and how each is laid out on disk."""

from __future__ import annotations

from typing import NamedTuple

from trailhound.ocsf.schema import COLUMNS, Column

LEDGER = (
    Column("uid", "string", "", "of the object: its name and its bytes"),
    Column("name", "string", "", "path, or archive and member: logs.zip!a.json"),
    Column("bytes", "bigint", "", "its size as it lies, compressed or not"),
    Column("sha256", "string", "", "of these bytes"),
    Column("container", "string", "", "what the records are wrapped in: records, lines, event_bridge ..."),
    Column("records", "bigint", "", "seen in it: events + duplicates + rejected"),
    Column("events", "bigint", "", "that are in the events table from this object"),
    Column("duplicates", "bigint", "", "that were there already, from another place"),
    Column("rejected", "bigint", "", "that could not be taken; the table `rejects` says why"),
    Column("first_time", "bigint", "", "earliest event, epoch milliseconds"),
    Column("last_time", "bigint", "", "latest event, epoch milliseconds"),
    Column("delivered_time", "bigint", "", "when CloudTrail wrote the object, by its name; epoch milliseconds"),
    Column("ingested_at", "bigint", "", "epoch milliseconds"),
    Column("flags", "strings", "", "damaged: it breaks off or fails its checksum; repaired: its text was mended"),
    Column("difference", "string", "", "what the mending changed, as a unified diff"),
    Column("etag", "string", "", "of an object of S3; with its name, known before it is fetched"),
)

REJECTS = (
    Column("source_uid", "string", "", "ledger row of the object"),
    Column("index", "bigint", "", "its place among the records of the object; -1 for the object as a whole"),
    Column("reason", "string", "", "slug, to count by"),
    Column("detail", "string", "", "what was found, where"),
    Column("excerpt", "string", "", "its beginning, at most 200 characters"),
)

FINDINGS = (
    Column("uid", "string", "", "hash of rule, group and first event"),
    Column("rule_uid", "string", "", "id of the rule"),
    Column("rule_title", "string", "", "its title"),
    Column("rule_kind", "string", "", "sigma, event_count, value_count ..., baseline"),
    Column("level", "string", "", "informational, low, medium, high, critical"),
    Column("title", "string", "", "one line: who did what to how many"),
    Column("desc", "string", "", "what the rule looks for"),
    Column("attacks", "strings", "", "ATT&CK techniques"),
    Column("first_seen_time", "bigint", "", "first event, epoch milliseconds"),
    Column("last_seen_time", "bigint", "", "last event, epoch milliseconds"),
    Column("event_uids", "strings", "", "all of its events, in order of time"),
    Column("count", "bigint", "", "what was counted: resources, values or events"),
    Column("threshold", "bigint", "", "from how many on the rule fires"),
    Column("window_ms", "bigint", "", "within how long"),
    Column("principal_uid", "string", "", "who"),
    Column("principal_name", "string", "", "by name"),
    Column("account_uid", "string", "", "account"),
    Column("regions", "strings", "", "Regions"),
    Column("src_ips", "strings", "", "source addresses"),
    Column("operations", "strings", "", "API calls"),
    Column("resources", "resources", "", "what it happened to"),
    Column("origin_uid", "string", "", "who stood behind the session of its first event"),
    Column("falsepositives", "strings", "", "as the rule names them"),
    Column("references", "strings", "", "as the rule names them"),
    Column("tags", "strings", "", "as the rule names them"),
    Column("rule_author", "string", "", "who wrote the rule"),
    Column("rule_license", "string", "", "under which licence"),
    Column("rule_status", "string", "", "as its author has it: stable, test, experimental"),
    Column("rule_date", "string", "", "of its last change, YYYY-MM-DD"),
    Column("status", "string", "", "new, closed, suppressed"),
    Column("status_reason", "string", "", "why it was closed or suppressed"),
    Column(
        "analysis", "string", "", "JSON, of a baseline: kind, actor, measured, expected, seen, score, history_days ..."
    ),
)

INTEGRITY = (
    Column("path", "string", "", "what `verify` was asked to verify; its newest run only"),
    Column("checked_at", "bigint", "", "when, epoch milliseconds"),
    Column("kind", "string", "", "digest, log, query (the signature over a query result), query_file"),
    Column("state", "string", "", "verified, broken (altered, moved or missing), unverifiable (nothing proves either)"),
    Column("fault", "string", "", "why it is not verified: slug, docs/how-to/prove-that-logs-are-whole.md lists them"),
    Column("detail", "string", "", "what was found, for people"),
    Column("name", "string", "", "its copy, as it was named to `verify`; empty when it is missing"),
    Column("sha256", "string", "", "of the bytes of this copy as they lie: the ledger knows them by it"),
    Column("place", "string", "", "where it was delivered: s3://bucket/key, or as much as is known of it"),
    Column("account_uid", "string", "", "account"),
    Column("region", "string", "", "Region"),
    Column("trail", "string", "", "name of the trail, by its digests"),
    Column("begin", "bigint", "", "of the digest's period, or of the digest that lists the log; epoch milliseconds"),
    Column("end", "bigint", "", "of the same"),
    Column("listed_in", "string", "", "place of the digest or signature that names it"),
    Column("key_fingerprint", "string", "", "of the public key that proves it"),
    Column("key_provenance", "string", "", "where that key came from: aws, file, self-made"),
)

INTEGRITY_PERIODS = (
    Column("path", "string", "", "what `verify` was asked to verify; its newest run only"),
    Column("checked_at", "bigint", "", "when, epoch milliseconds"),
    Column("since", "bigint", "", "the period asked, epoch milliseconds"),
    Column("until", "bigint", "", "its end, not part of it"),
    Column("account_uid", "string", "", "account"),
    Column("region", "string", "", "Region"),
    Column("begin", "bigint", "", "of a stretch within the period; the stretches of a Region make up the whole of it"),
    Column("end", "bigint", "", "of the stretch"),
    Column(
        "state", "string", "", "of the digests that cover it: verified, broken, unverifiable; uncovered: there is none"
    ),
    Column("because", "string", "", "the calls that explain an uncovered stretch, where the logs show any"),
)


CREDENTIALS = (
    Column("event_day", "string", "", "UTC day of the calls, YYYY-MM-DD"),
    Column("week", "string", "", "partition: Monday of that week"),
    Column("uid", "string", "", "`sessions.uid`; else the long-term access key; else, of a user at sign-in, its id"),
    Column("session_uid", "string", "", "of its session: see `sessions.session_uid`; empty: a long-term credential"),
    Column("credential_uid", "string", "", "access key, where the log shows one"),
    Column("principal_uid", "string", "", "who used it"),
    Column("principal_id", "string", "", "principal id as logged: AROA...:session"),
    Column("account_uid", "string", "", "the caller's account"),
    Column("type", "string", "", "IAMUser, AssumedRole, Root, FederatedUser ..."),
    Column("issuer_uid", "string", "", "role or user that issued the session, with its path"),
    Column("source_identity", "string", "", "sourceIdentity, which no later session can change"),
    Column("on_behalf_of", "string", "", "id of the Identity Center user behind it, where its first call says so"),
    Column("via", "string", "", "how AWS handed it out, where the record says: instance, console, assumed_root"),
    Column("created_time", "bigint", "", "when its session began, epoch milliseconds"),
    Column("first_seen_time", "bigint", "", "first call of the day"),
    Column("last_seen_time", "bigint", "", "last call of the day"),
    Column("first_event_uid", "string", "", "first call of the day"),
    Column("events", "bigint", "", "calls of the day"),
)

ISSUES = (
    Column("event_day", "string", "", "UTC day of the call, YYYY-MM-DD"),
    Column("week", "string", "", "partition: Monday of that week"),
    Column("event_uid", "string", "", "the call; it succeeded"),
    Column("time", "bigint", "", "epoch milliseconds"),
    Column("operation", "string", "", "AssumeRole, ConsoleLogin, GetRoleCredentials, CreateAccessKey, CreateUser ..."),
    Column("account_uid", "string", "", "account whose trail has it"),
    Column("shared_event_uid", "string", "", "sharedEventID, of the token service: common to the copies of one act"),
    Column("credential_uid", "string", "", "the access key that was issued, where the log shows it"),
    Column("principal_id", "string", "", "id of what it was issued to: AROA...:session"),
    Column("principal_uid", "string", "", "whom it was issued to: a role, a user, root"),
    Column("issuer_uid", "string", "", "the role as it was asked for, with its path"),
    Column("expiration_time", "bigint", "", "when it ends, where the log says it; epoch milliseconds"),
    Column("source_identity", "string", "", "sourceIdentity"),
    Column("for_account_uid", "string", "", "of Identity Center: the account that was chosen"),
    Column("for_role", "string", "", "of Identity Center: the permission set that was chosen"),
    Column("by_session_uid", "string", "", "who asked: `sessions.uid`; empty where there is no session"),
    Column("by_credential_uid", "string", "", "access key of who asked"),
    Column("by_principal_uid", "string", "", "principal of who asked"),
    Column("by_principal_id", "string", "", "its principal id; of Identity Center the id of the user"),
    Column("by_type", "string", "", "IAMUser, AssumedRole, AWSAccount ..."),
    Column("by_account_uid", "string", "", "its account"),
    Column("by_name", "string", "", "its name; at a sign-in, the name that signed in"),
    Column("switched_from", "string", "", "ARN of who changed roles in the console"),
)

SESSIONS = (
    Column("uid", "string", "", "temporary access key where the log shows one, else `session_uid`"),
    Column("session_uid", "string", "", "principal id and time of creation, AROA...:name@1604631600000"),
    Column("credential_uid", "string", "", "access key"),
    Column("principal_uid", "string", "", "whose session it is: a role, a user, root"),
    Column("account_uid", "string", "", "its account"),
    Column("name", "string", "", "session name, as whoever opened it chose it"),
    Column(
        "operation", "string", "", "the call that issued it: AssumeRole, GetSessionToken ...; empty: not in the log"
    ),
    Column("issued_event_uid", "string", "", "that call"),
    Column("created_time", "bigint", "", "epoch milliseconds"),
    Column("expiration_time", "bigint", "", "when it ends, where the log says it; epoch milliseconds"),
    Column("first_seen_time", "bigint", "", "first call made with it"),
    Column("last_seen_time", "bigint", "", "last call made with it"),
    Column("events", "bigint", "", "calls made with it; 0: issued and never seen"),
    Column("parent_uid", "string", "", "session that opened this one; empty when a long-term credential did"),
    Column("parent_credential_uid", "string", "", "access key that opened it"),
    Column("parent_principal_uid", "string", "", "who opened it: one step up"),
    Column("parent_event_uid", "string", "", "the call that tells who that was, where `issued_event_uid` does not"),
    Column(
        "established", "string", "", "how that step is known: slug, docs/how-to/find-who-it-really-was.md lists them"
    ),
    Column("confidence", "string", "", "of that step: certain, likely, possible; empty: the chain ends or breaks here"),
    Column("origin_uid", "string", "", "the identity at the root, as far as the chain can be followed"),
    Column(
        "origin_confidence",
        "string",
        "",
        "certain, likely, possible: the weakest step; broken: what is above is unknown",
    ),
    Column("depth", "int", "", "steps from the root to this session"),
    Column("broken", "string", "", "why the chain breaks here, for people; empty: it does not"),
    Column("source_identity", "string", "", "sourceIdentity, which no later session can change"),
)

ACTIVITY = (
    Column("event_day", "string", "", "UTC day, YYYY-MM-DD"),
    Column("week", "string", "", "partition: Monday of that week"),
    Column("hour", "bigint", "", "beginning of the hour, epoch milliseconds"),
    Column("account_uid", "string", "", "account that received the events"),
    Column("region", "string", "", "Region"),
    Column("principal_uid", "string", "", "who"),
    Column(
        "family", "string", "", "several that are one actor: a role's ARN with `*` for each number; else the principal"
    ),
    Column("principal_type", "string", "", "IAMUser, AssumedRole, Root, AWSService ..., as the log says it"),
    Column("issuer_uid", "string", "", "role or user that issued the session, with its path"),
    Column(
        "origin_uid", "string", "", "the identity at the root of the session; the principal where there is no session"
    ),
    Column("service", "string", "", "ec2.amazonaws.com"),
    Column("operation", "string", "", "API call"),
    Column("outcome", "string", "", "success, failure, denied; unknown: the log does not say"),
    Column("read_only", "boolean", "", "the call changes nothing"),
    Column("ip", "string", "", "source address; else the service or `AWS Internal`"),
    Column("network", "string", "", "203.0.113.0/24, 2001:db8:1::/48; private, aws service, AWS Internal, other, none"),
    Column("country", "string", "", "of registration, ISO code"),
    Column("invoked_by", "string", "", "service that called on its behalf: the address may then be the service's"),
    Column("agent", "string", "", "family of the user agent, as the caller wrote it: aws-cli, boto3, terraform ..."),
    Column("is_mfa", "boolean", "", "the session was opened with MFA, where the log says it"),
    Column("console", "boolean", "", "the log itself says that it was made in the console, or is a sign-in to it"),
    Column("events", "bigint", "", "calls"),
    Column("resources", "bigint", "", "named by them, each as often as it is named"),
    Column("bytes_out", "bigint", "", "handed out by S3"),
    Column("first_time", "bigint", "", "first of these calls, epoch milliseconds"),
    Column("last_time", "bigint", "", "last of these calls"),
)

PRINCIPALS = (
    Column("uid", "string", "", "`principal_uid` of events"),
    Column("name", "string", "", "short name"),
    Column("account_uid", "string", "", "its account"),
    Column("kind", "string", "", "human, ci, workload, service, other_account, anonymous, root, unknown"),
    Column("reasons", "strings", "", "why it is taken for that, in words; of unknown: what speaks for what"),
    Column("family", "string", "", "several that are one actor: role family; else the uid"),
    Column("path", "string", "", "of the role, where a session shows it: /aws-service-role/ ..."),
    Column("peers", "string", "", "group that it is compared with: kind, account, path, for machines main service"),
    Column(
        "known_since", "bigints", "", "when it was taken for something else, epoch milliseconds: later days change none"
    ),
    Column("known_kinds", "strings", "", "its kind from each of these times on"),
    Column("known_peers", "strings", "", "its peers from each of these times on"),
    Column("first_seen_time", "bigint", "", "epoch milliseconds"),
    Column("last_seen_time", "bigint", "", "epoch milliseconds"),
    Column("events", "bigint", "", "calls"),
    Column("days", "bigint", "", "days on which it was seen"),
    Column("sessions", "bigint", "", "of it, so far"),
    Column("origins", "strings", "", "identities that opened them, the most frequent first; 20 at most, as all lists"),
    Column("credentials", "strings", "", "long-term access keys it used, most used first"),
    Column("countries", "strings", "", "most used first"),
    Column("networks", "strings", "", "most used first"),
    Column("agents", "strings", "", "families of user agents, most used first; written by the caller"),
    Column("regions", "strings", "", "most used first"),
    Column("services", "strings", "", "most used first"),
    Column("hours", "bigints", "", "24 numbers: calls by hour of the day, UTC"),
    Column("utc_offset", "int", "", "of a human, hours ahead of UTC: inferred from the rhythm; empty: it is not clear"),
    Column("utc_offset_reason", "string", "", "that it is inferred, and from how much"),
)

OBSERVABLES = (
    Column(
        "kind", "string", "", "ip_address, access_key, instance, bucket ...; not_indexed: here is more than is listed"
    ),
    Column("value", "string", "", "in the one form by which it is known: see `resources`"),
    Column("name", "string", "", "its short name, or how else it was written"),
    Column("event_day", "string", "", "UTC day, YYYY-MM-DD"),
    Column("week", "string", "", "partition: Monday of that week"),
    Column("operation", "string", "", "API call: with the day, where in `events` to look"),
    Column(
        "place",
        "string",
        "",
        "where in the event: actor, source, recipient, subject (whom it is about), resource, request, response, "
        "record (elsewhere)",
    ),
    Column("first_time", "bigint", "", "first event that names it, epoch milliseconds"),
    Column("last_time", "bigint", "", "last of them"),
    Column("events", "bigint", "", "that name it"),
)


class Layout(NamedTuple):
    columns: tuple[Column, ...]
    partition: str | None = None
    sort: tuple[str, ...] = ()
    # Columns in which no two values are alike: a dictionary would only be built to be thrown away.
    unique: tuple[str, ...] = ()


TABLES: dict[str, Layout] = {
    "events": Layout(
        COLUMNS,
        partition="event_day",
        sort=("api.operation", "time"),
        unique=("raw_data", "metadata.uid", "api.request.uid", "api.request.data", "api.response.data"),
    ),
    "ledger": Layout(LEDGER, sort=("name", "ingested_at")),
    "rejects": Layout(REJECTS, sort=("source_uid", "index")),
    "findings": Layout(FINDINGS, sort=("first_seen_time", "uid")),
    "integrity": Layout(INTEGRITY, sort=("path", "place")),
    "integrity_periods": Layout(INTEGRITY_PERIODS, sort=("path", "account_uid", "region", "begin")),
    "credentials": Layout(CREDENTIALS, partition="week", sort=("event_day", "uid", "principal_uid", "session_uid")),
    "issues": Layout(ISSUES, partition="week", sort=("event_day", "event_uid"), unique=("event_uid",)),
    "sessions": Layout(SESSIONS, sort=("uid", "principal_uid")),
    # By all that tells its rows apart, or the same events would give them in another order.
    "activity": Layout(
        ACTIVITY,
        partition="week",
        sort=(
            *("principal_uid", "operation", "hour", "ip", "account_uid", "region", "origin_uid", "service", "outcome"),
            *("read_only", "agent", "invoked_by", "is_mfa", "console", "principal_type", "issuer_uid"),
        ),
    ),
    "principals": Layout(PRINCIPALS, sort=("uid",)),
    "observables": Layout(OBSERVABLES, partition="week", sort=("kind", "value", "event_day", "operation", "place")),
}
