"""Sigma files → rules. pySigma parses; what a detection then means is `condition`'s matter.

A faulty rule is an error with its file and line, and never stops the others.
"""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TypeVar

import msgspec
from sigma.correlations import SigmaCorrelationRule
from sigma.exceptions import SigmaError
from sigma.filters import SigmaFilter
from sigma.rule import SigmaDetectionItem, SigmaDetections, SigmaRule

from trailhound import catalog
from trailhound.detections import condition, documents, fields, mending
from trailhound.detections.baselines import baseline
from trailhound.detections.baselines.baseline import Baseline
from trailhound.detections.correlations import correlation, duration_ms
from trailhound.detections.documents import Document, Kind
from trailhound.detections.fields import Field
from trailhound.detections.findings import check_template
from trailhound.detections.predicate import Predicate
from trailhound.detections.rules import Correlation, Rule, RuleSet
from trailhound.errors import CatalogError

Built = TypeVar("Built")

PROOF = ".proof.yml"
# pySigma expects certain shapes and meets others with whatever Python raises. SigmaError is a ValueError.
_FAULTS = (CatalogError, ValueError, TypeError, AttributeError, KeyError, IndexError, RecursionError)


def load_rules(paths: Iterable[Path]) -> RuleSet:
    """Rules of these files and folders; the proofs beside them are left out.

    Raises CatalogError only when a path does not exist.
    """
    found: list[Document] = []
    errors: list[CatalogError] = []
    for path in paths:
        for file in catalog.find(path):
            if not file.name.endswith(PROOF):
                read, faults = documents.read(file)
                found += read
                errors += faults
    return _rule_set(found, errors)


def _rule_set(found: list[Document], errors: list[CatalogError]) -> RuleSet:
    filters = _each(found, "filter", _filter, errors)
    rules = _each(found, "rule", lambda document: _rule(document, filters), errors)
    known = {key: rule for rule in rules for key in (rule.uid, rule.name) if key}
    feeding: set[str] = set()

    def build(document: Document) -> Rule:
        rule, feeds = _correlated(document, known)
        known.update({key: rule for key in (rule.uid, rule.name) if key})
        feeding.update(feeds)
        return rule

    rules += _each(_bases_first(found), "correlation", build, errors)
    rules += _each(found, "baseline", _baseline, errors)
    shown = [msgspec.structs.replace(rule, output=rule.uid not in feeding) for rule in rules]
    return RuleSet(rules=_unique(_named(shown), errors), errors=tuple(errors))


def _named(rules: list[Rule]) -> list[Rule]:
    """A rule without a name is called as its file, when it is the only one that the file shows."""
    shown = Counter(rule.path for rule in rules if rule.output)
    return [
        msgspec.structs.replace(rule, name=Path(rule.path).stem)
        if rule.output and not rule.name and shown[rule.path] == 1
        else rule
        for rule in rules
    ]


def _each(
    found: Iterable[Document], kind: Kind, build: Callable[[Document], Built], errors: list[CatalogError]
) -> list[Built]:
    built = []
    for document in found:
        try:
            if document.kind == kind:
                built.append(build(document))
        except _FAULTS as error:
            errors.append(_complaint(error, document))
    return built


def _bases_first(found: list[Document]) -> list[Document]:
    """Correlations, each after those it stands on. Of a circle the last stands on one that is not there."""
    waiting = {id(d): d for d in found if d.kind == "correlation"}
    by_key = {key: d for d in waiting.values() for key in (d.header.name, str(d.header.id)) if key}
    ordered: list[Document] = []

    def place(document: Document) -> None:
        if waiting.pop(id(document), None):
            named = (document.data["correlation"] or {}).get("rules") or []
            for name in [named] if isinstance(named, str) else named:
                if name in by_key:
                    place(by_key[name])
            ordered.append(document)

    for document in list(waiting.values()):
        place(document)
    return ordered


def _unique(rules: list[Rule], errors: list[CatalogError]) -> tuple[Rule, ...]:
    kept: dict[str, Rule] = {}
    for rule in rules:
        first = kept.setdefault(rule.uid, rule)
        if first is not rule:
            where = f"{rule.path}:{rule.line}"
            there = f"it stands at {first.path}:{first.line}"
            errors.append(CatalogError(f"another rule has the id {rule.uid}", where=where, causes=(there,)))
    return tuple(kept.values())


