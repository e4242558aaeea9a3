"""The captions we ship are those of the published schema."""

from __future__ import annotations

import pytest
from ocsf_json_schema import get_ocsf_schema

from trailhound.ocsf.schema import OCSF_VERSION
from trailhound.vocab import ocsf


@pytest.fixture(scope="module")
def schema():
    return get_ocsf_schema(OCSF_VERSION)


def captions(enum):
    return {int(number): entry["caption"] for number, entry in enum.items()}


def test_version_is_that_of_the_events_table():
    assert ocsf.VERSION == OCSF_VERSION


@pytest.mark.parametrize("uid", ocsf.CLASSES)
def test_class(schema, uid):
    published = next(one for one in schema["classes"].values() if one["uid"] == uid)
    attributes, ours = published["attributes"], ocsf.CLASSES[uid]
    assert ours.caption == published["caption"]
    assert captions(attributes["category_uid"]["enum"]) == {ours.category_uid: ours.category}
    assert captions(attributes["activity_id"]["enum"]) == ours.activity
    assert captions(attributes["status_id"]["enum"]) == ours.status
    types = captions(attributes["type_uid"]["enum"])
    assert {ocsf.type_uid(uid, one): ours.type_name(one) for one in ours.activity} == types


def test_enums_of_objects(schema):
    def published(name, attribute="type_id"):
        return captions(schema["objects"][name]["attributes"][attribute]["enum"])

    assert tuple(map(published, ("observable", "user", "account"))) == (ocsf.OBSERVABLE, ocsf.USER, ocsf.ACCOUNT)
    severity = schema["classes"]["api_activity"]["attributes"]["severity_id"]["enum"]
    assert captions(severity) == ocsf.SEVERITY
