"""Pairs of a record and the event it becomes: one for each class and each kind of identity.

`TRAILHOUND_REFRESH_GOLDEN=1 pytest tests/ocsf/test_golden.py` writes the events anew; the diff is the review.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from trailhound.ocsf.document import document

GOLDEN = sorted((Path(__file__).parent / "golden").glob("*.raw.json"))


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.name.removesuffix(".raw.json"))
def test_record_becomes_event(path, stored, faults):
    event = document(stored([path.read_bytes()])[0])
    expected = path.with_name(path.name.replace(".raw.", ".ocsf."))
    if os.environ.get("TRAILHOUND_REFRESH_GOLDEN"):
        expected.write_text(json.dumps(event, indent=2, ensure_ascii=False) + "\n", "utf-8")
    assert faults(event) == []
    assert event == json.loads(expected.read_text("utf-8"))


def test_every_class_and_every_kind_of_identity_has_a_pair(stored):
    rows = stored([path.read_bytes() for path in GOLDEN])
    assert {row["class_uid"] for row in rows} == {3001, 3002, 6003}
    assert {row["actor"]["user"]["type"] for row in rows} == {
        "Root", "IAMUser", "AssumedRole", "Role", "FederatedUser", "Directory", "AWSAccount", "AWSService",
        "IdentityCenterUser", "SAMLUser", "WebIdentityUser", "Unknown", None,
    }  # fmt: skip
