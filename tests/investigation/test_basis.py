"""What an answer says it stood on, against a slow reading of ledger, integrity and events; and what broken files do to it."""

from __future__ import annotations

import gzip
import random
import re
from collections import defaultdict

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.investigation.history import ACCOUNT, ALERT, DAY, HOUR, NOTHING_KNOWN, History, call, get_object, store, user

from trailhound.engines.duckdb import DuckDB
from trailhound.ingest import proofs
from trailhound.investigation import answers, evidence, scope, steps
from trailhound.investigation.questions import questions, tables
from trailhound.lake.lake import Lake
from trailhound.workspace import Workspace

OTHER = "444455556666"
ALERTING = [
    call("StopInstances", 0, requestParameters={"instancesSet": {"items": [{"instanceId": f"i-0{n}"}]}}) for n in (1, 2)
]
ELSEWHERE = [
    call("StopInstances", -50, userIdentity=user("eve", "AKIAEVE0000000000000"), recipientAccountId=OTHER),
    call("ListUsers", -200, recipientAccountId=OTHER),
    get_object("recorded", -3),
]
ASKED = ("ip_address.who_else", "operation.first_time", "user.outside_role", "time.off_hours", "operation.succeeded")


class Filed(History):
    """Records in files `f0`, `f1` ..., of which the ledger and the runs of `verify` tell."""

    def __init__(self, chooser: random.Random, files: int = 6, *, alert_in: tuple[str, ...] = ()) -> None:
        def source(record):
            if alert_in and record["eventID"].startswith("alert"):
                return alert_in[int(record["eventID"][-1]) % len(alert_in)]
            if record["recipientAccountId"] == OTHER and chooser.random() < 0.5:
                return "other"  # a file that holds nothing of the account
            if record["eventTime"] > "2024-05-21" and chooser.random() < 0.5:
                return "late"  # one that begins after the alert
            return f"f{chooser.randrange(files)}"

        super().__init__(ALERTING, ELSEWHERE, source=source)
        self.events = self.engine.query(
            "SELECT metadata.uid AS uid, source_uid, time, cloud.account.uid AS account FROM events"
        )
        held = defaultdict(list)
        for event in self.events:
            held[event["source_uid"]].append(event["time"])
        self.ledger = [
            {"uid": uid, "name": f"logs/{uid}.json.gz", "sha256": uid * 32, "container": "records", "events": len(times),
             "duplicates": chooser.randrange(3), "rejected": chooser.randrange(3), "first_time": min(times),
             "last_time": max(times), "ingested_at": 100}
            for uid, times in sorted(held.items())
        ]  # fmt: skip
        lost = {
            "name": "logs/x",
            "sha256": "x" * 64,
            "container": "unknown",
            "events": 0,
            "duplicates": 0,
            "ingested_at": 100,
        }
        self.ledger += [lost | {"uid": "x", "rejected": 1}, lost | {"uid": "y", "container": "digest", "rejected": 1}]
        store(self.engine, "ledger", self.ledger)

    def verified(self, runs) -> None:
        """`(file, state)` of one run, or `(file, state, path, checked_at)`."""
        rows = [(*run, "logs", 200)[:4] if len(run) == 2 else run for run in runs]
        self.integrity = [
            {"name": f"logs/{file}.json.gz", "sha256": file * 32, "state": state, "path": path, "checked_at": when,
             "kind": "log"}
            for file, state, path, when in rows
        ]  # fmt: skip
        store(self.engine, "integrity", self.integrity)

    def answers(self):
        """To every question that applies."""
        about = evidence.Evidence(self.engine, scope.of_finding(self.engine, self.finding()), NOTHING_KNOWN, [])
        return answers.ask_all([q for q in questions() if answers.applies(q, about)], about)


def state_of(file, integrity):
    states = {row["state"] for row in integrity if row["sha256"] == file["sha256"]}
    return next((state for state in ("verified", "broken", "unverifiable") if state in states), "unchecked")


def slowly(told, filed):
    """Row by row, without SQL."""
    objects = []
    for file in filed.ledger:
        inside = [
            event for event in filed.events if event["source_uid"] == file["uid"] and event["account"] in told.accounts
        ]
        if inside and file["first_time"] <= told.until and file["last_time"] >= told.since:
            objects.append(file)
    states = [state_of(file, filed.integrity) for file in objects]
    counts = {name: sum(file[name] for file in objects) for name in ("events", "duplicates", "rejected")}
    return {
        "objects": len(objects),
        **counts,
        "integrity": {s: states.count(s) for s in told.integrity.__struct_fields__},
    }


