"""`exclusions.yml` → exclusions. Every complaint has file and line; one is enough to refuse the whole.

A file that is half understood would hide too much or too little, and nobody would know which: so nothing is
detected with it. All values are read as the text that is written: an account is no number, a day no time.
"""

from __future__ import annotations

import difflib
import ipaddress
import re
from collections.abc import Iterator, Sequence
from datetime import date
from pathlib import Path
from typing import NamedTuple

import msgspec
import yaml

from trailhound import catalog
from trailhound.detections.exclusions.exclusion import ALL, LONGEST, SCOPES, TEXTS, Exclusion, glob
from trailhound.errors import CatalogError
from trailhound.vocab.aws import principal_arn

FILE = "exclusions.yml"
_SAID = ("reason", "author", "created", "expires")
_KEYS = ("rule", *SCOPES, *_SAID)
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_HOW_TO = "docs/how-to/quiet-a-rule.md shows what is written there"


class _Value(NamedTuple):
    text: str
    line: int


class _Entry(NamedTuple):
    """One item of the list, as it is written."""

    path: Path
    line: int
    values: dict[str, list[_Value]]
    errors: list[CatalogError]  # about its keys, and what is no text


class Read(NamedTuple):
    exclusions: tuple[Exclusion, ...]  # those about which there is no complaint
    errors: tuple[CatalogError, ...]


def read(paths: Sequence[Path], *, longest_days: int) -> Read:
    """All exclusions of these files, and of all YAML files in these folders, in the order of their lines.

    `longest_days`: how long after `created` one may last.
    """
    found: list[Exclusion] = []
    errors: list[CatalogError] = []
    for path in paths:
        try:
            files = sorted(file for file in path.rglob("*") if file.suffix in (".yml", ".yaml")) or [path]
            for file in files:
                for entry in _entries(file, errors):
                    own = entry.errors or list(_complaints(entry, longest_days))
                    errors += own
                    if not own:
                        found.append(_exclusion(entry))
        except CatalogError as error:
            errors.append(error)
    return Read(tuple(found), tuple(errors))


def refused(errors: Sequence[CatalogError]) -> CatalogError:
    """One error for all: nothing is set aside, and nothing is shown, on the word of half a file."""
    first, more = errors[0], len(errors) - 1
    others = tuple(f"{error.where}: {error.what}" for error in errors[1:4])
    also = f"; {more} more: `trailhound exclusions check` lists all" if more else ""
    return CatalogError(
        f"an exclusion is not understood, so it is not known what is to be hidden: {first.what}",
        where=first.where,
        causes=others,
        next_step=f"{first.next_step or 'mend it'}{also}",
    )


def _entries(path: Path, errors: list[CatalogError]) -> Iterator[_Entry]:
    root = _compose(path)
    if root is None:
        return
    if not isinstance(root, yaml.SequenceNode):
        raise _error(path, root, "this is not a list of exclusions", "begin each exclusion with `- rule:`")
    for node in root.value:
        if isinstance(node, yaml.MappingNode):
            yield _entry(path, node)
        else:
            errors.append(_error(path, node, "this is not an exclusion", "begin each exclusion with `- rule:`"))


def _compose(path: Path) -> yaml.Node | None:
    try:
        return yaml.compose(catalog.text(path), Loader=yaml.CSafeLoader)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise CatalogError(f"not YAML: {error.problem}", where=f"{path}:{line}", next_step=_HOW_TO) from error
    except yaml.YAMLError as error:
        raise CatalogError(f"not YAML: {error}", where=f"{path}:1", next_step=_HOW_TO) from error


def _entry(path: Path, item: yaml.MappingNode) -> _Entry:
    entry = _Entry(path, _line(item), {}, [])
    for key, node in item.value:
        name = key.value if isinstance(key, yaml.ScalarNode) else ""
        if name not in _KEYS:
            near = difflib.get_close_matches(name[:LONGEST], _KEYS, n=1)
            step = f"{f'did you mean {near[0]}? ' if near else ''}the keys are {', '.join(_KEYS)}"
            entry.errors.append(_error(path, key, f"an exclusion has no key {name[:LONGEST]!r}", step))
        if name in entry.values:
            entry.errors.append(_error(path, key, f"{name} is written twice", "write the values as a list: [a, b]"))
        texts = node.value if isinstance(node, yaml.SequenceNode) else [node]
        if not texts or not all(map(_is_text, texts)):
            what = f"{name} has no value, or one that is not a text"
            entry.errors.append(_error(path, node, what, "write a text, or leave the key out"))
        else:
            entry.values[name] = [_Value(text.value, _line(text)) for text in texts]
    return entry


