"""`trailhound lineage KEY_OR_SESSION`."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from trailhound.cli import render
from trailhound.cli.options import Options, open_workspace

if TYPE_CHECKING:
    from trailhound.identity.lineage import Held, Identity, Lineage, Session

_WIDTH = 80
_NAME = 64  # characters of a name that someone chose
_MOST = 20  # sessions of one parent; json has them all
_TREES = 10


def lineage(key_or_session: str, /, *, at: str | None = None, options: Options = Options()) -> None:
    """Show who it really was: the tree from the first identity to the last call.

    Each session says how it is known who opened it, how sure that is (certain, likely, possible), and by which event.
    Where the log does not tell, the chain is broken, and what is missing is named. Below stands what the identity
    still holds. Times are UTC. docs/how-to/find-who-it-really-was.md explains it.

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
    for position, tree in enumerate(found.trees[:_TREES]):
        print("\n" * (position > 0), end="")
        _identity(tree)
    if len(found.trees) > _TREES:
        render.text(f"\n{len(found.trees) - _TREES:,} more trees are not shown; --format json has them")
    _still_held(found)
    if found.left_out:
        render.remark(options, f"of {found.sessions:,} sessions the {found.left_out:,} oldest are not shown")


def _identity(tree: Identity) -> None:
    broken = any(session.origin_confidence == "broken" for session in tree.sessions)
    render.text(f"{'(not known) behind ' if broken else ''}{_short(tree.uid)}")
    for key in tree.credentials:
        render.text(f"  long-term key {_short(key.uid)}")
        render.text(f"  {_calls(key.calls, key.first_seen_time, key.last_seen_time)}")
    for line in _sessions(tree.sessions):
        render.text(line)


def _sessions(sessions: Sequence[Session]) -> Iterator[str]:
    """The latest of them; each with a rail to the next."""
    if len(sessions) > _MOST:
        yield f"├─ {len(sessions) - _MOST:,} earlier sessions are not shown; --format json has them"
    for position, session in enumerate(sessions[-_MOST:], 1):
        last = position == min(len(sessions), _MOST)
        head, *rest = _session(session)
        yield f"{'└─' if last else '├─'} {head}"
        for line in rest:
            yield f"{'  ' if last else '│ '} {line}".rstrip()


def _session(session: Session) -> Iterator[str]:
    yield f"{_principal(session)}{'  <- asked' if session.asked else ''}"
    rail = "│ " if session.opened else "  "
    for line in _facts(session):
        yield rail + line
    yield from _sessions(session.opened)


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
    keys = [(tree.uid, key.uid) for tree in found.trees for key in tree.credentials]
    if not keys and not found.held:
        broken = any(session.origin_confidence == "broken" for tree in found.trees for session in tree.sessions)
        nothing = "who it was is not known, nor what else they hold" if broken else "nothing is held"
        render.text(f"\nAt {render.at(found.as_of)}, as far as the log tells, {nothing}.")
        return
    render.text(f"\nAt {render.at(found.as_of)}, as far as the log tells, still held:")
    for identity, key in keys[:_MOST]:
        render.text(f"  {_short(identity)}\n    long-term key {_short(key)}, until it is deactivated")
    for one in found.held[:_MOST]:
        render.text(f"  {_principal(one)}{'  <- asked' if one.asked else ''}")
        named = filter(None, (_name(one), *map(_short, one.credential_uids[:1])))
        render.text("".join(f"    {line}\n" for line in named) + f"    until {_until(one)}")
    more = len(keys[_MOST:]) + len(found.held[_MOST:])
    if more:
        render.text(f"  and {more:,} more; --format json has them")


def _until(one: Held) -> str:
    return f"{render.at(one.until)}{' at the latest' if one.at_most else ''}"


def _principal(session: Session | Held) -> str:
    """`role/deploy in 111122223333`."""
    parts = session.principal_uid.split(":", 5)
    who = f"{parts[5]} in {parts[4]}" if len(parts) == 6 and parts[4] else session.principal_uid
    return _short(who)


def _name(session: Session | Held) -> str:
    """As whoever opened it chose it; a session uid is id:name@time."""
    return _short(session.uid.partition(":")[2].rpartition("@")[0])


def _short(text: str) -> str:
    shown = render.cell(text)
    return shown if len(shown) <= _NAME else f"{shown[: _NAME - 3]}..."
