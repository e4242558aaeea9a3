"""Sigma files → rules. pySigma parses; what a detection then means is `condition`'s matter.

A faulty rule is an error with its file and line, and never stops the others.
"""

from __future__ import annotations

import difflib
import uuid
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple, TypeVar

import msgspec
from sigma.correlations import SigmaCorrelationRule
from sigma.exceptions import SigmaError
from sigma.filters import SigmaFilter
from sigma.rule import SigmaDetectionItem, SigmaDetections, SigmaLogSource, SigmaRule

from trailhound import catalog
from trailhound.detections import aggregation, code_rules, condition, documents, fields, mending
from trailhound.detections.baselines import baseline
from trailhound.detections.baselines.baseline import Baseline
from trailhound.detections.collection import OURS, collect, stands_on
from trailhound.detections.correlations import correlation, duration_ms
from trailhound.detections.documents import Document, Kind
from trailhound.detections.fields import Field
from trailhound.detections.findings import check_template, plain
from trailhound.detections.predicate import All, Predicate
from trailhound.detections.rules import Correlation, LeftOut, Rule, RuleSet
from trailhound.errors import CatalogError

Built = TypeVar("Built")

# pySigma expects certain shapes and meets others with whatever Python raises. SigmaError is a ValueError.
_FAULTS = (CatalogError, ValueError, TypeError, AttributeError, KeyError, IndexError, RecursionError)


def load_rules(paths: Iterable[Path], *, code: Sequence[Path] = ()) -> RuleSet:
    """Rules of these files and folders, without the proofs beside them; of two with one id the first counts.

    `code`: Python files that rules among them may run; no others are.

    Raises CatalogError only when a path does not exist.
    """
    collected = collect(paths)
    rules = _rule_set(collected.found, collected.errors, code)
    yielding = [error for error in rules.errors if isinstance(error, _YieldingError)]
    left_out = (*collected.left_out, *(LeftOut(error.where, "", error.what) for error in yielding))
    errors = tuple(error for error in rules.errors if error not in yielding)
    return msgspec.structs.replace(rules, errors=errors, left_out=left_out)


def _rule_set(found: list[Document], errors: list[CatalogError], code: Sequence[Path]) -> RuleSet:
    filters = _each(found, "filter", _filter, errors)
    known = _Known()
    feeding: set[str] = set()

    def rule(document: Document) -> Rule:
        return known.add(_rule(document, filters))

    def correlated(document: Document) -> Rule:
        built, feeds = _correlated(document, known)
        feeding.update(feeds)
        return known.add(built)

    def coded(document: Document) -> Rule:
        built, feeds = _coded(document, known, code)
        feeding.update(feeds)
        return known.add(built)

    rules = _each(found, "rule", rule, errors)
    rules += _each(_bases_first(found), "correlation", correlated, errors)
    rules += _each(found, "code", coded, errors)
    rules += _each(found, "baseline", lambda document: known.add(_baseline(document)), errors)
    errors += [fault for one in filters for fault in _names_nothing(one, known)]
    shown = [msgspec.structs.replace(rule, output=rule.uid not in feeding) for rule in rules]
    return RuleSet(rules=tuple(_named(shown)), errors=tuple(errors))


class _YieldingError(CatalogError):
    """A rule of the pack, where one that was brought has its id."""


class _Known(dict[str, Rule]):
    """Rules by id and by name. An id may be written in either case."""

    def add(self, rule: Rule) -> Rule:
        for key, what in ((rule.uid, "id"), (rule.name, "name")):
            if first := self.get(key):
                there = f"{first.path}:{first.line}"
                if what == "id" and _of_pack(rule) and not _of_pack(first):
                    raise _YieldingError(f"another rule counts in its place: {there}")
                raise CatalogError(
                    f"another rule has the {what} {key}", where=what, causes=(f"it stands at {there}",),
                    next_step=f"give it another {what}, or leave one of them out",
                )  # fmt: skip
        self.update({key: rule for key in (rule.uid, rule.name) if key})
        return rule

    def find(self, reference: str) -> Rule | None:
        return self.get(reference) or self.get(reference.lower())


def _of_pack(rule: Rule) -> bool:
    return catalog.PACKS in Path(rule.path).parents


class _Filter(NamedTuple):
    """What a filter lets through of the rules that it is for."""

    document: Document
    parsed: SigmaFilter
    logic: Predicate

    @property
    def names(self) -> list[str] | None:
        """Ids and names of the rules that it is for; None: all of its logsource."""
        rules = self.parsed.filter.rules
        return None if isinstance(rules, str) else [reference.reference for reference in rules]

    def is_for(self, rule: SigmaRule) -> bool:
        own = {str(rule.id).lower(), rule.name}
        named = self.names is None or any(name in own or name.lower() in own for name in self.names)
        return named and rule.logsource in self.parsed.logsource


def _names_nothing(one: _Filter, known: _Known) -> Iterator[CatalogError]:
    for name in one.names or ():
        if known.find(name) is None:
            unknown = CatalogError(
                f"the filter is for the rule {name!r}, and no rule that could be read has this name or id",
                where="filter.rules",
                next_step=_nearest(name, known),
            )
            yield _complaint(unknown, one.document)


