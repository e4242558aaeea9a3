"""Step 4: what the answers revealed is asked about next, the artifact that could change the verdict most first.

Each artifact is followed within a budget, also into other accounts, and its own answers may reveal more. What is no
news is set aside with its reason; what the budget leaves is named. packs/pivots.yml says what is asked of which kind.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Any, NamedTuple

import msgspec

from trailhound import catalog
from trailhound.engines import dialect
from trailhound.engines.duckdb import DuckDB
from trailhound.investigation import answers as asking
from trailhound.investigation import sentences
from trailhound.investigation.evidence import Evidence
from trailhound.investigation.questions import question, questions
from trailhound.investigation.scope import Scope
from trailhound.model import Answer, Chase, Finding, Hop, Lead, Observable
from trailhound.vocab.aws import parse_arn


class _Spec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    pass


class _Aside(_Spec, frozen=True, kw_only=True):
    because: str
    sql: str  # gives `value`, and facts that `because` names


class _Kind(_Spec, frozen=True, kw_only=True):
    ask: dict[str, dict[str, dict[str, int]]]  # question → verdict → explanation → weight
    aside: tuple[_Aside, ...] = ()

    @property
    def reach(self) -> int:
        """The most that the answers about one can weigh."""
        return sum(
            max((abs(w) for given in verdicts.values() for w in given.values()), default=0)
            for verdicts in self.ask.values()
        )


class _Reveals(_Spec, frozen=True, kw_only=True):
    question: str
    kind: str
    sql: str  # gives `value`


class _Pack(_Spec, frozen=True, kw_only=True):
    followed: int
    farthest: int
    least: int
    each_hop: int
    shown: int
    revealed_by: dict[str, int]
    reveals: tuple[_Reveals, ...]
    kinds: dict[str, _Kind]


class _Found(NamedTuple):
    """An artifact that may be followed: who led there, and what speaks for doing so."""

    lead: Lead
    near: Scope  # from where it was found
    order: int


class _Trail:
    """What is known of the chase so far: each artifact once, by the answer that made it worth most."""

    def __init__(self, subject: Scope) -> None:
        self.known = {(kind, value) for kind, values in subject.values.items() for value in values}
        self.leads: dict[Observable, _Found] = {}
        self.hops: dict[Hop, None] = {}

    def add(self, answer: Answer, revealed: Mapping[Observable, str], evidence: Evidence, distance: int) -> None:
        """`revealed`: each artifact that the answer reveals, and why it is no news; empty where it is."""
        source = answer.observable
        for observable, benign in revealed.items():
            if (observable.kind, observable.value) in self.known or observable == source:
                continue
            self.hops[Hop(source=source, target=observable, answer=answer.uid)] = None
            lead, held = _lead(observable, answer, benign, distance), self.leads.get(observable)
            # What is no news from one side, and news from another, is news.
            if held and (held.lead.status == "followed" or _rank(held.lead) >= _rank(lead)):
                continue
            self.leads[observable] = _Found(lead, evidence.scope, held.order if held else len(self.leads))

    def next(self) -> _Found | None:
        """The open artifact of the highest score; of several, the one that was revealed first."""
        open_ = [found for found in self.leads.values() if found.lead.status == "open"]
        return min(open_, key=lambda found: (-found.lead.score, found.order), default=None)

    def mark(self, found: _Found, **fields: Any) -> None:
        lead = msgspec.structs.replace(found.lead, **fields)
        self.leads[lead.observable] = found._replace(lead=lead)


def chase(
    third: Sequence[Answer], evidence: Evidence, engine: DuckDB, findings: Sequence[Finding]
) -> tuple[Chase, tuple[Answer, ...]]:
    """Follow what these answers reveal. Takes slices of its own: those of `evidence` are gone afterwards."""
    pack, trail, asked = _pack(), _Trail(evidence.scope), list[Answer]()
    _reveal(third, evidence, trail, distance=1)
    beside = evidence
    for _ in range(pack.followed):
        found = trail.next()
        if found is None:
            break
        new = found.lead.observable
        around = _around(found.near, new)
        same = beside if around.account == beside.scope.account else None  # another account has another coverage
        beside = Evidence(engine, around, evidence.settings, findings, same, evidence.index)
        fitting = [q for name in pack.kinds[new.kind].ask if asking.applies(q := question(name), beside)]
        given = asking.ask_all(fitting, beside, step=4, about=new.value)
        trail.mark(found, status="followed", answers=tuple(answer.uid for answer in given))
        asked += given
        if found.lead.distance < pack.farthest:
            _reveal(given, beside, trail, distance=found.lead.distance + 1)
    return _told(trail), tuple(asked)


def weight(answer: Answer) -> Mapping[str, int]:
    """For which explanations an answer of step 4 speaks, and how much; empty where it tells nothing."""
    for kind in _pack().kinds.values():
        if answer.question in kind.ask:
            return kind.ask[answer.question].get(answer.verdict, {})
    return {}


def harm(answer: Answer) -> bool:
    """Whether an answer of step 4 speaks of harm by, or to, what it is about."""
    return any(points > 0 for points in weight(answer).values())


def _rank(lead: Lead) -> tuple[bool, int]:
    return lead.status == "open", lead.score


def _reveal(given: Sequence[Answer], evidence: Evidence, trail: _Trail, *, distance: int) -> None:
    by_id = {q.id: q for q in questions()}
    pairs = [(answer, each) for answer in given for each in _revealed(answer, by_id[answer.question].pivots, evidence)]
    news = _benign([observable for _, observable in pairs], evidence)
    for answer in given:
        mine = {observable: news.get(observable, "") for one, observable in pairs if one is answer}
        trail.add(answer, mine, evidence, distance)


def _revealed(answer: Answer, pivots: Sequence[Any], evidence: Evidence) -> Iterator[Observable]:
    for pivot in pivots:
        if answer.verdict in pivot.when:
            listed = answer.facts.get(pivot.fact) or ()
            yield from (Observable(kind=pivot.kind, value=value) for value in listed if value)
    for more in _pack().reveals:
        if more.question == answer.question and answer.verdict == "yes":
            yield from (Observable(kind=more.kind, value=row["value"]) for row in evidence.query(more.sql))


def _benign(revealed: Sequence[Observable], evidence: Evidence) -> dict[Observable, str]:
    """Of these, those that are no news, and why."""
    found: dict[Observable, str] = {}
    for name, kind in _pack().kinds.items():
        values = dict.fromkeys(one.value for one in revealed if one.kind == name)
        listed = f"[{', '.join(map(dialect.literal, values))}]"
        for rule in kind.aside if values else ():
            for row in evidence.query(rule.sql.replace("$values", listed)):
                facts = {**row, "principal": evidence.scope.principal}
                found.setdefault(Observable(kind=name, value=row["value"]), sentences.render(rule.because, facts))
    return found


def _lead(observable: Observable, answer: Answer, benign: str, distance: int) -> Lead:
    pack = _pack()
    kind = pack.kinds.get(observable.kind)
    added = pack.revealed_by.get(answer.question, 0)
    reach, far = kind.reach if kind else 0, pack.each_hop * (distance - 1)
    score, told = reach + added - far, _because(reach, added, far)
    if benign:
        status, reason = "set aside", benign
    elif kind is None:
        status, reason = "not followed", "nothing more is asked of its kind"
    elif score < pack.least:
        status, reason = "not followed", f"too little to gain: {told}"
    else:
        status, reason = "open", told
    return Lead(observable=observable, status=status, score=score, reason=reason, distance=distance, answers=())


def _because(reach: int, added: int, far: int) -> str:
    parts = [f"its answers can weigh {reach}"]
    parts += [f"{added} more for how it was revealed"] if added else []
    parts += [f"{far} less for the hops to it"] if far else []
    return ", ".join(parts)


def _around(near: Scope, new: Observable) -> Scope:
    """The same time, seen from another artifact, in the account that it is of."""
    values = {**near.values, new.kind: (new.value,)}
    arn = parse_arn(new.value)
    account = new.value if new.kind == "account" else (arn.account if arn else "") or near.account
    principal = new.value if new.kind == "user" else near.principal
    return msgspec.structs.replace(near, principal=principal, account=account, values=values)


def _told(trail: _Trail) -> Chase:
    """The followed first, then by score; what the budget left is said to be so."""
    pack = _pack()
    beyond = f"beyond the budget of {sentences.count(pack.followed, 'artifact')}"
    leads = [
        msgspec.structs.replace(found.lead, status="not followed", reason=f"{beyond} ({found.lead.reason})")
        if found.lead.status == "open"
        else found.lead
        for found in sorted(trail.leads.values(), key=lambda found: found.order)
    ]
    leads.sort(key=lambda lead: (lead.status != "followed", lead.distance, -lead.score))
    shown = leads[: pack.shown]
    named = {lead.observable for lead in shown}
    return Chase(
        leads=tuple(shown),
        hops=tuple(hop for hop in trail.hops if hop.target in named),
        budget=pack.followed,
        omitted=len(leads) - len(shown),
    )


@cache
def _pack() -> _Pack:
    return catalog.load(catalog.PACKS / "pivots.yml", _Pack)
