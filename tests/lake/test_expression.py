"""How a search is read; and that nothing is guessed."""

from __future__ import annotations

import contextlib
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trailhound.errors import QueryError
from trailhound.lake import times
from trailhound.lake.expression import And, Comparison, During, Not, Operator, Or, Present, Recent, Text, Value, parse


def compared(
    field: str, operator: str, *texts: str, quoted: bool = False, at: int = 0, values_at: tuple[int, ...] = ()
) -> Comparison:
    values = tuple(Value(text, quoted, place) for text, place in zip(texts, values_at, strict=True))
    return Comparison(field, cast("Operator", operator), values, at)


@pytest.mark.parametrize(
    ("text", "tree"),
    [
        ("", And(())),
        ("terminate", Text("terminate", 0)),
        ('"two words"', Text("two words")),
        (r'"a \"b\" \\ c"', Text(r'a "b" \ c')),
        ("a b", And((Text("a", 0), Text("b", 2)))),
        ("a and b", And((Text("a", 0), Text("b", 6)))),
        ("a or b c", Or((Text("a", 0), And((Text("b", 5), Text("c", 7)))))),
        ("(a OR b) c", And((Or((Text("a", 1), Text("b", 6))), Text("c", 9)))),
        ("-a", Not(Text("a", 1))),
        ("not (a or b)", Not(Or((Text("a", 5), Text("b", 10))))),
        ("android", Text("android", 0)),
        ("notes order", And((Text("notes", 0), Text("order", 6)))),
        ("has:mfa", Present("mfa", 4)),
        ("last 1h30m", Recent(5_400_000)),
        ("arn:aws:iam::1:user/x", Text("arn:aws:iam::1:user/x", 0)),
        ("op=x", compared("op", "=", "x", values_at=(3,))),
        ("op >= 5", compared("op", ">=", "5", values_at=(6,))),
        ("op!='a b'", compared("op", "!=", "a b", quoted=True, values_at=(4,))),
        ("key=AB/cd==", compared("key", "=", "AB/cd==", values_at=(4,))),
        ("ip in 10.0.0.0/8", compared("ip", "in", "10.0.0.0/8", values_at=(6,))),
        ("op in (a, b)", compared("op", "in", "a", "b", values_at=(7, 10))),
        ("a.b-c[*].d:e=x", compared("a.b-c[*].d:e", "=", "x", values_at=(13,))),
    ],
)
def test_reading(text: str, tree: object) -> None:
    assert parse(text) == tree


@pytest.mark.parametrize("written", ["2020-11-06", "2020-11-06 03:21", "2020-11-06T03:21:39Z", '"2020-11-06 03:21"'])
def test_since_is_from_the_beginning_and_until_through_the_end(written: str) -> None:
    start, end = times.interval(written.strip('"'))
    assert parse(f"since {written}") == During(start, None)
    assert parse(f"until {written}") == During(None, end)
    assert parse(f"at {written}") == During(start, end)


@pytest.mark.parametrize("sign", ["±", " ±", " +-", " +/- "])
def test_around_a_moment(sign: str) -> None:
    start, end = times.interval("2020-11-06T03:21:39Z")
    assert parse(f"at 2020-11-06T03:21:39Z{sign}10m") == During(start - 600_000, end + 600_000)


@pytest.mark.parametrize(
    ("text", "column", "says"),
    [
        ("a )", 2, "closes nothing"),
        ("(a", 2, "not closed"),
        ("()", 2, "hold nothing"),
        ("op=", 3, "a value is expected"),
        ("a or", 2, "empty"),
        ("or a", 0, "empty"),
        ("and a", 4, "nothing stands before"),
        ("- a", 1, "nothing stands after this minus"),
        ('"a', 0, "not closed"),
        ("don't", 3, "something follows"),
        ("agent=Mozilla/5.0(X11)", 17, "something follows"),
        ('op=x"y"', 4, "something follows"),
        ("user/name=alice", 9, "not the name of a field"),
        ("op in (a, b", 11, "not closed"),
        ("--limit 5", 0, "an option of the command"),
        ("op==StopLogging", 3, "no comparison =="),
        ("a op=~Stop", 5, "no comparison =~"),
        ("last week", 5, "not a duration"),
        ("since tuesday", 6, "not a time"),
        ("at 2020-11-06 ± x", 16, "not a duration"),
        ("a \x00", 2, "cannot occur"),
        ("a \udc80", 2, "cannot occur"),
        ("x" * 10_001, 0, "more than 10,000"),
        ("(" * 60 + "a" + ")" * 60, 50, "within each other"),
        ("-" * 3 + "a", 0, "an option"),
    ],
)
def test_what_is_not_understood_is_marked(text: str, column: int, says: str) -> None:
    with pytest.raises(QueryError, match=says) as raised:
        parse(text)
    _, mark = raised.value.where.split("\n")
    shown_from = max(0, column - 60)
    assert mark.index("^") == len("where: ") + column - shown_from


@given(st.text(max_size=60) | st.text("()\"'-=!~<>, anotrilshe:0159[]*.\\", max_size=40))
def test_any_text_is_read_or_refused_never_a_crash(text: str) -> None:
    with contextlib.suppress(QueryError):
        parse(text)
