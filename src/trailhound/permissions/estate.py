"""Which policies are in force, from the calls of the log. What lies before the log is not known, and stays so."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from typing import Any

import msgspec

from trailhound import catalog
from trailhound.errors import CatalogError
from trailhound.permissions.document import Policy, Statement, Unreadable, read
from trailhound.permissions.evaluate import Document


class Managed(msgspec.Struct):
    """A policy that stands by itself."""

    versions: dict[str, Document] = {}
    default: str = ""  # empty: not known


class Holder(msgspec.Struct):
    """A user, role or group. `whole`: it was made within the log, so it has nothing that is not here."""

    whole: bool = False
    inline: dict[str, Document] = {}
    attached: set[str] = set()  # ARNs
    gone: set[str] = set()  # names and ARNs that are known not to be there
    groups: set[str] = set()
    boundary: str | None = None  # ARN; "": none; None: not known


class Estate(msgspec.Struct):
    """Policies by ARN (of users, roles and groups: without path)."""

    holders: dict[str, Holder] = {}
    managed: dict[str, Managed] = {}
    trusts: dict[str, Document] = {}  # of roles
    resources: dict[str, dict[str, Document]] = {}  # the whole under "", or its statements by id
    new: set[str] = set()  # resources made within the log, without a policy but these
    blind: list[str] = []  # calls that wrote a policy and do not show where: event ids

    def holder(self, arn: str) -> Holder:
        return self.holders.setdefault(arn, Holder())

    def members(self, group: str) -> list[str]:
        return sorted(arn for arn, holder in self.holders.items() if group in holder.groups)

    def attached_to(self, policy: str) -> list[str]:
        return sorted(arn for arn, holder in self.holders.items() if policy in holder.attached)

    def copy(self) -> Estate:
        """One that can be changed alone; the documents are shared, for they do not change."""
        return Estate(
            holders={
                arn: msgspec.structs.replace(
                    each,
                    inline=dict(each.inline),
                    attached=set(each.attached),
                    gone=set(each.gone),
                    groups=set(each.groups),
                )
                for arn, each in self.holders.items()
            },
            managed={arn: Managed(dict(each.versions), each.default) for arn, each in self.managed.items()},
            trusts=dict(self.trusts),
            resources={arn: dict(each) for arn, each in self.resources.items()},
            new=set(self.new),
            blind=list(self.blind),
        )

    def document(self, policy: str, day: str) -> Document:
        """The text of a managed policy on a day, "2026-01-31"."""
        found = self.managed.get(policy)
        if found is not None:
            return found.versions.get(found.default)
        if ":iam::aws:policy/" in policy:
            ours = by_aws().get(policy.rpartition("/")[2])
            return ours.policy if ours and ours.since <= day else None
        return None


class ByAws(msgspec.Struct, frozen=True):
    since: str
    policy: Policy


class _Entry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    name: str
    since: Any
    statements: list[dict[str, Any]]


@cache
def by_aws() -> dict[str, ByAws]:
    """Policies of AWS's own by name; few, for no log holds their text."""
    path = catalog.PACKS / "managed_policies.yml"
    entries = catalog.load(path, list[_Entry])
    found = {}
    for entry in entries:
        policy = read({"Version": "2012-10-17", "Statement": entry.statements})
        if isinstance(policy, Unreadable):
            raise CatalogError(f"the policy {entry.name} cannot be read: {policy.because}", where=str(path))
        found[entry.name] = ByAws(str(entry.since), policy)
    return found


class Held(msgspec.Struct, frozen=True):
    """What is known of all that bears on one principal; `missing` says what is not, in words."""

    identity: tuple[Statement, ...]
    boundary: tuple[Statement, ...] | None  # None: nothing that we know of
    missing: tuple[str, ...] = ()


def held(estate: Estate, principal: str, day: str) -> Held:
    holder = estate.holders.get(principal, Holder())
    statements: list[Statement] = []
    missing = [f"what the call {each} wrote, which the log does not show" for each in estate.blind]
    for arn in (principal, *sorted(holder.groups)):
        each = estate.holders.get(arn, Holder())
        if not each.whole:
            missing.append(f"other policies of {arn} that are older than the log")
        documents = [*sorted(each.inline.items()), *((a, estate.document(a, day)) for a in sorted(each.attached))]
        for name, document in documents:
            if isinstance(document, Policy):
                statements += document.statements
            else:
                missing.append(f"the text of {name} of {arn}: {why(document)}")
    if holder.boundary is None and not holder.whole and ":group/" not in principal:
        missing.append(f"whether {principal} has a permissions boundary")
    boundary = None
    if holder.boundary:
        document = estate.document(holder.boundary, day)
        if isinstance(document, Policy):
            boundary = document.statements
        else:
            missing.append(f"the text of the boundary {holder.boundary}: {why(document)}")
    return Held(tuple(statements), boundary, tuple(missing))


def why(document: Document) -> str:
    """Why a document says nothing."""
    return document.because if isinstance(document, Unreadable) else "it is not in the log"


def statements_of(documents: Iterable[Document]) -> tuple[Statement, ...]:
    return tuple(each for document in documents if isinstance(document, Policy) for each in document.statements)
