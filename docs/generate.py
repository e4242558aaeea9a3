"""Writes the generated parts of docs/reference from the code and the packs.

A page holds text by hand and, between `<!-- generated: NAME -->` and `<!-- end -->`, what stands in the code.
`python docs/generate.py` renews them; a test fails when they are stale.
"""

from __future__ import annotations

import io
import re
import sys
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from rich.console import Console

from trailhound.catalog import PACKS
from trailhound.cli.app import VERBS, app
from trailhound.detections.baselines.baseline import Baseline, words
from trailhound.detections.rules import Correlation, Rule
from trailhound.detections.sigma import load_rules
from trailhound.investigation.questions import questions
from trailhound.lake import fields
from trailhound.lake.tables import TABLES
from trailhound.ocsf.schema import RESOURCE_FIELDS, Column
from trailhound.vocab import attack
from trailhound.vocab.attack import Technique

PAGES = Path(__file__).parent / "reference"
_NAMED = ["technique", "is", "tactics", "rules"]
_BLOCK = re.compile(r"(<!-- generated: (\w+) -->\n)(.*?)(<!-- end -->)", re.DOTALL)


def commands() -> str:
    parts = [_help()]
    for verb in VERBS:
        parts.append(f"## `trailhound {verb}`\n\n{_help(verb)}")
        below = [name for name in app[verb] if not name.startswith("-")]
        parts += [f"### `trailhound {verb} {name}`\n\n{_help(verb, name)}" for name in below]
    return "\n".join(parts)


def _help(*tokens: str) -> str:
    out = io.StringIO()
    console = Console(file=out, width=100, color_system=None, force_terminal=False, legacy_windows=False)
    app.help_print(list(tokens), console=console)
    text = "\n".join(line.rstrip() for line in out.getvalue().rstrip().splitlines())
    return f"```text\n{text}\n```\n"


def columns() -> str:
    rows = [_column(column) for column in TABLES["events"].columns]
    events = _table(["column", "type", "CloudTrail field", "meaning"], rows)
    members = _table(["member", "meaning"], [[f"`{name}`", meaning] for name, meaning in RESOURCE_FIELDS])
    others = (f"## `{name}`\n\n{_other(layout.columns)}" for name, layout in TABLES.items() if name != "events")
    return "\n".join([f"## `events`\n\n{events}", f"### One element of `resources`\n\n{members}", *others])


def _other(columns: Sequence[Column]) -> str:
    return _table(["column", "type", "meaning"], [[f"`{c.path}`", c.type, c.meaning] for c in columns])


def _column(column: Column) -> list[str]:
    return [f"`{column.path}`", column.type, f"`{column.source}`" if column.source else "", column.meaning]


def rules() -> str:
    found = [rule for rule in load_rules([PACKS / "rules"]).rules if rule.output]
    rows = [[f"`{rule.name}`", rule.level, rule.title, _kind(rule), _attacks(rule.tags)] for rule in found]
    return f"{len(found)} rules.\n\n" + _table(["rule", "level", "finds", "kind", "ATT&CK"], sorted(rows))


def baselines() -> str:
    found = [(rule, rule.logic) for rule in load_rules([PACKS / "baselines"]).rules if isinstance(rule.logic, Baseline)]
    rows = [
        [f"`{rule.name}`", rule.level, rule.title, logic.kind, logic.actor, words(logic), f"{logic.history}",
         f"{logic.rate:g}", _attacks(rule.tags)]
        for rule, logic in found
    ]  # fmt: skip
    header = ["baseline", "level", "finds", "kind", "of", "measures", "history", "stated rate", "ATT&CK"]
    return f"{len(found)} baselines.\n\n" + _table(header, sorted(rows))


def _kind(rule: Rule) -> str:
    return (
        f"{rule.kind} in {rule.logic.timespan_ms // 1000:,} s" if isinstance(rule.logic, Correlation) else "every event"
    )


def _attacks(tags: Iterable[str]) -> str:
    techniques = (tag.removeprefix("attack.").upper() for tag in tags if re.match(r"attack\.t\d", tag, re.IGNORECASE))
    return ", ".join(techniques)


def coverage() -> str:
    """By tactic, then by technique: which rules name it, or why none does."""
    naming: dict[str, list[Rule]] = defaultdict(list)
    for rule in load_rules([PACKS / "rules", PACKS / "baselines"]).rules:
        if rule.output:
            for uid in _attacks(rule.tags).split(", "):
                naming[uid].append(rule)
    listed = [technique for uid, technique in attack.techniques().items() if uid == technique.uid]
    matrix = [technique for technique in listed if technique.tactics]
    named = [technique for technique in matrix if technique.uid in naming]
    tactics = [_tactic(tactic, [t for t in matrix if tactic in t.tactics], naming) for tactic in attack.TACTICS]
    parts = [
        f"Rules name {len(named)} of {len(matrix)} techniques.\n",
        _table(["tactic", "named", "techniques, and how many rules name each", "gaps"], tactics),
        "## By technique\n",
        _table(_NAMED, (_technique(technique, naming[technique.uid]) for technique in matrix)),
        "## Of other matrices\n",
        _table(_NAMED, (_technique(t, naming[t.uid]) for t in listed if not t.tactics)),
    ]
    return "\n".join(parts)


def _tactic(tactic: str, techniques: Sequence[Technique], naming: Mapping[str, Sequence[Rule]]) -> list[str]:
    seen = [f"{t.uid} ({len(naming[t.uid])})" for t in techniques if naming.get(t.uid)]
    gaps = [t.uid for t in techniques if not naming.get(t.uid)]
    return [tactic, f"{len(seen)} of {len(techniques)}", ", ".join(seen), ", ".join(gaps)]


def _technique(technique: Technique, rules: Sequence[Rule]) -> list[str]:
    by = ", ".join(f"`{rule.name}`" for rule in sorted(rules, key=lambda rule: rule.name))
    return [technique.uid, technique.name, ", ".join(technique.tactics), by or f"**gap**: {technique.unseen}"]


def asked() -> str:
    by_kind: dict[str, list[list[str]]] = defaultdict(list)
    for question in questions():
        row = [f"`{question.id}`", question.asks, question.state, question.covers, question.not_covered]
        by_kind[question.kind].append(row)
    parts = [
        f"## Of `{kind}`\n\n{_table(['question', 'asks', 'state', 'covers', 'does not cover'], rows)}"
        for kind, rows in by_kind.items()
    ]
    return f"{len(questions())} questions.\n\n" + "\n".join(parts)


def names() -> str:
    rows = [[f"`{short.name}`", short.meaning, f"`{short.example}`"] for short in fields.names().short_names]
    return _table(["field", "is", "example"], rows)


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [
        header,
        ["---"] * len(header),
        *([" ".join(cell.replace("|", "\\|").split()) for cell in row] for row in rows),
    ]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


BLOCKS: dict[str, Callable[[], str]] = {
    "commands": commands, "columns": columns, "rules": rules, "baselines": baselines,
    "coverage": coverage, "questions": asked, "names": names,
}  # fmt: skip


def renewed(page: str) -> str:
    """The page with its generated blocks as they should be now."""
    return _BLOCK.sub(lambda found: f"{found[1]}\n{BLOCKS[found[2]]()}\n{found[4]}", page)


def main() -> None:
    for path in sorted(PAGES.glob("*.md")):
        before = path.read_text("utf-8")
        after = renewed(before)
        if after != before:
            path.write_text(after, "utf-8")
            print(f"renewed {path}", file=sys.stderr)


if __name__ == "__main__":
    main()
