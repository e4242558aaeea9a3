"""A history of sessions that open one another over several accounts, and the truth about who was behind each call.

Nothing here knows how sessions are linked: it plays the people, AWS and CloudTrail, and remembers.
"""

from __future__ import annotations

import random
import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from trailhound.identity.credentials import CREDENTIALS
from trailhound.identity.derive import derive
from trailhound.identity.issues import ISSUES
from trailhound.identity.sessions import SESSIONS
from trailhound.lake.arrow import events_table
from trailhound.lake.lake import Lake
from trailhound.model import Record
from trailhound.ocsf.normalize import normalize

Json = dict[str, Any]
DERIVED = (CREDENTIALS, ISSUES, SESSIONS)
BEGIN = int(datetime(2024, 3, 4, 8, tzinfo=UTC).timestamp())
ACCOUNTS = ("111111111111", "222222222222", "333333333333", "444444444444")
ROLES = ("admin", "deploy", "OrganizationAccountAccessRole")
NAMES = ("alice", "session", "botocore-session-1700000000", "i-0123456789abcdef0", "bob")  # too few: they collide


@dataclass
class Holder:
    """Whoever can call: a person's key, a session."""

    identity: Json  # userIdentity, as its own account sees it
    account: str
    principal_id: str
    root: str  # the truth
    path: tuple[str, ...] = ()  # accounts whose trails tell how it came about, the last first
    depth: int = 0
    began: int = 0
    center: bool = False  # the chain begins at Identity Center


@dataclass
class History:
    dice: random.Random
    redacted: float = 0.0  # share of issuing events whose answer is withheld
    records: list[Json] = field(default_factory=list)
    calls: dict[str, Holder] = field(default_factory=dict)  # eventID → who made it

    def text(self, at: int) -> str:
        return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

    def id(self, prefix: str) -> str:
        return prefix + "".join(self.dice.choices("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", k=17))

    def log(self, holder: Holder, account: str, at: int, name: str, service: str = "ec2", **more: Any) -> str:
        """One call, as the trail of `account` has it."""
        identity = holder.identity
        if account != holder.account and identity["type"] not in ("SAMLUser", "WebIdentityUser", "AWSService"):
            identity = {"type": "AWSAccount", "principalId": holder.principal_id, "accountId": holder.account}
        record = {
            "eventVersion": "1.08",
            "userIdentity": identity,
            "eventTime": self.text(at),
            "eventSource": f"{service}.amazonaws.com",
            "eventName": name,
            "awsRegion": "us-east-1",
            "sourceIPAddress": f"198.51.100.{self.dice.randrange(1, 255)}",
            "userAgent": "aws-cli/2",
            "requestParameters": None,
            "responseElements": None,
            "eventID": str(uuid.UUID(int=self.dice.getrandbits(128))),
            "eventType": "AwsApiCall",
            "recipientAccountId": account,
        } | more
        self.records.append(record)
        return record["eventID"]

    def call(self, holder: Holder, at: int) -> None:
        name = self.dice.choice(("DescribeInstances", "GetCallerIdentity", "RunInstances"))
        self.calls[self.log(holder, holder.account, at, name)] = holder

    def use(self, holder: Holder, start: int, end: int) -> None:
        for _ in range(self.dice.randrange(1, 6)):
            self.call(holder, self.dice.randrange(start, max(end, start + 1)))


def user(history: History, account: str, name: str) -> Holder:
    principal_id = history.id("AIDA")
    arn = f"arn:aws:iam::{account}:user/people/{name}"
    identity = {
        "type": "IAMUser",
        "principalId": principal_id,
        "arn": arn,
        "accountId": account,
        "accessKeyId": history.id("AKIA")[:20],
        "userName": name,
    }
    return Holder(identity, account, principal_id, f"arn:aws:iam::{account}:user/{name}", began=BEGIN)


def federated(history: History, account: str, number: int) -> Holder:
    """A person of a company's directory, or a pipeline: it can do nothing but assume a role."""
    kind, principal = history.dice.choice(
        (("SAMLUser", f"dGVzdA=:person{number}@example.org"), ("WebIdentityUser", f"arn:issuer:app:repo-{number}"))
    )
    identity = {"type": kind, "principalId": principal, "userName": f"person{number}", "identityProvider": "idp"}
    return Holder(identity, account, principal, principal, began=BEGIN)


