"""Each question about an account, a Region or a thing: where it is yes, where no, and where neither can be said."""

from __future__ import annotations

import re

import pytest
from tests.investigation.history import HOME, NOTHING_KNOWN, History, call
from tests.investigation.question_cases import BARE, CALM, DONE

from trailhound.investigation import answers, scope
from trailhound.investigation.evidence import Evidence
from trailhound.investigation.questions import questions, tables

# They claim the absence of something, so that what is calm is a no of another kind, or a yes.
YES_WHEN_CALM = {"region.logged", "bucket.recorded", "role.trusts"}
NO_WHEN_DONE = {"account.actor_new", "region.new", "region.actor_new", "region.global", "role.dormant"}
ALWAYS_UNKNOWN = {q.id for q in questions() if q.source}
# What the log can show, but not deny: never a no.
NEVER_NO = {
    *("account.production", "account.same_elsewhere", "region.logged", "instance.exposed"),
    *("bucket.purpose", "bucket.holds_logs", "bucket.recorded", "role.trusts", "role.power"),
    *("policy.holders", "kms_key.protects"),
}
OF_BEFORE = {  # of an earlier half of the catalogue, with tests of their own
    *("account.purpose", "account.from_outside", "account.logging_stopped"),
    *("instance.first_seen", "instance.touched_before", "instance.stopped_before", "instance.purpose"),
    *("instance.changed", "instance.replaced", "instance.backups"),
    *("bucket.read", "bucket.outflow_unusual", "bucket.opened", "bucket.written", "bucket.anonymous", "bucket.opened_to_all"),
    *("bucket.public",),
    *("policy.created_and_attached", "policy.administrator", "policy.used"),
}  # fmt: skip


def given(kind, alert, others, kept=None):
    """The answers of one kind in this history, but for those that have other tests."""
    history = History(alert, others, kept=kept)
    about = Evidence(history.engine, scope.of_finding(history.engine, history.finding()), NOTHING_KNOWN, ())
    asked = [q for q in questions() if q.kind == kind and q.id not in OF_BEFORE and answers.applies(q, about)]
    return {answer.question: answer for answer in answers.ask_all(asked, about)}


@pytest.fixture(scope="module")
def done():
    return {kind: given(kind, *case) for kind, case in DONE.items()}


@pytest.mark.parametrize("kind", DONE)
def test_what_was_done_is_a_yes(done, kind):
    said = {name for name, answer in done[kind].items() if answer.verdict == "yes"}
    assert said == set(done[kind]) - ALWAYS_UNKNOWN - NO_WHEN_DONE


@pytest.mark.parametrize("kind", CALM)
def test_what_was_not_done_is_a_no_where_all_is_there(kind):
    found = given(kind, *CALM[kind])
    said = {name for name, answer in found.items() if answer.verdict == "no"}
    assert said == set(found) - ALWAYS_UNKNOWN - NEVER_NO - ({"secret.to_rotate"} & set(found))
    assert {name for name, answer in found.items() if answer.verdict == "yes"} <= YES_WHEN_CALM | {"secret.to_rotate"}


def test_no_query_calls_a_step_of_its_own_as_a_slice_is_called():
    """Shown with its slices, it would have two of the name."""
    named = re.compile(r"(?:WITH|,)\s*(?:RECURSIVE\s+)?(\w+)(?:\([^)]*\))?\s+AS\s+(?:MATERIALIZED\s+)?\(")
    taken = {(q.id, name) for q in questions() for name in named.findall(q.sql) if name in tables().tables}
    assert not taken


def test_every_question_has_its_yes_its_no_and_its_unknown(done):
    """Of those that the tests above ask: none is left out."""
    mine = {q.id for q in questions() if q.kind in DONE} - OF_BEFORE
    assert {name for answers_ in done.values() for name in answers_} == mine


# Told by the alerting calls alone, whatever else is in the log.
BY_THE_ALERT = {
    *("account.foreign_named", "region.global", "instance.expected_churn", "bucket.from_outside"),
    *("policy.opened_outside", "policy.imitates"),
}


@pytest.mark.parametrize("kind", CALM)
def test_of_the_alert_alone_nothing_is_denied_but_what_it_tells_itself(kind):
    alert, _ = CALM[kind]
    found = given(kind, alert, [], kept=lambda record: False)
    assert {name for name, answer in found.items() if answer.verdict == "no"} <= BY_THE_ALERT


@pytest.mark.parametrize("kind", BARE)
def test_what_the_log_does_not_hold_is_unknown_with_the_way_to_get_it(kind):
    unknown = [answer for answer in given(kind, *BARE[kind]).values() if answer.verdict == "unknown"]
    assert len(unknown) >= 3
    for answer in unknown:
        assert answer.gaps[0].because
        assert answer.gaps[0].how_to_get
        assert answer.sentence


def _between(begin, end):
    first, last = call("X", begin)["eventTime"], call("X", end)["eventTime"]
    return lambda record: not first <= record["eventTime"] <= last


LESS = {
    "no reads": lambda r: not r["readOnly"],
    "no home Region": lambda r: r["awsRegion"] != HOME,
    "no data events": lambda r: r["eventCategory"] != "Data",
    "no KMS": lambda r: r["eventSource"] != "kms.amazonaws.com",
    "nothing after": _between(0.01, 999),
    "nothing after an hour": _between(1, 999),
    "nothing of the days after": _between(0.01, 58),
    "nothing of the days before": _between(-62, -0.01),
    "nothing of the week before": _between(-168, -0.01),
    "nothing before": _between(-9999, -0.01),
    "nothing before the day": _between(-9999, -24),
    "nothing of the launch": _between(-120, -90),
}


@pytest.mark.parametrize("left_out", LESS)
@pytest.mark.parametrize("kind", DONE)
def test_what_is_taken_away_makes_no_yes_a_no(done, kind, left_out):
    if left_out == "no KMS" and kind == "kms_key":
        pytest.skip("the alert itself is of KMS: what is recorded of it is not left out")
    left = given(kind, *DONE[kind], kept=LESS[left_out])
    assert [n for n, a in done[kind].items() if a.verdict == "yes" and n in left and left[n].verdict == "no"] == []
