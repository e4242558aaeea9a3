"""Permissions in plain words. Names in them are written by whoever called: they are cut, and whoever prints them escapes them."""

from __future__ import annotations

from collections.abc import Sequence

from trailhound.permissions.difference import Permission

_NAMED = 4  # of a list; the others are counted
_LONGEST = 120  # characters of one name


def gained(permission: Permission) -> str:
    """`iam:PassRole on every resource`; of a resource and a role with by whom."""
    how = {"allow": "", "deny": " (no longer denied)", "ceiling": " (no longer held back by a boundary)"}
    return _said(permission) + how[permission.cause]


def lost(permission: Permission) -> str:
    how = {"allow": "", "deny": " (denied now)", "ceiling": " (held back by a boundary now)"}
    return _said(permission) + how[permission.cause]


def administrator(permissions: Sequence[Permission]) -> bool:
    """Is every action on every resource among these, be it but for a few, or under conditions?"""
    return any("*" in each.actions and "*" in each.resources and not each.not_resources for each in permissions)


def _said(permission: Permission) -> str:
    actions = "every action" if "*" in permission.actions else _listed(permission.actions)
    if permission.not_actions:
        actions += f" but {_listed(permission.not_actions)}"
    every = permission.resources in ((), ("*",))
    resources = "every resource" if every else _listed(permission.resources)
    if permission.not_resources:
        resources = f"all resources but {resources}"
    where = f" on {resources}"
    if permission.principals:  # the policy of a thing: all of it is that thing
        where = (where if not every or permission.not_resources else "") + f" by {_listed(permission.principals)}"
    conditions = f" if {_listed(permission.conditions)}" if permission.conditions else ""
    return f"{actions}{where}{conditions}"


def _listed(names: Sequence[str]) -> str:
    shown = [each if len(each) <= _LONGEST else each[: _LONGEST - 1] + "…" for each in names[:_NAMED]]
    if len(names) > _NAMED:
        shown.append(f"{len(names) - _NAMED:,} more")
    return " and ".join(filter(None, (", ".join(shown[:-1]), shown[-1]))) if shown else "nothing"
