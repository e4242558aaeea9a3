"""What must hold of every rule, tried on the very events that its proof shows it fires on."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from trailhound import catalog
from trailhound.detections.collection import PROOF
from trailhound.detections.proof import merge, proof_path, prove
from trailhound.engines.duckdb import DuckDB

FILES = [path for path in catalog.files("rules") if not path.name.endswith(PROOF)]
DOCUMENTS = {path: catalog.documents(path) for path in FILES}

# A try tells as much as a success: these fire on refused calls too, and say so.
FIRE_ON_REFUSAL = {
    "aws_bedrock_models_tried",
    "aws_defences_looked_over",
    "aws_defense_tampering_denied",
    "aws_denied_calls_burst",
    "aws_ec2_accelerated_instances_launched",
    "aws_ec2_console_read_on_many_instances",
    "aws_ec2_instance_credentials_from_several_addresses",
    "aws_ec2_instance_credentials_unusual_client",
    "aws_ec2_password_data_mass_retrieval",
    "aws_ec2_user_data_mass_read",
    "aws_harm_tried_and_denied",
    "aws_iam_surveyed",
    "aws_many_regions",
    "aws_organizations_leave",
    "aws_root_used",
    "aws_s3_buckets_probed",
    "aws_secretsmanager_regions_swept",
    "aws_services_swept",
    "aws_ses_sized_up_across_regions",
    "aws_signin_failures_across_users",
    "aws_signin_failures_for_root",
    "aws_signin_failures_for_user",
}
# Who calls matters little here, or a service could not make these calls.
FIRE_ON_SERVICES = {
    "aws_ec2_production_mass_termination",  # what a user has a service do; service-linked roles are left out
    "aws_ec2_security_group_opened",
    "aws_iam_key_quarantined",  # AWS itself puts the policy on
    "aws_identity_center_credentials_of_many_accounts",
    "aws_organizations_leave",
    "aws_root_credentials_changed",
    "aws_s3_acl_public",
    "aws_s3_bucket_policy_public",
    "aws_s3_exposed_then_changed_from_outside",
    "aws_s3_object_written_anonymously",
    "aws_s3_objects_rewritten_with_customer_key",
    "aws_signin_failures_across_users",
    "aws_signin_failures_for_root",
    "aws_signin_failures_for_user",
    "aws_signin_root_recovery_requested",
    "aws_signin_success_after_failures",
    "aws_signin_without_mfa",
}


@pytest.fixture(scope="module")
def engine() -> Iterator[DuckDB]:
    engine = DuckDB(threads=1)
    yield engine
    engine.close()


def _groups_by_principal(path: Path) -> bool:
    return any("principal_uid" in document.get("correlation", {}).get("group-by", ()) for document in DOCUMENTS[path])


def _fired(
    path: Path, change: Callable[[int], dict[str, Any]], folder: Path, engine: DuckDB, least: int = 1
) -> list[str]:
    """What still fires when every event that the proof fires on is changed: `change` gives a patch for its position.

    The cases follow each other in one log, which is harder to be silent on than each by itself.
    """
    proof = catalog.documents(proof_path(path))[0]
    cases = [case["events"] for case in proof["fires"]]
    large = [events for events in cases if sum(event.get("repeat", {}).get("times", 1) for event in events) >= least]
    altered = [_patched(event, change(position)) for position, event in enumerate(itertools.chain(*large))]
    copy = folder / path.name
    copy.write_text(path.read_text("utf-8"), "utf-8")
    written = {**proof, "fires": [], "silent": [{"name": "changed", "events": altered}]}
    proof_path(copy).write_text(yaml.safe_dump(written, allow_unicode=True), "utf-8")
    return [result.detail for result in prove(copy, engine) if not result.passed]


def _patched(event: dict[str, Any], patch: dict[str, Any]) -> dict[str, Any]:
    if "repeat" in event:
        return {**event, "record": merge(dict(event["record"]), patch)}
    return merge(dict(event), patch)


def _tells_attempts(path: Path) -> bool:
    """One rule of a deed and of a refused try, each with its level: what it must tell of a try is in its proof."""
    (rule, *_) = yaml.safe_load_all(path.read_text("utf-8"))
    return "attempt" in rule.get("trailhound", {})


_SILENT_ON_REFUSAL = [p for p in FILES if p.stem not in FIRE_ON_REFUSAL and not _tells_attempts(p)]


@pytest.mark.parametrize("path", _SILENT_ON_REFUSAL, ids=lambda path: path.stem)
def test_refused_calls_are_silent(path: Path, tmp_path: Path, engine: DuckDB) -> None:
    refused = {"errorCode": "AccessDenied", "errorMessage": "not authorized to perform this"}
    assert _fired(path, lambda _: refused, tmp_path, engine) == []


@pytest.mark.parametrize("path", [p for p in FILES if p.stem not in FIRE_ON_SERVICES], ids=lambda path: path.stem)
def test_calls_of_aws_services_are_silent(path: Path, tmp_path: Path, engine: DuckDB) -> None:
    service = "cloudformation.amazonaws.com"
    forwarded = {"sourceIPAddress": service, "userAgent": service, "userIdentity": {"invokedBy": service}}
    assert _fired(path, lambda _: forwarded, tmp_path, engine) == []


@pytest.mark.parametrize("path", [p for p in FILES if _groups_by_principal(p)], ids=lambda path: path.stem)
def test_what_several_principals_do_in_part_is_silent(path: Path, tmp_path: Path, engine: DuckDB) -> None:
    """Every event by a user of its own; a case of a single event stays that of one user, and is left out."""

    def by_another(position: int) -> dict[str, Any]:
        name = f"user-{position}-{{n}}"
        arn = f"arn:aws:iam::111122223333:user/{name}"
        return {"userIdentity": {"type": "IAMUser", "userName": name, "arn": arn, "sessionContext": None}}

    assert _fired(path, by_another, tmp_path, engine, least=2) == []
