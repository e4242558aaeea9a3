"""Logs in S3: what is listed, what is fetched, and that everything is accounted for."""

# ruff: noqa: F401, F811 - fixtures come by import
from __future__ import annotations

import gzip
import io
import json
import random
import zipfile
from pathlib import Path
from typing import Any

import pytest
from tests.ingest.logs import query, record
from tests.sources.cloud import Asked, Cloud
from tests.sources.conftest import _cloud, cloud

from trailhound.errors import InputError, RequestError
from trailhound.ingest.ingest import ingest
from trailhound.ingest.report import IngestReport
from trailhound.lake.lake import Lake
from trailhound.sources import fetch
from trailhound.sources.aws import USUAL, Access
from trailhound.sources.layout import Selection

DAY = 86_400_000
MAY = 1714521600000  # 2024-05-01
ONE, OTHER = "111122223333", "444455556666"


def log(*numbers: int) -> bytes:
    return gzip.compress(json.dumps({"Records": [record(n) for n in numbers]}).encode(), mtime=0)


def key(account: str, region: str, day: int, number: int = 0, service: str = "CloudTrail", above: str = "") -> str:
    folder = f"{above}AWSLogs/{account}/{service}/{region}/2024/05/{day:02}/"
    return f"{folder}{account.rpartition('/')[2]}_{service}_{region}_202405{day:02}T0105Z_{number:016}.json.gz"


def counts(report: IngestReport) -> tuple[int, int, int, int]:
    assert report.seen == report.events + report.duplicates + report.rejected
    assert sum(report.reasons.values()) == report.rejected
    return report.seen, report.events, report.duplicates, report.rejected


class Run:
    """One ingest after the other into one lake, and what each left out."""

    def __init__(self, lake: Lake) -> None:
        self.lake = lake
        self.remarks: list[str] = []

    def __call__(self, *sources: str, access: Access = USUAL, **selection: Any) -> IngestReport:
        self.remarks.clear()
        chosen = Selection(**selection)
        report = ingest(self.lake, sources, access=access, selection=chosen, remark=self.remarks.append, processes=1)
        counts(report)
        return report


@pytest.fixture
def run(lake: Lake) -> Run:
    return Run(lake)


@pytest.fixture
def trail(cloud: Cloud) -> Cloud:
    """Two accounts, two Regions, five days; digests, Insights and another service beside them."""
    objects, number = {}, 0
    for account in (ONE, OTHER):
        for region in ("eu-west-1", "us-east-1"):
            for day in range(1, 6):
                objects[key(account, region, day)] = log(number)
                number += 1
        objects[key(account, "us-east-1", 2, service="CloudTrail-Digest")] = b"{}"
        objects[key(account, "us-east-1", 2, service="CloudTrail-Insight")] = log(900 + number)
        objects[f"AWSLogs/{account}/Config/us-east-1/2024/5/1/x.json.gz"] = b"{}"
    cloud.bucket("trail", objects)
    return cloud


def test_a_bucket_is_read_and_named_in_the_ledger(trail: Cloud, run: Run) -> None:
    report = run("s3://trail")
    assert counts(report) == (20, 20, 0, 0)
    names = [name for (name,) in query(run.lake, "SELECT name FROM ledger ORDER BY name")]
    assert names == sorted(
        f"s3://trail/{key(a, r, d)}" for a in (ONE, OTHER) for r in ("eu-west-1", "us-east-1") for d in range(1, 6)
    )
    said = " ".join(run.remarks)
    assert "2 Insights files, 2 digest files" in said
    assert "other services are not read: Config" in said
    assert not [k for k in trail.fetched() if "Digest" in k or "Insight" in k or "Config" in k]


@pytest.mark.parametrize(("above", "organisation"), [("", ""), ("team/logs/", "o-abcdefghij/")])
def test_only_what_is_asked_for_is_listed(cloud: Cloud, run: Run, above: str, organisation: str) -> None:
    accounts = [f"{organisation}{account}" for account in (ONE, OTHER)]
    places = [(a, r, d) for a in accounts for r in ("eu-west-1", "us-east-1") for d in range(1, 29)]
    cloud.bucket("trail", {key(*place, above=above): log(n) for n, place in enumerate(places)})
    report = run("s3://trail", accounts=(ONE,), regions=("us-east-1",), since=MAY + 9 * DAY, until=MAY + 11 * DAY)
    region = f"{above}AWSLogs/{organisation}{ONE}/CloudTrail/us-east-1/"
    days = [f"{region}2024/05/{day}/" for day in (10, 11, 12)]
    assert cloud.fetched() == [key(accounts[0], "us-east-1", day, above=above) for day in (10, 11, 12)]
    assert counts(report) == (3, 3, 0, 0)
    below_the_region = [prefix for prefix in cloud.listings() if prefix.startswith(region)]
    assert sorted(below_the_region) == days
    assert not [prefix for prefix in cloud.listings() if OTHER in prefix or "eu-west" in prefix]
    assert len(cloud.listings()) == 4 + above.count("/") + bool(organisation) + len(days)
    assert "1 day more than asked for" in " ".join(run.remarks)


