"""Actors at work: how each opens its session, and what its calls look like in the log."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from trailhound.errors import CatalogError
from trailhound.simulation import calls, identity
from trailhound.simulation.calls import Circumstances
from trailhound.simulation.identity import Session, Who
from trailhound.simulation.story import Actor, Fleet, Story, Use
from trailhound.simulation.template import (
    Moment,
    Source,
    Template,
    between,
    choice,
    iso,
    launch,
    retire,
    template,
)

_DRAWS = {"any_of", "all_of", "between", "launch", "retire"}
BEGIN_SESSION = "begin_session"  # a step that opens the actor's session and does no more
_SIGN_IN = Use(call="signin:ConsoleLogin")
_ASSUME = Use(call="sts:AssumeRole")
_ASSUME_EXTERNAL = Use(call="sts:AssumeRole:external")
_CONSOLE_KEYS = 3  # a console works with several keys of one session


class Event(NamedTuple):
    """One record, ready to be delivered."""

    time: int  # epoch seconds
    region: str
    uid: str
    text: str  # JSON


class Stage:
    """What all actors of a story share: the account, its instances, and each other."""

    def __init__(self, story: Story, seed: int) -> None:
        self.story = story
        self._fleets = {name: _members(name, fleet, seed) for name, fleet in story.fleets.items()}
        self.performers = {name: Performer(name, actor, self) for name, actor in story.actors.items()}

    def fleet(self, name: str) -> list[dict[str, Any]]:
        """`id`, `name` and `number` of each instance: the values that a list of instances offers to a call."""
        if name not in self._fleets:
            raise CatalogError(f"there is no fleet {name!r}", next_step="name it under `fleets`")
        return self._fleets[name]


class Performer:
    """An actor with its sessions. Times must not go backwards from call to call."""

    def __init__(self, name: str, actor: Actor, stage: Stage) -> None:
        self.name, self.actor, self.stage = name, actor, stage
        account = stage.story.account
        self.who: Who | None = None
        if actor.user or actor.role:
            self.who = identity.who("user" if actor.user else "role", account, actor.user or actor.role)
        if isinstance(actor.sessions, str):
            self.session_names = tuple(member["id"] for member in stage.fleet(actor.sessions))
        else:
            self.session_names = actor.sessions or ("",)
        self._live: dict[int, Session] = {}
        self._opened = 0
        self._cues: dict[int, tuple[Use, Template, str]] = {}  # by identity of the use, which is kept alive

    @property
    def principal_uid(self) -> str:
        """How the events table names this actor."""
        actor = self.actor
        if actor.session_of:
            return self.stage.performers[actor.session_of].principal_uid
        if actor.outsider:
            account, _, principal = actor.outsider.partition("/")
            return f"{account}:{principal.split(':', 1)[0]}" if principal else account
        return self.who.principal_uid if self.who else actor.service

    def perform(self, use: Use, moment: Moment, region: str = "") -> Event:
        """One call in the actor's session, which must be live: see `begin`."""
        cue = self._cues.get(id(use))
        if cue is None:
            cue = self._cues[id(use)] = (use, *self._bind(use, region or self.stage.story.region))
        text = cue[1].render(moment)
        return Event(moment.time, cue[2], moment.event_uid, text)

    def arrive(self, moment: Moment) -> None:
        """Come to the sign-in page: an address and no session yet."""
        moment.session = Session((), "", self._address(0))

    def begin(self, moment: Moment, place: int = 0) -> list[Event]:
        """Put the session of that name into `moment`; the events that opened it, if it had to be opened."""
        if self.actor.session_of:
            opener = self.stage.performers[self.actor.session_of]
            events = opener.begin(moment)
            moment.session = moment.session._replace(address=self._address(place))
            return events
        session = self._live.get(place)
        if session is not None and moment.time < session.ends:
            moment.session = session
            return []
        events = self._open(moment, place)
        self._live[place] = moment.session
        return events

    def _open(self, moment: Moment, place: int) -> list[Event]:
        self._opened += 1
        if self.actor.role:
            return self._assume(moment, place)
        address = self._address(place)
        if self.who is None:
            moment.session = self._outside(moment, address)
        elif self.actor.console:
            moment.session = Session((), self.who.arn, address)
            events = [self.perform(_SIGN_IN, moment)]
            moment.session = self._console(moment, self.who, address)
            return events
        else:
            key = identity.long_term_key(self.who.account, self.who.name)
            found = identity.encode(identity.user(self.who, key))
            moment.session = Session((found,), self.who.arn, address, key=key, ends=self._end(moment))
        return []

    def _console(self, moment: Moment, who: Who, address: str) -> Session:
        attributes = {"creationDate": iso(moment.time), "mfaAuthenticated": "true" if self.actor.mfa else "false"}
        keys = [identity.access_key("ASIA", who.account, moment.bits(39)) for _ in range(_CONSOLE_KEYS)]
        identities = tuple(identity.encode(identity.user(who, key, attributes)) for key in keys)
        return Session(identities, who.arn, address, ends=self._end(moment))

    def _assume(self, moment: Moment, place: int) -> list[Event]:
        assert self.who is not None
        name = self.session_names[place].replace("$n", str(self._opened))
        key = identity.access_key("ASIA", self.who.account, moment.bits(39))
        found = identity.assumed_role(
            self.who, name, key, iso(moment.time), mfa=self.actor.mfa, delivery=self.actor.imds
        )
        if self.actor.invoked_by:
            found["invokedBy"] = self.actor.invoked_by
        opener = self._opener()
        events = opener.begin(moment)
        address = self._address(place) or moment.session.address
        opened = Session(
            identities=(identity.encode(found),),
            arn=identity.session_arn(self.who, name),
            address=address,
            name=name,
            key=key,
            ends=self._end(moment),
        )
        moment.opened = opened
        events.append(self._assumed(opener, moment))
        moment.session = opened
        return events

    def _assumed(self, opener: Performer, moment: Moment) -> Event:
        """The AssumeRole call, made by whoever opens this actor's session."""
        assert self.who is not None
        use = _ASSUME_EXTERNAL if self.actor.external_id else _ASSUME
        about = {
            "role_arn": self.who.arn,
            "role_id": self.who.unique_id,
            "duration": int(self.actor.session_hours * 3600),
            "external_id": self.actor.external_id,
        }
        cue = self._cues.get(id(use))
        if cue is None:
            cue = self._cues[id(use)] = (use, *opener._bind(use, self.stage.story.region, about))
        text = cue[1].render(moment)
        return Event(moment.time, cue[2], moment.event_uid, text)

    def _opener(self) -> Performer:
        known = self.stage.performers.get(self.actor.opened_by)
        if known is None:
            named = self.actor.opened_by
            spec = Actor(outsider=named, addresses=self.actor.addresses, agents=self.actor.agents)
            known = Performer(named, spec if "/" in named else Actor(service=named), self.stage)
            self.stage.performers[named] = known
        return known

    def _outside(self, moment: Moment, address: str) -> Session:
        """Somebody who is no user or role of this account; a stranger's next call may come from elsewhere."""
        if self.actor.service == "AWS Internal":
            found: dict[str, Any] = {"accountId": self.stage.story.account, "invokedBy": self.actor.service}
        elif self.actor.service:
            found = identity.service(self.actor.service)
        elif self.actor.outsider == "anonymous":
            found = identity.other_account("ANONYMOUS_PRINCIPAL", "")
        else:
            found = identity.other_account(*self.actor.outsider.split("/", 1))
        ends = self._end(moment) if self.actor.service else moment.time
        return Session((identity.encode(found),), "", address or self.actor.service, ends=ends)

    def _end(self, moment: Moment) -> int:
        return moment.time + int(self.actor.session_hours * 3600)

    def _address(self, place: int) -> str:
        """An instance keeps its address; a person comes from the next of theirs each time."""
        addresses = self.actor.addresses
        if not addresses:
            return self.actor.invoked_by
        return addresses[(place if len(self.session_names) > 1 else self._opened) % len(addresses)]

    def _bind(self, use: Use, region: str, about: Mapping[str, Any] | None = None) -> tuple[Template, str]:
        """The call with all that is constant for this actor written into it, and its Region."""
        call, actor, story = calls.find(use.call), self.actor, self.stage.story
        service = use.call.split(":")[0]
        region = call.region or region
        within = bool(actor.service or actor.invoked_by)
        shared = bool(actor.service or actor.outsider) and actor.service != "AWS Internal"
        circumstances = Circumstances(story.record_version, within, shared, actor.console, actor.vpc_endpoint)
        agent = actor.agents.get(service) or actor.agents.get("default") or actor.invoked_by or actor.service
        given, sources = self._values(use)
        constant = {
            **call.defaults,
            "account": story.account,
            "region": region,
            "service": service,
            "agent": agent,
            "mfa_used": "Yes" if actor.mfa else "No",
            **_of_names(given, story.account),
            **given,
            **(about or {}),
        }
        values = {name: value for name, value in constant.items() if name not in sources}
        shape = calls.shape(use.call, circumstances, use.error)
        if call.identity != "session":
            assert self.who is not None
            shape["userIdentity"] = identity.signing_in(self.who, known=call.identity == "signing_in")
        try:
            return template(shape, values, sources), region
        except LookupError as error:
            raise CatalogError(
                f"{use.call} by {self.name} has no value for {error.args[0]!r}", next_step="give it under `with`"
            ) from error

    def _values(self, use: Use) -> tuple[dict[str, Any], dict[str, Source]]:
        """The values of `with`: those that are known now, and those that are drawn."""
        known: dict[str, Any] = {}
        drawn: dict[str, Source] = {}
        for name, value in use.values.items():
            match value:
                case {"any_of": list(options)} if options:
                    drawn[name] = choice([str(option) for option in options])
                case {"any_of": str(fleet)}:
                    drawn[name] = choice([member["id"] for member in self.stage.fleet(fleet)])
                case {"all_of": str(fleet)}:
                    start = value.get("from", 1) - 1
                    known[name] = self.stage.fleet(fleet)[start:][: value.get("count")]
                case {"between": [int(low), int(high)]} if low <= high:
                    drawn[name] = between(low, high)
                case {"launch": str(pool)}:
                    drawn[name] = launch(pool)
                case {"retire": str(pool)}:
                    drawn[name] = retire(pool)
                case dict() if value.keys() & _DRAWS:
                    raise CatalogError(f"{use.call} by {self.name}: {name} cannot be drawn from {value}")
                case _:
                    known[name] = value
        return known, drawn


def _of_names(given: Mapping[str, Any], account: str) -> dict[str, str]:
    """Ids that AWS gives to what a call creates. They follow from the name, so that a later actor has them too."""
    found: dict[str, str] = {}
    if user := given.get("user_name"):
        found["user_id"] = identity.unique_id("AIDA", account, user)
        found["new_key"] = identity.long_term_key(account, user)
    if policy := given.get("policy_name"):
        found["policy_id"] = identity.unique_id("ANPA", account, policy)
    return found


def _members(name: str, fleet: Fleet, seed: int) -> list[dict[str, Any]]:
    made = fleet.count - len(fleet.ids)
    ids = [identity.resource_id("i", str(seed), name, str(number)) for number in range(made)] + list(fleet.ids)
    return [{"id": uid, "name": f"{fleet.name}-{n}", "number": n} for n, uid in enumerate(ids, 1)]
