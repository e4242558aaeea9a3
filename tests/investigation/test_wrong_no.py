"""A wrong "no" is the worst fault: each way to one that was thought of, and what is said instead.

Each case stands on three histories: where the deed was done and logged, the answer is yes; where it was not done and
everything is there, no; where it was done and the log leaves it out, never no.
"""

from __future__ import annotations

import msgspec
import pytest
from tests.investigation.history import HOME, History, call, get_object, role, user

from trailhound.settings import Change, Lookup, Settings

TERMINATE = call(
    "TerminateInstances", requestParameters={"instancesSet": {"items": [{"instanceId": "i-0123456789abcdef0"}]}}
)
STOP = call("StopInstances", requestParameters={"instancesSet": {"items": [{"instanceId": "i-0123456789abcdef0"}]}})
POLICY = call("PutBucketPolicy", service="s3", requestParameters={"bucketName": "secret"})
TABLE = {"resources": [{"type": "AWS::DynamoDB::Table", "ARN": "arn:aws:dynamodb:us-east-2:111122223333:table/t"}]}
DELETE_TABLE = call("DeleteTable", service="dynamodb", **TABLE)

ASSUMED = call(
    "AssumeRole",
    0.1,
    service="sts",
    requestParameters={"roleArn": "arn:aws:iam::111122223333:role/admin"},
    responseElements={"credentials": {"accessKeyId": "ASIAADMIN00000000000"}},
)
ELSEWHERE = call(
    "AssumeRole",
    0.1,
    service="sts",
    requestParameters={"roleArn": "arn:aws:iam::999999999999:role/admin"},
    responseElements={
        "credentials": {"accessKeyId": "ASIAADMIN00000000000"},
        "assumedRoleUser": {"arn": "arn:aws:sts::999999999999:assumed-role/admin/x"},
    },
)
AS_ADMIN = role("admin", "ASIAADMIN00000000000")
AS_FOREIGN_ADMIN = role("admin", "ASIAADMIN00000000000", account="999999999999")


def _iam(name, hours, **fields):
    return call(name, hours, service="iam", region=HOME, requestParameters={"userName": "ann"}, **fields)


def _looks(hours=-0.5, **fields):
    return [call(name, hours, **fields) for name in ("DescribeVolumes", "DescribeImages", "DescribeVpcs", "ListKeys")]


def _until(hours):
    return lambda record: record["eventTime"] <= call("X", hours)["eventTime"]


