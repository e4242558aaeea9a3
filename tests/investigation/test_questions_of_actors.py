"""Each question about the actor, its credentials, the things it may open or take, and the case as a whole."""

from __future__ import annotations

import pytest
from tests.investigation.history import ACCOUNT, HOME, NOTHING_KNOWN, History, call, role, user
from tests.investigation.question_cases_actors import CALM, DONE, KEY, SESSION_CALM, SESSION_DONE, TERMINATE
from tests.investigation.test_questions_of_things import LESS

from trailhound.investigation import after_answers, answers, scope
from trailhound.investigation.evidence import Evidence
from trailhound.investigation.questions import questions
from trailhound.settings import Account, Person, Settings

KINDS = (
    "snapshot",
    "database",
    "backup",
    "security_group",
    "network",
    "function",
    "container",
    "model",
    "detector",
    "case",
)
OF_THE_ACTOR = ("user.unusual_day", "user.owner", "user.root", "user.touched", "user.console_mix", "user.left", "user.sign_in_changed", "user.costly")  # fmt: skip
OF_ITS_KEY = ("created", "active", "origin", "session_name", "terms", "off_instance", "outlasts", "exposed", "second", "new_use", "opening", "rhythm")  # fmt: skip
MINE = {q.id for q in questions() if q.kind in KINDS} | {*OF_THE_ACTOR, *(f"access_key.{name}" for name in OF_ITS_KEY)}
# Claims of an absence, or of what is so on any day; and what only the settings, or the other answers, tell.
NOT_OF_DEEDS = {"user.root", "user.left", "user.unusual_day", "access_key.rhythm", "access_key.active"}
NEVER_NO = {"user.owner", "user.left", "access_key.created", "access_key.exposed", "access_key.second", "case.entry", "access_key.rhythm"}  # fmt: skip

OF_THE_DAY = [name for name in LESS if name not in ("no KMS", "nothing of the launch", "nothing of the days after")]
OF_THE_SESSION = ("no reads", "nothing of the days before", "nothing before")


def given(alert, others, kept=None):
    history = History(alert, others, kept=kept)
    about = Evidence(history.engine, scope.of_finding(history.engine, history.finding()), NOTHING_KNOWN, ())
    found = answers.ask_all([q for q in questions() if q.id in MINE and answers.applies(q, about)], about)
    return {answer.question: answer for answer in (*found, *after_answers.ask_all(found, about))}


def said(found, verdict):
    return {name for name, answer in found.items() if answer.verdict == verdict}


@pytest.fixture(scope="module")
def done():
    return given(*DONE)


@pytest.fixture(scope="module")
def session():
    return given(*SESSION_DONE)


def test_what_was_done_is_a_yes_and_every_question_is_asked(done, session):
    assert said(done, "yes") >= set(done) - NOT_OF_DEEDS
    assert {"access_key.origin", "access_key.session_name", "access_key.terms", "access_key.off_instance"} <= said(
        session, "yes"
    )
    assert set(done) | set(session) == MINE


def test_what_was_not_done_is_a_no_where_all_is_there():
    found = given(*CALM)
    assert said(found, "no") >= set(found) - NEVER_NO - {
        "access_key.active",
        "case.harmless",
        "case.could_turn",
        "case.control",
    }
    calm = given(*SESSION_CALM)
    assert {"access_key.session_name", "access_key.terms", "access_key.off_instance", "access_key.outlasts"} <= said(
        calm, "no"
    )


def test_what_is_taken_away_makes_no_yes_a_no(done, session):
    for before, case, without in ((done, DONE, OF_THE_DAY), (session, SESSION_DONE, OF_THE_SESSION)):
        for name in without:
            left = given(*case, kept=LESS[name])
            assert said(before, "yes") & said(left, "no") == set(), name


def test_of_the_alert_alone_nothing_is_denied_but_what_it_tells_itself():
    found = given(CALM[0], [], kept=lambda record: False)
    assert said(found, "no") <= {"user.root", "case.could_turn"}
    unknown = [answer for answer in found.values() if answer.verdict == "unknown"]
    assert len(unknown) > 15
    assert all(answer.gaps[0].because and answer.gaps[0].how_to_get and answer.sentence for answer in unknown)


