"""Rules that a stranger wrote: each gives a clear report or runs; none hangs, breaks out, or stops the others."""

from __future__ import annotations

import os
import re
import resource
import subprocess
import sys
import time
import unicodedata
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.detections.conftest import numbers, record, rule

from trailhound.detections.lint import lint
from trailhound.detections.modifiers import modifier_mapping
from trailhound.detections.proof import prove
from trailhound.detections.rules import RuleSet
from trailhound.detections.sigma import load_rules
from trailhound.errors import CatalogError

_GOOD = rule({"sel": {"eventName": "StopLogging"}, "condition": "sel"}, title="good")
_HEAD = "title: t\nlogsource: {product: aws}\nlevel: low\ndetection:\n  condition: sel\n  sel:\n"


def _load(folder: Path, content: str | bytes, name: str = "rule.yml") -> RuleSet:
    (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    return load_rules([folder])


def _check_report(rules: RuleSet) -> None:
    """Every complaint says what and where, in one bounded line without characters that steer a terminal."""
    for error in rules.errors:
        assert re.search(r"\.yml(:\d+)?( \(rule '.*'\))?$", error.where, re.DOTALL), error.where
        assert error.what
        assert len(str(error)) < 2000
        assert not any(unicodedata.category(c)[0] == "C" for c in str(error).replace("\n", "")), str(error)


@pytest.mark.parametrize(
    ("written", "line", "said"),
    [
        ("    a: [1,\n", 8, "not YAML"),
        ("    a: 'x\n", 8, "not YAML"),
        ("    a|nosuch: x\n", 7, "modifier 'nosuch' is not known"),
        ("    a|containz: x\n", 7, "modifier 'containz' is not known"),
        ("    b: 1\n    a|re: '(?<=x)y'\n", 8, "regular expression '(?<=x)y' is refused"),
        ("    a|re: '(a)\\1'\n", 7, "refused"),
        ("    a|re: '['\n", 7, "refused"),
        ("    a|re: '(a{1000}){1000}'\n", 7, "refused"),
        ("    a: x\n    a: y\n", 8, "stands twice"),
        ("    a: 0123\n", 7, "octal"),
        ("    a: 12:30\n", 7, "base of 60"),
        ("    a: 2024-01-01\n", 7, "here stands a date"),
        ("    a: .nan\n", 7, "not a number"),
        ("    a: !!python/object/apply:os.system [x]\n", 7, "not YAML"),
        ("    a: &x [*x]\n", 7, "an alias leads back"),
        ("    a: {b: c}\n", 7, "here stands a mapping"),
        ("    a: [[x]]\n", 7, "here stands a list"),
        ("    a|exists: 'yes'\n", 7, "takes true or false"),
        ("    a|lt: '5'\n", 7, "takes a number"),
        ("    a|cidr: 10.0.0.300\n", 7, "not a network"),
        ('    "a\\"b": x\n', 7, "not a field name"),
        ('    "a\\0": x\n', 7, "not a field name"),
        ("    ? [a]\n    : x\n", 7, "not YAML"),
        ("    a: x\0y\n", 7, "not YAML"),
        ("    a: \x1b[31m\n", 7, "not YAML"),
        ('    "a|\\e[31mx": y\n', 7, "is not known"),
        ("    a: " + "9" * 5000 + "\n", 1, "not YAML"),
        ("    a: " + "[" * 200_000 + "\n", 7, "nested more than"),
        ("    - " * 5000 + "\n", 7, "nested more than"),
    ],
)
def test_a_fault_is_told_with_its_line(tmp_path, written, line, said):
    rules = _load(tmp_path, f"{_HEAD}{written}", "bad.yml")
    _check_report(rules)
    (error,) = rules.errors
    assert said in error.what
    assert f"bad.yml:{line}" in error.where
    assert [one.title for one in _load(tmp_path, _GOOD, "good.yml").rules] == ["good"]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (_GOOD.encode("utf-16"), "not UTF-8"),
        (b"title: caf\xe9\n", "not UTF-8"),
        (b"\xff\xfe\x00\x00", "not UTF-8"),
        (b"just text\n", "mapping of keys"),
        (b"- a\n- b\n", "mapping of keys"),
        (b"title: t\naction: conquer\n", "action 'conquer'"),
    ],
)
def test_what_is_no_rule_is_told(tmp_path, content, said):
    rules = _load(tmp_path, content)
    _check_report(rules)
    assert said in rules.errors[0].what


