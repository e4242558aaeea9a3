"""What AWS says when it refuses, in words, and with what to do about it."""

from __future__ import annotations

from typing import Any, NamedTuple

_AGAIN = "run it again: what was read before is in the lake, and is not fetched twice"


class Problem(NamedTuple):
    reason: str  # slug, for the reject of a single object
    what: str
    causes: tuple[str, ...]
    next_step: str
    of_all: bool = False  # no other object would fare better


_NO_CREDENTIALS = Problem(
    "no_credentials",
    "there are no credentials for AWS",
    ("none are configured for this user or machine", "another profile is meant", "a login has ended"),
    "`aws configure` or `aws sso login`, or name a profile by --profile",
    of_all=True,
)
_EXPIRED = Problem(
    "expired_credentials",
    "the credentials have expired",
    ("a session token ended while it was in use", "the login is from yesterday"),
    f"renew them (`aws sso login`, a new session token) and {_AGAIN}",
    of_all=True,
)
_UNKNOWN_KEY = Problem(
    "unknown_credentials",
    "AWS does not know these credentials",
    ("the access key was deleted or deactivated", "key and secret do not belong together", "another partition"),
    "`aws sts get-caller-identity` with the same profile tells whether they work at all",
    of_all=True,
)
_CLOCK = Problem(
    "clock_wrong",
    "the clock of this machine is too far off for AWS",
    ("more than 15 minutes between its time and that of AWS",),
    "set the clock, by NTP",
    of_all=True,
)
_NO_BUCKET = Problem(
    "no_such_bucket",
    "there is no such bucket",
    ("a misspelt name", "another partition or endpoint"),
    "`aws s3 ls` lists the buckets of the account",
)
_OTHER_REGION = Problem(
    "other_region",
    "the bucket stands in another Region",
    ("its Region could not be found out", "the endpoint is that of one Region only"),
    "set AWS_REGION to the Region of the bucket, and name no endpoint of another",
)
_UNREACHABLE = Problem(
    "unreachable",
    "AWS cannot be reached",
    (
        "no network, or a proxy or firewall in between",
        "a misspelt endpoint or Region",
        "a certificate not trusted here",
    ),
    f"check --endpoint-url, AWS_ENDPOINT_URL, HTTPS_PROXY and AWS_CA_BUNDLE, then {_AGAIN}",
    of_all=True,
)
_NO_REGION = Problem(
    "no_region",
    "it is not known which Region is meant",
    ("neither the profile nor AWS_REGION names one",),
    "set AWS_REGION, or name the Region in the source",
    of_all=True,
)
_THROTTLED = Problem(
    "throttled",
    "AWS asks to slow down, and kept asking",
    ("other readers use up the same allowance",),
    f"wait a while, and {_AGAIN}",
)
_DENIED = Problem(
    "access_denied",
    "access is denied",
    (
        "the identity lacks the permission",
        "a policy of the bucket, the queue, an endpoint or the organisation denies it",
        "the object belongs to another account",
    ),
    "docs/how-to/read-from-s3.md has the policy that is needed",
)
_KMS = Problem(
    "kms_access_denied",
    "the key that the object is encrypted with may not be used",
    ("the identity lacks kms:Decrypt on the key", "the policy of the key does not let it", "the key is disabled"),
    "allow kms:Decrypt on the key, in the policy of the identity and in that of the key",
)
_ARCHIVED = Problem(
    "object_archived",
    "the object is archived (Glacier) and must be restored before it can be read",
    ("a lifecycle rule moved it",),
    "restore it (`aws s3api restore-object`) and run it again",
)
_MISSING = Problem(
    "object_missing",
    "the object is no longer there",
    ("it was deleted after it had been listed or announced", "a lifecycle rule removed it"),
    "look for the deletion in the log of the bucket: whoever deletes logs has something to hide",
)
_NO_QUEUE = Problem(
    "no_such_queue",
    "there is no such queue",
    ("a misspelt name", "another Region or account"),
    "name the queue by its URL, sqs:https://sqs.REGION.amazonaws.com/ACCOUNT/NAME",
    of_all=True,
)
_NO_GROUP = Problem(
    "no_such_group",
    "there is no such log group",
    ("a misspelt name", "another Region or account"),
    "`aws logs describe-log-groups` lists them; AWS_REGION chooses the Region",
    of_all=True,
)

_BY_CODE = {
    code: problem
    for problem, codes in {
        _EXPIRED: ("ExpiredToken", "ExpiredTokenException", "TokenRefreshRequired", "InvalidToken", "RequestExpired"),
        _UNKNOWN_KEY: (
            "InvalidAccessKeyId", "InvalidClientTokenId", "UnrecognizedClientException", "SignatureDoesNotMatch",
            "InvalidSignatureException", "AuthFailure",
        ),
        _CLOCK: ("RequestTimeTooSkewed",),
        _NO_BUCKET: ("NoSuchBucket", "404"),
        _OTHER_REGION: (
            "PermanentRedirect", "TemporaryRedirect", "301", "AuthorizationHeaderMalformed",
            "IllegalLocationConstraintException",
        ),
        _THROTTLED: (
            "SlowDown", "Throttling", "ThrottlingException", "RequestLimitExceeded", "TooManyRequestsException",
            "ServiceUnavailable", "503",
        ),
        _DENIED: ("AccessDenied", "AccessDeniedException", "403", "UnauthorizedOperation", "AllAccessDisabled"),
        _ARCHIVED: ("InvalidObjectState",),
        _MISSING: ("NoSuchKey", "NoSuchVersion"),
        _NO_QUEUE: ("AWS.SimpleQueueService.NonExistentQueue", "QueueDoesNotExist", "InvalidAddress"),
        _NO_GROUP: ("ResourceNotFoundException",),
    }.items()
    for code in codes
}  # fmt: skip
_BY_TYPE = {
    "NoCredentialsError": _NO_CREDENTIALS,
    "PartialCredentialsError": _NO_CREDENTIALS,
    "ProfileNotFound": _NO_CREDENTIALS,
    "CredentialRetrievalError": _NO_CREDENTIALS,
    "TokenRetrievalError": _EXPIRED,
    "SSOTokenLoadError": _EXPIRED,
    "UnauthorizedSSOTokenError": _EXPIRED,
    "LoginRefreshRequired": _EXPIRED,
    "LoginTokenLoadError": _EXPIRED,
    "NoRegionError": _NO_REGION,
    "HTTPClientError": _UNREACHABLE,
    "ConnectionError": _UNREACHABLE,
}


def explain(error: Exception) -> Problem:
    """Why a call of botocore failed; `what` has the words of AWS, too."""
    said: dict[str, Any] = getattr(error, "response", {}).get("Error", {})
    code, message = str(said.get("Code", "")), str(said.get("Message", ""))
    if code.startswith("KMS.") or (code in ("AccessDenied", "AccessDeniedException") and "kms:" in message):
        problem = _KMS
    elif code:
        problem = _BY_CODE.get(code, Problem("not_readable", "AWS refuses the request", (), _AGAIN))
    else:
        named = (_BY_TYPE[kind.__name__] for kind in type(error).__mro__ if kind.__name__ in _BY_TYPE)
        problem = next(named, Problem("not_readable", "the request to AWS failed", (), _AGAIN))
    words = f"{code}: {message}" if code else str(error)
    return problem._replace(what=f"{problem.what} ({' '.join(words.split())[:300]})")
