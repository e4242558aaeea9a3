"""What kind of actor a principal is, with the reasons: a judgement over counts, `unknown` rather than a guess.

One reason that decides is enough: something that AWS wrote, or that only people do. Reasons that only support
(a rhythm, a name, a user agent) need each other, and one of them must be of a sort that the caller does not
write. Reasons that decide for different kinds decide nothing.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from functools import cache, lru_cache
from typing import NamedTuple

import msgspec

from trailhound.identity.activity import SERVICE
from trailhound.identity.zones import zone
from trailhound.vocab import tsv
from trailhound.vocab.aws import parse_arn

KINDS = ("human", "ci", "workload", "service", "other_account", "anonymous", "root", "unknown")
_SERVICE = re.compile(rf"{SERVICE}|AWS Internal.*", re.DOTALL)

_CI_NAME = re.compile(
    r"(?i)(^|[-_./])(ci|cicd|ci-?cd|jenkins|github|githubactions|gitlab|circleci|buildkite|codebuild|awscodebuild|bamboo"
    r"|teamcity|pipelines?|runner|deploy|deployer)([-_./0-9]|$)"
)
_PERSON = re.compile(r"[a-z]{2,}\.[a-z]{2,}|[\w.+-]+@[\w-]+(\.[\w-]+)+", re.IGNORECASE)
_INTERACTIVE = ("browser", "console")  # families of agents
_ALL_DAY = 16  # hours with calls a day, which no person keeps up
_A_WEEK = 7  # days
_MANY_SESSIONS = 20


class Facts(msgspec.Struct):
    """Of one principal: see `trailhound.identity.facts`."""

    uid: str
    types: list[str] = []
    issuer_uid: str | None = None
    accounts: list[str] = []  # that received its calls
    own: int = 0  # calls that its own account received
    events: int = 0
    days: int = 0
    hours_active: int = 0  # with calls
    weekend: int = 0  # of them
    active: list[int] = msgspec.field(default_factory=lambda: [0] * 24)  # 24: days with calls in that hour of the day
    sign_ins: int = 0  # to the console, that succeeded
    console: int = 0  # calls of which the log says that they came from the console
    mfa: int = 0
    invoked: int = 0  # by a service, on its behalf
    interactive: int = 0  # calls with an agent of `_INTERACTIVE`
    openers: dict[str, int] = {}  # who opened its sessions → how many
    sessions: int = 0  # for which an opener is known
    delivered: int = 0  # to an instance, as the log says
    names: int = 0  # different names of sessions
    alike: int = 0  # of them, that differ in numbers only from the most common form
    ci_names: int = 0


class Reason(NamedTuple):
    kind: str
    decides: bool
    sort: str  # two reasons of one sort support no more than one
    text: str


class Verdict(NamedTuple):
    kind: str
    reasons: list[str]


def account_of(uid: str, types: Sequence[str]) -> str:
    """The account of a principal: of its ARN, or what stands before its id; "" where there is none."""
    arn = parse_arn(uid)
    return arn.account if arn else uid.partition(":")[0] if "AWSAccount" in types else ""


def judge(facts: Facts, known: Mapping[str, str]) -> Verdict:
    """`known`: kind of the principals that were judged already, for who opened a role's sessions."""
    if plain := _plain(facts):
        return plain
    reasons = [*_deciding(facts), *_opened(facts, known)]
    decided = {reason.kind for reason in reasons}
    reasons += _supporting(facts)
    if not decided:
        decided = _supported(reasons)
    texts = [reason.text for reason in reasons if len(decided) != 1 or reason.kind in decided]
    if len(decided) == 1:
        return Verdict(decided.pop(), list(dict.fromkeys(texts)))
    why = "its reasons contradict each other" if decided else "nothing in the log says what it is"
    return Verdict("unknown", list(dict.fromkeys([f"{why}: {_count(facts.events, 'call')} on {_days(facts)}", *texts])))


def _plain(facts: Facts) -> Verdict | None:
    """What the log says outright."""
    account = account_of(facts.uid, facts.types)
    if facts.uid == "anonymous":
        return Verdict("anonymous", [f"{_count(facts.events, 'call')} without credentials"])
    if facts.types == ["AWSService"] or _SERVICE.fullmatch(facts.uid):
        return Verdict("service", [f"AWS itself made {_count(facts.events, 'call')} under the name of the service"])
    if account and facts.accounts and not facts.own:
        where = ", ".join(facts.accounts[:3])
        return Verdict(
            "other_account", [f"of account {account}; all {_count(facts.events, 'call')} were received by {where}"]
        )
    if re.fullmatch(r"arn:[^:]*:iam::[^:]*:root", facts.uid):
        return Verdict("root", [f"the root user made {_count(facts.events, 'call')}"])
    return None


