"""The core types. Frozen, no behaviour: read this file first.

Times are integers, epoch milliseconds, UTC (OCSF `timestamp_t`). Every type
encodes to the JSON of the contract by `msgspec.json.encode`, fields in the
order written here, so equal values give equal bytes.
"""

from __future__ import annotations

from typing import Any, Literal, get_args

import msgspec

Verdict = Literal["yes", "no", "unknown"]
Level = Literal["informational", "low", "medium", "high", "critical"]
LEVELS: tuple[Level, ...] = get_args(Level)  # the gravest last
Disposition = Literal["malicious", "suspicious", "benign", "undetermined"]


class _Frozen(msgspec.Struct, frozen=True, kw_only=True):
    pass


class Record(msgspec.Struct, frozen=True):
    """One CloudTrail record as delivered, and where it stood."""

    raw: bytes  # the record's own JSON text, byte for byte
    source_uid: str  # ledger row of the file it came from
    index: int  # position among the records of that file, from 0
    flags: tuple[str, ...] = ()  # "repaired": the text was mended first; "partial", "from_ocsf": rebuilt from less


class Reject(msgspec.Struct, frozen=True):
    """A record, or a stretch of a file, that is not in the events table, and why."""

    source_uid: str
    index: int  # position among the records of the file; -1 for the file as a whole
    reason: str  # one of a few slugs, so that they can be counted: "not_json", "no_event_time", ...
    detail: str  # for people: what was found where
    excerpt: str = ""  # at most 200 characters of it


class Observable(_Frozen, frozen=True, kw_only=True):
    """Something one can ask about (the method's "artifact")."""

    kind: str  # "user", "ip_address", "instance", ...: the kinds of packs/questions
    value: str


class Resource(_Frozen, frozen=True, kw_only=True):
    """One thing an event happened to; `type` in CloudFormation's words."""

    uid: str
    type: str = ""


class Analysis(_Frozen, frozen=True, kw_only=True):
    """What a baseline compared: an hour with the hours before it."""

    kind: str  # of the baseline: "first_seen", "more_than_usual", ...
    actor: str  # whose habits they are: a principal, the identity behind a session, a role family, an account
    measured: str  # "country", "calls an hour", ...
    expected: str  # from what was before: "DE, FR", "0 to 2"
    seen: str
    score: float  # how much it surprises, in the kind's own unit; comparable within one baseline only
    threshold: float  # from which score on it is told, as set from the weeks before
    history_days: int  # from the actor's first day to this hour
    active_days: int  # of these, days on which it was seen
    peers: int | None = None  # that it was compared with
    peers_alike: int | None = None  # of these, that had done the same before


class Reason(_Frozen, frozen=True, kw_only=True):
    """What adds to a risk, or takes from it."""

    points: int
    text: str


class Risk(_Frozen, frozen=True, kw_only=True):
    """How much a finding, or all of an incident, asks to be looked at first."""

    score: int  # 0 to 100
    level: Level
    alone: int  # of the finding (of an incident: its gravest), before what else its lineage did
    reasons: tuple[Reason, ...]  # their points add up to the score, but for its bounds
    unknown: tuple[str, ...] = ()  # evidence that was not there to be weighed: nothing was taken off for it


class Finding(_Frozen, frozen=True, kw_only=True):
    """A rule met events. Stored as is; shown as an OCSF Detection Finding (2004)."""

    uid: str  # hash of rule + group + first event: stable when the finding grows
    rule_uid: str
    rule_title: str
    rule_kind: str  # "sigma", "event_count", "value_count", ..., "baseline"
    level: Level
    title: str  # one line: who did what to how many
    desc: str
    attacks: tuple[str, ...]  # ATT&CK technique ids, "T1485"
    first_seen_time: int
    last_seen_time: int
    event_uids: tuple[str, ...]  # all of them, in order of time
    count: int  # what was counted: resources or values or events
    threshold: int | None
    window_ms: int | None
    principal_uid: str
    principal_name: str
    account_uid: str
    regions: tuple[str, ...]
    src_ips: tuple[str, ...]
    operations: tuple[str, ...]
    resources: tuple[Resource, ...]
    origin_uid: str = ""  # who stood behind its first session; the principal itself where nobody did
    falsepositives: tuple[str, ...] = ()
    references: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    rule_author: str = ""
    rule_license: str = ""
    rule_status: str = ""  # "stable", "test", "experimental"
    rule_date: str = ""  # of its last change, YYYY-MM-DD
    status: Literal["new", "closed", "suppressed"] = "new"
    status_reason: str = ""
    analysis: Analysis | None = None  # of a baseline: what it stood on
    incident_uid: str = ""  # not stored, as `risk`: both depend on all findings and on what the log tells by now
    risk: Risk | None = None


