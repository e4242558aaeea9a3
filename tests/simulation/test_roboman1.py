"""The reference story, number by number, as its truth and an independent reading of its logs have it."""

from __future__ import annotations

import tomllib
from collections import Counter
from datetime import datetime

import iptocc

from trailhound.settings import load

ARN = "arn:aws:iam::0123456789:user/Development/Roboman1"
INTRUDER = "180.163.251.231"


def instances(record) -> list[str]:
    return [item["instanceId"] for item in record["responseElements"]["instancesSet"]["items"]]


def test_nine_passwords_fail_and_the_tenth_is_right(roboman1) -> None:
    failed = roboman1.phase("failed_sign_in")
    assert [r["eventName"] for r in failed] == ["ConsoleLogin"] * 9
    assert failed[0]["eventTime"] == "2020-11-06T03:02:10Z"
    assert failed[-1]["eventTime"] < "2020-11-06T03:02:23Z"
    for record in failed:
        assert record["responseElements"] == {"ConsoleLogin": "Failure"}
        assert record["errorMessage"] == "Failed authentication"
        assert "errorCode" not in record
        assert "arn" not in record["userIdentity"]
        assert record["userIdentity"]["userName"] == "Roboman1"
    (success,) = roboman1.phase("sign_in")
    assert success["eventTime"] == "2020-11-06T03:02:23Z"
    assert success["additionalEventData"]["MFAUsed"] == "No"
    assert success["userIdentity"]["arn"] == ARN


def test_twenty_production_instances_are_terminated_within_five_minutes(roboman1) -> None:
    calls = roboman1.phase("terminate")
    ids = [uid for record in calls for uid in instances(record)]
    assert len(ids) == len(set(ids)) == 20
    assert calls[-1]["eventTime"] == "2020-11-06T03:21:39Z"
    assert instances(calls[-1]) == ["i-2oc7w12", "i-eob7w13"]
    assert {len(instances(record)) for record in calls} >= {1, 2, 3}
    span = datetime.fromisoformat(calls[-1]["eventTime"]) - datetime.fromisoformat(calls[0]["eventTime"])
    assert span.total_seconds() <= 300
    for record in calls:
        assert record["userIdentity"]["arn"] == ARN
        assert record["userIdentity"]["sessionContext"]["attributes"]["mfaAuthenticated"] == "false"
        assert record["userAgent"] == "console.ec2.amazonaws.com"
        assert record["awsRegion"] == "us-east-2"


def test_the_intruder_comes_from_one_chinese_address_that_nobody_used_before(roboman1) -> None:
    assert iptocc.country_code(INTRUDER) == "CN"
    names = {"failed_sign_in", "sign_in", "recon", "terminate"}
    labelled = {uid for p in roboman1.truth["phases"] if p["name"] in names for uid in p["event_uids"]}
    assert {r["eventID"] for r in roboman1.records if r["sourceIPAddress"] == INTRUDER} == labelled


def test_the_user_worked_from_florida_in_the_day_and_never_with_a_second_factor(roboman1) -> None:
    before = [r for r in roboman1.by("Roboman1") if r["sourceIPAddress"] != INTRUDER]
    addresses = {r["sourceIPAddress"] for r in before}
    assert len(addresses) >= 3
    assert {iptocc.country_code(address) for address in addresses} == {"US"}
    assert {7 <= datetime.fromisoformat(r["eventTime"]).hour < 19 for r in before} == {True}
    signed_in = [r for r in before if r["eventName"] == "ConsoleLogin"]
    assert Counter(r["responseElements"]["ConsoleLogin"] for r in signed_in).keys() == {"Success"}
    assert {r["additionalEventData"]["MFAUsed"] for r in signed_in} == {"No"}
    last_week = [r for r in signed_in if r["eventTime"] >= "2020-10-30T03:21:39Z"]
    assert len({r["sourceIPAddress"] for r in last_week}) == 3
    assert len([r for r in before if r["eventTime"] >= "2020-10-30T03:21:39Z"]) > 100


def test_the_instances_stand_since_september_and_were_never_touched(roboman1) -> None:
    terminated = {uid for r in roboman1.phase("terminate") for uid in instances(r)}
    launched = {uid for r in roboman1.phase("stood_up") if r["eventName"] == "RunInstances" for uid in instances(r)}
    assert launched == terminated
    named = {}
    for record in roboman1.records:
        if record["eventName"] in {"StopInstances", "TerminateInstances", "StartInstances", "RebootInstances"}:
            for uid in terminated & set(instances(record)):
                named.setdefault(uid, []).append(record["sourceIPAddress"])
    assert named == {uid: [INTRUDER] for uid in terminated}
    for record in roboman1.phase("stood_up")[1:]:
        assert record["eventTime"].startswith("2020-09-01")
        tags = record["requestParameters"]["tagSpecificationSet"]["items"][0]["tags"]
        assert {"key": "env", "value": "production"} in tags


def test_every_instance_has_an_image_and_a_snapshot_to_start_again_from(roboman1) -> None:
    terminated = {uid for r in roboman1.phase("terminate") for uid in instances(r)}
    backups = roboman1.phase("backups")
    images = {r["requestParameters"]["instanceId"] for r in backups if r["eventName"] == "CreateImage"}
    asked = [r["requestParameters"] for r in backups if r["eventName"] == "CreateSnapshots"]
    assert images == terminated
    assert {a["CreateSnapshotsRequest"]["InstanceSpecification"]["InstanceId"] for a in asked} == terminated
    assert all(r["responseElements"]["imageId"].startswith("ami-") for r in backups if r["eventName"] == "CreateImage")


def test_others_terminate_other_instances_now_and_then(roboman1) -> None:
    people = [
        r for r in roboman1.records if r["eventName"] == "TerminateInstances" and r["sourceIPAddress"] != INTRUDER
    ]
    callers = {r["userIdentity"].get("userName") or r["userIdentity"]["invokedBy"] for r in people}
    assert callers == {"dana.ortiz", "autoscaling.amazonaws.com"}
    days = Counter(r["eventTime"][:10] for r in people for _ in instances(r))
    assert max(days.values()) < 20


def test_nobody_changed_the_rights_of_the_user(roboman1) -> None:
    assert not [r for r in roboman1.records if r["eventSource"] == "iam.amazonaws.com" and not r["readOnly"]]


def test_history_is_long_enough_and_the_whole_small_enough(roboman1) -> None:
    days = {r["eventTime"][:10] for r in roboman1.records}
    assert min(days) == "2020-08-31"
    assert sum(day >= "2020-10-20" for day in days) >= 14
    assert len(roboman1.records) <= 60_000


def test_its_settings_are_those_of_a_workspace(roboman1) -> None:
    assert tomllib.loads((roboman1.folder / "trailhound.toml").read_text())
    settings = load(roboman1.folder)
    assert settings.production.tags == ("env=production",)
    assert settings.expected.countries == ("US", "CA", "BR")
    assert settings.person("arn:aws:iam::0123456789:user/Roboman1").place == "Florida"
