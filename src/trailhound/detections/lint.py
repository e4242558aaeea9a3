"""What keeps a rule from firing at all, or from being trusted: complaints about rules that do run.

What AWS adds after our tables were made is not in them. So a rule with a call that they do not know is complained
about here, and is run all the same.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from trailhound.detections import documents, vocabulary
from trailhound.detections.baselines.baseline import Baseline
from trailhound.detections.impossible import contradiction, has_substance, unreachable
from trailhound.detections.predicate import Predicate, columns
from trailhound.detections.proof import proof_path
from trailhound.detections.rules import Correlation, Rule, RuleSet
from trailhound.errors import CatalogError
from trailhound.model import LEVELS
from trailhound.vocab import attack

# A rule that reads nothing else tells that a call was made, not that anything is wrong.
_NAMES_ONLY = {"api.operation", "api.service.name", "time"}


_TECHNIQUE = re.compile(r"attack\.t\d{4}(\.\d{3})?", re.IGNORECASE)
# ATT&CK v19 divided one tactic in two.
_OLD_TACTICS = {"defense-evasion": "stealth or defense-impairment"}


def lint(rules: RuleSet) -> list[CatalogError]:
    """Complaints, each with file and line: first of what cannot match or fire, then of what is weak.

    Rules that only feed correlations are judged with these for the second.
    """
    paths = sorted({Path(rule.path) for rule in rules.rules})
    found = [
        fault for path in paths for document in documents.read(path)[0] for fault in vocabulary.complaints(document)
    ]
    found += [_complaint(rule, f"cannot fire: {what}") for rule in rules.rules for what in _cannot_fire(rule)]
    return found + [_complaint(rule, what) for rule in rules.rules if rule.output for what in _complaints(rule)]


def _complaint(rule: Rule, what: str) -> CatalogError:
    return CatalogError(what, where=f"{rule.path}:{rule.line}", next_step="see docs/how-to/write-a-rule.md")


def _cannot_fire(rule: Rule) -> Iterator[str]:
    if isinstance(rule.logic, Correlation):
        if unreachable(rule.logic):
            yield "no number meets its condition: a window holds at least the event that it ends in"
    elif not isinstance(rule.logic, Baseline) and (field := contradiction(rule.logic)):
        yield f"{field.name} would have to be two things at once"


def _complaints(rule: Rule) -> Iterator[str]:
    if not rule.description:
        yield "there is no description: what does an attacker gain?"
    if not rule.falsepositives:
        yield "there are no falsepositives: who does this and is harmless?"
    techniques = [tag.removeprefix("attack.").upper() for tag in rule.tags if tag.startswith("attack.t1")]
    if not techniques and not any(tag.startswith("attack.") for tag in rule.tags):
        yield "no tag names an ATT&CK tactic or technique"
    yield from _old_tags(rule.tags)
    known = attack.techniques()
    for uid in techniques:
        if uid in known and known[uid].uid != uid:
            yield f"{uid} was replaced by {known[uid].uid} in ATT&CK v{attack.VERSION}"
    if _names_only(rule.logic) and LEVELS.index(rule.level) >= LEVELS.index("medium"):
        yield f"it looks at nothing but the name of a call, which is little for the level {rule.level}"
    if not isinstance(rule.logic, Correlation | Baseline) and not has_substance(rule.logic):
        yield "it asks for no value: it fires on whatever lacks something"
    if not proof_path(Path(rule.path)).is_file():
        yield "there is no proof beside it"


def _old_tags(tags: Iterable[str]) -> Iterator[str]:
    for tag in tags:
        name = tag.removeprefix("attack.")
        if name in _OLD_TACTICS and name != tag:
            yield f"the tactic {name} was replaced by {_OLD_TACTICS[name]} in ATT&CK v{attack.VERSION}"
        elif re.match(r"attack\.t\d", tag, re.IGNORECASE) and not _TECHNIQUE.fullmatch(tag):
            yield f"{tag} is not the id of a technique: attack.t1078 or attack.t1078.004"


def _names_only(logic: Predicate | Correlation | Baseline) -> bool:
    return not isinstance(logic, Correlation | Baseline) and columns(logic) <= _NAMES_ONLY
