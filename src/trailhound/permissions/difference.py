"""What one set of policies allows and another does not, found by asking about every case that they tell apart."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from typing import Literal, NamedTuple

import msgspec

from trailhound.permissions import actions as known
from trailhound.permissions import arn, cases, conditions
from trailhound.permissions.document import Condition, Policy, Statement, grants
from trailhound.permissions.evaluate import resource_met
from trailhound.permissions.patterns import glob, matches, plain

Layers = tuple[tuple[Statement, ...], ...]
"""All have to allow, and none may deny: the policies of an identity, then each that bounds them."""

Cause = Literal["allow", "deny", "ceiling"]
_CELLS = 500_000
_BUT = 20  # actions that a wildcard may lack and still be the shorter word


class Example(msgspec.Struct, frozen=True):
    """One request that makes the difference; `decide` says so."""

    action: str
    resource: str
    principal: str = ""
    context: dict[str, tuple[str, ...]] = {}


class Permission(msgspec.Struct, frozen=True, kw_only=True):
    """What is allowed on one side only: something of these actions, on something of these resources."""

    cause: Cause  # an Allow came or went, or a Deny that stood against it, or a bound of it
    actions: tuple[str, ...]  # a wildcard where all that it stands for is meant, but for `not_actions`
    not_actions: tuple[str, ...] = ()
    actions_count: int
    resources: tuple[str, ...]
    not_resources: bool = False  # all but these
    principals: tuple[
        str, ...
    ] = ()  # of policies of resources; "account 111122223333", ARNs, services, or "anyone" alone
    conditions: tuple[str, ...] = ()  # of the statement that makes the difference
    example: Example


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    gained: tuple[Permission, ...] = ()
    lost: tuple[Permission, ...] = ()
    complete: bool = True  # False: there were more cases than were asked about, so what is not here is not known

    @property
    def none(self) -> bool:
        """Known to mean the same."""
        return self.complete and not self.gained and not self.lost


def difference(before: Layers, after: Layers) -> Difference:
    """Compare for all actions that are known, all resources, callers and keys of the request.

    A wildcard and the list of the actions that it stands for today are the same.
    """
    before, after = _unsigned(before), _unsigned(after)
    if len(before) == len(after) and all(map(_alike, before, after)):
        return Difference()
    comparison = _Comparison(before, after)
    whole = [comparison.compare(names, mask) for mask, names in comparison.classes()]
    return Difference(
        gained=_permissions(comparison.gained, comparison),
        lost=_permissions(comparison.lost, comparison),
        complete=all(whole),
    )


def _unsigned(layers: Layers) -> Layers:
    return tuple(tuple(msgspec.structs.replace(each, sid="") for each in layer) for layer in layers)


def _alike(one: Sequence[Statement], other: Sequence[Statement]) -> bool:
    return set(one) == set(other) or grants(Policy(tuple(one))) == grants(Policy(tuple(other)))


class _Key(NamedTuple):
    cause: Cause
    statement: int  # that makes the difference


class _Cells:
    """What is known of one statement's part in a difference."""

    def __init__(self, example: Example) -> None:
        self.example = example
        self.actions: set[str] = set()
        self.resources: set[str] = set()
        self.principals: set[str] = set()


class _Layer(NamedTuple):
    """Bits of its statements."""

    allow: int
    deny: int


