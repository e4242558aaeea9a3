"""What a file of exclusions may say, and where it is told what is wrong with it."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from trailhound.detections.exclusions.exclusion import Exclusion
from trailhound.detections.exclusions.reading import Read, read, refused
from trailhound.detections.exclusions.warnings import warnings
from trailhound.detections.rules import RuleSet
from trailhound.detections.sigma import load_rules

GOOD = """# expected
- rule: Many instances terminated
  principal: arn:aws:iam::111122223333:role/ci
  address: [198.51.100.0/24, 2001:db8::/32]
  account: 011122223333
  reason: nightly teardown, CHG-42
  author: carol
  created: 2026-11-24
  expires: 2027-02-01
"""
OWN = """
title: Called
id: 00000000-0000-0000-0000-00000000000a
name: called
logsource: {product: aws, service: cloudtrail}
detection: {selection: {eventName: StopLogging}, condition: selection}
level: low
"""


def of(folder: Path, text: str | bytes, *, longest_days: int = 366) -> Read:
    path = folder / "exclusions.yml"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return read([path], longest_days=longest_days)


def changed(old: str, new: str) -> str:
    assert old in GOOD
    return GOOD.replace(old, new)


@pytest.fixture
def rules(tmp_path: Path) -> RuleSet:
    path = tmp_path / "rule.yml"
    path.write_text(OWN, "utf-8")
    found = load_rules([path])
    assert not found.errors
    return found


def test_values_are_the_text_that_is_written(tmp_path: Path) -> None:
    (one,) = of(tmp_path, GOOD).exclusions
    assert one == Exclusion(
        rule=("Many instances terminated",),
        principal=("arn:aws:iam::111122223333:role/ci",),
        address=("198.51.100.0/24", "2001:db8::/32"),
        account=("011122223333",),  # YAML would take it for a number, and an octal one
        reason="nightly teardown, CHG-42",
        author="carol",
        created="2026-11-24",
        expires="2027-02-01",
        file=str(tmp_path / "exclusions.yml"),
        line=2,
    )


@pytest.mark.parametrize(
    ("text", "line", "what", "step"),
    [
        (changed("principal:", "princpal:"), 3, "no key 'princpal'", "did you mean principal?"),
        (changed("  principal", "  user_agent: a\n  principal"), 0, "", ""),
        (changed("  reason", "  principal: b\n  reason"), 6, "principal is written twice", "as a list"),
        (changed("role/ci", "role/path/ci"), 3, "sessions and paths", "arn:aws:iam::111122223333:role/ci"),
        (
            changed("iam::111122223333:role/ci", "sts::111122223333:assumed-role/ci/me"),
            3,
            "sessions and paths",
            "arn:aws:iam::111122223333:role/ci",
        ),
        (changed("arn:aws:iam::111122223333:role/ci", "'**'"), 3, "fits everything", "leave principal out"),
        (changed("arn:aws:iam::111122223333:role/ci", "[]"), 3, "principal has no value", "or leave the key out"),
        (changed("arn:aws:iam::111122223333:role/ci", ""), 3, "principal has no value", ""),
        (changed("arn:aws:iam::111122223333:role/ci", "~"), 3, "principal has no value", ""),
        (changed("arn:aws:iam::111122223333:role/ci", "{a: b}"), 3, "principal has no value", ""),
        (changed("arn:aws:iam::111122223333:role/ci", "x" * 2001), 3, "more than 2,000 characters", ""),
        (changed("198.51.100.0/24", "198.51.100.7/24"), 4, "within 198.51.100.0/24", "198.51.100.0/24"),
        (changed("198.51.100.0/24", "0.0.0.0/0"), 4, "every address", ""),
        (changed("198.51.100.0/24", "example.com"), 4, "neither an address nor a network", ""),
        (changed("2001:db8::/32", '"::ffff:198.51.100.7"'), 4, "in the clothes of IPv6", "as IPv4"),
        (changed("011122223333", "prod"), 5, "no account", "its digits"),
        (changed("2027-02-01", "2027-02-30"), 9, "is no day", "2026-11-24"),
        (changed("2027-02-01", "20270201"), 9, "is no day", ""),
        (changed("2027-02-01", "2027-02-01T12:00:00Z"), 9, "is no day", ""),
        (changed("2027-02-01", "2026-11-23"), 9, "before it is created", ""),
        (changed("2027-02-01", "2027-11-26"), 9, "lasts 367 days", "every 366 days"),
        (changed("2027-02-01", "2027-11-25"), 0, "", ""),
        (changed("  expires: 2027-02-01\n", ""), 2, "expires is missing", "quiet-a-rule"),
        (changed("reason: nightly teardown, CHG-42", "reason: '  '"), 6, "reason has no value", ""),
        (changed("author: carol", "author: [carol, dave]"), 7, "several values", "write one"),
        (changed("Many instances terminated", "[all, called]"), 2, "'all' and others", ""),
        ("- rule: called\n  reason: r\n  author: a\n  created: 2026-11-24\n  expires: 2026-11-25\n", 1, "no scope", "add one of"),
        ("exclusions:\n" + GOOD, 1, "not a list", "- rule:"),
        (GOOD + "- just words\n", 10, "not an exclusion", "- rule:"),
        (GOOD + "  - [\n", 10, "not YAML", ""),
        (GOOD + "---\n" + GOOD, 10, "not YAML", ""),
        ("&a [*a]\n", 1, "not an exclusion", ""),
        (GOOD + "- <<: {rule: a}\n", 10, "no key '<<'", ""),
    ],
)  # fmt: skip
def test_a_complaint_names_the_line(tmp_path: Path, text: str, line: int, what: str, step: str) -> None:
    found = of(tmp_path, text)
    if not what:
        assert not found.errors
        return
    error = next(error for error in found.errors if what in error.what)
    assert error.where == f"{tmp_path / 'exclusions.yml'}:{line}"
    assert step in error.next_step
    assert error.next_step


@pytest.mark.parametrize(
    "content", [b"\xff\xfe\x00", b"- rule: \x00", b"- rule: !!python/object:os.system x\n", b"[" * 5000]
)
def test_bytes_that_are_no_list_are_a_complaint_and_no_crash(tmp_path: Path, content: bytes) -> None:
    assert of(tmp_path, content).errors
    assert not of(tmp_path, content).exclusions


def test_what_cannot_be_opened_is_a_complaint(tmp_path: Path) -> None:
    for path in (tmp_path / "absent.yml", tmp_path / "empty-folder"):
        if path.suffix != ".yml":
            path.mkdir()
        (error,) = read([path], longest_days=366).errors
        assert "cannot be read" in error.what
        assert error.where == f"{path}:1"


def test_a_folder_is_all_its_files_in_the_order_of_their_names(tmp_path: Path) -> None:
    for name, author in (("b/team.yml", "dave"), ("a.yaml", "carol"), ("notes.txt", "nobody")):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(changed("carol", author), "utf-8")
    assert [one.author for one in read([tmp_path], longest_days=366).exclusions] == ["carol", "dave"]


def test_an_empty_file_says_nothing(tmp_path: Path) -> None:
    assert of(tmp_path, "# none yet\n") == Read((), ())


def test_one_error_stands_for_all(tmp_path: Path) -> None:
    errors = of(tmp_path, changed("198.51.100.0/24", "here") + "- rule: a\n").errors
    error = refused(errors)
    assert error.where.endswith(":4")
    assert f"{len(errors) - 1} more" in error.next_step
    assert error.causes[0].startswith(str(tmp_path))


@given(
    st.recursive(
        st.text(),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
        max_leaves=8,
    )
)
def test_whatever_is_written_is_taken_whole_or_complained_about(
    tmp_path_factory: pytest.TempPathFactory, data: object
) -> None:
    found = of(tmp_path_factory.mktemp("any"), yaml.safe_dump([data]))
    assert bool(found.errors) != bool(found.exclusions)
    assert all(error.where.rpartition(":")[2].isdigit() for error in found.errors)


def test_ten_thousand_are_read_quickly(tmp_path: Path) -> None:
    before = time.process_time()
    assert (
        len(of(tmp_path, "".join(GOOD.replace("role/ci", f"role/ci-{n}") for n in range(10_000))).exclusions) == 10_000
    )
    assert time.process_time() - before < 10


@pytest.mark.parametrize(
    ("text", "what"),
    [
        (changed("Many instances terminated", "all"), "EVERY rule"),
        (changed("Many instances terminated", "called"), "write 'Called'"),
        (changed("Many instances terminated", "Caled"), "write 'Called'"),
        (changed("Many instances terminated", "Called"), ""),
        (changed("Many instances terminated", "00000000-0000-0000-0000-00000000000a"), ""),
        (changed("Many instances terminated", "Called").replace("011122223333", "11122223333"), "zeros in front"),
        (changed("Many instances terminated", "Called").replace("iam::111122223333", "iam::*"), "in another account"),
        (changed("Many instances terminated", "Called").replace("198.51.100.0/24", "10.0.0.0/8"), "16,777,216 addresses"),
        (changed("Many instances terminated", "Called").replace("nightly teardown, CHG-42", "'backtest: 3 findings'"), "nobody has written yet"),
        ("\n".join(line for line in changed("Many instances terminated", "Called").splitlines() if "address" not in line and "principal" not in line), "whole account"),
        (changed("Many instances terminated", "Called").replace("principal: arn:aws:iam::111122223333:role/ci", "user_agent: x").replace("  address: [198.51.100.0/24, 2001:db8::/32]\n  account: 011122223333\n", ""), "what the caller says it is"),
    ],
)  # fmt: skip
def test_what_its_author_may_not_have_meant_is_a_warning(tmp_path: Path, rules: RuleSet, text: str, what: str) -> None:
    found = of(tmp_path, text)
    assert not found.errors
    said = [f"{one.what} {one.next_step}" for one in warnings(found.exclusions, rules.rules)]
    assert len(said) == bool(what)
    assert all(what in one for one in said)


def test_two_authors_who_say_the_same_are_told_of_each_other(tmp_path: Path) -> None:
    twice = GOOD + changed("carol", "dave").replace("# expected\n", "")
    exchanged = twice.replace("[198.51.100.0/24, 2001:db8::/32]", "[2001:db8::/32, 198.51.100.0/24]", 1)
    (said,) = [one for one in warnings(of(tmp_path, exchanged).exclusions, ()) if "the same" in one.what]
    assert said.where.endswith(":10")
    assert said.what.endswith("exclusions.yml:2, of carol")


def test_a_file_that_is_nested_beyond_reading_is_a_complaint(tmp_path: Path) -> None:
    (error,) = of(tmp_path, b"\n" + b"[" * 200_000).errors
    assert "nested more than" in error.what
    assert error.where.endswith(":2")
