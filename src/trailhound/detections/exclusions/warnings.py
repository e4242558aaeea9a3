"""What an exclusion allows that its author may not have meant. It works all the same."""

from __future__ import annotations

import difflib
import ipaddress
from collections.abc import Iterator, Mapping, Sequence

from trailhound.detections.exclusions.exclusion import ALL, Exclusion
from trailhound.detections.rules import Rule
from trailhound.errors import CatalogError

UNREVIEWED = "backtest:"  # how a reason begins that nobody has written yet
_DIGITS = 12  # of an account; logs that were anonymised may have others
_WIDE = {4: 16, 6: 32}  # a network with a shorter prefix is that of a whole provider


def warnings(exclusions: Sequence[Exclusion], rules: Sequence[Rule]) -> list[CatalogError]:
    """In the order of the exclusions; `rules` are those that are known, by whose ids and titles they are named."""
    known = {key for rule in rules for key in (rule.uid, rule.title)}
    names = {rule.name: rule.title for rule in rules if rule.name}
    before: dict[tuple[object, ...], Exclusion] = {}
    found: list[CatalogError] = []
    for one in exclusions:
        said = [*_breadth(one), *_values(one), *_rules(one, known, names)]
        if one.reason.startswith(UNREVIEWED):
            said.append(("nobody has written yet why this is expected", "replace the reason that backtest wrote"))
        same = before.setdefault((frozenset(one.rule), *(frozenset(values) for _, values in one.scope())), one)
        if same is not one:
            said.append((f"it says the same as {same.where}, of {same.author}", "remove one of the two"))
        found += [CatalogError(what, where=one.where, next_step=step) for what, step in said]
    return found


def _breadth(one: Exclusion) -> Iterator[tuple[str, str]]:
    scopes = dict(one.scope())
    if ALL in one.rule:
        yield "it hides findings of EVERY rule, those not yet written included", "name the rules that are meant"
    if set(scopes) == {"user_agent"}:
        yield "a user agent is what the caller says it is: who knows it can hide", "add a principal or an address"
    if set(scopes) == {"account"}:
        yield "it hides all that the rule finds in a whole account", "add a principal, an address or a resource"


def _values(one: Exclusion) -> Iterator[tuple[str, str]]:
    scopes = dict(one.scope())
    for text in scopes.get("account", ()):
        if len(text) != _DIGITS:
            yield f"account {text} has not {_DIGITS} digits", "write all of them, zeros in front as well"
    for name in ("principal", "origin"):
        for text in scopes.get(name, ()):
            if "*" in text and (account := text.split(":")[4:5]) and "*" in account[0]:
                yield f"{name} {text} also fits names that somebody chose in another account", "write the account"
    for text in scopes.get("address", ()):
        network = ipaddress.ip_network(text)
        if network.prefixlen < _WIDE[network.version]:
            yield f"{text} has {network.num_addresses:,} addresses", "name the networks that are yours"


def _rules(one: Exclusion, known: set[str], names: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    for rule in one.rule:
        if rule in known or rule == ALL:
            continue
        near = difflib.get_close_matches(rule, [*known, *names], n=1, cutoff=0.8)
        title = names.get(rule) or (near and names.get(near[0], near[0]))
        step = f"write {title!r}" if title else "`trailhound rules list` shows titles; --rules names rules of your own"
        yield f"no known rule has the id or the title {rule!r}", step
