"""Step 4 follows what could change the verdict most, sets aside what is no news, and says what it did not follow."""

from __future__ import annotations

import msgspec
from tests.investigation.history import ACCOUNT, HOME, History, call, role, user

from trailhound import catalog
from trailhound.investigation import pivots, scope, steps
from trailhound.investigation.questions import questions
from trailhound.model import Investigation, Lead
from trailhound.settings import Settings

THIEF = "203.0.113.66"
ELSEWHERE = "444455556666"


def _followed(*alert: dict, others: tuple[dict, ...] = ()) -> tuple[Investigation, dict[str, Lead]]:
    history = History(alert, others)
    inputs = steps.Inputs(engine=history.engine, settings=Settings(), findings=[], as_of={}, versions={})
    finding = history.finding()
    found = steps.investigate(inputs, scope.of_finding(history.engine, finding), finding=finding, observable=None)
    assert found.chase
    return found, {lead.observable.value: lead for lead in found.chase.leads}


def _made(name: str, hours: float = 0) -> dict:
    made = {"user": {"arn": f"arn:aws:iam::{ACCOUNT}:user/{name}", "userName": name}}
    asked = {"requestParameters": {"userName": name}, "responseElements": made}
    return call("CreateUser", hours, service="iam", region=HOME, **asked)


def _consistent(found: Investigation) -> None:
    """Whatever was revealed has the answer that did it; whatever was asked belongs to what was followed."""
    assert found.chase
    answers, leads = {a.uid: a for a in found.answers}, found.chase.leads
    assert len({lead.observable for lead in leads}) == len(leads)
    for lead in leads:
        assert lead.status != "open"
        assert lead.reason
        assert [hop for hop in found.chase.hops if hop.target == lead.observable]
        assert bool(lead.answers) == (lead.status == "followed")
    assert sum(lead.status == "followed" for lead in leads) <= found.chase.budget
    assert all(answers[hop.answer].observable == hop.source for hop in found.chase.hops)
    assert sorted(uid for lead in leads for uid in lead.answers) == sorted(a.uid for a in found.answers if a.step == 4)


def test_whom_the_actor_made_and_a_stranger_are_followed_and_who_is_there_every_day_is_set_aside():
    at_work = [call("DescribeInstances", 24 * day, userIdentity=user("bob")) for day in range(-9, -1)]
    once = call("DescribeInstances", -1, userIdentity=user("mallory"))
    found, leads = _followed(_made("eve"), others=(*at_work, once))
    _consistent(found)
    eve, bob, mallory = (leads[f"arn:aws:iam::{ACCOUNT}:user/{name}"] for name in ("eve", "bob", "mallory"))
    assert (eve.status, mallory.status, bob.status) == ("followed", "followed", "set aside")
    assert "eight days" in bob.reason
    assert found.chase
    assert "user.persistence" in {hop.answer for hop in found.chase.hops if hop.target == eve.observable}
    assert eve.score > mallory.score


def test_what_the_budget_leaves_is_named(monkeypatch):
    two = msgspec.structs.replace(pivots._pack(), followed=2)
    monkeypatch.setattr(pivots, "_pack", lambda: two)
    others = tuple(
        call("DescribeInstances", -n, userIdentity=user(f"user{n}"), sourceIPAddress=THIEF) for n in range(1, 6)
    )
    found, leads = _followed(call("StopLogging", service="cloudtrail", sourceIPAddress=THIEF), others=others)
    _consistent(found)
    strangers = [lead for lead in leads.values() if lead.observable.kind == "user"]
    left = [lead for lead in strangers if lead.status == "not followed"]
    assert len(strangers) == 5
    assert len(left) >= 3
    assert all("beyond the budget of two artifacts" in lead.reason for lead in left)


def test_a_role_of_another_account_is_followed_there():
    there = f"arn:aws:iam::{ELSEWHERE}:role/admin"
    taken = call(
        "AssumeRole", -1, service="sts", requestParameters={"roleArn": there, "roleSessionName": "work"},
        responseElements={"credentials": {"accessKeyId": "ASIAELSEWHERE0000000", "expiration": "May 20, 2024 2:00:00 PM"}},
    )  # fmt: skip
    hands = role("admin", "ASIAELSEWHERE0000000", account=ELSEWHERE)
    made = call("CreateUser", -0.5, service="iam", region=HOME, userIdentity=hands, recipientAccountId=ELSEWHERE)
    found, leads = _followed(call("StopLogging", service="cloudtrail"), others=(taken, made))
    _consistent(found)
    assert leads[there].status == "followed"
    assert ELSEWHERE in next(a for a in found.answers if a.uid in leads[there].answers).basis.accounts


def test_every_question_that_is_followed_exists_and_is_of_that_kind():
    kinds = {question.id: question.kind for question in questions()}
    pack = pivots._pack()
    for kind, spec in pack.kinds.items():
        assert spec.ask
        assert {kinds[name] for name in spec.ask} - {"time"} == {kind}, kind
    assert kinds.keys() >= {*pack.revealed_by, *(one.question for one in pack.reveals)}
    stories = set(catalog.documents(catalog.PACKS / "explanations.yml")[0])
    named = {name for k in pack.kinds.values() for v in k.ask.values() for w in v.values() for name in w}
    assert named <= stories
