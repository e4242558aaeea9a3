"""Every path: found where it is open, and only there."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from tests.permissions.test_evaluate import parsed

from trailhound.permissions import actions
from trailhound.permissions.escalation import Escalation, Path, opened, paths
from trailhound.permissions.estate import Estate, Held

USER = "arn:aws:iam::111111111111:user/alice"
ROLE = "arn:aws:iam::111111111111:role/app"
IDS = [path.id for path in paths()]


def allow(action: Any, resource: Any = "*", effect: str = "Allow", **more: Any) -> dict[str, Any]:
    return {"Effect": effect, "Action": action, "Resource": resource, **more}


def held(*statements: dict[str, Any], boundary: dict[str, Any] | None = None, missing: tuple[str, ...] = ()) -> Held:
    above = parsed({"Statement": [boundary]}).statements if boundary else None
    return Held(parsed({"Version": "2012-10-17", "Statement": list(statements)}).statements, above, missing)


NOTHING = held()


def found(
    after: Held, principal: str = USER, estate: Estate | None = None, before: Held = NOTHING
) -> tuple[Escalation, ...]:
    return opened(before, after, principal, estate or Estate())


def ids(after: Held, principal: str = USER) -> set[int]:
    return {each.path for each in found(after, principal)}


def choices(path: Path) -> list[list[str]]:
    """Every way to take one action of each item."""
    return [list(each) for each in itertools.product(*(item.split("/") for item in path.all))]


def holder(names: list[str]) -> str:
    return ROLE if any("Role" in name and name.endswith("@self") for name in names) else USER


def expected(names: set[str], principal: str) -> set[int]:
    """By the table alone: the paths all of whose items are in a set of names."""
    kind = "Role" if ":role/" in principal else "User"
    return {
        path.id
        for path in paths()
        if all(
            any(
                each.removesuffix("@self") in names and (kind in each or "@self" not in each)
                for each in item.split("/")
            )
            for item in path.all
        )
    }


def test_the_table_is_whole() -> None:
    assert list(range(1, 62)) == IDS
    named = {name.removesuffix("@self") for path in paths() for item in path.all for name in item.split("/")}
    assert {name for name in named if name.lower() not in actions.everything()} == set()
    assert all(path.passes or "iam:PassRole" not in path.all for path in paths())


@pytest.mark.parametrize("path", paths(), ids=IDS)
def test_a_path_is_found_with_all_it_takes_and_not_without(path: Path) -> None:
    for chosen in choices(path):
        principal, names = holder(chosen), [name.removesuffix("@self") for name in chosen]
        assert ids(held(allow(names)), principal) == expected(set(names), principal) >= {path.id}
        for left_out in names:
            rest = [name for name in names if name != left_out]
            assert path.id not in ids(held(*([allow(rest)] if rest else [])), principal)
            assert path.id not in ids(held(allow(names), allow(left_out, effect="Deny")), principal)
            assert path.id not in ids(held(allow(names), boundary=allow([*rest, "s3:GetObject"])), principal)
            other = "arn:aws:s3:::bucket" if actions.targets(left_out) else "arn:aws:s3:::bucket/*"
            assert path.id not in ids(held(*([allow(rest)] if rest else []), allow(left_out, other)), principal)
        assert path.id not in {each.path for each in found(held(allow("*")), principal, before=held(allow(names)))}


@pytest.mark.parametrize("path", [each for each in paths() if each.passes], ids=lambda path: path.id)
def test_a_role_passed_to_another_service_is_no_path(path: Path) -> None:
    names = [item.split("/")[0] for item in path.all if item != "iam:PassRole"]
    to = lambda service: {"Condition": {"StringEquals": {"iam:PassedToService": service}}}  # noqa: E731
    assert path.id not in ids(held(allow(names), allow("iam:PassRole", **to("other.amazonaws.com"))))
    assert path.id in ids(held(allow(names), allow("iam:PassRole", **to(path.passes))))


def test_only_oneself_is_oneself() -> None:
    bob = "arn:aws:iam::111111111111:user/bob"
    assert 6 not in ids(held(allow("iam:PutUserPolicy", bob)))
    for own in (
        USER,
        "arn:aws:iam::*:user/*",
        "arn:aws:iam::*:user/dev/${aws:username}",
        "arn:aws:iam::111111111111:user/a?ice",
    ):
        assert 6 in ids(held(allow("iam:PutUserPolicy", own)))
    assert 16 in ids(held(allow(["iam:PutUserPolicy", "iam:CreateAccessKey"], bob)))


def test_a_condition_is_told() -> None:
    mfa = {"Condition": {"Bool": {"aws:MultiFactorAuthPresent": "true"}}}
    (one,) = found(held(allow("iam:AddUserToGroup", **mfa)))
    assert one.conditions == ("aws:multifactorauthpresent",)


def test_the_roles_that_can_be_passed_are_named() -> None:
    def trust(who: str) -> Any:
        return parsed({"Statement": {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": who}}})

    start = "arn:aws:iam::111111111111:role/"
    estate = Estate(trusts={f"{start}{name}": trust(who) for name, who in (("a", "ec2.amazonaws.com"), ("b", "lambda.amazonaws.com"), ("c", "ec2.amazonaws.com"))})  # fmt: skip
    run = allow("ec2:RunInstances")
    (one,) = found(held(run, allow("iam:PassRole", f"{start}a")), estate=estate)
    assert (one.path, one.roles, one.needs) == (21, (f"{start}a",), "")
    (one,) = found(held(run, allow("iam:PassRole", f"{start}b")), estate=estate)
    assert (one.roles, one.needs) == ((), "a role that trusts ec2.amazonaws.com")


def test_what_older_policies_may_add_is_not_left_out() -> None:
    older = held(allow("ec2:RunInstances"), missing=("other policies",))
    (one,) = [each for each in found(older) if each.path == 21]
    assert one.missing == ("iam:PassRole",)
    assert found(held(allow("ec2:RunInstances"))) == ()