def service(history: History, account: str) -> Holder:
    identity = {"type": "AWSService", "invokedBy": "lambda.amazonaws.com"}
    return Holder(identity, account, "", "lambda.amazonaws.com", began=BEGIN)


@dataclass
class World:
    """Roles have one id each; sessions of one role and name can only be told apart by their keys and beginnings."""

    role_ids: dict[tuple[str, str], str]


def assume(history: History, world: World, holder: Holder, account: str, at: int, *, name: str = "") -> Holder:
    """`holder` assumes a role of `account`; both trails tell."""
    dice = history.dice
    role, name = dice.choice(ROLES), name or dice.choice(NAMES)
    principal_id = f"{world.role_ids[account, role]}:{name}"
    arn = f"arn:aws:sts::{account}:assumed-role/{role}/{name}"
    key, logged = history.id("ASIA")[:20], at + dice.choice((0, 0, 0, 0, 1, -1))
    operation = {"SAMLUser": "AssumeRoleWithSAML", "WebIdentityUser": "AssumeRoleWithWebIdentity"}.get(
        holder.identity["type"], "AssumeRole"
    )
    request = {"roleArn": f"arn:aws:iam::{account}:role/team/{role}", "roleSessionName": name, "durationSeconds": 3600}
    answer: Json = {
        "assumedRoleUser": {"assumedRoleId": principal_id, "arn": arn},
        "credentials": {"accessKeyId": key, "expiration": expiration(at + 3600), "sessionToken": "x"},
    }
    if dice.random() < history.redacted:
        del answer["credentials"]
    shared = {"sharedEventID": str(uuid.UUID(int=dice.getrandbits(128)))}
    for trail in dict.fromkeys((holder.account, account)):
        history.log(
            holder, trail, logged, operation, "sts", requestParameters=request, responseElements=answer, **shared
        )
    identity = {
        "type": "AssumedRole",
        "principalId": principal_id,
        "arn": arn,
        "accountId": account,
        "accessKeyId": key,
        "sessionContext": {
            "sessionIssuer": {
                "type": "Role",
                "principalId": principal_id.partition(":")[0],
                "arn": request["roleArn"],
                "accountId": account,
                "userName": role,
            },
            "attributes": {"creationDate": history.text(at), "mfaAuthenticated": "false"},
        },
    }
    path = (account, holder.account, *holder.path) if account != holder.account else (account, *holder.path)
    return Holder(identity, account, principal_id, holder.root, path, holder.depth + 1, at, holder.center)


def expiration(at: int) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%b %d, %Y, %I:%M:%S %p")


def refused(history: History, world: World, holder: Holder, account: str, at: int) -> None:
    """Somebody else tries the same role and name at the same moment, and may not."""
    role, name = history.dice.choice(ROLES), history.dice.choice(NAMES)
    request = {"roleArn": f"arn:aws:iam::{account}:role/team/{role}", "roleSessionName": name}
    history.log(holder, holder.account, at, "AssumeRole", "sts", requestParameters=request, errorCode="AccessDenied")


def console(history: History, person: Holder, at: int) -> Holder:
    """A sign-in; then keys that change, all of one creation."""
    identity = {name: value for name, value in person.identity.items() if name != "accessKeyId"}
    history.log(
        Holder(identity, person.account, person.principal_id, person.root), person.account, at, "ConsoleLogin", "signin",
        responseElements={"ConsoleLogin": "Success"}, eventType="AwsConsoleSignIn",
    )  # fmt: skip
    attributes = {"creationDate": history.text(at), "mfaAuthenticated": "true"}
    identity = identity | {"accessKeyId": history.id("ASIA")[:20], "sessionContext": {"attributes": attributes}}
    return Holder(identity, person.account, person.principal_id, person.root, (), 1, at)


def token(history: History, person: Holder, at: int) -> Holder:
    """GetSessionToken: the same user, another key."""
    key = history.id("ASIA")[:20]
    answer = {"credentials": {"accessKeyId": key, "expiration": expiration(at + 43200)}}
    history.log(person, person.account, at, "GetSessionToken", "sts", responseElements=answer)
    context = {"attributes": {"creationDate": history.text(at), "mfaAuthenticated": "true"}}
    identity = person.identity | {"accessKeyId": key, "sessionContext": context}
    return Holder(identity, person.account, person.principal_id, person.root, (person.account,), 1, at)


