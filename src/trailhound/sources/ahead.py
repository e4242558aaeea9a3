"""Waiting for many answers at once, in the order of the questions."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

A = TypeVar("A")
B = TypeVar("B")


def ahead(function: Callable[[A], B], arguments: Iterable[A], at_once: int) -> Iterator[B]:
    """`map`, with `at_once` calls under way or done ahead of the one that is wanted: never more are held."""
    with ThreadPoolExecutor(at_once) as pool:
        waiting: deque[Future[B]] = deque()
        try:
            for argument in arguments:
                waiting.append(pool.submit(function, argument))
                if len(waiting) == at_once:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()
