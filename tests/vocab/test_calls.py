"""The table of calls is what botocore knows, and holds the names of the field's catalogue of dangerous calls."""

from __future__ import annotations

import csv

from tests.vocab.calls_of_botocore import calls as listed

from trailhound.vocab import calls


def test_the_table_is_that_of_botocore():
    """Renewed by `python tests/vocab/calls_of_botocore.py`; the table may know more services than an older botocore."""
    known = calls.by_service()
    missing = {service: names - known.get(service, frozenset()) for service, names in listed().items()}
    assert {service: sorted(names) for service, names in missing.items() if {calls.undated(n) for n in names}} == {}


def test_names_of_a_catalogue_of_attacks_are_known(shared_data):
    with (shared_data / "traildiscover" / "events.csv").open(encoding="utf-8") as file:
        rows = [(row["eventSource"].removesuffix(".amazonaws.com"), row["eventName"]) for row in csv.DictReader(file)]
    assert len(rows) > 300
    assert [(service, name) for service, name in rows if service not in calls.services_of(name)] == []
