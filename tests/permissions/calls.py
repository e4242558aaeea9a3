"""Records of calls that write policies, as CloudTrail has them."""

from __future__ import annotations

import json
from typing import Any

ACCOUNT = "111111111111"
USER, ROLE, GROUP = (
    f"arn:aws:iam::{ACCOUNT}:{kind}/{name}" for kind, name in (("user", "u"), ("role", "r"), ("group", "g"))
)
POLICY = f"arn:aws:iam::{ACCOUNT}:policy/p"
ADMIN = "arn:aws:iam::aws:policy/AdministratorAccess"


def allow(action: Any, resource: Any = "*", effect: str = "Allow", **more: Any) -> dict[str, Any]:
    return {"Effect": effect, "Action": action, "Resource": resource, **more}


def text(*statements: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


class Log:
    """Calls a minute apart; each is named by its place: "1", "2"."""

    def __init__(self) -> None:
        self.records: list[dict[str, Any]] = []

    def call(self, operation: str, service: str = "iam", response: Any = None, **request: Any) -> str:
        at = len(self.records) + 1
        more = {key: request.pop(key) for key in ("errorCode", "eventTime") if key in request}
        self.records.append(
            {
                "eventVersion": "1.11",
                "eventID": str(at),
                "eventTime": f"2026-05-01T{at // 60:02d}:{at % 60:02d}:00Z",
                "eventSource": f"{service}.amazonaws.com",
                "eventName": operation,
                "awsRegion": "eu-west-1",
                "recipientAccountId": ACCOUNT,
                "userIdentity": {"type": "IAMUser", "accountId": ACCOUNT},
                "requestParameters": request or None,
                "responseElements": response,
                **more,
            }
        )
        return str(at)
