"""The quiet account: plausible, and innocent."""

from __future__ import annotations

from collections import Counter, defaultdict
from datetime import datetime

import iptocc

# what the attacks of the other stories are made of; here only machines may do the like
ATTACKS = {
    "TerminateInstances", "StopLogging", "StartLogging", "PutBucketPolicy", "PutBucketPublicAccessBlock",
    "CreateUser", "CreateAccessKey", "CreatePolicy", "AttachUserPolicy",
}  # fmt: skip


def test_no_person_does_what_attackers_do(quiet) -> None:
    done = {record["eventName"] for record in quiet.records if record["userIdentity"].get("type") != "AssumedRole"}
    assert not done & ATTACKS
    by_machines = {
        record["userIdentity"].get("invokedBy") for record in quiet.records if record["eventName"] in ATTACKS
    }
    assert by_machines == {"autoscaling.amazonaws.com"}


def test_instances_come_and_go_by_autoscaling(quiet) -> None:
    launched, retired = set(), set()
    for record in sorted(quiet.records, key=lambda record: record["eventTime"]):
        if record["eventName"] in {"RunInstances", "TerminateInstances"}:
            ids = {item["instanceId"] for item in record["responseElements"]["instancesSet"]["items"]}
            assert not ids & retired
            (launched if record["eventName"] == "RunInstances" else retired).update(ids)
    assert launched & retired


def test_services_and_machines_dominate(quiet) -> None:
    people = [r for r in quiet.records if r["userIdentity"].get("type") == "IAMUser"]
    assert 0.02 < len(people) / len(quiet.records) < 0.15
    callers = Counter(r["userIdentity"].get("type") for r in quiet.records if r["eventName"] == "AssumeRole")
    assert callers["AWSService"] > 3 * callers["IAMUser"]
    assert callers["AWSAccount"]


def test_people_work_in_their_hours_on_weekdays_from_home(quiet) -> None:
    people = {name: actor for name, actor in quiet.truth["actors"].items() if actor["place"]}
    allowed = defaultdict(set)
    for actor in people.values():
        assert {iptocc.country_code(address) for address in actor["addresses"]} == {actor["country"]}
        allowed[actor["principal_uid"].rsplit("/", 1)[-1]] |= {(a, *actor["hours"]) for a in actor["addresses"]}
    seen = set()
    for user, places in allowed.items():
        for record in quiet.by(user):
            when = datetime.fromisoformat(record["eventTime"])
            hours = [(low, high) for address, low, high in places if address == record["sourceIPAddress"]]
            assert any(low <= when.hour < high for low, high in hours)
            maintenance = record["eventName"] == "AssumeRole"  # on some Saturdays, by whoever has the duty
            assert when.weekday() < 5 or maintenance
            seen.add(user)
    assert len(seen) >= 8


def test_people_sign_in_with_a_second_factor(quiet) -> None:
    signed_in = [r for r in quiet.records if r["eventName"] == "ConsoleLogin"]
    assert len(signed_in) >= 15
    assert {r["additionalEventData"]["MFAUsed"] for r in signed_in} == {"Yes"}


def test_records_are_about_as_large_as_real_ones(quiet) -> None:
    counts = quiet.truth["counts"]
    assert 1200 < counts["bytes"] / counts["events"] < 1700
    assert len({(r["eventSource"], r["eventName"]) for r in quiet.records}) > 60


def test_an_account_makes_many_different_calls(month) -> None:
    assert len({(r["eventSource"], r["eventName"]) for r in month.records}) >= 200


def test_each_workday_is_as_busy_as_the_other_and_weekends_are_calmer(month) -> None:
    days = Counter(record["eventTime"][:10] for record in month.records)
    work = [number for day, number in days.items() if datetime.fromisoformat(day).weekday() < 5]
    rest = [number for day, number in days.items() if datetime.fromisoformat(day).weekday() >= 5]
    assert max(work) < 1.1 * min(work)
    assert 0.5 * min(work) < min(rest) <= max(rest) < min(work)


def test_a_history_of_any_size_is_as_busy_at_its_end_as_at_its_beginning(told) -> None:
    """Whatever pace the story's own stretches have: a step would look like an incident."""
    weeks = Counter(
        datetime.fromisoformat(record["eventTime"]).isocalendar()[1] for record in told("roboman1", events=8000).records
    )
    whole = sorted(weeks.items())[1:-1]
    assert len(whole) >= 7
    assert max(number for _, number in whole) < 1.3 * min(number for _, number in whole)


def test_people_come_and_go_and_take_up_new_things(month) -> None:
    begin = min(record["eventTime"] for record in month.records)
    first = {name: min(r["eventTime"] for r in month.by(name)) for name in ("ines.roth", "leo.martins", "dana.ortiz")}
    last = {name: max(r["eventTime"] for r in month.by(name)) for name in first}
    assert first["ines.roth"][:10] > "2022-01-17"
    assert first["dana.ortiz"][:10] == first["leo.martins"][:10] == begin[:10]
    assert last["leo.martins"][:10] < "2022-01-28" < last["dana.ortiz"][:10]
    trainings = [r["eventTime"] for r in month.records if r["eventName"] == "DescribeTrainingJob"]
    assert trainings
    assert min(trainings) > "2022-01-16"
