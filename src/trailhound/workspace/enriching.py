"""The verb that asks others about addresses, the only one around an investigation that uses the network."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec

from trailhound.engines.duckdb import DuckDB
from trailhound.enrichers import context, own
from trailhound.enrichers.asking import Asked, Asker
from trailhound.enrichers.lookups import LookedUp, Lookups, standing
from trailhound.errors import RequestError
from trailhound.investigation import scope as scoping
from trailhound.workspace.assessing import Assessing


class LeftAlone(msgspec.Struct, frozen=True):
    """An address that nobody is asked about, and why."""

    value: str
    because: str


class Enriching(Assessing):
    def enrich(
        self, about: Sequence[str], *, providers: Sequence[str] = (), anew: bool = False
    ) -> Iterator[Asked | LeftAlone]:
        """Ask services about addresses: each `ip_address=VALUE`, or those of a finding or incident (uid or its
        beginning). Every answer is stored; one that is fresh is not asked for again, unless `anew`.

        Yields each look-up as it is made. Raises RequestError for what names no address.
        """
        asker = Asker(self.folder, self.settings.enrichment, providers)
        _, engine, _ = self._reading()
        given, listed = own.given(engine), own.networks(self.settings.enrichment.own_networks)
        asked: list[str] = []
        for address in dict.fromkeys(address for text in about for address in self._addresses(engine, text)):
            if because := own.why_not(address, listed, given):
                yield LeftAlone(address, because)
            else:
                asked.append(address)
        yield from asker.ask(asked, anew=anew)

    def looked_up(self) -> list[LookedUp]:
        """Every look-up that is stored, as it is read now, in the order in which they were made."""
        return Lookups(self.folder).all()

    def _addresses(self, engine: DuckDB, text: str) -> Sequence[str]:
        if "=" not in text:
            return self._subject(engine, text, self._stored(engine)).src_ips
        asked = scoping.parse(text)
        if asked.kind != "ip_address":
            raise RequestError(
                f"nobody is asked about a {asked.kind}",
                causes=("services are asked about addresses only",),
                next_step="write ip_address=180.163.251.231, or the uid of a finding",
            )
        return (asked.value,)

    def _mount_context(self, engine: DuckDB) -> None:
        """What is known of the addresses of the events, and what others said of them when they were asked."""
        context.mount(engine, standing(Lookups(self.folder).all()))