STATES = st.sampled_from(["verified", "broken", "unverifiable"])
RUNS = st.lists(
    st.tuples(st.sampled_from(["f0", "f1", "f2", "f3", "f9"]), STATES, st.sampled_from(["a", "b"]), st.just(200))
)


@settings(max_examples=10)
@given(st.integers(0, 2**32), st.integers(1, 40), RUNS)
def test_a_basis_is_what_a_slow_reading_finds(seed, files, runs):
    filed = Filed(random.Random(seed), files)
    filed.verified(runs)
    for answer in filed.answers():
        told = answer.basis
        read = slowly(told, filed)
        assert {name: msgspec.to_builtins(getattr(told, name)) for name in read} == read, answer.question
        assert (told.accounts, told.unplaced) == ((ACCOUNT,), 1)


@settings(max_examples=10)
@given(st.integers(0, 2**32), st.integers(1, 40), RUNS)
def test_the_sources_are_the_files_of_the_cited_events(seed, files, runs):
    filed = Filed(random.Random(seed), files)
    filed.verified(runs)
    rows = {file["uid"]: file for file in filed.ledger}
    seen = 0
    for answer in filed.answers():
        if answer.evidence_count > len(answer.evidence):
            continue  # of the others the document does not say which they are
        held = defaultdict(list)
        for uid in answer.evidence:
            held[next(event["source_uid"] for event in filed.events if event["uid"] == uid)].append(uid)
        told, broken = answer.basis.sources, [s.integrity == "broken" for s in answer.basis.sources]
        assert answer.basis.sources_count == len(held)
        assert len(told) == min(len(held), 20)
        assert broken == sorted(broken, reverse=True), "broken ones come first"
        for source in told:
            file = rows[source.uid]
            assert (source.name, source.sha256) == (file["name"], file["sha256"])
            assert source.integrity == state_of(file, filed.integrity)
            assert list(source.evidence) == held[source.uid]
        seen += 1
    assert seen > 10


@pytest.fixture(scope="module")
def whole():
    filed = Filed(random.Random(1))
    filed.verified([])
    return {answer.uid: answer for answer in filed.answers()}


@settings(max_examples=10)
@given(st.sets(st.integers(0, 5)))
def test_broken_files_make_answers_unknown_and_turn_none_round(whole, broken):
    filed = Filed(random.Random(1))
    filed.verified([(f"f{n}", "broken") for n in broken])
    home = {event["uid"]: event["source_uid"] for event in filed.events}
    for answer in filed.answers():
        before = whole[answer.uid].verdict
        if answer.question == "time.trusted":  # is about the files themselves: broken ones are what it looks for
            assert answer.verdict in (before, "no" if broken else before)
            continue
        assert answer.verdict in (before, "unknown"), answer.question
        altered = [home[uid] in {f"f{n}" for n in broken} for uid in answer.evidence]
        if answer.verdict == "no":
            assert not any(altered)
        if answer.verdict == "yes" and any(altered):
            assert [gap.what for gap in answer.gaps] == ["integrity"]
            assert "(But " in answer.sentence
        if answer.verdict == "yes" and answer.evidence_count == len(altered):
            assert not all(altered)


def one(found, question):
    return next(answer for answer in found if answer.question == question)


def test_what_only_broken_files_say_is_unknown_and_still_told():
    filed = Filed(random.Random(2), alert_in=("altered",))
    filed.verified([])
    said = one(filed.answers(), "operation.succeeded")
    assert said.verdict == "yes"
    filed.verified([("altered", "broken")])
    answer = one(filed.answers(), "operation.succeeded")
    assert answer.verdict == "unknown"
    assert answer.sentence == f"By broken files alone: {said.sentence}"
    (gap,) = answer.gaps
    assert (
        gap.because == "all that it would stand on is in a file proven not to be what was delivered (altered.json.gz)"
    )
    assert "trailhound verify" in gap.how_to_get