def test_what_the_organisation_knows_of_a_person_is_said():
    people = {"ann": Person(manager="Carol", last_day="2024-05-17")}
    knows = Settings(people=people, accounts={ACCOUNT: Account(owner="shop team")})
    history = History([TERMINATE])
    assert history.ask("user.owner", knows).sentence == (
        f"Carol is the manager of ann; the account {ACCOUNT} belongs to shop team."
    )
    assert history.ask("user.left", knows).sentence == "ann had left: the last day at work was 2024-05-17."
    later = Settings(people={"ann": Person(last_day="2024-05-20")})
    assert history.ask("user.left", later).verdict == "no"


def test_a_day_of_the_week_is_unusual_only_beside_enough_days():
    mondays = lambda r: r["eventTime"][:10] not in ("2024-04-22", "2024-04-29", "2024-05-06", "2024-05-13")  # noqa: E731
    others = [call("ListUsers", -24 * week, service="iam", region=HOME, userIdentity=user("eve", "AKIAEVE0000000000000"))
              for week in (7, 14, 21, 28)]  # fmt: skip
    assert History([TERMINATE]).ask("user.unusual_day").verdict == "no"
    history = History([TERMINATE], kept=mondays)
    assert history.ask("user.unusual_day").verdict == "unknown"  # the whole log has no Monday
    only_ann = lambda r: mondays(r) or r["userIdentity"]["userName"] != "ann"  # noqa: E731
    found = History([TERMINATE], others, kept=only_ann).ask("user.unusual_day")
    assert found.verdict == "yes"
    assert "on a Monday" in found.sentence


def test_a_chain_of_sessions_is_told_from_its_beginning():
    def opened(hours, name, key, **by):
        who = {"arn": f"arn:aws:sts::{ACCOUNT}:assumed-role/{name}/work"}
        answer = {"credentials": {"accessKeyId": key}, "assumedRoleUser": who}
        request = {"roleArn": f"arn:aws:iam::{ACCOUNT}:role/{name}", "roleSessionName": "work"}
        return call("AssumeRole", hours, service="sts", requestParameters=request, responseElements=answer, **by)

    first = opened(-0.3, "admin", "ASIAADMIN00000000000")
    second = opened(-0.2, "deep", "ASIADEEP000000000000", userIdentity=role("admin", "ASIAADMIN00000000000"))
    alert = [TERMINATE | {"userIdentity": role("deep", "ASIADEEP000000000000")}]
    found = History(alert, [first, second]).ask("access_key.origin")
    assert found.verdict == "yes"
    assert found.sentence == "Behind the role deep stands ann: ann, then the role admin, then the role deep."
    assert found.evidence_count == 3
    assert History(alert, [second]).ask("access_key.origin").verdict == "unknown"  # the first step is not in the log


def test_a_disabled_key_that_still_works_is_not_called_disabled():
    off = call("UpdateAccessKey", 1, service="iam", region=HOME,
               requestParameters={"userName": "ann", "accessKeyId": KEY, "status": "Inactive"})  # fmt: skip
    until = lambda r: r["eventTime"] <= call("X", 1.5)["eventTime"] or r["userIdentity"]["userName"] != "ann"  # noqa: E731
    assert History([TERMINATE], [off], kept=until).ask("access_key.active").verdict == "no"
    assert History([TERMINATE], [off]).ask("access_key.active").verdict == "unknown"
    assert History([TERMINATE]).ask("access_key.active").verdict == "yes"


def test_what_was_made_and_taken_away_again_is_not_left_behind():
    def iam(name, hours, **parameters):
        return call(name, hours, service="iam", region=HOME, requestParameters=parameters)

    made = [iam("CreateUser", 1, userName="eve"), iam("PutUserPolicy", 1.1, userName="eve", policyName="p")]
    assert History([TERMINATE], made).ask("case.left_behind").facts["n"] == 2
    gone = [*made, iam("DeleteUserPolicy", 2, userName="eve", policyName="p"), iam("DeleteUser", 2.1, userName="eve")]
    assert History([TERMINATE], gone).ask("case.left_behind").verdict == "no"
    other = [*made, iam("DeleteUser", 2.1, userName="mallory")]
    assert History([TERMINATE], other).ask("case.left_behind").facts["n"] == 2


def test_questions_of_the_answers_weigh_what_these_say(done):
    harmless, open_ = done["case.harmless"], done["case.could_turn"]
    assert "Against it:" in harmless.sentence
    weighty = {q.id for q in questions() if q.weighs}
    assert set(open_.facts["open_questions"]) <= weighty
    assert done["case.control"].facts["n"] == len(done["case.control"].facts["controls"]) > 1
