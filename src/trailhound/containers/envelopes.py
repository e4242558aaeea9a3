"""What a single JSON value may be: a record, or something records are wrapped in, however often.

An envelope has `KEYS`, of which an object has one at its top level, and `contents(value)`, which gives what
the value holds: bytes, which may be wrapped in turn, or Partial or Broken; and None when the value proves to
be none of its own. Only keys of the top level decide, which no caller of AWS can write, so that no text
inside a record can make the record disappear.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from types import ModuleType

import msgspec

from trailhound.containers import (
    digest,
    elastic,
    encoded,
    event_bridge,
    kinesis,
    lake_query,
    log_analytics,
    logs_events,
    logs_query,
    lookup_events,
    message,
    nested_array,
    ocsf_event,
    query_signature,
    records,
    records_list,
    s3_delivery,
    s3_notification,
    scan,
    sns,
    splunk,
    sqs,
    table_row,
)
from trailhound.containers.found import Broken, Found, excerpt, reader

DEPTH = 24  # steps into a value; a page of SQS around SNS around a subscription takes eight

# The first that claims an object has it.
ENVELOPES: tuple[ModuleType, ...] = (
    s3_notification,  # before `records`: it has `Records` too
    records,
    s3_delivery,
    event_bridge,
    lookup_events,
    logs_events,
    logs_query,  # before `splunk`: both are `results`
    lake_query,
    sqs,
    sns,
    kinesis,
    elastic,
    splunk,
    log_analytics,
    ocsf_event,
    query_signature,  # before `digest`: the less there is in common, the earlier
    digest,
    message,  # any object with a message of JSON: after all that say more of themselves
    table_row,
)
_KEYS = frozenset(key for envelope in ENVELOPES for key in envelope.KEYS)
_ARRAYS: tuple[ModuleType, ...] = (logs_query, lake_query, nested_array)  # the first two for rows by themselves

_RECORD = re.compile(rb'\{\s*"eventVersion"\s*:')
_OF_RECORD = frozenset({"eventName", "eventSource", "eventTime"})
# Where a log shipper keeps the record itself, beside the fields it took out of it.
_ORIGINALS = frozenset({"message", "event", "event.original", "_raw", "raw_data"})
_members = reader(dict[str, msgspec.Raw])


def opened(value: bytes, depth: int = DEPTH) -> Iterator[Found]:
    """The records in one JSON object or array; most often the object is the record itself."""
    claimed = claim(value)
    if claimed is None:
        yield value
        return
    for found in claimed[1]:
        if isinstance(found, bytes):
            yield from unwrapped(found, depth - 1)
        else:
            yield found


def claim(value: bytes) -> tuple[ModuleType, Iterable[Found]] | None:
    """The envelope that a value is, and its contents; None for a record."""
    if _RECORD.match(value):
        return None
    for envelope in _candidates(value):
        if (contents := envelope.contents(value)) is not None:
            return envelope, contents
    return None


def _candidates(value: bytes) -> Iterable[ModuleType]:
    if value.startswith(b"["):
        return _ARRAYS
    # A name that a changed byte made invalid hides no other.
    members = _members(value) or _members(value.decode("utf-8", "replace").encode()) or {}
    if members.keys() >= _OF_RECORD and members.keys().isdisjoint(_ORIGINALS):
        return ()
    marks = _KEYS & members.keys()
    return (*(envelope for envelope in ENVELOPES if not marks.isdisjoint(envelope.KEYS)), records_list)


def unwrapped(text: bytes, depth: int = DEPTH) -> Iterator[Found]:
    """The records in a text that was found in a wrapping: JSON, JSON run together, or base64 of it."""
    text = text.strip()
    if depth < 0:
        yield Broken(None, "too_deep", f"more than {DEPTH} steps into wrappings within each other", excerpt(text))
    elif not text.startswith((b"{", b"[")):
        yield from _plain(text, depth)
    elif scan.fault(text) is None:
        yield from opened(text, depth)
    else:
        for value in scan.values(iter((text,))):
            if isinstance(value, bytes):
                yield from opened(value, depth)
            else:
                yield value


def _plain(text: bytes, depth: int) -> Iterator[Found]:
    inner = encoded.contents(text)
    if inner is None:
        yield sns.plain(text) or Broken(None, "not_json", "a message that is no JSON", excerpt(text))
        return
    for found in inner:
        if isinstance(found, bytes):
            yield from unwrapped(found, depth - 1)
        else:
            yield found
