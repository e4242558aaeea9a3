"""Histories for what is asked of the time, the calls, the address and the agent: each says which answers it must give.

`ALL` is asked; what a case does not name may be answered in any way.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from tests.investigation.history import ALERT, HOUR, NOTHING_KNOWN, Json, call, role
from tests.investigation.question_cases import ACCOUNT, IAM, INSTANCE, asked, user

from trailhound.model import Finding
from trailhound.settings import Lookup, Settings

YES, NO, UNKNOWN = "yes", "no", "unknown"
NEVER_NO = {  # the log can show it, but not deny it
    *("time.dwell", "operation.tactic", "operation.spread", "ip_address.own", "ip_address.hosting", "ip_address.flows", "user_agent.tool"),
}  # fmt: skip
NEVER_YES = {"ip_address.flows"}
# Files and what is proven of them have a test of their own.
ALL = {
    *("time.since_issue", "time.dwell", "time.coincides", "operation.tactic", "operation.as_code", "operation.dry_run"),
    *("operation.reversible", "operation.count_unusual", "operation.spread", "operation.origin", "ip_address.own"),
    *("ip_address.hosting", "ip_address.key_at_once", "ip_address.touched", "ip_address.flows"),
    *("ip_address.earlier_findings", "user_agent.tool", "user_agent.misfit", "user_agent.changes", "user_agent.tls"),
    *("user_agent.scripted", "user_agent.spoofed"),
}


class Case(NamedTuple):
    alert: Sequence[Json]
    says: dict[str, str]
    others: Sequence[Json] = ()
    kept: Callable[[Json], bool] | None = None
    settings: Settings = NOTHING_KNOWN
    findings: Sequence[Finding] = ()


def finding(name: str, hours: float, **more: Any) -> Finding:
    """A stored one, so many hours after the alert."""
    at = int(ALERT + hours * HOUR)
    known = {
        "uid": name, "rule_uid": name, "rule_title": name, "rule_kind": "sigma", "level": "high", "title": f"About {name}", "desc": "",
        "attacks": (), "first_seen_time": at, "last_seen_time": at, "event_uids": (f"of-{name}",), "count": 1, "threshold": None,
        "window_ms": None, "principal_uid": "eve", "principal_name": "", "account_uid": ACCOUNT, "regions": (), "src_ips": (),
        "operations": (), "resources": (),
    }  # fmt: skip
    return Finding(**{**known, **more})


def session(began: str, **identity: Any) -> Json:
    who = role("dev", "ASIADEV0000000000000")
    who["sessionContext"]["attributes"]["creationDate"] = began
    return {"userIdentity": who | identity}


THERE: Json = {"sourceIPAddress": "203.0.113.9"}
BOTO: Json = {"userAgent": "Boto3/1.26.0 md/Botocore#1.29.0 os/linux#5.15"}
CLI: Json = {"userAgent": "aws-cli/2.15.0 Python/3.11 Windows/10"}
MOZILLA: Json = {"userAgent": "Mozilla/5.0 (Windows NT 10.0; Win64; x64) Chrome/120.0.0.0 Safari/537.36"}
AS_DEV: Json = session("2024-05-20T13:55:00Z")
IN_CONSOLE: Json = session("2024-05-20T13:00:00Z") | MOZILLA | {"sessionCredentialFromConsole": "true"}
AWS_TLS: Json = {"tlsDetails": {"tlsVersion": "TLSv1.3", "clientProvidedHostHeader": "ec2.us-east-2.amazonaws.com"}}
OLD_TLS: Json = {"tlsDetails": {"tlsVersion": "TLSv1", "clientProvidedHostHeader": "aws.example.com:443"}}


def end(hours: float = 0, *, instances: Sequence[str] = (INSTANCE,), **fields: Any) -> Json:
    return call("TerminateInstances", hours, **asked(instancesSet={"items": [{"instanceId": i} for i in instances]}), **fields)  # fmt: skip


TRIED = end(errorCode="Client.DryRunOperation", errorMessage="Request would have succeeded, but DryRun flag is set.")
STOLEN = Case(
    [end(**AS_DEV, **THERE, **BOTO, **OLD_TLS)],
    {
        "time.since_issue": YES, "time.dwell": YES, "time.coincides": YES, "operation.tactic": YES, "operation.as_code": NO,
        "operation.dry_run": NO, "operation.reversible": NO, "operation.count_unusual": UNKNOWN, "operation.spread": YES,
        "operation.origin": NO, "ip_address.own": UNKNOWN, "ip_address.hosting": UNKNOWN, "ip_address.key_at_once": YES,
        "ip_address.touched": YES, "ip_address.flows": UNKNOWN, "ip_address.earlier_findings": YES, "user_agent.tool": YES,
        "user_agent.misfit": NO, "user_agent.changes": YES, "user_agent.tls": YES, "user_agent.scripted": YES, "user_agent.spoofed": NO,
    },
    [
        *[call("DescribeVpcs", second / 3600, **AS_DEV, **THERE, **BOTO) for second in range(1, 7)],
        call("DescribeVpcs", -0.05, **AS_DEV, **CLI, sourceIPAddress="198.18.1.9"),
        end(1, instances=["i-0aaaaaaaaaaaaaaa1"], region="eu-west-1", **AS_DEV, **THERE, **BOTO),
    ],
    findings=[
        finding("same", 0, event_uids=("alert-0",), attacks=("T1485",)), finding("near", 0.2), finding("old", -99, src_ips=("203.0.113.9",)),
    ],
)  # fmt: skip

CASES: dict[str, Case] = {
    "a session is taken over": STOLEN,
    "an old hand does what it does every day": Case(
        [call("CreateTags", sourceIPAddress="198.51.100.50", **AWS_TLS, **asked(resourcesSet={"items": [{"resourceId": INSTANCE}]}))],
        {
            "time.since_issue": NO, "time.dwell": UNKNOWN, "time.coincides": NO, "operation.as_code": NO, "operation.reversible": YES,
            "operation.count_unusual": NO, "operation.spread": UNKNOWN, "ip_address.key_at_once": NO, "ip_address.touched": NO,
            "ip_address.earlier_findings": NO, "user_agent.misfit": NO, "user_agent.changes": UNKNOWN, "user_agent.tls": NO,
            "user_agent.scripted": UNKNOWN, "operation.tactic": UNKNOWN,
        },
        [call("CreateAccessKey", -900, **IAM, responseElements={"accessKey": {"accessKeyId": "AKIAANN0000000000000", "userName": "ann"}},
              **asked(userName="ann"))],
        findings=[finding("far", -9), finding("elsewhere", 0, account_uid="999999999999")],
    ),
    "somebody works in the console": Case(
        [call("StopInstances", **IN_CONSOLE), call("StopInstances", 0.001, **IN_CONSOLE)],
        {
            "user_agent.scripted": NO, "user_agent.misfit": NO, "user_agent.changes": NO, "operation.reversible": YES,
            "time.since_issue": NO, "time.coincides": UNKNOWN, "ip_address.earlier_findings": UNKNOWN, "user_agent.tls": UNKNOWN,
        },
    ),
    "what fits the console is sent by a program": Case(
        [call("StopInstances", **(IN_CONSOLE | BOTO))], {"user_agent.misfit": YES, "user_agent.scripted": UNKNOWN}
    ),
    "a stack is deleted": Case(
        [end(userIdentity=user() | {"invokedBy": "cloudformation.amazonaws.com"}, sourceIPAddress="cloudformation.amazonaws.com",
             userAgent="cloudformation.amazonaws.com")],
        {
            "operation.as_code": YES, "operation.origin": YES, "time.dwell": UNKNOWN, "user_agent.misfit": UNKNOWN,
            "user_agent.tool": UNKNOWN, "user_agent.spoofed": NO,
        },
    ),
    "permissions are tried out": Case(
        [TRIED | MOZILLA, TRIED | {"userAgent": "[cloudformation.amazonaws.com]"}],
        {
            "operation.dry_run": YES, "operation.reversible": UNKNOWN, "operation.as_code": UNKNOWN, "user_agent.misfit": YES,
            "user_agent.spoofed": YES,
        },
    ),
    "it comes from an address of the account, more often than ever": Case(
        [call("CreateTags", n / 3600, sourceIPAddress="203.0.113.77") for n in range(3)],
        {"ip_address.own": YES, "ip_address.hosting": YES, "operation.count_unusual": YES, "time.since_issue": UNKNOWN},
        [call("AllocateAddress", -50, responseElements={"publicIp": "203.0.113.77", "allocationId": "eipalloc-1"})],
        settings=Settings(lookups=(Lookup(value="203.0.113.77", provider="GreyNoise", verdict="VPN exit", asked="2024-05-20"),)),
    ),
    "the address was given back": Case(
        [call("CreateTags", sourceIPAddress="203.0.113.77")],
        {"ip_address.own": UNKNOWN},
        [
            call("AllocateAddress", -50, responseElements={"publicIp": "203.0.113.77", "allocationId": "eipalloc-1"}),
            call("ReleaseAddress", -9, **asked(allocationId="eipalloc-1")),
            # Tags are written by whoever launches: they make no address one's own.
            call("RunInstances", -5, responseElements={"tagSet": {"items": [{"key": "publicIp", "value": "203.0.113.77"}, {"key": "x", "value": '"publicIp":"203.0.113.77"'}]}}),
        ],
    ),
    "it comes through an endpoint of the account": Case(
        [call("CreateTags", sourceIPAddress="10.0.0.5", vpcEndpointId="vpce-1", vpcEndpointAccountId=ACCOUNT)],
        {"ip_address.own": YES, "operation.origin": YES},
    ),
    "it comes through an endpoint of somebody else": Case(
        [call("CreateTags", sourceIPAddress="10.0.0.5", vpcEndpointId="vpce-(((", vpcEndpointAccountId="999999999999")],
        {"ip_address.own": UNKNOWN},
    ),
    "nothing else is there, and the records say little": Case(
        [
            call("ConsoleLogin", 0, service="signin", userAgent=..., userIdentity=user(key="")),
            call("CreateTags", 0.01, sourceIPAddress=..., userIdentity=user(key="")),
            call("CreateTags", 0.02),
        ],
        dict.fromkeys(ALL - {"user_agent.tool", "operation.reversible", "user_agent.changes"}, UNKNOWN),
        kept=lambda record: False,
    ),
}  # fmt: skip
