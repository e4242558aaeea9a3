"""Who acted: one uid for all sessions of a principal, never one for two principals without saying so."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trailhound.ocsf.actor import UNKNOWN, actor, refine

ACCOUNT = "111122223333"


def who(partition="aws", **identity):
    return actor(json.dumps(identity).encode(), partition)


def session(name, role="deployer", **more):
    arn = f"arn:aws:sts::{ACCOUNT}:assumed-role/{role}/{name}"
    return who(type="AssumedRole", arn=arn, principalId=f"AROAEXAMPLE:{name}", accountId=ACCOUNT, **more)


@pytest.mark.parametrize(
    ("identity", "principal"),
    [
        ({"type": "IAMUser", "arn": f"arn:aws:iam::{ACCOUNT}:user/a/b/alice"}, f"arn:aws:iam::{ACCOUNT}:user/alice"),
        ({"type": "IAMUser", "arn": f"arn:aws:iam::{ACCOUNT}:user/alice"}, f"arn:aws:iam::{ACCOUNT}:user/alice"),
        ({"type": "IAMUser", "accountId": ACCOUNT, "userName": "alice"}, f"arn:aws:iam::{ACCOUNT}:user/alice"),
        ({"type": "IAMUser", "accountId": ACCOUNT, "principalId": "AIDAX"}, f"{ACCOUNT}:AIDAX"),
        ({"type": "Root", "arn": f"arn:aws:iam::{ACCOUNT}:root", "userName": "alias"}, f"arn:aws:iam::{ACCOUNT}:root"),
        ({"type": "Root", "principalId": ACCOUNT, "accountId": ACCOUNT}, f"arn:aws:iam::{ACCOUNT}:root"),
        ({"type": "Role", "arn": f"arn:aws:iam::{ACCOUNT}:role/p/svc"}, f"arn:aws:iam::{ACCOUNT}:role/svc"),
        ({"type": "AssumedRole", "principalId": "AROAX:s", "accountId": ACCOUNT}, f"{ACCOUNT}:AROAX"),
        ({"type": "FederatedUser", "principalId": f"{ACCOUNT}:dave"}, f"arn:aws:sts::{ACCOUNT}:federated-user/dave"),
        ({"type": "AWSAccount", "principalId": "AROAX:session", "accountId": ACCOUNT}, f"{ACCOUNT}:AROAX"),
        ({"type": "AWSAccount", "principalId": "", "accountId": "ANONYMOUS_PRINCIPAL"}, "anonymous"),
        ({"type": "Unknown", "principalId": "Anonymous"}, "anonymous"),
        ({"type": "AWSService", "invokedBy": "ec2.amazonaws.com"}, "ec2.amazonaws.com"),
        ({"accountId": ACCOUNT, "invokedBy": "kms.amazonaws.com"}, "kms.amazonaws.com"),
        ({"type": "SAMLUser", "principalId": "Qualifier=:carol"}, "Qualifier=:carol"),
        ({"type": "WebIdentityUser", "principalId": "idp:app:user"}, "idp:app:user"),
        ({"type": "Directory", "principalId": "S-1-5", "accountId": ACCOUNT}, f"{ACCOUNT}:S-1-5"),
        (
            {"type": "IdentityCenterUser", "accountId": ACCOUNT, "onBehalfOf": {"userId": "u-1"}},
            "arn:aws:identitystore:::user/u-1",
        ),
        ({"type": "Unknown", "arn": f"arn:aws:sts::{ACCOUNT}:assumed-role/r/s"}, f"arn:aws:iam::{ACCOUNT}:role/r"),
    ],
)
def test_principal_of_each_kind(identity, principal):
    found = who(**identity)
    assert (found.principal_uid, found.flags) == (principal, ())


def test_sessions_of_a_role_are_one_principal_and_keep_their_own_uid():
    one, other = session("monday"), session("tuesday")
    assert one.principal_uid == other.principal_uid == f"arn:aws:iam::{ACCOUNT}:role/deployer"
    assert one.uid != other.uid


def test_session_and_issuer_lead_to_the_same_role():
    issuer = {"sessionIssuer": {"arn": f"arn:aws:iam::{ACCOUNT}:role/with/path/deployer"}}
    assert who(type="AssumedRole", sessionContext=issuer).principal_uid == session("x").principal_uid


def test_failed_and_successful_sign_in_are_one_principal():
    failed = who(type="IAMUser", accountId=ACCOUNT, userName="Roboman1", accessKeyId="")
    signed_in = who(type="IAMUser", arn=f"arn:aws:iam::{ACCOUNT}:user/Development/Roboman1", userName="Roboman1")
    assert failed.principal_uid == signed_in.principal_uid


def test_partition_is_that_of_the_region_where_no_arn_says_it():
    assert who("aws-cn", type="Root", accountId=ACCOUNT).principal_uid == f"arn:aws-cn:iam::{ACCOUNT}:root"


@pytest.mark.parametrize(
    "identity",
    [
        {},
        {"type": "IAMUser"},
        {"type": "IAMUser", "userName": "alice"},  # of which account?
        {"type": "IAMUser", "accountId": ACCOUNT},
        {"type": "IAMUser", "accountId": ACCOUNT, "userName": "HIDDEN_DUE_TO_SECURITY_REASONS"},
        {"type": "Unknown", "accountId": ACCOUNT, "principalId": ACCOUNT},
        {"type": "AWSService"},
        {"type": "AssumedRole", "arn": "", "principalId": "", "accountId": "  "},
    ],
)
def test_who_cannot_be_told_is_flagged_and_never_empty(identity):
    found = who(**identity)
    assert found.flags == UNKNOWN
    assert found.principal_uid


def test_identity_center_names_its_user_elsewhere():
    found = who(type="Unknown", accountId=ACCOUNT, principalId=ACCOUNT)
    named = refine(found, user_name="erin@example.com", service=None)
    assert (named.principal_uid, named.name, named.flags) == (f"{ACCOUNT}:erin@example.com", "erin@example.com", ())


@pytest.mark.parametrize("broken", [b"", b"null", b'"HIDDEN_DUE_TO_SECURITY_REASONS"', b"[]", b"7"])
def test_identity_that_is_no_object(broken):
    assert actor(broken, "aws").principal_uid == "unknown"


def test_mistyped_members_are_converted_or_left_out():
    found = who(
        type="Root", accountId=111122223333, arn=["x"], sessionContext={"attributes": {"mfaAuthenticated": True}}
    )
    assert (found.account_uid, found.uid, found.session_is_mfa) == (ACCOUNT, None, True)
    assert found.principal_uid == f"arn:aws:iam::{ACCOUNT}:root"


NAMES = st.text("abcAZ09_=,.@-", min_size=1, max_size=12)


@settings(deadline=None)
@given(st.lists(st.tuples(st.sampled_from([ACCOUNT, "444455556666"]), NAMES), min_size=2, max_size=2, unique=True))
def test_different_users_are_different_principals(pair):
    uids = {who(type="IAMUser", accountId=account, userName=name).principal_uid for account, name in pair}
    assert len(uids) == 2


@settings(deadline=None)
@given(name=NAMES, path=st.lists(NAMES, max_size=3))
def test_a_path_does_not_make_another_user(name, path):
    arn = f"arn:aws:iam::{ACCOUNT}:user/{'/'.join([*path, name])}"
    assert who(type="IAMUser", arn=arn).principal_uid == f"arn:aws:iam::{ACCOUNT}:user/{name}"
