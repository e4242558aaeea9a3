"""However few events are copied, and with whatever columns: the findings are the same."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.detections.conftest import record

from trailhound import catalog
from trailhound.detections import candidates
from trailhound.detections.detect import Detected, detect
from trailhound.detections.placeholders import Placeholders
from trailhound.detections.rules import RuleSet
from trailhound.detections.sigma import load_rules
from trailhound.engines.duckdb import DuckDB
from trailhound.lake.arrow import events_table
from trailhound.model import Record
from trailhound.ocsf.normalize import normalize

RULES = """
title: a path into the record, and nothing else
id: 00000000-0000-0000-0000-00000000000a
logsource: {product: aws, service: cloudtrail}
detection: {selection: {additionalEventData.size: large}, condition: selection}
---
title: a path that is absent, or another
id: 00000000-0000-0000-0000-00000000000b
logsource: {product: aws, service: cloudtrail}
detection:
  one: {eventName: [PutObject, GetObject], requestParameters.bucketName|startswith: "b"}
  two: {requestParameters.key|exists: false}
  condition: one or not two
---
title: a reading of one bucket
name: reading
id: 00000000-0000-0000-0000-00000000000c
logsource: {product: aws, service: cloudtrail, category: resource}
detection: {selection: {eventName: GetObject, resource.type: "AWS::S3::Object"}, few: {resource.uid|contains: "2"},
  condition: selection and not few}
---
title: readings
id: 00000000-0000-0000-0000-00000000000d
correlation: {type: value_count, rules: [reading], group-by: [requestParameters.bucketName], timespan: 1h,
  condition: {gte: 2, field: resource.uid}}
---
title: writing
name: writing
id: 00000000-0000-0000-0000-00000000000e
logsource: {product: aws, service: cloudtrail}
detection: {selection: {sourceIPAddress|cidr: 198.51.100.0/25}, others: {eventName: GetObject},
  condition: selection and not others}
---
title: writings
id: 00000000-0000-0000-0000-00000000000f
correlation: {type: event_count, rules: [writing], group-by: [requestParameters.bucketName], timespan: 1h, condition: {gte: 2}}
"""
WORDS = st.sampled_from(["b1", "b2", "large", "é", 'a"b', "c\\d", "x2"])
PARAMETERS = st.dictionaries(st.sampled_from(["bucketName", "key", "other"]), WORDS, max_size=3)
EVENTS = st.lists(
    st.fixed_dictionaries(
        {
            "eventName": st.sampled_from(["GetObject", "PutObject", "DeleteObject"]),
            "eventSource": st.just("s3.amazonaws.com"),
            "sourceIPAddress": st.sampled_from(["198.51.100.7", "198.51.100.200", "s3.amazonaws.com"]),
            "requestParameters": PARAMETERS,
            "additionalEventData": st.sampled_from(
                [None, {"size": "large"}, {"size": ["small", "large"]}, {"size": 1}]
            ),
        }
    ),
    min_size=1,
    max_size=8,
)


@pytest.fixture(scope="module")
def rules(tmp_path_factory: pytest.TempPathFactory) -> RuleSet:
    path = tmp_path_factory.mktemp("rules") / "rules.yml"
    path.write_text(RULES, "utf-8")
    found = load_rules([path])
    assert not found.errors, str(found.errors[0])
    return found


def found(engine: DuckDB, rules: RuleSet, texts: list[str], large: int) -> Detected:
    """What is found where a rule over more than `large` events is one over much."""
    batch = normalize(Record(text.encode(), "s", index) for index, text in enumerate(texts))
    assert not batch.rejects
    engine.mount_arrow("events", events_table(batch.columns))
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(candidates, "_LARGE", large)
        return detect(engine, rules, placeholders=Placeholders(values={"trusted_accounts": ["111122223333"]}))


@given(events=EVENTS, escaped=st.booleans())
def test_a_rule_over_much_finds_what_it_would_over_little(rules: RuleSet, events: list[dict], escaped: bool) -> None:
    records = [record(number, **event) for number, event in enumerate(events)]
    texts = [json.dumps(one) for one in records]
    if escaped:  # JSON may spell a key in another way
        texts = [text.replace('"bucketName"', '"b\\u0075cketName"').replace('"size"', '"\\u0073ize"') for text in texts]
    engine = DuckDB(threads=1)
    much, little = (found(engine, rules, texts, large) for large in (0, 1000))
    engine.close()
    assert much == little


def test_the_pack_finds_the_same_in_real_attacks(shared_data: Path) -> None:
    lines = [
        json.dumps(one)
        for file in sorted((shared_data / "stratus").glob("*.json"))
        for one in json.loads(file.read_text("utf-8"))
    ]
    rules, engine = load_rules([catalog.PACKS / "rules"]), DuckDB(threads=1)
    much, some, little = (found(engine, rules, lines, large) for large in (0, 20, 10**9))
    engine.close()
    assert len(little.findings) > 30
    assert much == some == little
