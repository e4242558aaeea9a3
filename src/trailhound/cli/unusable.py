"""Rules that cannot be used, as every verb that runs or lists rules tells them."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from trailhound.cli import render
from trailhound.errors import RequestError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from trailhound.cli.options import Options
    from trailhound.detections.rules import LeftOut
    from trailhound.errors import CatalogError


def tell(errors: Sequence[CatalogError], left_out: Sequence[LeftOut], options: Options) -> None:
    """Each rule that cannot be used, and how much is left out why."""
    for error in errors:
        render.remark(options, f"not usable: {error.where}: {error.what}")
    reasons = Counter(one.reason.split(":")[0] for one in left_out)
    if reasons:
        listed = ", ".join(f"{number:,} {reason}" for reason, number in reasons.most_common())
        render.remark(options, f"left out: {listed}; `trailhound rules list FOLDER --left-out` names them")


def refuse(errors: Sequence[CatalogError], others: str) -> None:
    """Raise RequestError when there are any; `others`: what was done with the other rules."""
    if errors:
        raise RequestError(
            f"{render.counted(len(errors), 'rule')} cannot be used; the others were {others}",
            where=errors[0].where,
            causes=(errors[0].what,),
            next_step="`trailhound rules lint FOLDER` checks rules without running them",
        )
