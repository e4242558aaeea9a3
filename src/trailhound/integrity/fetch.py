"""Public keys from AWS: the one thing here that may use the network, and only when asked to."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from trailhound.integrity.keys import PublicKey, fingerprint
from trailhound.lake import times
from trailhound.sources.aws import Aws, explained


class Wanted(NamedTuple):
    """Keys of one Region that were valid at some time of a period; epoch milliseconds."""

    region: str
    since: int
    until: int


def fetch(aws: Aws, wanted: Iterable[Wanted]) -> list[PublicKey]:
    """Each key once. Raises InputError when AWS does not answer with keys."""
    found: dict[tuple[str, str], PublicKey] = {}
    for region, since, until in wanted:
        client = aws.client("cloudtrail", region)
        request: dict[str, Any] = {"StartTime": _moment(since), "EndTime": _moment(until)}
        while True:
            with explained(f"list-public-keys in {region}"):
                answer = client.list_public_keys(**request)
            for listed in answer.get("PublicKeyList", ()):
                key = _key(listed, region)
                found[key.fingerprint, region] = key
            if not answer.get("NextToken"):
                break
            request["NextToken"] = answer["NextToken"]
    return list(found.values())


def _key(listed: dict[str, Any], region: str) -> PublicKey:
    value = bytes(listed["Value"])
    return PublicKey(
        fingerprint=fingerprint(value),
        value=value,
        region=region,
        valid_from=times.milliseconds(listed["ValidityStartTime"]),
        valid_until=times.milliseconds(listed["ValidityEndTime"]),
        provenance="aws",
        origin=f"cloudtrail:ListPublicKeys in {region}, {datetime.now(UTC):%Y-%m-%d}",
    )


def _moment(time: int) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=time)
