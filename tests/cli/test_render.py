"""Nothing that stands in a log can do more than be read."""

from __future__ import annotations

import json
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.cli.conftest import Run

from trailhound.cli import render

HOSTILE = "\x1b[2J\x1b]0;owned\x07 \u202egpj.exe \u200b\x9b31m\r\nwhat: forged"


@given(st.text())
def test_clean_text_moves_no_cursor(text: str) -> None:
    shown = render.clean(text)
    assert all(sign in "\n\t" or unicodedata.category(sign)[0] not in "C" for sign in shown)
    assert "\u2028" not in shown


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    )
)
def test_encoding_keeps_the_data_and_shows_all_of_it(value: object) -> None:
    encoded = render.encode(value)
    assert json.loads(encoded) == value
    assert encoded.isprintable(), "one line, whatever stands in it"


def test_encoding_takes_json_that_is_encoded_already() -> None:
    import msgspec  # noqa: PLC0415

    assert json.loads(render.encode({"raw": msgspec.Raw(b'{\n\t"a": "\xe2\x80\xae"}')})) == {"raw": {"a": "\u202e"}}


@pytest.mark.parametrize("width", ["80", "120"])
def test_a_table_fits_and_loses_nothing(
    width: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", width)
    arn = "arn:aws:iam::111122223333:role/" + "x" * 60
    render.table(
        ["time", "operation", "who", "source", "n"],
        [["2020-11-06 03:21:39Z", "TerminateInstances", arn, "180.163.251.231", 1234567]],
    )
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= int(width)
    letters = "".join(lines)
    assert letters.count("x") == 60
    assert "2020-11-06 03:21:39Z" in letters
    assert sorted(sign for sign in letters if sign.isdigit()) == sorted(
        sign for sign in "2020-11-06 03:21:39Z111122223333180.163.251.2311,234,567" if sign.isdigit()
    )


def test_no_word_is_broken_where_there_is_room(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    columns = ["time", "what", "operation"]
    rows = [["2020-11-06 03:21:39Z", "several words " * 20, "SendSerialConsoleSSHPublicKey"]]
    assert render.fits(columns, rows)
    render.table(columns, rows)
    assert "SendSerialConsoleSSHPublicKey" in capsys.readouterr().out


@pytest.mark.parametrize("values", [["x" * 48, "y" * 48], ["a\nb", "c"]])
def test_what_makes_no_table(values: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    assert not render.fits(["a", "b"], [values])


def test_records_keep_values_and_line_breaks(capsys: pytest.CaptureFixture[str]) -> None:
    render.records(["n", "long\nname", "text"], [[1722587004000, "x" * 200, "- a\n+ b\x1b[2J"], [None, "", ""]])
    first, second = capsys.readouterr().out.split("\n\n")
    assert first.splitlines() == [
        "n          1722587004000",
        "long name  " + "x" * 200,
        "text",
        "  - a",
        "  + b\\u001b[2J",
    ]
    assert second.splitlines() == ["n", "long name", "text"]


@pytest.mark.parametrize(("number", "said"), [(0, "0 events"), (1, "1 event"), (2000, "2,000 events")])
def test_one_of_a_thing_is_not_several(number: int, said: str) -> None:
    assert render.counted(number, "event") == said


def test_rich_markup_in_data_is_text(capsys: pytest.CaptureFixture[str]) -> None:
    render.table(["a"], [["[bold red]x[/] :smile:"]])
    assert "[bold red]x[/] :smile:" in capsys.readouterr().out


@pytest.fixture(scope="module")
def poisoned(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A lake of one record, in which every text that a caller may choose is hostile."""
    from trailhound.__main__ import main  # noqa: PLC0415

    folder = tmp_path_factory.mktemp("poisoned")
    record = {
        "eventVersion": "1.08", "eventTime": "2026-01-01T00:00:00Z", "eventSource": "ec2.amazonaws.com", "eventName": "Describe" + HOSTILE,
        "awsRegion": "us-east-1", "sourceIPAddress": "198.51.100.7", "userAgent": HOSTILE, "eventID": "00000000-0000-4000-8000-000000000001",
        "userIdentity": {"type": "IAMUser", "userName": HOSTILE, "arn": "arn:aws:iam::111122223333:user/" + HOSTILE, "accountId": "111122223333"},
        "requestParameters": {"instancesSet": {"items": [{"instanceId": HOSTILE}]}}, "errorCode": HOSTILE, "errorMessage": HOSTILE,
        "eventType": "AwsApiCall", "recipientAccountId": "111122223333",
    }  # fmt: skip
    (folder / "log.json").write_text(json.dumps({"Records": [record]}))
    (folder / f"bad{HOSTILE.replace('/', '')}.json").write_text("no log " + HOSTILE)
    assert main(["ingest", str(folder), "--workspace", str(folder / "lake")]) == 0
    return folder / "lake"


@pytest.mark.parametrize("form", ["table", "json"])
@pytest.mark.parametrize(
    "verb",
    [
        ("search", ""), ("search", "", "--group-by", "agent"), ("sql", "SELECT http_request.user_agent AS agent, actor.user.uid AS who FROM events"),
        ("status",), ("sql", "SELECT * FROM rejects"), ("sql", "SELECT name FROM ledger"), ("search", f"foo={HOSTILE}"),
    ],
    ids=lambda verb: " ".join(verb)[:30].encode("ascii", "replace").decode(),
)  # fmt: skip
def test_a_hostile_record_is_only_read(trailhound: Run, poisoned: Path, verb: tuple[str, ...], form: str) -> None:
    result = trailhound(*verb, "--workspace", poisoned, "--format", form)
    shown = result.out + result.err
    assert shown
    assert not [sign for sign in shown if not sign.isprintable() and sign != "\n"]
    assert not [line for line in result.err.splitlines() if line.startswith("what: forged")]
