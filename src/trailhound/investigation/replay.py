"""A report, run again: which of its claims still hold, and why the others do not.

A claim fails when an event that it cites is gone or is not what it was, by the SHA-256 that the report keeps of each
record, or when the investigation, made again over the lake as it is now, does not make it any more.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Literal, NamedTuple

import msgspec

from trailhound.engines.dialect import listed, literal
from trailhound.engines.duckdb import DuckDB, Rows
from trailhound.ingest.duplicates import CONFLICT
from trailhound.model import Answer, Investigation

State = Literal["holds", "unsupported", "changed", "gone"]


class Claim(NamedTuple):
    """Something that a report says. `key` is what the same claim has in another run, whatever it says there."""

    part: str  # narrative, answer, timeline, recommendation, verdict
    key: str
    text: str
    evidence: tuple[str, ...]


class Checked(msgspec.Struct, frozen=True, kw_only=True):
    """A claim and what became of it."""

    part: str
    text: str
    state: State
    because: str = ""
    events: tuple[str, ...] = ()  # cited ones that are gone or altered


class Replay(msgspec.Struct, frozen=True, kw_only=True):
    """What `verify REPORT` came to."""

    uid: str
    verdict: Literal["holds", "broken"]
    faults: tuple[str, ...]  # of the report as a document
    remarks: tuple[str, ...]  # what else may explain a difference
    claims: tuple[Checked, ...]
    new: tuple[str, ...]  # what is said now, and is not in the report


def uid_of(document: Investigation) -> str:
    """What the uid of these contents is. The same contents give the same uid."""
    bare = msgspec.structs.replace(document, uid="")
    return hashlib.sha256(msgspec.json.encode(bare)).hexdigest()[:16]


def hashes(engine: DuckDB, uids: Iterable[str], days: Sequence[str] = ()) -> dict[str, tuple[str, ...]]:
    """Of those of these events that are in the lake: the SHA-256 of each record, as hex. `days`: where to look first."""
    wanted, found = set(uids), dict[str, tuple[str, ...]]()
    if days:
        near = _hashes(engine, wanted, f"event_day IN ({listed(days)})")
        found = {row["uid"]: tuple(row["hashes"]) for row in near if not row["contradicted"]}
    if elsewhere := wanted - found.keys():  # records that contradict each other need not be of one day
        found |= {row["uid"]: tuple(row["hashes"]) for row in _hashes(engine, elsewhere, "TRUE")}
    return found


def _hashes(engine: DuckDB, uids: Iterable[str], where: str) -> Rows:
    return engine.query(
        "SELECT metadata.uid AS uid, list_sort(list(DISTINCT sha256(raw_data))) AS hashes, "
        f"bool_or(list_contains(flags, {literal(CONFLICT)})) AS contradicted FROM events "
        f"WHERE {where} AND metadata.uid IN (SELECT unnest($uids)) GROUP BY ALL",
        {"uids": sorted(uids)},
    )


def cited(document: Investigation) -> set[str]:
    """Every event that anything in the document cites."""
    return {uid for claim in claims(document) for uid in claim.evidence}


def claims(document: Investigation) -> Iterator[Claim]:
    """All that the document claims, in its own order."""
    found = document.verdict
    causes = ", ".join(f"{one.title} {one.score:+}" for one in found.explanations)
    yield Claim("verdict", "", f"{found.disposition}, confidence {found.confidence} ({causes})", ())
    for paragraph in document.narrative:
        for sentence in paragraph.sentences:
            key = f"{paragraph.paragraph} {' '.join(sentence.answers)}"
            yield Claim("narrative", key, sentence.text, sentence.evidence)
    for advice in document.recommendations:
        yield Claim("recommendation", advice.action, advice.action, advice.evidence)
    for moment in document.timeline:
        yield Claim("timeline", moment.event_uid, moment.sentence, (moment.event_uid,))
    for answer in document.answers:
        yield Claim("answer", answer.uid, _answer(answer), answer.evidence)


def _answer(answer: Answer) -> str:
    why = "; ".join(gap.because for gap in answer.gaps)
    return f"{answer.asks} {answer.verdict}: {answer.sentence}" + (f" ({why})" if why else "")


def compare(
    report: Investigation,
    again: Investigation | None,
    stored: Mapping[str, tuple[str, ...]],
    faults: Sequence[str] = (),
) -> Replay:
    """`again` is the same investigation made now, None when its subject is gone; `stored` what `hashes` gives now;
    `faults` what is known to be wrong with the report's file."""
    faults = list(faults)
    if uid_of(report) != report.uid:
        faults.append(
            f"the document is not as it was written: its uid is {report.uid or 'missing'}, "
            f"and contents like these have {uid_of(report)}"
        )
    bad = {one.uid: _wrong(stored.get(one.uid), one.sha256) for one in report.cited}
    bad |= dict.fromkeys(cited(report) - bad.keys(), "is not in the lake")
    wrong = {uid: why for uid, why in bad.items() if why}
    now = list(claims(again)) if again else []
    said = {(claim.part, claim.key, claim.text) for claim in now}
    checked = tuple(_check(claim, wrong, now, said, again) for claim in claims(report))
    written = {(claim.part, claim.key, claim.text) for claim in claims(report)}
    new = tuple(claim.text for claim in now if (claim.part, claim.key, claim.text) not in written)
    broken = faults or any(one.state != "holds" for one in checked)
    return Replay(
        uid=report.uid,
        verdict="broken" if broken else "holds",
        faults=tuple(faults),
        remarks=tuple(_remarks(report, again)),
        claims=checked,
        new=new,
    )


def _wrong(stored: tuple[str, ...] | None, kept: tuple[str, ...]) -> str:
    if stored is None:
        return "is not in the lake"
    return "" if stored == kept else "is not the record that it was"


def _check(
    claim: Claim,
    wrong: Mapping[str, str],
    now: Sequence[Claim],
    said: set[tuple[str, str, str]],
    again: Investigation | None,
) -> Checked:
    events = tuple(uid for uid in claim.evidence if uid in wrong)
    if events:
        first = f"event {events[0]} {wrong[events[0]]}"
        others = f", and {len(events) - 1:,} more it cites" if len(events) > 1 else ""
        return Checked(part=claim.part, text=claim.text, state="unsupported", because=first + others, events=events)
    if (claim.part, claim.key, claim.text) in said:
        return Checked(part=claim.part, text=claim.text, state="holds")
    if again is None:
        return Checked(part=claim.part, text=claim.text, state="gone", because="what it is about is not in the lake")
    others = [one.text for one in now if (one.part, one.key) == (claim.part, claim.key)]
    if others:
        return Checked(part=claim.part, text=claim.text, state="changed", because=f"now: {others[0]}")
    return Checked(part=claim.part, text=claim.text, state="gone", because="it is not said any more")


def _remarks(report: Investigation, again: Investigation | None) -> Iterator[str]:
    if again is None:
        return
    for name in sorted({*report.versions, *again.versions}):
        then, now = report.versions.get(name, "none"), again.versions.get(name, "none")
        if then != now:
            yield f"written with {name} {then}, run again with {now}"
    then, now = report.as_of.get("delta_version"), again.as_of.get("delta_version")
    if then != now:
        yield f"the lake has changed since: version {then} of the events then, {now} now"