class _Comparison:
    def __init__(self, before: Layers, after: Layers) -> None:
        self.statements = sorted({each for layers in (before, after) for layer in layers for each in layer})
        bit = {each: 1 << position for position, each in enumerate(self.statements)}

        def bits(layers: Layers) -> list[_Layer]:
            return [
                _Layer(*(sum({bit[s] for s in layer if s.effect == effect}) for effect in ("Allow", "Deny")))
                for layer in layers
            ]

        self.before, self.after = bits(before), bits(after)
        self.gained: dict[_Key, _Cells] = {}
        self.lost: dict[_Key, _Cells] = {}

    def classes(self) -> Iterator[tuple[int, list[str]]]:
        """Actions of which the same statements speak, where the two sides have not the same of these."""
        spoken_of = _spoken_of(self.statements)
        special = frozenset().union(*(listed for listed, _ in spoken_of))
        found: dict[int, list[str]] = {}
        # Of all other actions the same statements speak.
        rest = sum(1 << position for position, (_, but) in enumerate(spoken_of) if but)
        if left := known.everything() - special:
            found[rest] = list(left)
        for name in special:
            mask = sum(1 << at for at, (listed, but) in enumerate(spoken_of) if (name in listed) != but)
            found.setdefault(mask, []).append(name)
        for mask in sorted(found):
            if _within(self.before, mask) != _within(self.after, mask):
                yield mask, sorted(found[mask])

    def compare(self, names: list[str], mask: int) -> bool:
        """False when there are too many cases."""
        chosen = [(1 << at, each) for at, each in enumerate(self.statements) if mask >> at & 1]
        statements = [each for _, each in chosen]
        callers: dict[int, list[str]] = {}
        for label, caller in cases.callers(statements).items():
            met = sum(bit for bit, each in chosen if cases.is_met(each, label, caller))
            callers.setdefault(met, []).append(label)
        contexts, complete = cases.contexts(statements)
        read = sorted(
            {v.key for each in statements if each.variables for p in each.resources for v in arn.variables(p)}
        )
        holds = _Holding(chosen)
        asked = 0
        # Requests in which the same conditions hold, and the same names are meant, are one case.
        for (holding, meant), context in {
            (holds.bits(each), tuple(each[key] for key in read)): each for each in reversed(contexts)
        }.items():
            named, whole = _named(tuple(chosen), tuple(zip(read, meant, strict=True)))
            asked += len(named) * len(callers)
            if asked > _CELLS:
                return False
            complete &= whole
            for name, fits in named:
                for met, labels in callers.items():
                    self._ask(met & holding & fits, names, labels, name, context)
        return complete

    def _ask(self, met: int, names: list[str], labels: list[str], resource: str, context: cases.Case) -> None:
        one, other = _allows(self.before, met), _allows(self.after, met)
        if one == other:
            return
        side, poor, rich = (self.gained, self.before, self.after) if other else (self.lost, self.after, self.before)
        key = _cause(poor, rich, met)
        example = Example(known.spelled(names[0]), resource, labels[0], {k: v for k, v in context.items() if v})
        found = side.setdefault(key, _Cells(example))
        found.actions.update(names)
        found.resources.add(resource)
        found.principals.update(label for label in labels if label)


def _cause(poor: list[_Layer], rich: list[_Layer], met: int) -> _Key:
    """Why the poorer side does not allow, and the statement to name for it."""
    if not met & poor[0].allow:
        return _Key("allow", _lowest(met & rich[0].allow))
    denies = [met & layer.deny for layer in poor if met & layer.deny]
    if denies:
        return _Key("deny", _lowest(denies[0]))
    return _Key("ceiling", _lowest(met & rich[0].allow))


def _lowest(bits: int) -> int:
    return (bits & -bits).bit_length() - 1


def _within(layers: list[_Layer], mask: int) -> list[tuple[int, int]]:
    return [(layer.allow & mask, layer.deny & mask) for layer in layers]


def _allows(layers: list[_Layer], met: int) -> bool:
    return all(met & layer.allow and not met & layer.deny for layer in layers)


class _Holding:
    """Which statements' conditions hold in a request; a condition is looked at once for each value of its keys."""

    def __init__(self, chosen: list[tuple[int, Statement]]) -> None:
        self.chosen = chosen
        self.known: dict[tuple[object, ...], bool] = {}

    def bits(self, context: cases.Case) -> int:
        return sum(
            bit for bit, each in self.chosen if all(self._holds(c, each.variables, context) for c in each.conditions)
        )

    def _holds(self, condition: Condition, variables: bool, context: cases.Case) -> bool:
        keys = [condition.key]
        if variables:
            keys += [v.key for value in condition.values if "${" in value for v in arn.variables(value)]
        case = (condition, variables, *(context.get(key) for key in keys))
        if case not in self.known:
            self.known[case] = bool(conditions.holds(condition, context, variables=variables).value)
        return self.known[case]


