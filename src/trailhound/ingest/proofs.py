"""What `trailhound verify` has proven of an account's log: hours that are whole though empty, files that are not."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from trailhound.engines.duckdb import DuckDB
from trailhound.lake.times import HOUR

_LATE = HOUR  # an event may be delivered in the hour after its own, and is listed by the digest of that hour
_NAMED = 3

# By their bytes, under whatever name and whenever either was read. What is proven somewhere is as CloudTrail wrote it,
# though a copy of it may lie in another file's place.
_OBJECT_STATES = """
CREATE OR REPLACE TEMP VIEW object_states AS
SELECT uid, CASE max(weight) WHEN 3 THEN 'verified' WHEN 2 THEN 'broken' ELSE 'unverifiable' END AS state
FROM (
  SELECT l.uid, CASE i.state WHEN 'verified' THEN 3 WHEN 'broken' THEN 2 ELSE 1 END AS weight
  FROM ledger l JOIN integrity i ON i.sha256 = l.sha256 WHERE i.sha256 <> '')
GROUP BY uid
"""


class Span(NamedTuple):
    region: str
    begin: int  # epoch milliseconds
    end: int


class Loss(NamedTuple):
    """Files of one Region that are altered or missing; their events are of about this time."""

    region: str
    begin: int
    end: int
    because: str


class Proofs(NamedTuple):
    whole: tuple[Span, ...]  # of which digests prove every file that was delivered
    lost: tuple[Loss, ...]

    def proves_quiet(self, regions: Iterable[str], since: int, until: int) -> bool:
        """Whether every file that could hold events of this time, in each of the Regions, is proven to be here."""
        return all(self._covers(region, since, until + _LATE) for region in regions)

    def _covers(self, region: str, since: int, until: int) -> bool:
        reached = since
        for span in self.whole:
            if span.region == region and span.begin <= reached < span.end:
                reached = span.end
        return reached >= until


def read(engine: DuckDB, account_uid: str) -> Proofs:
    """Of the newest verification of each path. Nothing of a path of which nothing was verified."""
    account = {"account": account_uid}
    spans = engine.query(
        'SELECT region, "begin", "end" FROM integrity_periods WHERE account_uid = $account AND state = \'verified\' '
        'ORDER BY region, "begin", "end"',
        account,
    )
    broken = engine.query(
        'SELECT region, "begin", "end", place, detail FROM integrity WHERE account_uid = $account '
        'AND state = \'broken\' AND "begin" IS NOT NULL ORDER BY region, "begin", place',
        account,
    )
    return Proofs(tuple(Span(**row) for row in spans), tuple(_losses(broken)))


def counts(engine: DuckDB, account_uid: str | None = None) -> dict[str, int]:
    """Objects by state: verified, broken, unverifiable; nothing when `verify` has not been run."""
    where = "" if account_uid is None else "WHERE account_uid = $account "
    rows = engine.query(
        f"SELECT state, count(*) AS n FROM integrity {where}GROUP BY ALL ORDER BY state",
        {} if account_uid is None else {"account": account_uid},
    )
    return {row["state"]: row["n"] for row in rows}


def mount_object_states(engine: DuckDB) -> None:
    """Make `object_states` readable: `uid` of a row of the ledger, and its `state`.

    Rows whose bytes no run of `verify` has seen are not in it.
    """
    engine.execute(_OBJECT_STATES)


def _losses(rows: list[dict[str, object]]) -> Iterator[Loss]:
    """One for each period of a digest, however many of its files are broken."""
    periods: dict[tuple[str, int, int], list[dict[str, object]]] = {}
    for row in rows:
        periods.setdefault((str(row["region"]), int(str(row["begin"])), int(str(row["end"]))), []).append(row)
    for (region, begin, end), found in periods.items():
        named = "; ".join(f"{_file(str(row['place']))}: {row['detail']}" for row in found[:_NAMED])
        more = f"; and {len(found) - _NAMED} more" if len(found) > _NAMED else ""
        yield Loss(region, begin - _LATE, end, f"by its digests: {named}{more}")


def _file(place: str) -> str:
    return place.rpartition("/")[2]
