"""The calls that a random history is made of: what is asked of the simulator, and what CloudTrail records of it."""

from __future__ import annotations

import json
from collections.abc import Callable

from tests.states.histories import ACCOUNT, REGION, History, Json
from tests.states.simulator import BLOCKED, FLAGS

PUBLIC = {"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject"}


def lower(tags: list[Json]) -> list[Json]:
    return [{"key": tag["Key"], "value": tag["Value"]} for tag in tags]


def some_tags(h: History) -> list[Json]:
    keys = h.random.sample(["env", "team", "Name"], h.random.randint(1, 2))
    return [{"Key": key, "Value": h.random.choice(["production", "test", ""])} for key in keys]


# ---- EC2


def launch(h: History) -> None:
    tags, kind = some_tags(h), h.random.choice(["t3.micro", "m5.large"])
    asked: Json = {
        "ImageId": h.ami,
        "MinCount": 1,
        "MaxCount": 2,
        "InstanceType": kind,
        "SubnetId": h.subnet,
        "SecurityGroupIds": [h.default_group],
    }
    spec = {"resourceType": "instance", "tags": lower(tags)}
    request = {
        "instancesSet": {"items": [{"imageId": h.ami, "minCount": 1, "maxCount": 2}]},
        "instanceType": kind,
        "subnetId": h.subnet,
        "tagSpecificationSet": {"items": [spec]},
    }

    def answer(found: Json) -> Json:
        return {"instancesSet": {"items": [_launched(one) for one in found["Instances"]]}}

    found = h.call(
        "ec2", "run_instances", asked | {"TagSpecifications": [{"ResourceType": "instance", "Tags": tags}]}, "RunInstances", request,
        answer=answer,
    )  # fmt: skip
    for one in found["Instances"] if found else ():
        h.made("instance", one["InstanceId"])
        h.note("instance", one["InstanceId"])


def _launched(one: Json) -> Json:
    return {
        "instanceId": one["InstanceId"],
        "imageId": one["ImageId"],
        "instanceState": {"code": 0, "name": "pending"},
        "instanceType": one["InstanceType"],
        "subnetId": one["SubnetId"],
        "tagSet": {"items": lower(one["Tags"])} if one.get("Tags") else {},
        "groupSet": {"items": [{"groupId": g["GroupId"], "groupName": g["GroupName"]} for g in one["SecurityGroups"]]},
    }


def power(h: History) -> None:
    which = h.one("instance")
    event, method, key = h.random.choice(
        [("StopInstances", "stop_instances", "StoppingInstances"), ("StartInstances", "start_instances", "StartingInstances"),
         ("StopInstances", "stop_instances", "StoppingInstances"), ("TerminateInstances", "terminate_instances", "TerminatingInstances")]
    )  # fmt: skip
    if which is None or (event == "TerminateInstances" and h.random.random() < 0.7):
        return
    target = {"instancesSet": {"items": [{"instanceId": which}]}}

    def answer(found: Json) -> Json:
        (one,) = found[key]
        states = {name: {"name": one[name[0].upper() + name[1:]]["Name"]} for name in ("currentState", "previousState")}
        return {"instancesSet": {"items": [{"instanceId": which, **states}]}}

    h.call("ec2", method, {"InstanceIds": [which]}, event, target, ("instance", which), answer=answer)
    if event == "TerminateInstances":
        h.gone("instance", which)


def tag(h: History) -> None:
    which = h.one("instance")
    if which is None:
        return
    tags, resources = some_tags(h), {"resourcesSet": {"items": [{"resourceId": which}]}}
    if h.random.random() < 0.6:
        request = {**resources, "tagSet": {"items": lower(tags)}}
        h.call("ec2", "create_tags", {"Resources": [which], "Tags": tags}, "CreateTags", request, ("instance", which))
        return
    keys = [{"Key": one["Key"]} for one in tags]
    request = {**resources, "tagSet": {"items": [{"key": one["Key"]} for one in tags]}}
    h.call("ec2", "delete_tags", {"Resources": [which], "Tags": keys}, "DeleteTags", request, ("instance", which))


def resize(h: History) -> None:
    which, kind = h.one("instance"), h.random.choice(["t3.micro", "m5.large", "c5.xlarge"])
    if which is None:
        return
    h.call(
        "ec2", "modify_instance_attribute", {"InstanceId": which, "InstanceType": {"Value": kind}}, "ModifyInstanceAttribute",
        {"instanceId": which, "instanceType": {"value": kind}}, ("instance", which), answer=lambda _: {"_return": True},
    )  # fmt: skip