class Incident(_Frozen, frozen=True, kw_only=True):
    """Findings of one lineage that lie near each other in time: one thing to look at."""

    uid: str  # hash of the lineage and its first finding: stable while it grows
    origin_uid: str  # who stands behind it
    title: str  # of its gravest finding
    level: Level  # of that finding
    status: Literal["new", "closed", "suppressed"]  # new while any of its findings is
    risk: Risk
    first_seen_time: int
    last_seen_time: int
    tactics: tuple[str, ...]  # ATT&CK, in order of time
    account_uids: tuple[str, ...]
    finding_uids: tuple[str, ...]  # the gravest first: the one to open


class Gap(_Frozen, frozen=True, kw_only=True):
    """Evidence that is missing, and how to get it."""

    what: str  # "history", "region", "data_events", "osint", "field", ...
    because: str  # a sentence: "history of account 0123456789 begins on 2020-11-05"
    how_to_get: str


class Integrity(_Frozen, frozen=True, kw_only=True):
    """How many objects of the ledger are in each state; the words are those of `trailhound verify`."""

    verified: int
    broken: int  # proven not to be what was delivered
    unverifiable: int
    unchecked: int  # `verify` has not seen them under the name by which they were ingested


class Source(_Frozen, frozen=True, kw_only=True):
    """A row of the ledger in which cited events stand: from a sentence to a file."""

    uid: str
    name: str  # empty: the ledger has no such row, since its ingest was interrupted
    sha256: str
    integrity: Literal["verified", "broken", "unverifiable", "unchecked"]
    evidence: tuple[str, ...]  # those of the answer's evidence that stand in it


class Basis(_Frozen, frozen=True, kw_only=True):
    """The part of the ledger that was there to be looked at for an answer, and the objects that it cites."""

    accounts: tuple[str, ...]  # of the events asked about; cited events may be of others, too
    since: int  # the span that its query may look at
    until: int
    objects: int  # that hold events of these accounts, and whose own span meets this one
    events: int  # of these objects, as the ledger counts them
    duplicates: int
    rejected: int
    unplaced: int  # rejected records of objects without any event: of which account and time they are, nothing tells
    integrity: Integrity  # of these objects
    sources: tuple[Source, ...]  # of the cited events, at most 20: broken ones first, then those that hold most of them
    sources_count: int


class Answer(_Frozen, frozen=True, kw_only=True):
    """yes, no, or unknown because ...; never without saying what it stood on."""

    uid: str  # question id + observable: unique within an investigation
    question: str
    asks: str  # the question in plain words
    step: int  # 3: asked of the finding's artifacts; 4: asked of what these revealed
    observable: Observable
    verdict: Verdict
    sentence: str
    facts: dict[str, Any]  # the values the sentence was made from
    evidence: tuple[str, ...]  # event uids, at most 50; `evidence_count` says how many there are
    evidence_count: int
    query: str
    parameters: dict[str, Any]
    basis: Basis
    gaps: tuple[Gap, ...] = ()  # why it is unknown; of a yes: what qualifies it
    covers: str = ""
    not_covered: str = ""


class Artifact(_Frozen, frozen=True, kw_only=True):
    kind: str
    value: str
    first_seen: int | None
    last_seen: int | None
    events: int
    context: dict[str, Any]  # country, network owner, role in the finding ...


class Moment(_Frozen, frozen=True, kw_only=True):
    """One line of the timeline."""

    time: int
    sentence: str
    event_uid: str
    phase: str  # "before", "sign-in", "alert", "after"
    status: Literal["success", "failure", ""] = ""  # of the event, where it is known: drawn as another sign


class Explanation(_Frozen, frozen=True, kw_only=True):
    """A rival story, and the answers that speak for and against it."""

    name: str
    title: str
    score: int
    for_: tuple[str, ...] = msgspec.field(name="for")  # answer uids
    against: tuple[str, ...]
    would_change_if: str


class Turn(_Frozen, frozen=True, kw_only=True):
    """An open answer that would change the verdict by itself, if it came out so."""

    answer: str  # uid
    verdict: Verdict
    disposition: Disposition


class Triage(_Frozen, frozen=True, kw_only=True):
    """One of the three questions that decide how urgent it is."""

    asks: str
    verdict: Verdict
    sentence: str
    answers: tuple[str, ...]  # uids


