"""Lint complains about what keeps a rule from being trusted, with file and line."""

from __future__ import annotations

from trailhound.catalog import PACKS
from trailhound.detections.lint import lint
from trailhound.detections.sigma import load_rules

_BARE = """title: Something was listed
id: 3f0a8a52-5d4b-4b3c-8f3e-0f1d2c3b4a59
logsource: {product: aws, service: cloudtrail}
detection: {sel: {eventName: ListUsers}, condition: sel}
tags: [attack.t1562.008]
level: high
"""


def test_the_pack_gives_no_reason_to_complain():
    assert [str(complaint) for complaint in lint(load_rules([PACKS / "rules"]))] == []


def test_each_fault_is_named(tmp_path):
    (tmp_path / "bare.yml").write_text(_BARE)
    complaints = lint(load_rules([tmp_path]))
    said = " ".join(complaint.what for complaint in complaints)
    for part in (
        "description",
        "falsepositives",
        "replaced by T1685.002",
        "nothing but the name",
        "no proof",
    ):
        assert part in said
    assert all(complaint.where.endswith("bare.yml:1") for complaint in complaints)
