"""Whom and what an answer speaks of: the actor and nobody else, the thing itself and not its namesake."""

from __future__ import annotations

import re

import msgspec
import pytest
from tests.investigation.history import ALERT, DAY, HOUR, History, call, role, user

from trailhound.investigation import scope, steps, timeline
from trailhound.investigation.evidence import Evidence
from trailhound.investigation.questions import questions
from trailhound.settings import Settings

TERMINATE = call(
    "TerminateInstances", requestParameters={"instancesSet": {"items": [{"instanceId": "i-0123456789abcdef0"}]}}
)


def _finding(history, uid, events, *, days=0.0, lasts=0.0):
    begin = int(ALERT + days * DAY)
    return msgspec.structs.replace(
        history.finding(),
        uid=uid * 16,
        title=f"finding {uid}",
        event_uids=tuple(events),
        first_seen_time=begin,
        last_seen_time=int(begin + lasts * DAY),
    )


@pytest.mark.parametrize(
    ("events", "days", "lasts", "verdict"),
    [
        (["alert-0"], 0, 0, "yes"),  # of some of the same events
        (["alert-0", "alert-1", "event-0001"], 0, 0, "yes"),  # of these and more
        (["alert-0", "alert-1"], 0, 0, "no"),  # another rule about just these
        (["event-0001"], -40, 35, "yes"),  # began long before, and went on
        (["event-0001"], -40, 1, "no"),
        (["event-0001"], 31, 0, "no"),
    ],
)
def test_a_finding_is_another_unless_it_is_of_the_same_events(events, days, lasts, verdict):
    history = History([TERMINATE, TERMINATE])
    others = [history.finding(), _finding(history, "a", events, days=days, lasts=lasts)]
    assert history.ask("user.other_findings", findings=others).verdict == verdict


def test_of_an_observable_every_finding_is_another():
    history = History([TERMINATE])
    found = history.ask_of("user=ann", "user.other_findings", findings=[history.finding()], window=0)
    assert found.verdict == "yes"
    assert found.sentence == "One finding concerns ann: “Something happened”."


_OF_THE_THING = {  # these speak of whoever touched it, or count the principal's part beside the others'
    *("bucket.read", "bucket.outflow_unusual", "instance.replaced", "ip_address.who_else", "operation.cadence"),
    *("resource.others", "time.coincides", "user.other_findings"),
}


def test_a_question_about_the_actor_needs_one():
    """Where several principals are meant, none of them is "the actor"."""
    reads = re.compile(r"\$principal|(?:FROM|JOIN) (?:actor|hands|rights|sign_in)\b")
    without = {q.id for q in questions() if reads.search(q.sql) and not q.needs.single_actor}
    assert without == _OF_THE_THING


def test_the_attribute_of_anothers_session_is_not_the_actors():
    both = [TERMINATE, call("DescribeVpcs", -0.1, userIdentity=role("admin", "ASIAADMIN00000000000"))]
    history = History(both)
    assert history.ask_of(f"ip_address={TERMINATE['sourceIPAddress']}", "user.mfa", window=1).verdict == "unknown"
    assert history.ask("operation.first_time").gaps[0].what == "single_actor"


@pytest.mark.parametrize(
    ("kind", "uid", "same"),
    [
        ("AWS::SSM::Document", "AWS-RunShellScript", False),
        ("AWS::SSM::Document", "arn:aws:ssm:us-east-2::document/AWS-RunShellScript", False),
        ("AWS::IAM::Policy", "arn:aws:iam::aws:policy/AdministratorAccess", False),
        ("AWS::KMS::Key", "arn:aws:kms:us-east-2:111122223333:key/k", True),
        ("AWS::S3::Bucket", "arn:aws:s3:::a-bucket", True),
    ],
)
def test_what_all_accounts_share_is_another_thing_in_another_account(kind, uid, same):
    alert = call("Touch", resources=[{"type": kind, "ARN": uid}])
    here = call("Touch", -50, resources=[{"type": kind, "ARN": uid}], userIdentity=user("eve", "AKIAEVE0000000000000"))
    there = here | {"recipientAccountId": "999999999999"}
    assert _touched_before(History([alert], [here])) == 1
    assert _touched_before(History([alert], [there])) == int(same)


def _touched_before(history):
    evidence = Evidence(history.engine, scope.of_finding(history.engine, history.finding()), Settings(), ())
    return evidence.query("SELECT count(*) AS n FROM target WHERE time < $at")[0]["n"]


ASSUMES = call("AssumeRole", -1, service="sts", requestParameters={"roleArn": "arn:aws:iam::111122223333:role/admin"})
LAUNCH = call("RunInstances", -0.5, userIdentity=role("admin", "ASIAADMIN00000000000"))


def test_what_a_role_did_is_part_of_it():
    alone = History([ASSUMES, LAUNCH]).scope_of("role=arn:aws:iam::111122223333:role/admin")
    by_name = History([ASSUMES, LAUNCH]).scope_of("role=admin")
    assert alone.operations == by_name.operations == ("AssumeRole", "RunInstances")
    namesake = History([ASSUMES, LAUNCH | {"userIdentity": user("admin")}]).scope_of("role=admin")
    assert namesake.operations == ("AssumeRole",)


def _investigate(history, observable, window=1.0):
    inputs = steps.Inputs(engine=history.engine, settings=Settings(), findings=[], as_of={}, versions={})
    about = scope.parse(observable)
    return steps.investigate(inputs, history.scope_of(observable, window), finding=None, observable=about)


