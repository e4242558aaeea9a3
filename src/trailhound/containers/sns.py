"""SNS: `{"Type": "Notification", "TopicArn": ..., "Message": "..."}`; Lambda gets it under the key `Sns`."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from trailhound.containers.found import Broken, Found, excerpt, reader

KEYS = ("TopicArn", "Sns")

_VALIDATION = b"CloudTrail validation message."


class _Notification(msgspec.Struct):
    Type: str
    TopicArn: str
    Message: str


class _Called(msgspec.Struct):
    Sns: msgspec.Raw


_read, _read_called = reader(_Notification), reader(_Called)


def contents(value: bytes) -> Iterator[Found] | None:
    if called := _read_called(value):
        return iter((bytes(called.Sns),))
    notification = _read(value)
    if notification is None:
        return None
    if notification.Type == "Notification":
        return iter((notification.Message.encode(),))
    detail = f"SNS speaks of a subscription, no event: {notification.Type[:60]}"
    return iter((Broken(None, "control_message", detail, excerpt(value)),))


def plain(text: bytes) -> Broken | None:
    """The one message of CloudTrail that is no JSON, sent when a topic is set for a trail."""
    if not text.startswith(_VALIDATION):
        return None
    return Broken(None, "control_message", "CloudTrail tests whether its messages arrive: no event", excerpt(text))
