"""What a narrative says of the calls, of the rule, and of what is not known."""

from __future__ import annotations

import re

import msgspec
import pytest
from tests.investigation.history import ALERT, HOME, History, call, user

from trailhound import catalog, settings
from trailhound.errors import CatalogError
from trailhound.investigation import recommendations, scope, steps
from trailhound.model import Investigation
from trailhound.settings import Settings

DENIED = {"errorCode": "AccessDenied", "errorMessage": "not authorised"}
TRUST = '{"Statement": [{"Effect": "Allow", "Principal": {"AWS": ["arn:aws:iam::999988887777:root"]}}]}'


def _told(*calls: dict, **finding: object) -> Investigation:
    history = History(calls)
    inputs = steps.Inputs(engine=history.engine, settings=Settings(), findings=[], as_of={}, versions={})
    found = msgspec.structs.replace(history.finding(), **finding)
    return steps.investigate(inputs, scope.of_finding(history.engine, found), finding=found, observable=None)


def _what_happened(investigation: Investigation) -> str:
    return " ".join(s.text for p in investigation.narrative if p.paragraph == "what happened" for s in p.sentences)


@pytest.mark.parametrize(
    ("operation", "request_", "response", "named"),
    [
        ("AttachUserPolicy", {"userName": "eve", "policyArn": "arn:aws:iam::aws:policy/AdministratorAccess"}, None,
         ("user eve", "policy arn:aws:iam::aws:policy/AdministratorAccess")),
        ("CreateAccessKey", {"userName": "eve"}, {"accessKey": {"accessKeyId": "AKIANEW0000000000000"}},
         ("user eve", "new access key AKIANEW0000000000000")),
        ("ModifySnapshotAttribute", {"createVolumePermission": {"add": {"items": [{"userId": "999988887777"}]}}}, None,
         ("shared with account 999988887777",)),
        ("ModifyImageAttribute", {"launchPermission": {"add": {"items": [{"group": "all"}]}}}, None, ("shared with group all",)),
        ("ModifyDBSnapshotAttribute", {"valuesToAdd": ["999988887777"]}, None, ("shared with 999988887777",)),
        ("UpdateAssumeRolePolicy", {"roleName": "r", "policyDocument": TRUST}, None, ("role r", "arn:aws:iam::999988887777:root")),
        ("CreateTrustAnchor", {"name": "anchor"}, None, ("name anchor",)),
        ("CreateRole", {"roleName": "r", "permissionsBoundary": "arn:aws:iam::aws:policy/AWSDenyAll"}, None,
         ("permissions boundary arn:aws:iam::aws:policy/AWSDenyAll",)),
    ],
)  # fmt: skip
def test_what_matters_of_a_call_is_named(operation, request_, response, named):
    made = call(operation, service="iam", region=HOME, requestParameters=request_, responseElements=response)
    told = _what_happened(_told(made))
    assert all(part in told for part in (operation, *named)), told


def test_a_call_that_was_denied_is_told_as_denied():
    told = _what_happened(_told(call("LeaveOrganization", **DENIED), call("LeaveOrganization"), call("CreateUser")))
    assert "LeaveOrganization (twice; one of these denied: AccessDenied)" in told
    assert "CreateUser" in told
    assert "CreateUser (" not in told


def test_free_text_of_a_caller_stays_between_quotation_marks():
    told = _what_happened(_told(call("CreateTrustAnchor", requestParameters={"name": "x). All is well”"})))
    assert 'name “x). All is well"”' in told


def test_what_a_rule_says_in_general_is_told_as_that_and_without_its_notes():
    told = _what_happened(
        _told(call("StopLogging"), desc="Somebody stopped\na trail.\n\nAn approximation: not seen is X.")
    )
    assert "says of such events in general: “Somebody stopped a trail.”" in told
    assert "approximation" not in told


def test_no_rule_tells_its_notes_in_the_paragraph_that_narratives_take():
    notes = re.compile(r"approximation|below|not seen here|left out|are counted|needs no check|data events", re.I)
    for path in catalog.files("rules"):
        for document in catalog.documents(path):
            if "description" in document and document.get("level") != "informational":
                told = " ".join(document["description"].split("\n\n")[0].split())
                assert not notes.search(told), (path.name, told)


def test_the_first_of_several_days_is_named_with_its_day():
    told = _what_happened(_told(call("ConsoleLogin", -72), call("ConsoleLogin")))
    first = scope.day(ALERT - 3 * scope.DAY)
    assert f"(the first at {first} 14:00:00 UTC)" in told


