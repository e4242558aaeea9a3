"""From a story to a folder: logs, truth, and the settings of the organisation."""

from __future__ import annotations

from datetime import timedelta
from itertools import accumulate, pairwise
from pathlib import Path

import msgspec

from trailhound.errors import RequestError
from trailhound.simulation import estate, plot, story, truth
from trailhound.simulation.actors import Stage
from trailhound.simulation.delivery import Delivery
from trailhound.simulation.digests import Digests
from trailhound.simulation.story import Segment, Story
from trailhound.simulation.template import iso
from trailhound.simulation.truth import Counts, Truth


def simulate(
    name: str | Path,
    out: Path,
    *,
    seed: int | None = None,
    events: int | None = None,
    days: int | None = None,
    digests: bool = False,
) -> Truth:
    """Write the story `name` (a built-in one, or a YAML file) into the folder `out`.

    `out/AWSLogs/` holds the logs, `out/truth.json` what is true of them, `out/trailhound.toml` what the
    organisation knows, where the story says so. `events` is the number of quiet events, `days` the length
    of the quiet history up to the story's end; the phases of the story are never cut. With `digests` signed digest
    files lie beside the logs, and the public key to verify them in `out/public-keys.json`.

    Raises RequestError when there is no such story, `out` already holds logs or a number makes no sense,
    CatalogError when the story is malformed.
    """
    for what, number in (("events", events), ("days", days)):
        if number is not None and number < 1:
            raise RequestError(f"{what} must be at least 1, not {number}", where="simulate")
    plan = story.load(name)
    seed = plan.seed if seed is None else seed
    if (out / "AWSLogs").exists():
        raise RequestError(
            "the folder already holds logs; another history would be mixed with them",
            where=str(out / "AWSLogs"),
            next_step="name a new folder, or remove this one",
        )
    blind = _blind(plan)
    signed = Digests(out, plan.account, plan.region, seed) if digests else None
    delivery = Delivery(out, plan.account, seed, blind, signed)
    logged, unlogged, quiet = _play(plan, _history(plan, events, days), seed, delivery)
    stage = Stage(plan, seed)
    told = truth.phases(stage, logged, unlogged)
    found = Truth(
        story=Path(name).stem,
        summary=plan.summary,
        seed=seed,
        account=plan.account,
        region=plan.region,
        counts=Counts(
            events=delivery.events,
            quiet=quiet,
            plot=len(logged),
            unlogged=len(unlogged),
            files=delivery.files,
            bytes=delivery.bytes,
        ),
        phases=told,
        actors=truth.actors(stage),
        findings=truth.findings(stage, told),
        blind=(iso(blind[0]), iso(blind[1])) if blind else None,
        facts=plan.facts,
    )
    (out / "truth.json").write_bytes(msgspec.json.format(msgspec.json.encode(found), indent=2) + b"\n")
    if plan.settings:
        (out / "trailhound.toml").write_text(plan.settings, "utf-8")
    return found


def _play(
    plan: Story, history: list[Segment], seed: int, delivery: Delivery
) -> tuple[list[plot.Deed], list[plot.Deed], int]:
    """Deliver plot and quiet days; the deeds that are in the log, those that are not, and the quiet events."""
    logged: list[plot.Deed] = []
    unlogged: list[plot.Deed] = []
    for deed in plot.deeds(Stage(plan, seed), seed):
        (logged if delivery.add(deed.event) else unlogged).append(deed)
    quiet = 0
    for end, events in estate.days(Stage(plan, seed), history, seed):
        quiet += sum(map(delivery.add, events))
        delivery.flush(end)
    delivery.close()
    return logged, unlogged, quiet


def _history(plan: Story, events: int | None, days: int | None) -> list[Segment]:
    """The quiet stretches as asked for: the last `days` of them, `events` in all, at the same pace throughout."""
    segments = list(plan.history)
    if days is not None:
        segments = _last(segments, days)
    if events is not None:
        before = list(accumulate((_seconds(segment) for segment in segments), initial=0))
        reached = [events * part // max(before[-1], 1) for part in before]
        segments = [
            msgspec.structs.replace(segment, events=end - begin)
            for segment, (begin, end) in zip(segments, pairwise(reached), strict=True)
        ]
    return segments


def _last(segments: list[Segment], days: int) -> list[Segment]:
    """The last `days` at the same pace; the first stretch begins earlier when there are more."""
    begin = segments[-1].until - timedelta(days=days)
    found = []
    for segment in segments:
        earliest = segment is segments[0] and begin < segment.since
        since = begin if earliest else max(segment.since, begin)
        if since < segment.until:
            pace = segment.events / _seconds(segment)
            number = int(pace * (segment.until - since).total_seconds())
            found.append(msgspec.structs.replace(segment, since=since, events=number))
    return found


def _seconds(segment: Segment) -> int:
    return int((segment.until - segment.since).total_seconds())


def _blind(plan: Story) -> tuple[int, int] | None:
    if plan.blind is None:
        return None
    return int(plan.blind.since.timestamp()), int(plan.blind.until.timestamp())
