"""How results reach a person or a pipe.

Whatever came from a log was written by someone else: nothing is printed before `clean` or `encode` has made
visible what would move the cursor, hide itself or turn the direction of writing.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Literal

from trailhound.cli.options import Globals

_UNBROKEN = 48  # characters of a word that is not broken over lines where there is room: a time, an id, a bucket
_GAP = 2  # between columns
_STYLES = {"critical": "bold red", "high": "red", "medium": "yellow"}


def clean(text: str) -> str:
    """Every character that does not simply stand in its place, as `\\u202e`; line breaks and tabs stay."""
    return "".join(sign if sign.isprintable() or sign in "\n\t" else _escape(sign) for sign in text)


def encode(value: Any) -> str:
    """Compact JSON on one line; the same data, with all that is not printable escaped, as JSON allows."""
    import msgspec  # noqa: PLC0415 - start-up

    text = msgspec.json.encode(value, enc_hook=str).decode()
    if text.isprintable():
        return text
    # Within strings JSON has no raw line breaks and tabs, outside of them no other odd character.
    return "".join(" " if sign in "\n\r\t" else sign if sign.isprintable() else _escape(sign) for sign in text)


def _escape(sign: str) -> str:
    units = sign.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[i]:02x}{units[i + 1]:02x}" for i in range(0, len(units), 2))


def document(value: Any) -> None:
    """One JSON object."""
    print(encode(value))


def lines(values: Iterable[Any]) -> None:
    """JSON Lines."""
    for value in values:
        print(encode(value))


def text(content: str) -> None:
    print(clean(content))


def led(level: str, content: str) -> None:
    """A paragraph that begins with a level, in its colour."""
    from rich.console import Console  # noqa: PLC0415 - start-up
    from rich.text import Text  # noqa: PLC0415

    shown = Text.assemble((level, _STYLES.get(level, "")), clean(content))
    Console(highlight=False, soft_wrap=True).print(shown)


def remark(options: Globals, content: str) -> None:
    """To stderr, so that what is piped on holds results only."""
    if not options.quiet:
        print(clean(content), file=sys.stderr)


def counted(number: int, noun: str) -> str:
    """`1 event`, `2,000 events`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def fits(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> bool:
    """Can these be a table as wide as the terminal, in which no word is broken and no line break lost?"""
    from rich.console import Console  # noqa: PLC0415 - start-up

    if any(isinstance(value, str) and "\n" in value for row in rows for value in row):
        return False
    return sum(_widths(columns, rows)) + _GAP * (len(columns) - 1) <= Console().width


def _widths(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> list[int]:
    """What each column needs for its longest word, times being one."""
    return [
        max(len(word) for text in (name, *(cell(row[position]) for row in rows)) for word in _words(text))
        for position, name in enumerate(columns)
    ]


def _words(text: str) -> list[str]:
    return [text] if len(text) <= 20 else [word[:_UNBROKEN] for word in text.split()]


def records(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Row by row, a line for each value; a value of several lines keeps them, indented, so that it cannot pass for
    other values. Lines may be longer than the terminal.
    """
    width = max(map(len, columns), default=0)
    for number, row in enumerate(rows):
        print("\n" * (number > 0), end="")
        for name, value in zip(columns, row, strict=True):
            if isinstance(value, str) and "\n" in value:
                print(cell(name), *clean(value).splitlines(), sep="\n  ")
            else:
                print(f"{cell(name):<{width}}  {cell(value, grouped=False)}".rstrip())


def table(columns: Sequence[str], rows: Iterable[Sequence[Any]], *, grouped: bool = True) -> None:
    """A table as wide as the terminal, or 80 columns where there is none. Numbers stand right, thousands apart."""
    from rich.box import SIMPLE_HEAD  # noqa: PLC0415 - start-up
    from rich.console import Console  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    filled = [list(row) for row in rows]
    if not filled:
        return
    shown = Table(box=SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
    widths = _widths(columns, filled) if fits(columns, filled) else [None] * len(columns)
    for position, name in enumerate(columns):
        numeric = all(isinstance(row[position], int | float) for row in filled)
        unbroken = position == 0 and max(len(cell(row[position])) for row in filled) <= 20
        justify = "right" if numeric else "left"
        shown.add_column(name, justify=justify, overflow="fold", no_wrap=unbroken, min_width=widths[position])
    for row in filled:
        cells = [cell(value, grouped=grouped) for value in row]
        shown.add_row(*(Text(content, style=_STYLES.get(content, "")) for content in cells))
    Console(highlight=False).print(shown)


def pairs(values: Mapping[str, Any]) -> None:
    """Name and value, line by line, as a person reads a form."""
    width = max(map(len, values), default=0)
    for name, value in values.items():
        print(clean(f"{name:<{width}}  {cell(value)}"))


def cell(value: Any, *, grouped: bool = True) -> str:
    """One value on one line; `grouped`: thousands apart."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}" if grouped else str(value)
    if isinstance(value, str):
        return " ".join(clean(value).split())
    if isinstance(value, list | tuple) and all(isinstance(item, str) for item in value):
        return cell(", ".join(value))
    return encode(value).strip('"')  # of a time, which is text in JSON


def at(time: int | None) -> str:
    """Epoch milliseconds as `2020-11-06 03:21:39Z`."""
    from trailhound.lake import times  # noqa: PLC0415 - start-up

    return times.text(time).replace("T", " ") if time is not None else ""


@contextmanager
def progress(options: Globals, label: str, *, unit: Literal["bytes", "questions", "rules"] = "bytes") -> Iterator[Any]:
    """A callback `(done, total, events)` that draws a bar on a terminal's stderr; None where nobody looks."""
    if options.quiet or not sys.stderr.isatty():
        yield None
        return
    from rich import progress as bars  # noqa: PLC0415 - start-up
    from rich.console import Console  # noqa: PLC0415

    amount = (bars.DownloadColumn(), bars.TransferSpeedColumn()) if unit == "bytes" else (bars.MofNCompleteColumn(),)
    columns = ("{task.description}", bars.BarColumn(), *amount, bars.TimeRemainingColumn(), "{task.fields[seen]}")
    with bars.Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(label, total=None, seen="")

        def advance(done: int, total: int, events: int | None = None) -> None:
            bar.update(task, completed=done, total=total, seen="" if events is None else f"{events:,} events")

        yield advance
