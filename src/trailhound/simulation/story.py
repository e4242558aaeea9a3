"""Stories as they are written: a quiet account, who does what in it, and what should be found.

A story is one YAML file. `packs/stories/` holds the built-in ones; `estate.yml` beside this module
holds the quiet account that every story runs over.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec

from trailhound import catalog
from trailhound.errors import CatalogError, RequestError
from trailhound.simulation.calls import reads

_ESTATE = Path(__file__).with_name("estate.yml")

Digits = Annotated[str, msgspec.Meta(pattern="^[0-9]+$")]
Instant = Annotated[datetime, msgspec.Meta(tz=True)]
Region = Annotated[str, msgspec.Meta(pattern="^[a-z0-9-]*$")]
Positive = Annotated[float, msgspec.Meta(gt=0)]
Hour = Annotated[int, msgspec.Meta(ge=0, le=24)]
Weekday = Annotated[int, msgspec.Meta(ge=0, le=6)]  # from Monday
Share = Annotated[float, msgspec.Meta(ge=0, le=1)]


class _Spec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    pass


class Fleet(_Spec, frozen=True, kw_only=True):
    """Instances that are spoken of together. Ids come from the seed, but for those that are given."""

    count: Annotated[int, msgspec.Meta(ge=1)]
    name: str  # of the first: `name-1`
    ids: tuple[str, ...] = ()  # given ids; they take the last places


class Use(_Spec, frozen=True, kw_only=True):
    """A call of `calls.yml` as an actor makes it.

    `with` fills the slots of the call. A value is plain data, or a mapping with one of these keys:
    `any_of` (a list, or the name of a fleet: another each time), `all_of` (a fleet, or a stretch of it),
    `between` (two integers), `launch` and `retire` (a pool of instances that come and go).
    """

    call: str  # `ec2:TerminateInstances`, or `begin_session`
    values: dict[str, Any] = msgspec.field(name="with", default_factory=dict)
    error: Literal["denied"] | tuple[str, str] | None = None  # code and message


class Habit(Use, frozen=True, kw_only=True):
    """A call in somebody's routine; `service:*` is all that `calls.yml` lists under `reads`."""

    weight: Positive = 1.0
    since: Share = 0  # begun when so much of the history has passed


class Routine(_Spec, frozen=True, kw_only=True):
    """What an actor does on a quiet day."""

    share: Positive  # of all events
    calls: Annotated[tuple[Habit, ...], msgspec.Meta(min_length=1)]
    hours: tuple[Hour, Hour] = (0, 24)  # UTC
    weekdays: bool = False  # not on Saturday and Sunday
    days: tuple[Weekday, ...] = ()  # on these only
    every: Annotated[int, msgspec.Meta(ge=1)] = 1  # so many weeks, once
    during: tuple[Share, Share] = (0, 1)  # of the history: who joins late, or leaves
    burst: int = 1  # calls that come together, as when a console page is opened


class Actor(_Spec, frozen=True, kw_only=True):
    """Who calls, and how. Exactly one of `user`, `role`, `service`, `outsider` says who it is."""

    user: str = ""  # path and name of an IAM user: `Development/Roboman1`
    role: str = ""  # path and name of a role
    service: str = ""  # an AWS service that acts by itself
    outsider: str = ""  # somebody of another account: `account/principal id`, or `anonymous`
    console: bool = False  # the user signs in to the console; otherwise it has an access key
    opened_by: str = ""  # the role is assumed by: an actor, a service, or `account/principal id`
    session_of: str = ""  # it works with the session that this actor opened
    sessions: tuple[str, ...] | str = ()  # role session names, or the fleet whose ids they are; `$n` counts
    session_hours: Positive = 12
    external_id: str = ""
    mfa: bool = False
    invoked_by: str = ""  # the service that works with the role
    imds: str = ""  # how an instance received the role: "1.0", "2.0"
    vpc_endpoint: str = ""
    addresses: tuple[str, ...] = ()
    agents: dict[str, str] = {}  # by service, or `default`
    place: str = ""  # where its people work, in words
    country: str = ""  # ISO code of that place
    routine: Routine | None = None


class Step(Use, frozen=True, kw_only=True):
    """One call of a phase, or several alike."""

    at: Instant | None = None  # the first of them
    after: float = 0  # seconds since the step before, when there is no `at`
    times: Annotated[int, msgspec.Meta(ge=1)] = 1
    over: float = 0  # seconds from the first to the last
    each: str = ""  # a fleet: one call for each instance, which is `$id` and `$name`


class Phase(_Spec, frozen=True, kw_only=True):
    """A stretch of the story, told by one actor. Its events are labelled in the truth."""

    name: str
    says: str  # what happens, for the truth
    actor: str
    steps: Annotated[tuple[Step, ...], msgspec.Meta(min_length=1)]
    at: tuple[Instant, ...] = ()  # it happens anew at each; without, the steps say when
    benign: bool = False  # it belongs to the history of the account
    region: Region = ""  # where it happens, when not in the story's Region


class Segment(_Spec, frozen=True, kw_only=True):
    """A stretch of the quiet account's history."""

    since: Instant
    until: Instant
    events: Annotated[int, msgspec.Meta(ge=0)]