def test_a_mark_of_order_and_empty_documents_are_no_fault(tmp_path):
    rules = _load(tmp_path, "\ufeff---\n" + _GOOD + "\n---\n\n---\n", "good.yml")
    assert not rules.errors
    assert len(rules.rules) == 1


def test_documents_before_a_broken_one_are_read(tmp_path):
    rules = _load(tmp_path, f"{_GOOD}\n---\ntitle: [\n")
    assert [one.title for one in rules.rules] == ["good"]
    assert "rule.yml" in rules.errors[0].where


def _bomb(kind: str, levels: int = 30) -> str:
    lines = ["a0: &a0 {eventName: x}" if kind == "merge" else "a0: &a0 [x, x]"]
    for level in range(1, levels):
        nine = ", ".join([f"*a{level - 1}"] * 9)
        inside = f"{{<<: [{nine}]}}" if kind == "merge" else f"[{nine}]"
        lines.append(f"a{level}: &a{level} {inside}")
    return "\n".join([*lines, _HEAD + f"    eventName: *a{levels - 1}\n"])


@pytest.mark.parametrize("kind", ["merge", "list"])
def test_a_few_lines_that_stand_for_billions_of_values(tmp_path, kind):
    (tmp_path / "bomb.yml").write_text(_bomb(kind))
    (tmp_path / "good.yml").write_text(_GOOD)
    code = (
        "from pathlib import Path; from trailhound.detections.sigma import load_rules;"
        f"r = load_rules([Path({str(tmp_path)!r})]); print(len(r.rules), r.errors[0].what, r.errors[0].where)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (3 << 30, 3 << 30)),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-500:]
    assert done.stdout.startswith("1 its aliases stand for more than")
    assert "bomb.yml:" in done.stdout


def test_aliases_and_merges_as_people_write_them_are_kept(fires):
    text = _HEAD.replace(
        "logsource: {product", "x: &common {eventName: StopLogging, userAgent: a}\nlogsource: {product"
    )
    found = fires(f"{text}    <<: *common\n    userAgent: b\n", [
        record(0, eventName="StopLogging", userAgent="a"), record(1, eventName="StopLogging", userAgent="b")
    ])  # fmt: skip
    assert numbers(found) == {1}


def test_a_regular_expression_made_to_be_slow_is_not(fires):
    evil = {
        "sel": {"userAgent|re": "^(a+)+$"},
        "also": {"userAgent|re": "(x+x+)+y"},
        "more": {"userAgent|re": "(.*a){20}$"},
    }
    events = [record(n, userAgent="a" * 50_000 + "x" * 50_000 + "!") for n in range(5)]
    before = time.process_time()
    found = fires(rule({**evil, "condition": "1 of them"}), events)
    assert found.findings == ()
    assert not found.skipped
    assert time.process_time() - before < 20  # a machine that goes back would need longer than the universe has


@pytest.mark.parametrize("modifier", ["", "|contains", "|re", "|cased", "|cidr"])
def test_ten_thousand_values(fires, modifier):
    values = {
        "|cidr": [f"10.{n // 250}.{n % 250}.0/24" for n in range(10_000)],
        "|re": [f"^x{n}y$" for n in range(1000)],
    }.get(modifier, [f"x{n}'y" for n in range(10_000)])
    field = "sourceIPAddress" if modifier == "|cidr" else "userAgent"
    own = {"": "X9999'Y", "|contains": "--x9999'y--", "|re": "x999y", "|cased": "x9999'y"}.get(modifier, "")
    events = [
        record(0, **({"sourceIPAddress": "10.39.249.7"} if modifier == "|cidr" else {"userAgent": own})),
        record(1),
    ]
    before = time.process_time()
    found = fires(rule({"sel": {field + modifier: values}, "condition": "sel"}), events)
    assert not found.skipped
    assert numbers(found) == {0}
    assert time.process_time() - before < 60


def test_a_value_of_a_megabyte(fires):
    long = "é'%" * 350_000
    text = rule({"sel": {"userAgent|contains": long}, "also": {"userAgent": long}, "condition": "sel or also"})
    assert numbers(fires(text, [record(0, userAgent=long), record(1, userAgent=long[:-1])])) == {0}


def test_a_file_without_end_and_one_that_waits(tmp_path):
    os.mkfifo(tmp_path / "pipe.yml")
    (tmp_path / "loop.yml").symlink_to(tmp_path / "loop.yml")
    (tmp_path / "zero.yml").symlink_to("/dev/zero")
    with (tmp_path / "large.yml").open("wb") as file:
        file.truncate(1 << 30)
    (tmp_path / "good.yml").write_text(_GOOD)
    rules = load_rules([tmp_path])
    assert [one.title for one in rules.rules] == ["good"]
    said = {Path(error.where).name: error.what for error in rules.errors}
    assert "larger than" in said["large.yml"]
    assert {name: said.get(name) for name in ("pipe.yml", "zero.yml")} == dict.fromkeys(
        ("pipe.yml", "zero.yml"), "not a file"
    )


def test_of_a_thousand_files_each_broken_one_is_named(tmp_path):
    faults = ["    a: [\n", "    a|nosuch: x\n", "    a|re: '(?=x)'\n", "    a: x\n    a: y\n"]
    for n in range(1000):
        broken = f"{_HEAD}{faults[n // 2 % len(faults)]}"
        good = rule({"sel": {"eventName": f"E{n}"}, "condition": "sel"})
        (tmp_path / f"r{n:04d}.yml").write_text(broken if n % 2 else good)
    before = time.process_time()
    rules = load_rules([tmp_path])
    assert time.process_time() - before < 60
    _check_report(rules)
    named = {Path(error.where.split(":")[0]).name for error in rules.errors}
    assert named == {f"r{n:04d}.yml" for n in range(1, 1000, 2)}
    assert len(rules.rules) == len(rules.errors) == 500


def test_correlations_one_upon_the_other_without_end(tmp_path):
    documents = [_GOOD.replace("title: good", "title: good\nname: c0")]
    for n in range(1, 300):
        own = {
            "type": "temporal",
            "rules": [f"c{n - 1}", f"d{n - 1}"][: 1 + (n > 1)],
            "timespan": "5m",
            "condition": {"gte": 1},
        }
        documents += [yaml.safe_dump({"title": f"{k}{n}", "name": f"{k}{n}", "correlation": own}) for k in "cd"]
    rules = _load(tmp_path, "\n---\n".join(documents))
    _check_report(rules)
    assert any("one upon the other" in error.what for error in rules.errors)
    assert len(rules.rules) < 50


_KEYS = st.one_of(
    st.sampled_from(["eventName", "a.b", "userAgent", "", "a..b", "a'b", "condition", "eventTime", "sourceIPAddress"]),
    st.text(max_size=4),
)
_MODIFIED = st.builds(
    lambda key, modifiers: "|".join([key, *modifiers]),
    _KEYS,
    st.lists(st.sampled_from([*modifier_mapping, "x"]), max_size=3),
)
_ANYTHING = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-(2**70), 2**70), st.floats(), st.text(max_size=6), st.dates(),
              st.sampled_from(["a*", "10.0.0.0/8", "%x%", "(a", "1 of them", "sel and not x", "any"])),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(_MODIFIED, inner, max_size=3)),
    max_leaves=8,
)  # fmt: skip
_SECTIONS = st.sampled_from(
    ["title", "id", "name", "logsource", "detection", "correlation", "filter", "trailhound", "tags", "level", "action",
     "taxonomy", "baseline", "status", "date", "references"]
)  # fmt: skip
_DETECTION = st.dictionaries(st.sampled_from(["sel", "x", "y"]), _ANYTHING, min_size=1, max_size=2)


