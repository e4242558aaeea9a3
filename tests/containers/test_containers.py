"""What each container gives: golden pairs `name.raw` → `name.found`.

`TRAILHOUND_REFRESH_GOLDEN=1 pytest tests/containers` writes what is found anew; the diff is the review.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trailhound import containers
from trailhound.containers import Broken, Found, Partial, scan

GOLDEN = Path(__file__).parent / "golden"
RECORDS = [
    {"eventVersion": "1.08", "eventName": f"Call{number}", "userAgent": 'a "quoted" {[ é\\', "p": {"list": [1, {}]}}
    for number in range(6)
]


def found_in(data: bytes) -> tuple[str, list[Found]]:
    name, items = containers.read(iter((data,)))
    return name, list(items)


def shown(name: str, items: list[Found]) -> str:
    lines = [f"container: {name}"]
    for item in items:
        if isinstance(item, bytes):
            lines.append(f"record: {item.decode('utf-8', 'backslashreplace')}")
        elif isinstance(item, Partial):
            lines.append(f"{', '.join(item.flags)}: {item.raw.decode()}")
        else:
            lines.append(f"broken: {item.reason} at {item.position}: {item.detail} | {item.excerpt}")
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize("raw", sorted(GOLDEN.glob("*.raw")), ids=lambda path: path.stem)
def test_golden(raw: Path) -> None:
    got = shown(*found_in(raw.read_bytes()))
    expected = raw.with_suffix(".found")
    if os.environ.get("TRAILHOUND_REFRESH_GOLDEN"):
        expected.write_text(got, "utf-8")
    assert got == expected.read_text("utf-8")


@given(raw=st.sampled_from(sorted(GOLDEN.glob("*.raw"))), piece=st.integers(1, 400), cut=st.integers(0, 2000))
def test_pieces_make_no_difference(raw: Path, piece: int, cut: int) -> None:
    data = raw.read_bytes()[:cut]
    pieces = (data[at : at + piece] for at in range(0, len(data), piece))
    parts, whole = list(scan.values(pieces)), list(scan.values(iter((data,))))
    assert (
        [item if isinstance(item, bytes) else item[:3] for item in parts]
        == [  # excerpts may be shorter
            item if isinstance(item, bytes) else item[:3] for item in whole
        ]
    )


def laid_out(form: str, records: list[dict[str, object]]) -> bytes:
    texts = [json.dumps(record) for record in records]
    wrapped = {
        "records": '{"Records": [' + ", ".join(texts) + "]}",
        "array": json.dumps(records, indent=1),
        "lines": "\n".join(texts) + "\n",
        "objects": "".join(texts),
        "event_bridge": "\n".join(
            json.dumps({"detail-type": "AWS API Call via CloudTrail", "detail": record}) for record in records
        ),
    }
    return wrapped[form].encode()


FORMS = st.sampled_from(["records", "array", "lines", "objects", "event_bridge"])


@given(form=FORMS, count=st.integers(2, 6))
def test_every_container_holds_the_same_records(form: str, count: int) -> None:
    items = found_in(laid_out(form, RECORDS[:count]))[1]
    assert [json.loads(item) for item in items if isinstance(item, bytes)] == RECORDS[:count]


@given(form=FORMS, cut=st.integers(0, 2000))
def test_whatever_is_cut_off_whole_records_are_read_and_the_rest_is_one_reject(form: str, cut: int) -> None:
    items = found_in(data := laid_out(form, RECORDS)[:cut])[1]
    read = [item for item in items if isinstance(item, bytes)]
    broken = [item for item in items if isinstance(item, Broken)]
    assert [json.loads(item) for item in read] == RECORDS[: len(read)]
    ends = [data.find(b'"Call%d"' % number) for number in range(6)]
    begun = sum(end >= 0 for end in ends)
    assert begun - 1 <= len(read) <= begun
    assert len(broken) <= (2 if form == "event_bridge" else 1)  # an envelope and the record in it
    assert broken or cut >= len(laid_out(form, RECORDS)) or form in ("lines", "objects", "event_bridge")


@given(form=FORMS, place=st.integers(0, 800), value=st.integers(0, 255))
def test_a_changed_byte_never_raises_and_spoils_few_records(form: str, place: int, value: int) -> None:
    data = bytearray(laid_out(form, RECORDS))
    place %= len(data)
    data[place] = value
    items = found_in(bytes(data))[1]
    read = {item for item in items if isinstance(item, bytes)}
    intact = [item for item in found_in(laid_out(form, RECORDS))[1] if isinstance(item, bytes)]
    lost = [item for item in intact if item not in read]
    # A changed separator between two run-together objects spoils none; a changed byte inside one, that one. What
    # began as a string may swallow the beginning of the next.
    assert len(lost) <= 2
    assert not lost or any(isinstance(item, Broken) for item in items) or len(read) == len(intact)


@given(
    data=st.binary(max_size=300),
    begin=st.sampled_from([b"", b"{", b"[", b'{"Records":[', b'{"a":1}\n', b"\xef\xbb\xbf"]),
)
def test_no_bytes_whatever_raise(data: bytes, begin: bytes) -> None:
    _, items = found_in(begin + data)
    for item in items:
        assert isinstance(item, bytes) or len(item.excerpt) <= 200


def test_nothing_inside_a_record_can_make_it_disappear() -> None:
    words = [
        '"detail-type"',
        '"detail"',
        '"digestS3Bucket"',
        '"digestS3Object"',
        '"aws:s3"',
        '"s3"',
        '{"Records":[',
        "}]}",
    ]
    record = {"eventVersion": "1.08", "userAgent": " ".join(words), "p": {word.strip('"'): word for word in words}}
    for form in ("records", "array", "lines", "objects", "event_bridge"):
        items = found_in(laid_out(form, [record, record]))[1]
        assert [json.loads(item) for item in items if isinstance(item, bytes)] == [record, record]


def test_nesting_has_an_end() -> None:
    deep = b'{"a":' * 100_000 + b"1" + b"}" * 100_000
    items = found_in(b'{"Records":[{"eventVersion":"1"},' + deep + b',{"eventVersion":"2"}]}')[1]
    assert [item if isinstance(item, bytes) else item.reason for item in items] == [
        b'{"eventVersion":"1"}',
        "too_deep",
        b'{"eventVersion":"2"}',
    ]
