"""Random histories of API calls: each is made in a simulator of AWS, and written as the record that CloudTrail has of it."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import cache
from typing import Any

from botocore.exceptions import ClientError
from tests.sources.cloud import Cloud
from tests.states.simulator import READERS

ACCOUNT, REGION = "123456789012", "us-east-1"  # moto's own
BEGIN = 1777593600  # 2026-05-01
Json = dict[str, Any]
Thing = tuple[str, str]  # kind and value


class History:
    """`records`: in order of time; `truth`: of each thing what the simulator says it was, from each moment on."""

    def __init__(self, cloud: Cloud, seed: int) -> None:
        self.client = cache(cloud.client)
        self.random = random.Random(seed)
        self.now = BEGIN
        self.records: list[Json] = []
        self.truth: dict[Thing, list[tuple[int, Json]]] = {}
        self._number = 0
        self.known: dict[str, list[str]] = {}
        ec2 = self.client("ec2")
        self.subnet = ec2.describe_subnets()["Subnets"][0]["SubnetId"]
        self.vpc = ec2.describe_vpcs()["Vpcs"][0]["VpcId"]
        self.default_group = ec2.describe_security_groups()["SecurityGroups"][0]["GroupId"]
        self.ami = ec2.describe_images(Owners=["amazon"])["Images"][0]["ImageId"]

    # ---- one step

    def step(self, acts: Sequence[Callable[[History], None]]) -> None:
        """One random call that something can be done with."""
        self.now += self.random.randint(1, 10_000)
        self.random.choice(acts)(self)

    def one(self, kind: str) -> str | None:
        known = self.known.get(kind, [])
        return self.random.choice(known) if known else None

    def name(self, kind: str) -> str:
        self._number += 1
        return f"{kind}-{self._number}"

    def made(self, kind: str, value: str) -> None:
        self.known.setdefault(kind, []).append(value)

    def gone(self, kind: str, value: str) -> None:
        self.known[kind].remove(value)

    def call(
        self, service: str, method: str, asked: Json, event: str, request: Json | None, *touched: Thing,
        answer: Callable[[Json], Json | None] = lambda _: None, region: str = REGION,
    ) -> Json | None:  # fmt: skip
        """Do it, write its record, and note what it left of what it touched. None when the simulator refused."""
        found, error = None, {}
        try:
            found = getattr(self.client(service), method)(**asked)
        except ClientError as refused:
            error = {
                "errorCode": refused.response["Error"]["Code"],
                "errorMessage": refused.response["Error"]["Message"],
            }
        self.records.append(
            record(len(self.records), self.now, service, event, request, None if error else answer(found or {}))
            | {"awsRegion": region}
            | error
        )
        if not error:
            for kind, value in touched:
                self.note(kind, value)
        return found

    def time_of(self, record: Json) -> int:
        return int(datetime.fromisoformat(record["eventTime"]).timestamp() * 1000)

    def note(self, kind: str, value: str) -> None:
        self.truth.setdefault((kind, value), []).append((self.now * 1000, READERS[kind](self.client, value)))


def record(number: int, now: int, service: str, event: str, request: Json | None, response: Json | None) -> Json:
    return {
        "eventVersion": "1.11",
        "userIdentity": {
            "type": "IAMUser",
            "arn": f"arn:aws:iam::{ACCOUNT}:user/ops",
            "accountId": ACCOUNT,
            "userName": "ops",
        },
        "eventTime": datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "eventSource": f"{service}.amazonaws.com",
        "eventName": event,
        "awsRegion": REGION,
        "sourceIPAddress": "203.0.113.7",
        "userAgent": "aws-cli/2",
        "requestParameters": request,
        "responseElements": response,
        "eventID": f"00000000-0000-0000-0000-{number:012d}",
        "eventType": "AwsApiCall",
        "managementEvent": True,
        "eventCategory": "Management",
        "recipientAccountId": ACCOUNT,
    }
