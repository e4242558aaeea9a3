"""`trailhound status`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trailhound.cli import render
from trailhound.cli.options import Options, open_workspace

if TYPE_CHECKING:
    from trailhound.ingest.ledger import Status


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
    for reason, count in found.rejects.items():
        render.text(f"  rejected as {reason}: {count:,}")
    rows = [
        [held.account_uid, held.regions, render.at(held.first_time), render.at(held.last_time), held.events]
        for held in found.accounts
    ]
    render.table(["account", "Regions", "first", "last", "events"], rows)
    for account in found.accounts:
        for first, last in account.gaps:
            render.text(f"no event of account {account.account_uid} from {first} to {last}")
    present = ", ".join(f"{name} {share:.0%}" for name, share in found.completeness.items())
    render.text(f"events that have: {present}" if present else "there are no events yet")