@settings(max_examples=300)
@given(
    _DETECTION,
    st.one_of(st.just("sel"), st.just("not sel"), _ANYTHING),
    st.dictionaries(_SECTIONS, _ANYTHING, max_size=1),
)
def test_whatever_stands_in_a_rule_it_runs_or_is_told(tmp_path_factory, fires, detection, condition, more):
    path = tmp_path_factory.getbasetemp() / "fuzz.yml"
    document: dict[str, Any] = {"title": "t", "logsource": {"product": "aws"}, "level": "low"}
    document |= {"detection": {**detection, "condition": condition}, **more}
    text = yaml.safe_dump(document, allow_unicode=True)
    path.write_text(text, "utf-8", "surrogatepass")
    rules = load_rules([path])
    _check_report(rules)
    lint(rules)
    if not rules.errors:
        fires(text, [record(0, userAgent="a"), record(1, requestParameters={"a": [{"b": 1}]})])


_CORRELATION = st.fixed_dictionaries(
    {}, optional={
        "type": st.one_of(_ANYTHING, st.sampled_from(["event_count", "value_count", "temporal", "temporal_ordered", "value_percentile"])),
        "rules": st.one_of(_ANYTHING, st.just("good"), st.just(["good", "also"]), st.just(["good", "good"])),
        "group-by": st.one_of(_ANYTHING, st.lists(_KEYS, max_size=2)),
        "timespan": st.one_of(_ANYTHING, st.sampled_from(["5m", "0s", "1M", "99999999999y", "-1h", "1.5h"])),
        "condition": st.one_of(_ANYTHING, st.sampled_from([{"gte": 1}, {"gte": 1, "field": "a"}, "good and not also", "((good", "good or"])),
        "aliases": _ANYTHING,
        "generate": _ANYTHING,
    },
)  # fmt: skip


