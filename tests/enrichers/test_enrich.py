"""From the command line to the answer: what others said is asked for once, stored, told, and holds when it is run again."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from tests.enrichers import fake
from tests.enrichers.fake import Answer, Fake, encoded
from tests.investigation.history import History, call

from trailhound.__main__ import main
from trailhound.enrichers import context
from trailhound.enrichers.lookups import LookedUp

ADDRESS, OWN, KEY = "180.163.251.231", "52.1.2.3", "a-key-that-must-not-be-seen"


@pytest.fixture(scope="module")
def server() -> Iterator[Fake]:
    with fake.served() as found:
        yield found


def ms(day: str) -> int:
    return int(datetime.fromisoformat(day).replace(tzinfo=UTC).timestamp() * 1000)


def told(verdict: Any, day: str, provider: str = "VirusTotal", detail: str = "", **more: str) -> LookedUp:
    said = {"network": "", "owner": "", "sha256": "00", **more}
    return LookedUp(value=ADDRESS, provider=provider, verdict=verdict, detail=detail, asked_time=ms(day), **said)


def test_the_questions_read_what_is_stored() -> None:
    history = History([call("CreateTags", sourceIPAddress=ADDRESS)])
    alert = datetime.fromtimestamp(history.finding().first_seen_time / 1000, UTC).strftime("%Y-%m-%d")
    long_ago, later = "2023-01-01", "2025-01-01"
    refused = told("could not ask", alert, "GreyNoise", "too many requests (429)")
    cases: list[tuple[list[LookedUp], str, str]] = [
        ([], "unknown", f"run `trailhound enrich ip_address={ADDRESS}`"),
        ([told("clean", alert)], "no", f"VirusTotal had nothing malicious on {ADDRESS} (asked {alert})."),
        ([told("clean", later)], "no", "days after the calls"),
        ([told("clean", long_ago)], "unknown", "VirusTotal had nothing on"),
        ([told("clean", alert), told("unknown to them", alert, "OTX")], "no", "VirusTotal had nothing malicious"),
        ([told("unknown to them", alert, "OTX")], "unknown", f"OTX does not know {ADDRESS}"),
        ([told("clean", alert), refused], "unknown", "GreyNoise could not be asked about"),
        ([told("clean", alert), refused, told("suspicious", alert, "OTX", "in 2 pulses")], "yes", "to OTX (OTX: in 2 pulses;"),
        ([told("malicious", long_ago), told("clean", alert)], "yes", "days before the calls"),
        ([told("clean", alert, detail="{{ 7 * 7 }} <b>'; DROP TABLE x")], "no", "VirusTotal had nothing"),
    ]  # fmt: skip
    for lookups, verdict, words in cases:
        context.mount(history.engine, lookups)
        answer = history.ask("ip_address.intelligence")
        said = " ".join([answer.sentence, *(f"{gap.because} {gap.how_to_get}" for gap in answer.gaps)])
        assert (answer.verdict, words in said) == (verdict, True), (lookups, said)
    context.mount(history.engine, [told("clean", alert, network="Tor", owner="Example")])
    assert "as “Tor”" in history.ask("ip_address.hosting").sentence
    context.mount(history.engine, [told("clean", alert, owner="Example")])
    assert "VirusTotal names Example as the owner" in history.ask("ip_address.hosting").gaps[0].because


def test_from_a_log_to_a_report_that_holds_without_a_network(
    tmp_path: Path, server: Fake, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def run(*arguments: str | Path) -> str:
        capsys.readouterr()
        assert main(["--workspace", str(tmp_path / "w"), *map(str, arguments)]) == 0
        printed = capsys.readouterr()
        assert KEY not in printed.out + printed.err
        return printed.out

    monkeypatch.setenv("TRAILHOUND_VIRUSTOTAL_KEY", KEY)
    given = call("AllocateAddress", responseElements={"publicIp": OWN, "allocationId": "eipalloc-1"})
    records = [call("CreateTags", 0.1, sourceIPAddress=address) for address in (ADDRESS, "10.1.2.3", OWN)]
    written = [{**record, "eventID": f"event-{n}"} for n, record in enumerate([given, *records])]
    (tmp_path / "log.json").write_text(json.dumps({"Records": written}))
    run("ingest", tmp_path / "log.json")
    listed = '[enrichment]\nown_networks = ["180.164.0.0/16"]\n'
    (tmp_path / "w/trailhound.toml").write_text(
        f'{listed}[enrichment.urls]\nvirustotal = "{server.url}"\nisc = "{server.url}"'
    )
    server.answers = {
        f"/api/v3/ip_addresses/{ADDRESS}": Answer(200, encoded(fake.virustotal(ADDRESS, malicious=7))),
        "/api/ip/": Answer(200, encoded(fake.isc(ADDRESS, count=None, attacks=None))),
    }
    about = [f"ip_address={address}" for address in (ADDRESS, "10.1.2.3", OWN, "180.164.1.1")]
    first = [json.loads(line) for line in run("enrich", *about, "--format", "json").splitlines()]
    assert [one["verdict"] for one in first] == ["malicious", "unknown to them"]
    assert len(server.sent) == 2, "private and own addresses do not leave"
    assert all(address not in sent.line for sent in server.sent for address in ("10.1.2.3", OWN, "180.164.1.1"))
    again = [json.loads(line) for line in run("enrich", *about, "--format", "json").splitlines()]
    assert [{**one, "when": "asked now"} for one in again] == first
    assert len(server.sent) == 2
    assert len(run("enrich", "--stored", "--format", "json").splitlines()) == 2

    for name in ("one.json", "two.json"):
        run("investigate", "--observable", f"ip_address={ADDRESS}", "-o", tmp_path / name)
    report = (tmp_path / "one.json").read_bytes()
    assert report == (tmp_path / "two.json").read_bytes()
    assert f"{ADDRESS} is known as malicious to VirusTotal (VirusTotal: 7 malicious" in report.decode()
    assert first[0]["sha256"] in report.decode(), "the report names the answer that it stands on"
    run("verify", tmp_path / "one.json")
    assert len(server.sent) == 2, "an investigation asks nobody"
    with closing(sqlite3.connect(tmp_path / "w/trailhound.db")) as database, database:
        database.execute(
            "UPDATE lookups SET answer = ? WHERE provider = 'virustotal'", (encoded(fake.virustotal(ADDRESS)),)
        )
    capsys.readouterr()
    assert main(["--workspace", str(tmp_path / "w"), "verify", str(tmp_path / "one.json")]) == 1
    assert "threat intelligence" in capsys.readouterr().out, "an answer that was changed is noticed"
