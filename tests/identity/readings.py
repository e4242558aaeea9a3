"""The same records read slowly, in plain Python: what the cube and the principals are held against."""

from __future__ import annotations

import ipaddress
import json
import random
import re
from collections import Counter, defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import iptocc
from tests.lake.rows import DAY, START, Row, event

from trailhound.engines.duckdb import DuckDB
from trailhound.identity.derive import derive
from trailhound.identity.tables import DERIVED
from trailhound.lake.arrow import events_table
from trailhound.lake.lake import Lake
from trailhound.ocsf.schema import COLUMNS

HOUR = 3_600_000
AGENTS = Path(__file__).parents[2] / "src" / "trailhound" / "vocab" / "agents.tsv"
DIMENSIONS = (
    *("event_day", "hour", "account_uid", "region", "principal_uid", "principal_type", "issuer_uid", "origin_uid"),
    *(
        "service",
        "operation",
        "outcome",
        "read_only",
        "ip",
        "network",
        "country",
        "invoked_by",
        "agent",
        "is_mfa",
        "console",
    ),
)
MEASURES = ("events", "resources", "bytes_out", "first_time", "last_time")


def cube(events: Iterable[Row], origins: dict[tuple[str, str], str]) -> dict[tuple[Any, ...], tuple[int, ...]]:
    """Cells of `activity` by `DIMENSIONS`, each with its `MEASURES`. `events`: rows of the events table, as queried."""
    cells: dict[tuple[Any, ...], list[Row]] = defaultdict(list)
    for row in events:
        cells[tuple(_cell(row, origins)[name] for name in DIMENSIONS)].append(row)
    return {key: _measures(rows) for key, rows in cells.items()}


def _measures(rows: list[Row]) -> tuple[int, ...]:
    times = [row["time"] for row in rows]
    moved = sum(row["traffic"]["bytes_out"] or 0 for row in rows)
    return len(rows), sum(len(row["resources"]) for row in rows), min(moved, 2**63 - 1), min(times), max(times)


def _cell(row: Row, origins: dict[tuple[str, str], str]) -> dict[str, Any]:
    user, session, source = row["actor"]["user"], row["actor"]["session"], row["src_endpoint"]
    record = json.loads(row["raw_data"])
    version = record.get("eventVersion", "0.0").split(".")
    says = str(record.get("sessionCredentialFromConsole")).lower() == "true" and int(version[1]) >= 8
    failed = {1: "success", 2: "failure"}.get(row["status_id"], "unknown")
    key = user["credential_uid"]
    used = key if key and key[:4] not in ("AKIA", "ACCA") else None
    if not key and user["uid_alt"] and session["created_time"] is not None:
        used = f"{user['uid_alt']}@{session['created_time']}"
    return {
        "event_day": row["event_day"],
        "hour": row["time"] // HOUR * HOUR,
        "account_uid": row["cloud"]["account"]["uid"],
        "region": row["cloud"]["region"],
        "principal_uid": row["principal_uid"],
        "principal_type": user["type"],
        "issuer_uid": session["issuer"],
        "origin_uid": origins.get((used or "", row["principal_uid"]), row["principal_uid"]),
        "service": row["api"]["service"]["name"],
        "operation": row["api"]["operation"],
        "outcome": "denied" if row["denied"] else failed,
        "read_only": row["read_only"],
        "ip": source["ip"] or source["domain"],
        "network": network(source["ip"], source["domain"]),
        "country": country(source["ip"]),
        "invoked_by": row["actor"]["invoked_by"],
        "agent": agent(row["http_request"]["user_agent"]),
        "is_mfa": row["is_mfa"] if session["is_mfa"] is None else session["is_mfa"],
        "console": says or str(row["metadata"]["event_code"]).lower() in ("awsconsolesignin", "awsconsoleaction"),
    }


