"""Histories in which each question about an account, a Region or a thing is answered with yes, with no, or not at all.

Of each kind there are three: `done`, where all that is asked about was done; `calm`, where none of it was, and
everything is in the log; `bare`, where the log does not hold what an answer would need.
"""

from __future__ import annotations

import json
from typing import Any

from tests.investigation.history import ACCOUNT, HOME, Json, call, get_object, role, user

OTHER = "999999999999"
CI = {"userIdentity": user("ci", "AKIACI00000000000000")}
ROOT = {"userIdentity": {"type": "Root", "arn": f"arn:aws:iam::{ACCOUNT}:root", "accountId": ACCOUNT}}
IAM: Json = {"service": "iam", "region": HOME}


def service(name: str) -> Json:
    return {"userIdentity": {"type": "AWSService", "invokedBy": name}, "sourceIPAddress": name}


def asked(**parameters: Any) -> Json:
    return {"requestParameters": parameters}


def lets_in(*accounts: str) -> str:
    principal = {"AWS": [f"arn:aws:iam::{each}:root" for each in accounts]}
    return json.dumps({"Statement": [{"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"}]})


def allows(*actions: str) -> str:
    return json.dumps({"Statement": [{"Effect": "Allow", "Action": list(actions), "Resource": "*"}]})


INSTANCE = "i-0123456789abcdef0"
TERMINATE = call("TerminateInstances", **asked(instancesSet={"items": [{"instanceId": INSTANCE}]}))


def launch(size: str = "m5.large", tags: list[Json] | None = None, **more: Any) -> Json:
    tagged = {"items": [{"resourceType": "instance", "tags": tags or []}]}
    made = {"instanceId": INSTANCE, "groupSet": {"items": [{"groupId": "sg-1"}]}}
    parameters = asked(instanceType=size, tagSpecificationSet=tagged, **more)
    return call("RunInstances", -100, responseElements={"instancesSet": {"items": [made]}}, **parameters)


ON_INSTANCE = {"userIdentity": role("web", "ASIAWEB0000000000000", session=INSTANCE)}
INSTANCE_DONE = [
    launch("p4d.24xlarge", [{"key": "env", "value": "prod"}], networkInterfaceSet={"items": [{"associatePublicIpAddress": True}]}),
    call("ModifyInstanceAttribute", -2, **asked(instanceId=INSTANCE, disableApiTermination={"value": False})),
    call("TerminateInstances", 0.05, **asked(instancesSet={"items": [{"instanceId": "i-0aaaaaaaaaaaaaaaa"}]})),
    call("DescribeVpcs", -3, **ON_INSTANCE),
    call("DescribeVpcs", -3, **ON_INSTANCE, sourceIPAddress="203.0.113.9"),
    call("StartSession", -1, service="ssm", **asked(target=INSTANCE)),
    call("DescribeInstanceAttribute", -1, **asked(instanceId=INSTANCE, attribute="userData")),
    call("AuthorizeSecurityGroupIngress", -99, **asked(groupId="sg-1", ipPermissions={"items": [{"ipRanges": {"items": [{"cidrIp": "0.0.0.0/0"}]}}]})),
]  # fmt: skip

ACCOUNT_DONE = [
    call("LeaveOrganization", 1, service="organizations", region=HOME, **ROOT),
    call("DeleteDetector", 2, service="guardduty"),
    call("RunInstances", 3, errorCode="Client.VcpuLimitExceeded"),
    call("RunInstances", 3.1),
    call("EnableRegion", -5, service="account", region=HOME, **asked(RegionName="us-east-2")),
    *[call("DescribeInstances", 0.1, region=region) for region in ("eu-west-1", "eu-west-2", "eu-west-3", "eu-north-1")],
    call("CreateTags", -9, **asked(resourcesSet={"items": [{"resourceId": INSTANCE}]}, tagSet={"items": [{"key": "env", "value": "prod"}]})),
    call("DescribeVpcs", -9, recipientAccountId="888888888888"),
]  # fmt: skip

