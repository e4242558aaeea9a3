"""The search language: text → tree. What the names in it mean is for `fields` and `search` to say.

    or       := and ("or" and)*
    and      := term ("and"? term)*
    term     := ("-" | "not") term | "(" or ")" | comparison | "has:" field | time | word
    compared := field ("=" | "!=" | "~" | ">" | ">=" | "<" | "<=") value
              | field "in" (value | "(" value ("," value)* ")")
    time     := "last" duration | "since" time | "until" time | "at" time ["±" duration]

Nothing is guessed: what could be read in two ways is refused, with a mark under the place.
"""

from __future__ import annotations

import re
from typing import Literal, NamedTuple, NoReturn, TypeAlias, cast

from trailhound.errors import QueryError
from trailhound.lake import times

Operator = Literal["=", "!=", "~", ">", ">=", "<", "<=", "in"]


class Value(NamedTuple):
    text: str
    quoted: bool  # a star in quotes is a star
    place: int


class Comparison(NamedTuple):
    field: str
    operator: Operator
    values: tuple[Value, ...]  # one, except for "in"
    place: int


class Present(NamedTuple):
    field: str
    place: int


class Text(NamedTuple):
    """Occurs anywhere in the record as delivered, in any case."""

    text: str
    place: int | None = None  # of a bare word; what is quoted is meant as it stands


class Recent(NamedTuple):
    """The last `duration` before the newest event, in milliseconds."""

    duration: int


class During(NamedTuple):
    """start <= time < end, epoch milliseconds; None is open."""

    start: int | None
    end: int | None


class Not(NamedTuple):
    node: Node


class And(NamedTuple):
    nodes: tuple[Node, ...]  # none: everything


class Or(NamedTuple):
    nodes: tuple[Node, ...]


Node: TypeAlias = Comparison | Present | Text | Recent | During | Not | And | Or

_MAX_LENGTH, _MAX_DEPTH = 10_000, 50
_COMPARISON = re.compile(r"([A-Za-z_][\w.:\-\[\]*]*)(?:\s*(!=|>=|<=|=|~|>|<)|\s+(in)(?=[\s(]))\s*", re.IGNORECASE)
_PRESENT = re.compile(r"has:([A-Za-z_][\w.:\-\[\]*]*)", re.IGNORECASE)
_BARE = re.compile(r"""[^\s()"']+""")
_BARE_IN_LIST = re.compile(r"""[^\s(),"']+""")
_DATE_AND_TIME = re.compile(r"\d{4}-\d\d-\d\d\s+\d\d:\d\d[^\s()]*|[^\s()\"'±]+")
_TOLERANCE = re.compile(r"\s*(?:±|\+-|\+/-)\s*([^\s()]+)")
_ESCAPED = re.compile(r"""\\(["'\\])""")
_SPACE = re.compile(r"\s*")
_SIGNS = re.compile(r"[=~<>!]+")
_MEANT = {"==": "=", "===": "=", "=~": "~", "=>": ">=", "=<": "<=", "=!": "!=", "<>": "!=", "!==": "!="}


def parse(expression: str) -> Node:
    """Raises QueryError, with a mark under the place that is not understood."""
    return _Parser(expression).parse()


def complain(expression: str, place: int, what: str, *, causes: tuple[str, ...] = (), next_step: str = "") -> NoReturn:
    """Raise a QueryError that shows the part of the expression around `place` with a mark under it."""
    start = max(0, place - 60)
    shown = re.sub(r"\s", " ", expression[start : place + 40])
    mark = " " * (len("where: ") + place - start) + "^"
    raise QueryError(what, where=f"{shown}\n{mark}", causes=causes, next_step=next_step)


