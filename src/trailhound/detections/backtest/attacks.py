"""The simulated attacks, and what an exclusion would have hidden of each.

The attacks are played without the quiet days around them, through the rules as they are. An exclusion speaks of
principals, addresses and resources of this organisation, which no story knows; so the question is put the other way
round: had the attacker worked with those credentials, from there, against that, what would still have been found?
Baselines need weeks of habits before them and are not played: what they would find comes on top.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Sequence

import msgspec

from trailhound import catalog
from trailhound.detections.baselines.baseline import Baseline
from trailhound.detections.detect import detect
from trailhound.detections.placeholders import Placeholders
from trailhound.detections.rules import Rule
from trailhound.engines.duckdb import DuckDB
from trailhound.lake.arrow import ddl, events_table
from trailhound.lake.tables import TABLES
from trailhound.model import Finding, Record
from trailhound.ocsf.normalize import normalize
from trailhound.settings import Settings
from trailhound.simulation import plot, story
from trailhound.simulation.actors import Stage
from trailhound.simulation.story import Story


class Attack(msgspec.Struct, frozen=True):
    story: str
    found: tuple[Finding, ...]  # that hold an event of the attack


class Hidden(msgspec.Struct, frozen=True, kw_only=True):
    """Of one attack, made as an exclusion has it."""

    story: str
    found: int  # findings without the exclusion
    hidden: int  # of these
    still: tuple[str, ...]  # titles of the rules that would have found it all the same


def attacks(rules: Sequence[Rule]) -> Iterator[Attack]:
    """Every built-in story that has an attack which these rules find, by name."""
    told = [rule for rule in rules if not isinstance(rule.logic, Baseline)]
    engine = DuckDB(threads=1)
    try:
        for path in catalog.files("stories"):
            if found := _found(engine, story.load(path), told):
                yield Attack(path.stem, found)
    finally:
        engine.close()


def hidden(rule_uid: str, played: Sequence[Attack]) -> tuple[Hidden, ...]:
    """What an exclusion of this rule would have hidden, of the attacks of which it would have hidden anything."""
    found: list[Hidden] = []
    for attack in played:
        away = [one for one in attack.found if one.rule_uid == rule_uid]
        still = dict.fromkeys(one.rule_title for one in attack.found if one not in away)
        if away:
            found.append(Hidden(story=attack.story, found=len(attack.found), hidden=len(away), still=tuple(still)))
    return tuple(found)


def _found(engine: DuckDB, plan: Story, rules: Sequence[Rule]) -> tuple[Finding, ...]:
    deeds = [deed for deed in plot.deeds(Stage(plan, plan.seed), plan.seed) if _logged(plan, deed.event.time)]
    hostile = {deed.event.uid for deed in deeds if not deed.phase.benign}
    if not hostile:
        return ()
    records = (Record(deed.event.text.encode(), plan.summary, n) for n, deed in enumerate(deeds))
    engine.mount_arrow("events", events_table(normalize(records).columns))
    for name in ("integrity", "integrity_periods"):  # what tells an absence reads them: nobody verified this log
        engine.mount(name, [], ddl=ddl(TABLES[name].columns))
    known = msgspec.convert(tomllib.loads(plan.settings), Settings)
    found = detect(engine, rules, placeholders=Placeholders.of(known))
    return tuple(one for one in found.findings if not hostile.isdisjoint(one.event_uids))


def _logged(plan: Story, time: int) -> bool:
    return plan.blind is None or not plan.blind.since.timestamp() < time < plan.blind.until.timestamp()