def network(ip: str | None, domain: str | None) -> str:
    if ip is None:
        if domain is None:
            return "none"
        if domain.startswith("AWS Internal"):
            return "AWS Internal"
        return "aws service" if re.fullmatch(r"[\w.-]+\.amazonaws\.com", domain, re.ASCII) else "other"
    found = ipaddress.ip_address(ip)
    if found.version == 4:
        parts = [int(part) for part in ip.split(".")]
        own = (
            parts[0] in (10, 127) or parts[:2] in ([192, 168], [169, 254]) or (parts[0] == 172 and 16 <= parts[1] < 32)
        )
        own = own or (parts[0] == 100 and 64 <= parts[1] < 128)
        return "private" if own else ".".join(map(str, parts[:3])) + ".0/24"
    digits = found.exploded.replace(":", "")
    if digits[:2] in ("fc", "fd") or digits[:3] in ("fe8", "fe9", "fea", "feb") or int(digits, 16) == 1:
        return "private"
    return f"{ipaddress.ip_address(int(digits[:12], 16) << 80)}/48"


def country(ip: str | None) -> str | None:
    return iptocc.country_code([ip])[0] if ip and ipaddress.ip_address(ip).is_global else None


def agent(text: str | None) -> str:
    bare = (text or "").strip("[] ")
    if not bare:
        return "none"
    for line in AGENTS.read_text("utf-8").splitlines():
        if line and not line.startswith(("#", "pattern\t")):
            pattern, family = line.split("\t")
            if re.search(pattern, bare, re.IGNORECASE):
                return family
    return "other"


# ---- records to read


USERS = [
    {
        "principal_uid": f"arn:aws:iam::111:user/{name}",
        "actor__user__type": "IAMUser",
        "actor__user__uid_alt": f"AIDA{name}",
    }
    for name in ("alice", "bob.stone", "o'neil\"; DROP TABLE activity; --")
]
ROLES = [
    {
        "principal_uid": f"arn:aws:iam::111:role/{name}",
        "actor__user__type": "AssumedRole",
        "actor__session__issuer": f"arn:aws:iam::111:role{path}{name}",
    }
    for name, path in (
        ("app-1", "/"),
        ("app-2", "/"),
        ("AWSReservedSSO_Admin_0123456789abcdef", "/aws-reserved/sso.amazonaws.com/"),
    )
]
OTHERS = [
    {"principal_uid": "ec2.amazonaws.com", "actor__user__type": "AWSService", "actor__invoked_by": "ec2.amazonaws.com"},
    {"principal_uid": "222:AROAXYZ", "actor__user__type": "AWSAccount"},
    {"principal_uid": "anonymous", "actor__user__type": "AWSAccount"},
    {"principal_uid": "arn:aws:iam::111:root", "actor__user__type": "Root"},
]
SOURCES = [
    *("203.0.113.7", "203.0.113.9", "8.8.8.8", "10.1.2.3", "100.70.0.1", "172.31.255.1", "172.32.0.1", "127.0.0.1"),
    *("2001:db8:1:2::3", "2a00:1450:4001:80b::200e", "fd00::1", "fe80::1", "::1"),
]
DOMAINS = [
    None,
    "AWS Internal",
    "AWS Internal/3",
    "ec2.amazonaws.com",
    "evil.amazonaws.com.example.org",
    "'; --",
    "é" * 300,
]
USER_AGENTS = [
    *(None, "", "[]", "aws-cli/2.0.59 Python/3.7.3", "[Boto3/1.14.56 Python/3.7.9 Botocore/1.17.56]", "AWS Internal"),
    *(
        "Mozilla/5.0 (X11)",
        "console.ec2.amazonaws.com",
        "cloudformation.amazonaws.com",
        "config.amazonaws.com",
        "[S3Console/0.4]",
    ),
    *(
        "APN/1.0 HashiCorp/1.0 Terraform/0.13.2 aws-sdk-go/1.34.13",
        "aws-sdk-go-v2/1.32.3",
        "' OR 1=1 --",
        "\x00\x01\x1b[31m",
    ),
    *(
        "𝕬𝖌𝖊𝖓𝖙 \u202e evil",
        "x" * 4096,
        "stratus-red-team_1",
        "aws-sdk-nodejs/2.1",
        "[aws-sdk-java/1.11]",
        "Botocore/1.2",
    ),
]


