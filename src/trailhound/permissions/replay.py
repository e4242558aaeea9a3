"""A call of the log → what it writes into the estate of policies.

Source: the API references of IAM and of the services of `vocab/policy_writes.tsv`; names of parameters as CloudTrail has them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, Literal, NamedTuple

from trailhound.permissions.document import Unreadable, read
from trailhound.permissions.estate import Estate, Holder, Managed
from trailhound.permissions.evaluate import Document
from trailhound.vocab import aws, tsv

Call = Mapping[str, Any]  # a CloudTrail record as JSON has it
Kind = Literal["identity", "managed", "trust", "boundary", "resource", "membership"]


class Written(NamedTuple):
    """What a call wrote to. `name`: of the policy, or the group, or the principal whose membership it is."""

    kind: Kind
    arn: str
    name: str = ""


class _Place(NamedTuple):
    resource: str
    arn: str
    policy: str


def apply(estate: Estate, call: Call) -> tuple[Written, ...]:
    """Change the estate as a call did, and say where. Nothing for a call that failed or writes no policy."""
    if call.get("errorCode") or not isinstance(call.get("eventName"), str):
        return ()
    written = _applied(estate, call)
    if any(not each.arn for each in written):  # CloudTrail leaves out requests over 100 KB
        estate.blind.append(str(call.get("eventID")))
        estate.holders.pop("", None)
    return written


def _applied(estate: Estate, call: Call) -> tuple[Written, ...]:
    service, operation = aws.service_of(str(call.get("eventSource"))), aws.undated(str(call.get("eventName")))
    if service == "iam":
        write = _IAM.get(operation)
        return write(estate, call) if write else ()
    if service == "lambda" and operation in ("AddPermission", "RemovePermission"):
        return _lambda_permission(estate, call, operation)
    if operation in ("AddPermission", "RemovePermission") and service in ("sns", "sqs"):
        return _labelled_permission(estate, call, service, operation)
    place = _places().get((service, operation))
    return _resource_policy(estate, call, place) if place else _made(estate, call, service, operation)


@cache
def operations() -> tuple[str, ...]:
    """Names of all calls that `apply` may make something of, as CloudTrail has them."""
    dated = [f"{verb}Permission20150331{version}" for verb in ("Add", "Remove") for version in ("", "v2")]
    more = ("AddPermission", "RemovePermission", "CreateBucket", "CreateFunction", "CreateFunction20150331", *dated)
    return tuple(sorted({*_IAM, *(operation for _, operation in _places()), *more}))


def prove(estate: Estate, call: Call) -> None:
    """What must have been there for a call to succeed: a policy that is detached was attached."""
    if aws.service_of(str(call.get("eventSource"))) != "iam" or call.get("errorCode"):
        return
    policy = text(call, "request.policyArn")
    if str(call.get("eventName")).startswith("Detach") and policy and _principal(call):
        estate.holder(_principal(call)).attached.add(policy)


def account(call: Call) -> str:
    identity = call.get("userIdentity")
    own = identity.get("accountId") if isinstance(identity, Mapping) else ""
    return str(call.get("recipientAccountId") or own or "")


def value(call: Call, path: str) -> Any:
    """`request.a.b`, `response.a`; None where it is not so."""
    first, *rest = path.split(".")
    found: Any = call.get({"request": "requestParameters", "response": "responseElements"}[first])
    for key in rest:
        found = found.get(key) if isinstance(found, Mapping) else None
    return found


def text(call: Call, path: str) -> str:
    found = value(call, path)
    return found if isinstance(found, str) else ""


def _document(found: Any) -> Document:
    if isinstance(found, str | Mapping):
        return read(found)
    return Unreadable("the call does not show it")


def _principal(call: Call) -> str:
    for kind in ("user", "role", "group"):
        name = text(call, f"request.{kind}Name")
        if name:
            return aws.principal_arn(f"arn:{_partition(call)}:iam::{account(call)}:{kind}/{name}")
    return ""


def _partition(call: Call) -> str:
    return aws.partition_of(str(call.get("awsRegion") or ""))


def _made_holder(estate: Estate, call: Call) -> tuple[Written, ...]:
    arn = _principal(call)
    boundary = text(call, "request.permissionsBoundary")
    estate.holders[arn] = Holder(whole=True, inline={}, attached=set(), gone=set(), groups=set(), boundary=boundary)
    if value(call, "request.assumeRolePolicyDocument") is None:
        return ()
    estate.trusts[arn] = _document(value(call, "request.assumeRolePolicyDocument"))
    return (Written("trust", arn),)


def _deleted_holder(estate: Estate, call: Call) -> tuple[Written, ...]:
    arn = _principal(call)
    estate.holders.pop(arn, None)  # whoever is made under this name is made within the log
    estate.trusts.pop(arn, None)
    return ()


def _put_inline(estate: Estate, call: Call) -> tuple[Written, ...]:
    arn, name = _principal(call), text(call, "request.policyName")
    holder = estate.holder(arn)
    holder.inline[name] = _document(value(call, "request.policyDocument"))
    holder.gone.discard(name)
    return (Written("identity", arn, name),)


def _delete_inline(estate: Estate, call: Call) -> tuple[Written, ...]:
    arn, name = _principal(call), text(call, "request.policyName")
    estate.holder(arn).inline.pop(name, None)
    estate.holder(arn).gone.add(name)
    return (Written("identity", arn, name),)


def _attach(estate: Estate, call: Call) -> tuple[Written, ...]:
    arn, policy = _principal(call), text(call, "request.policyArn")
    estate.holder(arn).attached.add(policy)
    estate.holder(arn).gone.discard(policy)
    return (Written("identity", arn, policy),)


def _detach(estate: Estate, call: Call) -> tuple[Written, ...]:
    arn, policy = _principal(call), text(call, "request.policyArn")
    estate.holder(arn).attached.discard(policy)
    estate.holder(arn).gone.add(policy)
    return (Written("identity", arn, policy),)


def _put_boundary(estate: Estate, call: Call) -> tuple[Written, ...]:
    estate.holder(_principal(call)).boundary = text(call, "request.permissionsBoundary")
    return (Written("boundary", _principal(call), text(call, "request.permissionsBoundary")),)


def _member(estate: Estate, call: Call, *, add: bool) -> tuple[Written, ...]:
    names = [text(call, f"request.{kind}Name") for kind in ("user", "group")]
    if not all(names):
        return (Written("membership", ""),)
    start = f"arn:{_partition(call)}:iam::{account(call)}"
    user, group = f"{start}:user/{names[0]}", f"{start}:group/{names[1]}"
    holder = estate.holder(user)
    (holder.groups.add if add else holder.groups.discard)(group)
    (holder.gone.discard if add else holder.gone.add)(group)
    return (Written("membership", user, group),)


def _trust(estate: Estate, call: Call) -> tuple[Written, ...]:
    estate.trusts[_principal(call)] = _document(value(call, "request.policyDocument"))
    return (Written("trust", _principal(call)),)


def _created_policy(estate: Estate, call: Call) -> tuple[Written, ...]:
    path = text(call, "request.path") or "/"
    name = text(call, "request.policyName")
    arn = text(call, "response.policy.arn") or f"arn:{_partition(call)}:iam::{account(call)}:policy{path}{name}"
    estate.managed[arn] = Managed({"v1": _document(value(call, "request.policyDocument"))}, "v1")
    return (Written("managed", arn),)


def _version(estate: Estate, call: Call) -> tuple[Written, ...]:
    """The answer names the version; where it is not in the log, only the default one is worth knowing."""
    arn = text(call, "request.policyArn")
    managed = estate.managed.setdefault(arn, Managed({}, ""))
    version = text(call, "response.policyVersion.versionId") or f"of {call.get('eventID')}"
    managed.versions[version] = _document(value(call, "request.policyDocument"))
    if value(call, "request.setAsDefault") in (True, "true"):
        managed.default = version
        return (Written("managed", arn),)
    return ()


def _default(estate: Estate, call: Call) -> tuple[Written, ...]:
    arn = text(call, "request.policyArn")
    estate.managed.setdefault(arn, Managed({}, "")).default = text(call, "request.versionId")
    return (Written("managed", arn),)


def _deleted_policy(estate: Estate, call: Call) -> tuple[Written, ...]:
    estate.managed.pop(text(call, "request.policyArn"), None)  # nobody holds it: IAM sees to that
    return ()


_IAM: dict[str, Callable[[Estate, Call], tuple[Written, ...]]] = {
    **{f"Create{kind}": _made_holder for kind in ("User", "Role", "Group")},
    **{f"Delete{kind}": _deleted_holder for kind in ("User", "Role", "Group")},
    **{f"Put{kind}Policy": _put_inline for kind in ("User", "Role", "Group")},
    **{f"Delete{kind}Policy": _delete_inline for kind in ("User", "Role", "Group")},
    **{f"Attach{kind}Policy": _attach for kind in ("User", "Role", "Group")},
    **{f"Detach{kind}Policy": _detach for kind in ("User", "Role", "Group")},
    **{f"{verb}{kind}PermissionsBoundary": _put_boundary for verb in ("Put", "Delete") for kind in ("User", "Role")},
    "AddUserToGroup": lambda estate, call: _member(estate, call, add=True),
    "RemoveUserFromGroup": lambda estate, call: _member(estate, call, add=False),
    "UpdateAssumeRolePolicy": _trust,
    "CreatePolicy": _created_policy,
    "CreatePolicyVersion": _version,
    "SetDefaultPolicyVersion": _default,
    "DeletePolicy": _deleted_policy,
}


@cache
def _places() -> dict[tuple[str, str], _Place]:
    return {(service, operation): _Place(*rest) for service, operation, *rest in tsv.rows("policy_writes")}


def _resource_policy(estate: Estate, call: Call, place: _Place) -> tuple[Written, ...]:
    found = value(call, place.policy) if place.policy else None
    if place.policy.endswith("attributeValue") and text(call, "request.attributeName") != "Policy":
        return ()
    if place.policy and found is None:
        return ()  # other attributes of the same call
    arn = _resource_arn(call, text(call, place.resource), place.arn)
    # An empty text is how SQS and OpenSearch take a policy away.
    estate.resources[arn] = {"": _document(found)} if place.policy and found != "" else {}
    estate.new.add(arn)
    return (Written("resource", arn),)


def _resource_arn(call: Call, name: str, template: str) -> str:
    if ":secret:" in name:
        name = _SECRET_SUFFIX.sub("", name)  # a secret is named by its ARN or by its name, which lacks these
    if name.startswith("arn:") or ("{}" in template and not name):
        return name
    name = name.rpartition("function:")[2]  # a function also by a part of its ARN
    name = name.rsplit("/", 1)[-1] if name.startswith("https://") else name
    known = {"partition": _partition(call), "region": str(call.get("awsRegion") or ""), "account": account(call)}
    for key, each in known.items():
        template = template.replace(f"{{{key}}}", each)
    return template.replace("{}", name)


def _made(estate: Estate, call: Call, service: str, operation: str) -> tuple[Written, ...]:
    """Resources that begin without a policy."""
    names = {
        ("s3", "CreateBucket"): ("request.bucketName", "arn:{partition}:s3:::{}"),
        ("lambda", "CreateFunction"): ("request.functionName", _FUNCTION),
    }.get((service, operation))
    if names:
        arn = _resource_arn(call, text(call, names[0]), names[1])
        estate.resources[arn] = {}
        estate.new.add(arn)
    return ()


_SECRET_SUFFIX = re.compile(r"-[A-Za-z0-9]{6}$")
_FUNCTION = "arn:{partition}:lambda:{region}:{account}:function:{}"


def _lambda_permission(estate: Estate, call: Call, operation: str) -> tuple[Written, ...]:
    arn = _resource_arn(call, text(call, "request.functionName"), _FUNCTION)
    if arn and (qualifier := text(call, "request.qualifier")):
        arn = f"{arn}:{qualifier}"  # versions and aliases have policies of their own
    statements = estate.resources.setdefault(arn, {})
    sid = text(call, "request.statementId")
    if operation == "RemovePermission":
        if sid not in statements and arn not in estate.new:
            statements[f"before {sid}"] = None
            return (Written("resource", arn, sid),)
        statements.pop(sid, None)
        return (Written("resource", arn, sid),)
    shown = text(call, "response.statement")
    statements[sid] = read(f'{{"Version":"2012-10-17","Statement":{shown}}}') if shown else _asked_permission(call, arn)
    return (Written("resource", arn, sid),)


def _asked_permission(call: Call, arn: str) -> Document:
    """The statement that Lambda makes of a request; its answer is not in every log."""
    name = text(call, "request.principal")
    principal: Any = {"Service": name} if name.endswith(".amazonaws.com") else "*" if name == "*" else {"AWS": name}
    condition: dict[str, dict[str, str]] = {}
    for field, operator, key in (
        ("sourceArn", "ArnLike", "aws:SourceArn"),
        ("sourceAccount", "StringEquals", "aws:SourceAccount"),
        ("principalOrgID", "StringEquals", "aws:PrincipalOrgID"),
        ("functionUrlAuthType", "StringEquals", "lambda:FunctionUrlAuthType"),
    ):
        if text(call, f"request.{field}"):
            condition.setdefault(operator, {})[key] = text(call, f"request.{field}")
    statement = {"Effect": "Allow", "Principal": principal, "Action": text(call, "request.action"), "Resource": arn}
    return read({"Version": "2012-10-17", "Statement": {**statement, "Condition": condition}})


def _labelled_permission(estate: Estate, call: Call, service: str, operation: str) -> tuple[Written, ...]:
    """AddPermission of topics and queues: accounts and actions under a label."""
    template = "arn:{partition}:sqs:{region}:{account}:{}"
    arn = _resource_arn(call, text(call, "request.topicArn") or text(call, "request.queueUrl"), template)
    statements = estate.resources.setdefault(arn, {})
    label = text(call, "request.label")
    if operation == "RemovePermission":
        statements.pop(label, None)
        return (Written("resource", arn, label),)
    accounts = next((v for k in ("aWSAccountId", "aWSAccountIds") if (v := value(call, f"request.{k}"))), None)
    names = next((v for k in ("actionName", "actions") if (v := value(call, f"request.{k}"))), None)
    if not isinstance(accounts, list) or not isinstance(names, list):
        statements[label] = Unreadable("the call does not show its accounts and actions")
        return (Written("resource", arn, label),)
    actions = [f"{service.upper()}:{each}" for each in names]
    statement = {"Effect": "Allow", "Principal": {"AWS": accounts}, "Action": actions, "Resource": arn}
    statements[label] = read(json.dumps({"Version": "2012-10-17", "Statement": statement}))
    return (Written("resource", arn, label),)
