"""Each story's truth, held against an independent reading of its logs."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import iptocc
import pytest

from trailhound.settings import load
from trailhound.simulation import simulate, stories

STORIES = [name for name, _ in stories()]


@pytest.fixture(params=STORIES)
def history(request: pytest.FixtureRequest, told: Callable):
    return told(request.param, events=1200)


def seconds(earlier: dict, later: dict) -> float:
    return (datetime.fromisoformat(later["eventTime"]) - datetime.fromisoformat(earlier["eventTime"])).total_seconds()


def test_there_are_nine_stories_with_a_line_each() -> None:
    assert sorted(STORIES) == STORIES
    assert set(STORIES) == {
        "approved_termination", "policy_attached", "quiet", "roboman1", "role_chain", "s3_exfiltration", "sdk_overwritten",
        "stolen_key", "trail_stopped",
    }  # fmt: skip
    assert all(summary and "\n" not in summary for _, summary in stories())


def test_labelled_events_are_in_the_log_and_unlogged_ones_are_not(history) -> None:
    uids = {record["eventID"] for record in history.records}
    for phase in history.truth["phases"]:
        assert set(phase["event_uids"]) <= uids
        assert not set(phase["unlogged_event_uids"]) & uids
        assert phase["event_uids"] or phase["unlogged_event_uids"]
    labelled = sum(len(phase["event_uids"]) for phase in history.truth["phases"])
    assert history.truth["counts"]["plot"] == labelled
    assert history.truth["counts"]["events"] == len(history.records) == labelled + history.truth["counts"]["quiet"]


def test_operations_and_times_of_a_phase_are_those_of_its_records(history) -> None:
    for phase in history.truth["phases"]:
        if records := history.phase(phase["name"]):
            assert phase["first_time"] == records[0]["eventTime"]
            assert phase["last_time"] == records[-1]["eventTime"]
            assert set(phase["operations"]) == {record["eventName"] for record in records}


def test_addresses_are_in_the_countries_that_the_truth_names(history) -> None:
    for actor in history.truth["actors"].values():
        if actor["country"]:
            assert {iptocc.country_code(address) for address in actor["addresses"]} == {actor["country"]}


def test_settings_can_be_used_as_they_are(history) -> None:
    assert load(history.folder).expected.region_of_work == "North and South America"


def test_the_benign_twin_replaces_what_it_terminates_every_week(told: Callable) -> None:
    history = told("approved_termination", events=1200)
    last = history.phase("terminate")
    ended = [item["instanceId"] for r in last for item in r["requestParameters"]["instancesSet"]["items"]]
    launched = [r for r in history.records if r["eventName"] == "RunInstances" and "Terraform" in r["userAgent"]]
    by_count = {r["eventTime"][:10]: len(r["responseElements"]["instancesSet"]["items"]) for r in launched}
    assert len(set(ended)) == 24
    assert set(by_count.values()) == {24}
    assert [datetime.fromisoformat(day).weekday() for day in by_count] == [1] * 5
    assert {r["userIdentity"]["sessionContext"]["sessionIssuer"]["userName"] for r in last} == {"blue-green"}
    change = load(history.folder).changes[0]
    assert all(change.since <= r["eventTime"] <= change.until for r in last)


def test_gigabytes_leave_the_bucket_through_a_session_seen_elsewhere(told: Callable) -> None:
    history = told("s3_exfiltration", events=1200)
    taken = history.phase("exfiltrate")
    out = sum(r["additionalEventData"]["bytesTransferredOut"] for r in taken)
    assert out == next(p["bytes_out"] for p in history.truth["phases"] if p["name"] == "exfiltrate")
    assert len({r["requestParameters"]["key"] for r in taken}) == 1800
    usual = [
        r["additionalEventData"]["bytesTransferredOut"]
        for r in history.records
        if r["eventName"] == "GetObject" and r["eventID"] not in {t["eventID"] for t in taken}
    ]
    assert out > 20 * sum(usual)
    keys = {r["userIdentity"]["accessKeyId"] for r in taken}
    addresses = {r["sourceIPAddress"] for r in history.records if r["userIdentity"].get("accessKeyId") in keys}
    assert len(keys) == 1
    assert len(addresses) == 2


def test_a_policy_that_allows_everything_is_attached_by_its_author(told: Callable) -> None:
    history = told("policy_attached", events=1200)
    (created,), (attached,) = history.phase("create_policy"), history.phase("attach_policy")
    statement = json.loads(created["requestParameters"]["policyDocument"])["Statement"][0]
    assert (statement["Effect"], statement["Action"], statement["Resource"]) == ("Allow", "*", "*")
    assert attached["requestParameters"]["policyArn"] == created["responseElements"]["policy"]["arn"]
    assert attached["requestParameters"]["userName"] == attached["userIdentity"]["userName"] == "noah.kim"
    assert seconds(created, attached) == history.truth["facts"]["attached_after_seconds"]
    assert seconds(attached, history.phase("use")[0]) == history.truth["facts"]["used_after_seconds"]
    assert {r["errorCode"] for r in history.phase("denied")[:3]} == {"AccessDenied"}


def test_the_bucket_stays_open_until_a_stranger_overwrites_the_sdk(told: Callable) -> None:
    history = told("sdk_overwritten", events=1200)
    opened = next(r for r in history.phase("opened") if r["eventName"] == "PutBucketPolicy")
    (overwritten,) = history.phase("overwritten")
    statement = opened["requestParameters"]["bucketPolicy"]["Statement"][0]
    assert statement["Principal"] == "*"
    assert "s3:PutObject" in statement["Action"]
    assert overwritten["userIdentity"] == {
        "type": "AWSAccount", "principalId": "", "accountId": "ANONYMOUS_PRINCIPAL"
    }  # fmt: skip
    assert "AuthenticationMethod" not in overwritten["additionalEventData"]
    assert int(seconds(opened, overwritten) // 86400) == history.truth["facts"]["days_open"]
    changed = [r for r in history.records if r["eventName"] in {"PutBucketPolicy", "DeleteBucketPolicy"}]
    assert changed == [opened]


def test_nothing_is_logged_for_47_minutes_and_a_user_comes_from_nowhere(told: Callable) -> None:
    history = told("trail_stopped", days=3)
    (stopped,), (started,) = history.phase("stop_logging"), history.phase("start_logging")
    assert seconds(stopped, started) == 47 * 60
    between = [r for r in history.records if stopped["eventTime"] < r["eventTime"] < started["eventTime"]]
    assert between == []
    around = [r for r in history.records if abs(seconds(stopped, r)) < 600]
    assert len(around) > 3
    dark = next(p for p in history.truth["phases"] if p["name"] == "in_the_dark")
    assert set(dark["operations"]) == set(history.truth["facts"]["missing_operations"])
    assert len(dark["unlogged_event_uids"]) == history.truth["counts"]["unlogged"] == 6
    assert history.by("svc-monitoring")
    assert not [r for r in history.records if r["eventName"] == "CreateUser"]


def test_the_stolen_key_is_the_one_that_builds_use_at_home(told: Callable) -> None:
    history = told("stolen_key", events=1200)
    stolen = {r["userIdentity"]["accessKeyId"] for r in history.phase("recon")}
    at_home = {r["userIdentity"]["accessKeyId"] for r in history.by("ci-runner") if "aws-cli" in r["userAgent"]}
    assert stolen == at_home
    made = next(r for r in history.phase("persist") if r["eventName"] == "CreateAccessKey")
    assert {r["userIdentity"]["accessKeyId"] for r in history.phase("return")} == {
        made["responseElements"]["accessKey"]["accessKeyId"]
    }
    address = history.truth["facts"]["source_ip"]
    denied = [r for r in history.records if r["sourceIPAddress"] == address and "errorCode" in r]
    assert len(denied) == history.truth["facts"]["denied_calls"]
    assert {r["awsRegion"] for r in history.phase("other_region")} == {"eu-west-1"}


def test_a_short_history_keeps_the_whole_plot(tmp_path: Path, roboman1) -> None:
    truth = simulate("roboman1", tmp_path, days=2)
    assert truth.counts.plot == roboman1.truth["counts"]["plot"]
    assert 2500 < truth.counts.quiet < 4500


def test_a_chain_of_roles_leads_back_to_the_stolen_key(told: Callable) -> None:
    history = told("role_chain", events=1200)
    issued = {
        r["responseElements"]["credentials"]["accessKeyId"]: r["userIdentity"].get("accessKeyId")
        for r in history.records
        if r["eventName"] == "AssumeRole"
    }
    keys = {r["userIdentity"]["accessKeyId"] for r in history.phase("persist")}
    (second,) = keys
    stolen = issued[issued[second]]
    assert {r["userIdentity"]["accessKeyId"] for r in history.phase("recon")} == {stolen}
    assert history.phase("recon")[0]["userIdentity"]["userName"] == history.truth["facts"]["origin"]
