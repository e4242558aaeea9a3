"""Reading a story: what is wrong is said, with its place."""

from __future__ import annotations

from pathlib import Path

import pytest

from trailhound.errors import CatalogError, RequestError
from trailhound.simulation import simulate
from trailhound.simulation.story import load

STORY = """\
summary: a small story
account: "123456789012"
region: eu-west-1
seed: 1
history: [{since: 2024-03-01T00:00:00Z, until: 2024-03-02T00:00:00Z, events: 20}]
actors:
  eve: {user: eve, addresses: [192.0.2.7], agents: {default: curl}}
phases:
  - name: look
    says: somebody looks around
    actor: eve
    steps: [{call: "s3:ListBuckets", at: 2024-03-01T10:00:00Z}]
"""


def written(tmp_path: Path, *changes: tuple[str, str]) -> Path:
    text = STORY
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    path = tmp_path / "small.yml"
    path.write_text(text)
    return path


def test_a_story_of_ones_own_is_played_from_its_file(tmp_path: Path) -> None:
    truth = simulate(written(tmp_path), tmp_path / "out")
    assert (truth.story, truth.counts.events) == ("small", 21)
    assert truth.phases[0].principal_uid == "arn:aws:iam::123456789012:user/eve"


def test_an_unknown_story_is_refused_with_those_there_are() -> None:
    with pytest.raises(RequestError, match="roboman1"):
        load("robocop")


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        ("seed: 1", "seed: one", 4),
        ("seed: 1", "sead: 1", 1),
        ('"123456789012"', "acme", 2),
        ("events: 20", "events: -1", 5),
        ("2024-03-02T00:00:00Z", "2024-03-02", 5),
    ],
)
def test_a_malformed_value_is_named_with_its_line(tmp_path: Path, old: str, new: str, line: int) -> None:
    with pytest.raises(CatalogError) as caught:
        load(written(tmp_path, (old, new)))
    assert caught.value.where.endswith(f"small.yml:{line}")


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ("user: eve,", "user: eve, role: admin,", "exactly one of"),
        ("user: eve", "role: admin", "opened_by"),
        ("user: eve", "role: admin, opened_by: eve", "lead back"),
        ("user: eve", "outsider: mallory", "account/principal"),
        ("user: eve", "session_of: nobody", "session_of"),
        ("addresses: [192.0.2.7], ", "", "addresses"),
        ("actor: eve", "actor: mallory", "no actor 'mallory'"),
        (", at: 2024-03-01T10:00:00Z", "", "give `at`"),
        ("until: 2024-03-02", "until: 2024-02-02", "is not before"),
    ],
)
def test_what_does_not_fit_together_is_said(tmp_path: Path, old: str, new: str, complaint: str) -> None:
    with pytest.raises(CatalogError, match=complaint):
        load(written(tmp_path, (old, new)))


@pytest.mark.parametrize(
    ("step", "complaint"),
    [
        ('call: "s3:Teleport"', "no call 's3:Teleport'"),
        ('call: "s3:GetBucketAcl"', "no value for 'bucket'"),
        ('call: "ec2:TerminateInstances"', "no value for 'instances'"),
        ('call: "s3:GetBucketAcl", with: {bucket: {any_of: []}}', "cannot be drawn"),
        ('call: "s3:GetBucketAcl", with: {bucket: {between: [9, 1]}}', "cannot be drawn"),
        ('call: "ec2:TerminateInstances", with: {instances: {all_of: navy}}', "no fleet 'navy'"),
        ('call: "ec2:CreateImage", each: navy', "no fleet 'navy'"),
    ],
)
def test_a_call_that_cannot_be_made_is_refused(tmp_path: Path, step: str, complaint: str) -> None:
    path = written(tmp_path, ('call: "s3:ListBuckets"', step))
    with pytest.raises(CatalogError, match=complaint):
        simulate(path, tmp_path / "out")
