"""Histories in which each question about the actor, its credentials, a thing of section 14 or the case is answered.

`DONE` is a busy day on which all that is asked about was done; `CALM` one on which none of it was, and everything is
in the log. `SESSION` is the same of the session of a role.
"""

from __future__ import annotations

from typing import Any

from tests.investigation.history import ACCOUNT, HOME, Json, call, get_object, role
from tests.investigation.question_cases import CI, IAM, OTHER, SECRETS, asked

KEY, NEWER = "AKIAANN0000000000000", "AKIAANN0000000000001"
SNAPSHOT, VAULT = "snap-0123456789abcdef0", "vault"
TERMINATE = call("TerminateInstances", **asked(instancesSet={"items": [{"instanceId": "i-0123456789abcdef0"}]}))
RDS: Json = {"service": "rds"}
LAMBDA: Json = {"service": "lambda"}
ECS: Json = {"service": "ecs"}
BEDROCK: Json = {"service": "bedrock"}
CONFIG: Json = {"service": "config"}


def made_key(hours: float, key: str, **more: Any) -> Json:
    answer = {"responseElements": {"accessKey": {"accessKeyId": key, "userName": "ann"}}}
    return call("CreateAccessKey", hours, **IAM, **asked(userName="ann"), **answer, **more)


DONE: tuple[list[Json], list[Json]] = (
    [
        TERMINATE | {"userAgent": "Mozilla/5.0", "awsRegion": "eu-west-3"},
        call("ModifySnapshotAttribute", **asked(snapshotId=SNAPSHOT, createVolumePermission={"add": {"items": [{"userId": OTHER}]}})),
        call("ModifyDBInstance", **RDS, **asked(dBInstanceIdentifier="shop", masterUserPassword="****", deletionProtection=False)),
        call("DeleteRecoveryPoint", service="backup", **asked(backupVaultName=VAULT)),
        call("AuthorizeSecurityGroupIngress", **asked(groupId="sg-1", ipPermissions={"items": [{"fromPort": 22, "ipRanges": {"items": [{"cidrIp": "0.0.0.0/0"}]}}]})),
        call("CreateVpcPeeringConnection", **asked(vpcId="vpc-0123456789abcdef0", peerOwnerId=OTHER)),
        call("UpdateFunctionCode20150331v2", **LAMBDA, **asked(functionName="f")),
        call("SetRepositoryPolicy", service="ecr", **asked(repositoryName="r")),
        call("InvokeModel", **BEDROCK, **asked(modelId="m")),
        call("StopConfigurationRecorder", **CONFIG, **asked(configurationRecorderName="default")),
    ],
    [
        made_key(-100, KEY, **CI),
        made_key(-99, NEWER),
        call("AttachUserPolicy", -0.3, **IAM, **CI, **asked(userName="ann", policyArn="arn:aws:iam::aws:policy/AWSCompromisedKeyQuarantineV2")),
        call("TagUser", -50, **IAM, **asked(userName="ann", tags=[{"key": "owner", "value": "shop"}])),
        call("DeactivateMFADevice", -3, **IAM, **asked(userName="ann")),
        call("GetCallerIdentity", -0.2, service="sts", region=HOME),
        call("RequestServiceQuotaIncrease", -1, service="servicequotas"),
        call("AssumeRole", -0.1, service="sts", **asked(roleArn=f"arn:aws:iam::{ACCOUNT}:role/admin", roleSessionName="x"),
             responseElements={"credentials": {"accessKeyId": "ASIAADMIN00000000000", "expiration": "May 20, 2024, 11:00:00 PM"},
                               "assumedRoleUser": {"arn": f"arn:aws:sts::{ACCOUNT}:assumed-role/admin/x"}}),
        call("CreateUser", 0.5, **IAM, **asked(userName="eve"), userIdentity=role("admin", "ASIAADMIN00000000000", session="x")),
        call("GetSecretValue", 0.5, **SECRETS, **asked(secretId="db")),
        get_object("recorded", 0.2),
        call("DeleteLoginProfile", 3, **IAM, **CI, **asked(userName="ann")),
    ],
)  # fmt: skip

CALM: tuple[list[Json], list[Json]] = (
    [
        call("CreateTags", **asked(resourcesSet={"items": [{"resourceId": "sg-1"}, {"resourceId": "vpc-0123456789abcdef0"}]}, tagSet={"items": []})),
        call("CreateVolume", **asked(snapshotId=SNAPSHOT)),
        call("RebootDBInstance", **RDS, **asked(dBInstanceIdentifier="shop")),
        call("TagResource20170331", **LAMBDA, **asked(functionName="f")),
        call("CreateCluster", **ECS, **asked(clusterName="c")),
        call("InvokeModel", **BEDROCK, **asked(modelId="m")),
        call("PutMetricAlarm", service="monitoring", **asked(alarmName="a")),
    ],
    [
        call(name, -200, **fields)
        for name, fields in {
            "InvokeModel": BEDROCK, "RebootDBInstance": RDS, "TagResource20170331": LAMBDA,
            "CreateCluster": ECS, "PutMetricAlarm": {"service": "monitoring"},
        }.items()
    ],
)  # fmt: skip

ON_INSTANCE = role("web", "ASIAWEB0000000000000", session="i-0123456789abcdef0")
ISSUED = {
    "responseElements": {"credentials": {"accessKeyId": "ASIAWEB0000000000000", "expiration": "May 20, 2024, 11:00:00 PM"},
                         "assumedRoleUser": {"arn": f"arn:aws:sts::{ACCOUNT}:assumed-role/web/i-0123456789abcdef0"}},
    **asked(roleArn=f"arn:aws:iam::{ACCOUNT}:role/web", roleSessionName="i-0123456789abcdef0", durationSeconds=43200, sourceIdentity="“ann"),
}  # fmt: skip
SESSION_DONE: tuple[list[Json], list[Json]] = (
    [TERMINATE | {"userIdentity": ON_INSTANCE}],
    [
        call("AssumeRole", -0.2, service="sts", **ISSUED),
        call("DescribeVpcs", -0.1, userIdentity=ON_INSTANCE, sourceIPAddress="203.0.113.9"),
    ],
)
PLAIN = role("web", "ASIAWEB0000000000000", session="botocore-session-1700000000")
SESSION_CALM: tuple[list[Json], list[Json]] = (
    [TERMINATE | {"userIdentity": PLAIN}],
    [
        call("AssumeRole", -0.2, service="sts", **asked(roleArn=f"arn:aws:iam::{ACCOUNT}:role/web", roleSessionName="botocore-session-1700000000"),
             responseElements={"credentials": {"accessKeyId": "ASIAWEB0000000000000", "expiration": "May 20, 2024, 1:59:00 PM"},
                               "assumedRoleUser": {"arn": f"arn:aws:sts::{ACCOUNT}:assumed-role/web/botocore-session-1700000000"}}),
        *[call("DescribeVpcs", -24 * day, userIdentity=PLAIN | {"accessKeyId": f"ASIAWEB00000000{day:05}"}) for day in range(1, 30)],
    ],
)  # fmt: skip
