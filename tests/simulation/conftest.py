"""Simulated histories, read back with nothing but gzip and json: independent of what wrote them."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from trailhound.simulation import simulate

Record = dict[str, Any]


class History(NamedTuple):
    folder: Path
    truth: dict[str, Any]
    records: list[Record]

    def phase(self, name: str) -> list[Record]:
        """The records that the truth gives to a phase, in order of time."""
        uids = next(phase for phase in self.truth["phases"] if phase["name"] == name)["event_uids"]
        found = [record for record in self.records if record["eventID"] in set(uids)]
        return sorted(found, key=lambda record: record["eventTime"])

    def by(self, user: str) -> list[Record]:
        return [record for record in self.records if record["userIdentity"].get("userName") == user]


def files(folder: Path) -> list[Path]:
    return sorted((folder / "AWSLogs").rglob("*.json.gz"))


def read(folder: Path) -> History:
    records = [record for path in files(folder) for record in json.loads(gzip.decompress(path.read_bytes()))["Records"]]
    return History(folder, json.loads((folder / "truth.json").read_text()), records)


@pytest.fixture(scope="session")
def told(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., History]:
    """A story's history, written once a session for each set of arguments."""
    made: dict[tuple[Any, ...], History] = {}

    def tell(story: str, **arguments: Any) -> History:
        key = (story, *sorted(arguments.items()))
        if key not in made:
            folder = tmp_path_factory.mktemp(story)
            simulate(story, folder, **arguments)
            made[key] = read(folder)
        return made[key]

    return tell


@pytest.fixture(scope="session")
def roboman1(told: Callable[..., History]) -> History:
    return told("roboman1")


@pytest.fixture(scope="session")
def month(told: Callable[..., History]) -> History:
    return told("quiet", events=20000)


@pytest.fixture(scope="session")
def quiet(told: Callable[..., History]) -> History:
    return told("quiet", events=6000, days=7)
