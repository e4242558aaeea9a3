"""The list of faults, the page that explains them, and the code: the same names and states."""

from __future__ import annotations

import re
from pathlib import Path

from trailhound.integrity.faults import DERIVED, FAULTS

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "how-to" / "prove-that-logs-are-whole.md").read_text("utf-8")


def test_the_page_explains_each_under_its_state() -> None:
    broken, _, unverifiable = PAGE.partition("Broken:\n")[2].partition("Unverifiable:\n")
    listed = {"broken": broken, "unverifiable": unverifiable.partition("\n## ")[0]}
    for state, text in listed.items():
        rows = [
            name for line in re.findall(r"^\| (`.+?) \|", text, re.MULTILINE) for name in re.findall(r"`(\w+)`", line)
        ]
        assert rows == [name for name, meaning in FAULTS.items() if meaning.state == state]


def test_each_is_raised_somewhere() -> None:
    code = "".join(
        path.read_text("utf-8") for path in (ROOT / "src/trailhound/integrity").glob("*.py") if path.stem != "faults"
    )
    assert not [name for name in FAULTS if f'"{name}"' not in code]
    assert FAULTS.keys() >= DERIVED
