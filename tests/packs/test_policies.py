"""Rules that read the text of a policy, tried on every way to write one statement."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from trailhound import catalog
from trailhound.detections.collection import PROOF
from trailhound.detections.detect import detect
from trailhound.detections.proof import BASE, merge
from trailhound.detections.sigma import load_rules
from trailhound.engines.duckdb import DuckDB
from trailhound.lake.arrow import events_table
from trailhound.model import Record
from trailhound.ocsf.normalize import normalize

EVERYONE: list[Any] = ["*", {"AWS": "*"}, {"AWS": ["*"]}]
OUTSIDER: list[Any] = [{"AWS": "arn:aws:iam::999988887777:root"}, {"AWS": ["999988887777"]}]
# rule: service, call, and the request with the policy in the place of "POLICY"
CALLS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "aws_backup_copied_outside": ("backup", "PutBackupVaultAccessPolicy", {"backupVaultName": "v", "policy": "POLICY"}),
    "aws_ecr_repository_opened": ("ecr", "SetRepositoryPolicy", {"repositoryName": "app", "policyText": "POLICY"}),
    "aws_iam_role_trust_opened": ("iam", "UpdateAssumeRolePolicy", {"roleName": "r", "policyDocument": "POLICY"}),
    "aws_kms_key_policy_opened": ("kms", "PutKeyPolicy", {"keyId": "1", "policy": "POLICY"}),
    "aws_messages_opened": ("sqs", "SetQueueAttributes", {"queueUrl": "q", "attributes": {"Policy": "POLICY"}}),
    "aws_opensearch_domain_opened": ("es", "UpdateDomainConfig", {"domainName": "d", "accessPolicies": "POLICY"}),
    "aws_secretsmanager_policy_opened": (
        "secretsmanager",
        "PutResourcePolicy",
        {"secretId": "s", "resourcePolicy": "POLICY"},
    ),
}
ONLY_EVERYONE = {"aws_messages_opened", "aws_opensearch_domain_opened"}  # say nothing of single accounts
NARROWED = {"StringEquals": {"aws:PrincipalOrgID": "o-abc123"}}


@pytest.fixture(scope="module")
def engine() -> Iterator[DuckDB]:
    engine = DuckDB(threads=1)
    yield engine
    engine.close()


def _written(statement: dict[str, Any]) -> Iterator[str]:
    """The statement in every order of its members, tight and spaced, alone and beside a harmless one."""
    harmless = {"Effect": "Deny", "Principal": "*", "Action": "*", "Resource": "*", "Condition": {"Null": {"x": "y"}}}
    for members in itertools.permutations(statement.items()):
        tight = json.dumps({"Statement": dict(members)}, separators=(",", ":"))
        yield from (tight, json.dumps({"Statement": [harmless, dict(members)]}, indent=2))


def _heard(engine: DuckDB, rule: str, texts: list[str]) -> int:
    """How many of the policies the rule finds; each is set by a user of its own."""
    service, call, request = CALLS[rule]
    records = []
    for number, text in enumerate(texts):
        arn = f"arn:aws:iam::111122223333:user/u{number}"
        asked = json.loads(json.dumps(request).replace('"POLICY"', json.dumps(text)))
        record = {
            "eventID": f"event-{number}",
            "eventTime": "2026-11-24T10:00:00Z",
            "eventSource": f"{service}.amazonaws.com",
            "eventName": call,
            "requestParameters": asked,
            "userIdentity": {"arn": arn, "userName": f"u{number}"},
        }
        records.append(Record(msgspec.json.encode(merge(json.loads(json.dumps(BASE)), record)), "policies", number))
    engine.mount_arrow("events", events_table(normalize(records).columns))
    (path,) = [file for file in catalog.files("rules") if file.stem == rule]
    found = detect(engine, load_rules([path])).findings
    return len({uid for finding in found for uid in finding.event_uids})


def _statement(principal: Any, **more: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Principal": principal, "Action": "service:Act", "Resource": "*", **more}


@pytest.mark.parametrize("rule", CALLS)
def test_everyone_is_found_however_it_is_written(rule: str, engine: DuckDB) -> None:
    texts = [text for principal in EVERYONE for text in _written(_statement(principal))]
    assert _heard(engine, rule, texts) == len(texts) == 144


@pytest.mark.parametrize("rule", sorted(set(CALLS) - ONLY_EVERYONE))
def test_another_account_is_found_however_it_is_written(rule: str, engine: DuckDB) -> None:
    texts = [text for principal in OUTSIDER for text in _written(_statement(principal))]
    assert _heard(engine, rule, texts) == len(texts) == 96


@pytest.mark.parametrize("rule", CALLS)
def test_what_is_denied_or_narrowed_is_silent(rule: str, engine: DuckDB) -> None:
    denied = _statement("*", Effect="Deny")
    of_the_organisation = _statement({"AWS": "*"}, Condition=NARROWED)
    own = _statement({"AWS": "arn:aws:iam::111122223333:role/app"})
    service = _statement({"Service": "lambda.amazonaws.com"})
    texts = [text for one in (denied, of_the_organisation, own, service) for text in _written(one)]
    assert _heard(engine, rule, texts) == 0


def test_every_rule_of_the_table_is_in_the_pack() -> None:
    assert set(CALLS) <= {path.stem for path in catalog.files("rules") if not path.name.endswith(PROOF)}