def _nearest(name: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(name, known, n=1)
    return f"did you mean {near[0]}?" if near else ""


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
    """Correlations, each after those it stands on. Those of a circle come last, and stand on one that is not there."""
    waiting = [document for document in found if document.kind == "correlation"]
    ordered: list[Document] = []
    while waiting:
        keys = {key for d in waiting for key in (d.header.name, str(d.header.id))}
        ready = [d for d in waiting if not keys & stands_on(d)]
        if not ready:
            return ordered + waiting
        ordered += ready
        waiting = [d for d in waiting if keys & stands_on(d)]
    return ordered


def _filter(document: Document) -> _Filter:
    data = mending.mend(document.data, "filter")
    parsed = SigmaFilter.from_dict(data, policy=mending.POLICY)
    return _Filter(document, parsed, _logic(parsed.filter, _per_resource(parsed.logsource)))


def _rule(document: Document, filters: list[_Filter]) -> Rule:
    aggregation.refuse(document.header.detection, document.header.name)
    data = mending.mend(document.data, "detection")
    parsed = SigmaRule.from_dict(data, policy=mending.POLICY)
    if parsed.taxonomy != "sigma":
        raise CatalogError(
            f"the taxonomy {parsed.taxonomy!r} is not known", where="taxonomy", next_step="leave it out: see the fields"
        )
    per_resource = _per_resource(parsed.logsource)
    logic = _logic(parsed.detection, per_resource)
    kept = tuple(one.logic for one in filters if one.is_for(parsed))
    return _header(document, "sigma", All((logic, *kept)) if kept else logic, per_resource=per_resource)


def _per_resource(logsource: SigmaLogSource) -> bool:
    if any(getattr(logsource, key) not in allowed for key, allowed in OURS.items()):
        raise CatalogError(
            "the logsource is not CloudTrail", where="logsource", next_step="product: aws, service: cloudtrail"
        )
    return logsource.category == "resource"


def _logic(detection: SigmaDetections, per_resource: bool) -> Predicate:
    return condition.predicate(detection, lambda name: fields.resolve(name, per_resource=per_resource))


def _correlated(document: Document, known: _Known) -> tuple[Rule, set[str]]:
    """The rule, and the uids of the rules that only feed it."""
    data, thresholds, percentile = mending.split_condition(document.data)
    parsed = SigmaCorrelationRule.from_dict(data, policy=mending.POLICY)
    after = document.header.trailhound.window == "after"
    logic = correlation(parsed, thresholds, percentile, known.find, after=after)
    feeds = set() if parsed.generate else {base.rule_uid for base in logic.bases}
    by_uid = {rule.uid: rule for rule in known.values()}
    per_resource = all(by_uid[base.rule_uid].per_resource for base in logic.bases)
    return _header(document, logic.kind, logic, per_resource=per_resource), feeds


def _coded(document: Document, known: _Known, code: Sequence[Path]) -> tuple[Rule, set[str]]:
    """As of a correlation."""
    assert document.header.code is not None
    logic = code_rules.correlation(document.header.code, document.path, known.find, code)
    per_resource = all(known[base.rule_uid].per_resource for base in logic.bases)
    return _header(document, logic.kind, logic, per_resource=per_resource), {base.rule_uid for base in logic.bases}


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
    if header.trailhound.window == "after" and not isinstance(logic, Correlation):
        raise CatalogError("`window: after` is for correlations of type temporal_ordered", where="trailhound.window")
    return Rule(
        uid=str(header.id or uuid.uuid5(uuid.NAMESPACE_URL, f"{header.author}/{header.title}")),
        name=header.name,
        title=header.title,
        description=" ".join(header.description.split()),
        level=header.level or "low",
        attempt=header.trailhound.attempt,
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
        status=header.status,
        date=str(header.modified or header.date or "").replace("/", "-"),
        path=str(document.path),
        line=document.line,
    )


def _complaint(error: BaseException, document: Document) -> CatalogError:
    """The error, with the place that it names below the document, or of the first item that raises one by itself."""
    line, own = _blame(document)
    what = own or error
    if isinstance(what, CatalogError) and what.where:
        line = document.line_of(*what.where.split("."))
    title = f"rule {plain(document.header.title)!r}"
    where = f"{document.path}:{line} ({title})"
    if isinstance(what, _YieldingError):
        return _YieldingError(what.what, where=where)
    if isinstance(what, CatalogError):
        causes = tuple(map(plain, what.causes))
        return CatalogError(plain(what.what), where=where, causes=causes, next_step=plain(what.next_step))
    if isinstance(what, RecursionError):
        return CatalogError("the condition is nested too deeply", where=where)
    said = str(what) if isinstance(what, SigmaError) else f"not a Sigma rule: {what}"
    return CatalogError(plain(said), where=where, next_step="docs/reference/rule-language.md says what a rule may hold")


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
                mended = SigmaDetectionItem.from_mapping(*mending.mend_item(key, value), policy=mending.POLICY)
                condition.item(mended, resolve)
            except _FAULTS as error:
                return document.line_of(*keys), error
    return document.line_of(section, "condition"), None
