"""Findings made as events come are those of one run over everything."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.detections.conftest import record

from trailhound.detections.detect import detect
from trailhound.detections.incremental import Span, keep, renew, spans
from trailhound.detections.placeholders import Placeholders, Production
from trailhound.detections.rules import RuleSet
from trailhound.detections.sigma import load_rules
from trailhound.engines.duckdb import DuckDB
from trailhound.identity.derive import derive
from trailhound.identity.tables import DERIVED
from trailhound.lake import times
from trailhound.lake.arrow import events_table
from trailhound.lake.lake import Lake
from trailhound.lake.times import DAY, HOUR
from trailhound.model import Finding, Record
from trailhound.ocsf.normalize import normalize

START = times.interval("2024-01-01").start
PLACEHOLDERS = Placeholders(production=Production(tags=("env=prod",)))
RULES = """
title: one call
name: one
id: 00000000-0000-0000-0000-00000000000a
logsource: {product: aws, service: cloudtrail}
detection: {selection: {eventName: StopLogging}, condition: selection}
trailhound: {episode: 6h}
---
title: tags
id: 00000000-0000-0000-0000-000000000015
logsource: {product: aws, service: cloudtrail}
detection: {selection: {eventName: [CreateTags, AssumeRole]}, condition: selection}
trailhound: {episode: 8h}
---
title: deletions
name: deletions
id: 00000000-0000-0000-0000-00000000000b
logsource: {product: aws, service: cloudtrail}
detection: {selection: {eventName: DeleteBucket}, condition: selection}
---
title: terminations of production
name: production
id: 00000000-0000-0000-0000-00000000000c
logsource: {product: aws, service: cloudtrail, category: resource}
detection: {selection: {eventName: TerminateInstances, resource.uid|expand: "%production_instances%"}, condition: selection}
---
title: many deletions
name: many
id: 00000000-0000-0000-0000-00000000000d
correlation: {type: event_count, rules: [deletions], group-by: [userIdentity.userName], timespan: 4h, condition: {gte: 3}}
---
title: deletions in several accounts
id: 00000000-0000-0000-0000-00000000000e
correlation: {type: value_count, rules: [deletions], group-by: [userIdentity.userName], timespan: 9h,
  condition: {gte: 2, field: recipientAccountId}}
---
title: stopped, then deleted
id: 00000000-0000-0000-0000-00000000000f
correlation: {type: temporal_ordered, rules: [one, deletions], group-by: [userIdentity.userName], timespan: 7h}
---
title: deleted without having been stopped
id: 00000000-0000-0000-0000-000000000010
correlation: {type: temporal, rules: [one, deletions], group-by: [userIdentity.userName], timespan: 5h,
  condition: deletions and not one}
---
title: few deletions
id: 00000000-0000-0000-0000-000000000011
correlation: {type: event_count, rules: [deletions], group-by: [recipientAccountId], timespan: 3h, condition: {lt: 2}}
---
title: many deletions, again and again
id: 00000000-0000-0000-0000-000000000012
correlation: {type: event_count, rules: [many], group-by: [userIdentity.userName], timespan: 30h, condition: {gte: 2}}
---
title: deletions of one person
id: 00000000-0000-0000-0000-000000000013
correlation: {type: event_count, rules: [deletions], group-by: [origin_uid], timespan: 4h, condition: {gte: 3}}
---
title: much of production
id: 00000000-0000-0000-0000-000000000014
correlation: {type: value_count, rules: [production], group-by: [userIdentity.userName], timespan: 12h,
  condition: {gte: 2, field: resource.uid}}
