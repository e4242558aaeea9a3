"""The example of docs/permissions.md runs."""

from __future__ import annotations

import re
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "permissions.md"


def test_the_example_is_true() -> None:
    (code,) = re.findall(r"```python\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    assert "assert" in code
    exec(compile(code, str(PAGE), "exec"), {})
