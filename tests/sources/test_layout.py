"""CloudTrail's layout in a bucket: which names are wanted, against a plain reading of them."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trailhound.sources.layout import EVERYTHING, LATE, Selection, day_folders, left_out, place, step, wanted

ONE, OTHER = "111122223333", "444455556666"
FILE = f"{ONE}_CloudTrail_us-east-1_20240517T0105Z_AbCdEfGhIjKlMnOp.json.gz"
FOLDER = f"AWSLogs/{ONE}/CloudTrail/us-east-1/2024/05/17/"
days = st.dates(date(2014, 1, 1), date(2030, 12, 31))


def midnight(day: date) -> int:
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp() * 1000)


@pytest.mark.parametrize("prefix", ["", "logs/", "a/b/AWSLogs/x/", "AWSLogs/o-abcdefghij/", "p/AWSLogs/o-a1b2c3d4e5/"])
def test_a_key_says_where_it_belongs(prefix: str) -> None:
    key = prefix + (FOLDER.removeprefix("AWSLogs/") if "/o-" in prefix else FOLDER) + FILE
    assert place(key) == (ONE, "CloudTrail", "us-east-1", date(2024, 5, 17))


def test_the_name_of_a_file_speaks_where_folders_do_not() -> None:
    assert place(f"copied/{FILE}") == (ONE, "CloudTrail", "us-east-1", date(2024, 5, 17))
    digest = f"{ONE}_CloudTrail-Digest_eu-west-1_trail_us-east-1_20240517T010500Z.json.gz"
    assert (place(digest).service, place(digest).region) == ("CloudTrail-Digest", "eu-west-1")
    assert left_out(digest, "") == "digest files"
    assert left_out(f"AWSLogs/{ONE}/CloudTrail-Digest/x", f"AWSLogs/{ONE}/CloudTrail-Digest/") == ""


@given(first=days, length=st.integers(0, 800), today=days)
def test_day_folders_cover_each_day_once_and_no_other(first: date, length: int, today: date) -> None:
    until = midnight(first + timedelta(length + 1))
    folders = list(day_folders(Selection(since=midnight(first), until=until), today))
    last = min(first + timedelta(length) + LATE, today + LATE)
    asked = {first + timedelta(n) for n in range((last - first).days + 1)}
    near = {first + timedelta(n) for n in range(-40, length + 80)}
    holding = {day: [f for f in folders if f"{day:%Y/%m/%d}/".startswith(f)] for day in near}
    assert {day for day, found in holding.items() if found} == asked
    assert all(len(found) <= 1 for found in holding.values())
    assert len(folders) <= 62 + len(asked) // 28 + 1, "whole months are listed as such"


@given(
    account=st.sampled_from([ONE, OTHER]), region=st.sampled_from(["us-east-1", "eu-west-1"]), day=days,
    accounts=st.sets(st.sampled_from([ONE, OTHER])), regions=st.sets(st.sampled_from(["us-east-1", "eu-west-1"])),
    span=st.none() | st.tuples(days, st.integers(0, 30)),
)  # fmt: skip
def test_wanted_is_what_a_person_would_pick(account, region, day, accounts, regions, span) -> None:
    bounds = {} if span is None else {"since": midnight(span[0]), "until": midnight(span[0] + timedelta(span[1] + 1))}
    selection = Selection(tuple(accounts), tuple(regions), **bounds)
    key = f"x/AWSLogs/{account}/CloudTrail/{region}/{day:%Y/%m/%d}/f.json.gz"
    picked = (not accounts or account in accounts) and (not regions or region in regions)
    if span is not None:
        picked = picked and span[0] <= day <= span[0] + timedelta(span[1]) + timedelta(days=1)
    assert wanted(key, selection) == picked


@given(st.text(alphabet="ab/.-_0123456789AWSLogsCloudTrailo", max_size=80))
def test_no_name_is_too_odd(key: str) -> None:
    place(key), left_out(key, ""), step(f"{key}/", Selection(accounts=(ONE,))), wanted(key, EVERYTHING)


def test_a_name_that_says_nothing_is_read() -> None:
    assert wanted("export/part-0001.json", Selection((ONE,), ("us-east-1",), 0, 1))
    assert wanted(f"AWSLogs/{ONE}/CloudTrail/us-east-1/2024/13/45/x", Selection((ONE,), (), 0, 1))


def test_steps_down_the_layout() -> None:
    chosen = Selection((ONE,), ("us-east-1",), 0, 1)
    steps = {
        "AWSLogs/": "descend",
        "AWSLogs/o-abcdefghij/": "descend",
        f"AWSLogs/{ONE}/": "descend",
        f"AWSLogs/{OTHER}/": "skip",
        f"AWSLogs/{ONE}/Config/": "other",
        f"AWSLogs/{ONE}/CloudTrail/": "descend",
        f"AWSLogs/{ONE}/CloudTrail/us-east-1/": "days",
        f"AWSLogs/{ONE}/CloudTrail/eu-west-1/": "skip",
        f"AWSLogs/{ONE}/CloudTrail/odd/": "all",
        "AWSLogs/odd/": "all",
    }
    assert {folder: step(folder, chosen) for folder in steps} == steps
    assert step(f"AWSLogs/{ONE}/CloudTrail/us-east-1/", EVERYTHING) == "all"