class _Parser:
    def __init__(self, text: str) -> None:
        self.text = text
        self.place = 0
        self.depth = 0

    def parse(self) -> Node:
        if len(self.text) > _MAX_LENGTH:
            self._complain(f"the expression has more than {_MAX_LENGTH:,} characters")
        if bad := re.search("[\x00\ud800-\udfff]", self.text):
            self.place = bad.start()
            self._complain("this character cannot occur in a log")
        node = self._or()
        if self._more():
            self._complain("this parenthesis closes nothing")
        return node

    def _or(self) -> Node:
        nodes = [self._and()]
        while self._keyword("or", take=False):
            place = self.place
            self._keyword("or")
            nodes.append(self._and())
            if And(()) in nodes:
                self.place = place
                self._complain("one side of this `or` is empty")
        return nodes[0] if len(nodes) == 1 else Or(tuple(nodes))

    def _and(self) -> Node:
        nodes: list[Node] = []
        while self._more() and self.text[self.place] != ")" and not self._keyword("or", take=False):
            if self._keyword("and") and not nodes:
                self._complain("nothing stands before `and`")
            nodes.append(self._term())
        return nodes[0] if len(nodes) == 1 else And(tuple(nodes))

    def _term(self) -> Node:
        self.depth += 1
        if self.depth > _MAX_DEPTH:
            self._complain(f"more than {_MAX_DEPTH} parentheses or negations within each other")
        node = self._negation() or self._group() or self._time() or self._comparison() or self._words()
        self.depth -= 1
        return node

    def _negation(self) -> Node | None:
        if self.text.startswith("--", self.place):
            self._complain(
                "an option of the command stands inside the expression, or is not known",
                next_step="quote the whole expression, and within it a text that begins with --",
            )
        if self._keyword("not"):
            return Not(self._term())
        if not self._take("-"):
            return None
        if not self.text[self.place : self.place + 1].strip():
            self._complain("nothing stands after this minus")
        return Not(self._term())

    def _group(self) -> Node | None:
        if not self._take("("):
            return None
        node = self._or()
        if not self._take(")"):
            self._complain("a parenthesis is not closed")
        if node == And(()):
            self._complain("these parentheses hold nothing")
        return node

    def _time(self) -> Node | None:
        if self._keyword("last"):
            return Recent(self._duration(self._bare(_BARE, "a duration, such as 7d")))
        if self._keyword("since"):
            return During(self._interval().start, None)
        if self._keyword("until"):
            return During(None, self._interval().end)
        if not self._keyword("at"):
            return None
        found = self._interval(followed=False)
        tolerance = 0
        if around := _TOLERANCE.match(self.text, self.place):
            self.place = around.end()
            tolerance = self._duration(Value(around[1], False, around.start(1)))
        self._ends("a time")
        return During(found.start - tolerance, found.end + tolerance)

    def _interval(self, *, followed: bool = True) -> times.Interval:
        value = self._quoted() or self._bare(_DATE_AND_TIME, "a time, such as 2020-11-06 or 2020-11-06T03:21:39Z")
        if followed:
            self._ends("a time")
        try:
            return times.interval(value.text)
        except QueryError as error:
            complain(self.text, value.place, error.what, next_step=error.next_step)

    def _duration(self, value: Value) -> int:
        try:
            return times.duration(value.text)
        except QueryError as error:
            complain(self.text, value.place, error.what, next_step=error.next_step)

    def _comparison(self) -> Node | None:
        if found := _PRESENT.match(self.text, self.place):
            self.place = found.end()
            self._ends("has:field")
            return Present(found[1], found.start(1))
        found = _COMPARISON.match(self.text, self.place)
        if not found:
            return None
        self.place = found.end()
        operator = cast("Operator", found[2] or "in")
        if more := _SIGNS.match(self.text, self.place):
            self._doubled(found[1], operator, more)
        values = self._values() if operator == "in" else (self._value(),)
        return Comparison(found[1], operator, values, found.start())

    def _doubled(self, field: str, operator: str, more: re.Match[str]) -> NoReturn:
        value = _BARE.match(self.text, more.end())
        meant = f"{field}{_MEANT.get(operator + more[0], operator)}{value[0] if value else ''}"
        self._complain(
            f"there is no comparison {operator}{more[0]}",
            next_step=f"did you mean {meant}? A value that begins with such a sign goes in quotes",
        )

    def _values(self) -> tuple[Value, ...]:
        if not self._take("("):
            return (self._value(),)
        values: list[Value] = []
        while True:
            values.append(self._value(_BARE_IN_LIST))
            if not self._take(","):
                break
        if not self._take(")"):
            self._complain("this list is not closed", next_step='write it as (first, second, "third one")')
        return tuple(values)

    def _value(self, bare: re.Pattern[str] = _BARE) -> Value:
        self._more()
        value = self._quoted() or self._bare(bare, "a value")
        if bare is _BARE:
            self._ends("a value")
        return value

    def _words(self) -> Node:
        if quoted := self._quoted():
            self._ends("a quoted text")
            return Text(quoted.text)
        word = self._bare(_BARE, "a word")
        if compared := re.search(r"[=<>]", word.text):
            self.place = word.place + compared.start()
            self._complain(
                "what stands before this is not the name of a field",
                next_step="to search for the text itself, put it in quotes",
            )
        self._ends("a word")
        return Text(word.text, word.place)

    def _quoted(self) -> Value | None:
        quote = self.text[self.place : self.place + 1]
        if quote not in ('"', "'"):
            return None
        found = re.compile(rf"{quote}((?:[^{quote}\\]|\\.)*){quote}", re.DOTALL).match(self.text, self.place)
        if not found:
            self._complain("this quote is not closed")
        self.place = found.end()
        return Value(_ESCAPED.sub(r"\1", found[1]), True, found.start())

    def _bare(self, pattern: re.Pattern[str], expected: str) -> Value:
        self._more()
        found = pattern.match(self.text, self.place)
        if not found:
            self._complain(f"{expected} is expected here")
        self.place = found.end()
        return Value(found[0], False, found.start())

    def _ends(self, what: str) -> None:
        if self.place < len(self.text) and not re.match(r"[\s)]", self.text[self.place]):
            self._complain(f"something follows {what} without a blank", next_step="put the whole of it in quotes")

    def _keyword(self, word: str, *, take: bool = True) -> bool:
        self._more()
        found = re.compile(rf"{word}(?=[\s(]|$)", re.IGNORECASE).match(self.text, self.place)
        if found and take:
            self.place = found.end()
            self._more()
        return found is not None

    def _take(self, sign: str) -> bool:
        self._more()
        found = self.text.startswith(sign, self.place)
        self.place += len(sign) if found else 0
        return found

    def _more(self) -> bool:
        space = _SPACE.match(self.text, self.place)
        self.place = space.end() if space else self.place
        return self.place < len(self.text)

    def _complain(self, what: str, *, next_step: str = "") -> NoReturn:
        complain(self.text, self.place, what, next_step=next_step)
