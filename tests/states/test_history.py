"""What a call says of a thing, case by case; above all, what it does not say."""

from __future__ import annotations

from itertools import product
from typing import Any

from trailhound.states.conclusions import public
from trailhound.states.history import Cell, Field, History, Hole
from trailhound.states.kinds import kind, kinds
from trailhound.states.places import Call
from trailhound.states.readings import BLOCK, READINGS

INSTANCE, GROUP, BUCKET, USER = "i-0123456789abcdef0", "sg-1", "exports", "arn:aws:iam::111111111111:user/alice"
UNKNOWN = "unknown"
OLD, MASK = 1_600_000_000_000, "<sensitiveDataRemoved>"
Json = dict[str, Any]


class Log:
    """Calls a minute apart, or in the same second as the one before."""

    def __init__(self, kind_name: str, value: str, *, begin: int = 1_777_593_600_000) -> None:
        self.kind, self.names, self.calls, self.time = kind(kind_name), (value, value.rpartition("/")[2]), [], begin
        self.holes: list[Hole] = []

    def call(self, operation: str, request: Any = None, response: Any = None, *, wait: int = 60, region: str = "eu-west-1", certain: bool = True) -> Log:  # fmt: skip
        self.time += wait * 1000
        uid = str(len(self.calls))
        self.calls.append(Call(uid, self.time, operation, region, "111111111111", "ops", request, response, certain))
        return self

    def at(self, attribute: str, time: int | None = None) -> Any:
        found = History(self.kind, self.names, self.calls, self.holes, "before").at(self.time if time is None else time)
        field = found.state[attribute]
        if self.kind.attribute(attribute).holds == "one":
            return _shown(field.rest)
        there = {key: _shown(cell) for key, cell in field.entries.items() if cell.value is not None or cell.because}
        return {**there, "...": UNKNOWN} if field.rest.because else there


def _shown(cell: Cell) -> Any:
    return UNKNOWN if cell.because else cell.value


def launched(**more: Any) -> Log:
    one = {
        "instanceId": INSTANCE,
        "imageId": "ami-1",
        "instanceType": "t3.micro",
        "tagSet": {"items": [{"key": "env", "value": "prod"}]},
    }
    return Log("instance", INSTANCE).call(
        "RunInstances", {"instanceType": "t3.micro", **more}, {"instancesSet": {"items": [one]}}
    )


def tags(verb: str, *pairs: Json, log: Log, **how: Any) -> Log:
    request = {"resourcesSet": {"items": [{"resourceId": INSTANCE}]}, "tagSet": {"items": list(pairs)} if pairs else {}}
    return log.call(f"{verb}Tags", request, {"_return": True}, **how)


def power(log: Log, operation: str, before: str, after: str, **how: Any) -> Log:
    one = {"instanceId": INSTANCE, "previousState": {"name": before}, "currentState": {"name": after}}
    return log.call(
        operation, {"instancesSet": {"items": [{"instanceId": INSTANCE}]}}, {"instancesSet": {"items": [one]}}, **how
    )


def test_the_pack_says_only_what_can_be_read() -> None:
    for name, one in kinds().items():
        for write in one.writes:
            for _, attribute, source in write.sources():
                assert attribute in one.attributes, (name, attribute)
                assert source.read_as in READINGS, (name, source.read_as)
            assert set(write.forgets) <= {*one.attributes, "exists", "all"}, name


def test_what_the_log_hides_is_unknown() -> None:
    assert launched().at("user_data") is None
    assert launched(userData=MASK).at("user_data") == UNKNOWN
    assert launched(launchTemplate={"launchTemplateId": "lt-1"}).at("user_data") == UNKNOWN
    assert tags("Create", {"key": "env", "value": MASK}, log=launched()).at("tags") == {"...": UNKNOWN}
    gone: Json = {"omitted": True, "originalSize": 200_000, "reason": "too large"}
    for request in (None, gone, "HIDDEN_DUE_TO_SECURITY_REASONS"):
        assert launched().call("CreateTags", request, None).at("tags") == {"...": UNKNOWN}
    assert (
        launched()
        .call("ModifyInstanceAttribute", {"instanceId": INSTANCE, "attribute": "instanceType", "value": MASK})
        .at("type")
        == UNKNOWN
    )
    assert tags("Create", {"key": "a", "value": "b"}, log=launched(), certain=False).at("tags") == {"...": UNKNOWN}
    other = {"instanceId": "i-0fedcba9876543210", "instanceType": {"value": "x1"}}
    assert launched().call("ModifyInstanceAttribute", other).at("type") == "t3.micro"