def _deciding(facts: Facts) -> Iterator[Reason]:
    path = facts.issuer_uid or ""
    if ":role/aws-service-role/" in path:
        yield Reason("service", True, "path", "a service-linked role: only its service can use it (its path says so)")
    if ":role/aws-reserved/sso.amazonaws.com/" in path:
        yield Reason("human", True, "path", "a role of Identity Center, to which people sign in (its path says so)")
    if facts.types in (["IdentityCenterUser"], ["SAMLUser"]):
        yield Reason("human", True, "type", f"an identity of the type {facts.types[0]}, which people sign in with")
    if facts.types == ["WebIdentityUser"] and (provider := _opener(facts.uid)):
        yield Reason(provider[0], True, "type", f"{provider[1]} vouched for it")
    if facts.sign_ins:
        yield Reason("human", True, "sign-in", f"signed in to the console {_count(facts.sign_ins, 'time')}")
    if facts.console:
        yield Reason("human", True, "console", f"{_of(facts.console, facts)} were made in the console, as the log says")
    if facts.mfa:
        yield Reason("human", True, "mfa", f"{_of(facts.mfa, facts)} were made in sessions opened with MFA")
    if facts.delivered:
        yield Reason("workload", True, "instance", f"EC2 delivered {_count(facts.delivered, 'session')} to an instance")
    if facts.invoked == facts.events and ":role/" in facts.uid:
        yield Reason(
            "service", True, "invoked", f"all {_count(facts.events, 'call')} were made by a service on its behalf"
        )


def _opened(facts: Facts, known: Mapping[str, str]) -> Iterator[Reason]:
    """By who opened its sessions: the kind of at least half of those of which it is known."""
    by_kind: Counter[str] = Counter()
    names: dict[str, Counter[str]] = {}
    for opener, count in facts.openers.items():
        kind, name = _opener(opener) or (known.get(opener, "unknown"), short(opener))
        by_kind[kind] += count
        names.setdefault(kind, Counter())[name] += count
    for kind, count in sorted(by_kind.items()):
        if kind != "unknown" and 2 * count >= facts.sessions:
            several = sorted(names[kind], key=lambda name: (-names[kind][name], name))
            by = ", ".join(several[:3]) + (f" and {len(several) - 3} more" if len(several) > 3 else "")
            yield Reason(kind, True, "opener", f"{by} opened {count:,} of its {_count(facts.sessions, 'session')}")


def _supporting(facts: Facts) -> Iterator[Reason]:
    name = short(facts.uid).rpartition("/")[2]
    rhythm = zone(facts.active, facts.days)
    if rhythm and 10 * facts.weekend <= facts.hours_active:
        at_rest = f"{100 * facts.weekend // facts.hours_active} % of its active hours lie on weekends"
        yield Reason("human", False, "rhythm", f"it keeps office hours: {rhythm.because}; {at_rest}")
    if facts.days >= _A_WEEK and facts.hours_active >= _ALL_DAY * facts.days:
        text = f"it is at work {facts.hours_active / facts.days:.1f} hours a day, on {_days(facts)}"
        yield from (Reason(kind, False, "rhythm", text) for kind in ("ci", "workload"))
    if _CI_NAME.search(name):
        yield Reason("ci", False, "name", f"its name is that of an automation: {name}")
    elif _PERSON.fullmatch(name):
        yield Reason("human", False, "name", f"its name is that of a person: {name}")
    if facts.names >= _MANY_SESSIONS and 5 * facts.alike >= 4 * facts.names:
        yield Reason(
            "ci", False, "sessions", f"{facts.alike:,} of {facts.names:,} session names differ in numbers only"
        )
    if 2 * facts.ci_names > facts.names:
        text = f"{facts.ci_names:,} of {facts.names:,} session names are those of an automation (its opener chose them)"
        yield Reason("ci", False, "said", text)
    if 2 * facts.interactive > facts.events:
        yield Reason(
            "human", False, "said", f"{_of(facts.interactive, facts)} name a browser or the console as their agent"
        )


def _supported(reasons: list[Reason]) -> set[str]:
    """The kinds for which two sorts of reasons speak, one of which the caller does not write."""
    sorts: dict[str, set[str]] = {}
    for reason in reasons:
        sorts.setdefault(reason.kind, set()).add(reason.sort)
    return {kind for kind, found in sorts.items() if len(found) > 1 and found & {"rhythm", "name"}}


@lru_cache(8192)
def _opener(uid: str) -> tuple[str, str] | None:
    """(kind, name) of a service, an instance, or a provider that vouches for identities. A subject is not looked at."""
    provider = uid.partition(":oidc-provider/")[2].partition(":")[0] or uid
    if ":" in provider:
        return None
    return next(((kind, name or uid) for pattern, kind, name in _openers() if fnmatchcase(provider, pattern)), None)


@cache
def _openers() -> list[tuple[str, ...]]:
    return tsv.rows("openers")


def short(uid: str) -> str:
    arn = parse_arn(uid)
    return arn.resource if arn else uid


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def _of(number: int, facts: Facts) -> str:
    return f"{number:,} of its {_count(facts.events, 'call')}"


def _days(facts: Facts) -> str:
    return _count(facts.days, "day")
