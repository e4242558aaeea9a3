"""What a single JSON object may be: a record, or something records are wrapped in."""

from __future__ import annotations

from collections.abc import Iterator

from trailhound.containers import digest, event_bridge, records, s3_notification
from trailhound.containers.found import Found, Text

# In this order; each only *suspects* by its sniff, and hands on as a record what proves to be none of its own,
# so that no text inside a record can make it disappear.
ENVELOPES = (
    s3_notification,  # before `records`: it has `Records` too
    records,
    event_bridge,
    digest,
)


def opened(value: bytes) -> Iterator[Found]:
    """The records in one JSON object, which is most often the record itself."""
    for envelope in ENVELOPES:
        if envelope.sniff(value):
            yield from envelope.records(Text.of(value))
            return
    yield value