CASES = {
    "changes of rights are recorded in another Region": (
        "user.privileges_changed", [TERMINATE], [_iam("AttachUserPolicy", -99)], lambda r: r["awsRegion"] != HOME,
    ),
    "ways in are recorded in another Region": (
        "user.persistence", [TERMINATE], [_iam("CreateLoginProfile", 1)], lambda r: r["awsRegion"] != HOME,
    ),
    "sign-ins are recorded in another Region": (
        "user.failed_sign_ins",
        [TERMINATE],
        [call("ConsoleLogin", -1, service="signin", region=HOME, responseElements={"ConsoleLogin": "Failure"})],
        lambda r: r["awsRegion"] != HOME,
    ),
    "the trail records no reads": (
        "operation.reconnaissance", [TERMINATE], _looks(), lambda r: not r["readOnly"],
    ),
    "others only read": (
        "resource.others",
        [DELETE_TABLE],
        [DELETE_TABLE | {"eventName": "DescribeTable", "readOnly": True, "userIdentity": user("eve", "AKIAEVE0000000000000")}],
        lambda r: not r["readOnly"],
    ),
    "objects of another bucket are recorded": (
        "bucket.read", [POLICY], [get_object("secret", 1), get_object("secret", -99, userIdentity=user("ci"))],
        lambda r: r.get("resources") is None or "recorded" in r["resources"][0]["ARN"],
    ),
    "the log ends before the day after: the trail": (
        "account.logging_stopped", [TERMINATE], [call("StopLogging", 20, service="cloudtrail")], _until(2),
    ),
    "the log ends before the day after: the same call": ("time.beyond_window", [TERMINATE], [TERMINATE | call("TerminateInstances", 20)], _until(2)),
    "the log ends before the day after: others": (
        "resource.others", [DELETE_TABLE],
        [DELETE_TABLE | {"eventTime": call("X", 20)["eventTime"], "userIdentity": user("eve", "AKIAEVE0000000000000")}], _until(2),
    ),
    "the log ends before the day after: roles": ("user.assumed", [TERMINATE], [ASSUMED | {"eventTime": call("X", 20)["eventTime"]}], _until(2)),
    "the log ends before the day after: the key": (
        "access_key.several_places", [TERMINATE], [call("CreateTags", 20, sourceIPAddress="203.0.113.9")], _until(2),
    ),
    "it was done in a session, in an account whose log is not there": (
        "operation.what_followed",
        [TERMINATE],
        [ELSEWHERE, call("CreateFunction", 1, recipientAccountId="999999999999", userIdentity=AS_FOREIGN_ADMIN)],
        lambda r: r["recipientAccountId"] == "111122223333",
    ),
    "it was done in a session whose key is not logged": (
        "user.persistence", [TERMINATE], [ASSUMED, _iam("CreateAccessKey", 1, userIdentity=AS_ADMIN)],
        lambda r: r["userIdentity"].get("accessKeyId") != "ASIAADMIN00000000000" and (r.pop("responseElements", None), True)[1],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_what_is_left_out_is_not_denied(name):
    asked, alert, deed, kept = CASES[name]
    copies = lambda records: [dict(record) for record in records]  # noqa: E731 - a filter may take fields away
    assert History(alert, copies(deed)).ask(asked).verdict == "yes"
    control = (
        ()
        if asked != "bucket.read"
        else [get_object("secret", -99, userIdentity=user("ci")), get_object("secret", 30, userIdentity=user("ci"))]
    )
    assert History(alert, control).ask(asked).verdict == "no"
    left = History(alert, copies(deed), kept=kept).ask(asked)
    assert left.verdict == "unknown"
    assert left.gaps[0].because in left.sentence or left.gaps[0].because[1:] in left.sentence


@pytest.mark.parametrize(
    ("asked", "deed"),
    [
        ("operation.what_followed", call("CreateFunction", 1, userIdentity=AS_ADMIN)),
        ("user.persistence", _iam("CreateUser", 1, userIdentity=AS_ADMIN)),
        ("operation.denied_before", call("DescribeVpcs", 0, userIdentity=AS_ADMIN, errorCode="AccessDenied")),
        ("time.still_going_on", call("DescribeVpcs", 80, userIdentity=AS_ADMIN)),
        ("time.beyond_window", call("TerminateInstances", 1, userIdentity=AS_ADMIN)),
        ("policy.used", call("CreateFunction", 1, userIdentity=AS_ADMIN)),
    ],
)
def test_what_the_actor_does_in_a_session_is_the_actors(asked, deed):
    alert = TERMINATE
    if asked == "policy.used":
        alert = call(
            "AttachUserPolicy",
            service="iam",
            region=HOME,
            requestParameters={"policyArn": "arn:aws:iam::aws:policy/ReadOnlyAccess", "userName": "ann"},
        )
    at = call("X", 47)["eventTime"] if asked == "time.still_going_on" else deed["eventTime"]
    opened = ASSUMED | {"eventTime": call("X", -0.1)["eventTime"]}
    without = History([alert], kept=lambda r: r["eventTime"] <= call("X", 25)["eventTime"]).ask(asked)
    assert "admin" not in without.sentence
    found = History([alert], [opened, deed | {"eventTime": at}]).ask(asked)
    assert found.verdict == "yes"
    assert found.evidence_count > without.evidence_count or found.facts != without.facts


def test_a_chain_of_sessions_is_followed_to_its_end():
    second = role("deep", "ASIADEEP000000000000")
    chained = ASSUMED | {"eventTime": call("X", 0.2)["eventTime"], "userIdentity": AS_ADMIN,
                         "responseElements": {"credentials": {"accessKeyId": "ASIADEEP000000000000"}}}  # fmt: skip
    deep = {"requestParameters": {"roleArn": "arn:aws:iam::111122223333:role/deep"}}
    made = _iam("CreateUser", 1, userIdentity=second)
    assert History([TERMINATE], [ASSUMED, chained | deep, made]).ask("user.persistence").verdict == "yes"
    # The key is used by another role than it was issued for: nobody is cleared by records that contradict each other.
    assert History([TERMINATE], [ASSUMED, chained, made]).ask("user.persistence").verdict == "unknown"


def test_an_actor_without_a_name_is_not_cleared():
    nameless = TERMINATE | {
        "userIdentity": {"type": "IAMUser", "accountId": "111122223333", "userName": "HIDDEN_DUE_TO_SECURITY_REASONS"}
    }
    for asked in ("operation.what_followed", "user.persistence", "operation.reconnaissance", "time.still_going_on"):
        assert History([nameless]).ask(asked).verdict == "unknown", asked


def test_a_sign_in_in_another_case_or_under_a_hidden_name_counts():
    failed = call("ConsoleLogin", -1, service="signin", region=HOME, responseElements={"ConsoleLogin": "Failure"})
    typed = failed | {"userIdentity": {"type": "IAMUser", "accountId": "111122223333", "userName": "ANN"}}
    hidden = failed | {
        "userIdentity": {"type": "IAMUser", "accountId": "111122223333", "userName": "HIDDEN_DUE_TO_SECURITY_REASONS"}
    }
    assert History([TERMINATE]).ask("user.failed_sign_ins").verdict == "no"
    assert History([TERMINATE], [typed]).ask("user.failed_sign_ins").verdict == "yes"
    assert History([TERMINATE], [hidden]).ask("user.failed_sign_ins").verdict == "unknown"
    elsewhere = hidden | {"sourceIPAddress": "203.0.113.200"}
    assert History([TERMINATE], [elsewhere]).ask("user.failed_sign_ins").verdict == "no"
    spray = [hidden | {"eventID": f"spray-{n}"} for n in range(4)]
    assert History([TERMINATE], spray).ask("ip_address.failures").verdict == "unknown"


def test_records_that_do_not_say_whether_they_read_are_judged_by_name():
    assert History([TERMINATE], _looks(readOnly=...)).ask("operation.reconnaissance").verdict == "yes"
    after = History([TERMINATE], [call("DescribeVpcs", 1, readOnly=...)], kept=lambda r: r["eventName"] != "CreateTags")
    assert after.ask("operation.what_followed").verdict == "no"


def test_instances_stopped_first_and_terminated_later_were_terminated():
    assert History([STOP]).ask("operation.terminated").verdict == "no"
    assert (
        History([STOP], [TERMINATE | {"eventTime": call("X", 5)["eventTime"], "userIdentity": user("eve")}])
        .ask("operation.terminated")
        .verdict
        == "yes"
    )
    failed = History([STOP | {"errorCode": "Client.UnauthorizedOperation"}]).ask("operation.terminated")
    assert "succeeded" in failed.sentence


def test_what_was_launched_with_the_instance_is_not_its_launch():
    """The image and the network of the alerting calls were named at other launches; the instance was not."""
    launch = call("RunInstances", -200, requestParameters={"instancesSet": {"items": [{"imageId": "ami-1"}]}, "subnetId": "subnet-1"},
                  responseElements={"instancesSet": {"items": [{"instanceId": "i-0aaaaaaaaaaaaaaaa"}]}})  # fmt: skip
    alert = [STOP | {"requestParameters": STOP["requestParameters"] | {"imageId": "ami-1", "subnetId": "subnet-1"}}]
    history = History(alert, [launch])
    assert history.ask("instance.stopped_before").verdict == "unknown"
    assert history.ask("instance.first_seen").verdict == "unknown"
    assert history.ask("instance.changed").verdict == "no"


def test_of_several_addresses_each_is_meant():
    twice = [TERMINATE, TERMINATE | {"sourceIPAddress": "203.0.113.9"}]
    seen = History(twice).ask("ip_address.seen_before")
    assert seen.verdict == "no"
    assert seen.facts["new_ips"] == ["203.0.113.9"]
    assert History([TERMINATE]).ask("ip_address.seen_before").verdict == "yes"
    asked = lambda *addresses, verdict="clean": Settings(  # noqa: E731
        lookups=tuple(Lookup(value=a, provider="SANS", verdict=verdict, asked="2024-05-21") for a in addresses)
    )
    for settings, verdict in (
        (asked("198.51.100.7"), "unknown"),
        (asked("198.51.100.7", "203.0.113.9"), "no"),
        (asked("203.0.113.9", verdict="Malicious (9/90)"), "yes"),
        (asked("198.51.100.7", "203.0.113.9", verdict="see ticket"), "unknown"),
    ):
        assert History(twice).ask("ip_address.intelligence", settings).verdict == verdict
    one = History(twice).ask("ip_address.intelligence", asked("198.51.100.7"))
    assert "nothing malicious on 198.51.100.7 (asked 2024-05-21)" in one.sentence
    assert one.gaps[0].because.endswith("clear answer about 203.0.113.9")
    assert one.facts["bad_ips"] is None


def test_a_country_is_only_new_if_no_call_came_from_it():
    there = {"sourceIPAddress": "180.163.251.231"}
    sign_in = call(
        "ConsoleLogin",
        -99,
        service="signin",
        region=HOME,
        sourceIPAddress="73.85.12.9",
        responseElements={"ConsoleLogin": "Success"},
    )
    alert = [TERMINATE | there]
    assert History(alert, [sign_in]).ask("ip_address.foreign").verdict == "yes"
    assert History(alert, [sign_in, call("DescribeVpcs", -99, **there)]).ask("ip_address.foreign").verdict == "no"
    mixed = [TERMINATE | {"sourceIPAddress": "73.85.12.9"}, TERMINATE | {"sourceIPAddress": "10.0.0.1"}]
    assert History(mixed, [sign_in]).ask("ip_address.foreign").verdict == "unknown"
    home = Settings(expected=msgspec.convert({"countries": ["US"]}, type(Settings().expected)))
    assert History(mixed, [sign_in]).ask("ip_address.outside_expected", home).verdict == "unknown"
    assert History(alert).ask("ip_address.outside_expected", home).verdict == "yes"


@pytest.mark.parametrize(
    ("key", "verdict"), [("AKIAANN0000000000000", "yes"), ("ASIAANN0000000000000", "no"), ("EXAMPLE_ID", "unknown")]
)
def test_a_key_of_no_known_kind_is_not_called_temporary(key, verdict):
    assert History([TERMINATE | {"userIdentity": user(key=key)}]).ask("access_key.long_term").verdict == verdict


def test_the_sign_in_of_the_owner_does_not_clear_a_stolen_key():
    sign_in = call(
        "ConsoleLogin",
        -1,
        service="signin",
        region=HOME,
        additionalEventData={"MFAUsed": "Yes"},
        responseElements={"ConsoleLogin": "Success"},
    )
    console = user(key="ASIAANN0000000000000")
    assert History([TERMINATE], [sign_in]).ask("user.mfa").verdict == "no"
    assert History([TERMINATE | {"userIdentity": console}], [sign_in]).ask("user.mfa").verdict == "yes"
    sessions = [console | {"sessionContext": {"attributes": {"mfaAuthenticated": said}}} for said in ("true", "false")]
    assert History([TERMINATE | {"userIdentity": each} for each in sessions]).ask("user.mfa").verdict == "no"


def test_a_borrowed_agent_or_session_name_does_not_make_automation():
    terraform = {"userAgent": "HashiCorp Terraform/1.5"}
    assert History([TERMINATE | terraform]).ask("user.kind").verdict == "unknown"
    habit = [call("DescribeVpcs", -24 * day, **terraform) for day in (2, 3, 4)]
    assert History([TERMINATE | terraform], habit).ask("user.kind").verdict == "no"
    assert History([TERMINATE | terraform, TERMINATE], habit).ask("user.kind").verdict == "unknown"
    borrowed = role("admin", "ASIAX000000000000000", session="i-0123456789abcdef0")
    assert History([TERMINATE | {"userIdentity": borrowed}]).ask("user.kind").verdict == "unknown"
    stack = TERMINATE | {"userIdentity": user() | {"invokedBy": "cloudformation.amazonaws.com"}}
    assert History([stack]).ask("user.kind").verdict == "unknown"


def test_the_console_is_told_by_the_record_where_the_agent_hides_it():
    internal = TERMINATE | {"userAgent": "AWS Internal"}
    assert History([internal]).ask("operation.by_hand").verdict == "unknown"
    assert History([internal | {"sessionCredentialFromConsole": "true"}]).ask("operation.by_hand").verdict == "yes"
    assert History([call("TerminateInstances", userAgent=...)]).ask("operation.by_hand").verdict == "unknown"
    assert History([TERMINATE]).ask("operation.by_hand").verdict == "no"


def test_an_approved_change_is_for_whom_it_names():
    def change(principal):
        since, until = call("X", -1)["eventTime"], call("X", 1)["eventTime"]
        return Settings(changes=(Change(reason="release", principal=principal, since=since, until=until),))

    for principal, verdict in (
        ("ann", "yes"),
        ("Ann", "yes"),
        ("user/ann", "yes"),
        ("a_n", "no"),
        ("%", "no"),
        ("nn", "no"),
    ):
        assert History([TERMINATE]).ask("time.approved_change", change(principal)).verdict == verdict, principal


def test_no_findings_at_all_is_not_no_other_finding():
    history = History([TERMINATE])
    assert history.ask("user.other_findings").verdict == "unknown"
    assert history.ask("user.other_findings", findings=[history.finding()]).verdict == "no"


def test_rights_that_come_by_a_group_or_a_new_version_are_not_denied():
    version = call(
        "CreatePolicyVersion",
        -50,
        service="iam",
        region=HOME,
        requestParameters={"policyArn": "arn:aws:iam::111122223333:policy/p"},
    )
    assert History([TERMINATE], [version]).ask("user.privileges_changed").verdict == "unknown"
    assert History([TERMINATE], [version, _iam("AddUserToGroup", -9)]).ask("user.privileges_changed").verdict == "yes"
