"""Is a request allowed? One evaluator for rules, investigation, posture and response.

Sources: the IAM User Guide, "Policy evaluation logic", "Cross-account policy evaluation logic",
"How AWS enforcement code logic evaluates requests", "Permissions boundaries for IAM entities", "Principal", "NotPrincipal".
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

import msgspec

from trailhound.permissions import arn, conditions
from trailhound.permissions.document import Policy, Statement, Unreadable
from trailhound.permissions.patterns import glob, matches, resource
from trailhound.permissions.truth import FALSE, TRUE, Truth, depends, every, some
from trailhound.vocab import aws

Kind = Literal["user", "role", "federated", "service", "root", "anonymous"]
Outcome = Literal["allowed", "denied", "depends"]
Document = Policy | Unreadable | None  # None: there may be one, and it is not known


class Caller(msgspec.Struct, frozen=True):
    """Who asks. Of a role in use, `arn` is the role and `session` the ARN of its session."""

    kind: Kind
    arn: str = ""  # of a user, role or root; "ec2.amazonaws.com" of a service; the provider of a federated one
    account: str = ""
    session: str = ""


class Request(msgspec.Struct, frozen=True):
    """`action` as "s3:GetObject", `resource` as ARN. `context`: see `conditions.Context`; keys in any case.

    What the caller and the resource say by themselves (aws:PrincipalArn, ...) need not be repeated.
    `complete`: the request has no other keys than these; otherwise others are not known.
    """

    caller: Caller
    action: str
    resource: str
    resource_account: str = ""  # where the ARN has none, as of a bucket
    context: Mapping[str, tuple[str, ...] | None] = {}
    complete: bool = False


class Policies(msgspec.Struct, frozen=True, kw_only=True):
    """All that may bear on a request. What is not there is not; what is None is not known.

    `scps`, `rcps`: one tuple for each level from the root of the organisation down to the account.
    """

    identity: tuple[Document, ...] = ()
    resource: Document = Policy()
    boundary: tuple[Document, ...] = ()  # none or one
    session: tuple[Document, ...] = ()  # none, or those given when the session was made
    scps: tuple[tuple[Document, ...], ...] = ()
    rcps: tuple[tuple[Document, ...], ...] = ()


class Decision(msgspec.Struct, frozen=True):
    outcome: Outcome
    on: tuple[str, ...] = ()  # of "depends": keys of the request, and policies that are not known
    because: Literal["", "explicit deny", "no allow"] = ""  # of "denied"


_NEED_THE_RESOURCE = ("kms:", "sts:assumerole")  # no policy of an identity alone is enough for these


def decide(request: Request, policies: Policies) -> Decision:
    """What AWS would answer, as far as these policies and keys tell."""
    view = _View(request)
    denied = some(
        view.says("Deny", documents, name)
        for name, documents in (
            ("identity policies", policies.identity),
            ("resource policy", (policies.resource,)),
            ("permissions boundary", policies.boundary),
            ("session policies", policies.session),
            ("service control policies", [each for level in policies.scps for each in level]),
            ("resource control policies", [each for level in policies.rcps for each in level]),
        )
    )
    if denied.value:
        return Decision("denied", because="explicit deny")
    allowed = _allowed(view, policies)
    verdict = every((allowed, ~denied))
    if verdict.value is None:
        return Decision("depends", tuple(sorted(verdict.on)))
    return Decision("allowed") if verdict.value else Decision("denied", because="no allow")


def _allowed(view: _View, policies: Policies) -> Truth:
    request = view.request
    caller = request.caller
    organisation = [
        view.says("Allow", level, name)
        for name, levels in (("service control policies", policies.scps), ("resource control policies", policies.rcps))
        for level in levels
    ]
    boundary = view.says("Allow", policies.boundary, "permissions boundary") if policies.boundary else TRUE
    session = view.says("Allow", policies.session, "session policies") if policies.session else TRUE
    by_resource = {how: view.says("Allow", (policies.resource,), "resource policy", how) for how in _WAYS}
    if caller.kind in ("service", "anonymous", "federated") and not caller.account:
        return every((*organisation, some(by_resource.values())))
    identity = TRUE if caller.kind == "root" else view.says("Allow", policies.identity, "identity policies")
    identity = every((identity, boundary, session))
    owner = arn.account_of(request.resource) or request.resource_account
    if owner and owner != caller.account:
        return every((*organisation, identity, some(by_resource.values())))
    named = by_resource["itself"]
    if caller.kind == "role":  # a role is held by its boundary and session policies, a session named is not
        named = every((named, boundary, session))
    anyone = by_resource["anyone"] if caller.kind == "user" else every((by_resource["anyone"], boundary, session))
    within = some((named, by_resource["session"], anyone))
    if request.action.lower().startswith(_NEED_THE_RESOURCE):
        identity = every((identity, by_resource["account"]))
    if owner:
        return every((*organisation, some((within, identity))))
    elsewhere = every((identity, some(by_resource.values())))  # the owner is not known: allowed only if both ways are
    at_home = some((within, identity))
    both = (elsewhere, at_home)
    same = {each.value for each in both}
    unsure = depends("account of the resource") if len(same) > 1 else some(both)
    return every((*organisation, unsure))


_WAYS = ("itself", "session", "account", "anyone")


class _View:
    """A request with all that it says by itself."""

    def __init__(self, request: Request) -> None:
        self.request = request
        context = {key.lower(): values for key, values in request.context.items()}
        self.context: conditions.Context = {**_own_keys(request), **context}
        if request.complete:
            self.context = _Complete(self.context)

    def says(self, effect: str, documents: Iterable[Document], name: str, how: str = "") -> Truth:
        """Does a statement of this effect meet the request? `how`: only where its principal is met in this way."""
        return some(self._document(effect, document, name, how) for document in documents)

    def _document(self, effect: str, document: Document, name: str, how: str) -> Truth:
        if not isinstance(document, Policy):
            return depends(name)
        return some(self._meets(each, how) for each in document.statements if each.effect == effect)

    def _meets(self, statement: Statement, how: str) -> Truth:
        who = principal_met(statement, self.request.caller)
        if how:
            who = who if way(statement, self.request.caller) == how else FALSE
        return every((who, *statement_parts(statement, self.request.action, self.request.resource, self.context)))


class _Complete(dict[str, tuple[str, ...] | None]):
    """A key that is not there is absent from the request, not unknown."""

    def get(self, key: str, default: object = None) -> tuple[str, ...] | None:  # type: ignore[override] # noqa: ARG002
        return super().get(key, ())


def _own_keys(request: Request) -> dict[str, tuple[str, ...] | None]:
    caller = request.caller
    keys: dict[str, tuple[str, ...] | None] = {}
    if caller.account:
        keys["aws:principalaccount"] = (caller.account,)
    if caller.kind in ("user", "role", "root") and caller.arn:
        keys["aws:principalarn"] = (caller.arn,)
    if caller.kind == "user":
        keys["aws:username"] = (caller.arn.rpartition("/")[2],)
    elif caller.kind in ("role", "root", "service", "anonymous"):
        keys["aws:username"] = ()
    owner = arn.account_of(request.resource) or request.resource_account
    if owner:
        keys["aws:resourceaccount"] = (owner,)
    return keys


def statement_parts(statement: Statement, action: str, target: str, context: conditions.Context) -> Iterable[Truth]:
    """All that a statement asks for, but its principal."""
    yield Truth(action_met(statement, action))
    yield resource_met(statement, target, context)
    for condition in statement.conditions:
        yield conditions.holds(condition, context, variables=statement.variables)


def action_met(statement: Statement, action: str) -> bool:
    low = action.lower()
    return any(matches(glob(pattern), low) for pattern in statement.actions) != statement.not_actions


def resource_met(statement: Statement, target: str, context: conditions.Context) -> Truth:
    found = some(_fits(pattern, target, context, statement.variables) for pattern in statement.resources)
    return ~found if statement.not_resources else found


def _fits(pattern: str, target: str, context: conditions.Context, variables: bool) -> Truth:
    if variables and "${" in pattern:
        missing = conditions.unknown_variables(pattern, context)
        if missing:
            return depends(*missing)
        filled = arn.substituted(pattern, conditions.value_in(context))
        return FALSE if filled is None else Truth(matches(resource(filled), target))
    return Truth(matches(resource(pattern), target))


def principal_met(statement: Statement, caller: Caller) -> Truth:
    """Policies of an identity name nobody: they are met by whoever holds them."""
    if not statement.principals:
        return TRUE
    met = some(_is(each, caller) for each in statement.principals)
    if not statement.not_principals:
        return met
    if statement.effect == "Deny" and met.value and caller.account and not _account_named(statement, caller):
        return depends("whether a NotPrincipal without the account of the principal spares it")
    return ~met


def _account_named(statement: Statement, caller: Caller) -> bool:
    return any(_of_account(name, caller.account) for kind, name in statement.principals if kind == "AWS")


def _of_account(name: str, account: str) -> bool:
    found = aws.parse_arn(name)
    return name == account or (found is not None and found.resource == "root" and found.account == account)


def _is(principal: tuple[str, str], caller: Caller) -> Truth:
    kind, name = principal
    if kind == "Service":
        return Truth(caller.kind == "service" and name in ("*", caller.arn))
    if kind == "Federated":
        return Truth(caller.kind == "federated" and name in ("*", caller.arn))
    if kind == "CanonicalUser":
        return depends("account of a canonical user") if caller.account else FALSE
    return Truth(name == "*" or _named(name, caller) or (bool(caller.account) and _of_account(name, caller.account)))


def _named(name: str, caller: Caller) -> bool:
    """Paths aside: names of users and roles are unique in an account."""
    if caller.session and name == caller.session:
        return True
    return (
        bool(caller.arn)
        and "/" in name
        and ":assumed-role/" not in name
        and aws.principal_arn(name) == aws.principal_arn(caller.arn)
    )


def way(statement: Statement, caller: Caller) -> str:
    """How a statement of a resource's policy means this caller; the closest way counts."""
    if statement.not_principals:
        return "anyone"
    names: Sequence[str] = [name for kind, name in statement.principals if kind in ("AWS", caller.kind.title())]
    if caller.session and caller.session in names:
        return "session"
    if any(_named(name, caller) or (caller.kind in ("service", "federated") and name == caller.arn) for name in names):
        return "itself"
    return "anyone" if "*" in names or not statement.principals else "account"