def test_tags_are_taken_away_as_ec2_does() -> None:
    one = {"key": "env", "value": "prod"}
    assert tags("Delete", {"key": "env"}, log=launched()).at("tags") == {}
    assert tags("Delete", one, log=launched()).at("tags") == {}
    assert tags("Delete", {"key": "env", "value": ""}, log=launched()).at("tags") == {"env": "prod"}  # another value
    assert tags("Delete", log=launched()).at("tags") == {}
    unseen = tags("Delete", one, log=Log("instance", INSTANCE))
    assert unseen.at("tags") == {"env": UNKNOWN, "...": UNKNOWN}  # it may have had another value, and kept it


def test_in_one_second_every_order_counts_that_the_calls_allow() -> None:
    test, prod = {"key": "env", "value": "test"}, {"key": "env", "value": "prod"}
    assert tags("Create", prod, log=tags("Create", test, log=launched()), wait=0).at("tags") == {"...": UNKNOWN}
    assert tags("Create", prod, log=tags("Create", prod, log=launched()), wait=0).at("tags") == {"env": "prod"}
    assert tags("Create", test, log=launched(), wait=0).at("tags") == {"env": "test"}  # a launch comes first
    log = power(launched(), "StopInstances", "running", "stopping")
    log = power(power(log, "StopInstances", "running", "stopping"), "StartInstances", "stopped", "pending", wait=0)
    assert log.at("state") == "stopped"  # it was started before it was stopped: that is what they answered
    both = (
        Log("bucket", BUCKET)
        .call("DeleteBucket", {"bucketName": BUCKET})
        .call("CreateBucket", {"bucketName": BUCKET}, wait=0)
    )
    assert both.at("exists") == UNKNOWN


def test_a_contradiction_is_no_knowledge() -> None:
    log = power(launched(), "StopInstances", "running", "stopping")
    assert log.at("state") == "stopped"
    stopped = log.time
    assert power(log, "StopInstances", "running", "stopping").at("state", stopped) == UNKNOWN  # who started it?
    assert log.at("state") == "stopped"
    unseen = power(Log("instance", INSTANCE), "TerminateInstances", "running", "shutting-down")
    assert [unseen.at("state", unseen.time + wait) for wait in (-1000, -1, 0)] == [UNKNOWN, "running", "terminated"]
    role = Log("role", "arn:aws:iam::1:role/r").call("CreateRole", {"roleName": "r", "assumeRolePolicyDocument": "{}"})
    made = role.time
    assert role.at("attached_policies") == {}
    role.call("DetachRolePolicy", {"roleName": "r", "policyArn": "p"})
    assert role.at("attached_policies", made) == {"p": UNKNOWN}
    assert role.at("attached_policies") == {}
    deleted = Log("bucket", BUCKET).call("DeleteBucket", {"bucketName": BUCKET})
    gone = deleted.time
    assert deleted.at("exists") is False
    deleted.call("PutBucketVersioning", {"bucketName": BUCKET, "VersioningConfiguration": {"Status": "Enabled"}})
    assert (deleted.at("exists", gone), deleted.at("exists"), deleted.at("policy")) == (UNKNOWN, True, UNKNOWN)


def test_a_creation_that_proves_nothing() -> None:
    """In us-east-1 it succeeds for a bucket that is there; RunInstances with an old token answers with the old instance."""
    make = ("CreateBucket", {"bucketName": BUCKET})
    policy = {"bucketName": BUCKET, "bucketPolicy": {"Version": "2012-10-17", "Statement": []}}
    fresh = Log("bucket", BUCKET).call(*make, region="us-east-1")
    assert (fresh.at("exists"), fresh.at("policy"), fresh.at("acl_groups")) == (True, UNKNOWN, {})
    assert Log("bucket", BUCKET).call(*make).at("policy") is None
    kept = Log("bucket", BUCKET).call("PutBucketPolicy", policy).call(*make, region="us-east-1")
    assert kept.at("policy") == policy["bucketPolicy"]
    assert kept.call("DeleteBucket", {"bucketName": BUCKET}).call(*make, region="us-east-1").at("policy") is None
    again = launched()
    tags("Create", {"key": "env", "value": "test"}, log=again).calls.append(
        again.calls[0]._replace(uid="9", time=again.time + 1000)
    )
    assert again.at("tags", again.time + 2000) == {"env": "test"}
    assert Log("bucket", BUCKET, begin=OLD).call(*make).at("access_block") == dict.fromkeys(BLOCK, False)


