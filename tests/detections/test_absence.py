"""What does not follow is told once it is certain: not beyond the log's end, not in its gaps, and whenever events come."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from tests.detections.conftest import record
from tests.detections.test_incremental import Growing, history

from trailhound.detections.sigma import load_rules
from trailhound.lake import times
from trailhound.lake.times import HOUR

_START = times.interval("2024-01-01").start
_RULES = """
title: stopped
name: stopped
logsource: {product: aws, service: cloudtrail}
detection: {selection: {eventName: StopInstances}, condition: selection}
---
title: started
name: started
logsource: {product: aws, service: cloudtrail}
detection: {selection: {eventName: StartInstances}, condition: selection}
---
title: stopped and not started again
name: left
correlation:
  type: temporal_ordered
  rules: [stopped, started]
  condition: stopped and not started
  group-by: [userIdentity.userName]
  timespan: 2h
trailhound: {window: after}
"""
_TITLE = "stopped and not started again"


def _at(hours: float, name: str = "DescribeInstances", **fields: object) -> dict:
    return record(round(hours * 60), eventName=name, eventTime=times.text(_START + round(hours * HOUR)), **fields)


def _told(fires, events: list[dict]) -> list[int]:
    return [int(f.event_uids[0][-12:]) for f in fires(_RULES, events).findings if f.rule_title == _TITLE]


@pytest.mark.parametrize(
    ("shown", "events", "told"),
    [
        ("the log goes on past the window", [_at(10, "StopInstances"), _at(12.1)], [600]),
        ("the log ends with the window", [_at(10, "StopInstances"), _at(12)], []),
        ("the log ends within the window", [_at(10, "StopInstances"), _at(11)], []),
        ("it follows", [_at(10, "StopInstances"), _at(11, "StartInstances"), _at(15)], []),
        ("it follows in the last moment", [_at(10, "StopInstances"), _at(12, "StartInstances"), _at(15)], []),
        ("it follows too late", [_at(10, "StopInstances"), _at(12.1, "StartInstances"), _at(15)], [600]),
        ("it came before", [_at(9, "StartInstances"), _at(10, "StopInstances"), _at(15)], [600]),
        ("at the same time is after", [_at(10, "StopInstances"), _at(10, "StartInstances", eventID="x" * 36), _at(15)], []),
        ("another follows", [_at(10, "StopInstances"), _at(15), _at(11, "StartInstances", userIdentity={"type": "IAMUser",
            "userName": "bob", "accountId": "111122223333"})], [600]),
    ],
)  # fmt: skip
def test_when_an_absence_is_told(fires, shown, events, told):
    assert _told(fires, events) == told, shown


def _trail(hours: float, name: str) -> dict:
    return _at(hours, name, eventSource="cloudtrail.amazonaws.com", requestParameters={"name": "main"})


def test_nothing_is_told_of_the_time_in_which_a_trail_was_stopped(fires):
    stopped = [_trail(11, "StopLogging"), _trail(20, "StartLogging")]
    events = [_at(10, "StopInstances"), _at(18.5, "StopInstances"), _at(21, "StopInstances"), _at(30)]
    assert _told(fires, events) == [600, 1110, 1260]
    assert _told(fires, [*events, *stopped]) == [1260]


def test_nothing_is_told_of_hours_whose_events_are_missing(fires):
    """Of three weeks with twenty events in each hour, six hours are empty."""
    gap = range(400, 406)
    events = [
        {**_at(hour), "eventTime": times.text(_START + hour * HOUR + n * 60_000), "eventID": f"{hour:08d}-0000-0000-0000-{n:012d}"}
        for hour in range(21 * 24) for n in range(20) if hour not in gap
    ]  # fmt: skip
    stops = [_at(hour + 0.5, "StopInstances") for hour in (300, 398, 403, 450)]
    assert sorted(_told(fires, [*events, stops[0], stops[1], stops[3]])) == [300 * 60 + 30, 450 * 60 + 30]


_FOLLOWS = """
title: deletions
name: deletions
id: 00000000-0000-0000-0000-00000000000b
logsource: {product: aws, service: cloudtrail}
detection: {selection: {eventName: DeleteBucket}, condition: selection}
---
title: tags
name: tags
id: 00000000-0000-0000-0000-00000000000c
logsource: {product: aws, service: cloudtrail}
detection: {selection: {eventName: [CreateTags, TerminateInstances]}, condition: selection}
---
title: not followed
name: alone
id: 00000000-0000-0000-0000-00000000000d
correlation: {type: temporal_ordered, condition: deletions and not tags, timespan: 9h, group-by: [recipientAccountId]}
trailhound: {window: after}
---
title: again and again not followed
id: 00000000-0000-0000-0000-00000000000e
correlation: {type: event_count, rules: [alone], timespan: 2d, condition: {gte: 2}, generate: true}
---
title: a tag, and then a deletion without one
id: 00000000-0000-0000-0000-00000000000f
correlation: {type: temporal_ordered, rules: [tags, alone], timespan: 20h, generate: true}
"""


@pytest.mark.parametrize("seed", range(5))
def test_whatever_comes_when_the_absences_are_those_of_one_run(tmp_path: Path, seed: int) -> None:
    path = tmp_path / "rules.yml"
    path.write_text(_FOLLOWS, "utf-8")
    rules = load_rules([path])
    assert not rules.errors, str(rules.errors[0])
    dice = random.Random(seed)
    records = history(dice, 60)
    late = [one for one in records if dice.random() < 0.2]
    kept = [one for one in records if one not in late]
    growing, kinds = Growing(tmp_path / "lake", rules), set()
    for batch in (kept[:20], kept[20:22], kept[22:], late):
        growing.add(batch)
        growing.renew()
        at_once = growing.at_once()
        kinds |= {one.rule_title for one in at_once.values()}
        assert growing.stored == at_once
    assert {"not followed", "again and again not followed"} <= kinds


@pytest.mark.parametrize(
    ("correlation", "ours", "said"),
    [
        ("{type: event_count, rules: [stopped], timespan: 1h, condition: {gte: 2}}", "{window: after}", "what does not follow"),
        ("{type: temporal_ordered, rules: [stopped, started], timespan: 1h}", "{window: after}", "what does not follow"),
        ("{type: temporal, condition: stopped and not started, timespan: 1h}", "{window: after}", "what does not follow"),
        ("{type: temporal_ordered, condition: not started, timespan: 1h}", "{window: after}", "something must be there"),
        ("{type: temporal_ordered, condition: stopped and not stopped, timespan: 1h}", "{}", "never be met"),
        ("{type: temporal, condition: stopped and not left, timespan: 1h}", "{}", "only where it is certain"),
        ("{type: temporal_ordered, condition: stopped and not left, timespan: 1h}", "{}", "only where it is certain"),
        ("{type: event_count, rules: [left], timespan: 1h, condition: {lt: 2}}", "{}", "only where it is certain"),
        ("{type: temporal_ordered, rules: [stopped], timespan: 1h}", "{window: around}", "around"),
    ],
)  # fmt: skip
def test_an_absence_that_cannot_be_certain_is_refused(tmp_path, correlation, ours, said):
    path = tmp_path / "rules.yml"
    path.write_text(f"{_RULES}\n---\ntitle: x\ncorrelation: {correlation}\ntrailhound: {ours}\n")
    (error,) = load_rules([path]).errors
    assert said in error.what
    assert int(error.where.split(" ")[0].rpartition(":")[2]) > 22


def test_a_rule_alone_has_no_windows(tmp_path):
    path = tmp_path / "rule.yml"
    path.write_text(_RULES.split("---", maxsplit=1)[0] + "trailhound: {window: after}\n")
    assert "is for correlations" in load_rules([path]).errors[0].what
