"""The events table: one row per CloudTrail event, in OCSF 1.8 names.

One declaration feeds the Arrow schema, the normaliser, the resolution of raw
CloudTrail field names in Sigma rules, and the column reference in the docs.
Structs nest along the dots of `path`, as in Amazon Security Lake, so `actor.user.uid`
is how SQL reads it too.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

OCSF_VERSION = "1.8.0"

Type = Literal["string", "bigint", "int", "boolean", "timestamp", "strings", "bigints", "resources"]


class Column(NamedTuple):
    path: str
    type: Type
    source: str  # the CloudTrail field it is taken from, unchanged; "" when derived
    meaning: str


COLUMNS: tuple[Column, ...] = (
    Column("time", "bigint", "", "when the call completed, epoch milliseconds UTC"),
    Column("time_dt", "timestamp", "", "the same as a UTC timestamp"),
    Column("class_uid", "int", "", "3001 Account Change, 3002 Authentication, 6003 API Activity"),
    Column("activity_id", "int", "", "OCSF activity within the class"),
    Column("status_id", "int", "", "1 success, 2 failure; by every family of denial, not by errorCode alone"),
    Column("status_detail", "string", "", "why it failed, in the log's words"),
    Column("metadata.uid", "string", "eventID", "CloudTrail eventID: the key of an event"),
    Column("metadata.event_code", "string", "eventType", "AwsApiCall, AwsConsoleSignIn, AwsServiceEvent ..."),
    Column("metadata.correlation_uid", "string", "sharedEventID", "common to the copies delivered to several accounts"),
    Column("metadata.product.version", "string", "eventVersion", "version of the record format"),
    Column("metadata.product.feature.name", "string", "eventCategory", "Management, Data, NetworkActivity, Insight"),
    Column("cloud.region", "string", "awsRegion", "Region"),
    Column("cloud.account.uid", "string", "", "account that received the event: recipientAccountId, else the caller's"),
    Column("api.operation", "string", "eventName", "API call, with its date suffix where it has one"),
    Column("api.version", "string", "apiVersion", "API version"),
    Column("api.service.name", "string", "eventSource", "service endpoint: ec2.amazonaws.com"),
    Column("api.request.uid", "string", "requestID", "request id"),
    Column("api.request.data", "string", "requestParameters", "request parameters, JSON text"),
    Column("api.response.error", "string", "errorCode", "error code"),
    Column("api.response.message", "string", "errorMessage", "error message"),
    Column("api.response.data", "string", "responseElements", "response elements, JSON text"),
    Column("actor.user.type", "string", "userIdentity.type", "IAMUser, AssumedRole, Root, AWSService ..."),
    Column("actor.user.name", "string", "userIdentity.userName", "user name as logged"),
    Column("actor.user.uid", "string", "userIdentity.arn", "ARN as logged; differs per session of a role"),
    Column("actor.user.uid_alt", "string", "userIdentity.principalId", "principal id: AIDA..., AROA...:session"),
    Column("actor.user.credential_uid", "string", "userIdentity.accessKeyId", "access key"),
    Column("actor.user.account.uid", "string", "userIdentity.accountId", "the caller's account"),
    Column("actor.session.created_time", "bigint", "", "when the session began, epoch milliseconds"),
    Column("actor.session.is_mfa", "boolean", "", "sessionContext.attributes.mfaAuthenticated"),
    Column(
        "actor.session.issuer",
        "string",
        "userIdentity.sessionContext.sessionIssuer.arn",
        "role or user that issued the session",
    ),
    Column("actor.invoked_by", "string", "userIdentity.invokedBy", "service that called on the caller's behalf"),
    Column("actor.idp.name", "string", "userIdentity.identityProvider", "identity provider"),
    Column("src_endpoint.ip", "string", "", "source address, when sourceIPAddress is one"),
    Column("src_endpoint.domain", "string", "", "otherwise: the service name or `AWS Internal`"),
    Column("src_endpoint.uid", "string", "vpcEndpointId", "VPC endpoint"),
    Column("http_request.user_agent", "string", "userAgent", "user agent as sent: written by the caller"),
    Column("user.name", "string", "", "the user or role acted upon (3001), or signing in (3002)"),
    Column("user.uid", "string", "", "its ARN"),
    Column("session.uid", "string", "", "ARN of the session that was issued (3002)"),
    Column("session.credential_uid", "string", "", "access key that was issued (3002)"),
    Column("session.expiration_time", "bigint", "", "when that credential ends, epoch milliseconds"),
    Column("is_mfa", "boolean", "", "MFA at sign-in (3002), as the log says it"),
    Column("policy.uid", "string", "", "policy acted upon (3001)"),
    Column("resources", "resources", "", "every resource named by the event, its request or its response"),
    Column("traffic.bytes_out", "bigint", "", "additionalEventData.bytesTransferredOut"),
    Column("traffic.bytes_in", "bigint", "", "additionalEventData.bytesTransferredIn"),
    Column("principal_uid", "string", "", "who, stable across sessions: user or role ARN without path, root, service"),
    Column("read_only", "boolean", "readOnly", "the call changes nothing"),
    Column("denied", "boolean", "", "it failed for want of permission (one of the denial families)"),
    Column("src_ip_hex", "string", "", "source address as 32 lower-case hex digits, IPv4 mapped into IPv6"),
    Column("flags", "strings", "", "what was unusual about the record: repaired, partial, conflict, ..."),
    Column("source_uid", "string", "", "ledger row of the file it came from"),
    Column("source_index", "int", "", "its place among the records of that file"),
    Column("raw_data", "string", "", "the record, byte for byte"),
    Column("event_day", "string", "", "partition: UTC day of `time`, YYYY-MM-DD"),
)

# Members of one element of `resources`.
RESOURCE_FIELDS: tuple[tuple[str, str], ...] = (
    # One form per type, or joins break: EC2 ids bare (i-0abc), buckets by name, objects bucket/key,
    # IAM users and roles as ARN without path (as principal_uid), all else by ARN, or by name if the log has no ARN.
    ("uid", "the one form by which this resource is known: i-0abc, my-bucket, my-bucket/key, arn:aws:iam::..."),
    ("name", "short name: i-0abc, my-bucket, alice"),
    ("type", "CloudFormation type: AWS::EC2::Instance"),
    ("account_uid", "owner account, where the record says it"),
)

BY_PATH: dict[str, Column] = {column.path: column for column in COLUMNS}
BY_SOURCE: dict[str, Column] = {column.source: column for column in COLUMNS if column.source}