# Two organisations, each with an Identity Center, whose trail is that of its first account.
ORGANISATIONS = ((ACCOUNTS[0], ACCOUNTS[2]), (ACCOUNTS[1], ACCOUNTS[3]))
SETS = ("Admin", "Admin_Full")


def person(history: History, organisation: int, name: str, *, older: bool) -> Holder:
    """A user of Identity Center, as newer records name it (by id alone) or as older ones do."""
    account, user_id = ORGANISATIONS[organisation][0], str(uuid.UUID(int=history.dice.getrandbits(128)))
    if older:
        identity = {"type": "Unknown", "principalId": user_id, "accountId": account, "userName": name}
        return Holder(identity, account, user_id, f"{account}:{user_id}", (account,), 0, BEGIN, center=True)
    store = f"arn:aws:identitystore::{account}:identitystore/d-{organisation}"
    identity = {"type": "IdentityCenterUser", "accountId": account}
    identity |= {"onBehalfOf": {"userId": user_id, "identityStoreArn": store}, "userName": name}
    return Holder(
        identity, account, user_id, f"arn:aws:identitystore:::user/{user_id}", (account,), 0, BEGIN, center=True
    )


def at_portal(history: History, who: Holder, at: int) -> Holder:
    """The person signs in and looks at the portal: its calls bear one credential."""
    older, name = who.identity["type"] == "Unknown", who.identity["userName"]
    identity = dict(who.identity)
    if not older:
        del identity["userName"]
        identity["credentialId"] = str(uuid.UUID(int=history.dice.getrandbits(128)))
    holder = Holder(identity, who.account, who.principal_id, who.root, (), 0 if older else 1, at, center=True)
    for step in ("CredentialVerification", "UserAuthentication"):
        history.log(
            holder, who.account, at, step, "signin", eventType="AwsServiceEvent",
            additionalEventData={"UserName": name, "CredentialType": "PASSWORD"}, serviceEventDetails={step: "Success"},
        )  # fmt: skip
    for _ in range(history.dice.randrange(1, 3)):
        history.calls[history.log(holder, who.account, at + 1, "ListApplications", "sso")] = holder
    return holder


def handed_out(history: History, world: World, holder: Holder, name: str, at: int, *, unlogged: float = 0.0) -> Holder:
    """A role of an account of the organisation: the portal's call in one trail, AssumeRoleWithSAML in the other."""
    dice = history.dice
    organisation = next(those for those in ORGANISATIONS if those[0] == holder.account)
    account, chosen = dice.choice(organisation), dice.choice(SETS)
    role = f"AWSReservedSSO_{chosen}_0123456789abcdef"
    arn = f"arn:aws:iam::{account}:role/aws-reserved/sso.amazonaws.com/{role}"
    principal_id = f"{world.role_ids.setdefault((account, role), history.id('AROA'))}:{name}"
    session = f"arn:aws:sts::{account}:assumed-role/{role}/{name}"
    key = history.id("ASIA")[:20]
    way = {"account_id": account, "role_name": chosen}
    if dice.random() >= unlogged:
        if dice.random() < 0.5:
            history.log(holder, holder.account, at, "GetRoleCredentials", "sso", requestParameters=way)
        else:
            early = at - dice.randrange(20)
            history.log(holder, holder.account, early, "Federate", "sso", serviceEventDetails=way)
    vouched = {
        "type": "SAMLUser",
        "principalId": f"{account}=:{name}",
        "userName": name,
        "identityProvider": f"{account}=",
    }
    answer: Json = {"assumedRoleUser": {"assumedRoleId": principal_id, "arn": session}}
    if dice.random() >= history.redacted:
        answer["credentials"] = {"accessKeyId": key, "expiration": expiration(at + 3600), "sessionToken": "x"}
    if dice.random() < 0.8:
        history.log(
            Holder(vouched, account, "", ""), account, at, "AssumeRoleWithSAML", "sts",
            requestParameters={"roleArn": arn, "roleSessionName": name, "durationSeconds": 3600}, responseElements=answer,
        )  # fmt: skip
    issuer = {"type": "Role", "principalId": principal_id.partition(":")[0], "arn": arn, "accountId": account}
    context = {"sessionIssuer": issuer, "attributes": {"creationDate": history.text(at), "mfaAuthenticated": "false"}}
    identity: Json = {"type": "AssumedRole", "principalId": principal_id, "arn": session, "accountId": account}
    identity |= {"accessKeyId": key, "sessionContext": context}
    if holder.identity["type"] != "Unknown" and dice.random() < 0.3:
        identity["onBehalfOf"] = holder.identity["onBehalfOf"]
    return Holder(
        identity, account, principal_id, holder.root, (account, holder.account), holder.depth + 1, at, center=True
    )