def test_a_slice_says_what_it_leaves_out(monkeypatch):
    monkeypatch.setattr(scope, "MOST_EVENTS", 3)
    there = call("RunInstances", -0.5, recipientAccountId="999999999999")
    history = History([TERMINATE, TERMINATE, TERMINATE, there], [call("StopInstances", -30)])
    document = _investigate(history, "ip_address=198.51.100.7")
    total = history.engine.query("SELECT count(*) AS n FROM events WHERE src_endpoint.ip = '198.51.100.7'")[0]["n"]
    reasons = [u.because for u in document.unknowns if u.question.startswith("Was all looked at")]
    said = [s.text for p in document.narrative if p.paragraph == "what is not known" for s in p.sentences]
    for reason, begins in zip(
        reasons, (f"{total - 4} of {total} events", f"1 of {total} events", "1 of three"), strict=True
    ):
        assert reason.startswith(begins)
        assert any(reason in text for text in said)
    whole = _investigate(History([TERMINATE]), "operation=TerminateInstances")
    assert not any(u.question.startswith("Was all") for u in whole.unknowns)


def test_no_actor_is_singled_out_of_many_and_no_finding_closed_where_there_is_none():
    many = _investigate(History([TERMINATE, TERMINATE | {"userIdentity": user("eve")}]), "operation=TerminateInstances")
    actions = " ".join(r.action for r in many.recommendations)
    assert "Investigate each of the two principals on its own (ann and eve)" in actions
    assert "Disable" not in actions
    assert "Ask" not in actions
    routine = [call("CreateTags", -24 * n) for n in range(30)]
    benign = _investigate(History([], routine), "user=ann")
    assert benign.verdict.disposition == "benign"
    assert not any("finding" in r.action for r in benign.recommendations)


def test_an_artifact_has_its_own_times():
    second = TERMINATE | {"userIdentity": user(key="AKIASECOND0000000000"), "eventTime": call("X", 2)["eventTime"]}
    document = steps.investigate(
        steps.Inputs(
            engine=(both := History([TERMINATE, TERMINATE, second])).engine,
            settings=Settings(),
            findings=[],
            as_of={},
            versions={},
        ),
        scope.of_finding(both.engine, both.finding()),
        finding=both.finding(),
        observable=None,
    )
    spans = {a.value: (a.first_seen, a.last_seen) for a in document.artifacts if a.kind == "access_key"}
    assert spans == {
        "AKIAANN0000000000000": (ALERT, ALERT),
        "AKIASECOND0000000000": (ALERT + 2 * HOUR, ALERT + 2 * HOUR),
    }


def test_the_births_of_several_things_are_not_one_moment():
    ids = ("i-0123456789abcdef0", "i-0123456789abcdef1")
    launches = [
        call("RunInstances", -99 + n, responseElements={"instancesSet": {"items": [{"instanceId": each}]}})
        for n, each in enumerate(ids)
    ]
    ended = call(
        "TerminateInstances", requestParameters={"instancesSet": {"items": [{"instanceId": each} for each in ids]}}
    )
    history = History([ended], launches)
    evidence = Evidence(history.engine, scope.of_finding(history.engine, history.finding()), Settings(), ())
    (born,) = [m.sentence for m in timeline.moments(evidence) if "RunInstances" in m.sentence]
    assert born == "RunInstances by ann (two of these in two calls, the last at 2024-05-16 12:00:00 UTC)"


def test_the_last_use_before_the_alert_says_what_it_does_not_count():
    used = History([TERMINATE], [call("DescribeVpcs", -2)]).ask("user.dormant")
    assert used.verdict == "no"
    assert "the twelve hours before the alert left out" in used.sentence


def _iam(name, hours=0.0, **parameters):
    asked = {"roleName": "deep", **parameters}
    return call(name, hours, service="iam", region="us-east-1", requestParameters=asked)


GIVEN = _iam("AttachRolePolicy", policyArn="arn:aws:iam::aws:policy/AdministratorAccess")
DENY_ALL = "arn:aws:iam::aws:policy/AWSDenyAll"


@pytest.mark.parametrize(
    ("before", "verdict"),
    [
        ([], "unknown"),
        ([_iam("CreateRole", -1)], "no"),
        ([_iam("CreateRole", -1, permissionsBoundary=DENY_ALL)], "yes"),
        ([_iam("CreateRole", -2), _iam("PutRolePermissionsBoundary", -1, permissionsBoundary=DENY_ALL)], "yes"),
        ([_iam("CreateRole", -2, permissionsBoundary=DENY_ALL), _iam("DeleteRolePermissionsBoundary", -1)], "no"),
        ([_iam("CreateRole", -1, roleName="other", permissionsBoundary=DENY_ALL)], "unknown"),
    ],
)
def test_rights_are_told_with_the_boundary_that_limits_them(before, verdict):
    answer = History([GIVEN], before).ask("operation.boundary")
    assert answer.verdict == verdict
    if verdict == "yes":
        assert "limits the role deep" in answer.sentence
        assert "AWSDenyAll allows none" in answer.sentence


def test_the_document_of_a_command_is_not_a_target():
    command = {"documentName": "AWS-RunShellScript", "instanceIds": ["i-0123456789abcdef0", "i-0123456789abcdef1"]}
    sent = call("SendCommand", service="ssm", requestParameters=command)
    assert History([sent]).ask("operation.how_many").facts["resources"] == 2


def test_the_alert_of_many_days_is_held_against_days():
    """Ten days of the same as ever are not more than ever."""
    again = [call("CreateTags", 24 * n - 24 * 10) for n in range(10)]
    answer = History(again).ask("operation.cadence")
    assert answer.verdict == "no"
    assert answer.facts["now"] == 1
