"""Records as no AWS would write them together: few keys, few names and few seconds, so that everything collides."""

from __future__ import annotations

import random
import uuid
from datetime import UTC, datetime
from typing import Any

Json = dict[str, Any]
BEGIN = int(datetime(2024, 3, 4, 23, 59, 50, tzinfo=UTC).timestamp())
ACCOUNTS = ("111111111111", "222222222222", "333333333333")
ROLES = {  # role → the path and id it has
    "ops": ("team/", "AROAOPS0000000000001"),
    "AWSReservedSSO_Admin_0123456789abcdef": ("aws-reserved/sso.amazonaws.com/", "AROASSO0000000000001"),
    "AWSServiceRoleForConfig": ("aws-service-role/config.amazonaws.com/", "AROASLR0000000000001"),
}
NAMES = ("alice", "i-0123456789abcdef0", "bob@example.org")
USER_IDS = ("94d00cd8-e9e6-4810-b177-b08e84775435", "0123456789-94d00cd8-e9e6-4810-b177-b08e84775435")
PORTALS = ("portal-1", "portal-2")
CENTER = ("GetRoleCredentials", "Federate", "UserAuthentication", "CredentialVerification")
KEYS = tuple(f"ASIAODD{number:013}" for number in range(8))


def _text(at: int) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _role(dice: random.Random) -> tuple[str, str, str, str]:
    """Account, role, session name, principal id."""
    role, name = dice.choice(list(ROLES)), dice.choice(NAMES)
    return dice.choice(ACCOUNTS), role, name, f"{ROLES[role][1]}:{name}"


def _context(dice: random.Random) -> Json:
    context: Json = {"attributes": {"creationDate": _text(BEGIN + dice.randrange(12))}}
    if dice.random() < 0.2:
        context["sourceIdentity"] = dice.choice(("alice", "bob"))
    if dice.random() < 0.1:
        context["ec2RoleDelivery"] = "2.0"
    return context


def _identity(dice: random.Random) -> Json:
    account, key = dice.choice(ACCOUNTS), dice.choice(KEYS)
    user = {
        "type": "IAMUser",
        "accountId": account,
        "principalId": f"AIDA{account}USER1",
        "arn": f"arn:aws:iam::{account}:user/x/carol",
        "userName": "carol",
    }
    match dice.randrange(13):
        case 0 | 1:
            return user | {"accessKeyId": f"AKIA{account}CAROL"}
        case 2:
            return user | {"accessKeyId": key, "sessionContext": _context(dice)}
        case 3:
            root = {"type": "Root", "accountId": account, "principalId": account, "arn": f"arn:aws:iam::{account}:root"}
            context = _context(dice) | ({"assumedRoot": "true"} if dice.random() < 0.5 else {})
            return root | {"accessKeyId": key, "sessionContext": context}
        case 4:
            return {"type": "AWSAccount", "accountId": account, "principalId": f"AIDA{account}USER1"}
        case 5:
            return {"type": "AWSAccount", "accountId": account, "principalId": _role(dice)[3]}
        case 6:
            service = dice.choice(("ec2.amazonaws.com", "lambda.amazonaws.com"))
            return {"type": "AWSService", "invokedBy": service}
        case 7:
            return {"type": "SAMLUser", "principalId": "idp=:dave@example.org", "userName": "dave@example.org"}
        case 8:
            arn = f"arn:aws:sts::{account}:federated-user/erin"
            issuer = {"sessionIssuer": {"type": "IAMUser", "arn": user["arn"]}} if dice.random() < 0.7 else {}
            name = {"type": "FederatedUser", "arn": arn, "accountId": account, "principalId": f"{account}:erin"}
            return name | {"accessKeyId": key, "sessionContext": _context(dice) | issuer}
        case 9:
            return _person(dice, account)
        case _:
            return _session(dice, key)


def _person(dice: random.Random, account: str) -> Json:
    """Somebody at Identity Center, as newer records and as older ones name them."""
    found: Json = {"type": dice.choice(("IdentityCenterUser", "Unknown")), "accountId": account}
    match dice.randrange(3):
        case 0:
            store = f"arn:aws:identitystore::{account}:identitystore/d-1"
            found |= {"onBehalfOf": {"userId": dice.choice(USER_IDS), "identityStoreArn": store}}
            found["credentialId"] = dice.choice(PORTALS)
        case 1:
            found |= {"principalId": dice.choice(USER_IDS), "userName": dice.choice(NAMES)}
        case _:
            found |= {"principalId": account, "accessKeyId": ""}
    return found


