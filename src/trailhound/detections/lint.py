"""What keeps a rule from being trusted: complaints about rules that do run."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from trailhound.detections.baselines.baseline import Baseline
from trailhound.detections.predicate import Predicate, columns
from trailhound.detections.proof import proof_path
from trailhound.detections.rules import Correlation, Rule, RuleSet
from trailhound.errors import CatalogError
from trailhound.model import LEVELS
from trailhound.vocab import attack

# A rule that reads nothing else tells that a call was made, not that anything is wrong.
_NAMES_ONLY = {"api.operation", "api.service.name", "time"}


def lint(rules: RuleSet) -> list[CatalogError]:
    """Complaints, each with file and line; rules that only feed correlations are judged with these."""
    return [
        CatalogError(what, where=f"{rule.path}:{rule.line}", next_step="see docs/how-to/write-a-rule.md")
        for rule in rules.rules
        if rule.output
        for what in _complaints(rule)
    ]


def _complaints(rule: Rule) -> Iterator[str]:
    if not rule.description:
        yield "there is no description: what does an attacker gain?"
    if not rule.falsepositives:
        yield "there are no falsepositives: who does this and is harmless?"
    techniques = [tag.removeprefix("attack.").upper() for tag in rule.tags if tag.startswith("attack.t1")]
    if not techniques and not any(tag.startswith("attack.") for tag in rule.tags):
        yield "no tag names an ATT&CK tactic or technique"
    known = attack.techniques()
    for uid in techniques:
        if uid in known and known[uid].uid != uid:
            yield f"{uid} was replaced by {known[uid].uid} in ATT&CK v{attack.VERSION}"
    if _names_only(rule.logic) and LEVELS.index(rule.level) >= LEVELS.index("medium"):
        yield f"it looks at nothing but the name of a call, which is little for the level {rule.level}"
    if not proof_path(Path(rule.path)).is_file():
        yield "there is no proof beside it"


def _names_only(logic: Predicate | Correlation | Baseline) -> bool:
    return not isinstance(logic, Correlation | Baseline) and columns(logic) <= _NAMES_ONLY
