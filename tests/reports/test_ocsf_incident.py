"""The report for other tools is a valid OCSF Incident Finding, whatever is known and whatever stands in a log."""

from __future__ import annotations

import json

import jsonschema_rs
import msgspec
import pytest
from ocsf_json_schema import OcsfJsonSchemaEmbedded, get_ocsf_schema
from tests.reports.example import BRIEF, INVESTIGATION, altered
from tests.reports.hostile import poisoned

from trailhound.model import Investigation
from trailhound.reports.ocsf_incident import document


@pytest.fixture(scope="module")
def validator() -> jsonschema_rs.Validator:
    schema = OcsfJsonSchemaEmbedded(get_ocsf_schema(version="1.8.0"))
    found = schema.get_class_schema(class_name="incident_finding", profiles=["cloud"])
    return jsonschema_rs.validator_for(json.loads(json.dumps(found)))


@pytest.mark.parametrize(
    "investigation",
    [INVESTIGATION, BRIEF, altered(finding=None), poisoned(INVESTIGATION, "\x1b[31m<b>{{ 1 }}'; DROP TABLE\u202e")],
    ids=["whole", "brief", "observable", "hostile"],
)
def test_it_is_valid(validator: jsonschema_rs.Validator, investigation: Investigation) -> None:
    shown = json.loads(msgspec.json.encode(document(investigation)))
    assert [error.message for error in validator.iter_errors(shown)] == []


def test_it_holds_the_narrative_the_verdict_and_what_makes_it_possible_to_check() -> None:
    shown = document(INVESTIGATION)
    for paragraph in INVESTIGATION.narrative:
        for sentence in paragraph.sentences:
            assert sentence.text in shown["desc"]
    assert (shown["verdict"], shown["confidence"]) == ("True Positive", "High")
    rest = shown["unmapped"]["trailhound"]
    assert rest["uid"] == INVESTIGATION.uid
    assert [one["sha256"] for one in rest["cited"]] == [list(one.sha256) for one in INVESTIGATION.cited]
    assert len(rest["unknowns"]) == len(INVESTIGATION.unknowns)


@pytest.mark.parametrize(
    ("disposition", "caption"),
    [("suspicious", "Suspicious"), ("benign", "Benign"), ("undetermined", "Insufficient Data")],
)
def test_what_is_not_known_is_no_verdict(disposition: str, caption: str) -> None:
    verdict = msgspec.structs.replace(INVESTIGATION.verdict, disposition=disposition)
    assert document(altered(verdict=verdict))["verdict"] == caption
