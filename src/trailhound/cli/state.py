"""`trailhound state KIND=VALUE`."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from trailhound.cli import render
from trailhound.cli.options import Flag, Options, open_workspace

if TYPE_CHECKING:
    from trailhound.states.state import Change, State, Value

_LONGEST = 200  # characters of a value; json has it whole


def state(observable: str, /, *, at: str | None = None, changes: Flag = False, options: Options = Options()) -> None:
    """Show what a thing was at a moment, from the log alone, and by which calls that is known.

    Instances, security groups, snapshots, images, buckets, accounts, users, roles, access keys, policies and trails.
    What the log does not show is unknown, and says why: it was written before the log begins, in a time or Region that
    is missing, or by a call that is not recorded whole.
    Times are UTC. docs/how-to/see-what-a-thing-was.md explains it.

    For example:

        trailhound state instance=i-0abc1234def567890 --at 2020-11-06T03:21:39Z
        trailhound state bucket=customer-exports --changes
        trailhound state role=deploy --format json

    Parameters
    ----------
    observable
        KIND=VALUE: its id, its name or its ARN.
    at
        The moment; calls of that moment have happened. Default: the end of the log.
    changes
        Show each change up to that moment instead: what was there before, what after, by whom, by which event.
    """
    found = open_workspace(options).state(observable, at=at)
    if options.json:
        render.lines(found.changes) if changes else render.document(found)
    elif changes:
        _changes(found)
    else:
        _state(found)


def _state(found: State) -> None:
    exists = found.exists
    there = f"whether it was there is not known: {exists.because}" if exists.known == "unknown" else ""
    there = there or ("it was there" if exists.value else "it was not there")
    whose = "" if found.kind == "account" else f" of account {found.account_uid}"
    render.text(f"{found.kind} {found.value}{whose}, at {render.at(found.at)}{f': {there}' if whose else ''}")
    if not exists.value and exists.known == "known":
        render.text(f"evidence: {', '.join(exists.event_uids)}")
    width = max((len(one.attribute) for one in found.facts), default=0)
    for one in found.facts:
        render.text(f"{one.attribute:<{width}}  {_said(one)}")
        if one.known != "unknown" and one.since is not None:
            more = f" and {len(one.event_uids) - 1:,} more" if len(one.event_uids) > 1 else ""
            render.text(f"{'':<{width}}  since {render.at(one.since)}, by event {''.join(one.event_uids[-1:])}{more}")
    reasons = defaultdict[tuple[str, str], list[str]](list)
    for one in found.facts:
        if one.because:
            reasons[one.because, one.how_to_get].append(one.attribute)
    for (because, how), attributes in reasons.items():
        render.text(f"not known, or not whole: {', '.join(attributes)}\n  because {because}\n  to get it: {how}")
    for one in found.facts:
        if one.not_covered and one.known != "unknown":
            render.text(f"no call tells of {one.attribute}: {one.not_covered}")


def _changes(found: State) -> None:
    for position, one in enumerate(found.changes):
        print("\n" * (position > 0), end="")
        who, what = ", ".join(one.principal_uids), ", ".join(one.operations)
        render.text(
            f"{render.at(one.time)} {one.attribute}: {what} by {render.cell(who)} ({', '.join(one.event_uids)})"
        )
        for line in _difference(one):
            render.text(f"  {line}")
    if not found.changes:
        render.text(f"no call in the log changed {found.kind} {found.value} up to {render.at(found.at)}")


def _difference(one: Change) -> list[str]:
    return [f"before  {_said(one.before)}", f"after   {_said(one.after)}"]


def _said(one: Value) -> str:
    from trailhound.states import words  # noqa: PLC0415 - start-up

    shown = render.cell(words.said(one))
    return shown if len(shown) <= _LONGEST else f"{shown[: _LONGEST - 3]}..."
