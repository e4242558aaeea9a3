"""What can be seen of an actor, as SQL over `activity`: one home for whoever asks what is usual."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from trailhound.lake.times import HOUR

# A service that calls on somebody's behalf, and AWS within itself, are not places.
_PLACED = "(invoked_by IS NULL AND network NOT IN ('aws service', 'AWS Internal', 'other', 'none'))"
# NULL where the cell shows nothing of the kind.
DIMENSIONS: Mapping[str, str] = MappingProxyType(
    {
        "call": "coalesce(replace(service, '.amazonaws.com', ''), '') || ':' || operation",
        "service": "service",
        "address": f"CASE WHEN {_PLACED} THEN ip END",
        "network": f"CASE WHEN {_PLACED} THEN network END",
        "country": f"CASE WHEN {_PLACED} THEN country END",
        "agent": "CASE WHEN invoked_by IS NULL THEN agent END",
        "region": "region",
        "role": "CASE WHEN principal_uid <> origin_uid THEN principal_uid END",
    }
)
HOUR_OF_DAY = f"(hour // {HOUR} % 24 + 24) % 24"  # 0 to 23, UTC

# What each principal was taken for, and from when on: uid, since (epoch milliseconds), kind, peers. What later days show is
# not in it: join it by `ASOF` with a time.
KNOWN = "(SELECT uid, unnest(known_since) AS since, unnest(known_kinds) AS kind, unnest(known_peers) AS peers FROM principals)"
