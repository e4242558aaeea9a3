"""Which calls there are: the names that CloudTrail can record, by service."""

from __future__ import annotations

import re
from functools import cache

from trailhound.vocab import tsv
from trailhound.vocab.aws import undated


@cache
def by_service() -> dict[str, frozenset[str]]:
    """Names without the date of an API, by the first part of eventSource."""
    found: dict[str, frozenset[str]] = {}
    for service, names in [*tsv.rows("calls"), *tsv.rows("more_calls")]:
        found[service] = found.get(service, frozenset()) | {undated(name) for name in names.split()}
    return found


@cache
def services_of(name: str) -> tuple[str, ...]:
    """Services with a call of this name, in any case of its letters."""
    return _services().get(undated(name).lower(), ())


@cache
def _services() -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for service, names in by_service().items():
        for name in names:
            found[name.lower()] = (*found.get(name.lower(), ()), service)
    return found


# Lambda writes the date of its API after the names of its older calls; later ones are bare (docs.aws.amazon.com, Lambda).
DATED = {
    "lambda": re.compile(
        r"(?:Create|Delete|Get|List|Update)(?:Alias(?:es)?|Function(?:Code|Configuration|s)?|EventSourceMappings?)"
        r"|(?:Add|Remove)(?:Layer(?:Version))?Permission|PublishVersion|PublishLayerVersion|GetPolicy"
        r"|(?:Put|Delete|Get)FunctionConcurrency|ListVersionsByFunction",
        re.IGNORECASE,
    ),
}


def is_dated(service: str, name: str) -> bool:
    """CloudTrail writes this name with a date behind it, and this one has none."""
    pattern = DATED.get(service)
    return pattern is not None and undated(name) == name and pattern.fullmatch(name) is not None
