"""What was asked about and not looked at: a slice must not read like the whole."""

from __future__ import annotations

from trailhound.investigation import sentences
from trailhound.investigation.evidence import Evidence
from trailhound.investigation.scope import MOST_EVENTS
from trailhound.model import Gap


def gaps(evidence: Evidence) -> list[Gap]:
    """Events at other times, beyond the limit, and in other accounts than the one whose log was read around them."""
    scope, found = evidence.scope, []
    total = len(scope.event_uids) + scope.beyond_limit + scope.beyond_window
    if scope.beyond_window:
        until = "" if scope.at == scope.to else f" to {sentences.when(scope.to)}"
        held = f"the events in it are of {sentences.when(scope.at)}{until}"
        because = f"{_of(scope.beyond_window, total)} that name it lie outside the window that was looked at ({held})"
        how = "widen the window with `--window`, or move it with `--at`"
        found.append(Gap(what="window", because=because, how_to_get=how))
    if scope.beyond_limit:
        because = f"{_of(scope.beyond_limit, total)} that name it come after the first {MOST_EVENTS:,}"
        found.append(Gap(what="limit", because=because, how_to_get="ask with a shorter `--window`"))
    counts = scope.counts.get("account", {})
    others = sorted(account for account in counts if account != scope.account)
    if others:
        elsewhere = _of(sum(counts[account] for account in others), len(scope.event_uids))
        because = (
            f"{elsewhere} are of {sentences.count(len(others), 'other account')} ({sentences.listing(others)}), "
            f"and only the log of account {scope.account} was read around them"
        )
        how = "investigate with an observable that one account has alone, as an ARN"
        found.append(Gap(what="accounts", because=because, how_to_get=how))
    return found


def _of(some: int, total: int) -> str:
    return f"{some:,} of {sentences.count(total, 'event')}"