class Severity(_Frozen, frozen=True, kw_only=True):
    """How urgent it is, by the triage frame of AWS's incident response guide."""

    priority: Literal["P1", "P2", "P3"]
    reasons: tuple[Triage, ...]  # what makes it P1 or P2; empty where nothing does
    triage: tuple[Triage, ...]  # unauthorised? data? still active?


class Conclusion(_Frozen, frozen=True, kw_only=True):
    disposition: Disposition
    confidence: Literal["low", "medium", "high"]
    explanations: tuple[Explanation, ...]
    turns: tuple[Turn, ...] = ()  # what would change it, of what is not known
    severity: Severity | None = None


class Lead(_Frozen, frozen=True, kw_only=True):
    """An artifact that an answer revealed, and what became of it."""

    observable: Observable
    status: Literal["followed", "set aside", "not followed", "open"]  # a finished chase leaves none open
    score: int  # how much it could change the verdict, in points of weight
    reason: str  # what the score is made of; why it was set aside; why it was not followed
    distance: int  # hops from the alert
    answers: tuple[str, ...]  # uids of what was asked of it


class Hop(_Frozen, frozen=True, kw_only=True):
    """From one artifact to another, by the answer that revealed it."""

    source: Observable
    target: Observable
    answer: str  # uid


class Chase(_Frozen, frozen=True, kw_only=True):
    """Step 4 as a graph."""

    leads: tuple[Lead, ...]  # the followed first
    hops: tuple[Hop, ...]
    budget: int  # artifacts that may be followed
    omitted: int  # leads that are not listed, none of them followed


class Sentence(_Frozen, frozen=True, kw_only=True):
    """A claim; `evidence` is never empty."""

    text: str
    evidence: tuple[str, ...]
    answers: tuple[str, ...]


class Exhibit(_Frozen, frozen=True, kw_only=True):
    """An event that the narrative cites, told in a line."""

    uid: str
    time: int
    operation: str
    principal_uid: str


class Cited(_Frozen, frozen=True, kw_only=True):
    """An event that the document cites, and what it was: the SHA-256 of its record, of each if there are several."""

    uid: str
    sha256: tuple[str, ...]


class Paragraph(_Frozen, frozen=True, kw_only=True):
    paragraph: str  # "what happened", "who", "from where", "what was hit"
    sentences: tuple[Sentence, ...]


class Recommendation(_Frozen, frozen=True, kw_only=True):
    action: str
    why: tuple[str, ...]  # answer uids
    evidence: tuple[str, ...]
    playbook: str
    breaks: tuple[str, ...]  # what legitimate work this cuts off
    urgency: Literal["now", "today", "this week"]


class Unknown(_Frozen, frozen=True, kw_only=True):
    question: str
    because: str
    how_to_get: str


class Step(_Frozen, frozen=True, kw_only=True):
    name: str
    questions: tuple[str, ...]


class Subject(_Frozen, frozen=True, kw_only=True):
    title: str
    finding_uid: str | None
    observable: Observable | None
    window: tuple[int, int]
    event_uids: tuple[str, ...]


class Chart(_Frozen, frozen=True, kw_only=True):
    """Numbers a picture is drawn from: labelled rows of labelled values."""

    name: str  # "hours": 7 rows (Monday first) of 24 counts; "alert_hours": the same, for the alerting events
    rows: tuple[str, ...]
    columns: tuple[str, ...]
    values: tuple[tuple[int, ...], ...]
    marks: tuple[tuple[int, ...], ...]


class Investigation(_Frozen, frozen=True, kw_only=True):
    """The one frozen document that CLI, web, JSON and reports render."""

    uid: str
    subject: Subject
    as_of: dict[str, Any]  # delta_version, ledger
    finding: Finding | None
    steps: tuple[Step, ...]
    answers: tuple[Answer, ...]
    artifacts: tuple[Artifact, ...]
    timeline: tuple[Moment, ...]
    charts: tuple[Chart, ...]
    verdict: Conclusion
    narrative: tuple[Paragraph, ...]
    recommendations: tuple[Recommendation, ...]
    unknowns: tuple[Unknown, ...]
    versions: dict[str, str]
    exhibits: tuple[Exhibit, ...] = ()  # what sentences of the narrative cite first, in order of time
    cited: tuple[Cited, ...] = ()  # all that anything in the document cites
    chase: Chase | None = None  # step 4: what the answers revealed, and what was followed
