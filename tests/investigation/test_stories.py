"""On simulated stories the truth is known: what is said must be it."""

from __future__ import annotations

from functools import cache

import msgspec
import pytest

from trailhound.identity.origins import with_sessions


def _answers(investigation):
    return {a.question: a for a in investigation.answers if a.step == 3}


def _told(investigation) -> str:
    return "\n".join(s.text for p in investigation.narrative for s in p.sentences)


@pytest.fixture(scope="module")
def roboman1(case):
    return case("roboman1").investigate()


@pytest.mark.parametrize(
    "stated",
    [
        "On 2020-11-06 03:21:39 UTC",
        "AWS account 0123456789",
        "between 07:00 and 19:00 UTC",
        "lies outside these hours",
        "MFA was not used",
        "Nine failed sign-ins of Roboman1 came in quick succession from 03:02:10 UTC",
        "before a successful one at 03:02:23 UTC",
        "180.163.251.231 is registered in China",
        "the last three sign-ins before came from the United States (Florida)",
        "works only in North and South America",
        "had nothing malicious on 180.163.251.231",
        "None of them has been shut down since the launch on 2020-09-01",
        "All twenty instances were launched on 2020-09-01",
        "not merely stopped",
        "production instances that run several high-priority application backends",
    ],
)
def test_the_narrative_says_all_that_an_analyst_would(roboman1, stated):
    assert stated in _told(roboman1)


def test_the_recommendation_disables_revokes_rotates_and_relaunches(roboman1):
    said = " ".join(r.action for r in roboman1.recommendations)
    for part in (
        "Disable Roboman1's account",
        "confirms",
        "Revoke Roboman1's access keys",
        "rotate",
        "launch replacement instances",
        "EBS snapshots",
    ):
        assert part in said
    assert all(r.why and r.evidence for r in roboman1.recommendations)


def test_every_sentence_cites_events_that_exist(case, roboman1):
    cited = {uid for p in roboman1.narrative for s in p.sentences for uid in s.evidence}
    assert all(s.evidence for p in roboman1.narrative for s in p.sentences)
    known = case("roboman1").engine.query(
        "SELECT metadata.uid AS uid FROM events WHERE list_contains($u, metadata.uid)", {"u": list(cited)}
    )
    assert {row["uid"] for row in known} == cited


def test_facts_equal_the_truth(case, roboman1):
    truth, given = case("roboman1").truth.facts, _answers(roboman1)
    assert given["user.failed_sign_ins"].facts["failures"] == truth["failed_sign_ins"]
    assert [given["time.off_hours"].facts[k] for k in ("starts", "ends")] == truth["usual_hours_utc"]
    assert given["ip_address.foreign"].facts["countries"] == [truth["source_country"]]
    assert (given["ip_address.seen_before"].verdict == "yes") == truth["source_ip_seen_before"]
    assert (given["user.privileges_changed"].verdict == "yes") == truth["privileges_changed_recently"]
    assert (given["instance.touched_before"].verdict == "yes") == truth["user_named_these_instances_before"]
    assert (given["user.mfa"].verdict == "yes") == truth["successful_sign_in_used_mfa"]


def test_the_same_input_gives_the_same_bytes(case, roboman1):
    assert msgspec.json.encode(case("roboman1").investigate()) == msgspec.json.encode(roboman1)


def test_an_unknown_names_its_gap_and_how_to_close_it(roboman1):
    unknown = [a for a in roboman1.answers if a.verdict == "unknown"]
    assert unknown
    assert all(gap.because and gap.how_to_get for a in unknown for gap in a.gaps)
    assert {u.question for u in roboman1.unknowns} == {a.uid for a in unknown}


