"""The tables beside this module: tab-separated, a header line, `#` for comments."""

from __future__ import annotations

from pathlib import Path

_HERE = Path(__file__).parent


def rows(name: str) -> list[tuple[str, ...]]:
    """Rows of `NAME.tsv`, each padded with "" to the width of the header."""
    lines = [line for line in (_HERE / f"{name}.tsv").read_text("utf-8").splitlines() if line and line[0] != "#"]
    header, *body = (tuple(cell.strip() for cell in line.split("\t")) for line in lines)
    return [row + ("",) * (len(header) - len(row)) for row in body]