@settings(max_examples=300)
@given(_CORRELATION, st.one_of(st.none(), _ANYTHING, st.just({"window": "after"})))
def test_whatever_stands_in_a_correlation_it_runs_or_is_told(tmp_path_factory, fires, correlation, ours):
    path = tmp_path_factory.getbasetemp() / "fuzz.yml"
    document = {"title": "c", "correlation": correlation} | ({} if ours is None else {"trailhound": ours})
    also = rule({"sel": {"eventName": "StartLogging"}, "condition": "sel"}, name="also")
    good = rule({"sel": {"eventName": "StopLogging"}, "condition": "sel"}, name="good")
    text = "\n---\n".join([good, also, yaml.safe_dump(document, allow_unicode=True)])
    path.write_text(text, "utf-8", "surrogatepass")
    rules = load_rules([path])
    _check_report(rules)
    lint(rules)
    if not rules.errors:
        fires(text, [record(0, eventName="StopLogging")])


@settings(max_examples=200)
@given(st.one_of(st.binary(max_size=60), st.text(alphabet="ab:-[]{}&*!|>'\"%@ \n\t#?,", max_size=60).map(str.encode)))
def test_whatever_stands_in_a_file_it_is_told(tmp_path_factory, content):
    path = tmp_path_factory.getbasetemp() / "fuzz.yml"
    path.write_bytes(content)
    _check_report(load_rules([path]))


_LAUGHS = "fires:\n- &a0 [x, x]\n" + "".join(f"- &a{n + 1} [{', '.join([f'*a{n}'] * 10)}]\n" for n in range(9))
_CHAIN = "fires:\n- &a0 [x]\n" + "".join(f"- &a{n + 1} [*a{n}]\n" for n in range(5_000))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("fires: " + "[" * 200_000, "nested more than"),
        ("fires: " + "{a: " * 200_000, "nested more than"),
        (_CHAIN, "nested more than"),
        (_LAUGHS, "aliases stand for more than"),
    ],
    ids=["lists", "mappings", "chain", "laughs"],
)
def test_what_is_beyond_reading_is_a_complaint_in_rules_and_proofs(tmp_path: Path, text: str, said: str) -> None:
    assert said in _load(tmp_path, text).errors[0].what
    (tmp_path / "rule.yml").write_text(_GOOD, "utf-8")
    (tmp_path / "rule.proof.yml").write_text(text, "utf-8")
    with pytest.raises(CatalogError, match=said):
        prove(tmp_path / "rule.yml")
