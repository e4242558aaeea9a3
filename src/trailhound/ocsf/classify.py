"""What a call is (class, activity) and how it ended (status).

The class and activity tables are data: `vocab/operations.tsv`.
"""

from __future__ import annotations

import re
from fnmatch import translate
from functools import cache, lru_cache
from typing import Any, NamedTuple

from trailhound.vocab import tsv
from trailhound.vocab.aws import service_of, undated
from trailhound.vocab.denials import is_denial

ACCOUNT_CHANGE, AUTHENTICATION, API_ACTIVITY = 3001, 3002, 6003
READ = 2
ENABLE, DISABLE = 2, 5
UNKNOWN, SUCCESS, FAILURE = 0, 1, 2


class Kind(NamedTuple):
    class_uid: int
    activity_id: int
    session: str  # member of responseElements that holds an issued credential; "" when none is issued
    answers: bool  # the outcome stands in the answer, not in errorCode


class Outcome(NamedTuple):
    status_id: int
    detail: str | None  # why it failed, in the log's words
    denied: bool


OK = Outcome(SUCCESS, None, False)


@lru_cache(8192)
def classify(event_source: str | None, operation: str) -> Kind:
    service, name = service_of(event_source), undated(operation)
    for pattern, class_uid, activity_id, session in _rows():
        if pattern.match(f"{service} {name}"):
            # Sign-in services answer {"ConsoleLogin": "Failure"}: the operation's own name is the key.
            return Kind(class_uid, activity_id, session, service == "signin" or name == "ConsoleLogin")
    raise AssertionError("the last row of operations.tsv matches every call")


@cache
def _rows() -> tuple[tuple[re.Pattern[str], int, int, str], ...]:
    return tuple(
        (re.compile(translate(f"{service} {operation}")), int(class_uid), int(activity_id), session)
        for service, operation, class_uid, activity_id, session in tsv.rows("operations")
    )


def account_activity(operation: str, request: Any) -> int | None:
    """The activity of a call whose name alone does not tell: an access key switched on or off."""
    if operation != "UpdateAccessKey" or not isinstance(request, dict):
        return None
    return {"Active": ENABLE, "Inactive": DISABLE}.get(str(request.get("status")))


def outcome(code: str | None, message: str | None, answers: tuple[Any, ...] = (), operation: str = "") -> Outcome:
    """How the call ended, by every way in which a service says that it failed.

    `answers` are responseElements and serviceEventDetails, for calls that answer under their own name.
    """
    if code or message:
        return Outcome(FAILURE, code or message, is_denial(code, message))
    for answer in answers:
        if isinstance(answer, dict):
            said = answer.get(operation)
            if isinstance(said, str) and said:
                return Outcome(FAILURE, said, False) if said.lower().startswith("fail") else OK
            inner = answer.get("errorCode")
            if isinstance(inner, str) and inner:
                return Outcome(FAILURE, inner, is_denial(inner, str(answer.get("errorMessage") or "")))
    return Outcome(UNKNOWN, None, False) if operation == "ConsoleLogin" else OK