def _session(dice: random.Random, key: str) -> Json:
    account, role, name, principal_id = _role(dice)
    found: Json = {
        "type": "AssumedRole",
        "accountId": account,
        "principalId": principal_id,
        "arn": f"arn:aws:sts::{account}:assumed-role/{role}/{name}",
    }
    shown = dice.random()
    if shown < 0.8:
        found["accessKeyId"] = key
    if shown > 0.1:
        issuer = {"type": "Role", "arn": f"arn:aws:iam::{account}:role/{ROLES[role][0]}{role}", "accountId": account}
        found["sessionContext"] = _context(dice) | {"sessionIssuer": issuer}
    if dice.random() < 0.1:
        found["onBehalfOf"] = {"userId": dice.choice(USER_IDS)}
    return found


def _answer(dice: random.Random, operation: str) -> tuple[Json | None, Json | None]:
    """Request and response."""
    account, role, name, principal_id = _role(dice)
    credentials = {"accessKeyId": dice.choice(KEYS)}
    if dice.random() < 0.5:
        credentials["expiration"] = "Mar 5, 2024, 1:00:00 AM"
    response: Json = {"credentials": credentials} if dice.random() < 0.7 else {}
    match operation:
        case "ConsoleLogin" | "SwitchRole":
            return None, {operation: "Success"}
        case "GetRoleCredentials":
            return {"accountId": account, "roleName": dice.choice(("Admin", "Other"))}, None
        case "GetSessionToken":
            return None, response
        case "AssumeRoot":
            return {"targetPrincipal": account}, response
        case "GetFederationToken":
            federated = {"federatedUserId": f"{account}:erin", "arn": f"arn:aws:sts::{account}:federated-user/erin"}
            return {"name": "erin"}, response | {"federatedUser": federated}
        case "GetCredentialsForIdentity":
            return {"identityId": "us-east-1:1234"}, response
    request: Json = {"roleArn": f"arn:aws:iam::{account}:role/{ROLES[role][0]}{role}", "roleSessionName": name}
    if dice.random() < 0.3:
        request["durationSeconds"] = 900
    if dice.random() < 0.2:
        request["sourceIdentity"] = dice.choice(("alice", "bob"))
    arn = f"arn:aws:sts::{account}:assumed-role/{role}/{name}"
    return request, response | {"assumedRoleUser": {"assumedRoleId": principal_id, "arn": arn}}


def record(dice: random.Random) -> Json:
    operation, service = dice.choice(
        (
            *[("AssumeRole", "sts")] * 4,
            *[("DescribeInstances", "ec2")] * 4,
            ("AssumeRoleWithSAML", "sts"),
            ("AssumeRoot", "sts"),
            ("GetSessionToken", "sts"),
            ("GetFederationToken", "sts"),
            ("GetCredentialsForIdentity", "cognito-identity"),
            ("GetRoleCredentials", "sso"),
            ("Federate", "sso"),
            ("UserAuthentication", "signin"),
            ("CredentialVerification", "signin"),
            ("ConsoleLogin", "signin"),
            ("SwitchRole", "signin"),
        )
    )
    request, response = (None, None) if operation in CENTER[1:] else _answer(dice, operation)
    found: Json = {
        "eventVersion": "1.09",
        "userIdentity": _identity(dice)
        if operation not in CENTER or dice.random() < 0.2
        else _person(dice, ACCOUNTS[0]),
        "eventTime": _text(BEGIN + dice.randrange(14)),
        "eventSource": f"{service}.amazonaws.com",
        "eventName": operation,
        "awsRegion": "us-east-1",
        "sourceIPAddress": "198.51.100.1",
        "requestParameters": request,
        "responseElements": response,
        "eventID": str(uuid.UUID(int=dice.getrandbits(128))),
        "eventType": "AwsApiCall",
        "recipientAccountId": dice.choice(ACCOUNTS[:2]),
    }
    if dice.random() < 0.3:
        found["sharedEventID"] = str(uuid.UUID(int=dice.randrange(4)))
    if dice.random() < 0.1:
        found |= {"errorCode": "AccessDenied", "responseElements": None}
    if dice.random() < 0.2:
        found["sessionCredentialFromConsole"] = "true"
    if operation == "Federate":
        found["serviceEventDetails"] = {"account_id": dice.choice(ACCOUNTS), "role_name": dice.choice(("Admin", "Ad"))}
    if operation in ("UserAuthentication", "CredentialVerification"):
        found["serviceEventDetails"] = {operation: dice.choice(("Success", "Success", "Success", "Failure"))}
        found["additionalEventData"] = {"UserName": dice.choice((*NAMES, "Alice"))} if dice.random() < 0.8 else {}
    if operation == "SwitchRole":
        user = f"arn:aws:iam::{dice.choice(ACCOUNTS)}:user/x/carol"
        found["additionalEventData"] = {"SwitchFrom": dice.choice((user, _session(dice, "")["arn"]))}
    return found


def records(seed: int, count: int) -> list[Json]:
    dice = random.Random(seed)
    return [record(dice) for _ in range(count)]