def group(h: History) -> None:
    name = h.name("group")
    found = h.call(
        "ec2", "create_security_group", {"GroupName": name, "Description": "d", "VpcId": h.vpc}, "CreateSecurityGroup",
        {"groupName": name, "groupDescription": "d", "vpcId": h.vpc}, answer=lambda f: {"groupId": f["GroupId"], "_return": True},
    )  # fmt: skip
    if found:
        h.made("security_group", found["GroupId"])
        h.note("security_group", found["GroupId"])


def rule(h: History) -> None:
    which, port = h.one("security_group"), h.random.choice([22, 443, 3306])
    peer = h.random.choice(["0.0.0.0/0", "10.0.0.0/8", "192.0.2.7/32"])
    if which is None:
        return
    opens = h.random.random() < 0.6
    permission = {"IpProtocol": "tcp", "FromPort": port, "ToPort": port, "IpRanges": [{"CidrIp": peer}]}
    request = {
        "groupId": which,
        "ipPermissions": {
            "items": [
                {
                    "ipProtocol": "tcp",
                    "fromPort": port,
                    "toPort": port,
                    "ipRanges": {"items": [{"cidrIp": peer}]},
                    "groups": {},
                }
            ]
        },
    }

    def answer(found: Json) -> Json:
        rules = [
            {"groupId": which, "securityGroupRuleId": one["SecurityGroupRuleId"], "ipProtocol": "tcp", "fromPort": port,
             "toPort": port, "cidrIpv4": peer, "isEgress": False}
            for one in found.get("SecurityGroupRules", [])
        ]  # fmt: skip
        return {"_return": True, **({"securityGroupRuleSet": {"items": rules}} if rules else {})}

    verb, method = (
        ("Authorize", "authorize_security_group_ingress") if opens else ("Revoke", "revoke_security_group_ingress")
    )
    asked = {"GroupId": which, "IpPermissions": [permission]}
    h.call("ec2", method, asked, f"{verb}SecurityGroupIngress", request, ("security_group", which), answer=answer)


def snapshot(h: History) -> None:
    if "volume" not in h.known:
        h.made("volume", h.client("ec2").create_volume(AvailabilityZone=f"{REGION}a", Size=1)["VolumeId"])
    volume = h.one("volume")
    found = h.call(
        "ec2", "create_snapshot", {"VolumeId": volume}, "CreateSnapshot", {"volumeId": volume},
        answer=lambda f: {"snapshotId": f["SnapshotId"], "volumeId": volume, "encrypted": False, "status": "pending"},
    )  # fmt: skip
    if found:
        h.made("snapshot", found["SnapshotId"])
        h.note("snapshot", found["SnapshotId"])


def share(h: History) -> None:
    which, other = h.one("snapshot"), h.random.choice(["111122223333", "444455556666", "all"])
    if which is None:
        return
    way = h.random.choice(["add", "add", "remove"])
    who = {"GroupNames": ["all"]} if other == "all" else {"UserIds": [other]}
    asked = {"SnapshotId": which, "Attribute": "createVolumePermission", "OperationType": way, **who}
    item = {"group": "all"} if other == "all" else {"userId": other}
    request = {
        "snapshotId": which,
        "attributeType": "CREATE_VOLUME_PERMISSION",
        "createVolumePermission": {way: {"items": [item]}},
    }
    h.call("ec2", "modify_snapshot_attribute", asked, "ModifySnapshotAttribute", request, ("snapshot", which))


# ---- IAM


def policy_text(h: History) -> str:
    action = h.random.choice(["s3:GetObject", "iam:*", "ec2:Describe*"])
    return json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": action, "Resource": "*"}]})


