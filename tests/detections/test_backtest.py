"""What is proposed to quiet rules hides what it says, is no more than is needed, and tells its price."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs
from tests.detections.test_exclusions import RULE, SIGNS, call, finding, lake

from trailhound import catalog
from trailhound.detections.backtest.attacks import Attack, attacks, hidden
from trailhound.detections.backtest.backtest import Backtest, backtest, per_day
from trailhound.detections.backtest.causes import SAFE, Features, Group, fewest, groups
from trailhound.detections.exclusions.applying import apply
from trailhound.detections.exclusions.reading import read
from trailhound.detections.rules import Rule
from trailhound.detections.sigma import load_rules
from trailhound.errors import RequestError
from trailhound.lake import times
from trailhound.model import Resource
from trailhound.workspace import Workspace

DAY = "2026-11-24"
START = times.interval("2024-01-01").start

values = st.sets(st.sampled_from("abc"), min_size=1, max_size=2).map(frozenset)
featured = st.dictionaries(st.sampled_from(["principal", "resource", "address"]), values, max_size=3)
histories = st.lists(st.tuples(st.sampled_from("xy"), featured), min_size=1, max_size=7).map(
    lambda made: [Features(str(n), rule, values) for n, (rule, values) in enumerate(made)]
)


def every_set(found: Sequence[Features]) -> list[frozenset[str]]:
    """What each exclusion of one value a scope would hold, whatever scopes it names together."""
    names = ("principal", "resource", "address")
    held: set[frozenset[str]] = set()
    for rule in "xy":
        for size in (1, 2, 3):
            for chosen in itertools.combinations(names, size):
                for wanted in itertools.product("abc", repeat=size):
                    scope = dict(zip(chosen, wanted, strict=True))
                    fits = [
                        f for f in found if f.rule_uid == rule and all(f.values.get(n) == {v} for n, v in scope.items())
                    ]
                    held.add(frozenset(one.uid for one in fits))
    return sorted(held - {frozenset()}, key=sorted)


def needed(sets: Sequence[frozenset[str]], wanted: int) -> int:
    return next(
        size
        for size in range(len(sets) + 1)
        for chosen in itertools.combinations(sets, size)
        if len(frozenset[str]().union(*chosen)) >= wanted
    )


@given(histories, st.integers(0, 7))
def test_no_more_exclusions_than_the_bound_allows(found: list[Features], wanted: int) -> None:
    sets = every_set(found)
    reachable = min(wanted, len(frozenset[str]().union(*sets)))
    chosen = [group.uids for group in fewest(groups(found, SAFE), wanted)]
    assert len(frozenset[str]().union(*chosen)) >= reachable
    bound = sum(1 / n for n in range(1, reachable + 1)) * needed(sets, reachable)
    assert len(chosen) <= math.floor(bound + 1e-9)
    for one in chosen:
        assert len(frozenset[str]().union(*(other for other in chosen if other is not one))) < reachable


def slow_fewest(candidates: Sequence[Group], wanted: int) -> list[Group]:
    """The largest of what is left, each time looked for anew; then each is left out without which it is enough."""
    chosen: list[Group] = []
    while len(held(chosen)) < wanted:
        best = max(candidates, key=lambda group: len(group.uids - held(chosen)), default=None)
        if best is None or best.uids <= held(chosen):
            break
        chosen.append(best)
    enough = min(wanted, len(held(chosen)))
    for group in sorted(chosen, key=lambda one: len(one.uids)):
        rest = [one for one in chosen if one is not group]
        chosen = rest if len(held(rest)) >= enough else chosen
    return chosen


def held(chosen: Sequence[Group]) -> frozenset[str]:
    return frozenset[str]().union(*(group.uids for group in chosen))


@given(st.lists(st.frozensets(st.sampled_from("abcdefgh"), min_size=1), max_size=8), st.integers(0, 9))
def test_the_largest_is_taken_each_time_and_the_superfluous_left_out(sets: list[frozenset[str]], wanted: int) -> None:
    candidates = [Group(str(n), {}, uids) for n, uids in enumerate(sets)]
    assert fewest(candidates, wanted) == slow_fewest(candidates, wanted)


def test_one_that_later_ones_make_superfluous_is_left_out() -> None:
    candidates = [Group("", {}, frozenset(uids)) for uids in ("abcd", "abe", "cdf")]
    assert [set(group.uids) for group in fewest(candidates, 6)] == [set("abe"), set("cdf")]


agents = st.text(st.sampled_from(SIGNS), min_size=1, max_size=4)
touched = st.lists(
    st.sampled_from(["bucket", "bu*ket", "b\\*", "b'\n- rule: all", "'", " ", "x" * 2001]), max_size=2, unique=True
)
sources = st.sampled_from(["198.51.100.7", "203.0.113.1", "2001:db8::1", "AWS Internal"])
calls = st.lists(st.tuples(st.sampled_from(["alice", "b*b", "b\\b"]), sources, agents), min_size=1, max_size=3)
made = st.lists(st.tuples(calls, touched, st.sampled_from([RULE, "all", "other"])), min_size=1, max_size=6)


@settings(max_examples=25)  # each derives its sessions
@given(made, st.integers(0, 6))
def test_a_proposal_that_is_pasted_hides_what_it_said(
    tmp_path_factory: pytest.TempPathFactory, history: list[tuple[Any, list[str], str]], allowed: int
) -> None:
    numbers = itertools.count(1)
    records, found = [], []
    for number, (events, resources, rule) in enumerate(history):
        own = [next(numbers) for _ in events]
        records += [
            call(n, user=user, sourceIPAddress=ip, userAgent=agent)
            for n, (user, ip, agent) in zip(own, events, strict=True)
        ]
        named = tuple(Resource(uid=uid) for uid in resources)
        found.append(finding(number, own, rule_uid=rule, rule_title=f"title of {rule}", resources=named))
    engine = lake(records)
    result = tried(engine, found, f"{allowed}/day")
    path = tmp_path_factory.mktemp("pasted") / "exclusions.yml"
    for proposal in result.proposals:
        path.write_text(proposal.yaml, "utf-8")
        pasted = read([path], longest_days=366)
        assert not pasted.errors, str(pasted.errors[0])
        assert len(apply(engine, found, pasted.exclusions, DAY).hidden) == proposal.findings
    path.write_text("".join(proposal.yaml for proposal in result.proposals), "utf-8")
    together = apply(engine, found, read([path], longest_days=366).exclusions, DAY)
    assert len(found) - len(together.hidden) == result.left
    assert len(result.causes) <= 5
    engine.close()


def tried(engine: Any, found: Sequence[Any], budget: str, **more: Any) -> Backtest:
    rules = [rule(uid) for uid in dict.fromkeys(one.rule_uid for one in found)]
    given = {"author": "me", "today": DAY, "span": ("2024-01-01", "2024-01-01"), **more}
    return backtest(engine, found, rules, budget=budget, **given)


def rule(uid: str) -> Rule:
    (known, *_) = load_rules([catalog.PACKS / "rules" / "aws_account_contacts_changed.yml"]).rules
    return type(known)(
        uid=uid, name="", title=f"title of {uid}", description="", level="low", kind="sigma", logic=known.logic
    )


def test_days_are_those_of_the_first_event_and_none_is_left_out() -> None:
    found = [finding(n, [1], first_seen_time=START + hour * times.HOUR) for n, hour in enumerate([-5, 0, 23, 24, 71])]
    result = tried(lake([call(1)]), found, "", span=("2024-01-01", "2024-01-03"))
    assert result.days == 3
    (fires,) = result.rules
    assert fires.days == (3, 1, 1)
    assert (result.left, result.proposals, result.allowed) == (5, (), None)


def test_what_is_excluded_already_is_counted_apart() -> None:
    found = [finding(0, [1]), finding(1, [2], status="suppressed")]
    result = tried(lake([call(1), call(2)]), found, "0/day")
    assert (result.findings, result.excluded, result.left) == (2, 1, 0)
    assert [proposal.findings for proposal in result.proposals] == [1]


def test_a_user_agent_may_be_a_cause_but_no_exclusion() -> None:
    records = [call(n, user=f"u{n}", sourceIPAddress=f"10.0.0.{n}", userAgent="scanner") for n in range(1, 8)]
    result = tried(lake(records), [finding(n, [n]) for n in range(1, 8)], "3/day")
    assert result.causes[0].scope == {"user_agent": ("scanner",)}
    assert result.causes[0].findings == 7
    assert len(result.proposals) == 4
    assert not any(proposal.exclusion.user_agent for proposal in result.proposals)


def test_nothing_is_proposed_for_a_finding_whose_events_are_not_all_known() -> None:
    result = tried(lake([call(1)]), [finding(0, [1, 2])], "0/day")
    assert (result.proposals, result.left) == ((), 1)


@pytest.mark.parametrize(
    ("titles", "written"), [(("Called", "Other"), "Called"), (("Called", "Called"), RULE), (("all", "Other"), RULE)]
)
def test_a_rule_is_written_by_its_title_where_that_means_it_alone(titles: tuple[str, str], written: str) -> None:
    found = [finding(0, [1], rule_title=titles[0])]
    known = [structs.replace(rule(uid), title=title) for uid, title in zip((RULE, "other"), titles, strict=True)]
    result = backtest(lake([call(1)]), found, known, span=("2024-01-01", "2024-01-01"), budget="0/day", today=DAY)
    assert [proposal.exclusion.rule for proposal in result.proposals] == [(written,)]


def test_a_single_finding_has_no_cause() -> None:
    records = [call(n, user=f"u{n}", sourceIPAddress=f"10.0.0.{n}") for n in range(1, 4)]
    assert tried(lake(records), [finding(n, [n]) for n in range(1, 4)], "").causes == ()


def test_an_exclusion_is_as_narrow_as_what_it_hides() -> None:
    records = [call(n, sourceIPAddress=f"10.0.0.{n % 2}") for n in range(1, 9)]
    found = [finding(n, [n], resources=(Resource(uid=f"i-{n}"),)) for n in range(1, 9)]
    (proposal,) = tried(lake(records), found, "0/day").proposals
    assert proposal.exclusion.address == ("10.0.0.0", "10.0.0.1")
    assert proposal.exclusion.resource == (), "eight are too many to be listed"


@pytest.mark.parametrize(("text", "expected"), [("5/day", 5.0), ("7/week", 1.0), ("0/day", 0.0)])
def test_a_budget_is_a_number_a_day(text: str, expected: float) -> None:
    assert per_day(text) == expected


@pytest.mark.parametrize("text", ["5", "5/hour", "-1/day", "five/day", "1e3/day", "5/day ", "٥/day"])
def test_what_is_no_budget_is_refused(text: str) -> None:
    with pytest.raises(RequestError):
        per_day(text)


@pytest.fixture(scope="module")
def rules() -> tuple[Rule, ...]:
    found = load_rules([catalog.PACKS / "rules"])
    assert not found.errors, str(found.errors[0])
    return found.rules


@pytest.fixture(scope="module")
def played(rules: tuple[Rule, ...]) -> list[Attack]:
    return list(attacks(rules))


def test_every_attack_is_played_and_its_benign_twin_is_none(played: list[Attack]) -> None:
    stories = {path.stem for path in catalog.files("stories")}
    assert {one.story for one in played} == stories - {"quiet", "approved_termination"}


def test_hidden_and_still_told_make_up_the_attack(played: list[Attack], rules: tuple[Rule, ...]) -> None:
    titles = {rule.uid: rule.title for rule in rules}
    for attack in played:
        for uid in {one.rule_uid for one in attack.found}:
            (told,) = hidden(uid, [attack])
            assert told.hidden == sum(one.rule_uid == uid for one in attack.found)
            assert told.found == len(attack.found)
            assert titles[uid] not in told.still
            assert bool(told.still) == (told.hidden < told.found)
    assert hidden("another", played) == ()


def test_an_attack_within_the_scope_is_hidden_as_it_was_said(played: list[Attack], tmp_path: Path) -> None:
    """The stolen key, ingested and detected, with an exclusion of each rule for whoever it belongs to."""
    workspace = Workspace.open(tmp_path / "w")
    workspace.simulate("stolen_key", tmp_path / "logs", events=200, days=3)
    workspace.ingest([tmp_path / "logs"])
    found = workspace.detect(rules=[catalog.PACKS / "rules"], no_pack=True).findings
    (attack,) = [one for one in played if one.story == "stolen_key"]
    compared, today = 0, datetime.now(UTC).date().isoformat()
    for uid in sorted({one.rule_uid for one in attack.found}):
        own = [one for one in found if one.rule_uid == uid]
        lines = [f"- rule: {uid}", f"  principal: {own[0].principal_uid}", "  reason: r", "  author: a"]
        text = "\n".join([*lines, f"  created: {today}", f"  expires: {today}", ""])
        (workspace.folder / "exclusions.yml").write_text(text, "utf-8")
        (told,) = hidden(uid, [attack])
        if len({one.principal_uid for one in own}) == 1:
            assert len(workspace.excluded()) == told.hidden
            compared += 1
    assert compared