@lru_cache(512)
def _named(
    chosen: tuple[tuple[int, Statement], ...], read: tuple[tuple[str, cases.Values], ...]
) -> tuple[list[tuple[str, int]], bool]:
    """Each name that makes a case, with the statements that it fits."""
    context = dict(read)
    names, complete = cases.resources([each for _, each in chosen], context)
    found = [(name, sum(bit for bit, each in chosen if resource_met(each, name, context).value)) for name in names]
    return found, complete


def _spoken_of(statements: Sequence[Statement]) -> list[tuple[frozenset[str], bool]]:
    """Of each the actions that it speaks of, in lower case; or, with True, all but these."""
    patterns = {pattern for each in statements for pattern in each.actions}
    listed = {pattern: known.named(pattern) if pattern != "*" else frozenset() for pattern in patterns}
    newer = frozenset().union(*listed.values()) - known.everything()  # not in our list: what wildcards do not stand for
    for pattern in patterns - {"*"} if newer else ():
        listed[pattern] |= {name for name in newer if matches(glob(pattern), name)}
    return [
        (frozenset(), not each.not_actions)
        if "*" in each.actions
        else (frozenset().union(*(listed[pattern] for pattern in each.actions)), each.not_actions)
        for each in statements
    ]


def _permissions(found: dict[_Key, _Cells], comparison: _Comparison) -> tuple[Permission, ...]:
    made = []
    for key, cells in sorted(found.items()):
        statement = comparison.statements[key.statement]
        patterns = [
            p for p in statement.resources if statement.not_resources or _meets_one(statement, p, cells.resources)
        ]
        short, but = shortened(cells.actions, statement.actions if not statement.not_actions else ())
        made.append(
            Permission(
                cause=key.cause,
                actions=short,
                not_actions=but,
                actions_count=len(cells.actions),
                resources=tuple(patterns),
                not_resources=statement.not_resources,
                principals=("anyone",) if "anyone" in cells.principals else tuple(sorted(cells.principals)),
                conditions=tuple(map(str, statement.conditions)),
                example=msgspec.structs.replace(cells.example, resource=plain(cells.example.resource)),
            )
        )
    return tuple(made)


def _meets_one(statement: Statement, pattern: str, names: Iterable[str]) -> bool:
    alone = msgspec.structs.replace(statement, resources=(pattern,))
    return "${" in pattern or any(resource_met(alone, name, {}).value for name in names)


def shortened(names: set[str], patterns: Iterable[str] = ()) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Actions in few words: patterns of which nearly all is there, whole services, names; and what is not there."""
    short: set[str] = set()
    but: set[str] = set()
    left = set(names)
    for pattern in ("*", *patterns, *(f"{service}:*" for service in known.by_service())):
        stands_for = known.named(pattern)
        missing = stands_for - names
        if not left & stands_for or len(stands_for) < 2 or len(missing) > min(_BUT, len(stands_for) // 4):
            continue
        short.add(_written(pattern))
        but |= missing
        left -= stands_for
    return tuple(sorted(short | {known.spelled(each) for each in left})), tuple(sorted(map(known.spelled, but)))


def _written(pattern: str) -> str:
    """A pattern in the capitals of the actions that it stands for."""
    if "*" not in pattern and "?" not in pattern:
        return known.spelled(pattern)
    head = pattern[: min(pattern.find(sign) for sign in "*?" if sign in pattern)]
    example = known.spelled(min(known.named(pattern)))
    return example[: len(head)] + pattern[len(head) :]
