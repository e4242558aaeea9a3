"""Asking others, over a real server: what leaves, what an answer means, and what is asked again."""

from __future__ import annotations

import itertools
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.enrichers import fake
from tests.enrichers.fake import Answer, Fake, encoded

from trailhound.enrichers import own
from trailhound.enrichers.asking import Asked, Asker
from trailhound.enrichers.lookups import Lookups, standing
from trailhound.enrichers.providers import PROVIDERS, NotUnderstoodError, Opinion
from trailhound.errors import RequestError
from trailhound.settings import Enrichment

ADDRESS = "180.163.251.231"
PATHS = {
    "virustotal": "/api/v3/ip_addresses/",
    "abuseipdb": "/api/v2/check",
    "greynoise": "/v3/ip/",
    "otx": "/api/v1/indicators/",
    "isc": "/api/ip/",
    "misp": "/attributes/restSearch",
}
SECRET = "a-key-that-must-not-be-seen"
# What each service says of an address, and what it means. `clean` stands where one knows it and has nothing against it.
SAID: list[tuple[str, Any, str]] = [
    ("virustotal", fake.virustotal(ADDRESS), "clean"),
    ("virustotal", fake.virustotal(ADDRESS, malicious=9), "malicious"),
    ("virustotal", fake.virustotal(ADDRESS, malicious=1), "suspicious"),
    ("virustotal", {"data": {"id": ADDRESS, "attributes": {"last_analysis_stats": dict.fromkeys(("malicious", "suspicious", "harmless", "undetected"), 0)}}}, "unknown to them"),
    ("virustotal", fake.virustotal("8.8.8.8"), "could not ask"),
    ("abuseipdb", fake.abuseipdb(ADDRESS), "clean"),
    ("abuseipdb", fake.abuseipdb(ADDRESS, score=100, reports=40, tor=True), "malicious"),
    ("abuseipdb", fake.abuseipdb(ADDRESS, reports=1), "suspicious"),
    ("abuseipdb", fake.abuseipdb(ADDRESS, score=-1), "could not ask"),
    ("abuseipdb", {"errors": [{"detail": "no", "status": 422}]}, "could not ask"),
    ("greynoise", fake.greynoise(ADDRESS, classification="benign"), "clean"),
    ("greynoise", fake.greynoise(ADDRESS, business=True), "clean"),
    ("greynoise", fake.greynoise(ADDRESS, classification="malicious", business=True), "malicious"),
    ("greynoise", fake.greynoise(ADDRESS, classification="unknown", business=True), "unknown to them"),
    ("greynoise", fake.greynoise(ADDRESS), "unknown to them"),
    ("greynoise", fake.greynoise(ADDRESS, classification="new word"), "could not ask"),
    ("otx", fake.otx(ADDRESS, count=3), "suspicious"),
    ("otx", fake.otx(ADDRESS), "unknown to them"),
    ("isc", fake.isc(ADDRESS), "clean"),
    ("isc", fake.isc(ADDRESS, count=None, attacks=None), "unknown to them"),
    ("isc", fake.isc(ADDRESS, count=None, attacks=None, feeds={"x": {}}), "suspicious"),
    ("isc", fake.isc(ADDRESS, count=12, attacks=3), "suspicious"),
    ("misp", fake.misp(ADDRESS, found=2, to_ids=True), "malicious"),
    ("misp", fake.misp(ADDRESS, found=1), "suspicious"),
    ("misp", fake.misp(ADDRESS), "unknown to them"),
    ("misp", fake.misp("8.8.8.8", found=1), "could not ask"),
]  # fmt: skip


@pytest.fixture(scope="module")
def server() -> Iterator[Fake]:
    with fake.served() as found:
        yield found


@pytest.fixture(autouse=True)
def keys(monkeypatch: pytest.MonkeyPatch, server: Fake) -> None:
    server.answers.clear()
    server.sent.clear()
    for name in PROVIDERS:
        monkeypatch.setenv(f"TRAILHOUND_{name.upper()}_KEY", f"{SECRET}-{name}")


class Clock:
    """A time that passes only by waiting."""

    def __init__(self) -> None:
        self.now, self.waited = 1_780_000_000.0, 0.0

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        self.waited += seconds


def asker(folder: Path, server: Fake, *names: str, clock: Clock | None = None, **settings: Any) -> Asker:
    clock = clock or Clock()
    urls = dict.fromkeys(PROVIDERS, server.url)
    found = Enrichment(**{"urls": urls, "seconds": 1, **settings})
    return Asker(folder, found, names, clock=lambda: clock.now, sleep=clock.sleep)