def test_a_prefix_may_end_anywhere(trail: Cloud, run: Run) -> None:
    assert run(f"s3://trail/AWSLogs/{ONE[:5]}").events == 10
    assert run(f"s3://trail/AWSLogs/{OTHER}/CloudTrail/us-east-1/2024/05/0", since=MAY + 3 * DAY).events == 2
    assert run(f"s3://trail/AWSLogs/{OTHER}/CloudTrail/us-east-1/2024/05/01/").events == 1
    assert run(f"s3://trail/{key(OTHER, 'us-east-1', 2)}").events == 1
    assert run(f"s3://trail/AWSLogs/{ONE}/CloudTrail-Insight/").events == 1
    with pytest.raises(InputError, match="no object of that name"):
        run("s3://trail/AWSLogs/9")


def test_names_that_tell_nothing_are_read_whatever_is_selected(cloud: Cloud, run: Run) -> None:
    file = key(OTHER, "us-east-1", 9).rpartition("/")[2]
    cloud.bucket("copies", {"a/part-1.json.gz": log(1), f"a/{file}": log(2), "a/": b""})
    assert run("s3://copies/a", accounts=(ONE,)).events == 1
    assert cloud.fetched() == ["a/part-1.json.gz"]
    assert "1 objects whose names tell neither account nor day" in " ".join(run.remarks)


def test_nothing_is_fetched_twice(trail: Cloud, run: Run) -> None:
    trail.client("s3").put_object(Bucket="trail", Key=key(ONE, "us-east-1", 6), Body=log(50, 51, 50))
    first = run("s3://trail")
    assert counts(first) == (23, 22, 1, 0)
    trail.asked.clear()
    trail.client("s3").put_object(Bucket="trail", Key=key(ONE, "us-east-1", 6), Body=log(50, 51, 52))
    again = run("s3://trail")
    assert trail.fetched() == [key(ONE, "us-east-1", 6)], "its ETag is another"
    assert counts(again) == (23, 1, 22, 0)
    assert (again.first_time, again.last_time) == (first.first_time, first.last_time + 60_000)


def test_odd_keys_are_read_as_they_are(cloud: Cloud, run: Run) -> None:
    keys = ["a/b", "a//b", "./b", "a/../b", "b+c d%20.gz", "ü/ö?x#y", "tab\there", "a/b/", "back\\slash"]
    cloud.bucket("odd", {name: log(n) for n, name in enumerate(keys)})
    assert counts(run("s3://odd")) == (9, 9, 0, 0)
    rows = query(run.lake, "SELECT name, api.request.data FROM events JOIN ledger ON source_uid = ledger.uid")
    assert {
        name: f"i-{n:08x}" in data for n, k in enumerate(keys) for name, data in rows if name == f"s3://odd/{k}"
    } == {f"s3://odd/{k}": True for k in keys}


