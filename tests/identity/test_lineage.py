"""The tree around one key, session, person or event, and what is still held."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from tests.identity.chains import (
    ACCOUNTS,
    BEGIN,
    ROLES,
    History,
    Holder,
    World,
    assume,
    at_portal,
    console,
    handed_out,
    lake_of,
    made_for,
    person,
    play,
    user,
    without,
)

from trailhound.engines.duckdb import DuckDB
from trailhound.errors import RequestError
from trailhound.identity.lineage import Lineage, Session, lineage
from trailhound.lake.lake import Lake

HOUR = 3600


class Scene:
    """Alice opens a session in a second account, and with it one in a third, in which a call is made."""

    backdoor: Holder  # a user that somebody made, where a test has one

    def __init__(self) -> None:
        self.history = History(random.Random(1))
        self.world = World({(a, r): self.history.id("AROA") for a in ACCOUNTS for r in ROLES})
        self.alice = user(self.history, ACCOUNTS[0], "alice")
        self.history.call(self.alice, BEGIN)
        self.first = self.open(self.alice, ACCOUNTS[1], BEGIN + 60, "hop-1")
        self.second = self.open(self.first, ACCOUNTS[2], BEGIN + 120, "hop-2")
        self.history.call(self.second, BEGIN + 180)

    def open(self, holder: Holder, account: str, at: int, name: str) -> Holder:
        return assume(self.history, self.world, holder, account, at, name=name)

    def event(self, name: str, account: str, key: str) -> str:
        """eventID of a call by this key, as the trail of an account has it."""
        return next(
            record["eventID"]
            for record in self.history.records
            if record["eventName"] == name
            and record["recipientAccountId"] == account
            and key in (record["userIdentity"].get("accessKeyId"), record["userIdentity"].get("principalId"))
        )

    @property
    def last_call(self) -> str:
        return self.history.records[-1]["eventID"]


@pytest.fixture(scope="module")
def scene() -> Scene:
    return Scene()


@pytest.fixture(scope="module")
def lake(scene: Scene, tmp_path_factory: pytest.TempPathFactory) -> Lake:
    return lake_of(tmp_path_factory.mktemp("scene"), scene.history.records)


def ask(lake: Lake, asked: str, at: int | None = None) -> Lineage:
    engine = DuckDB()
    lake.mount(engine)
    try:
        return lineage(engine, asked, None if at is None else at * 1000)
    finally:
        lake.close()


def paths(found: Lineage) -> Iterator[tuple[str, list[Session]]]:
    """Root and way down to each session that was asked about."""

    def below(root: str, way: list[Session]) -> Iterator[tuple[str, list[Session]]]:
        if way[-1].asked:
            yield root, way
        for session in way[-1].opened:
            yield from below(root, [*way, session])

    for tree in found.trees:
        for session in tree.sessions:
            yield from below(tree.uid, [session])


def test_two_hops_lead_to_the_person_with_the_event_of_each(scene: Scene, lake: Lake) -> None:
    hops = (scene.alice, scene.first)
    evidence = [scene.event("AssumeRole", who.account, who.identity["accessKeyId"]) for who in hops]
    arn = scene.second.identity["arn"]
    sitting = f"{scene.second.principal_id}@{scene.second.began * 1000}"
    for asked in (scene.second.identity["accessKeyId"], arn, sitting, scene.last_call, "hop-2"):
        ((root, way),) = paths(ask(lake, asked))
        assert root == scene.alice.root
        assert [session.name for session in way] == ["hop-1", "hop-2"]
        assert [session.evidence[0] for session in way] == evidence
        assert [(session.established, session.confidence) for session in way] == [("issued_key", "certain")] * 2
        assert way[-1].calls == 1


def test_a_person_is_found_by_whatever_names_them(scene: Scene, lake: Lake) -> None:
    key = scene.alice.identity["accessKeyId"]
    for asked in (key, scene.alice.root, scene.alice.identity["arn"], "alice", scene.history.records[0]["eventID"]):
        (tree,) = ask(lake, asked).trees
        assert tree.uid == scene.alice.root
        assert [one.uid for one in tree.credentials] == [key]
        if asked != scene.history.records[0]["eventID"]:
            assert [session.name for session in tree.sessions] == ["hop-1"]


def test_the_copy_of_the_other_account_leads_to_the_same_session(scene: Scene, lake: Lake) -> None:
    copy = scene.event("AssumeRole", scene.second.account, scene.first.principal_id)
    found = list(paths(ask(lake, copy)))
    assert [(root, way[-1].name) for root, way in found] == [(scene.alice.root, "hop-1")]


def test_what_is_held_ends_when_the_log_says(scene: Scene, lake: Lake) -> None:
    key = scene.first.identity["accessKeyId"]
    ends = scene.first.began + HOUR
    during, after = ask(lake, key, ends - 1), ask(lake, key, ends + 120)
    assert [(one.credential_uids, one.until, one.at_most, one.asked) for one in during.held] == [
        ((scene.second.identity["accessKeyId"],), (scene.second.began + HOUR) * 1000, False, False),
        ((key,), ends * 1000, False, True),
    ]
    assert not after.held
    assert not ask(lake, key, BEGIN).held


def test_a_console_session_has_many_keys_and_ends_at_the_latest(tmp_path: Path) -> None:
    history = History(random.Random(2))
    alice = user(history, ACCOUNTS[0], "alice")
    sitting = console(history, alice, BEGIN)
    sign_in = history.records[-1]["eventID"]
    for number in range(3):
        identity = sitting.identity | {"accessKeyId": f"ASIACONSOLE{number:09}"}
        history.call(Holder(identity, alice.account, alice.principal_id, alice.root), BEGIN + 60 * number)
    found = ask(lake_of(tmp_path, history.records), "alice")
    ((root, (session,)),) = paths(found)
    assert (root, session.calls, len(session.credential_uids)) == (alice.root, 3, 3)
    assert (session.established, session.evidence) == ("console_sign_in", (sign_in,))
    assert [(one.until, one.at_most) for one in found.held] == [((BEGIN + 12 * HOUR) * 1000, True)]


def test_two_who_open_sessions_of_one_name_in_one_second_stay_apart(tmp_path: Path) -> None:
    scene = Scene()
    scene.history.dice = random.Random(5)
    bob = user(scene.history, ACCOUNTS[0], "bob")
    role = scene.history.dice.getstate()
    opened = []
    for who in (scene.alice, bob):
        scene.history.dice.setstate(role)
        opened.append(scene.open(who, ACCOUNTS[3], BEGIN + 300, "same"))
        scene.history.dice.random()
    opened[1].identity["accessKeyId"] = "ASIAOFBOB00000000001"
    for record in scene.history.records[-2:]:
        record["responseElements"]["credentials"]["accessKeyId"] = "ASIAOFBOB00000000001"
        record["eventID"] = record["eventID"][::-1]
        record["sharedEventID"] = record["sharedEventID"][::-1]
    assert opened[0].identity["arn"] == opened[1].identity["arn"]
    for who in opened:
        scene.history.call(who, BEGIN + 400)
    found = ask(lake_of(tmp_path, scene.history.records), opened[0].identity["arn"])
    assert {(root, way[-1].credential_uids) for root, way in paths(found)} == {
        (who.root, (who.identity["accessKeyId"],)) for who in opened
    }


def test_a_missing_account_is_the_broken_edge(scene: Scene, tmp_path: Path) -> None:
    lake = lake_of(tmp_path, without(scene.history.records, ACCOUNTS[1:2]))
    found = ask(lake, scene.second.identity["accessKeyId"])
    ((root, (session,)),) = paths(found)
    assert root == f"{ACCOUNTS[1]}:{scene.first.principal_id.partition(':')[0]}"
    assert session.confidence is None
    assert session.origin_confidence == "broken"
    assert f"the trail of account {ACCOUNTS[1]} is not in the log" in (session.broken or "")
    assert not found.held


def test_a_session_of_identity_center_hangs_from_the_portal_of_its_person(tmp_path: Path) -> None:
    history = History(random.Random(3))
    world, alice = World({}), person(history, 0, "alice", older=False)
    portal = at_portal(history, alice, BEGIN)
    role = handed_out(history, world, portal, "alice", BEGIN + 60)
    role.identity.pop("onBehalfOf", None)
    history.call(role, BEGIN + 90)
    found = ask(lake_of(tmp_path, history.records), role.identity["accessKeyId"])
    calls = {record["eventName"]: record["eventID"] for record in history.records}
    ((root, (above, below)),) = paths(found)
    assert (root, above.evidence) == (alice.root, (calls["UserAuthentication"],))
    assert (below.operation, below.confidence) == ("AssumeRoleWithSAML", "likely")
    assert below.evidence == (calls["AssumeRoleWithSAML"], calls.get("GetRoleCredentials") or calls["Federate"])
    assert [(one.principal_uid, one.at_most) for one in found.held] == [
        (alice.root, True),
        (below.principal_uid, False),
    ]


@pytest.mark.parametrize("used", [False, True])
def test_who_made_a_key_is_found_from_both_ends_and_never_certain(tmp_path: Path, *, used: bool) -> None:
    scene = Scene()
    made = made_for(scene.history, scene.second, scene.second.account, "backdoor", BEGIN + 400)
    key = made.identity["accessKeyId"]
    if used:
        scene.history.call(made, BEGIN + 500)
    lake = lake_of(tmp_path, scene.history.records)
    calls = {record["eventName"]: record["eventID"] for record in scene.history.records}
    calls = {name: calls[name] for name in ("CreateUser", "CreateAccessKey", "CreateLoginProfile")}
    for asked in (key, "backdoor", made.root):
        (tree,) = ask(lake, asked).trees
        assert (tree.uid, tree.sessions) == (made.root, ())
        assert [(one.uid, one.calls) for one in tree.credentials] == [(key, int(used))]
        assert {one.operation: one.event_uid for one in tree.made_by} == calls
        assert [one.credential_uid for one in tree.made_by] == [None, key, None]
        for one in tree.made_by:
            assert (one.by_origin_uid, one.by_origin_confidence) == (scene.alice.root, "certain")
            assert (one.by_session_uid, one.confidence, one.itself) == (
                scene.second.identity["accessKeyId"],
                "possible",
                False,
            )
    for asked in ("alice", scene.second.identity["accessKeyId"]):
        (tree,) = ask(lake, asked).trees
        assert [one.event_uid for one in tree.made] == list(calls.values())


def test_a_key_that_somebody_makes_for_itself_is_its_own(tmp_path: Path) -> None:
    scene = Scene()
    made = made_for(scene.history, scene.alice, ACCOUNTS[0], "alice", BEGIN + 400)
    (tree,) = ask(lake_of(tmp_path, scene.history.records), made.identity["accessKeyId"]).trees
    assert [(one.itself, one.confidence) for one in tree.made_by] == [(True, "certain")] * 3
    assert not tree.made


def test_behind_a_break_who_made_a_key_is_not_known(tmp_path: Path) -> None:
    scene = Scene()
    made = made_for(scene.history, scene.second, ACCOUNTS[2], "backdoor", BEGIN + 400)
    (tree,) = ask(lake_of(tmp_path, without(scene.history.records, ACCOUNTS[1:2])), made.root).trees
    assert {(one.by_origin_confidence, one.confidence) for one in tree.made_by} == {("broken", "possible")}


@pytest.mark.parametrize("seed", range(3))
def test_every_session_of_a_history_hangs_from_its_root(tmp_path: Path, seed: int) -> None:
    history = play(500 + seed, chains=20, centers=True)
    lake = lake_of(tmp_path, history.records)
    holders = {who.identity["accessKeyId"]: who for who in history.calls.values() if "accessKeyId" in who.identity}
    for key, who in holders.items():
        if key.startswith("ASIA"):
            ((root, way),) = paths(ask(lake, key))
            assert (root, len(way)) == (who.root, who.depth)


def test_what_the_log_does_not_know_is_said(lake: Lake) -> None:
    unknown = (
        "ASIANOSUCHKEY",
        "no' OR 1=1 --",
        "x" * 1_000_000,
        "00000000-0000-0000-0000-000000000000",
        "",
        "\0\x1b[2J",
    )
    for asked in unknown:
        with pytest.raises(RequestError, match="nothing in the log answers to") as refusal:
            ask(lake, asked)
        assert len(str(refusal.value)) < 1200


@pytest.mark.parametrize(
    "name", ["a" * 1_000_000, 'it\'s "so"; DROP TABLE sessions --', "\x1b[2J\r\nroot\u202e", "%_$1\\1"]
)
def test_a_hostile_session_name_is_a_name(tmp_path: Path, name: str) -> None:
    scene = Scene()
    opened = scene.open(scene.second, ACCOUNTS[0], BEGIN + 300, name)
    scene.history.call(opened, BEGIN + 400)
    found = ask(lake_of(tmp_path, scene.history.records), opened.identity["accessKeyId"])
    ((root, way),) = paths(found)
    assert (root, [session.name for session in way]) == (scene.alice.root, ["hop-1", "hop-2", name])
    assert msgspec.json.decode(msgspec.json.encode(found), type=Lineage) == found
