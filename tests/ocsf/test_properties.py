"""Whatever is thrown at the normaliser: every record is an event or a reject, and nothing raises."""

from __future__ import annotations

import json

from hypothesis import given, settings
from hypothesis import strategies as st

from trailhound.lake.arrow import events_table
from trailhound.model import Record
from trailhound.ocsf.document import document
from trailhound.ocsf.normalize import normalize
from trailhound.vocab import tsv

quick = settings(max_examples=50, deadline=None)
SCALARS = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8)
)
MASKS = st.sampled_from(
    ["HIDDEN_DUE_TO_SECURITY_REASONS", "***", "", "true", "ANONYMOUS_PRINCIPAL", "arn:aws:iam::1:user/x"]
)
KEYS = st.text(max_size=4) | st.sampled_from(
    ["items", "instanceId", "userName", "roleName", "roleArn", "arn", "credentials", "accessKeyId", "expiration", "key",
     "assumedRoleUser", "ConsoleLogin", "errorCode", "bucketName", "ARN", "type", "accountId", "sessionContext",
     "sessionIssuer", "attributes", "MFAUsed", "bytesTransferredOut"]
)  # fmt: skip
ANYTHING = st.recursive(
    SCALARS | MASKS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4), max_leaves=6
)
IDENTITY_FIELDS = ["arn", "accountId", "principalId", "userName", "invokedBy", "sessionContext", "onBehalfOf"]
KINDS = st.sampled_from(["IAMUser", "Root", "AssumedRole", "AWSService", "AWSAccount", "SAMLUser", "Unknown"])
IDENTITIES = st.fixed_dictionaries({}, optional={"type": KINDS | ANYTHING, **dict.fromkeys(IDENTITY_FIELDS, ANYTHING)})
FIELDS = [
    "requestParameters", "responseElements", "additionalEventData", "resources", "serviceEventDetails", "errorCode",
    "errorMessage", "readOnly", "sourceIPAddress", "eventID", "recipientAccountId", "awsRegion", "userAgent",
    "requestID", "eventVersion", "eventType", "eventCategory",
]  # fmt: skip
OPERATIONS = sorted({(service, operation) for service, operation, *_ in tsv.rows("operations") + tsv.rows("resources")})


@st.composite
def records(draw):
    """All fields optional, and each may hold anything; most have a name and a time, or little would be tried."""
    service, operation = draw(st.sampled_from(OPERATIONS))
    sources = st.just(f"{service}.amazonaws.com") | ANYTHING
    fields = {"eventSource": sources, "userIdentity": IDENTITIES | ANYTHING, **dict.fromkeys(FIELDS, ANYTHING)}
    found = draw(st.fixed_dictionaries({}, optional=fields))
    if draw(st.integers(0, 9)):
        found |= {"eventName": operation.replace("*", "X").split("|")[0], "eventTime": "2024-05-06T07:08:09Z"}
    return json.dumps(found).encode()


def run(raws):
    return normalize([Record(raw, "source", index) for index, raw in enumerate(raws)])


@quick
@given(st.lists(records() | st.binary(max_size=30), max_size=4))
def test_every_record_is_an_event_or_a_reject(raws):
    batch = run(raws)
    assert {len(values) for values in batch.columns.values()} == {len(raws) - len(batch.rejects)}
    assert sorted([*batch.columns["source_index"], *(reject.index for reject in batch.rejects)]) == list(
        range(len(raws))
    )
    assert all(batch.columns["principal_uid"])
    assert all(batch.columns["metadata.uid"])


@quick
@given(st.lists(records(), max_size=3))
def test_same_records_same_columns_in_any_company(raws):
    together, apart = run(raws), [run([raw]) for raw in raws]
    assert together == run(raws)
    for path in set(together.columns) - {"source_index"}:
        assert together.columns[path] == [value for one in apart for value in one.columns[path]]


@quick
@given(st.lists(records(), min_size=1, max_size=4))
def test_columns_fit_the_table_and_rows_become_valid_events(faults, stored, raws):
    raws = [raw for raw in raws if not run([raw]).rejects]
    events_table(run(raws).columns)
    for row in stored(raws):
        assert faults(document(row)) == []


@quick
@given(st.binary())
def test_bytes_of_any_kind(raw):
    batch = run([raw])
    assert len(batch.columns["time"]) + len(batch.rejects) == 1