class Blind(_Spec, frozen=True, kw_only=True):
    """A stretch in which the trail records nothing; its ends are exclusive."""

    since: Instant
    until: Instant


class Expected(_Spec, frozen=True, kw_only=True):
    """A finding that the story should lead to."""

    theme: str
    actor: str
    phase: str
    count: int
    counted: str = "events"


class Story(_Spec, frozen=True, kw_only=True):
    summary: str
    account: Digits
    region: Region
    seed: int
    history: Annotated[tuple[Segment, ...], msgspec.Meta(min_length=1)]
    record_version: Annotated[str, msgspec.Meta(pattern=r"^1\.[0-9]+$")] = "1.08"
    fleets: dict[str, Fleet] = {}
    actors: dict[str, Actor] = {}
    phases: tuple[Phase, ...] = ()
    blind: Blind | None = None
    expected: tuple[Expected, ...] = ()
    facts: dict[str, Any] = {}
    settings: str = ""  # `trailhound.toml` of the organisation


class _Estate(_Spec, frozen=True, kw_only=True):
    fleets: dict[str, Fleet]
    actors: dict[str, Actor]


def load(story: str | Path) -> Story:
    """A story by name or file, with the actors and fleets of the quiet account beside its own.

    Raises CatalogError when the file is malformed, RequestError when nothing has that name.
    """
    path = _find(story)
    spec, estate = catalog.load(path, Story), catalog.load(_ESTATE, _Estate)
    actors = {name: _with_reads(actor) for name, actor in {**estate.actors, **spec.actors}.items()}
    spec = msgspec.structs.replace(spec, actors=actors, fleets={**estate.fleets, **spec.fleets})
    for complaint in _complaints(spec):
        raise CatalogError(complaint, where=str(path))
    return spec


def _with_reads(actor: Actor) -> Actor:
    """`service:*` written out: the weight of all of them together stays."""
    if actor.routine is None:
        return actor
    habits: list[Habit] = []
    for habit in actor.routine.calls:
        service, _, operation = habit.call.partition(":")
        named = reads(service) if operation == "*" else [operation]
        habits += (
            msgspec.structs.replace(habit, call=f"{service}:{name}", weight=habit.weight / len(named)) for name in named
        )
    return msgspec.structs.replace(actor, routine=msgspec.structs.replace(actor.routine, calls=tuple(habits)))


def stories() -> list[tuple[str, str]]:
    """Name and one-line summary of every built-in story."""
    return [(path.stem, catalog.load(path, Story).summary) for path in catalog.files("stories")]


def _find(story: str | Path) -> Path:
    if isinstance(story, Path):
        return story
    found = {path.stem: path for path in catalog.files("stories")}
    if story in found:
        return found[story]
    if Path(story).suffix in {".yml", ".yaml"}:
        return Path(story)
    raise RequestError(
        f"there is no story {story!r}",
        where="packs/stories",
        causes=("a misspelt name",),
        next_step=f"choose one of {', '.join(found)}, or name a YAML file",
    )


def _complaints(story: Story) -> Iterator[str]:
    """What the types cannot say."""
    for name, actor in story.actors.items():
        yield from (f"actor {name}: {complaint}" for complaint in _complaints_of_actor(name, actor, story))
    for phase in story.phases:
        if phase.actor not in story.actors:
            yield f"phase {phase.name}: there is no actor {phase.actor!r}"
        if not (phase.at or phase.steps[0].at):
            yield f"phase {phase.name}: give `at` for the phase or for its first step"
    for segment in story.history:
        if segment.since >= segment.until:
            yield f"history: {segment.since} is not before {segment.until}"
    phases = {phase.name for phase in story.phases}
    for expected in story.expected:
        if expected.actor not in story.actors or expected.phase not in phases:
            yield f"expected {expected.theme}: there is no such actor or phase"


def _complaints_of_actor(name: str, actor: Actor, story: Story) -> Iterator[str]:
    if sum(map(bool, (actor.user, actor.role, actor.service, actor.outsider, actor.session_of))) != 1:
        yield "give exactly one of user, role, service, outsider, session_of"
    if actor.outsider not in {"", "anonymous"} and "/" not in actor.outsider:
        yield "outsider must be `account/principal id`, or `anonymous`"
    if actor.role and not (_opens(actor.opened_by, story) and _ends(name, story)):
        yield "opened_by must name an actor, a service or `account/principal id`, and not lead back to the role"
    if actor.session_of and (actor.session_of not in story.actors or story.actors[actor.session_of].session_of):
        yield "session_of must name an actor that has sessions of its own"
    if not actor.addresses and (actor.user or actor.outsider or actor.session_of):
        yield "give the addresses it calls from"
    if actor.routine and actor.routine.hours[0] >= actor.routine.hours[1]:
        yield "the hours of its routine end before they begin"


def _opens(opener: str, story: Story) -> bool:
    return opener in story.actors or "/" in opener or opener.endswith(".amazonaws.com")


def _ends(name: str, story: Story) -> bool:
    """A chain of roles that open each other has a first."""
    seen: set[str] = set()
    while name in story.actors and name not in seen:
        seen.add(name)
        name = story.actors[name].opened_by
    return name not in seen