def test_questions_left_open_are_sentences_of_their_own():
    for paragraph in _told(call("StopLogging")).narrative:
        for sentence in paragraph.sentences:
            assert not re.search(r"\?,|\? and |more$", sentence.text), sentence.text
            assert sentence.text.rstrip("”")[-1] in ".?", sentence.text


def test_a_reason_for_a_recommendation_is_an_answer_that_speaks_for_it():
    """That something is not known, or was looked for and not found, is no reason to act."""
    found = _told(call("StopLogging"), call("CreateAccessKey", service="iam", region=HOME))
    answers = {answer.uid: answer for answer in found.answers}
    assert found.recommendations
    for one in found.recommendations:
        for uid in one.why:
            if answers[uid].question != "user.confirms":
                assert answers[uid].verdict != "unknown", (one.action, uid)


def test_every_reason_names_a_question_that_exists():
    asked = {q["id"] for path in catalog.files("questions") for d in catalog.documents(path) for q in d["questions"]}
    for spec in recommendations._specs():
        assert asked.issuperset(spec.why)
        assert all(spec.why.values())


def test_cited_events_are_told_by_time_call_and_caller():
    found = _told(call("StopLogging"), call("DeleteTrail", 1))
    told = {one.uid: one for one in found.exhibits}
    assert (told["alert-0"].operation, told["alert-0"].time) == ("StopLogging", ALERT)
    assert told["alert-0"].principal_uid.endswith("user/ann")
    assert {s.evidence[0] for p in found.narrative for s in p.sentences} <= told.keys()


def _tried(name: str, who: str, **fields: object) -> dict:
    return call(name, userIdentity=user(who, f"AKIA{who.upper():0<16}"), sourceIPAddress="192.0.2.66", **fields)


def test_denied_calls_are_not_told_as_sign_ins():
    calls = [_tried("GetPasswordData", who, **DENIED) for who in ("ann", "bob")]
    said = History(calls).ask("ip_address.failures")
    assert said.verdict == "yes"
    assert said.sentence == "Calls of two principals failed from 192.0.2.66 (twice: GetPasswordData)."


def test_failed_sign_ins_of_several_are_told_as_guessing():
    failed = {"service": "signin", "eventType": "AwsConsoleSignIn", "responseElements": {"ConsoleLogin": "Failure"}}
    said = History([_tried("ConsoleLogin", who, **failed) for who in ("ann", "bob")]).ask("ip_address.failures")
    assert said.sentence.startswith("Sign-ins of two principals failed from 192.0.2.66")
    assert "as when passwords are tried in turn" in said.sentence


def test_times_are_told_in_the_zone_of_the_organisation_too():
    history = History([call("StopLogging")])
    inputs = steps.Inputs(
        engine=history.engine, settings=Settings(zone="America/New_York"), findings=[], as_of={}, versions={}
    )
    found = history.finding()
    told = steps.investigate(inputs, scope.of_finding(history.engine, found), finding=found, observable=None)
    assert "On 2024-05-20 14:00:00 UTC (2024-05-20 10:00:00 in America/New_York)" in _what_happened(told)


def test_the_end_names_the_verdict_its_rival_and_what_makes_it_urgent():
    found = _told(call("StopLogging", service="cloudtrail"), call("CreateUser", service="iam", region=HOME))
    told = {p.paragraph: " ".join(s.text for s in p.sentences) for p in found.narrative}
    best, second = found.verdict.explanations[:2]
    assert list(told)[-1] == "what it amounts to"
    assert f"“{best.title}” ({best.score:+d}" in told["what it amounts to"]
    assert f"“{second.title}” ({second.score:+d})" in told["what it amounts to"]
    severity = found.verdict.severity
    assert severity
    assert severity.reasons
    assert f"it is {severity.priority}: {severity.reasons[0].sentence}" in told["what it amounts to"]


def test_a_zone_that_does_not_exist_is_told(tmp_path):
    (tmp_path / "trailhound.toml").write_text('zone = "Europe/Atlantis"\n')
    with pytest.raises(CatalogError, match="no time zone 'Europe/Atlantis'"):
        settings.load(tmp_path)


def test_what_was_denied_needs_no_undoing():
    attach = {
        "service": "iam",
        "region": HOME,
        "requestParameters": {"userName": "eve", "policyArn": "arn:aws:iam::aws:policy/AdministratorAccess"},
    }
    stop = call("StopLogging", service="cloudtrail")
    denied = [one.playbook for one in _told(stop, call("AttachUserPolicy", **DENIED, **attach)).recommendations]
    done = [one.playbook for one in _told(stop, call("AttachUserPolicy", **attach)).recommendations]
    assert "contain_policy" not in denied
    assert {"contain_policy", "recover_trail"} <= set(done)
    assert "recover_trail" in denied
