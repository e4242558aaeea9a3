"""Files and folders of rules → the documents to be built, and what is left out of a folder, with why.

A checkout of public rules holds much that is no rule for CloudTrail: rules for other logs, deprecated ones, workflows of
its build. That is no fault, so it is counted and not complained about. A file that is named by itself is always meant.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from pathlib import Path

import msgspec

from trailhound import catalog
from trailhound.detections import documents
from trailhound.detections.documents import Document, NotARuleError
from trailhound.detections.findings import plain
from trailhound.detections.rules import LeftOut
from trailhound.errors import CatalogError

PROOF = ".proof.yml"
# What a logsource may say; None: it may leave it open.
OURS: dict[str, tuple[str | None, ...]] = {
    "product": (None, "aws"),
    "service": (None, "cloudtrail"),
    "category": (None, "resource"),
}
_RETIRED = ("deprecated", "unsupported")
_ALIKE = 0.7  # two words, of which one may be meant for the other


class Collection(msgspec.Struct):
    found: list[Document] = []
    errors: list[CatalogError] = []  # one per faulty document
    left_out: list[LeftOut] = []


def collect(paths: Iterable[Path]) -> Collection:
    """All that stands at or below these paths, but for proofs and what is hidden.

    Raises CatalogError only when a path does not exist.
    """
    collection, others = Collection(), set[str]()
    for path in paths:
        for file in catalog.find(path):
            if not file.name.endswith(PROOF) and not _hidden(file.relative_to(path)):
                _read(file, collection, others, named=file == path)
    _without(collection, others)
    return collection


def stands_on(document: Document) -> set[str]:
    """What may be ids and names of the rules that a correlation stands on."""
    section = document.header.correlation or {}
    named, condition = section.get("rules"), section.get("condition")
    words = [*(named if isinstance(named, list) else [named]), *re.findall(r"\w+", str(condition))]
    return {name for word in words if isinstance(word, str) for name in (word, word.lower())}


def _hidden(file: Path) -> bool:
    return any(part.startswith(".") for part in file.parts)


def _read(file: Path, collection: Collection, others: set[str], *, named: bool) -> None:
    found, errors = documents.read(file)
    for document in found:
        reason = "" if named else _other_log(document) or _retired(document)
        if reason:
            _leave_out(document, reason, collection, others)
        else:
            collection.found.append(document)
    for error in errors:
        if isinstance(error, NotARuleError) and not named:
            collection.left_out.append(LeftOut(error.where, "", "not a rule"))
        else:
            collection.errors.append(error)


def _leave_out(document: Document, reason: str, collection: Collection, others: set[str]) -> None:
    title = plain(document.header.title)
    collection.left_out.append(LeftOut(f"{document.path}:{document.line}", title, reason))
    others |= {name for name in (document.header.name, str(document.header.id or "")) if name}


def _other_log(document: Document) -> str:
    """The log that it is for, when that is plainly not CloudTrail; a slip of the pen is not plain."""
    logsource = document.header.logsource or {}
    foreign = {key: logsource[key] for key in OURS if key in logsource and logsource[key] not in OURS[key]}
    if not foreign or _meant(foreign):
        return ""
    told = (plain(str(logsource[key])) for key in OURS if logsource.get(key))
    return f"for another log: {'/'.join(told)}"


def _meant(foreign: dict[str, object]) -> bool:
    """Is every word that is not ours near to one that is?"""
    ours = {key: [word for word in words if word] for key, words in OURS.items()}
    return all(difflib.get_close_matches(str(word).lower(), ours[key], 1, _ALIKE) for key, word in foreign.items())


def _retired(document: Document) -> str:
    return document.header.status if document.header.status in _RETIRED else ""


def _without(collection: Collection, others: set[str]) -> None:
    """Correlations and filters that are for what was left out go with it."""
    while True:
        kept = {name for d in collection.found for name in (d.header.name, str(d.header.id or ""))}
        gone = [document for document in collection.found if _is_for(document, others - kept)]
        if not gone:
            return
        for document in gone:
            _leave_out(document, "for a rule that was left out", collection, others)
        collection.found = [document for document in collection.found if document not in gone]


def _is_for(document: Document, others: set[str]) -> bool:
    if document.kind == "correlation":
        return bool(stands_on(document) & others)
    named = (document.header.filter or {}).get("rules")
    return isinstance(named, list) and bool(named) and {str(name) for name in named} <= others
