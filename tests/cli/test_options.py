"""What every verb takes, before it and after it; and what is printed where."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.cli.conftest import Run


@pytest.mark.parametrize(
    "arguments",
    [
        ("--workspace", "{}", "--format", "json", "status"),
        ("status", "--workspace", "{}", "--format", "json"),
        ("--format", "table", "status", "--workspace", "{}", "--format", "json"),
        ("--format=json", "status", "--workspace={}"),
    ],
)
def test_options_stand_before_or_after_the_verb(trailhound: Run, story: Path, arguments: tuple[str, ...]) -> None:
    result = trailhound(*(argument.format(story) for argument in arguments))
    assert result.document["accounts"]


def test_a_verb_s_own_format_wins(trailhound: Run, workspace: Path) -> None:
    uid = trailhound("findings").lines[0]["finding_info"]["uid"]
    assert trailhound("--format", "json", "investigate", uid, "--format", "md").out.startswith("# ")
    assert trailhound("--format", "json", "investigate", uid).out.startswith("{")
    as_text = trailhound("investigate", uid, "--format", "table").out
    assert "Verdict" in as_text
    assert as_text == trailhound("--format", "table", "investigate", uid).out


def test_demo_does_not_leave_a_workspace_that_is_named_aside(trailhound: Run, tmp_path: Path) -> None:
    result = trailhound("demo", "--workspace", tmp_path)
    assert result.status == 2
    assert "leave out --workspace" in result.err


def test_a_pipe_gets_json_and_a_person_a_table(trailhound: Run, workspace: Path) -> None:
    assert trailhound("findings").out.startswith("{")
    assert trailhound("findings", "--format", "table").out.startswith("critical")


def test_quiet_leaves_results_only(trailhound: Run, workspace: Path) -> None:
    assert trailhound("detect", "--format", "table").err
    quiet = trailhound("--quiet", "detect", "--format", "table")
    assert quiet.err == ""
    assert quiet.out


def test_without_a_workspace_the_next_step_is_said(trailhound: Run, tmp_path: Path) -> None:
    for verb in (("status",), ("detect",), ("findings",), ("search", ""), ("sql", "SELECT 1"), ("investigate", "x")):
        result = trailhound(*verb, "--workspace", tmp_path / "nothing")
        assert result.status == 2
        assert "trailhound ingest" in result.err
        assert not (tmp_path / "nothing").exists(), "asking makes nothing"


def test_the_version_and_the_manual(trailhound: Run) -> None:
    assert trailhound("--version").out.strip() == "0.1.0"
    manual = trailhound("--help")
    assert manual.status == 0
    assert trailhound().out == manual.out
    assert "--because" in trailhound("findings", "close", "--help").out


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("serch", "x"), 'Did you mean "search"'),
        (("detect", "--fail-on", "hgh"), 'Did you mean "high"'),
        (("detect", "--sinse", "2020"), "--since"),
        (("findings", "close", "x"), "--because"),
        (("sql",), "requires an argument"),
        (("status", "--format", "xml"), "json"),
        (("search", "x", "--limit", "many"), "--limit"),
    ],
)
def test_what_is_mistyped_is_answered_in_four_lines(trailhound: Run, arguments: tuple[str, ...], says: str) -> None:
    result = trailhound(*arguments)
    assert (result.status, result.out) == (2, "")
    assert says in result.err
    assert result.err.count("\n") <= 4
    assert "--help" in result.err