"""


@pytest.fixture(scope="module")
def rules(tmp_path_factory: pytest.TempPathFactory) -> RuleSet:
    path = tmp_path_factory.mktemp("rules") / "rules.yml"
    path.write_text(RULES, "utf-8")
    found = load_rules([path])
    assert not found.errors, str(found.errors[0])
    return found


def history(dice: random.Random, count: int) -> list[dict[str, Any]]:
    """Calls of three weeks, in bursts, by users and in a role's sessions that they open."""
    found = []
    at = START
    for number in range(count):
        at += int(dice.expovariate(1 / (DAY if dice.random() < 0.15 else 2 * HOUR)))
        name = dice.choice(["alice", "bob"])
        call = dice.choice(["DeleteBucket"] * 4 + ["StopLogging", "TerminateInstances", "CreateTags", "AssumeRole"])
        one = record(
            number, eventName=call, eventTime=times.text(at), recipientAccountId=dice.choice(["1" * 12, "2" * 12])
        )
        one["userIdentity"] |= {
            "userName": name,
            "principalId": f"AIDA{name.upper()}",
            "accessKeyId": f"AKIA{name.upper()}",
        }
        items = {"items": [{"instanceId": f"i-0000000000000000{dice.randrange(4)}"} for _ in range(2)]}
        if call == "TerminateInstances":
            one["requestParameters"] = {"instancesSet": items}
        elif call == "CreateTags":
            ids = [{"resourceId": item["instanceId"]} for item in items["items"]]
            one["requestParameters"] = {
                "resourcesSet": {"items": ids}, "tagSet": {"items": [{"key": "env", "value": "prod"}]}
            }  # fmt: skip
        elif call == "AssumeRole":
            issued = {"accessKeyId": f"ASIA{number:016d}"}
            role = {"assumedRoleId": f"AROAX:s{number}", "arn": f"arn:aws:sts::{'1' * 12}:assumed-role/r/s{number}"}
            one["eventSource"] = "sts.amazonaws.com"
            one["responseElements"] = {"credentials": issued, "assumedRoleUser": role}
            found.append(one)
            at += HOUR
            session = {"attributes": {"creationDate": one["eventTime"]}}
            who = {
                "type": "AssumedRole",
                "principalId": f"AROAX:s{number}",
                "arn": role["arn"],
                "sessionContext": session,
            }
            own = record(1_000_000 + number, eventName="DeleteBucket", eventTime=times.text(at))
            one = own | {"userIdentity": {**who, "accessKeyId": issued["accessKeyId"], "accountId": "1" * 12}}
        found.append(one)
    return found


class Growing:
    """A workspace in small: events come, findings are renewed."""

    def __init__(self, root: Path, rules: RuleSet) -> None:
        self.lake, self.rules = Lake.create(root), rules
        self.stored: dict[str, Finding] = {}

    def add(self, records: list[dict[str, Any]]) -> None:
        batch = normalize(Record(json.dumps(r).encode(), "s", i) for i, r in enumerate(records))
        self.lake.append("events", events_table(batch.columns))
        derive(self.lake, DERIVED)

    def engine(self) -> DuckDB:
        engine = DuckDB(threads=1)
        self.lake.mount(engine)
        return engine

    def renew(self) -> int:
        made = renew(self.engine(), self.lake, self.rules, PLACEHOLDERS, list(self.stored.values()), whole=False)
        assert not set(made.gone) - self.stored.keys()
        self.stored = {uid: one for uid, one in self.stored.items() if uid not in made.gone}
        self.stored |= {one.uid: one for one in made.found.findings}
        assert {one.uid: one for one in made.current} == {
            uid: one for uid, one in self.stored.items() if one.rule_uid in {rule.uid for rule in self.rules.rules}
        }
        assert made.state
        assert made.days is not None
        keep(self.lake, made.state)
        return made.days

    def at_once(self) -> dict[str, Finding]:
        return {one.uid: one for one in detect(self.engine(), self.rules, placeholders=PLACEHOLDERS).findings}