def test_who_is_meant() -> None:
    peer = {"ipProtocol": "tcp", "fromPort": 22, "toPort": 22, "groups": {"items": [{"groupId": GROUP}]}}
    log = Log("security_group", GROUP).call(
        "CreateSecurityGroup", {"groupName": "g", "vpcId": "vpc-1"}, {"groupId": GROUP}
    )
    log.call("AuthorizeSecurityGroupIngress", {"groupId": "sg-2", "ipPermissions": {"items": [peer]}})
    assert log.at("ingress") == {}  # it is let in elsewhere
    log.call(
        "AuthorizeSecurityGroupIngress",
        {"groupId": GROUP, "cidrIp": "10.1.2.3/8", "ipProtocol": "6", "fromPort": 1, "toPort": 9, "ipPermissions": {}},
    )
    assert log.at("ingress") == {"tcp 1-9 10.0.0.0/8": ""}
    assert log.at("egress") == {"all 0.0.0.0/0": "", "...": UNKNOWN}
    log.call(
        "RevokeSecurityGroupIngress",
        {"groupId": GROUP, "securityGroupRuleIds": {"items": [{"securityGroupRuleId": "sgr-9"}]}},
    )
    assert log.at("ingress") == {"...": UNKNOWN}
    copied = Log("snapshot", "snap-1").call(
        "CreateSnapshot", {"volumeId": "vol-1"}, {"snapshotId": "snap-1", "volumeId": "vol-1"}
    )
    share = {"snapshotId": "snap-1", "createVolumePermission": {"add": {"items": [{"group": "all"}]}}}
    copied.call("ModifySnapshotAttribute", share).call(
        "CopySnapshot", {"sourceSnapshotId": "snap-1"}, {"snapshotId": "snap-2"}
    )
    assert copied.at("shared_with") == {"all": True}
    renamed = (
        Log("user", USER)
        .call("CreateUser", {"userName": "alice"})
        .call("UpdateUser", {"userName": "alice", "newUserName": "bob"})
    )
    assert renamed.at("exists") is False
    renamed.call("UpdateUser", {"userName": "carol", "newUserName": "alice"})
    assert (renamed.at("exists"), renamed.at("access_keys")) == (True, {"...": UNKNOWN})


def test_a_stopped_trail_is_known_to_be_stopped() -> None:
    log = (
        Log("trail", "main")
        .call("CreateTrail", {"name": "main", "s3BucketName": "logs"})
        .call("StopLogging", {"name": "main"})
    )
    log.holes.append(Hole(log.time, None, "stopped", "logging_stopped"))
    assert (log.at("logging", log.time + 1), log.at("bucket", log.time + 1)) == (False, UNKNOWN)
    log.holes.append(Hole(log.time + 10, None, "hours are missing", "missing"))
    assert log.at("logging", log.time + 20) == UNKNOWN


def test_public_is_told_only_where_everything_that_it_depends_on_allows_no_other_answer() -> None:
    everyone = {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": "*"}],
    }
    policies, acls, yes_no = (None, everyone), ((), ("AllUsers READ",)), (False, True)
    told = {True: 0, False: 0, None: 0}
    for case in product(
        (*policies, UNKNOWN), (*acls, UNKNOWN), (*yes_no, UNKNOWN), (*yes_no, UNKNOWN), ("ObjectWriter", UNKNOWN)
    ):
        choices = [
            options if value == UNKNOWN else (value,)
            for value, options in zip(
                case, (policies, acls, yes_no, yes_no, ("ObjectWriter", "BucketOwnerEnforced")), strict=True
            )
        ]
        possible = {slow(*one) for one in product(*choices)}
        found = conclude(*case)
        assert found is None or possible == {found}, case
        assert found is not None or len(possible) == 2, case
        told[found] += 1
    assert all(told.values())


def slow(policy: Any, acl: Any, bucket: Any, account: Any, ownership: Any) -> bool:
    return not bucket and not account and (policy is not None or (bool(acl) and ownership != "BucketOwnerEnforced"))


def conclude(policy: Any, acl: Any, bucket: Any, account: Any, ownership: Any) -> bool | None:
    def cell(value: Any) -> Cell:
        return Cell(None, (), "missing") if value == UNKNOWN else Cell(value)

    groups = Field(cell(UNKNOWN)) if acl == UNKNOWN else Field(Cell(), dict.fromkeys(acl, Cell(True)))
    blocks = [
        Field(cell(None if v != UNKNOWN else v), {} if v == UNKNOWN else dict.fromkeys(BLOCK, Cell(v)))
        for v in (bucket, account)
    ]
    state = {
        "policy": Field(cell(policy)),
        "acl_groups": groups,
        "access_block": blocks[0],
        "ownership": Field(cell(ownership)),
    }
    found = public(state, blocks[1], "111111111111")
    return None if found.because else found.value
