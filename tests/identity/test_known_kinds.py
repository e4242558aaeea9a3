"""What somebody was taken for on a day is what the days before showed."""

from __future__ import annotations

import random
from pathlib import Path

from tests.identity.readings import engine_of, lake_of, some
from tests.identity.test_principals import ALICE, MONDAY, History, role
from tests.lake.rows import DAY, Row

from trailhound.engines.duckdb import DuckDB
from trailhound.identity.principals import PRINCIPALS


def test_what_it_was_taken_for_is_not_changed_by_later_days(tmp_path: Path) -> None:
    """As if the log had ended there; and each day counts from the next one on, but for the first."""
    engine = engine_of(lake_of(tmp_path, [*some(random.Random(5), 0, 400, days=12), *_a_career().rows]))
    tables = ("activity", "sessions", "credentials")
    whole = {row["uid"]: row for row in spells(engine)}
    for table in tables:
        engine.execute(f"CREATE TABLE whole_{table} AS FROM {table}")
    days = [row["event_day"] for row in engine.query("SELECT DISTINCT event_day FROM whole_activity ORDER BY ALL")]
    for last in days[1::3]:
        end = f"epoch_ms(CAST('{last}' AS TIMESTAMP)) + {DAY}"
        for table in tables:
            seen = "hour" if table == "activity" else "first_seen_time"
            opened = f"least(created_time, {seen})" if table == "sessions" else seen
            engine.execute(f"CREATE OR REPLACE VIEW {table} AS FROM whole_{table} WHERE coalesce({opened}, 0) < {end}")
        (cut,) = engine.query(f"SELECT {end} AS at")
        for row in spells(engine):
            known = [one for one in spelled(whole[row["uid"]]) if one[0] <= cut["at"]]
            assert spelled(row) == known, (last, row["uid"])
    kinds = {name: spelled(whole[uid]) for name, uid in {"alice": ALICE, "admin": role("admin")}.items()}
    assert [(since, kind) for since, kind, _ in kinds["alice"]] == [(MONDAY, "unknown"), (MONDAY + 4 * DAY, "human")]
    assert [(since, kind) for since, kind, _ in kinds["admin"]] == [
        (MONDAY + 2 * DAY, "unknown"),
        (MONDAY + 6 * DAY, "human"),
    ]


def _a_career() -> History:
    """Alice uses keys on Monday, opens a role on Wednesday, signs in to the console on Thursday, opens it again."""
    history = History()
    history.call(ALICE)
    history.session(role("admin"), ALICE, "IAMUser", "one", MONDAY + 2 * DAY)
    signed_in = {"api__service__name": "signin.amazonaws.com", "metadata__event_code": "AwsConsoleSignIn"}
    history.call(ALICE, at=MONDAY + 3 * DAY, operation="ConsoleLogin", **signed_in)
    history.session(role("admin"), ALICE, "IAMUser", "two", MONDAY + 5 * DAY)
    for number, row in enumerate(history.rows):
        row["metadata.uid"] = f"career-{number}"
    return history


def spells(engine: DuckDB) -> list[Row]:
    made = PRINCIPALS.make(engine)
    engine.mount_arrow("made", made)
    return engine.query("SELECT uid, known_since, known_kinds, known_peers FROM made")


def spelled(row: Row) -> list[tuple[int, str, str]]:
    return list(zip(row["known_since"], row["known_kinds"], row["known_peers"], strict=True))
