"""The catalogue: every question as data, from packs/questions."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path

import msgspec

from trailhound import catalog
from trailhound.errors import CatalogError, RequestError


class _Spec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    pass


class Needs(_Spec, frozen=True, kw_only=True):
    """The evidence an answer stands on. What is not met makes the answer *unknown* and is named as its gap."""

    history: str = ""  # "7d": the account's log reaches back that far before the finding, without an empty day
    after: str = ""  # "24h": it goes on that long after it
    actor_days: int = 0  # the actor was active on so many days before
    data_events: bool = False  # S3 data events are recorded in this account
    single_actor: bool = False
    purpose: bool = False  # the account's purpose is in the settings
    country: bool = False  # the country of the address is known
    reads: bool = False  # calls that only read are recorded
    home_region: str = ""  # "30d": so far back the log has the Region in which IAM and sign-ins are recorded
    followed: bool = False  # all that the actor did can be found: these two, a name, and sessions that leave traces


class Applies(_Spec, frozen=True, kw_only=True):
    """When a question makes sense; empty means always."""

    operations: tuple[str, ...] = ()  # one of the finding's operations begins with one of these
    user_types: tuple[str, ...] = ()
    values: tuple[str, ...] = ()  # one of the artifacts begins with one of these


class Place(_Spec, frozen=True, kw_only=True):
    """Where the sentence stands in the narrative, and for which verdicts it is told."""

    paragraph: str
    order: int
    tell: tuple[str, ...] = ("yes", "no")


class Pivot(_Spec, frozen=True, kw_only=True):
    """New artifacts the answer reveals: the fact that lists them, and their kind."""

    kind: str
    fact: str
    when: tuple[str, ...] = ("yes",)


class Question(_Spec, frozen=True, kw_only=True):
    """One question of the catalogue.

    `sql` gives one row: `answer` (TRUE, FALSE, or NULL with `because`), `evidence` (event uids),
    optionally `since` (epoch ms: a "no" needs the account's log to reach back to it), and the facts
    that the sentences are made from.
    """

    id: str
    asks: str
    catalogue: str  # its number in the catalogue of 190: "T1"
    covers: str
    not_covered: str
    sql: str
    yes: str
    no: str
    unknown: str = ""
    kind: str = ""  # of observable; the file's
    resource_types: tuple[str, ...] = ()  # the file's
    needs: Needs = Needs()  # for any answer
    yes_needs: Needs = Needs()  # for a "yes" that claims an absence: "for the first time"
    no_needs: Needs = Needs()  # for a "no": nothing found is only worth what was looked at
    applies: Applies = Applies()
    pivots: tuple[Pivot, ...] = ()
    weighs: dict[str, dict[str, int]] = {}  # verdict → explanation → weight
    narrative: Place | None = None
    of_answers: bool = False  # asked of the answers to all other questions, not of the log
    source: str = ""  # which alone can answer it; from CloudTrail it is always unknown

    @property
    def state(self) -> str:
        """What can be expected of it: "answerable", or what it needs beside CloudTrail."""
        return f"needs {self.source}" if self.source else "answerable"


class _File(_Spec, frozen=True, kw_only=True):
    kind: str
    about: str
    resource_types: tuple[str, ...] = ()  # of this kind, where an investigation knows them as "resource" only
    questions: tuple[Question, ...]


class Tables(_Spec, frozen=True, kw_only=True):
    """packs/evidence.yml: the slices of `events` that questions read."""

    columns: str
    tables: dict[str, Table]


class Table(_Spec, frozen=True, kw_only=True):
    """`from` may read the tables above it in the file; a table without it is made by a program (evidence.py)."""

    holds: str
    names: tuple[str, ...] = ()  # parameters, of one of whose values each of its events tells: an index knows where
    from_: str = msgspec.field(name="from", default="")
    columns: str = ""  # instead of those that the slices share
    extra: str = ""


@cache
def questions() -> tuple[Question, ...]:
    """All questions of the built-in pack, in order of kind and place in the file."""
    return load(catalog.files("questions"))


def load(paths: Sequence[Path]) -> tuple[Question, ...]:
    found: dict[str, Question] = {}
    for path in paths:
        file = catalog.load(path, _File)
        for question in file.questions:
            if question.id in found:
                raise CatalogError(f"two questions are called {question.id}", where=str(path))
            found[question.id] = msgspec.structs.replace(question, kind=file.kind, resource_types=file.resource_types)
    return tuple(found.values())


def question(name: str) -> Question:
    """One question by id, or by its number in the catalogue."""
    for each in questions():
        if name in (each.id, each.catalogue):
            return each
    close = [q.id for q in questions() if q.id.split(".")[0] == name.split(".", maxsplit=1)[0]]
    raise RequestError(
        f"there is no question {name!r}",
        causes=(f"of this kind there are {', '.join(close)}",) if close else (),
        next_step="`trailhound ask --list` shows all questions",
    )


@cache
def tables() -> Tables:
    return catalog.load(catalog.PACKS / "evidence.yml", Tables)
