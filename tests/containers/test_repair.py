"""Pasted text is mended exactly where it can be, changed nowhere else, and every change is shown."""

from __future__ import annotations

import html
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trailhound.containers.repair import padded, repair

RECORD = {
    "eventVersion": "1.08",
    "userIdentity": {"type": "IAMUser", "arn": "arn:aws:iam::111122223333:user/Operations/Alice", "userName": "Alice"},
    "eventTime": "2024-01-02T03:04:05Z",
    "eventSource": "ec2.amazonaws.com",
    "eventName": "StopInstances",
    "errorMessage": "You are not authorized, really",
    "requestParameters": {"instancesSet": {"items": [{"instanceId": "i-1"}, {"instanceId": "i-2"}]}, "force": False},
    "responseElements": None,
    "apiVersion": "",
}
TEXT = json.dumps(RECORD)
LAID_OUT = json.dumps(RECORD, indent=2)

PASTES = {
    "closing quotes everywhere": TEXT.replace('"', "”"),
    "opening and closing quotes": TEXT.replace('": ', "”: ").replace('"', "“"),
    "no outer braces": TEXT[1:-1],
    "no outer braces, typographic": TEXT[1:-1].replace('"', "“"),
    "a string of JSON": json.dumps(TEXT),
    "the inside of a string": TEXT.replace('"', '\\"'),
    "HTML entities": html.escape(TEXT),
    "a cell of a spreadsheet": '"' + TEXT.replace('"', '""') + '"',
    "blanks that do not break": LAID_OUT.replace("  ", "\u00a0 "),
    "blanks that do not break, around it": f"\u00a0{TEXT}\u00a0",
    "a byte order mark": "\ufeff" + TEXT,
    "wrapped lines": TEXT.replace("Operations/", "Operat\n    ions/").replace("authorized, ", "authorized,\n  "),
    "a fence in prose": f"Hi team, look:\n```json\n{LAID_OUT}\n```\nthanks {{Bob}}",
    "prose around it": f"See “this”:\n{LAID_OUT}\nThanks!",
    "Python literals": str(RECORD),
    "a trailing comma": LAID_OUT.replace('"apiVersion": ""', '"apiVersion": "",'),
    "a forgotten brace between items": TEXT.replace('"i-1"},', '"i-1",'),
    "forgotten braces at the end": TEXT.replace(', "responseElements": null, "apiVersion": ""', "").rstrip("}"),
    "a blank within an ARN": TEXT[:-1].replace("user/Operations/Alice", "user/ Operations/Al ice"),
    "blanks around values": TEXT.replace('"StopInstances"', '" StopInstances "'),
}


@pytest.mark.parametrize("damage", PASTES)
def test_a_paste_is_mended(damage: str) -> None:
    mended = repair(PASTES[damage].encode())
    assert mended is not None
    expected = RECORD
    if damage == "forgotten braces at the end":
        expected = {key: value for key, value in RECORD.items() if key not in ("responseElements", "apiVersion")}
    assert json.loads(mended.text) == expected
    assert mended.steps
    assert mended.difference.startswith("--- pasted\n+++ mended")


def test_several_records_and_lists_of_them() -> None:
    records = [RECORD, {**RECORD, "eventName": "StartInstances"}]
    for text in ("\n".join(map(json.dumps, records)), json.dumps({"Records": records}), json.dumps(records)):
        mended = repair(text.replace('"', "“").encode())
        assert mended is not None
        got = json.loads(mended.text)
        assert (got["Records"] if isinstance(got, dict) else got) == records


@pytest.mark.parametrize("text", [TEXT, LAID_OUT, json.dumps([RECORD])])
def test_what_is_whole_is_left_alone(text: str) -> None:
    assert repair(text.encode()) is None


@pytest.mark.parametrize("text", ["", "Dear all,", "{nothing} of [the] kind", "x" * (2 << 20), '{"a": 1,}'])
def test_what_is_no_record_is_not_made_one(text: str) -> None:
    assert repair(text.encode()) is None


def test_the_difference_shows_each_member_that_changed() -> None:
    mended = repair(TEXT.replace('"StopInstances"', '" StopInstances"').encode())
    assert mended is not None
    changed = [line for line in mended.difference.split("\n")[2:] if line[0] in "+-"]
    assert changed == ['-"eventName": " StopInstances",', '+"eventName": "StopInstances",']


def test_blanks_that_no_service_writes_are_noticed() -> None:
    assert padded(b'{"eventName": " StopInstances"}')
    assert padded(b'{"eventTime":"2024-01-02T03:04:05Z "}')
    assert not padded(b'{"eventName": "StopInstances", "userAgent": " curl "}')


def test_the_printed_sample_of_the_method(shared_data: Path) -> None:
    """Odd quotes, leading blanks, and an item whose brace is missing: both instances, in request and in response."""
    article = shared_data.parent / "mission" / "article.txt"
    if not article.is_file():
        pytest.skip(f"the article is not at {article}")
    (line,) = [line for line in article.read_text("utf-8").splitlines() if line.startswith("{“Records”")]
    mended = repair(line.encode())
    assert mended is not None
    assert not any("guessed" in step for step in mended.steps)
    (record,) = json.loads(mended.text)["Records"]
    assert (record["eventName"], record["userAgent"]) == ("TerminateInstances", "console.ec2.amazonaws.com")
    assert record["requestParameters"]["instancesSet"]["items"] == [
        {"instanceId": "i-2oc7w12"},
        {"instanceId": "i-eob7w13"},
    ]
    states = {"currentState": {"code": 32, "name": "shutting-down"}, "previousState": {"code": 16, "name": "running"}}
    assert record["responseElements"]["instancesSet"]["items"] == [
        {"instanceId": "i-2oc7w12", **states},
        {"instanceId": "i-eob7w13", **states},
    ]


values = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.text("abc :,{}[]'", max_size=8).map(str.strip),
    lambda children: st.lists(children, max_size=3) | st.dictionaries(st.text("ab", min_size=1), children, max_size=3),
    max_leaves=8,
)


@given(parameters=values)
def test_folding_quotes_changes_nothing_else(parameters: object) -> None:
    record = {"eventName": "X", "requestParameters": parameters}
    mended = repair(json.dumps(record).replace('"', "”").encode())
    assert mended is not None
    assert json.loads(mended.text) == record


@given(text=st.text("{}[]\"“”',: \n\\abceventName&quot;`", max_size=200))
def test_no_text_whatever_raises(text: str) -> None:
    mended = repair(text.encode())
    assert mended is None or json.loads(mended.text)


def test_only_what_was_done_is_told() -> None:
    mended = repair(f"  {TEXT[:-1]}\n".encode())
    assert mended
    assert mended.steps == ("braces balanced",), "blanks at the ends are no text around it"
    cut = repair(f"Look: {TEXT}\n".encode())
    assert cut
    assert cut.steps == ("text around it cut off",)


def test_a_blank_in_a_name_that_may_hold_one_stays() -> None:
    record = {**RECORD, "requestParameters": {"arn": "arn:aws:s3:::bucket/my file", "userName": "Alice B"}}
    mended = repair(json.dumps(record)[:-1].encode())
    assert mended
    assert json.loads(mended.text)["requestParameters"] == record["requestParameters"]
