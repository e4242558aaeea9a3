"""`trailhound lineage KEY_OR_SESSION`."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from trailhound.cli import render
from trailhound.cli.options import Options, open_workspace

if TYPE_CHECKING:
    from trailhound.identity.lineage import Held, Identity, Lineage, Session
    from trailhound.identity.making import Made

_WIDTH = 80
_NAME = 64  # characters of a name that someone chose
_UID = 96  # characters of an ARN: a user's name has at most 64
_MOST = 20  # sessions of one parent; json has them all
_TREES = 10
_MAKING = {
    "CreateUser": "user made",
    "CreateAccessKey": "key made",
    "CreateLoginProfile": "password made",
    "UpdateLoginProfile": "password set anew",
}


def lineage(key_or_session: str, /, *, at: str | None = None, options: Options = Options()) -> None:
    """Show who it really was: the tree from the first identity to the last call.

    Each session says how it is known who opened it, how sure that is (certain, likely, possible), and by which event.
    Where the log does not tell, the chain is broken, and what is missing is named. A key that somebody else made says
    who; => is what an identity made for others. Below stands what it still holds.
    Times are UTC. docs/how-to/find-who-it-really-was.md explains it.

    For example:

        trailhound lineage ASIAIOSFODNN7EXAMPLE
        trailhound lineage arn:aws:sts::111122223333:assumed-role/deploy/build-17
        trailhound lineage alice --at 2020-11-06T04:00:00Z

    Parameters
    ----------
    key_or_session
        An access key, a session (ARN or uid), a principal (ARN or name), an eventID or a sourceIdentity.
    at
        Show what is still held at this time. Default: at the end of the log.
    """
    found = open_workspace(options).lineage(key_or_session, at=at)
    if options.json:
        render.document(found)
        return
    mark = _marked(found)
    for position, tree in enumerate(found.trees[:_TREES]):
        print("\n" * (position > 0), end="")
        _identity(tree, mark=mark)
    if len(found.trees) > _TREES:
        render.text(f"\n{len(found.trees) - _TREES:,} more trees are not shown; --format json has them")
    _still_held(found)
    if found.left_out:
        render.remark(options, f"of {found.sessions:,} sessions the {found.left_out:,} oldest are not shown")


def _marked(found: Lineage) -> bool:
    """Of a principal all sessions were asked about: to mark them all would mark none."""
    return found.found_as not in ("principal", "name")


def _identity(tree: Identity, *, mark: bool) -> None:
    broken = any(session.origin_confidence == "broken" for session in tree.sessions)
    render.text(f"{'(not known) behind ' if broken else ''}{_short(tree.uid, _UID)}")
    for line in _made_by(tree):
        render.text(f"  {line}")
    for line in _sessions(tree.sessions, mark=mark):
        render.text(line)
    for line in _made(tree.made):
        render.text(line)


def _made_by(tree: Identity) -> Iterator[str]:
    """Who made the identity and its keys, each key below who made it."""
    for one in tree.made_by:
        if one.credential_uid is None:
            yield from _maker(one)
    for key in tree.credentials:
        for one in tree.made_by:
            if one.credential_uid == key.uid:
                yield from _maker(one)
        yield f"long-term key {_short(key.uid)}"
        yield _calls(key.calls, key.first_seen_time, key.last_seen_time)


def _maker(one: Made) -> Iterator[str]:
    yield f"{_MAKING[one.operation]} {render.at(one.time)} by {'itself' if one.itself else _short(one.by_origin_uid, _UID)}"
    if one.by_principal_uid != one.by_origin_uid:
        yield f"│ as {_place(one.by_principal_uid)}, which leads to it: {one.by_origin_confidence}"
    elif one.by_origin_confidence == "broken":
        yield "│ who that was is not known"
    yield f"│ evidence {_short(one.event_uid)}"
    if not one.itself:
        yield "│ that its maker uses it is possible, no more"


def _made(made: Sequence[Made]) -> Iterator[str]:
    """What an identity made for others."""
    if len(made) > _MOST:
        yield f"=> {len(made) - _MOST:,} earlier things that it made are not shown; --format json has them"
    for one in made[-_MOST:]:
        yield f"=> {_MAKING[one.operation]} {render.at(one.time)} for {_place(one.principal_uid)}"
        if one.credential_uid:
            yield f"   key {_short(one.credential_uid)}"
        yield f"   evidence {_short(one.event_uid)}"


def _sessions(sessions: Sequence[Session], *, mark: bool) -> Iterator[str]:
    """The latest of them; each with a rail to the next."""
    if len(sessions) > _MOST:
        yield f"├─ {len(sessions) - _MOST:,} earlier sessions are not shown; --format json has them"
    for position, session in enumerate(sessions[-_MOST:], 1):
        last = position == min(len(sessions), _MOST)
        head, *rest = _session(session, mark=mark)
        yield f"{'└─' if last else '├─'} {head}"
        for line in rest:
            yield f"{'  ' if last else '│ '} {line}".rstrip()


def _session(session: Session, *, mark: bool) -> Iterator[str]:
    yield f"{_place(session.principal_uid)}{'  <- asked' if mark and session.asked else ''}"
    rail = "│ " if session.opened else "  "
    for line in _facts(session):
        yield rail + line
    yield from _sessions(session.opened, mark=mark)


def _facts(session: Session) -> Iterator[str]:
    if name := _name(session):
        yield f"session {name}"
    keys = [*map(_short, session.credential_uids[:2])]
    if keys:
        more = len(session.credential_uids) - len(keys)
        yield f"key {', '.join(keys)}{f' and {more:,} more' if more else ''}"
    yield f"opened {render.at(session.created_time)} by {session.operation or 'a call that is not in the log'}"
    if session.expiration_time is not None:
        yield f"ends {render.at(session.expiration_time)}"
    if session.established:
        yield f"known by {session.established}: {session.confidence or 'broken above'}"
    if session.evidence:
        more = len(session.evidence) - 1
        what = "evidence" if session.operation else "evidence: its first call"
        yield f"{what} {_short(session.evidence[0])}{f' and {more:,} more' if more else ''}"
    if session.source_identity:
        yield f"sourceIdentity {_short(session.source_identity)}"
    if session.broken:
        yield from textwrap.wrap(f"BROKEN: {render.cell(session.broken)}", _WIDTH - 12)
    yield _calls(session.calls, session.first_seen_time, session.last_seen_time)


def _calls(calls: int, first: int | None, last: int | None) -> str:
    if not calls:
        return "no call seen"
    return f"{render.counted(calls, 'call')}, {render.at(first)} to {render.at(last)}"


def _still_held(found: Lineage) -> None:
    mark = _marked(found)
    entries = [*_keys(found), *(_held(one, mark=mark) for one in found.held)]
    if not entries:
        broken = any(session.origin_confidence == "broken" for tree in found.trees for session in tree.sessions)
        nothing = "who it was is not known, nor what else they hold" if broken else "nothing is held"
        render.text(f"\nAt {render.at(found.as_of)}, as far as the log tells, {nothing}.")
        return
    render.text(f"\nAt {render.at(found.as_of)}, as far as the log tells, still held:")
    for entry in entries[: 2 * _MOST]:
        render.text(f"  {entry}")
    if len(entries) > 2 * _MOST:
        render.text(f"  and {len(entries) - 2 * _MOST:,} more; --format json has them")


def _keys(found: Lineage) -> Iterator[str]:
    """What lasts until it is deactivated: its own keys, and what it made for others."""
    for tree in found.trees:
        later = {one.credential_uid for one in tree.made_by if one.time > found.as_of}
        for key in tree.credentials:
            if key.uid not in later:
                yield f"{_short(tree.uid, _UID)}\n    long-term key {_short(key.uid)}, until it is deactivated"
        for one in tree.made:
            if one.operation != "CreateUser" and one.time <= found.as_of:
                what = f"long-term key {_short(one.credential_uid)}" if one.credential_uid else "password"
                lines = (
                    _place(one.principal_uid),
                    f"{what}, until it is deactivated",
                    f"possible: made by {_short(tree.uid, _UID)}",
                )
                yield "\n    ".join(lines)


def _held(one: Held, *, mark: bool) -> str:
    named = filter(None, (_name(one), *map(_short, one.credential_uids[:1])))
    lines = (f"{_place(one.principal_uid)}{'  <- asked' if mark and one.asked else ''}", *named, f"until {_until(one)}")
    return "\n    ".join(lines)


def _until(one: Held) -> str:
    return f"{render.at(one.until)}{' at the latest' if one.at_most else ''}"


def _place(principal_uid: str) -> str:
    """`role/deploy in 111122223333`."""
    parts = principal_uid.split(":", 5)
    return _short(f"{parts[5]} in {parts[4]}" if len(parts) == 6 and parts[4] else principal_uid)


def _name(session: Session | Held) -> str:
    """As whoever opened it chose it; a session uid is id:name@time."""
    return _short(session.uid.partition(":")[2].rpartition("@")[0])


def _short(text: str, most: int = _NAME) -> str:
    shown = render.cell(text)
    return shown if len(shown) <= most else f"{shown[: most - 3]}..."