def trust_text(h: History) -> str:
    principal = h.random.choice([{"AWS": "arn:aws:iam::999988887777:root"}, {"Service": "ec2.amazonaws.com"}, "*"])
    statement = {"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def role(h: History) -> None:
    name, trust = h.name("role"), trust_text(h)
    arn = f"arn:aws:iam::{ACCOUNT}:role/{name}"
    found = h.call(
        "iam", "create_role", {"RoleName": name, "AssumeRolePolicyDocument": trust}, "CreateRole",
        {"roleName": name, "assumeRolePolicyDocument": trust}, answer=lambda _: {"role": {"arn": arn, "roleName": name, "path": "/"}},
    )  # fmt: skip
    if found:
        h.made("role", arn)
        h.note("role", arn)


def trust(h: History) -> None:
    if (arn := h.one("role")) is None:
        return
    name, text = arn.rpartition("/")[2], trust_text(h)
    h.call(
        "iam", "update_assume_role_policy", {"RoleName": name, "PolicyDocument": text}, "UpdateAssumeRolePolicy",
        {"roleName": name, "policyDocument": text}, ("role", arn),
    )  # fmt: skip


def user(h: History) -> None:
    name = h.name("user")
    arn = f"arn:aws:iam::{ACCOUNT}:user/{name}"
    found = h.call(
        "iam", "create_user", {"UserName": name}, "CreateUser", {"userName": name},
        answer=lambda _: {"user": {"arn": arn, "userName": name, "path": "/"}},
    )  # fmt: skip
    if found:
        h.made("user", arn)
        h.note("user", arn)


def attach(h: History) -> None:
    """A policy comes to, or goes from, a user or role: managed or inline."""
    kind = h.random.choice(["user", "role"])
    arn, policy = h.one(kind), h.one("policy")
    if arn is None:
        return
    name, who = arn.rpartition("/")[2], kind.capitalize()
    owner, asked = {f"{kind}Name": name}, {f"{who}Name": name}
    if policy is None or h.random.random() < 0.4:
        inline = h.random.choice(["one", "two"])
        if h.random.random() < 0.6:
            text = policy_text(h)
            asked |= {"PolicyName": inline, "PolicyDocument": text}
            request = {**owner, "policyName": inline, "policyDocument": text}
            h.call("iam", f"put_{kind}_policy", asked, f"Put{who}Policy", request, (kind, arn))
        else:
            request = {**owner, "policyName": inline}
            h.call(
                "iam",
                f"delete_{kind}_policy",
                asked | {"PolicyName": inline},
                f"Delete{who}Policy",
                request,
                (kind, arn),
            )
        return
    verb = h.random.choice(["Attach", "Attach", "Detach"])
    request = {**owner, "policyArn": policy}
    touched = ((kind, arn), ("policy", policy))
    h.call(
        "iam", f"{verb.lower()}_{kind}_policy", asked | {"PolicyArn": policy}, f"{verb}{who}Policy", request, *touched
    )


def policy(h: History) -> None:
    name, text = h.name("policy"), policy_text(h)
    arn = f"arn:aws:iam::{ACCOUNT}:policy/{name}"
    found = h.call(
        "iam", "create_policy", {"PolicyName": name, "PolicyDocument": text}, "CreatePolicy", {"policyName": name, "policyDocument": text},
        answer=lambda _: {"policy": {"arn": arn, "policyName": name, "defaultVersionId": "v1", "path": "/"}},
    )  # fmt: skip
    if found:
        h.made("policy", arn)
        h.note("policy", arn)


def version(h: History) -> None:
    if (arn := h.one("policy")) is None:
        return
    text, default = policy_text(h), h.random.random() < 0.6
    if h.random.random() < 0.7:
        h.call(
            "iam", "create_policy_version", {"PolicyArn": arn, "PolicyDocument": text, "SetAsDefault": default}, "CreatePolicyVersion",
            {"policyArn": arn, "policyDocument": text, "setAsDefault": default}, ("policy", arn),
            answer=lambda f: {"policyVersion": {"versionId": f["PolicyVersion"]["VersionId"], "isDefaultVersion": default}},
        )  # fmt: skip
        return
    which, verb = h.random.choice(["v1", "v2", "v3"]), h.random.choice(["SetDefault", "Delete"])
    method = {"SetDefault": "set_default_policy_version", "Delete": "delete_policy_version"}[verb]
    request = {"policyArn": arn, "versionId": which}
    h.call("iam", method, {"PolicyArn": arn, "VersionId": which}, f"{verb}PolicyVersion", request, ("policy", arn))


def access_key(h: History) -> None:
    if (arn := h.one("user")) is None:
        return
    name, key = arn.rpartition("/")[2], h.one("access_key")
    if key is None or h.random.random() < 0.4:

        def answer(found: Json) -> Json:
            made = found["AccessKey"]["AccessKeyId"]
            return {"accessKey": {"accessKeyId": made, "status": "Active", "userName": name}}

        found = h.call(
            "iam",
            "create_access_key",
            {"UserName": name},
            "CreateAccessKey",
            {"userName": name},
            ("user", arn),
            answer=answer,
        )
        if found:
            made = f"{found['AccessKey']['AccessKeyId']} {arn}"
            h.made("access_key", made)
            h.note("access_key", made.partition(" ")[0])
        return
    key, _, arn = key.partition(" ")
    name = arn.rpartition("/")[2]
    if h.random.random() < 0.8:
        status = h.random.choice(["Active", "Inactive"])
        asked = {"UserName": name, "AccessKeyId": key, "Status": status}
        request = {"userName": name, "accessKeyId": key, "status": status}
        h.call("iam", "update_access_key", asked, "UpdateAccessKey", request, ("access_key", key), ("user", arn))
        return
    asked, request = {"UserName": name, "AccessKeyId": key}, {"userName": name, "accessKeyId": key}
    h.call("iam", "delete_access_key", asked, "DeleteAccessKey", request, ("access_key", key), ("user", arn))
    h.gone("access_key", f"{key} {arn}")


# ---- S3


def bucket(h: History) -> None:
    name = h.name("bucket")
    place = {"CreateBucketConfiguration": {"LocationConstraint": "eu-west-1"}}
    request = {"bucketName": name, **place}
    if h.call("s3", "create_bucket", {"Bucket": name, **place}, "CreateBucket", request, region="eu-west-1"):
        # As S3 makes a new bucket since April 2023, and the simulator does not.
        s3 = h.client("s3")
        s3.put_public_access_block(Bucket=name, PublicAccessBlockConfiguration=BLOCKED)
        s3.put_bucket_ownership_controls(
            Bucket=name, OwnershipControls={"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]}
        )
        h.made("bucket", name)
        h.note("bucket", name)


def guard(h: History) -> None:
    """Something of a bucket's own settings."""
    if (name := h.one("bucket")) is None:
        return
    document = {"Version": "2012-10-17", "Statement": [{**PUBLIC, "Resource": f"arn:aws:s3:::{name}/*"}]}
    acl = h.random.choice(["private", "public-read"])
    some = {**BLOCKED, h.random.choice(FLAGS): False}
    status, tags = h.random.choice(["Enabled", "Suspended"]), some_tags(h)
    asked: list[tuple[str, Json, str, Json]] = [
        ("put_bucket_policy", {"Policy": json.dumps(document)}, "PutBucketPolicy", {"policy": "", "bucketPolicy": document}),
        ("delete_bucket_policy", {}, "DeleteBucketPolicy", {"policy": ""}),
        ("put_bucket_acl", {"ACL": acl}, "PutBucketAcl", {"acl": "", "x-amz-acl": acl}),
        ("put_public_access_block", {"PublicAccessBlockConfiguration": some}, "PutBucketPublicAccessBlock", {"PublicAccessBlockConfiguration": some}),
        ("delete_public_access_block", {}, "DeleteBucketPublicAccessBlock", {"publicAccessBlock": ""}),
        ("put_bucket_versioning", {"VersioningConfiguration": {"Status": status}}, "PutBucketVersioning", {"VersioningConfiguration": {"Status": status}}),
        ("put_bucket_tagging", {"Tagging": {"TagSet": tags}}, "PutBucketTagging", {"Tagging": {"TagSet": {"Tag": tags}}}),
        ("delete_bucket_tagging", {}, "DeleteBucketTagging", {"tagging": ""}),
        ("put_bucket_ownership_controls", {"OwnershipControls": {"Rules": [{"ObjectOwnership": "ObjectWriter"}]}}, "PutBucketOwnershipControls",
         {"OwnershipControls": {"Rule": {"ObjectOwnership": "ObjectWriter"}}}),
    ]  # fmt: skip
    method, parameters, event, request = h.random.choice(asked)
    request = {"bucketName": name, "Host": f"{name}.s3.amazonaws.com", **request}
    h.call("s3", method, {"Bucket": name, **parameters}, event, request, ("bucket", name), region="eu-west-1")


def delete_bucket(h: History) -> None:
    if h.random.random() < 0.3 and (name := h.one("bucket")):
        h.call(
            "s3",
            "delete_bucket",
            {"Bucket": name},
            "DeleteBucket",
            {"bucketName": name},
            ("bucket", name),
            region="eu-west-1",
        )
        h.gone("bucket", name)


ACTS: list[Callable[[History], None]] = [
    *(launch, power, power, power, tag, tag, resize, group, rule, rule, rule, snapshot, share, share),
    *(role, trust, user, attach, attach, attach, attach, policy, version, version, access_key, access_key),
    *(bucket, guard, guard, guard, guard, guard, delete_bucket),
]