def test_archives_large_objects_and_damage(cloud: Cloud, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("x.json.gz", log(1))
        archive.writestr("y.json.gz", log(2))
    monkeypatch.setattr(fetch, "IN_MEMORY", 1000)
    noise = random.Random(1)
    large = gzip.compress(
        json.dumps({"Records": [record(n, userAgent=str(noise.random())) for n in range(3, 103)]}).encode()
    )
    assert len(large) > 1000
    cloud.bucket("logs", {"z.zip": packed.getvalue(), "large": large, "cut.gz": log(200, 201)[:-9], "empty": b""})
    cuts = iter(["cut"])
    cloud.faults.append(
        lambda asked: next(cuts, None) if asked.path.endswith("/large") and asked.method == "GET" else None
    )
    report = run("s3://logs")
    assert next(cuts, None) is None
    assert report.events == 2 + 100 + 2
    assert report.reasons == {"gzip_truncated": 1, "empty": 1}
    names = {name for (name,) in query(run.lake, "SELECT name FROM ledger")}
    assert {"s3://logs/z.zip!x.json.gz", "s3://logs/z.zip!y.json.gz", "s3://logs/large"} <= names


REFUSALS = [
    (403, "AccessDenied", "Access Denied", "access_denied", "policy that is needed"),
    (
        403,
        "AccessDenied",
        "not authorized to perform: kms:Decrypt on resource: arn",
        "kms_access_denied",
        "kms:Decrypt",
    ),
    (400, "KMS.DisabledException", "the key is disabled", "kms_access_denied", "kms:Decrypt"),
    (403, "InvalidObjectState", "storage class", "object_archived", "restore"),
    (404, "NoSuchKey", "", "object_missing", "no longer there"),
    (404, "NoSuchBucket", "", "no_such_bucket", "no such bucket"),
    (418, "Unheard", "of", "not_readable", "Unheard: of"),
]


def test_an_object_that_is_refused_is_a_reject(trail: Cloud, run: Run) -> None:
    places = [(account, "us-east-1", day) for account in (ONE, OTHER) for day in range(1, 6)]
    refused = {key(*place): refusal for place, refusal in zip(places, REFUSALS, strict=False)}
    for name, (status, code, message, *_) in refused.items():
        trail.refuse(name, status, code, message)
    report = run("s3://trail")
    assert counts(report) == (20, 20 - len(REFUSALS), 0, len(REFUSALS))
    rows = query(run.lake, "SELECT name, reason, detail FROM rejects JOIN ledger ON source_uid = ledger.uid")
    assert {name: reason for name, reason, _ in rows} == {f"s3://trail/{n}": r[3] for n, r in refused.items()}
    assert not [name for name, _, detail in rows if refused[name.removeprefix("s3://trail/")][4] not in detail]
    trail.faults.clear()
    trail.asked.clear()
    assert counts(run("s3://trail")) == (20, len(REFUSALS), 20 - len(REFUSALS), 0)
    assert trail.fetched() == sorted(refused)


def test_hiccups_are_waited_out(trail: Cloud, run: Run) -> None:
    trail.refuse(key(ONE, "us-east-1", 3), 503, "SlowDown", times=2)
    cuts = iter(["cut", "cut"])
    trail.faults.append(lambda asked: next(cuts, None) if asked.path.endswith(key(OTHER, "us-east-1", 4)) else None)
    assert counts(run("s3://trail")) == (20, 20, 0, 0)


def test_deleted_between_listing_and_fetching(trail: Cloud, run: Run) -> None:
    gone = key(OTHER, "us-east-1", 5)

    def delete(asked: Asked) -> None:
        if asked.path.endswith(gone):
            trail.client("s3").delete_object(Bucket="trail", Key=gone)

    trail.faults.append(delete)
    report = run("s3://trail")
    assert (counts(report), report.reasons) == ((20, 19, 0, 1), {"object_missing": 1})


@pytest.mark.parametrize(
    ("status", "code", "says"),
    [
        (400, "ExpiredToken", "have expired"),
        (403, "InvalidAccessKeyId", "does not know these credentials"),
    ],
)
def test_what_hits_all_objects_ends_the_ingest_and_it_goes_on_later(
    trail: Cloud, run: Run, status: int, code: str, says: str
) -> None:
    trail.refuse(key(OTHER, "eu-west-1", 1), status, code)
    with pytest.raises(InputError, match=says):
        run("s3://trail")
    trail.faults.clear()
    assert counts(run("s3://trail")) == (20, 20, 0, 0)


def test_requester_pays_is_said_with_every_request(trail: Cloud, run: Run) -> None:
    trail.client("s3").put_object(Bucket="trail", Key="AWSLogs//odd", Body=log(77))
    run("s3://trail", access=Access(requester_pays=True))
    payers = [
        {n.lower(): v for n, v in a.headers.items()}.get("x-amz-request-payer")
        for a in trail.asked
        if a.method == "GET"
    ]
    assert payers
    assert set(payers) == {"requester"}


def test_what_cannot_be_reached_is_explained(cloud: Cloud, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match="no such bucket"):
        run("s3://nowhere-at-all")
    cloud.faults.append(
        lambda asked: (403, {}, b"<Error><Code>AccessDenied</Code></Error>") if "list-type" in asked.query else None
    )
    with pytest.raises(InputError, match="access is denied"):
        run("s3://trail")
    with pytest.raises(InputError, match="no credentials"):
        run("s3://trail", access=Access(profile="nobody"))
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with pytest.raises(InputError, match="no credentials"):
        run("s3://trail")


def test_selections_that_cannot_be_made_are_refused(run: Run, tmp_path: Path) -> None:
    for chosen in ({"accounts": (ONE,)}, {"since": MAY}):
        with pytest.raises(RequestError, match="cannot be made"):
            run(str(tmp_path), **chosen)
    with pytest.raises(RequestError):
        run("lookup-events:us-east-1", regions=("us-east-1",))
