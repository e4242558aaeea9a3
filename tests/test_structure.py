"""How the project is built: budgets, layers, and that what is said of the code is still true."""

from __future__ import annotations

import ast
import io
import os
import re
import runpy
import shlex
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from importlinter.cli import lint_imports
from rich.console import Console

from trailhound.cli.app import VERBS, app
from trailhound.lake.fields import names
from trailhound.ocsf.schema import COLUMNS

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "src" / "trailhound"
FILE_LINES, FUNCTION_LINES = 400, 60
NOT_OURS = {
    ".git",
    ".venv",
    "dist",
    "build",
    "__pycache__",
    ".pytest_cache",
    ".ruff_cache",
    ".hypothesis",
    ".import_linter_cache",
}


def python_files(*folders: str) -> Iterator[Path]:
    for folder in folders:
        yield from sorted((ROOT / folder).rglob("*.py"))


def texts() -> Iterator[tuple[Path, str]]:
    for folder, below, files in os.walk(ROOT):
        below[:] = [name for name in below if name not in NOT_OURS and not name.startswith(".trailhound")]
        for name in files:
            try:
                yield Path(folder, name), Path(folder, name).read_text("utf-8")
            except UnicodeDecodeError:
                continue  # a picture, an archive


def test_files_are_small() -> None:
    long = {
        str(path.relative_to(ROOT)): lines
        for path in python_files("src", "tests", "bench", "docs")
        if (lines := len(path.read_text("utf-8").splitlines())) > FILE_LINES
    }
    assert not long


def test_functions_are_small() -> None:
    long = {}
    for path in python_files("src", "bench", "docs"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                lines = _code_lines(node)
                if lines > FUNCTION_LINES:
                    long[f"{path.relative_to(ROOT)}:{node.name}"] = lines
    assert not long


def _code_lines(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines of a function without its docstring, which for a verb is its manual."""
    documented = ast.get_docstring(function) is not None
    docstring = function.body[0].end_lineno - function.body[0].lineno + 1 if documented else 0  # type: ignore[operator]
    return function.end_lineno - function.lineno + 1 - docstring  # type: ignore[operator]


def test_layers_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    monkeypatch.syspath_prepend(ROOT / "src")
    assert lint_imports(no_cache=True) == 0


def test_errors_are_swallowed_nowhere() -> None:
    broad = [
        path.relative_to(PACKAGE).as_posix()
        for path in python_files("src")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.ExceptHandler) and _catches_all(node.type)
    ]
    assert broad == ["__main__.py"], "one in each face, and no other"


def _catches_all(caught: ast.expr | None) -> bool:
    if isinstance(caught, ast.Tuple):
        return any(map(_catches_all, caught.elts))
    return caught is None or (isinstance(caught, ast.Name) and caught.id in ("Exception", "BaseException"))


def test_no_attic() -> None:
    attics = {"utils", "util", "helpers", "helper", "common", "misc"}
    assert not [path for path in PACKAGE.rglob("*") if path.stem in attics]


def verbs() -> list[tuple[str, ...]]:
    below = {verb: [name for name in app[verb] if not name.startswith("-")] for verb in VERBS}
    return [(verb,) for verb in VERBS] + [(verb, name) for verb, found in below.items() for name in found]


@pytest.mark.parametrize("verb", verbs(), ids=" ".join)
def test_every_verb_has_a_manual_with_an_example_that_parses(verb: tuple[str, ...]) -> None:
    manual = _manual(verb)
    examples = re.findall(rf"^ {{4}}(?:.* \| )?trailhound ({' '.join(verb)}\b.*)$", manual, re.MULTILINE)
    assert examples, "no example"
    for example in examples:
        arguments = shlex.split(example.split(" > ")[0])
        app.parse_args(arguments, exit_on_error=False, print_error=False)


def _manual(verb: tuple[str, ...]) -> str:
    out = io.StringIO()
    app.help_print(list(verb), console=Console(file=out, width=200, color_system=None))
    return out.getvalue()


GENERATE = runpy.run_path(str(ROOT / "docs" / "generate.py"))
PAGES = sorted((ROOT / "docs" / "reference").glob("*.md"))


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_the_reference_is_not_stale(page: Path) -> None:
    renewed: Any = GENERATE["renewed"]
    assert page.read_text("utf-8") == renewed(page.read_text("utf-8")), "run `make docs`"


def test_the_reference_names_everything() -> None:
    pages = {path.name: path.read_text("utf-8") for path in PAGES}
    assert not [verb for verb in verbs() if f"`trailhound {' '.join(verb)}`" not in pages["cli.md"]]
    assert not [column.path for column in COLUMNS if f"`{column.path}`" not in pages["events.md"]]
    assert not [short.name for short in names().short_names if f"| `{short.name}` |" not in pages["search.md"]]


def test_links_in_the_documentation_lead_somewhere() -> None:
    broken = [
        f"{path.relative_to(ROOT)} -> {target}"
        for path in [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]
        for target in re.findall(
            r"\]\(([^)#]+)(?:#[^)]*)?\)", re.sub(r"```.*?```|`[^`]*`", "", path.read_text("utf-8"), flags=re.DOTALL)
        )
        if not re.match(r"[a-z]+:", target) and not (path.parent / target).exists()
    ]
    assert not broken


def test_no_place_or_registry_is_named() -> None:
    # Spelled in parts, so that this file does not name them either.
    forbidden = re.compile(
        "|".join(
            [
                "/wo" + "rk/",
                "/fa" + "rm/",
                r"\.lib" + "rary",
                "--(extra-)?index" + "-url",
                "py" + r"pi\.org",
                "pythonhos" + "ted",
            ]
        )
    )
    assert not [f"{path.relative_to(ROOT)}: {found[0]}" for path, text in texts() if (found := forbidden.search(text))]


def test_versions_are_pinned_without_hosts() -> None:
    lines = [line for line in (ROOT / "constraints.txt").read_text("utf-8").splitlines() if not line.startswith("#")]
    assert all(re.fullmatch(r"[A-Za-z0-9._-]+==[A-Za-z0-9.]+", line) for line in lines)


def test_the_wheel_holds_packs_templates_and_data(tmp_path: Path) -> None:
    code = f"from hatchling.build import build_wheel; print(build_wheel({str(tmp_path)!r}))"
    built = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    inside = set(zipfile.ZipFile(tmp_path / built.stdout.split()[-1]).namelist())
    ours = {
        path.relative_to(ROOT / "src").as_posix()
        for path in PACKAGE.rglob("*")
        if path.is_file() and path.suffix != ".pyc"
    }
    assert ours <= inside
    assert any(name.endswith("licenses/LICENSE") for name in inside)
    assert not [name for name in inside - ours if ".dist-info/" not in name], "nothing else is shipped"


def test_help_imports_nothing_heavy() -> None:
    """`--help` lasts as long as its imports: an engine or a parser among them costs tenths of a second."""
    code = "import sys\nfrom trailhound.__main__ import main\nmain(['search', '--help'])\nprint(*sys.modules, file=sys.stderr)"
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
    )
    loaded = set(done.stderr.split())
    assert "cyclopts" in loaded
    assert not loaded & {
        "duckdb",
        "deltalake",
        "arro3.core",
        "sigma",
        "jinja2",
        "yaml",
        "msgspec",
        "iptocc",
        "requests",
    }
