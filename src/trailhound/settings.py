"""`trailhound.toml`: what an organisation knows and a log does not say. Every key has a working default."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Annotated

import msgspec
import pytz

from trailhound.errors import CatalogError
from trailhound.limits import Limits

FILE = "trailhound.toml"


class _Section(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    pass


class Production(_Section, frozen=True, kw_only=True):
    """Which instances count as production: any of these, each may be empty."""

    instances: tuple[str, ...] = ()  # instance ids
    instances_file: str = ""  # a file with one id a line, relative to trailhound.toml
    accounts: tuple[str, ...] = ()  # every instance of these accounts
    tags: tuple[str, ...] = ()  # "env=production", as seen in the log


class Account(_Section, frozen=True, kw_only=True):
    name: str = ""
    purpose: str = ""  # "production instances that run several high-priority application backends"
    owner: str = ""


class Expected(_Section, frozen=True, kw_only=True):
    """Where the organisation works."""

    countries: tuple[str, ...] = ()  # ISO codes of the countries with offices
    region_of_work: str = ""  # in words, for narratives: "North and South America"


class Person(_Section, frozen=True, kw_only=True):
    """Keyed by principal uid or user name."""

    role: str = ""
    manager: str = ""
    place: str = ""  # where this person works from, in words: "Florida"
    last_day: Annotated[str, msgspec.Meta(pattern=r"^(\d{4}-\d{2}-\d{2})?$")] = ""  # at work, of who leaves or has left


class Change(_Section, frozen=True, kw_only=True):
    """An approved change: who may do what, and when. Times as RFC 3339."""

    reason: str
    principal: str  # principal uid or its last part
    operations: tuple[str, ...] = ()  # empty: any
    since: str
    until: str


class Lookup(_Section, frozen=True, kw_only=True):
    """What a threat-intelligence service said of an address when somebody asked it."""

    value: str
    provider: str
    verdict: str  # "malicious", "suspicious", "clean", or in words of its own: "VPN exit", "not known"
    asked: str  # date


class Enrichment(_Section, frozen=True, kw_only=True):
    """What is known of addresses besides the log, and whom `enrich` may ask (docs/how-to/ask-others-about-an-address.md)."""

    own_networks: tuple[str, ...] = ()  # addresses and networks of one's own: nobody is ever asked about them
    lists: dict[str, str] = {}  # name -> file with one address or network a line, relative to trailhound.toml
    urls: dict[str, str] = {}  # provider -> where it is asked: one's own MISP, a mirror
    per_minute: dict[str, Annotated[int, msgspec.Meta(ge=1)]] = {}  # provider -> requests, by one's contract
    fresh_days: Annotated[int, msgspec.Meta(ge=0)] = 7  # before the same is asked again
    seconds: Annotated[int, msgspec.Meta(ge=1)] = 20  # that one answer may take
    proxy: str = ""  # through which everything goes; nothing is taken from the environment


class Exclusions(_Section, frozen=True, kw_only=True):
    """Where findings that are expected are written down, besides `exclusions.yml` of the workspace."""

    files: tuple[str, ...] = ()  # files, or folders of them, relative to trailhound.toml
    longest_days: Annotated[int, msgspec.Meta(ge=1)] = 366  # that one may last


class Settings(_Section, frozen=True, kw_only=True):
    zone: str = ""  # of the organisation, in which narratives give times beside UTC: "America/New_York"
    production: Production = Production()
    expected: Expected = Expected()
    accounts: dict[str, Account] = {}
    people: dict[str, Person] = {}
    changes: tuple[Change, ...] = ()
    lookups: tuple[Lookup, ...] = ()
    enrichment: Enrichment = Enrichment()
    limits: Limits = Limits()
    exclusions: Exclusions = Exclusions()
    placeholders: dict[str, tuple[str, ...]] = {}  # %name% in Sigma rules

    def person(self, principal_uid: str) -> Person:
        """What is known of a principal, by uid or by its last part; empty when nothing is."""
        return self.people.get(principal_uid) or self.people.get(principal_uid.rsplit("/", 1)[-1]) or Person()


def load(folder: Path) -> Settings:
    """Read `trailhound.toml` of a workspace; absent means all defaults."""
    path = folder / FILE
    if not path.is_file():
        return Settings()
    try:
        settings = msgspec.convert(tomllib.loads(path.read_text("utf-8")), Settings)
        if settings.production.instances_file:
            listed = (folder / settings.production.instances_file).read_text("utf-8").split()
            instances = (*settings.production.instances, *listed)
            settings = msgspec.structs.replace(
                settings, production=msgspec.structs.replace(settings.production, instances=instances)
            )
    except (tomllib.TOMLDecodeError, msgspec.ValidationError, UnicodeDecodeError, OSError) as error:
        raise CatalogError(
            f"the settings are not understood: {error}",
            where=str(path),
            causes=("a misspelt key", "a value of another type"),
            next_step="docs/reference/settings.md lists every key",
        ) from error
    if settings.zone and settings.zone not in pytz.all_timezones_set:
        raise CatalogError(
            f"there is no time zone {settings.zone!r}",
            where=str(path),
            next_step='write it as the tz database does: "America/New_York"',
        )
    return settings


TEMPLATE = """# What your organisation knows and a log does not say. Every key may be absent.

# zone = "America/New_York"   # in which narratives give times beside UTC

[production]            # which instances count as production: any of these
# instances = ["i-0123456789abcdef0"]
# instances_file = "production-instances.txt"
# accounts = ["111122223333"]
# tags = ["env=production"]

[expected]
# countries = ["US", "CA", "BR"]
# region_of_work = "North and South America"

# [accounts.111122223333]
# name = "shop-production"
# purpose = "production instances that run several high-priority application backends"
# owner = "shop-team"

# [people.alice]          # a principal uid, or its last part
# role = "site reliability engineer"
# manager = "Carol"
# place = "Florida"
# last_day = "2026-03-31"     # at work, of who leaves or has left

# [[changes]]             # approved changes
# reason = "blue/green release 42"
# principal = "role/deployer"
# operations = ["TerminateInstances"]
# since = "2026-01-31T02:00:00Z"
# until = "2026-01-31T04:00:00Z"

# [enrichment]            # whom `trailhound enrich` may ask about an address
# own_networks = ["192.0.2.0/24"]   # never asked about
# lists = {tor = "tor-exits.txt"}   # one address or network a line
# urls = {misp = "https://misp.example.org"}
# fresh_days = 7              # before the same is asked again

# [limits]                # what is over one of these is not read, and counted as rejected
# record_bytes = 16777216     # of one record
# inflated_bytes = 268435456  # up to which compressed data may grow by any factor
# inflation = 200             # the factor by which they may grow beyond
# archive_depth = 4           # archives and compressions within each other

# [exclusions]            # findings that are expected: beside exclusions.yml of this folder
# files = ["../rules/exclusions.yml"]
# longest_days = 366          # that one may last before it is looked at again

# [[lookups]]             # what a threat-intelligence service said when somebody asked it
# value = "198.51.100.7"
# provider = "VirusTotal"
# verdict = "clean"           # or malicious, suspicious; anything else is no clear answer
# asked = "2026-01-31"
"""
