"""Everything in a log is written by an attacker, and some of it is not written at all."""

from __future__ import annotations

import hashlib
import io
import os
import subprocess
import sys
from itertools import product
from pathlib import Path

import msgspec
import pytest
from rich.console import Console
from tests.investigation.history import HOME, History, call, role, user

from trailhound.investigation import scope, steps
from trailhound.model import Investigation
from trailhound.reports import html, markdown, text
from trailhound.settings import Settings

TEXTS = (
    "'; DROP TABLE events; --",
    "line\nbreak\r\nand\ttab",
    "\u202egnp.exe\u2066",
    "<script>document.title='owned'</script>",
    "\x1b[31mred\x1b[2J\x07\x00",
    "{{ 7 * 7 }}{% raw %}",
    "%",
    "",
    "/",
    "arn:",
    ":assumed-role/",
    ":root",
    "arn:aws:sts::111122223333:assumed-role",
    "x" * 20_000,
)
CALLS = {
    "ec2": ("TerminateInstances", "RunInstances", "CreateImage"),
    "s3": ("PutBucketPolicy", "PutBucketAcl", "GetObject"),
    "iam": ("CreatePolicy", "AttachUserPolicy", "CreateUser", "CreateAccessKey"),
    "sts": ("AssumeRole",),
    "signin": ("ConsoleLogin",),
    "cloudtrail": ("StopLogging", "PutEventSelectors"),
}
SHAPES = (None, 5, ["a"], {"a": None}, "{", "[]", '{"Statement": 3}')


def _investigate(history: History) -> Investigation:
    inputs = steps.Inputs(engine=history.engine, settings=Settings(), findings=[], as_of={}, versions={})
    finding = history.finding()
    return steps.investigate(inputs, scope.of_finding(history.engine, finding), finding=finding, observable=None)


def _sentences(found: Investigation) -> list[str]:
    return [
        *(s.text for p in found.narrative for s in p.sentences),
        *(a.sentence for a in found.answers),
        *(g.because for a in found.answers for g in a.gaps),
        *(r.action for r in found.recommendations),
        *(m.sentence for m in found.timeline),
    ]


def _check(history: History, found: Investigation) -> None:
    known = {row["uid"] for row in history.engine.query("SELECT metadata.uid AS uid FROM events")}
    assert all(s.evidence and known.issuperset(s.evidence) for p in found.narrative for s in p.sentences)
    assert all(a.evidence and known.issuperset(a.evidence) for a in found.answers)
    assert all((a.verdict == "unknown") == bool(a.gaps) for a in found.answers)
    assert len({a.uid for a in found.answers}) == len(found.answers)
    for sentence in _sentences(found):
        assert sentence.strip()
        assert "  " not in sentence
        assert len(sentence) < 3_000
        assert sentence.isprintable(), sentence
    assert "None" not in " ".join(sentence.replace("None of", "") for sentence in _sentences(found))
    shown = io.StringIO()
    text.render(found, Console(file=shown, width=100))
    for page in (html.render(found), markdown.render(found), shown.getvalue()):
        assert not {"\x1b", "\x07", "\x00", "\u202e"} & set(page)
    assert "<script" not in html.render(found)


def _poisoned(poison: str) -> list[dict]:
    """Calls in which everything that a caller, or whoever forges a log, may choose is `poison`."""
    chosen = {
        "userAgent": poison,
        "requestParameters": dict.fromkeys(
            (
                "userName",
                "roleName",
                "bucketName",
                "key",
                "policyName",
                "policyDocument",
                "policyArn",
                "roleArn",
                "name",
            ),
            poison,
        ),
        "responseElements": {"credentials": {"accessKeyId": poison}, "imageId": poison},
        "errorMessage": poison,
        "resources": [
            {"ARN": poison, "type": poison, "accountId": poison},
            {"ARN": f"arn:aws:s3:::b/{poison}", "type": "AWS::S3::Object"},
        ],
    }
    actors = [
        user() | {"userName": poison, "arn": poison, "accessKeyId": poison},
        role("admin", poison, session=poison),
    ]
    return [
        call(name, service=service, region=HOME, userIdentity=actor, **chosen)
        for (service, names), actor in product(CALLS.items(), actors)
        for name in names
    ]


