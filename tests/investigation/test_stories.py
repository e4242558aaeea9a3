"""On simulated stories the truth is known: what is said must be it."""

from __future__ import annotations

import msgspec
import pytest


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
        "the last three sign-ins before came from United States (Florida)",
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


@pytest.mark.parametrize(
    ("story", "dispositions"),
    [
        ("roboman1", {"malicious"}),
        ("approved_termination", {"benign"}),
        ("policy_attached", {"malicious", "suspicious"}),
        ("s3_exfiltration", {"malicious", "suspicious"}),
        ("sdk_overwritten", {"malicious", "suspicious", "undetermined"}),
        ("stolen_key", {"malicious", "suspicious"}),
        ("trail_stopped", {"malicious", "suspicious"}),
    ],
)
def test_the_verdict_fits_the_story(case, story, dispositions):
    assert case(story).investigate().verdict.disposition in dispositions


def test_every_query_of_an_answer_can_be_run_again(case, roboman1):
    """What a report shows is what was asked: run on the lake's events, it gives the same facts."""
    engine = case("roboman1").engine
    for answer in roboman1.answers[:12]:
        again = engine.query(answer.query, answer.parameters)[0]
        assert {k: msgspec.to_builtins(again[k]) for k in answer.facts if not isinstance(again[k], list)} == {
            k: v for k, v in answer.facts.items() if not isinstance(v, list)
        }, answer.question