def _filter(document: Document) -> SigmaFilter:
    data = mending.mend(document.data, "filter")
    return SigmaFilter.from_dict(data, policy=mending.POLICY)


def _rule(document: Document, filters: list[SigmaFilter]) -> Rule:
    data = mending.mend(document.data, "detection")
    parsed = SigmaRule.from_dict(data, policy=mending.POLICY)
    for each in filters:
        each.apply_on_rule(parsed)
    logsource = parsed.logsource
    per_resource = logsource.category == "resource"
    ours = {"product": (None, "aws"), "service": (None, "cloudtrail"), "category": (None, "resource")}
    if any(getattr(logsource, key) not in allowed for key, allowed in ours.items()):
        raise CatalogError("the logsource is not CloudTrail", next_step="product: aws, service: cloudtrail")
    return _header(document, "sigma", _logic(parsed.detection, per_resource), per_resource=per_resource)


def _logic(detection: SigmaDetections, per_resource: bool) -> Predicate:
    return condition.predicate(detection, lambda name: fields.resolve(name, per_resource=per_resource))


def _correlated(document: Document, known: dict[str, Rule]) -> tuple[Rule, set[str]]:
    """The rule, and the uids of the rules that only feed it."""
    data, ranges = mending.split_range(document.data)
    parsed = SigmaCorrelationRule.from_dict(data, policy=mending.POLICY)
    logic = correlation(parsed, ranges, known)
    feeds = set() if parsed.generate else {base.rule_uid for base in logic.bases}
    by_uid = {rule.uid: rule for rule in known.values()}
    per_resource = all(by_uid[base.rule_uid].per_resource for base in logic.bases)
    return _header(document, logic.kind, logic, per_resource=per_resource), feeds


def _baseline(document: Document) -> Rule:
    baseline.check(document.header.trailhound.title)
    assert document.header.baseline is not None
    return _header(document, "baseline", document.header.baseline)


def _header(
    document: Document, kind: str, logic: Predicate | Correlation | Baseline, *, per_resource: bool = False
) -> Rule:
    header = document.header
    if not isinstance(logic, Baseline):
        check_template(header.trailhound.title)
    return Rule(
        uid=str(header.id or uuid.uuid5(uuid.NAMESPACE_URL, f"{header.author}/{header.title}")),
        name=header.name,
        title=header.title,
        description=" ".join(header.description.split()),
        level=header.level or "low",
        kind=kind,
        logic=logic,
        per_resource=per_resource,
        template=header.trailhound.title,
        episode_ms=duration_ms(header.trailhound.episode),
        tags=tuple(header.tags or ()),
        falsepositives=tuple(header.falsepositives or ()),
        references=tuple(header.references or ()),
        author=header.author,
        license=header.license,
        path=str(document.path),
        line=document.line,
    )


def _complaint(error: BaseException, document: Document) -> CatalogError:
    """The error, with the place of the first item that raises one by itself."""
    line, own = _blame(document)
    what = own or error
    title = f"rule {document.header.title!r}"
    where = f"{document.path}:{line} ({title})"
    if isinstance(what, CatalogError):
        return CatalogError(what.what, where=where, causes=what.causes, next_step=what.next_step)
    if isinstance(what, RecursionError):
        return CatalogError("the condition is nested too deeply", where=where)
    said = str(what) if isinstance(what, SigmaError) else f"not a Sigma rule: {what}"
    return CatalogError(said, where=where, next_step="docs/how-to/write-a-rule.md shows what a rule may hold")


def _blame(document: Document) -> tuple[int, BaseException | None]:
    if document.kind == "correlation":
        return document.line_of("correlation", "condition"), None
    if document.kind == "baseline":
        return document.line_of("trailhound", "title"), None
    section = "filter" if document.kind == "filter" else "detection"
    detection = document.data.get(section)
    per_resource = (document.header.logsource or {}).get("category") == "resource"

    def resolve(name: str) -> Field:
        return fields.resolve(name, per_resource=per_resource)

    for name, definition in (detection or {}).items():
        for keys, key, value in documents.items(definition, (section, str(name))):
            if name in ("condition", "rules"):
                continue
            try:
                mended = mending.mend_value(key, value)
                condition.item(SigmaDetectionItem.from_mapping(key, mended, policy=mending.POLICY), resolve)
            except _FAULTS as error:
                return document.line_of(*keys), error
    return document.line_of(section, "condition"), None
