"""Patterns with `*` and `?` as IAM matches them, and texts that tell patterns apart.

Sources: the IAM User Guide, "IAM JSON policy elements: Resource" and "... Condition operators".
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from typing import Literal

Token = tuple[Literal["text", "one", "many"], str]  # of "one" and "many": the character that it does not stand for
Pattern = tuple[Token, ...]

OPEN, SHUT = "\ue000", "\ue001"  # around what stands for itself within a pattern, wildcards too
_STATES = 20_000
_FRESH = "xyzwvutsrqponmlkjihgfedcba0123456789-_~XYZWVUTSRQPONMLKJIHGFEDCBA\ue002"


class TooManyError(Exception):
    """More cases than are gone through: what follows is not known."""


@lru_cache(65_536)
def glob(pattern: str) -> Pattern:
    """`*` is any text and `?` any character, whatever they are: actions, StringLike."""
    return tuple(_tokens(pattern, lambda _: ""))


@lru_cache(65_536)
def resource(pattern: str) -> Pattern:
    """As the element Resource reads it: a wildcard stays within its segment (between colons), but for a `*` that
    ends one, which goes on beyond the colons."""
    return tuple(_tokens(pattern, lambda end: "" if end == len(pattern) or pattern[end] == ":" else ":"))


def _tokens(pattern: str, never: Callable[[int], str]) -> list[Token]:
    """`never`: where in the pattern a `*` ends → the character that it does not stand for."""
    found: list[Token] = []
    within = False
    for position, sign in enumerate(pattern):
        if sign in (OPEN, SHUT):
            within = sign == OPEN
        elif sign == "*" and not within:
            if found and found[-1][0] == "many":
                found.pop()  # ** is *: the last one says how far it goes
            found.append(("many", never(position + 1)))
        elif sign == "?" and not within:
            found.append(("one", never(-1)))
        else:
            found.append(("text", sign))
    return found


def plain(pattern: str) -> str:
    """Without the marks around what stands for itself."""
    return pattern.replace(OPEN, "").replace(SHUT, "")


def matches(pattern: Pattern, text: str) -> bool:
    """Does the whole of `text` fit? In time that grows as the text does, whoever wrote the pattern."""
    expression = _expression(pattern)
    return bool(_machine(pattern).accepted(text)) if expression is None else expression.fullmatch(text) is not None


@lru_cache(65_536)
def _expression(pattern: Pattern) -> re.Pattern[str] | None:
    """None where a wildcard keeps out of something: then the first place where the next letters stand need not do."""
    if any(kind != "text" and never for kind, never in pattern):
        return None
    parts = [""]
    for kind, text in pattern:
        if kind == "many":
            parts.append("")
        else:
            parts[-1] += re.escape(text) if kind == "text" else "."
    head, *middle = parts
    if not middle:
        return re.compile(head, re.DOTALL)
    *middle, tail = middle
    # Atomic groups: no way back, so no pattern can make this slow.
    return re.compile(head + "".join(f"(?>.*?{part})" for part in middle if part) + f".*{tail}", re.DOTALL)


class Machine:
    """All of some patterns read a text at once; the state is the set of places reached in them, as bits of a number."""

    def __init__(self, patterns: Sequence[Pattern]) -> None:
        self.start = self.stay = self.stay_within = self.any_ = self.any_within = 0
        self.letters: dict[str, int] = {}
        self.ends: list[int] = []
        bit = 1
        for pattern in patterns:
            self.start |= bit
            for kind, text in pattern:
                if kind == "many":
                    self.stay |= bit * (not text)
                    self.stay_within |= bit * bool(text)
                    continue
                if kind == "text":
                    self.letters[text] = self.letters.get(text, 0) | bit
                elif text:
                    self.any_within |= bit
                else:
                    self.any_ |= bit
                bit <<= 1
            self.ends.append(bit)
            bit <<= 1

    def step(self, state: int, sign: str) -> int:
        go = self.letters.get(sign, 0) | self.any_
        stay = self.stay
        if sign != ":":
            go |= self.any_within
            stay |= self.stay_within
        return ((state & go) << 1) | (state & stay)

    def accepts(self, state: int) -> int:
        """The patterns that end here, as bits in their order."""
        return sum(1 << position for position, end in enumerate(self.ends) if state & end)

    def accepted(self, text: str) -> int:
        state = self.start
        for sign in text:
            state = self.step(state, sign)
            if not state:
                return 0
        return self.accepts(state)


@lru_cache(4096)
def _machine(pattern: Pattern) -> Machine:
    return Machine((pattern,))


def samples(patterns: Sequence[Pattern], *, first: str = "") -> list[str]:
    """One text, a shortest one, for every set of these patterns that some text fits: all the cases there are.

    `first` stands for the case that it is. The text that fits none comes last, where there is one. Raises TooManyError.
    """
    machine = Machine(patterns)
    fresh = next(sign for sign in _FRESH if sign not in machine.letters)
    found = {machine.accepted(first): first}
    for state, text in _walk(machine, fresh):
        found.setdefault(machine.accepts(state), text)
    return sorted(found.values(), key=lambda text: not machine.accepted(text))


def _walk(machine: Machine, fresh: str) -> Iterator[tuple[int, str]]:
    """All states of the machine, each with a shortest text to it."""
    seen = {machine.start}
    layer = [(machine.start, "")]
    while layer:
        yield from layer
        following: list[tuple[int, str]] = []
        for state, text in layer:
            reads = [sign for sign, bits in machine.letters.items() if bits & state]
            for sign in (*reads, fresh, ":"):
                after = machine.step(state, sign)
                if after not in seen:
                    seen.add(after)
                    following.append((after, text + sign))
            if len(seen) > _STATES:
                raise TooManyError
        layer = following