def test_a_no_must_not_rest_on_a_broken_file_even_in_part():
    filed = Filed(random.Random(2), alert_in=("altered", "sound"))
    filed.verified([])
    assert one(filed.answers(), "operation.by_hand").verdict == "no"
    filed.verified([("altered", "broken")])
    found = filed.answers()
    answer = one(found, "operation.by_hand")
    assert (answer.verdict, answer.gaps[0].what) == ("unknown", "integrity")
    assert "one of the two events that it stands on is in a file" in answer.gaps[0].because
    yes = one(found, "operation.succeeded")
    assert (yes.verdict, [gap.what for gap in yes.gaps]) == ("yes", ["integrity"])


@pytest.mark.parametrize(("state", "verdict"), [("verified", "yes"), ("unverifiable", "yes"), ("broken", "unknown")])
def test_only_what_is_proven_altered_is_set_aside(state, verdict):
    filed = Filed(random.Random(2), alert_in=("altered",))
    filed.verified([("altered", state)])
    assert one(filed.answers(), "operation.succeeded").verdict == verdict


def test_a_no_is_unknown_where_a_file_of_that_time_is_broken_of_which_no_digest_says_when_it_was():
    filed = Filed(random.Random(2), alert_in=("alert",))
    filed.verified([])
    noes = [answer for answer in filed.answers() if answer.verdict == "no"]
    needy = {q.id for q in questions() if q.no_needs.history}
    filed.verified([("f3", "broken")])
    found = {answer.uid: answer for answer in filed.answers()}
    concerned = [answer.uid for answer in noes if answer.question in needy]
    assert concerned
    assert {found[uid].verdict for uid in concerned} == {"unknown"}


def test_an_investigation_tells_that_what_alerted_is_not_proven():
    filed = Filed(random.Random(2), alert_in=("altered",))
    filed.verified([("altered", "broken")])
    finding = filed.finding()
    inputs = steps.Inputs(engine=filed.engine, settings=NOTHING_KNOWN, findings=[], as_of={}, versions={})
    document = steps.investigate(inputs, scope.of_finding(filed.engine, finding), finding=finding, observable=None)
    assert (
        document.narrative[0]
        .sentences[-1]
        .text.startswith("This is not proven: all that it would stand on is in a file")
    )
    assert any("tells happen as the log says?" in unknown.question for unknown in document.unknowns)
    told = {uid for paragraph in document.narrative for sentence in paragraph.sentences for uid in sentence.answers}
    by_uid = {answer.uid: answer for answer in document.answers}
    assert not [uid for uid in told if by_uid[uid].verdict == "yes" and by_uid[uid].basis.sources[0].integrity == "broken"
                and by_uid[uid].basis.sources_count == 1]  # fmt: skip


@pytest.mark.parametrize(
    ("proven", "expected"),
    [
        ([("h0", "verified")], ["verified", "unchecked"]),  # the other was changed since, or fetched anew
        ([("h1", "broken")], ["unchecked", "broken"]),
        ([("h0", "verified"), ("h0", "broken")], ["verified", "unchecked"]),  # a copy of it lies in another's place
        ([("h0", "unverifiable"), ("h0", "verified")], ["verified", "unchecked"]),
        ([("h0", "unverifiable"), ("h1", "broken")], ["unverifiable", "broken"]),
        ([("", "broken")], ["unchecked", "unchecked"]),  # missing
    ],
)
def test_a_proof_speaks_of_the_bytes_that_verify_read(proven, expected):
    engine = DuckDB()
    store(engine, "ledger", [{"uid": f"u{n}", "name": "a", "sha256": f"h{n}", "ingested_at": n} for n in range(2)])
    store(engine, "integrity", [{"name": "b", "sha256": sha256, "state": state} for sha256, state in proven])
    proofs.mount_object_states(engine)
    found = {row["uid"]: row["state"] for row in engine.query("FROM object_states")}
    assert [found.get(f"u{n}", "unchecked") for n in range(2)] == expected