def ask(folder: Path, server: Fake, name: str, answer: Answer, address: str = ADDRESS) -> Asked:
    server.answers = {PATHS[name]: answer}
    return next(iter(asker(folder, server, name).ask([address], anew=True)))


def test_each_answer_means_one_thing(tmp_path: Path, server: Fake) -> None:
    for name, said, verdict in SAID:
        found = ask(tmp_path, server, name, Answer(200, encoded(said))).lookup
        assert found.verdict == verdict, (name, said, found)
        assert found.detail or verdict == "clean"
    stored = Lookups(tmp_path).all()
    assert [one.verdict for one in stored] == [verdict for *_, verdict in SAID], "what is stored says the same"


def test_what_is_no_answer_says_why(tmp_path: Path, server: Fake) -> None:
    clean = encoded(fake.virustotal(ADDRESS))
    elsewhere = (("Location", server.url + "/caught"),)
    cases: list[tuple[Answer, str, str]] = [
        (Answer(401, b"{}"), "could not ask", "the key was refused (401)"),
        (Answer(403, clean), "could not ask", "the key may not ask this (403)"),
        (Answer(404, b"{}"), "unknown to them", ""),
        (Answer(429, clean), "could not ask", "too many requests (429)"),
        (Answer(500, clean), "could not ask", "it failed (500)"),
        (Answer(302, clean, elsewhere), "could not ask", "it sends to another place (302), which is not followed"),
        (Answer(204), "could not ask", "it failed (204)"),
        (Answer(200), "could not ask", "the answer has another shape than the service documents"),
        (Answer(200, b"<html><script>alert(1)</script>"), "could not ask", "the answer has another shape"),
        (Answer(200, b"[" * 100_000), "could not ask", "the answer has another shape"),
        (Answer(200, b"\xff\xfe\x00"), "could not ask", "the answer has another shape"),
        (Answer(200, clean + b" " * 1_000_000), "could not ask", "the answer is too long"),
        (Answer(200, clean, (("Content-Encoding", "gzip"),)), "could not ask", "the answer is compressed"),
        (Answer(200, clean, (("Content-Length", "99999"),)), "could not ask", "the request failed (RemoteProtocolError)"),
        (Answer(200, clean, delay=0.2), "could not ask", "no whole answer within 1 seconds"),
        (Answer(200, clean, delay=1.2), "could not ask", "no answer within 1 seconds"),
    ]  # fmt: skip
    for number, (answer, verdict, reason) in enumerate(cases):
        found = ask(tmp_path / str(number), server, "virustotal", answer).lookup
        assert (found.verdict, found.detail[: len(reason)]) == (verdict, reason), (answer.status, found)
    assert not [sent for sent in server.sent if "caught" in sent.line]
    for path in tmp_path.glob("*/trailhound.db"):
        with closing(sqlite3.connect(path)) as database:
            assert database.execute("SELECT max(length(answer)) FROM lookups").fetchone()[0] <= 262_144
    # Where others answer 200 to all, 404 means that something else is asked.
    assert ask(tmp_path, server, "abuseipdb", Answer(404, b"{}")).lookup.verdict == "could not ask"
    nobody = Enrichment(urls={"virustotal": "http://127.0.0.1:9"}, seconds=1)
    assert next(Asker(tmp_path, nobody, ["virustotal"]).ask([ADDRESS])).lookup.verdict == "could not ask"


_LEAVES = st.none() | st.booleans() | st.integers(-2, 3) | st.sampled_from([ADDRESS, "benign", "", "x"])


@given(st.data())
def test_only_a_good_answer_without_reports_is_clean(data: st.DataObject) -> None:
    """Break a good answer anywhere: what is then still clean is an answer that knows it and reports nothing."""
    name, said, _ = data.draw(st.sampled_from(SAID))
    broken = _broken(said, data)
    read = PROVIDERS[name].read
    try:
        opinion = read(encoded(broken), ADDRESS)
    except NotUnderstoodError:
        return
    assert isinstance(opinion, Opinion)
    if opinion.verdict == "clean":
        assert _reports_nothing(name, broken)


def _broken(node: Any, data: st.DataObject) -> Any:
    if not isinstance(node, dict) or not node or data.draw(st.integers(0, 3)) == 0:
        return data.draw(_LEAVES)
    at = data.draw(st.sampled_from(sorted(node)))
    if data.draw(st.booleans()):
        return {key: value for key, value in node.items() if key != at}
    return {**node, at: _broken(node[at], data)}


