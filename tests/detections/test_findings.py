"""Members of findings → what is said of them."""

from __future__ import annotations

import json

import pytest
import yaml
from tests.detections.conftest import record, rule
from tests.detections.test_origin import STOPPED, session

from trailhound.detections.detect import detect
from trailhound.detections.sigma import load_rules
from trailhound.engines.duckdb import DuckDB
from trailhound.identity.derive import derive
from trailhound.identity.tables import DERIVED
from trailhound.lake.arrow import events_table
from trailhound.lake.lake import Lake
from trailhound.model import Finding, Record
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


@pytest.fixture
def found(tmp_path):
    """Findings of a rule over records in a lake, with its derived tables."""

    def run(rule: str, records) -> list[Finding]:
        (tmp_path / "rule.yml").write_text(rule, "utf-8")
        lake, engine = Lake.create(tmp_path / f"lake{len(records)}"), DuckDB(threads=1)
        lake.append("events", events_table(normalize(_records(records)).columns))
        derive(lake, DERIVED)
        lake.mount(engine)
        return list(detect(engine, load_rules([tmp_path / "rule.yml"])).findings)

    return run


def _records(records):
    return (Record(json.dumps(r).encode(), "s", n) for n, r in enumerate(records))


def test_one_persons_acts_through_several_roles_are_one_finding_and_two_persons_in_one_role_are_two(found):
    hops = [one for number, who in enumerate(["alice", "alice", "bob"]) for one in session(number, who)]
    for one in hops[2:4]:  # the second session of alice is in another role
        for identity in (one["userIdentity"], (one.get("responseElements") or {}).get("assumedRoleUser", {})):
            if "arn" in identity:
                identity["arn"] = identity["arn"].replace("/ops/", "/other/")
    alice, bob = sorted(found(yaml.safe_dump(STOPPED), hops), key=lambda one: one.origin_uid)
    assert (alice.origin_uid.rpartition("/")[2], len(alice.event_uids)) == ("alice", 2)
    assert (bob.origin_uid.rpartition("/")[2], len(bob.event_uids)) == ("bob", 1)
    (begun,) = found(yaml.safe_dump(STOPPED), hops[:2])
    assert begun.uid == alice.uid, "its uid stays what it was before it grew"


def test_a_finding_keeps_its_uid_when_the_log_tells_later_who_it_was(found):
    issued, used = session(1, "alice")
    (before,), (after,) = (found(yaml.safe_dump(STOPPED), records) for records in ([used], [issued, used]))
    assert before.uid == after.uid
    assert not before.origin_uid.endswith("user/alice")
    assert after.origin_uid.endswith("user/alice")