def test_a_record_that_contradicts_another_counts_as_broken_when_either_file_is():
    twice = [
        {**call("StopInstances", 0), "eventID": "alert-0"},
        {**call("StopInstances", 0), "eventID": "alert-0", "errorCode": "x"},
    ]
    homes = iter(["sound", "altered"])
    story = History([], twice, source=lambda record: next(homes) if record["eventID"] == "alert-0" else "quiet")
    story.uids = ("alert-0",)
    rows = [{"uid": uid, "sha256": uid, "ingested_at": 1} for uid in ("sound", "altered", "quiet")]
    store(story.engine, "ledger", rows)
    store(story.engine, "integrity", [{"sha256": "altered", "state": "broken", "checked_at": 2}])
    about = evidence.Evidence(story.engine, scope.of_finding(story.engine, story.finding()), NOTHING_KNOWN, [])
    assert about.places(["alert-0"]) == {"alert-0": {"sound", "altered"}}
    events, objects = about.ledger.in_broken(["alert-0"], about.places(["alert-0"]))
    assert (events, [o.uid for o in objects]) == (["alert-0"], ["altered"])


def test_a_file_whose_ingest_was_interrupted_is_named_by_its_uid_alone():
    answer = History(ALERTING).ask("operation.succeeded")
    (source,) = answer.basis.sources
    assert (source.uid, source.name, source.sha256, source.integrity) == ("source", "", "", "unchecked")
    assert (answer.basis.objects, answer.basis.sources_count) == (0, 1)


def test_the_slices_that_have_no_beginning_are_those_said_to_be_of_any_time():
    bounded = r"\$since|\$at|BETWEEN \$first_day|^hands"
    reading = {name: table.from_ for name, table in tables().tables.items() if re.search(r"\bevents\b", table.from_)}
    unbounded = {name for name, select in reading.items() if not re.search(bounded, select)}
    assert unbounded == evidence._OF_ANY_TIME


@pytest.mark.parametrize(
    ("sql", "since", "until"),
    [
        ("SELECT 1 FROM subject", ALERT, ALERT),
        ("SELECT 1 FROM hands JOIN subject USING (uid)", ALERT - DAY, ALERT + 2 * DAY),
        ("SELECT 1 FROM actor, subject", ALERT - 90 * DAY, ALERT + 2 * DAY),
        ("SELECT 1 FROM place", ALERT - 90 * DAY, ALERT + 2 * DAY),
        ("SELECT 1", ALERT - 90 * DAY, ALERT + 2 * DAY),
    ],
)
def test_the_span_is_that_of_the_slices(sql, since, until):
    filed = Filed(random.Random(3))
    about = evidence.Evidence(filed.engine, scope.of_finding(filed.engine, filed.finding()), NOTHING_KNOWN, [])
    told = about.basis(sql, [], shown=0)
    assert (told.since, told.until) == (since, until)


def test_the_span_of_an_address_begins_where_the_log_does():
    story = History(ALERTING, [call("ListUsers", -24 * 200)])
    about = evidence.Evidence(story.engine, scope.of_finding(story.engine, story.finding()), NOTHING_KNOWN, [])
    assert about.basis("SELECT 1 FROM place", [], shown=0).since == ALERT - 200 * 24 * HOUR


def test_from_an_altered_file_to_the_answer_in_a_workspace(tmp_path):
    logs, space = tmp_path / "logs", Workspace(tmp_path / "space")
    truth = space.simulate("policy_attached", logs, events=1_500, digests=True)
    uids = set(truth.findings[0].event_uids)
    files = {file: gzip.decompress(file.read_bytes()) for file in (logs / "AWSLogs").rglob("*_CloudTrail_*.json.gz")}
    altered = [file for file, text in files.items() if any(uid.encode() in text for uid in uids)]
    for file in altered:
        file.write_bytes(gzip.compress(files[file].replace(b'"userAgent":"', b'"userAgent":"x')))
    space.ingest([logs / "AWSLogs"])
    space.verify(logs / "AWSLogs", public_keys=[logs / "public-keys.json"])
    engine = DuckDB()
    Lake(space.folder).mount(engine)
    where = "SELECT source_uid FROM events WHERE list_contains($uids, metadata.uid)"
    homes = {row["source_uid"] for row in engine.query(where, {"uids": sorted(uids)})}
    document = space.investigate(observable=f"event={sorted(uids)[0]}")
    sources = {source.uid: source for answer in document.answers for source in answer.basis.sources}
    broken = {uid for uid, source in sources.items() if source.integrity == "broken"}
    assert broken
    assert broken <= homes
    assert {sources[uid].integrity for uid in sources.keys() - homes} <= {"verified"}
    assert all(answer.basis.integrity.broken for answer in document.answers)
    assert msgspec.json.encode(document) == msgspec.json.encode(
        space.investigate(observable=f"event={sorted(uids)[0]}")
    )
