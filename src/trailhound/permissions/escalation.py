"""Ways by which permissions become more permissions, and which of them a change opens."""

from __future__ import annotations

from functools import cache, lru_cache
from typing import Literal

import msgspec

from trailhound import catalog
from trailhound.permissions import actions, arn, cases
from trailhound.permissions.document import Policy, Statement
from trailhound.permissions.estate import Estate, Held
from trailhound.permissions.evaluate import Caller, Policies, Request, decide
from trailhound.permissions.patterns import TooManyError, matches, resource, samples
from trailhound.permissions.truth import FALSE, TRUE, Truth, depends, every, some
from trailhound.vocab import aws


class Path(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One way; see packs/escalations.yml."""

    id: int
    title: str
    kind: Literal["own", "other", "new", "existing"]
    all: tuple[str, ...]
    passes: str = ""
    needs: str = ""


class Escalation(msgspec.Struct, frozen=True, kw_only=True):
    """A way that is open, or would be."""

    path: int
    title: str
    conditions: tuple[str, ...] = ()  # keys of the request that it depends on
    needs: str = ""  # besides permissions
    roles: tuple[str, ...] = ()  # of those in the log, the ones that can be passed to the service
    missing: tuple[str, ...] = ()  # permissions it still takes, which older policies may grant; empty: it is open


@cache
def paths() -> tuple[Path, ...]:
    return tuple(catalog.load(catalog.PACKS / "escalations.yml", list[Path]))


def opened(before: Held, after: Held, principal: str, estate: Estate) -> tuple[Escalation, ...]:
    """The ways that are open after and were not before, as far as the policies that are known tell.

    Where others are not known, also those that lack one permission, and for which something was gained."""
    if (before.identity, before.boundary) == (after.identity, after.boundary):
        return ()
    one, other = _Reach(before, principal), _Reach(after, principal)
    found = []
    for path in paths():
        is_ = other.way(path)
        if is_.value is not False:
            was = one.way(path)
            if was.value is False or (was.value is None and is_.value):
                found.append(_told(path, is_, other, estate))
        elif after.missing:
            lacking = [item for item in path.all if other.has(item, path).value is False]
            gained = any(one.has(i, path).value is False and other.has(i, path).value is not False for i in path.all)
            if len(lacking) == 1 and gained:
                missing = tuple(item.replace("@self", "") for item in lacking)
                found.append(_told(path, TRUE, other, estate, missing))
    return tuple(found)


def _told(path: Path, way: Truth, reach: _Reach, estate: Estate, missing: tuple[str, ...] = ()) -> Escalation:
    roles = tuple(role for role in sorted(estate.trusts) if path.passes and reach.passes(role, path.passes, estate))
    needs = path.needs
    if path.passes and not roles:
        needs = "; ".join(filter(None, (f"a role that trusts {path.passes}", needs)))
    return Escalation(
        path=path.id, title=path.title, conditions=tuple(sorted(way.on)), needs=needs, roles=roles, missing=missing
    )


class _Reach:
    """What one principal can do, by the policies that are known."""

    def __init__(self, held: Held, principal: str) -> None:
        self.principal = principal
        self.identity = held.identity
        self.statements = (*held.identity, *(held.boundary or ()))
        found = aws.parse_arn(principal)
        self.account = found.account if found else ""
        # Keys and roles leave it to the policies of their account, as most do: whether this one does, is among `needs`.
        handed_down = Statement("Allow", ("kms:*", "sts:assumerole"), principals=(("AWS", self.account),))
        self.policies = Policies(
            identity=(Policy(held.identity),),
            boundary=() if held.boundary is None else (Policy(held.boundary),),
            resource=Policy((handed_down,)),
        )
        kind = "role" if found and found.resource.startswith("role/") else "user"
        self.caller = Caller(kind, principal, self.account)
        self.known: dict[tuple[str, str], Truth] = {}

    def way(self, path: Path) -> Truth:
        return every(self.has(item, path) for item in path.all)

    def has(self, item: str, path: Path) -> Truth:
        """One item of a path: any of its actions."""
        key = (item, path.passes if item == "iam:PassRole" else "")
        if key not in self.known:
            self.known[key] = some(self._action(each, path) for each in item.split("/"))
        return self.known[key]

    def _action(self, item: str, path: Path) -> Truth:
        action, _, target = item.partition("@")
        if not any(each.effect == "Allow" and _speaks_of(each, action) for each in self.identity):
            return FALSE
        context = {"iam:PassedToService": (path.passes,)} if action == "iam:PassRole" and path.passes else {}
        return some(self._allowed(action, name, context) for name in self._targets(action, target))

    def _allowed(self, action: str, name: str, context: dict[str, tuple[str, ...]]) -> Truth:
        decision = decide(Request(self.caller, action, name, self.account, context), self.policies)
        if decision.outcome == "depends":
            return depends(*decision.on)
        return TRUE if decision.outcome == "allowed" else FALSE

    def _targets(self, action: str, target: str) -> tuple[str, ...]:
        """One resource for each case that the policies tell apart, of those that the action can act on."""
        wanted = actions.targets(action)
        if target == "self":
            kind, _, name = arn.name_of(self.principal.rpartition(":")[2])
            if not any(f":{kind}/" in each for each in wanted):
                return ()
            start = self.principal.partition(f":{kind}/")[0]
            wanted = (f"{start}:{kind}/{name}", f"{start}:{kind}/*/{name}")  # its path, if it has one, is not known
        patterns = {p for s in self.statements if actions.meant(s.actions, action) for p in _patterns(s, self.caller)}
        return _names(wanted, tuple(sorted(patterns - {"*"}))) if wanted else ("*",)

    def passes(self, role: str, service: str, estate: Estate) -> bool:
        """Can this role be passed to the service, which it trusts?"""
        trust = estate.trusts[role]
        asked = Request(Caller("service", service), "sts:AssumeRole", role)
        trusted = isinstance(trust, Policy) and decide(asked, Policies(resource=trust)).outcome != "denied"
        return trusted and self._allowed("iam:PassRole", role, {"iam:PassedToService": (service,)}).value is not False


def _speaks_of(statement: Statement, action: str) -> bool:
    return actions.meant(statement.actions, action) != statement.not_actions


@lru_cache(4096)
def _names(wanted: tuple[str, ...], patterns: tuple[str, ...]) -> tuple[str, ...]:
    """Names that fit a wanted pattern, one for each case of the others."""
    simple = tuple(each.replace("*", "x") for each in wanted)
    if not patterns:
        return simple
    fits = [resource(each) for each in wanted]
    try:
        names = samples([*fits, *(resource(each) for each in patterns)], first="*")
    except TooManyError:
        return simple
    return tuple(name for name in names if any(matches(each, name) for each in fits))


def _patterns(statement: Statement, caller: Caller) -> list[str]:
    name = caller.arn.rpartition("/")[2]
    return cases.filled_resources(statement, {"aws:username": (name,)})
