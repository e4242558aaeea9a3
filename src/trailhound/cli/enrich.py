"""`trailhound enrich`: asks others about addresses."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trailhound.cli import render
from trailhound.cli.options import Flag, Options, open_workspace
from trailhound.errors import RequestError

if TYPE_CHECKING:
    from trailhound.enrichers.lookups import LookedUp


def enrich(
    *about: str,
    provider: tuple[str, ...] = (),
    anew: Flag = False,
    stored: Flag = False,
    options: Options = Options(),
) -> None:
    """Ask threat-intelligence services about addresses, and store what they say.

    Nothing but the address leaves, and never a private one or one of your own. `ask` and `investigate` use what is
    stored, and ask nobody. docs/how-to/ask-others-about-an-address.md tells of services, keys and answers.

    For example:

        trailhound enrich ip_address=180.163.251.231
        trailhound enrich 4f2a9c --provider virustotal --provider isc
        trailhound enrich --stored --format json

    Parameters
    ----------
    about
        ip_address=VALUE, or the uid of a finding or an incident, or its beginning: then all its addresses.
    provider
        Whom to ask. May be repeated. Default: all that have what they need, a key or a file.
    anew
        Ask again, although a fresh answer is stored.
    stored
        List all answers that are stored, and ask nobody.
    """
    workspace = open_workspace(options)
    if stored:
        for one in workspace.looked_up():
            _show(one, "stored", options)
        return
    if not about:
        raise RequestError(
            "nothing is named to ask about",
            where="trailhound enrich",
            next_step="trailhound enrich ip_address=180.163.251.231, or the uid of a finding",
        )
    from trailhound.workspace.enriching import LeftAlone  # noqa: PLC0415 - start-up

    shown = 0
    for one in workspace.enrich(about, providers=provider, anew=anew):
        if isinstance(one, LeftAlone):
            render.remark(options, f"nobody is asked about {one.value}: {one.because}")
        else:
            shown += 1
            _show(one.lookup, "stored" if one.stored else "asked now", options)
    if not shown:
        render.remark(options, "nobody was asked")


def _show(one: LookedUp, when: str, options: Options) -> None:
    if options.json:
        fields = ("value", "provider", "verdict", "detail", "network", "owner", "asked", "sha256")
        render.lines([{**{name: getattr(one, name) for name in fields}, "when": when}])
        return
    more = "; ".join(filter(None, (one.detail, one.network, one.owner)))
    render.text(f"{one.value}  {one.provider}: {one.verdict}{f' ({more})' if more else ''}, {one.asked}, {when}")
