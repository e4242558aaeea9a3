"""One whole investigation, written out by hand: twenty production instances terminated at night.

It is not the output of the investigation stage, so reports are tested against the model alone.
"""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import Any

import msgspec

from trailhound.model import (
    Answer,
    Artifact,
    Basis,
    Chart,
    Chase,
    Conclusion,
    Exhibit,
    Explanation,
    Finding,
    Gap,
    Hop,
    Integrity,
    Investigation,
    Lead,
    Moment,
    Observable,
    Paragraph,
    Recommendation,
    Resource,
    Sentence,
    Severity,
    Source,
    Step,
    Subject,
    Triage,
    Turn,
    Unknown,
)

USER = "arn:aws:iam::0123456789:user/Roboman1"
IP = "180.163.251.231"
ACCOUNT = "0123456789"


def at(text: str) -> int:
    """`2020-11-06 03:21:39` as epoch milliseconds."""
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)


def event(name: str) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_DNS, name))


INSTANCES = ("i-2oc7w12", "i-eob7w13", *(f"i-0{position:02x}c41d88aa7e9f{position:02d}" for position in range(3, 21)))
FAILURES = tuple(event(f"failure {n}") for n in range(9))
SUCCESS = event("success")
LOOKS = tuple(event(f"look {n}") for n in range(4))
TERMINATIONS = tuple(event(f"termination {n}") for n in range(10))
LAUNCHES = tuple(event(f"launch {n}") for n in range(2))
SIGN_INS = tuple(event(f"earlier sign-in {n}") for n in range(3))
TERMINATED = (*tuple(at("2020-11-06 03:17:35") + 27111 * n // 1000 * 1000 for n in range(9)), at("2020-11-06 03:21:39"))

FINDING = Finding(
    uid="f3b1c2d47a90",
    rule_uid="aws_ec2_production_mass_termination",
    rule_title="Mass termination of production instances",
    rule_kind="value_count",
    level="critical",
    title="Roboman1 terminated 20 production instances within 4 min 4 s",
    desc="An attacker may terminate instances to harm the company's operations.",
    attacks=("T1485", "T1578.003"),
    first_seen_time=TERMINATED[0],
    last_seen_time=TERMINATED[-1],
    event_uids=TERMINATIONS,
    count=20,
    threshold=20,
    window_ms=300_000,
    principal_uid=USER,
    principal_name="Roboman1",
    account_uid=ACCOUNT,
    regions=("us-east-2",),
    src_ips=(IP,),
    operations=("TerminateInstances",),
    resources=tuple(Resource(uid=uid, type="AWS::EC2::Instance") for uid in INSTANCES),
    falsepositives=("An approved tear-down of an environment", "A deployment that replaces its whole fleet"),
    references=("https://attack.mitre.org/techniques/T1485/",),
    tags=("attack.impact",),
    rule_author="trailhound",
    rule_license="Apache-2.0",
    rule_status="test",
    rule_date="2026-11-24",
)

SQL = """SELECT count(*) FILTER (status_id = 2) > 0 AS answer,
       count(*) FILTER (status_id = 2) AS failures,
       min(time) AS first, max(time) AS last,
       list(uid ORDER BY time, uid) AS evidence
FROM actor
WHERE operation = 'ConsoleLogin'
  AND time BETWEEN $at - 86400000 AND $to"""

TIME = Observable(kind="time", value="Fri 2020-11-06 03:17:35Z")
OPERATION = Observable(kind="operation", value="TerminateInstances")
ADDRESS = Observable(kind="ip_address", value=IP)
ACTOR = Observable(kind="user", value=USER)
IN_ACCOUNT = Observable(kind="account", value=ACCOUNT)
FLEET = Observable(kind="instance", value="i-2oc7w12 and 19 more")
SIGN_IN = Observable(kind="access_key", value="console session of 03:02:23Z")


FOLDER = "logs/AWSLogs/0123456789/CloudTrail/us-east-2/2020/11/06/0123456789_CloudTrail_us-east-2_20201106T"


def basis(evidence: tuple[str, ...]) -> Basis:
    """Of 1,612 files; those of the day cited: one verified, one broken, which holds the sign-ins."""
    in_broken = tuple(uid for uid in evidence if uid in FAILURES)
    sound = tuple(uid for uid in evidence if uid not in FAILURES)
    sources = (
        Source(uid="b1", name=f"{FOLDER}0305Z_b.json.gz", sha256="b" * 64, integrity="broken", evidence=in_broken),
        Source(uid="a1", name=f"{FOLDER}0320Z_a.json.gz", sha256="a" * 64, integrity="verified", evidence=sound),
    )
    cited = tuple(source for source in sources if source.evidence)
    return Basis(
        accounts=(ACCOUNT,), since=at("2020-08-08 03:17:35"), until=at("2020-11-08 03:21:39"), objects=1612, events=48211,
        duplicates=7, rejected=2, unplaced=1, sources=cited, sources_count=len(cited),
        integrity=Integrity(verified=1608, broken=1, unverifiable=3, unchecked=0),
    )  # fmt: skip


def answer(
    question: str,
    asks: str,
    verdict: Any,
    sentence: str,
    evidence: tuple[str, ...],
    observable: Observable,
    *,
    step: int = 3,
    gap: tuple[str, str, str] | None = None,
    **facts: Any,
) -> Answer:
    return Answer(
        uid=question if step == 3 else f"{question}/{observable.value}",
        question=question,
        asks=asks,
        step=step,
        observable=observable,
        verdict=verdict,
        sentence=sentence,
        facts=facts,
        evidence=evidence,
        evidence_count=len(evidence) if verdict != "yes" else len(evidence) + 3,
        query=SQL,
        parameters={"principal": USER, "at": TERMINATED[0], "to": TERMINATED[-1], "values": [observable.value]},
        basis=basis(evidence),
        gaps=(Gap(what=gap[0], because=gap[1], how_to_get=gap[2]),) if gap else (),
        covers="every call of the actor in this account, as far back as the log goes",
        not_covered="calls in other accounts, and data events, which are not recorded here",
    )


ANSWERS = (
    answer("time.off_hours", "Is the activity outside the actor's usual hours?", "yes",
           "Roboman1 worked between 07:00 and 19:00 UTC on each of the last 7 days; the terminations began at 03:17:35.",
           (*TERMINATIONS[:3], *SIGN_INS), TIME, usual_from="07:00", usual_to="19:00", days=7),
    answer("time.similar_activity", "Has the actor done the same around this time of day before?", "no",
           "Roboman1 has not terminated instances between 02:00 and 04:00 UTC before.", TERMINATIONS[:1], TIME, times=0),
    answer("time.approved_change", "Does an approved change cover it?", "unknown",
           "Whether an approved change covers it is not known.", TERMINATIONS[:1], TIME,
           gap=("change calendar", "no change calendar is configured", "name one under [changes] in trailhound.toml, or ask the owner of the account")),
    answer("operation.terminated", "Were the instances terminated, rather than only stopped?", "yes",
           "All 20 went from running to shutting-down by TerminateInstances: terminated, not stopped.", TERMINATIONS, OPERATION, instances=20),
    answer("operation.cadence", "Is this more than the normal cadence of such calls in the account?", "yes",
           "At most 2 instances a day were terminated in this account in the 66 days before.", TERMINATIONS[:2], OPERATION, largest=2, days=66),
    answer("operation.reconnaissance", "Did the actor look around in the hour before?", "yes",
           "Roboman1 listed instances and images in 4 calls between 03:05:02 and 03:14:40.", LOOKS, OPERATION, calls=4),
    answer("ip_address.who_else", "Who else calls from this address?", "no",
           f"Nobody but Roboman1 called from {IP}.", (*FAILURES[:1], *TERMINATIONS[:1]), ADDRESS, others=0),
    answer("ip_address.seen_before", "Was this address seen before the day of the alert?", "no",
           f"{IP} was first seen on 2020-11-06 at 03:02:10.", FAILURES[:1], ADDRESS, first=at("2020-11-06 03:02:10")),
    answer("ip_address.intelligence", "Is the address known to threat intelligence as malicious?", "unknown",
           f"What threat intelligence says of {IP} is not known.", FAILURES[:1], ADDRESS,
           gap=("osint", "no provider of threat intelligence is configured, and none was asked", "look it up at VirusTotal and the SANS Internet Storm Center")),
    answer("ip_address.foreign", "Is the address in a country that the actor has not called from before?", "yes",
           f"{IP} is in China; the three earlier sign-ins of Roboman1 came from the United States.", (SUCCESS, *SIGN_INS), ADDRESS,
           country="CN", earlier=["US"]),
    answer("ip_address.outside_expected", "Is the address outside the countries in which the organisation works?", "yes",
           "China is not among the countries in which the organisation works (North and South America).", (SUCCESS,), ADDRESS, country="CN"),
    answer("user.access", "Does the log show what the actor may do?", "unknown",
           "What Roboman1 may do beyond these calls is not in the log.", TERMINATIONS[:1], ACTOR,
           gap=("field", "the log begins after the last change of the user's policies", "run aws iam get-account-authorization-details and keep the answer with the case")),
    answer("user.outside_role", "Is the actor doing what it never does?", "no",
           "Roboman1 has used TerminateInstances before, on single instances.", TERMINATIONS[:1], ACTOR, before=5),
    answer("user.privileges_changed", "Were the actor's privileges changed recently?", "no",
           "No policy, group or role of Roboman1 was changed in the 66 days before.", TERMINATIONS[:1], ACTOR, days=66),
    answer("user.failed_sign_ins", "Did sign-ins of the actor fail just before?", "yes",
           "Nine sign-ins of Roboman1 failed in 11 seconds from 03:02:10; one succeeded at 03:02:23.", (*FAILURES, SUCCESS), ACTOR,
           failures=9, first=at("2020-11-06 03:02:10"), success=at("2020-11-06 03:02:23")),
    answer("user.confirms", "Does the person, or their manager, confirm it?", "unknown",
           "Nobody has confirmed or denied it yet.", TERMINATIONS[:1], ACTOR,
           gap=("people", "a log cannot tell what a person meant to do", "call the manager of Roboman1 on a known number")),
    answer("account.purpose", "Does the action fit what this account is for?", "no",
           "Account 0123456789 runs several high-priority application backends; terminating them is not part of its routine.",
           TERMINATIONS[:2], IN_ACCOUNT, purpose="production"),
    answer("instance.first_seen", "Does the log show when these instances were first stood up?", "yes",
           "All 20 instances were stood up on 2020-09-01.", LAUNCHES, FLEET, first=at("2020-09-01 09:00:00")),
    answer("instance.stopped_before", "Were these instances ever shut down before?", "no",
           "None of the 20 instances was shut down since it was stood up on 2020-09-01.", (*LAUNCHES, *TERMINATIONS), FLEET, stops=0),
    answer("instance.touched_before", "Has the actor worked with these instances before?", "no",
           "Roboman1 had not touched any of these instances before.", TERMINATIONS[:2], FLEET, calls=0),
    answer("instance.backups", "Does the log show images or snapshots from which they can be relaunched?", "yes",
           "18 of 20 instances have an image from 2020-11-01.", LAUNCHES[:1], FLEET, images=18),
    answer("user.mfa", "Was MFA used in the session behind this?", "no",
           "The sign-in at 03:02:23 was made without MFA.", (SUCCESS,), SIGN_IN, step=4, mfa=False),
    answer("operation.what_followed", "Did the actor change anything else afterwards?", "unknown",
           "What Roboman1 did after 03:21:39 is not known.", TERMINATIONS[-1:], SIGN_IN, step=4,
           gap=("history", "the log ends at 2020-11-06 03:25:00, minutes after the last termination", "ingest the log of the following 24 hours")),
)  # fmt: skip
UID = {each.question: each.uid for each in ANSWERS}


def sentence(text: str, *questions: str) -> Sentence:
    stands_on = [each for each in ANSWERS if each.question in questions]
    evidence = dict.fromkeys(uid for each in stands_on for uid in each.evidence)
    return Sentence(text=text, evidence=tuple(evidence), answers=tuple(each.uid for each in stands_on))


NARRATIVE = (
    Paragraph(paragraph="what happened", sentences=(
        sentence("On Friday 2020-11-06 between 03:17:35 and 03:21:39 UTC, Roboman1 terminated twenty production instances in account 0123456789.", "operation.terminated"),
        sentence("At most two instances a day had been terminated in this account in the 66 days before.", "operation.cadence"),
    )),
    Paragraph(paragraph="who", sentences=(
        sentence("Over the last seven days Roboman1 worked between 07:00 and 19:00 UTC; the alerting activity lies outside these hours.", "time.off_hours"),
        sentence("Nine sign-ins failed in quick succession from 03:02:10, before one succeeded at 03:02:23.", "user.failed_sign_ins"),
        sentence("It was made without MFA.", "user.mfa"),
        sentence("No privilege of the user was changed in the 66 days before.", "user.privileges_changed"),
    )),
    Paragraph(paragraph="from where", sentences=(
        sentence(f"The address {IP} is in China, whereas the three earlier sign-ins of Roboman1 came from Florida, and the organisation works only in North and South America.", "ip_address.foreign", "ip_address.outside_expected"),
        sentence("It had not been seen in this account before, and nobody else calls from it.", "ip_address.seen_before", "ip_address.who_else"),
        sentence("What threat intelligence says of the address is not known, because no provider was asked.", "ip_address.intelligence"),
    )),
    Paragraph(paragraph="what was hit", sentences=(
        sentence("None of the instances had been shut down since they were stood up on 2020-09-01.", "instance.stopped_before", "instance.first_seen"),
        sentence("The account runs several high-priority application backends.", "account.purpose"),
    )),
)  # fmt: skip

RECOMMENDATIONS = (
    Recommendation(
        action="Disable the console password and access keys of Roboman1 until their manager confirms that they were authorised to terminate these instances.",
        why=(UID["user.failed_sign_ins"], UID["user.mfa"], UID["ip_address.foreign"], UID["user.confirms"]),
        evidence=(*FAILURES, SUCCESS), playbook="contain_iam_user", urgency="now",
        breaks=("Roboman1 cannot work until it is undone", "jobs that run with the user's access keys stop"),
    ),
    Recommendation(
        action="If it was not authorised, launch replacement instances from the EBS snapshots or machine images.",
        why=(UID["instance.backups"], UID["account.purpose"]), evidence=LAUNCHES[:1], playbook="relaunch_instances",
        urgency="today", breaks=("the evidence on the volumes of the terminated instances may be lost: take snapshots first",),
    ),
    Recommendation(
        action="Revoke the access keys, rotate the credentials of Roboman1, and require MFA at sign-in.",
        why=(UID["user.mfa"],), evidence=(SUCCESS,), playbook="rotate_iam_user", urgency="this week", breaks=(),
    ),
)  # fmt: skip

TIMELINE = (
    *(Moment(time=at("2020-09-01 09:00:00") + 60_000 * n, sentence=f"admin launched {10} instances.", event_uid=uid, phase="before", status="success") for n, uid in enumerate(LAUNCHES)),
    *(Moment(time=at(f"2020-11-0{n + 3} 12:0{n}:11"), sentence="Roboman1 signed in to the console from Florida.", event_uid=uid, phase="before", status="success") for n, uid in enumerate(SIGN_INS)),
    *(Moment(time=at("2020-11-06 03:02:10") + 1_400 * n, sentence=f"Roboman1 failed to sign in to the console from {IP}.", event_uid=uid, phase="sign-in", status="failure") for n, uid in enumerate(FAILURES)),
    Moment(time=at("2020-11-06 03:02:23"), sentence=f"Roboman1 signed in to the console from {IP}, without MFA.", event_uid=SUCCESS, phase="sign-in", status="success"),
    *(Moment(time=at("2020-11-06 03:05:02") + 192_000 * n, sentence="Roboman1 called DescribeInstances.", event_uid=uid, phase="before", status="success") for n, uid in enumerate(LOOKS)),
    *(Moment(time=time, sentence=f"Roboman1 terminated {INSTANCES[2 * n]} and {INSTANCES[2 * n + 1]}.", event_uid=uid, phase="alert", status="success") for n, (time, uid) in enumerate(zip(TERMINATED, TERMINATIONS, strict=True))),
    Moment(time=at("2020-11-06 03:24:02"), sentence="Roboman1 called DescribeInstances.", event_uid=event("after"), phase="after"),
)  # fmt: skip

SEVERITY = Severity(
    priority="P1",
    reasons=(Triage(asks="", verdict="yes", sentence="production was hit", answers=(UID["instance.first_seen"],)),),
    triage=(
        Triage(asks="Was it unauthorised?", verdict="yes", sentence="the verdict is malicious", answers=()),
        Triage(asks="Is it still going on?", verdict="unknown", sentence="it is not known", answers=()),
    ),
)
HELPER = Observable(kind="user", value="arn:aws:iam::0123456789:user/helper")
CHASE = Chase(
    leads=(
        Lead(observable=HELPER, status="followed", score=8, reason="its answers can weigh 8", distance=1,
             answers=(UID["operation.what_followed"],)),
        Lead(observable=Observable(kind="ip_address", value="203.0.113.9"), status="not followed", score=3,
             reason="beyond the budget of one artifact", distance=2, answers=()),
        Lead(observable=Observable(kind="ip_address", value="198.51.100.7"), status="set aside", score=3,
             reason="Roboman1 called from it on forty days before the alert", distance=1, answers=()),
    ),
    hops=(
        Hop(source=ADDRESS, target=HELPER, answer=UID["ip_address.who_else"]),
        Hop(source=ACTOR, target=HELPER, answer=UID["user.outside_role"]),
        Hop(source=ACTOR, target=Observable(kind="ip_address", value="198.51.100.7"), answer=UID["user.mfa"]),
        Hop(source=HELPER, target=Observable(kind="ip_address", value="203.0.113.9"), answer=UID["operation.what_followed"]),
    ),
    budget=1,
    omitted=0,
)  # fmt: skip
EXPLANATIONS = (
    Explanation(name="compromise", title="Somebody else signed in as Roboman1", score=11,
                for_=(UID["user.failed_sign_ins"], UID["user.mfa"], UID["ip_address.foreign"], UID["time.off_hours"], UID["ip_address.seen_before"],
                      UID["operation.reconnaissance"], UID["instance.touched_before"]),
                against=(UID["user.outside_role"],),
                would_change_if="The manager of Roboman1 confirms both the work and the journey to China."),
    Explanation(name="authorised", title="Roboman1 carried out approved work", score=-4,
                for_=(UID["user.outside_role"],), against=(UID["time.off_hours"], UID["operation.cadence"], UID["account.purpose"], UID["ip_address.foreign"]),
                would_change_if="A change record names these instances and this night."),
    Explanation(name="automation", title="Automation replaced its fleet", score=-6, for_=(),
                against=(UID["operation.cadence"], UID["instance.stopped_before"]), would_change_if="Replacements were launched within the hour."),
)  # fmt: skip

DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
BUSY = (0, 0, 0, 0, 0, 0, 0, 9, 21, 34, 40, 38, 22, 30, 41, 36, 25, 17, 6, 0, 0, 0, 0, 0)
HOURS = Chart(
    name="hours",
    rows=DAYS,
    columns=tuple(f"{hour:02}" for hour in range(24)),
    values=tuple(tuple((n * (7 - day)) // 6 if day < 5 else 0 for n in BUSY) for day in range(7)),
    marks=tuple(tuple(10 if (day, hour) == (4, 3) else 0 for hour in range(24)) for day in range(7)),
)

INVESTIGATION = Investigation(
    uid="9d0a4c5e71b2",
    subject=Subject(title=FINDING.title, finding_uid=FINDING.uid, observable=None, window=(at("2020-10-30 03:17:35"), at("2020-11-07 03:21:39")), event_uids=TERMINATIONS),
    as_of={"delta_version": 3, "ledger": {"files": 1612, "events": 48211, "rejected": 0, "first": "2020-09-01", "last": "2020-11-06"}},
    finding=FINDING,
    steps=tuple(Step(name=name, questions=tuple(e.question for e in ANSWERS if e.step == n)) for n, name in enumerate(
        ("event identification", "initial artifact gathering", "artifact analysis", "additional artifact analysis", "narrative and recommendation"), start=1)),
    answers=ANSWERS,
    artifacts=(
        Artifact(kind="user", value=USER, first_seen=at("2020-09-01 07:04:00"), last_seen=TERMINATED[-1], events=2411, context={"type": "IAMUser", "role": "actor of the finding"}),
        Artifact(kind="ip_address", value=IP, first_seen=at("2020-11-06 03:02:10"), last_seen=TERMINATED[-1], events=24, context={"country": "China", "role": "source of the finding"}),
        Artifact(kind="account", value=ACCOUNT, first_seen=at("2020-09-01 00:00:12"), last_seen=TERMINATED[-1], events=48211, context={"purpose": "production"}),
        *(Artifact(kind="instance", value=uid, first_seen=at("2020-09-01 09:00:00"), last_seen=TERMINATED[-1], events=3, context={"role": "target of the finding"}) for uid in INSTANCES),
        Artifact(kind="access_key", value="ASIAEXAMPLE0SESSION1", first_seen=None, last_seen=None, events=0, context={}),
    ),
    timeline=TIMELINE,
    charts=(HOURS,),
    verdict=Conclusion(disposition="malicious", confidence="high", explanations=EXPLANATIONS, severity=SEVERITY,
                       turns=(Turn(answer=UID["time.approved_change"], verdict="yes", disposition="undetermined"),)),
    narrative=NARRATIVE,
    recommendations=RECOMMENDATIONS,
    unknowns=tuple(Unknown(question=each.uid, because=gap.because, how_to_get=gap.how_to_get) for each in ANSWERS for gap in each.gaps),
    versions={"trailhound": "0.1.0", "questions": "sha256:5d1c0f3a", "country data": "iptocc 3.3.170"},
    exhibits=tuple(
        Exhibit(uid=uid, time=time, operation="TerminateInstances", principal_uid=USER)
        for uid, time in zip(TERMINATIONS, TERMINATED, strict=True)
    ),
    chase=CHASE,
)  # fmt: skip


def altered(**changes: Any) -> Investigation:
    return msgspec.structs.replace(INVESTIGATION, **changes)


BRIEF = altered(  # some of each kind: quick to render many times
    finding=msgspec.structs.replace(FINDING, resources=FINDING.resources[:2]),
    answers=(ANSWERS[0], ANSWERS[2], ANSWERS[-1]),
    artifacts=INVESTIGATION.artifacts[:4:3],
    timeline=TIMELINE[12:18],
    narrative=NARRATIVE[1:2],
    recommendations=RECOMMENDATIONS[:1],
    verdict=msgspec.structs.replace(INVESTIGATION.verdict, explanations=EXPLANATIONS[:2]),
    unknowns=INVESTIGATION.unknowns[:1],
    chase=msgspec.structs.replace(CHASE, leads=CHASE.leads[:1], hops=CHASE.hops[:1]),
)
