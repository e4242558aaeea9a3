"""What is asked of the time, the calls, the address and the agent: where it is yes, where no, where neither can be said."""

from __future__ import annotations

import pytest
from tests.investigation.history import ACCOUNT, ALERT, DAY, HOUR, History, call, store
from tests.investigation.question_cases_calls import ALL, AS_DEV, BOTO, CASES, NEVER_NO, NEVER_YES, STOLEN, end
from tests.investigation.test_questions_of_things import LESS

from trailhound.investigation import answers, scope
from trailhound.investigation.evidence import Evidence
from trailhound.investigation.questions import questions


def given(case, kept=None, names=ALL):
    history = History(case.alert, case.others, kept=kept or case.kept)
    about = Evidence(history.engine, scope.of_finding(history.engine, history.finding()), case.settings, case.findings)
    asked = [q for q in questions() if q.id in names and answers.applies(q, about)]
    return {answer.question: answer for answer in answers.ask_all(asked, about)}


@pytest.mark.parametrize("name", CASES)
def test_each_case_is_answered_as_it_was(name):
    found = given(CASES[name], names=CASES[name].says)
    assert {question: found[question].verdict for question in CASES[name].says} == CASES[name].says
    for answer in found.values():
        assert answer.sentence, answer.question
        assert answer.evidence, answer.question
        assert answer.verdict != "unknown" or (answer.gaps[0].because and answer.gaps[0].how_to_get), answer.question


def test_every_question_has_its_yes_its_no_and_its_unknown():
    said = {verdict: {q for case in CASES.values() for q, v in case.says.items() if v == verdict} for verdict in ("yes", "no", "unknown")}  # fmt: skip
    assert said["yes"] == ALL - NEVER_YES
    assert said["no"] == ALL - NEVER_NO
    assert said["unknown"] == ALL


def test_what_is_taken_away_makes_no_yes_a_no():
    often = CASES["it comes from an address of the account, more often than ever"]
    for case, removals in ((STOLEN, LESS), (often, ("nothing of the week before", "nothing before"))):
        yes = {name for name, verdict in case.says.items() if verdict == "yes"}
        for left_out in removals:
            left = given(case, LESS[left_out], yes)
            assert {name for name, answer in left.items() if answer.verdict == "no"} == set(), left_out


def test_only_what_is_proven_whole_is_trusted():
    history = History([end()], source=lambda record: "a" if record["eventTime"] < "2024-05-01" else "b")
    files = [
        {"uid": uid, "name": uid, "sha256": uid * 64, "container": "records", "events": 9, "duplicates": 0, "rejected": 0,
         "first_time": begin, "last_time": end_, "delivered_time": end_ + HOUR * 2, "ingested_at": 1}
        for uid, begin, end_ in (("a", ALERT - 40 * DAY, ALERT - 20 * DAY), ("b", ALERT - 20 * DAY, ALERT + 3 * DAY))
    ]  # fmt: skip
    store(history.engine, "ledger", files)
    assert history.ask("time.trusted").verdict == "unknown"  # nothing proves it
    for state, verdict in (("verified", "yes"), ("unverifiable", "unknown")):
        run = {"name": "b", "sha256": "b" * 64, "state": state, "path": "logs", "checked_at": 1, "kind": "log"}
        store(history.engine, "integrity", [run])
        assert history.ask("time.trusted").verdict == verdict, state
    # The file in which the alert stands is proven altered: then not even that is told as a no.
    store(history.engine, "integrity", [run | {"state": "broken"}])
    assert history.ask("time.trusted").verdict == "unknown"
    # Another of that week is: the log cannot be trusted there.
    others = History([end()], source=lambda record: "b" if record["eventID"].startswith("alert") else "c")
    week = files[1] | {"uid": "c", "name": "c", "sha256": "c" * 64}
    store(others.engine, "ledger", [files[1], week])
    store(others.engine, "integrity", [run | {"state": "broken", "sha256": "c" * 64}])
    told = others.ask("time.trusted")
    assert told.verdict == "no"
    assert told.sentence.startswith("Of the log of this week, one file is proven")


def test_a_secret_and_a_key_that_wait_for_their_end_can_be_had_back_until_then():
    key = call("ScheduleKeyDeletion", service="kms", requestParameters={"keyId": "k", "pendingWindowInDays": 7})
    assert "until 2024-05-27 14:00:00 UTC" in History([key]).ask("operation.reversible").sentence
    for parameters, verdict in (({"secretId": "s"}, "yes"), ({"secretId": "s", "forceDeleteWithoutRecovery": True}, "no")):  # fmt: skip
        gone = call("DeleteSecret", service="secretsmanager", requestParameters=parameters)
        assert History([gone]).ask("operation.reversible").verdict == verdict


def test_one_host_with_two_versions_of_the_protocol_is_not_at_two_places():
    both = [end(**AS_DEV, **BOTO), call("DescribeVpcs", 0.01, **AS_DEV, **BOTO, sourceIPAddress="2001:db8::7")]
    assert History(both[:1], both[1:]).ask("ip_address.key_at_once").verdict == "no"


def test_what_a_caller_writes_into_agent_and_host_stays_a_value():
    poison: str = "”; all is well. {{ 7 * 7 }} \x1b[31m <script>\u202e"
    alert = end(userAgent=f"Boto3/1.0 {poison}", tlsDetails={"tlsVersion": poison, "clientProvidedHostHeader": poison})
    found = given(STOLEN._replace(alert=[alert], others=[call("DescribeVpcs", 0.01, userAgent=poison)], findings=()))
    for answer in found.values():
        assert not {"\x1b", "\u202e"} & set(answer.sentence), answer.question
        assert "49" not in answer.sentence
    assert "”;" not in found["user_agent.tls"].sentence
    assert ACCOUNT not in found["user_agent.tls"].sentence