@pytest.mark.parametrize("poison", TEXTS, ids=[repr(t[:12]) for t in TEXTS])
def test_what_an_attacker_writes_stays_a_value(poison):
    history = History(_poisoned(poison))
    _check(history, _investigate(history))


@pytest.mark.parametrize("shape", SHAPES, ids=map(repr, SHAPES))
def test_parameters_of_another_shape_are_not_an_error(shape):
    odd = {"requestParameters": shape, "responseElements": shape}
    inner = dict.fromkeys(
        (
            "policyDocument",
            "bucketPolicy",
            "instancesSet",
            "tagSpecificationSet",
            "name",
            "userName",
            "bucketName",
            "policyArn",
        ),
        shape,
    )
    records = [
        call(name, service=service) | parameters
        for service, names in CALLS.items()
        for name in names
        for parameters in (odd, {"requestParameters": inner, "responseElements": inner})
    ]
    history = History(records)
    _check(history, _investigate(history))


@pytest.mark.parametrize(
    "left_out",
    [
        "sourceIPAddress",
        "recipientAccountId",
        "userIdentity",
        "userAgent",
        "awsRegion",
        "readOnly",
        "eventSource",
        "eventCategory",
        "*",
    ],
)
def test_records_that_lack_a_field_are_investigated(left_out):
    record = call(
        "TerminateInstances", requestParameters={"instancesSet": {"items": [{"instanceId": "i-0123456789abcdef0"}]}}
    )
    kept = {"eventTime", "eventName"} if left_out == "*" else record.keys() - {left_out}
    history = History([{key: record[key] for key in record if key in kept}])
    found = _investigate(history)
    if left_out == "*":
        assert {a.verdict for a in found.answers if a.question == "operation.first_time"} == {"unknown"}
    _check(history, found)


def test_many_principals_regions_and_events_are_investigated():
    regions = ("us-east-1", "eu-west-1", "ap-south-1")
    alert = [
        call("TerminateInstances", n / 3600, region=regions[n % 3], userIdentity=user(f"u{n % 40}"), sourceIPAddress=f"198.51.100.{n % 250}",
             requestParameters={"instancesSet": {"items": [{"instanceId": f"i-{n:017x}"}]}})
        for n in range(3000)
    ]  # fmt: skip
    history = History(alert)
    found = _investigate(history)
    _check(history, found)
    assert next(a.evidence_count for a in found.answers if a.question == "operation.succeeded") == 3000
    assert {a.verdict for a in found.answers if a.question == "user.dormant"} == {"unknown"}


@pytest.mark.parametrize("at", [-40 * 24, 3 * 24 + 3])
def test_the_first_and_the_last_moment_of_the_log_are_investigated(at):
    history = History([call("TerminateInstances", at)])
    found = _investigate(history)
    _check(history, found)
    given = {a.question: a.verdict for a in found.answers}
    missing = "operation.first_time" if at < 0 else "operation.what_followed"
    assert given[missing] == "unknown"


def digest() -> str:
    """Of all formats of one investigation, in which many things are tied."""
    ties = [call("TerminateInstances", userAgent=f"tool-{n % 7}", userIdentity=user(f"u{n % 7}"), sourceIPAddress=f"198.51.100.{n % 7}",
                 requestParameters={"instancesSet": {"items": [{"instanceId": f"i-{n:017x}"}]}, "tag": n}) for n in range(70)]  # fmt: skip
    before = [record | {"eventTime": call("X", -30)["eventTime"], "eventName": "CreateTags"} for record in ties]
    found = _investigate(History(ties, before))
    shown = io.StringIO()
    text.render(found, Console(file=shown, width=100))
    pages = (msgspec.json.encode(found).decode(), html.render(found), markdown.render(found), shown.getvalue())
    return hashlib.sha256("".join(pages).encode()).hexdigest()


def test_two_processes_write_the_same_bytes():
    code = "from tests.investigation.test_hostile import digest; print(digest())"
    root = Path(__file__).parents[2]
    said = [
        subprocess.run(
            [sys.executable, "-c", code],
            env=os.environ | {"PYTHONHASHSEED": seed, "PYTHONPATH": os.pathsep.join([str(root / "src"), str(root)])},
            capture_output=True,
            text=True,
            check=True,
            cwd=root,
        ).stdout
        for seed in ("1", "2")
    ]
    assert said[0] == said[1] == digest() + "\n"