def some(dice: random.Random, first: int, count: int, days: int = 10) -> list[Row]:
    """Rows of the events table in no order of time: of all sorts of callers, from all sorts of places."""
    return [_some(dice, number, days) for number in range(first, first + count)]


def _some(dice: random.Random, number: int, days: int) -> Row:
    who: dict[str, Any] = dict(dice.choice([*USERS, *ROLES, *OTHERS]))
    if who["actor__user__type"] == "AssumedRole":
        opened = START - DAY + dice.randrange(3) * HOUR
        who |= {
            "actor__user__uid_alt": f"AROA{who['principal_uid'][-5:]}:s{dice.randrange(3)}",
            "actor__session__created_time": opened,
        }
        who["actor__user__credential_uid"] = dice.choice([None, f"ASIA{who['principal_uid'][-5:]}{opened}"])
        who["actor__session__is_mfa"] = dice.choice([None, True, False])
    elif who["actor__user__type"] == "IAMUser":
        who["actor__user__credential_uid"] = f"AKIA{who['principal_uid'][-5:]}"
    version = dice.choice([None, "1.05", "1.08", "1.11"])
    record = {"eventID": f"e{number}", "eventVersion": version or "0.0"}
    if dice.random() < 0.3:
        record["sessionCredentialFromConsole"] = dice.choice(["true", "false"])
    if dice.random() < 0.2:
        record["requestParameters"] = {"tags": {"sessionCredentialFromConsole": "true"}}
    ip = dice.choice([None, *SOURCES])
    return event(
        number,
        START + dice.randrange(days * 24) * HOUR + dice.choice([0, 1, HOUR - 1, dice.randrange(HOUR)]),
        dice.choice(["DescribeInstances", "RunInstances", "GetObject", "ConsoleLogin"]),
        ip,
        **who,
        src_endpoint__domain=None if ip else dice.choice(DOMAINS),
        http_request__user_agent=dice.choice(USER_AGENTS),
        cloud__account__uid=dice.choice(["111", "111", "333", None]),
        cloud__region=dice.choice(["us-east-1", "eu-west-1", None]),
        api__service__name=dice.choice(["ec2.amazonaws.com", "s3.amazonaws.com", "signin.amazonaws.com", None]),
        status_id=dice.choice([0, 1, 2]),
        denied=dice.choice([None, False, True]),
        read_only=dice.choice([None, True, False]),
        is_mfa=dice.choice([None, True]),
        metadata__event_code=dice.choice(
            ["AwsApiCall", "AwsConsoleSignIn", "AwsConsoleSignin", "AwsConsoleAction", None]
        ),
        metadata__product__version=version,
        resources=[(f"r{n}", None, None, None) for n in range(dice.randrange(4))],
        traffic__bytes_out=dice.choice([None, 0, 17, 5_000_000_000]),
        raw_data=json.dumps(record),
    )


def add(lake: Lake, rows: list[Row]) -> None:
    lake.append("events", events_table({column.path: [row[column.path] for row in rows] for column in COLUMNS}))


def lake_of(folder: Path, *batches: list[Row]) -> Lake:
    """A lake to which the batches came one after the other, each followed by a derivation."""
    lake = Lake.create(folder)
    for batch in batches:
        add(lake, batch)
        derive(lake, DERIVED)
    return lake


def engine_of(lake: Lake) -> DuckDB:
    engine = DuckDB(threads=1)
    lake.mount(engine)
    return engine


def origins(engine: DuckDB) -> dict[tuple[str, str], str]:
    rows = engine.query("SELECT uid, principal_uid, origin_uid FROM sessions")
    return {(row["uid"], row["principal_uid"]): row["origin_uid"] for row in rows}


def counted(rows: Iterable[Row], *names: str) -> Counter[tuple[Any, ...]]:
    found: Counter[tuple[Any, ...]] = Counter()
    for row in rows:
        found[tuple(row[name] for name in names)] += row["events"]
    return found