def made_for(history: History, holder: Holder, account: str, name: str, at: int) -> Holder:
    """`holder` makes a user of its account, a key and a password for it."""
    made = user(history, account, name)
    key = {"accessKeyId": made.identity["accessKeyId"], "userName": name, "status": "Active"}
    for number, (operation, answer) in enumerate(
        (
            ("CreateUser", {"user": {"userName": name}}),
            ("CreateAccessKey", {"accessKey": key}),
            ("CreateLoginProfile", {}),
        )
    ):
        history.log(
            holder,
            account,
            at + number,
            operation,
            "iam",
            requestParameters={"userName": name},
            responseElements=answer,
        )
    return made


def begin(history: History, people: list[Holder], number: int, at: int) -> Holder:
    """Whoever a chain starts with."""
    dice = history.dice
    holder = dice.choice(people)
    match dice.randrange(8):
        case 0:
            return console(history, holder, at)
        case 1:
            return token(history, holder, at)
        case 2:
            return federated(history, dice.choice(ACCOUNTS), number)
        case 3:
            return service(history, dice.choice(ACCOUNTS))
    return holder


def play(
    seed: int,
    *,
    chains: int = 60,
    redacted: float = 0.0,
    span: int = 6 * 3600,
    centers: bool = False,
    unlogged: float = 0.0,
) -> History:
    """Chains of up to six sessions, begun within `span` seconds, so that they overlap.

    `centers`: people come through Identity Center, too, in two organisations in which they have the same names;
    `unlogged`: the share of its calls that hand out a role and are not in the log.
    """
    dice = random.Random(seed)
    history = History(dice, redacted)
    world = World({(account, role): history.id("AROA") for account in ACCOUNTS for role in ROLES})
    people = [user(history, account, name) for account in ACCOUNTS for name in ("alice", "bob")]
    persons = [
        person(history, organisation, name, older=name == "bob")
        for organisation in range(len(ORGANISATIONS) if centers else 0)
        for name in ("alice", "bob", "Carol@example.org")
    ]
    for one in people:
        history.use(one, BEGIN, BEGIN + span)
    for number in range(chains):
        at = BEGIN + dice.randrange(span)
        if centers and dice.random() < 0.4:
            who = dice.choice(persons)
            portal = at_portal(history, who, at)
            at += dice.randrange(2, 300)
            holder = handed_out(history, world, portal, who.identity["userName"], at, unlogged=unlogged)
        else:
            holder = begin(history, people, number, at)
        if holder.identity.get("accessKeyId", "").startswith("ASIA"):
            history.use(holder, at, at + 600)
        first = holder.account if holder.identity["type"] in ("SAMLUser", "WebIdentityUser", "AWSService") else ""
        for _ in range(dice.randrange(7 - holder.depth)):
            account = first or dice.choice(ACCOUNTS)
            first = ""
            at += dice.randrange(2, 300)
            holder = assume(history, world, holder, account, at)
            history.use(holder, at, at + 1800)
            if dice.random() < 0.3:  # somebody else, the same role and name and second
                other = assume(history, world, dice.choice(people), account, at, name=holder.principal_id.split(":")[1])
                history.use(other, at, at + 1800)
            if dice.random() < 0.2:
                refused(history, world, dice.choice(people), account, at)
    return history


def without(records: Iterable[Json], accounts: Iterable[str]) -> list[Json]:
    """The same log without the trails of some accounts."""
    return [record for record in records if record["recipientAccountId"] not in set(accounts)]


def add(lake: Lake, records: Iterable[Json]) -> None:
    taken = (Record(raw=msgspec.json.encode(one), source_uid="test", index=n) for n, one in enumerate(records))
    batch = normalize(taken)
    assert not batch.rejects
    lake.append("events", events_table(batch.columns))


def lake_of(folder: Path, records: Iterable[Json]) -> Lake:
    lake = Lake.create(folder)
    add(lake, records)
    derive(lake, DERIVED)
    return lake
