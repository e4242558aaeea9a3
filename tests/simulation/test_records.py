"""Every record of every story has the shape that CloudTrail gives it."""

from __future__ import annotations

import base64
import json
import re
from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta

import pytest

from trailhound.simulation import stories

STORIES = [name for name, _ in stories()]
ALWAYS = {
    "eventVersion", "userIdentity", "eventTime", "eventSource", "eventName", "awsRegion", "sourceIPAddress",
    "requestParameters", "responseElements", "eventID", "readOnly", "eventType", "managementEvent",
    "recipientAccountId", "eventCategory",
}  # fmt: skip
SOMETIMES = {
    "userAgent", "errorCode", "errorMessage", "additionalEventData", "requestID", "resources", "apiVersion",
    "serviceEventDetails", "sharedEventID", "vpcEndpointId", "tlsDetails", "sessionCredentialFromConsole",
}  # fmt: skip
IDENTITY = {
    "IAMUser": {"type", "principalId", "accountId", "userName"},
    "AssumedRole": {"type", "principalId", "arn", "accountId", "accessKeyId", "sessionContext"},
    "AWSService": {"type", "invokedBy"},
    "AWSAccount": {"type", "principalId", "accountId"},
    None: {"accountId", "invokedBy"},
}
UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


@pytest.fixture(params=STORIES)
def history(request: pytest.FixtureRequest, told: Callable):
    return told(request.param, events=1200)


def unseen(history, identity) -> bool:
    """Was the session opened while the trail recorded nothing?"""
    since, until = history.truth["blind"] or ("", "")
    return since < identity["sessionContext"]["attributes"]["creationDate"] < until


def test_members_are_those_of_the_record_format(history) -> None:
    for record in history.records:
        assert record.keys() >= ALWAYS
        assert record.keys() <= ALWAYS | SOMETIMES
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", record["eventTime"])
        assert record["recipientAccountId"] == history.truth["account"]
        assert record["eventSource"].endswith(".amazonaws.com")
        assert UUID.fullmatch(record["eventID"])


def test_identities_have_the_members_of_their_type(history) -> None:
    for record in history.records:
        identity = record["userIdentity"]
        assert identity.keys() >= IDENTITY[identity.get("type")]
        if identity.get("type") in {"AWSService", "AWSAccount", None}:
            assert identity.keys() == IDENTITY[identity.get("type")]
        if identity.get("accessKeyId"):
            temporary = "sessionContext" in identity
            assert re.fullmatch("ASIA[A-Z2-7]{16}" if temporary else "AKIA[A-Z2-7]{16}", identity["accessKeyId"])


def test_event_ids_are_unique_and_no_record_is_too_large(history) -> None:
    assert max(Counter(record["eventID"] for record in history.records).values()) == 1
    assert all(len(json.dumps(record)) < 256 * 1024 for record in history.records)


def test_nothing_is_left_unfilled(history) -> None:
    for record in history.records:
        text = json.dumps(record).replace("[$LATEST]", "")
        assert "$" not in text


def test_failures_have_no_response_and_reads_change_nothing(history) -> None:
    for record in history.records:
        if "errorCode" in record:
            assert record["responseElements"] is None
            assert record["errorMessage"]
        if record["eventName"].startswith(("Describe", "List", "Get")):
            assert record["readOnly"] is True
            assert record["responseElements"] is None


def test_data_events_are_those_on_objects(history) -> None:
    data = {record["eventName"] for record in history.records if record["eventCategory"] == "Data"}
    assert data <= {"GetObject", "PutObject", "ListObjects"}
    assert all(record["managementEvent"] == (record["eventCategory"] == "Management") for record in history.records)


def test_global_services_are_logged_in_one_region(history) -> None:
    regions = {record["awsRegion"] for record in history.records if record["eventSource"] == "iam.amazonaws.com"}
    assert regions <= {"us-east-1"}


def test_services_call_by_name_without_tls_and_with_a_shared_id(history) -> None:
    for record in history.records:
        if record["userIdentity"].get("type") == "AWSService":
            assert record["sourceIPAddress"] == record["userAgent"] == record["userIdentity"]["invokedBy"]
            assert "tlsDetails" not in record
            assert UUID.fullmatch(record["sharedEventID"])


def test_every_role_session_is_issued_by_an_assume_role_call(history) -> None:
    issued = {
        record["responseElements"]["credentials"]["accessKeyId"]: record
        for record in history.records
        if record["eventName"] == "AssumeRole"
    }
    for record in history.records:
        if record["userIdentity"].get("type") != "AssumedRole":
            continue
        identity = record["userIdentity"]
        if unseen(history, identity):
            continue
        source = issued[identity["accessKeyId"]]
        answer = source["responseElements"]
        assert answer["assumedRoleUser"] == {"assumedRoleId": identity["principalId"], "arn": identity["arn"]}
        assert source["requestParameters"]["roleArn"] == identity["sessionContext"]["sessionIssuer"]["arn"]
        assert identity["sessionContext"]["attributes"]["creationDate"] == source["eventTime"] <= record["eventTime"]
        lasts = timedelta(seconds=source["requestParameters"]["durationSeconds"])
        assert datetime.fromisoformat(record["eventTime"]) < datetime.fromisoformat(source["eventTime"]) + lasts


def test_every_console_session_begins_with_its_sign_in(history) -> None:
    signed_in = {
        (record["userIdentity"]["arn"], record["eventTime"], record["sourceIPAddress"])
        for record in history.records
        if record["eventName"] == "ConsoleLogin" and record["responseElements"]["ConsoleLogin"] == "Success"
    }
    for record in history.records:
        identity = record["userIdentity"]
        if identity.get("type") == "IAMUser" and "sessionContext" in identity:
            began = identity["sessionContext"]["attributes"]["creationDate"]
            assert unseen(history, identity) or (identity["arn"], began, record["sourceIPAddress"]) in signed_in


def test_access_keys_carry_their_account(history) -> None:
    keys = {record["userIdentity"].get("accessKeyId") for record in history.records} - {None, ""}
    for key in keys:
        account = (int.from_bytes(base64.b32decode(key[4:])[:6], "big") & 0x7FFFFFFFFF80) >> 7
        assert account == int(history.truth["account"])


def test_tls_details_came_with_version_1_08(history) -> None:
    old = history.records[0]["eventVersion"] == "1.07"
    assert len({record["eventVersion"] for record in history.records}) == 1
    newer = [record for record in history.records if record.keys() & {"tlsDetails", "sessionCredentialFromConsole"}]
    assert bool(newer) != old
