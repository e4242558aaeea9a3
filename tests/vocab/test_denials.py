"""Every family of denial, and what only looks like one."""

from __future__ import annotations

import pytest

from trailhound.vocab.denials import is_denial


@pytest.mark.parametrize(
    "code",
    [
        "AccessDenied", "AccessDeniedException", "Client.UnauthorizedOperation", "UnauthorizedOperation",
        "Server.UnauthorizedOperation", "UnauthorizedException", "NotAuthorized", "NotAuthorizedException",
        "AuthorizationError", "AuthorizationErrorException", "Forbidden", "ForbiddenException", "VpceAccessDenied",
        "ExplicitDenyException", "KMSAccessDeniedException", "Client.AuthFailure", "accessdenied",
        "com.amazonaws.kms#AccessDeniedException",
    ],
)  # fmt: skip
def test_denied(code):
    assert is_denial(code, None)


@pytest.mark.parametrize(
    ("code", "message"),
    [
        (None, None), ("", ""), ("NoSuchBucket", None), ("Client.DryRunOperation", "Request would have succeeded"),
        ("ThrottlingException", "Rate exceeded"), (None, "Failed authentication"), ("ValidationException", "bad name"),
        (None, "No username found in supplied account"), ("InvalidClientTokenId", None), ("ExpiredToken", None),
    ],
)  # fmt: skip
def test_failed_otherwise(code, message):
    assert not is_denial(code, message)


@pytest.mark.parametrize(
    "message",
    [
        "User: x is not authorized to perform: s3:GetObject",
        "... with an explicit deny in a service control policy",
        "Access Denied",
    ],
)
def test_denial_behind_a_general_code(message):
    assert is_denial("UnknownError", message)