def _reports_nothing(name: str, said: Any) -> bool:
    """The same, read by hand: a number that is a number, and zero."""
    zero = lambda value: type(value) is int and value == 0  # noqa: E731
    if name == "virustotal":
        stats = said["data"]["attributes"]["last_analysis_stats"]
        judged = any(type(stats[key]) is int and stats[key] > 0 for key in ("harmless", "undetected"))
        return said["data"]["id"] == ADDRESS and zero(stats["malicious"]) and zero(stats["suspicious"]) and judged
    if name == "abuseipdb":
        one = said["data"]
        return one["ipAddress"] == ADDRESS and zero(one["totalReports"]) and zero(one["abuseConfidenceScore"])
    if name == "isc":
        one = said["ip"]
        return one["number"] == ADDRESS and zero(one["count"]) and zero(one["attacks"]) and not one.get("threatfeeds")
    scanner = said.get("internet_scanner_intelligence", {}) if name == "greynoise" else {}
    benign = scanner.get("found") is True and scanner["classification"] == "benign"
    business = scanner.get("found") is False and said["business_service_intelligence"]["found"] is True
    return name == "greynoise" and said["ip"] == ADDRESS and (benign or business)


def test_nothing_but_the_address_leaves(tmp_path: Path, server: Fake, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login me password hidden")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    found = list(asker(tmp_path, server).ask([ADDRESS]))
    assert [one.lookup.verdict for one in found] == ["could not ask"] * 6
    lines = {sent.line for sent in server.sent}
    assert lines == {
        f"GET /api/v3/ip_addresses/{ADDRESS} HTTP/1.1",
        f"GET /api/v2/check?ipAddress={ADDRESS}&maxAgeInDays=90 HTTP/1.1",
        f"GET /v3/ip/{ADDRESS}?quick=true HTTP/1.1",
        f"GET /api/v1/indicators/IPv4/{ADDRESS}/general HTTP/1.1",
        f"GET /api/ip/{ADDRESS}?json HTTP/1.1",
        "POST /attributes/restSearch HTTP/1.1",
    }
    bodies = {sent.body for sent in server.sent}
    assert bodies == {b"", encoded({"returnFormat": "json", "value": ADDRESS, "limit": 100})}
    usual = {"host", "accept", "accept-encoding", "connection", "user-agent", "content-type", "content-length"}
    for sent in server.sent:
        more = {key: value for key, value in sent.headers.items() if key not in usual}
        assert len(more) == (0 if "/api/ip/" in sent.line else 1), more
        assert all(value.startswith(SECRET) for value in more.values())
    assert SECRET.encode() not in (tmp_path / "trailhound.db").read_bytes()
    assert SECRET not in repr(Lookups(tmp_path).all())


def test_what_is_fresh_is_not_asked_again(tmp_path: Path, server: Fake) -> None:
    server.answers = {PATHS["isc"]: Answer(200, encoded(fake.isc(ADDRESS)))}
    clock = Clock()
    runs = [list(asker(tmp_path, server, "isc", clock=clock).ask([ADDRESS, ADDRESS])) for _ in range(3)]
    assert [[one.stored for one in run] for run in runs] == [[False], [True], [True]]
    assert runs[1] == runs[2]
    assert len(server.sent) == 1
    clock.now += 8 * 86_400
    server.answers = {}
    assert next(asker(tmp_path, server, "isc", clock=clock).ask([ADDRESS])).lookup.verdict == "could not ask"
    assert [one.verdict for one in standing(Lookups(tmp_path).all())] == ["clean"], "an answer stands until the next"
    assert len(server.sent) == 2


def test_a_service_is_asked_at_its_pace(tmp_path: Path, server: Fake) -> None:
    clock = Clock()
    several = [f"180.163.251.{n}" for n in range(5)]
    server.answers = {f"{PATHS['virustotal']}{a}": Answer(200, encoded(fake.virustotal(a))) for a in several}
    for half in (several[:3], several[3:]):  # the pace holds over runs
        list(asker(tmp_path, server, "virustotal", clock=clock).ask(half))
    assert clock.waited == pytest.approx(4 * 15, abs=0.1)
    server.answers = {"": Answer(429, b"", (("Retry-After", "120"),))}
    server.sent.clear()
    others = [f"180.163.252.{n}" for n in range(4)]
    found = list(asker(tmp_path, server, "virustotal", clock=clock).ask(others))
    assert len(server.sent) == 1, "who asks for a pause gets it"
    assert [one.lookup.verdict for one in found] == ["could not ask"] * 4
    assert "no request before" in found[1].lookup.detail
    clock.now += 121
    list(asker(tmp_path, server, "virustotal", clock=clock).ask(others[:1]))
    assert len(server.sent) == 2


def test_a_stored_answer_that_was_changed_is_none(tmp_path: Path, server: Fake) -> None:
    ask(tmp_path, server, "virustotal", Answer(200, encoded(fake.virustotal(ADDRESS, malicious=40))))
    first = Lookups(tmp_path).all()
    assert first == Lookups(tmp_path).all()
    with closing(sqlite3.connect(tmp_path / "trailhound.db")) as database, database:
        database.execute("UPDATE lookups SET answer = ?", (encoded(fake.virustotal(ADDRESS)),))
    (after,) = Lookups(tmp_path).all()
    assert (first[0].verdict, after.verdict) == ("malicious", "could not ask")
    assert "SHA-256" in after.detail


def test_keys_are_of_the_environment_or_of_a_private_file(
    tmp_path: Path, server: Fake, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in PROVIDERS:
        monkeypatch.delenv(f"TRAILHOUND_{name.upper()}_KEY")
    assert [one.lookup.provider for one in asker(tmp_path, server).ask([ADDRESS])] == ["SANS ISC"]
    told = next(asker(tmp_path, server, "virustotal").ask([ADDRESS])).lookup
    assert (told.verdict, told.detail) == ("could not ask", "no key: set TRAILHOUND_VIRUSTOTAL_KEY")
    file = tmp_path / "keys.toml"
    file.write_text(f'virustotal = "{SECRET}"')
    file.chmod(0o644)
    with pytest.raises(RequestError, match="others than its owner"):
        asker(tmp_path, server)
    file.chmod(0o600)
    list(asker(tmp_path, server, "virustotal").ask([ADDRESS]))
    assert server.sent[-1].headers["x-apikey"] == SECRET
    for wrong in (f'virustotal = "{SECRET}\\n"', f"virustotal = {SECRET}", f'virustotal = ["{SECRET}"]'):
        file.write_text(wrong)
        with pytest.raises(RequestError) as error:
            asker(tmp_path, server)
        assert SECRET not in str(error.value)
    os.remove(file)
    for url in ("http://misp.example.org", "https://u:p@misp.example.org", "file:///etc", "", "https://[", "//x"):
        with pytest.raises(RequestError):
            asker(tmp_path, server, urls={"misp": url or "x"})
    with pytest.raises(RequestError, match="no service"):
        asker(tmp_path, server, "virus-total")


def test_nobody_is_asked_about_private_and_own_addresses() -> None:
    networks = own.networks(["180.163.0.0/16", "2600:1f18::/33"])
    of_log = frozenset({"52.1.2.3"})
    for address in (
        *("10.0.0.1", "127.0.0.1", "169.254.169.254", "100.64.0.1", "224.0.0.1", "240.0.0.1", "0.0.0.0", "192.0.2.1"),
        *("::1", "fe80::1", "fe80::1%eth0", "fd00::1", "ff0e::1", "2001:db8::1", "::ffff:8.8.8.8", "64:ff9b::a00:1"),
        *("2002:a00:1::1", ADDRESS, "2600:1f18::7", "52.1.2.3", "AWS Internal", "ec2.amazonaws.com", "", "8.8.8.8/32"),
    ):
        assert own.why_not(address, networks, of_log), address
    for address in ("8.8.8.8", "180.164.0.1", "2606:4700::1111", "52.1.2.4"):
        assert not own.why_not(address, networks, of_log), address
    with pytest.raises(RequestError):
        own.networks(["our office"])


def test_lists_are_files_of_which_the_line_is_kept(tmp_path: Path, server: Fake) -> None:
    (tmp_path / "tor.txt").write_text(f"# exits\n\n8.8.8.0/24 guard\nnot an address\n{ADDRESS} # \x1b[31mexit\n")
    (tmp_path / "empty.txt").write_text("# nothing\n")
    lists = {"tor": "tor.txt", "empty": "empty.txt", "gone": "gone.txt"}
    found = list(asker(tmp_path, server, *lists, lists=lists).ask([ADDRESS, "9.9.9.9"]))
    verdicts = [one.lookup.verdict for one in found]
    assert verdicts == [
        "suspicious",
        "could not ask",
        "could not ask",
        "unknown to them",
        "could not ask",
        "could not ask",
    ]
    assert "\x1b" not in found[0].lookup.detail
    assert not server.sent
    (tmp_path / "tor.txt").unlink()
    assert [one.verdict for one in Lookups(tmp_path).all()] == verdicts, "also when the list is gone"


def test_what_was_bad_once_stays_told(tmp_path: Path, server: Fake) -> None:
    for said, status in itertools.product((9, 0), (200, 500)):
        ask(tmp_path, server, "virustotal", Answer(status, encoded(fake.virustotal(ADDRESS, malicious=said))))
    assert [one.verdict for one in standing(Lookups(tmp_path).all())] == ["clean", "malicious"]
