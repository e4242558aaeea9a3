"""Members of findings → what is said of them."""

from __future__ import annotations

import json

from tests.detections.conftest import record, rule

from trailhound.detections.detect import detect
from trailhound.detections.sigma import load_rules
from trailhound.engines.duckdb import DuckDB
from trailhound.lake.arrow import events_table
from trailhound.model import Record
from trailhound.ocsf.normalize import normalize

_BY_RESOURCE = {"product": "aws", "service": "cloudtrail", "category": "resource"}
_MANY = {
    "title": "many",
    "id": "7a1f4a52-5d4b-4b3c-8f3e-0f1d2c3b4a59",
    "correlation": {
        "type": "value_count",
        "rules": ["base"],
        "group-by": ["cloud.account.uid"],
        "timespan": "5m",
        "condition": {"field": "resource.uid", "gte": 3},
    },
    "level": "low",
}


def test_what_is_tied_is_listed_in_one_order(tmp_path):
    """Two thousand calls at one moment, each of which names eight volumes and an image, read by several threads."""
    base = rule({"sel": {"eventName": "CreateThings"}, "condition": "sel"}, name="base", logsource=_BY_RESOURCE)
    (tmp_path / "rule.yml").write_text(f"{base}\n---\n{json.dumps(_MANY)}", "utf-8")
    rules = load_rules([tmp_path / "rule.yml"])
    named = [
        [*({"volumeId": f"vol-{(n * 37 + k) % 2000:08d}"} for k in range(8)), {"imageId": f"ami-{n:08d}"}]
        for n in range(2000)
    ]
    records = [record(n, eventName="CreateThings", requestParameters={"items": items}) for n, items in enumerate(named)]
    table = events_table(normalize(Record(json.dumps(r).encode(), "s", n) for n, r in enumerate(records)).columns)
    listed = set()
    for _ in range(4):
        engine = DuckDB(threads=4)
        engine.mount_arrow("events", table)
        listed |= {found.resources for found in detect(engine, rules).findings}
        engine.close()
    (resources,) = listed
    assert len(resources) == 4000
    assert all(r.type == ("AWS::EC2::Image" if r.uid.startswith("ami-") else "AWS::EC2::Volume") for r in resources)