def _is_text(node: yaml.Node) -> bool:
    return isinstance(node, yaml.ScalarNode) and not node.tag.endswith(":null") and bool(node.value.strip())


def _complaints(entry: _Entry, longest_days: int) -> Iterator[CatalogError]:
    """All that is wrong with one exclusion, as far as its keys are known."""
    wrong = [*_wrong_keys(entry), *_wrong_times(entry, longest_days)]
    for name, values in entry.values.items():
        wrong += [(value.line, *said) for value in values if (said := _wrong_value(name, value.text))]
    for line, what, next_step in sorted(wrong):
        yield CatalogError(what, where=f"{entry.path}:{line}", next_step=next_step)


def _wrong_keys(entry: _Entry) -> Iterator[tuple[int, str, str]]:
    values = entry.values
    yield from ((entry.line, f"{name} is missing", _HOW_TO) for name in ("rule", *_SAID) if name not in values)
    for name in _SAID:
        if len(values.get(name, ())) > 1:
            yield values[name][1].line, f"{name} has several values", "write one"
    rules = values.get("rule", [])
    if len(rules) > 1 and any(value.text == ALL for value in rules):
        yield rules[0].line, f"rule names {ALL!r} and others", f"write `rule: {ALL}`, or name the rules"
    if not any(name in values for name in SCOPES):
        step = f"add one of {', '.join(SCOPES)}; a rule that nobody needs is left out of the rules that are run"
        yield entry.line, "it has no scope: all findings of the rule would be hidden", step


def _wrong_value(name: str, text: str) -> tuple[str, str] | None:
    """What is wrong with one value, and what to write."""
    if len(text) > LONGEST:
        return f"a value of {name} has more than {LONGEST:,} characters", "use `*` for a part of it"
    if name in ("principal", "origin") and (known := principal_arn(text)) != text and "*" not in text:
        return f"no {name} is called {text}: sessions and paths are no part of it", f"write {known}"
    if name in TEXTS and not any(glob(text).parts):
        return f"{name} {text!r} fits everything", f"leave {name} out, or name what is meant"
    if name == "account" and not re.fullmatch("[0-9]+", text):
        return f"{text!r} is no account", "write its digits"
    if name == "address":
        return _wrong_address(text)
    return None


def _wrong_address(text: str) -> tuple[str, str] | None:
    try:
        network = ipaddress.ip_network(text)
    except ValueError:
        try:
            meant = ipaddress.ip_network(text, strict=False)
        except ValueError:
            step = "write 198.51.100.7, 198.51.100.0/24 or 2001:db8::/32"
            return f"{text!r} is neither an address nor a network", step
        return f"{text} is an address within {meant}, and not a network", f"write {meant}, or the address alone"
    if network.prefixlen == 0:
        return f"{text} is every address", "leave address out, or name the network that is meant"
    if network.version == 6 and network.network_address.ipv4_mapped:
        return f"{text} is an IPv4 address in the clothes of IPv6", "write it as IPv4"
    return None


def _wrong_times(entry: _Entry, longest_days: int) -> Iterator[tuple[int, str, str]]:
    days: dict[str, date] = {}
    for name in ("created", "expires"):
        for value in entry.values.get(name, ())[:1]:
            try:
                if not _DAY.fullmatch(value.text):
                    raise ValueError("not a day")
                days[name] = date.fromisoformat(value.text)
            except ValueError:
                yield value.line, f"{name} is {value.text!r}, which is no day", "write it as 2026-11-24"
    if len(days) < 2:
        return
    line, lasting = entry.values["expires"][0].line, (days["expires"] - days["created"]).days
    if lasting < 0:
        yield line, "it expires before it is created", "exchange the two days"
    if lasting > longest_days:
        step = f"review it at least every {longest_days} days ([exclusions] longest_days in trailhound.toml)"
        yield line, f"it lasts {lasting:,} days", step


def _exclusion(entry: _Entry) -> Exclusion:
    lists = {name: list(dict.fromkeys(v.text for v in entry.values.get(name, ()))) for name in ("rule", *SCOPES)}
    said = {name: entry.values[name][0].text.strip() for name in _SAID}
    return msgspec.convert({**lists, **said, "file": str(entry.path), "line": entry.line}, Exclusion)


def _line(node: yaml.Node) -> int:
    return node.start_mark.line + 1


def _error(path: Path, node: yaml.Node, what: str, next_step: str) -> CatalogError:
    return CatalogError(what, where=f"{path}:{_line(node)}", next_step=next_step)