DATA: Json = {"service": "s3", "eventCategory": "Data"}
POLICY = call("PutBucketPolicy", service="s3", **asked(bucketName="recorded", bucketPolicy=json.loads(lets_in(OTHER))))
UNRECORDED = call("PutBucketPolicy", service="s3", **asked(bucketName="secret"))
BUCKET_DONE = [
    call("CopyObject", 1, **DATA, **asked(bucketName="evil", key="k", **{"x-amz-copy-source": "recorded/k"})),
    call("PutObject", 1, **DATA, **asked(bucketName="recorded", key="HOW_TO_RECOVER.txt", **{"x-amz-server-side-encryption-customer-algorithm": "AES256"})),
    call("PutBucketTagging", -9, service="s3", **asked(bucketName="recorded", Tagging={"TagSet": {"Tag": [{"Key": "data", "Value": "pii"}]}})),
    call("PutObject", 1, **DATA, **service("cloudtrail.amazonaws.com"), **asked(bucketName="recorded", key="x")),
    *[call("GetBucketAcl", 0.1, service="s3", **asked(bucketName=f"b{n}")) for n in range(12)],
]  # fmt: skip

ROLE = f"arn:aws:iam::{ACCOUNT}:role/admin"
ATTACH = call(
    "AttachRolePolicy", **IAM, **asked(roleName="admin", policyArn="arn:aws:iam::aws:policy/AdministratorAccess")
)
ATTACH_LITTLE = call(
    "AttachRolePolicy", **IAM, **asked(roleName="admin", policyArn=f"arn:aws:iam::{ACCOUNT}:policy/little")
)


def assume(hours: float, **more: Any) -> Json:
    return call("AssumeRole", hours, service="sts", **asked(roleArn=ROLE, roleSessionName="x"), **more)


def as_admin(hours: float, session: str) -> Json:
    return call("DescribeVpcs", hours, userIdentity=role("admin", f"ASIA{session.upper():0<16}", session=session))


ROLE_DONE = [
    call("UpdateAssumeRolePolicy", -2, **IAM, **asked(roleName="admin", policyDocument=lets_in(OTHER))),
    assume(-300, **service("lambda.amazonaws.com")),
    assume(-0.5),
    assume(-0.2, errorCode="AccessDenied"),
    as_admin(-0.3, "me"),
    as_admin(-0.4, "you"),
    call("CreateFunction20150331", -0.1, service="lambda", **asked(functionName="f", role=ROLE)),
    call("AssumeRoleWithWebIdentity", -0.3, service="sts", **asked(roleArn=ROLE, roleSessionName="gh"),
         userIdentity={"type": "WebIdentityUser", "principalId": "a:b:c", "userName": "repo:x"}),
]  # fmt: skip
ROLE_CALM = [
    call("CreateRole", -200, **IAM, **asked(roleName="admin", assumeRolePolicyDocument=lets_in(ACCOUNT))),
    assume(-300, **service("lambda.amazonaws.com")),
    as_admin(-200, "svc"),
    as_admin(-0.5, "svc"),
]

WRITTEN = f"arn:aws:iam::{ACCOUNT}:policy/AWSBackup"


def version(hours: float, *actions: str, **more: Any) -> Json:
    return call(
        "CreatePolicyVersion", hours, **IAM, **asked(policyArn=WRITTEN, policyDocument=allows(*actions), **more)
    )


POLICY_DONE = [
    version(-99, "s3:PutObject", setAsDefault=True),
    call("AttachRolePolicy", 1, **IAM, **asked(roleName="deep", policyArn=WRITTEN)),
    call("DeletePolicyVersion", 2, **IAM, **asked(policyArn=WRITTEN, versionId="v1")),
    call("DeleteRolePermissionsBoundary", 1, **IAM, **asked(roleName="deep")),
]
LITTLE = f"arn:aws:iam::{ACCOUNT}:policy/little"
WROTE_LITTLE = call("CreatePolicyVersion", **IAM, **asked(policyArn=LITTLE, policyDocument=allows("s3:GetObject")))
PUT_LITTLE = call(
    "CreatePolicyVersion",
    **IAM,
    **asked(policyArn=LITTLE, policyDocument=allows("s3:GetObject"), setAsDefault=True),
)
LITTLE_BEFORE = call(
    "CreatePolicyVersion", -99, **CI, **IAM, **asked(policyArn=LITTLE, policyDocument=allows("s3:GetObject"))
)

