"""`trailhound status`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trailhound.cli import calendar, render
from trailhound.cli.options import Options, open_workspace

if TYPE_CHECKING:
    from trailhound.ingest.coverage import Stretch
    from trailhound.ingest.ledger import AccountStatus, Status

_GAPS = 20  # shown of an account


def status(*, options: Options = Options()) -> None:
    """Show what the lake holds, what is missing from it, and what was rejected and why.

    For example:

        trailhound status
        trailhound status --format json
    """
    found = open_workspace(options).status()
    if options.json:
        render.document(found)
    else:
        _show(found)


def _show(found: Status) -> None:
    counts = ("objects", "bytes", "records", "events", "duplicates", "rejected")
    render.pairs({name: getattr(found, name) for name in counts})
    render.text("Objects are files and members of archives; what is read again is not counted again.")
    for reason, count in found.rejects.items():
        render.text(f"  rejected as {reason}: {count:,}")
    for flag, count in found.flags.items():
        render.text(f"  events flagged {flag}: {count:,}")
    if found.delivery:
        waited = (_minutes(found.delivery.median), _minutes(found.delivery.longest))
        late = f"; {found.delivery.late:,} objects came more than an hour late" if found.delivery.late else ""
        render.text(f"delivered within {waited[0]} at the median, {waited[1]} at most{late}")
    states = ", ".join(f"{count:,} {state}" for state, count in found.integrity.items())
    render.text(f"integrity: {states}" if states else "integrity: not verified; `trailhound verify PATH` proves it")
    for account in found.accounts:
        _show_account(account)
    if found.accounts:
        render.text(f"\n{calendar.LEGEND}")
    present = ", ".join(f"{name} {share:.0%}" for name, share in found.completeness.items())
    render.text(f"events that have: {present}" if present else "there are no events yet")


def _show_account(account: AccountStatus) -> None:
    render.text(f"\naccount {account.account_uid or '(none)'}")
    rows = [
        [
            p.region,
            p.category,
            _days(p.first_time, p.last_time),
            p.events,
            p.hours,
            p.quiet_hours,
            p.missing_hours,
        ]
        for p in account.places
    ]
    heads = ["Region", "category", "days", "events", "hours", "quiet", "missing"]
    render.table(heads, rows)
    for line in calendar.lines(account):
        render.text(line)
    for gap in account.gaps[:_GAPS]:
        until = render.at(gap.until)[:16] if gap.until else "the end of the log"
        kind = gap.kind.replace("_", " ")
        render.text(f"{kind}, {_where(gap)}, {render.at(gap.since)[:16]} to {until}: {gap.because}")
    if len(account.gaps) > _GAPS:
        render.text(f"and {len(account.gaps) - _GAPS:,} more; --format json lists all")


def _days(first: int, last: int) -> str:
    """`2024-08-02 to 08-30`: a table of Regions has to fit into 80 columns."""
    begin, end = render.at(first)[:10], render.at(last)[:10]
    if begin == end:
        return begin
    return f"{begin} to {end[5:] if begin[:4] == end[:4] else end}"


def _where(gap: Stretch) -> str:
    return f"{'all Regions' if gap.region == 'all' else gap.region} {gap.category}"


def _minutes(ms: int) -> str:
    minutes = round(ms / 60_000)
    return f"{minutes} min" if minutes < 120 else f"{minutes // 60} h {minutes % 60} min"