@pytest.mark.parametrize("seed", range(4))
def test_whatever_comes_when_the_findings_are_those_of_one_run(tmp_path: Path, rules: RuleSet, seed: int) -> None:
    dice = random.Random(seed)
    records = history(dice, 90)
    late = [one for one in records if dice.random() < 0.2]
    batches = [[], [], [], late]
    for one in records:
        if one not in late:
            batches[min(3 * records.index(one) // len(records), 2)].append(one)
    growing = Growing(tmp_path, rules)
    kinds = set()
    for batch in batches:
        if batch:
            growing.add(batch)
        growing.renew()
        at_once = growing.at_once()
        kinds |= {one.rule_title for one in at_once.values()}
        assert growing.stored == at_once
    assert len(kinds) >= 7, kinds


def test_only_what_changed_is_looked_at(tmp_path: Path, rules: RuleSet) -> None:
    growing = Growing(tmp_path, rules)
    growing.add([record(n, eventName="DeleteBucket", eventTime=times.text(START + n * DAY)) for n in range(12)])
    assert growing.renew() == 12
    assert growing.renew() == 0
    growing.add([record(90, eventName="DeleteBucket", eventTime=times.text(START + 11 * DAY + HOUR))])
    assert growing.renew() == 1
    other = RuleSet(rules=rules.rules[:2])
    growing.rules = other
    assert growing.renew() == 12


def test_a_late_call_that_tells_who_it_was_is_heard_on_the_days_of_the_session(tmp_path: Path, rules: RuleSet) -> None:
    opened, used = "2024-01-04T23:50:00Z", ["2024-01-05T00:10:00Z", "2024-01-05T00:20:00Z"]
    arn = f"arn:aws:sts::{'1' * 12}:assumed-role/r/s"
    session = {"type": "AssumedRole", "principalId": "AROAX:s", "arn": arn, "accessKeyId": "ASIA0123456789ABCDEF"}
    session |= {"accountId": "1" * 12, "sessionContext": {"attributes": {"creationDate": opened}}}
    alice = {"type": "IAMUser", "userName": "alice", "accountId": "111122223333", "accessKeyId": "AKIAALICE"}
    issued = {"credentials": {"accessKeyId": session["accessKeyId"]}}
    issued["assumedRoleUser"] = {"assumedRoleId": "AROAX:s", "arn": arn}
    growing = Growing(tmp_path, rules)
    growing.add(
        [
            *(record(n, eventName="DeleteBucket", eventTime=at, userIdentity=session) for n, at in enumerate(used)),
            record(7, eventName="DeleteBucket", eventTime="2024-01-05T01:00:00Z", userIdentity=alice),
        ]
    )
    growing.renew()
    assert "deletions of one person" not in {one.rule_title for one in growing.stored.values()}
    call = record(8, eventName="AssumeRole", eventTime=opened, userIdentity=alice, responseElements=issued)
    growing.add([call | {"eventSource": "sts.amazonaws.com"}])
    assert growing.renew() == 2
    assert "deletions of one person" in {one.rule_title for one in growing.stored.values()}
    assert growing.stored == growing.at_once()


def test_findings_of_other_rules_stay_and_own_ones_grow(tmp_path: Path, rules: RuleSet) -> None:
    growing = Growing(tmp_path, rules)
    growing.add([record(1, eventName="CreateTags")])
    growing.renew()
    (finding,) = (one for one in growing.stored.values() if one.rule_title == "tags")
    other = msgspec.structs.replace(finding, uid="other", rule_uid="x")
    growing.stored["other"] = other
    growing.add([record(2, eventName="CreateTags", eventTime="2024-01-01T00:20:00Z")])
    growing.renew()
    assert growing.stored["other"] == other
    assert growing.stored[finding.uid].count == 2


def test_a_span_takes_in_what_reaches_into_it() -> None:
    day = times.interval("2024-01-05").start

    def finding(first: int, last: int) -> Any:
        return type("F", (), {"first_seen_time": first, "last_seen_time": last})()

    assert spans(["2024-01-05"], HOUR, []) == [Span(day - HOUR, day + DAY - 1 + HOUR)]
    long = finding(day - 3 * DAY, day - HOUR)
    touching = finding(day - 4 * DAY, day - 3 * DAY - HOUR)
    apart = finding(day - 9 * DAY, day - 8 * DAY)
    grown = spans(["2024-01-05"], HOUR, [apart, touching, long])
    assert grown == [Span(day - 4 * DAY - HOUR, day + DAY - 1 + HOUR)]
    assert spans(["2024-01-05", "2024-01-09"], HOUR, [])[1].first == day + 4 * DAY - HOUR
