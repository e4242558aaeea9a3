"""An index tells on which days to look: it changes what is read, and nothing that is found."""

from __future__ import annotations

import msgspec
import pytest

from trailhound.identity.observables import OBSERVABLES
from trailhound.identity.occurrences import Occurrences
from trailhound.investigation import scope, steps


@pytest.mark.parametrize("story", ["stolen_key", "role_chain"])
def test_an_investigation_with_the_index_is_the_same_to_the_byte(case, story):
    played = case(story)
    engine, finding = played.engine, played.finding
    days = [row["event_day"] for row in engine.query("SELECT DISTINCT event_day FROM events")]
    assert OBSERVABLES.prepare
    OBSERVABLES.prepare(engine)
    engine.execute(f"CREATE OR REPLACE TEMP TABLE observables AS SELECT *, '' AS week FROM ({OBSERVABLES.select})")
    index = Occurrences(engine, days)
    inputs = steps.Inputs(engine=engine, settings=played.settings, findings=[], index=index, as_of={}, versions={})
    found = steps.investigate(inputs, scope.of_finding(engine, finding), finding=finding, observable=None)
    assert msgspec.json.encode(found) == msgspec.json.encode(played.investigate())