KMS: Json = {"service": "kms"}
KEY = f"arn:aws:kms:us-east-2:{ACCOUNT}:key/k1"
NAMED = {"resources": [{"type": "AWS::KMS::Key", "ARN": KEY, "accountId": ACCOUNT}]}
DESCRIBE_KEY = call("DescribeKey", **KMS, **asked(keyId=KEY))
KEY_DONE = [
    call("Decrypt", 0.5, **KMS, **CI, **NAMED, **asked(encryptionContext={"aws:ebs:id": "vol-1"})),
    call("Decrypt", 0.5, **KMS, **CI, **NAMED, errorCode="AccessDenied"),
    call("ScheduleKeyDeletion", 0.6, **KMS, **asked(keyId="k1", pendingWindowInDays=7)),
    call("PutKeyPolicy", 0.7, **KMS, **asked(keyId="k1", policy=lets_in(OTHER))),
    call("RotateKeyOnDemand", 0.8, **KMS, **asked(keyId="k1")),
    call("DescribeKey", -30, **KMS, **asked(keyId=KEY)),
]
OTHER_KEY = call("Decrypt", 0.5, **KMS, **CI, **asked(keyId=KEY.replace("k1", "k2")))
BY_SERVICE = call("CreateVolume", **asked(kmsKeyId=KEY), resources=[{"type": "AWS::KMS::Key", "ARN": KEY}])

SECRETS: Json = {"service": "secretsmanager"}
SECRET = f"arn:aws:secretsmanager:us-east-2:{ACCOUNT}:secret:db-AbCdEf"
READ = call("GetSecretValue", **SECRETS, **asked(secretId=SECRET))
SECRET_DONE = [
    call("GetSecretValue", 0.1, **SECRETS, **CI, **asked(secretId="db")),
    call("GetSecretValue", 0.1, **SECRETS, **CI, **asked(secretId="db"), errorCode="AccessDeniedException"),
    call("BatchGetSecretValue", 0.2, **SECRETS, **asked(secretIdList=["a"])),
    call("RotateSecret", 3, **SECRETS, **asked(secretId="db")),
    call("PutResourcePolicy", 0.3, **SECRETS, **asked(secretId=SECRET, resourcePolicy=lets_in(OTHER))),
    call("DeleteSecret", 0.4, **SECRETS, **asked(secretId=SECRET, forceDeleteWithoutRecovery=True)),
]

DONE: dict[str, tuple[list[Json], list[Json]]] = {
    "account": ([TERMINATE, POLICY], ACCOUNT_DONE),
    "region": ([TERMINATE], ACCOUNT_DONE),
    "instance": ([TERMINATE | {"userIdentity": user() | {"invokedBy": "autoscaling.amazonaws.com"}}], INSTANCE_DONE),
    "bucket": ([POLICY], BUCKET_DONE),
    "role": ([ATTACH], ROLE_DONE),
    "policy": ([version(0, "s3:GetObject", setAsDefault=True), POLICY], POLICY_DONE),
    "kms_key": ([DESCRIBE_KEY], KEY_DONE),
    "secret": ([READ], SECRET_DONE),
}
CALM: dict[str, tuple[list[Json], list[Json]]] = {
    "account": ([TERMINATE], []),
    "region": ([TERMINATE], []),
    "instance": ([TERMINATE], [launch()]),
    "bucket": ([call("PutBucketAcl", service="s3", vpcEndpointId="vpce-1", **asked(bucketName="recorded"))], []),
    "role": ([ATTACH_LITTLE], ROLE_CALM),
    "policy": ([WROTE_LITTLE], [LITTLE_BEFORE]),
    "kms_key": ([DESCRIBE_KEY], [OTHER_KEY]),
    "secret": ([READ], [call("GetSecretValue", -50, **SECRETS, **asked(secretId="db"))]),
}
BARE: dict[str, tuple[list[Json], list[Json]]] = {
    "instance": ([TERMINATE], []),
    "bucket": ([UNRECORDED], [get_object("other", 1)]),
    "role": ([ATTACH_LITTLE], []),
    "policy": ([PUT_LITTLE], []),
    "kms_key": ([BY_SERVICE], []),
}
