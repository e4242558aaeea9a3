"""What the schema does not check: captions, arithmetic, and that nothing is lost."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from trailhound.ocsf.document import document
from trailhound.vocab import ocsf

GOLDEN = sorted((Path(__file__).parent / "golden").glob("*.raw.json"))


@pytest.fixture(scope="module")
def pairs(stored):
    raws = [path.read_bytes() for path in GOLDEN]
    return [(json.loads(raw), document(row)) for raw, row in zip(raws, stored(raws), strict=True)]


def test_numbers_and_captions_agree(pairs):
    for _, event in pairs:
        kind = ocsf.CLASSES[event["class_uid"]]
        assert event["type_uid"] == event["class_uid"] * 100 + event["activity_id"]
        assert event["type_name"] == f"{event['class_name']}: {event['activity_name']}"
        assert (event["class_name"], event["category_name"]) == (kind.caption, kind.category)
        assert event["status"] == kind.status[event["status_id"]]
        assert event["severity"] == ocsf.SEVERITY[event["severity_id"]]
        for observable in event["observables"]:
            assert observable["type"] == ocsf.OBSERVABLE[observable["type_id"]]


def test_a_type_id_other_than_99_carries_the_schema_s_caption(pairs):
    users = [event["actor"]["user"] for _, event in pairs if "user" in event["actor"]]
    assert all(user["type_id"] == 99 or ocsf.USER[user["type_id"]] == user["type"] for user in users if "type" in user)


def leaves(node):
    """Every scalar, as text; JSON inside a string is opened too."""
    if isinstance(node, dict | list):
        return {leaf for value in (node.values() if isinstance(node, dict) else node) for leaf in leaves(value)}
    if not isinstance(node, str):
        return {json.dumps(node)} - {"null"}
    return ({node} | (leaves(json.loads(node)) if node[:1] in ("{", "[") else set())) - {""}


def test_no_value_of_the_record_is_lost_even_without_raw_data(pairs):
    # To milliseconds, to the canonical address, to the one form in which a resource of its type is known ...
    rewritten = {"eventTime", "sourceIPAddress", "resources"}
    # ... and, inside others, to milliseconds and to true or false.
    told = {"2024-05-06T07:00:00Z", "20240506T070000Z", "Yes", "No"}
    for record, event in pairs:
        logged = leaves({key: value for key, value in record.items() if key not in rewritten})
        assert logged - leaves({key: value for key, value in event.items() if key != "raw_data"}) <= told


def test_observables_point_at_values_of_the_event(pairs):
    for _, event in pairs:
        for observable in event["observables"]:
            nodes = [event]
            for part in observable["name"].split("."):
                name, is_list = part.removesuffix("[]"), part.endswith("[]")
                nodes = [item for node in nodes for item in (node[name] if is_list else [node[name]])]
            assert observable["value"] in nodes


def test_deep_and_unparsable_parts_do_not_stop_it(stored, record, faults):
    deep = {"a": 1}
    for _ in range(60):
        deep = {"n": deep}
    raw = (
        json.dumps(record(serviceEventDetails=deep)).replace('"managementEvent": true', '"big": ' + "9" * 5000).encode()
    )
    event = document(stored([raw])[0])
    assert faults(event) == []
    assert event["unmapped"]["big"] == "9" * 5000
