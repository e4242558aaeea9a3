"""Delivery of records to the bucket: files of about five minutes, late and unordered, as CloudTrail writes them."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from pathlib import Path
from random import Random

import deflate

from trailhound.simulation.actors import Event
from trailhound.simulation.digests import Delivered, Digests
from trailhound.simulation.template import iso

_EVERY = 300  # seconds between deliveries
_SOONEST, _LATEST = 60, 780  # seconds from an event to its delivery; about five minutes on average
_LEVEL = 1  # of compression: three times as fast as the default, a tenth larger
_LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"


class Delivery:
    """Holds records back until their file is due. The same records in the same order give the same bytes."""

    def __init__(
        self,
        root: Path,
        account: str,
        seed: int,
        blind: tuple[int, int] | None = None,
        digests: Digests | None = None,
    ) -> None:
        self._root, self._account, self._blind, self._digests = root, account, blind, digests
        self._rng = Random(f"{seed}/delivery")
        self._due: defaultdict[tuple[int, str], list[tuple[int, str]]] = defaultdict(list)
        self._folders: set[str] = set()
        self.events = self.files = self.bytes = 0  # bytes: of JSON, before compression

    def add(self, event: Event) -> bool:
        """Take a record; False when the trail was not recording."""
        if self._blind and self._blind[0] < event.time < self._blind[1]:
            return False
        late = self._rng.random()
        due = event.time + _SOONEST + int((_LATEST - _SOONEST) * late * late)
        self._due[due // _EVERY + 1, event.region].append((event.time, event.text))
        return True

    def flush(self, until: int | None = None) -> None:
        """Write the files that are due before `until` (epoch seconds), or all."""
        ready = sorted(key for key in self._due if until is None or key[0] * _EVERY < until)
        for slot, region in ready:
            self._write(slot * _EVERY, region, self._due.pop((slot, region)))

    def close(self) -> None:
        """Write what is left, and the digests of all of it."""
        self.flush()
        if self._digests:
            # The last digest before a stop lists what was still on its way.
            stopped = self._blind and (min(self._blind[0] + _LATEST + 2 * _EVERY, self._blind[1]), self._blind[1])
            self._digests.write(stopped)

    def _write(self, due: int, region: str, records: list[tuple[int, str]]) -> None:
        random = self._rng.random
        records.sort(key=lambda _: random())
        text = ('{"Records":[' + ",".join(text for _, text in records) + "]}").encode()
        stamp = iso(due)
        suffix = "".join(_LETTERS[int(random() * len(_LETTERS))] for _ in range(16))
        name = f"{self._account}_CloudTrail_{region}_{stamp[:16].replace('-', '').replace(':', '')}Z_{suffix}.json.gz"
        folder = f"AWSLogs/{self._account}/CloudTrail/{region}/{stamp[:10].replace('-', '/')}"
        if folder not in self._folders:
            (self._root / folder).mkdir(parents=True, exist_ok=True)
            self._folders.add(folder)
        # libdeflate is bundled with its package and writes no time into the header: the same bytes everywhere
        with open(f"{self._root}/{folder}/{name}", "wb") as file:
            file.write(deflate.gzip_compress(text, _LEVEL))
        if self._digests:
            times = [time for time, _ in records]
            sha256 = hashlib.sha256(text).hexdigest()
            self._digests.add(region, Delivered(due, f"{folder}/{name}", sha256, min(times), max(times)))
        self.events += len(records)
        self.files += 1
        self.bytes += len(text)
