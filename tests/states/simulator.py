"""What the simulator says that a thing is, in the words of the attributes that the log is read into."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from botocore.exceptions import ClientError

Json = dict[str, Any]
Client = Callable[[str], Any]
FLAGS = ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")
BLOCKED, OPEN = dict.fromkeys(FLAGS, True), dict.fromkeys(FLAGS, False)


def pairs(tags: list[Json] | None) -> Json:
    return {tag["Key"]: tag.get("Value", "") for tag in tags or []}


def read_instance(client: Client, which: str) -> Json:
    one = client("ec2").describe_instances(InstanceIds=[which])["Reservations"][0]["Instances"][0]
    state = one["State"]["Name"]
    found = {
        "exists": True,
        "state": state,
        "image": one["ImageId"],
        "type": one["InstanceType"],
        "tags": pairs(one.get("Tags")),
    }
    groups = sorted(g["GroupId"] for g in one["SecurityGroups"])
    return found | {
        "security_groups": groups,
        "subnet": one.get("SubnetId"),
        "key_name": None,
        "instance_profile": None,
    }


def read_group(client: Client, which: str) -> Json:
    one = client("ec2").describe_security_groups(GroupIds=[which])["SecurityGroups"][0]
    rules = client("ec2").describe_security_group_rules(Filters=[{"Name": "group-id", "Values": [which]}])[
        "SecurityGroupRules"
    ]
    ingress = {f"tcp {r['FromPort']} {r['CidrIpv4']}": r["SecurityGroupRuleId"] for r in rules if not r["IsEgress"]}
    return {"exists": True, "name": one["GroupName"], "ingress": ingress}


def read_snapshot(client: Client, which: str) -> Json:
    found = client("ec2").describe_snapshot_attribute(SnapshotId=which, Attribute="createVolumePermission")
    shared = [one.get("UserId") or one["Group"] for one in found["CreateVolumePermissions"]]
    return {"exists": True, "shared_with": sorted(shared), "encrypted": False}


def read_holder(client: Client, kind: str, arn: str) -> Json:
    iam, key = client("iam"), {f"{kind.capitalize()}Name": arn.rpartition("/")[2]}
    attached = getattr(iam, f"list_attached_{kind}_policies")(**key)["AttachedPolicies"]
    names = getattr(iam, f"list_{kind}_policies")(**key)["PolicyNames"]
    inline = {name: getattr(iam, f"get_{kind}_policy")(**key, PolicyName=name)["PolicyDocument"] for name in names}
    return {
        "exists": True,
        "attached_policies": sorted(one["PolicyArn"] for one in attached),
        "inline_policies": inline,
    }


def read_role(client: Client, arn: str) -> Json:
    found = client("iam").get_role(RoleName=arn.rpartition("/")[2])["Role"]
    return read_holder(client, "role", arn) | {"trust_policy": found["AssumeRolePolicyDocument"]}


def read_user(client: Client, arn: str) -> Json:
    keys = client("iam").list_access_keys(UserName=arn.rpartition("/")[2])["AccessKeyMetadata"]
    return read_holder(client, "user", arn) | {
        "access_keys": {one["AccessKeyId"]: one["Status"] for one in keys},
        "password": False,
    }


def read_policy(client: Client, arn: str) -> Json:
    iam = client("iam")
    versions = [one["VersionId"] for one in iam.list_policy_versions(PolicyArn=arn)["Versions"]]
    texts = {one: iam.get_policy_version(PolicyArn=arn, VersionId=one)["PolicyVersion"]["Document"] for one in versions}
    held = iam.list_entities_for_policy(PolicyArn=arn)
    by = [f"user/{one['UserName']}" for one in held["PolicyUsers"]] + [
        f"role/{one['RoleName']}" for one in held["PolicyRoles"]
    ]
    default = iam.get_policy(PolicyArn=arn)["Policy"]["DefaultVersionId"]
    return {
        "exists": True,
        "default_version": default,
        "versions": texts,
        "attached_to": sorted(by),
        "document": texts[default],
    }


def read_access_key(client: Client, key: str) -> Json:
    iam = client("iam")
    for user in iam.list_users()["Users"]:
        for one in iam.list_access_keys(UserName=user["UserName"])["AccessKeyMetadata"]:
            if one["AccessKeyId"] == key:
                return {"exists": True, "status": one["Status"], "user": one["UserName"]}
    return {"exists": False}


def read_bucket(client: Client, name: str) -> Json:
    s3 = client("s3")

    def get(method: str, default: Any = None) -> Any:
        try:
            return getattr(s3, method)(Bucket=name)
        except ClientError as missing:
            if missing.response["Error"]["Code"] == "NoSuchBucket":
                raise
            return default

    try:
        policy = get("get_bucket_policy")
    except ClientError:
        return {"exists": False}
    grants = get("get_bucket_acl")["Grants"]
    groups = [f"{g['Grantee']['URI'].rpartition('/')[2]} {g['Permission']}" for g in grants if "URI" in g["Grantee"]]
    block = get("get_public_access_block", {"PublicAccessBlockConfiguration": OPEN})["PublicAccessBlockConfiguration"]
    return {
        "exists": True,
        "policy": json.loads(policy["Policy"]) if policy else None,
        "acl_groups": sorted(groups),
        "access_block": block,
        "ownership": get("get_bucket_ownership_controls")["OwnershipControls"]["Rules"][0]["ObjectOwnership"],
        "versioning": get("get_bucket_versioning").get("Status"),
        "tags": pairs(get("get_bucket_tagging", {}).get("TagSet")),
    }


READERS: dict[str, Callable[[Client, str], Json]] = {
    "instance": read_instance,
    "security_group": read_group,
    "snapshot": read_snapshot,
    "role": read_role,
    "user": read_user,
    "policy": read_policy,
    "access_key": read_access_key,
    "bucket": read_bucket,
}
