"""A small account of which everything is known, and questions asked of it.

Forty quiet days lie before the alert and three after it: Ann and the robot `ci` read and write every day, in two
Regions, and the objects of one bucket are recorded. What a test adds to it, or takes away, is all that matters.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec

from trailhound.engines.duckdb import DuckDB
from trailhound.enrichers import context
from trailhound.investigation import answers, scope
from trailhound.investigation.evidence import Evidence
from trailhound.investigation.questions import question
from trailhound.lake import arrow, times
from trailhound.lake.arrow import ddl, events_table
from trailhound.lake.tables import TABLES
from trailhound.model import Answer, Finding, Record, Resource
from trailhound.ocsf.normalize import normalize
from trailhound.settings import Settings

ACCOUNT = "111122223333"
ALERT = times.interval("2024-05-20T14:00:00Z").start
HOUR, DAY = 3_600_000, 24 * 3_600_000
HOME, IP = "us-east-1", "198.51.100.7"
TAGGED = {"resourcesSet": {}, "tagSet": {}}  # nothing that a question asks about, and it says so
NOTHING_KNOWN = Settings()

Json = dict[str, Any]


def user(name: str = "ann", key: str = "AKIAANN0000000000000", account: str = ACCOUNT) -> Json:
    arn = f"arn:aws:iam::{account}:user/{name}"
    return {"type": "IAMUser", "arn": arn, "accountId": account, "userName": name, "accessKeyId": key}


def role(name: str, key: str, session: str = "work", account: str = ACCOUNT) -> Json:
    issuer = {"type": "Role", "arn": f"arn:aws:iam::{account}:role/{name}", "accountId": account, "userName": name}
    arn = f"arn:aws:sts::{account}:assumed-role/{name}/{session}"
    return {
        "type": "AssumedRole",
        "arn": arn,
        "accountId": account,
        "accessKeyId": key,
        "sessionContext": {"sessionIssuer": issuer, "attributes": {"mfaAuthenticated": "false"}},
    }


def call(name: str, hours: float = 0, *, service: str = "ec2", region: str = "us-east-2", **fields: Any) -> Json:
    """One record, `hours` after the alert; by Ann unless `userIdentity` says otherwise. `...` leaves a field out."""
    record = {
        "eventVersion": "1.08",
        "userIdentity": user(),
        "eventTime": datetime.fromtimestamp((ALERT + hours * HOUR) / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "eventSource": f"{service}.amazonaws.com",
        "eventName": name,
        "awsRegion": region,
        "sourceIPAddress": IP,
        "userAgent": "aws-cli/2.15",
        "readOnly": name.startswith(("Get", "List", "Describe")),
        "eventType": "AwsApiCall",
        "eventCategory": "Management",
        "recipientAccountId": ACCOUNT,
    } | fields
    return {key: value for key, value in record.items() if value is not ...}


def get_object(bucket: str, hours: float, **fields: Any) -> Json:
    listed = [
        {"type": "AWS::S3::Object", "ARN": f"arn:aws:s3:::{bucket}/key"},
        {"type": "AWS::S3::Bucket", "ARN": f"arn:aws:s3:::{bucket}", "accountId": ACCOUNT},
    ]
    return call("GetObject", hours, service="s3", eventCategory="Data", resources=listed, **fields)


def quiet() -> list[Json]:
    days = [*range(-40, 0), 1, 2, 3]
    ci = user("ci", "AKIACI00000000000000")
    return [
        record
        for day in days
        for record in (
            call("DescribeInstances", 24 * day),
            call("CreateTags", 24 * day + 1, requestParameters=TAGGED),
            call(
                "ListUsers", 24 * day + 2, service="iam", region=HOME, userIdentity=ci, sourceIPAddress="198.51.100.99"
            ),
            call(
                "CreateTags", 24 * day - 6, requestParameters=TAGGED, userIdentity=ci, sourceIPAddress="198.51.100.99"
            ),
            get_object("recorded", 24 * day + 3, userIdentity=ci, sourceIPAddress="198.51.100.99"),
        )
    ]


def mount(engine: DuckDB, events: Any, name: str = "events") -> None:
    """`events` as a lake in which nothing else has been stored yet."""
    for table, layout in TABLES.items():
        if table != "events":
            engine.mount(table, [], ddl=ddl(layout.columns))
    engine.mount_arrow(name, events)


def store(engine: DuckDB, table: str, rows: Sequence[Json]) -> None:
    """`rows` as what a table of the lake holds; fields that are not named are empty."""
    columns = TABLES[table].columns
    engine.execute(f"DROP VIEW IF EXISTS {table}")
    values = {c.path: [row.get(c.path, [] if c.type == "strings" else None) for row in rows] for c in columns}
    engine.mount_arrow(table, arrow.table(columns, values))


class History:
    """Records as a lake's events, of which some are the alert. `source` says in which row of the ledger each stood."""

    def __init__(
        self,
        alert: Sequence[Json],
        others: Iterable[Json] = (),
        *,
        kept: Callable[[Json], bool] | None = None,
        source: Callable[[Json], str] = lambda _: "source",
    ):
        alerting = [{**record, "eventID": f"alert-{n}"} for n, record in enumerate(alert)]
        logged = [record for record in (*quiet(), *others) if kept is None or kept(record)]
        records = [*alerting, *({"eventID": f"event-{n:04}", **record} for n, record in enumerate(logged))]
        batch = normalize(Record(msgspec.json.encode(record), source(record), n) for n, record in enumerate(records))
        self.engine = DuckDB()
        mount(self.engine, events_table(batch.columns))
        context.mount(self.engine)
        self.uids = tuple(record["eventID"] for record in alerting)

    def finding(self) -> Finding:
        sql = (
            "SELECT metadata.uid AS uid, time, principal_uid, cloud.account.uid AS account, resources FROM events "
            "WHERE list_contains($uids, metadata.uid) ORDER BY time, uid"
        )
        rows = self.engine.query(sql, {"uids": list(self.uids)})
        named = {r["uid"]: r["type"] or "" for row in rows for r in row["resources"] or ()}
        return Finding(
            uid="f" * 16, rule_uid="rule", rule_title="rule", rule_kind="sigma", level="high", title="Something happened",
            desc="", attacks=(), first_seen_time=rows[0]["time"], last_seen_time=rows[-1]["time"],
            event_uids=tuple(row["uid"] for row in rows), count=len(rows), threshold=None, window_ms=None,
            principal_uid=rows[0]["principal_uid"], principal_name="", account_uid=rows[0]["account"] or "", regions=(),
            src_ips=(), operations=(), resources=tuple(Resource(uid=uid, type=kind) for uid, kind in sorted(named.items())),
        )  # fmt: skip

    def ask(self, name: str, settings: Settings = NOTHING_KNOWN, findings: Sequence[Finding] = ()) -> Answer:
        evidence = Evidence(self.engine, scope.of_finding(self.engine, self.finding()), settings, findings)
        assert answers.applies(question(name), evidence), name
        return answers.ask(question(name), evidence)

    def scope_of(self, observable: str, window: float = 7 * 24) -> scope.Scope:
        """The scope of `KIND=VALUE` in the hours up to the alert."""
        end = ALERT + 1
        return scope.of_observable(self.engine, scope.parse(observable), int(end - 1 - window * HOUR), end)

    def ask_of(self, observable: str, name: str, findings: Sequence[Finding] = (), *, window: float = 7 * 24) -> Answer:
        evidence = Evidence(self.engine, self.scope_of(observable, window), NOTHING_KNOWN, findings)
        return answers.ask(question(name), evidence)