# Of each story the findings that are investigated, and what must be said of each fact of its truth: a text, or an answer.
STATED: dict[str, tuple[tuple[int, ...], dict[str, str | tuple[str, str]]]] = {
    "roboman1": ((0,), {
        "usual_hours_utc": "usually active between 07:00 and 19:00 UTC", "usual_places": "came from the United States (Florida)",
        "failed_sign_ins": "Nine failed sign-ins of Roboman1", "first_failed_sign_in": "from 03:02:10 UTC",
        "successful_sign_in": "a successful one at 03:02:23 UTC", "successful_sign_in_used_mfa": ("user.mfa", "no"),
        "source_ip": "180.163.251.231 is registered in China", "source_country": "180.163.251.231 is registered in China",
        "source_ip_seen_before": ("ip_address.seen_before", "no"), "production_instances_terminated": "All twenty instances",
        "last_termination": "On 2020-11-06 03:21:39 UTC", "instances_of_last_termination": "i-eob7w13",
        "instances_stood_up": "launched on 2020-09-01", "user_named_these_instances_before": ("instance.touched_before", "no"),
        "instances_stopped_or_terminated_before": ("instance.stopped_before", "no"),
        "privileges_changed_recently": ("user.privileges_changed", "no"), "backups_exist": ("instance.backups", "yes"),
    }),
    "approved_termination": ((0,), {
        "earlier_releases": "on three days, last on 2021-03-16", "replacements_launched": "24 instances were launched",
        "change_window": "between 2021-03-23 02:00:00 UTC and 2021-03-23 04:00:00 UTC", "tool": "Terraform/0.14.7",
    }),
    "policy_attached": ((1,), {
        "policy": "dev-troubleshooting allows every action", "attached_to": "attached to noah.kim", "attached_after_seconds": "34 seconds later",
        "used_after_seconds": "from 2022-02-17 23:48:10 UTC", "usual_address": ("ip_address.seen_before", "yes"),
    }),
    "role_chain": ((0,), {
        "stolen_key_of": "priya.nair", "origin": "stands priya.nair", "hops": "the role tier2, then the role operations-admin",
        "source_ip": "The first call from 45.155.205.99", "source_country": "Russia", "secrets_read": "five reads of secrets",
        "new_user": "other ways in: CreateAccessKey and CreateUser (svc-metrics)",
    }),
    "s3_exfiltration": ((0,), {
        "bucket": "bucket acme-customer-data", "objects_read": "GetObject (1,800 times", "source_country": "Hungary",
        "source_ip": "The first call from 91.219.236.10", "session_of_role": "The role analytics-reader",
        "session_stolen": ("access_key.several_places", "yes"),
    }),
    "sdk_overwritten": ((0, 1), {
        "bucket": "bucket acme-sdk-downloads", "object": "object sdk/v1/acme-sdk.min.js", "opened": "On 2021-05-04 17:25:07 UTC",
        "overwritten": "On 2021-06-18 20:58:33 UTC", "days_open": "45 days before the alert", "policy_reset": "no later change is in the log",
    }),
    "stolen_key": ((1,), {
        "stolen_key_of": "a long-term key of ci-runner|came with a long-term key", "source_ip": "45.155.205.99 is registered in Russia",
        "source_country": "registered in Russia", "denied_calls": "failed from 45.155.205.99 (twelve times",
        "new_user": "(deploy-helper)",
    }),
    "trail_stopped": ((0,), {
        "blind_minutes": "47 minutes later", "user_without_creation": "svc-monitoring", "source_country": "registered in Ukraine",
    }),
}  # fmt: skip
# What the narratives leave to their reader: a week is from one Tuesday to the next.
UNSTATED = {("roboman1", "earlier_sign_ins_used_mfa"), ("approved_termination", "weekly")}
UNKNOWABLE = {("trail_stopped", "missing_operations")}  # done while nothing was recorded: to name them would be a guess


@pytest.fixture(scope="module")
def investigated(case, roboman1):
    @cache
    def play(story: str, expected: int):
        played = case(story)
        if (story, expected) == ("roboman1", 0):
            return roboman1
        truth = played.truth
        played.truth = msgspec.structs.replace(truth, findings=truth.findings[expected:])
        try:
            return played.investigate()
        finally:
            played.truth = truth

    return play


@pytest.mark.parametrize("story", STATED)
def test_each_fact_of_the_truth_is_stated(case, investigated, story):
    findings, facts = STATED[story]
    found = [investigated(story, number) for number in findings]
    said = "\n".join(f"{_told(one)}\n{[(a.sentence, a.facts) for a in one.answers]}" for one in found)
    given = {(a.question, a.verdict) for one in found for a in one.answers}
    for fact, stated in facts.items():
        assert stated in given if isinstance(stated, tuple) else any(s in said for s in stated.split("|")), (
            fact,
            stated,
        )
    known = case(story).truth.facts.keys() - {"malicious"}
    assert known == facts.keys() | {fact for of, fact in UNSTATED | UNKNOWABLE if of == story}


def test_ninety_five_of_a_hundred_facts_that_can_be_known_are_stated():
    stated = sum(len(facts) for _, facts in STATED.values())
    assert stated / (stated + len(UNSTATED)) >= 0.95


def test_what_was_done_unseen_is_not_guessed(case, investigated):
    told = _told(investigated("trail_stopped", 0))
    assert not [name for name in case("trail_stopped").truth.facts["missing_operations"] if name in told]


@pytest.mark.parametrize("story", STATED)
def test_the_verdict_fits_the_story(case, investigated, story):
    malicious = case(story).truth.facts["malicious"]
    found = [investigated(story, number).verdict.disposition for number in STATED[story][0]]
    if malicious:
        assert {"malicious", "suspicious"} & set(found)
        assert "benign" not in found
    else:
        assert set(found) == {"benign"}


def test_the_benign_twin_is_benign_since_the_change_was_approved_and_done_before(investigated):
    found = investigated("approved_termination", 0)
    best = found.verdict.explanations[0]
    assert best.name == "authorised"
    assert {"time.approved_change", "operation.first_time"} <= set(best.for_)
    assert found.verdict.severity.priority == "P3"
    assert {lead.status for lead in found.chase.leads} == {"set aside"}


def test_every_query_of_an_answer_can_be_run_again(case, roboman1):
    """What a report shows is what was asked: run on the lake's events, it gives the same facts."""
    engine = case("roboman1").engine
    for answer in roboman1.answers[:12]:
        with with_sessions(engine):
            again = engine.query(answer.query, answer.parameters)[0]
        assert {k: msgspec.to_builtins(again[k]) for k in answer.facts if not isinstance(again[k], list)} == {
            k: v for k, v in answer.facts.items() if not isinstance(v, list)
        }, answer.question
    with with_sessions(engine):
        for answer in roboman1.answers[12:]:
            assert engine.query(f"EXPLAIN {answer.query}", answer.parameters), answer.question
