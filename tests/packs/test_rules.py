"""The rule pack: each rule proves itself, is fit to be read, and finds the real attack it is meant for."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from trailhound import catalog
from trailhound.detections.collection import PROOF
from trailhound.detections.detect import detect
from trailhound.detections.placeholders import Placeholders
from trailhound.detections.predicate import columns
from trailhound.detections.proof import Proof, proof_path, prove
from trailhound.detections.rules import Correlation, Rule, RuleSet
from trailhound.detections.sigma import load_rules
from trailhound.engines.duckdb import DuckDB
from trailhound.lake.arrow import events_table
from trailhound.model import LEVELS, Record
from trailhound.ocsf.normalize import normalize
from trailhound.simulation import simulate
from trailhound.vocab import attack

FILES = [path for path in catalog.files("rules") if not path.name.endswith(PROOF)]
# Rules that fire on the records of each emulated attack: these, and no others.
STRATUS = {
    "credential-access.ec2-get-password-data": {"aws_ec2_password_data_mass_retrieval"},
    "credential-access.ec2-steal-instance-credentials": {
        "aws_ec2_instance_credentials_unusual_client",
        "aws_ssm_command_sent",
    },
    "credential-access.secretsmanager-batch-retrieve-secrets": {"aws_secretsmanager_retrieval_by_filter"},
    "credential-access.secretsmanager-retrieve-secrets": {"aws_secretsmanager_mass_retrieval"},
    "credential-access.ssm-retrieve-securestring-parameters": {"aws_ssm_parameters_mass_retrieval"},
    "defense-evasion.cloudtrail-delete": {"aws_cloudtrail_stopped"},
    "defense-evasion.cloudtrail-event-selectors": {"aws_cloudtrail_event_selectors_narrowed"},
    "defense-evasion.cloudtrail-stop": {"aws_cloudtrail_stopped"},
    "defense-evasion.dns-delete-logs": {"aws_route53_query_logging_removed"},
    "defense-evasion.organizations-leave": {"aws_organizations_leave"},
    "defense-evasion.vpc-remove-flow-logs": {"aws_vpc_flow_logs_deleted"},
    "discovery.ec2-download-user-data": {"aws_ec2_user_data_mass_read"},
    "execution.ec2-launch-unusual-instances": {"aws_ec2_accelerated_instances_launched"},
    "execution.ec2-user-data": {"aws_ec2_user_data_changed"},
    "execution.ssm-send-command": {"aws_ssm_command_sent"},
    "execution.ssm-start-session": {"aws_ec2_sessions_to_many_instances"},
    "exfiltration.ec2-security-group-open-port-22-ingress": {"aws_ec2_security_group_opened"},
    "exfiltration.ec2-share-ami": {"aws_ec2_image_shared"},
    "exfiltration.ec2-share-ebs-snapshot": {"aws_ec2_snapshot_shared"},
    "exfiltration.rds-share-snapshot": {"aws_rds_snapshot_shared"},
    "impact.bedrock-invoke-model": {"aws_bedrock_model_access_opened"},
    "initial-access.console-login-without-mfa": {"aws_signin_without_mfa"},
    "lateral-movement.ec2-instance-connect": {"aws_ec2_sessions_to_many_instances"},
    "lateral-movement.ec2-serial-console-send-ssh-public-key": {"aws_ec2_serial_console_access"},
    "persistence.iam-backdoor-role": {"aws_iam_role_trust_opened", "aws_iam_role_trust_changed_by_hand"},
    "persistence.iam-backdoor-user": {"aws_iam_access_key_for_another_user"},
    "persistence.iam-create-admin-user": {
        "aws_iam_access_key_for_another_user",
        "aws_iam_admin_policy_attached",
        "aws_iam_user_armed_in_haste",
    },
    "persistence.iam-create-backdoor-role": {"aws_iam_admin_policy_attached", "aws_iam_role_trust_opened"},
    "persistence.iam-create-user-login-profile": {"aws_iam_console_password_for_another_user"},
    "persistence.lambda-backdoor-function": {"aws_lambda_function_opened"},
    "persistence.lambda-layer-extension": {"aws_lambda_function_changed_by_hand"},
    "persistence.lambda-overwrite-code": {"aws_lambda_function_changed_by_hand"},
    "persistence.rolesanywhere-create-trust-anchor": {"aws_rolesanywhere_trust_anchor_created"},
    "persistence.sts-federation-token": {"aws_sts_federation_token_issued"},
    "privilege-escalation.iam-update-user-login-profile": {"aws_iam_console_password_for_another_user"},
}

# The technique that each emulated attack is of: a rule that finds it names it.
TECHNIQUE = {
    "credential-access.ec2-get-password-data": "T1555",
    "credential-access.ec2-steal-instance-credentials": "T1552.005",
    "credential-access.secretsmanager-batch-retrieve-secrets": "T1555.006",
    "credential-access.secretsmanager-retrieve-secrets": "T1555.006",
    "credential-access.ssm-retrieve-securestring-parameters": "T1555.006",
    "defense-evasion.cloudtrail-delete": "T1685.002",
    "defense-evasion.cloudtrail-event-selectors": "T1685.002",
    "defense-evasion.cloudtrail-stop": "T1685.002",
    "defense-evasion.dns-delete-logs": "T1685.002",
    "defense-evasion.organizations-leave": "T1666",
    "defense-evasion.vpc-remove-flow-logs": "T1685.002",
    "discovery.ec2-download-user-data": "T1552.001",
    "execution.ec2-launch-unusual-instances": "T1578.002",
    "execution.ec2-user-data": "T1578.005",
    "execution.ssm-send-command": "T1651",
    "execution.ssm-start-session": "T1021.008",
    "exfiltration.ec2-security-group-open-port-22-ingress": "T1686.001",
    "exfiltration.ec2-share-ami": "T1537",
    "exfiltration.ec2-share-ebs-snapshot": "T1537",
    "exfiltration.rds-share-snapshot": "T1537",
    "impact.bedrock-invoke-model": "T1496.004",
    "initial-access.console-login-without-mfa": "T1078.004",
    "lateral-movement.ec2-instance-connect": "T1021.008",
    "lateral-movement.ec2-serial-console-send-ssh-public-key": "T1021.008",
    "persistence.iam-backdoor-role": "T1098.003",
    "persistence.iam-backdoor-user": "T1098.001",
    "persistence.iam-create-admin-user": "T1136.003",
    "persistence.iam-create-backdoor-role": "T1098.003",
    "persistence.iam-create-user-login-profile": "T1098.001",
    "persistence.lambda-backdoor-function": "T1546",
    "persistence.lambda-layer-extension": "T1648",
    "persistence.lambda-overwrite-code": "T1648",
    "persistence.rolesanywhere-create-trust-anchor": "T1556.007",
    "persistence.sts-federation-token": "T1550.001",
    "privilege-escalation.iam-update-user-login-profile": "T1098.001",
}


@pytest.fixture(scope="module")
def engine() -> Iterator[DuckDB]:
    engine = DuckDB(threads=1)
    yield engine
    engine.close()


@pytest.fixture(scope="module")
def pack() -> RuleSet:
    return load_rules(FILES)


@pytest.fixture(scope="module")
def shown(pack: RuleSet) -> list[Rule]:
    """Rules that make findings; the others feed correlations."""
    return [rule for rule in pack.rules if rule.output]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_rule_passes_its_proof(path: Path, engine: DuckDB) -> None:
    failed = [f"{result.kind}: {result.case}: {result.detail}" for result in prove(path, engine) if not result.passed]
    assert failed == []


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_proof_shows_the_rule_fire_and_twice_stay_silent(path: Path) -> None:
    proof = catalog.load(proof_path(path), Proof)
    names = [case.name for case in (*proof.fires, *proof.silent)]
    assert len(proof.fires) >= 1
    assert len(proof.silent) >= 2
    assert all(case.expect.findings for case in proof.fires)
    assert len(set(names)) == len(names)


def test_every_proof_stands_beside_its_rule() -> None:
    proofs = {path for path in catalog.files("rules") if path.name.endswith(PROOF)}
    assert proofs == {proof_path(path) for path in FILES}


def test_the_pack_loads_without_complaint(pack: RuleSet) -> None:
    """Two rules of one id would be a complaint, and so would a correlation over a rule that is not there."""
    assert [str(error) for error in pack.errors] == []
    names = [rule.name for rule in pack.rules if rule.name]
    assert len(set(names)) == len(names)


def test_each_file_makes_findings_of_one_rule(shown: list[Rule]) -> None:
    assert sorted(Path(rule.path).stem for rule in shown) == sorted(path.stem for path in FILES)


def test_a_finding_says_what_a_tired_reader_needs(shown: list[Rule]) -> None:
    for rule in shown:
        assert LEVELS.index(rule.level) > 0, rule.title
        assert rule.falsepositives, rule.title
        assert len(rule.description) > 100, rule.title
        assert "{" in rule.template, rule.title
        assert rule.author == "trailhound", rule.title
        assert rule.license == "Apache-2.0", rule.title
        assert all(link.startswith("https://docs.aws.amazon.com/") for link in rule.references), rule.title


def test_a_rule_that_goes_by_a_call_alone_says_why_that_is_enough(shown: list[Rule]) -> None:
    who_and_what = {"api.operation", "api.service.name", "time", "status_id", "denied", "api.response.error"}
    who_and_what |= {"actor.invoked_by", "actor.user.type"}
    for rule in shown:
        alone = not isinstance(rule.logic, Correlation) and columns(rule.logic) <= who_and_what
        if alone and LEVELS.index(rule.level) >= LEVELS.index("medium"):
            reasons = ("alone", "by itself", "enough", "once in the life", "says")
            assert any(reason in rule.description for reason in reasons), rule.name


def _techniques(rule: Rule) -> set[str]:
    return {tag.removeprefix("attack.").upper() for tag in rule.tags} - {tactic.upper() for tactic in attack.TACTICS}


def test_tags_are_of_the_current_attack(shown: list[Rule]) -> None:
    for rule in shown:
        assert all(tag.startswith("attack.") for tag in rule.tags), rule.title
        assert _techniques(rule), rule.title
        for uid in _techniques(rule):
            assert attack.techniques()[uid].uid == uid, rule.title


def test_a_technique_is_named_by_a_rule_or_a_known_gap(shown: list[Rule]) -> None:
    named = {uid for rule in shown for uid in _techniques(rule)}
    unseen = {uid for uid, technique in attack.techniques().items() if uid == technique.uid and technique.unseen}
    current = {technique.uid for technique in attack.techniques().values()}
    assert named & unseen == set()
    assert named | unseen == current


def test_bases_make_no_findings_of_their_own(pack: RuleSet) -> None:
    assert {rule.level for rule in pack.rules if not rule.output} == {"informational"}


def test_real_attacks_are_found_and_nothing_else_is_said(shared_data: Path, pack: RuleSet, engine: DuckDB) -> None:
    labels = {path.stem.removeprefix("aws."): path for path in sorted((shared_data / "stratus").glob("*.json"))}
    records = [(label, raw) for label, path in labels.items() for raw in msgspec.json.decode(path.read_bytes())]
    batch = normalize(Record(msgspec.json.encode(raw), label, n) for n, (label, raw) in enumerate(records))
    engine.mount_arrow("events", events_table(batch.columns))
    came_from = {raw["eventID"]: label for label, raw in records}
    files = {rule.uid: Path(rule.path).stem for rule in pack.rules}

    fired: dict[str, set[str]] = {label: set() for label in labels}
    for finding in detect(engine, pack, placeholders=Placeholders(values={"production_instances": ["i-*"]})).findings:
        (label,) = {came_from[uid] for uid in finding.event_uids}
        fired[label].add(files[finding.rule_uid])

    assert batch.rejects == []
    assert fired == STRATUS
    of_file = {Path(rule.path).stem: _techniques(rule) for rule in pack.rules if rule.output}
    named = {label: {uid for file in files for uid in of_file[file]} for label, files in fired.items()}
    assert [label for label, uids in named.items() if TECHNIQUE[label] not in uids] == []


def test_a_quiet_account_stays_quiet(tmp_path: Path, pack: RuleSet, engine: DuckDB) -> None:
    simulate("quiet", tmp_path / "quiet", events=3000, days=5)
    files = sorted((tmp_path / "quiet").rglob("*.json.gz"))
    records = [raw for file in files for raw in msgspec.json.decode(gzip.decompress(file.read_bytes()))["Records"]]
    batch = normalize(Record(msgspec.json.encode(raw), "quiet", n) for n, raw in enumerate(records))
    engine.mount_arrow("events", events_table(batch.columns))
    everything = Placeholders(values={"production_instances": ["i-*"]})
    assert [finding.title for finding in detect(engine, pack, placeholders=everything).findings] == []
    assert len(records) >= 3000
