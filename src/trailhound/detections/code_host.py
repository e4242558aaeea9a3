"""Runs one code rule in a process of its own, with nothing but the standard library. See `code_rules`.

Standard input: a line `[path, function, timespan]`, then a line `[key, rows]` for each group, rows by time. Standard
output: a line `[key, time, number]` for each window in which the function counted something; at the end `{}`, or
`{"line": ..., "error": ...}`.
"""

from __future__ import annotations

import json
import math
import os
import sys
import traceback
from bisect import bisect_left, bisect_right
from pathlib import Path
from typing import Any

MEMORY = 1 << 30  # bytes of address space


def main() -> None:
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what the rule prints is nobody's answer
    path, function, timespan = json.loads(sys.stdin.readline())

    def answer(line: Any) -> None:
        answers.write(json.dumps(line) + "\n")
        answers.flush()

    def tell(kind: type[BaseException], error: BaseException, _: Any) -> None:
        answer({"line": _line(error, path), "error": f"{kind.__name__}: {error}"[:500]})

    sys.excepthook = tell
    _bound()
    namespace: dict[str, Any] = {"__name__": "trailhound_code_rule", "__file__": path}
    exec(compile(Path(path).read_bytes(), path, "exec"), namespace)  # noqa: S102 - it was named by the user
    for line in sys.stdin:
        key, rows = json.loads(line)
        for time, number in _windows(namespace[function], rows, timespan):
            answer([key, time, number])
    answer({})


def _windows(function: Any, rows: list[dict[str, Any]], timespan: int) -> Any:
    """One call for each time at which something happened: events at equal times are in each other's windows."""
    times = [row["time"] for row in rows]
    for time in dict.fromkeys(times):
        window = rows[bisect_left(times, time - timespan) : bisect_right(times, time)]
        number = function([dict(row) for row in window])
        if isinstance(number, bool) or not isinstance(number, int | float) or not math.isfinite(number):
            raise TypeError(f"it returned {number!r}, and not how many of what it looks for there are")
        if number > 0:
            yield time, number


def _bound() -> None:
    try:
        import resource  # noqa: PLC0415 - there is none on Windows
    except ImportError:
        return
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))


def _line(error: BaseException, path: str) -> int:
    """The deepest line of the rule's own file on the way to the error."""
    if isinstance(error, SyntaxError):
        return error.lineno or 1
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == path]
    return lines[-1] if lines and lines[-1] else 1


if __name__ == "__main__":
    main()
