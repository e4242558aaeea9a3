"""Files, folders, globs: what is found, in which order, and what is said of what cannot be read."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from pathlib import Path

import pytest

from trailhound.errors import InputError
from trailhound.sources.items import File, Unreadable
from trailhound.sources.path import Paths


@pytest.fixture
def logs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("b/2.json", "b/1.json", "a.json", "b/c/3.json"):
        path = tmp_path / "logs" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    monkeypatch.chdir(tmp_path)
    return tmp_path / "logs"


def names(*sources: str) -> list[str]:
    with Paths(sources) as paths:
        return [item.name for item in paths]


def test_a_folder_is_walked_to_the_bottom_in_a_fixed_order(logs: Path) -> None:
    assert names("logs") == ["logs/a.json", "logs/b/1.json", "logs/b/2.json", "logs/b/c/3.json"]


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("logs/a.json", ["logs/a.json"]),
        ("./logs/b/", ["logs/b/1.json", "logs/b/2.json", "logs/b/c/3.json"]),
        ("logs/*/?.json", ["logs/b/1.json", "logs/b/2.json"]),
        ("logs/**/*.json", ["logs/a.json", "logs/b/1.json", "logs/b/2.json", "logs/b/c/3.json"]),
        ("logs/**", ["logs/a.json", "logs/b/1.json", "logs/b/2.json", "logs/b/c/3.json"]),
    ],
)
def test_a_source_names_files(logs: Path, source: str, found: list[str]) -> None:
    assert names(source) == found


def test_a_file_named_like_a_glob_is_that_file(logs: Path) -> None:
    (logs / "x[1].json").write_text("")
    assert names("logs/x[1].json") == ["logs/x[1].json"]


def test_what_names_nothing_is_an_error_before_anything_is_read(logs: Path) -> None:
    with pytest.raises(InputError) as error:
        names("logs", "no/such/*.json")
    assert error.value.where == "no/such/*.json"


def test_symbolic_links_are_followed_when_asked_and_loops_end(logs: Path) -> None:
    (logs / "loop").symlink_to(logs)
    (logs / "b" / "up").symlink_to("..")
    (logs / "link.json").symlink_to("a.json")
    (logs / "dangling").symlink_to("nowhere")
    elsewhere = logs.parent / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "9.json").write_text("9")
    (logs / "z").symlink_to(elsewhere)
    (logs / "z2").symlink_to(elsewhere)
    with Paths(["logs"], follow_links=True) as paths:
        found = [(item.name, getattr(item, "reason", "")) for item in paths]
        assert found == [(item.name, getattr(item, "reason", "")) for item in paths], "as often as wanted"
    assert found == [
        ("logs/a.json", ""),
        ("logs/b/1.json", ""),
        ("logs/b/2.json", ""),
        ("logs/b/c/3.json", ""),
        ("logs/dangling", "unreadable"),
        ("logs/link.json", ""),
        ("logs/z/9.json", ""),
    ]


def test_symbolic_links_in_a_folder_are_not_followed_and_not_forgotten(logs: Path) -> None:
    (logs / "link.json").symlink_to("a.json")
    (logs / "loop").symlink_to(".")
    with Paths(["logs"]) as paths:
        found = [item for item in paths if isinstance(item, Unreadable)]
    assert [(item.name, item.reason) for item in found] == [
        ("logs/link.json", "symbolic_link"),
        ("logs/loop", "symbolic_link"),
    ]
    assert names("logs/link.json") == ["logs/link.json"]  # named, it is meant


def test_pipes_in_a_folder_are_not_waited_for(logs: Path) -> None:
    os.mkfifo(logs / "pipe")
    with Paths(["logs"]) as paths:
        assert [item.reason for item in paths if isinstance(item, Unreadable)] == ["special_file"]


def test_names_need_not_be_text(logs: Path) -> None:
    Path(os.fsdecode(os.fsencode(logs) + b"/\xff.json")).write_bytes(b"x")
    with Paths(["logs"]) as paths:
        (odd,) = [item for item in paths if isinstance(item, File) and "\\" in item.name]
    assert odd.name == r"logs/\xff.json"
    assert Path(os.fsdecode(odd.path)).read_bytes() == b"x"


def test_standard_input_can_be_walked_twice_and_leaves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"pasted")))
    with Paths(["-"]) as paths:
        (first,), (second,) = list(paths), list(paths)
        assert isinstance(first, File)
        assert (first.name, first.size, first) == ("-", 6, second)
        spool = Path(os.fsdecode(first.path))
        assert spool.read_bytes() == b"pasted"
    assert not spool.exists()


def test_the_output_of_a_command_is_read_like_standard_input(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with subprocess.Popen(["sh", "-c", f"printf piped > '{pipe}'"]), Paths([str(pipe)]) as paths:
        (item,) = paths
        assert isinstance(item, File)
        assert Path(os.fsdecode(item.path)).read_bytes() == b"piped"
