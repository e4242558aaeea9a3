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
    Column("rule_kind", "string", "", "sigma, event_count, value_count ..."),
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
    Column("falsepositives", "strings", "", "as the rule names them"),
    Column("references", "strings", "", "as the rule names them"),
    Column("tags", "strings", "", "as the rule names them"),
    Column("status", "string", "", "new, closed, suppressed"),
    Column("status_reason", "string", "", "why it was closed or suppressed"),
)

INTEGRITY = (
    Column("path", "string", "", "what `verify` was asked to verify; its newest run only"),
    Column("checked_at", "bigint", "", "when, epoch milliseconds"),
    Column("kind", "string", "", "digest, log, query (the signature over a query result), query_file"),
    Column("state", "string", "", "verified, broken (altered, moved or missing), unverifiable (nothing proves either)"),
    Column("fault", "string", "", "why it is not verified: slug, docs/how-to/prove-that-logs-are-whole.md lists them"),
    Column("detail", "string", "", "what was found, for people"),
    Column("name", "string", "", "its copy, as the ledger names it; empty when it is missing"),
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
}
