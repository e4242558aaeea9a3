"""Asks services about addresses, at the pace that they allow; what is stored and fresh is not asked again."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import msgspec

from trailhound.enrichers import client, keys, lists
from trailhound.enrichers.client import Reply
from trailhound.enrichers.lookups import LookedUp, Lookups
from trailhound.enrichers.providers import PROVIDERS
from trailhound.errors import RequestError
from trailhound.settings import Enrichment

_DAY = 86_400_000  # ms


class Asked(msgspec.Struct, frozen=True):
    """A look-up, and whether it was made now or stands from before."""

    lookup: LookedUp
    stored: bool


class Asker:
    """Everything that may be asked in one workspace. Whom: `names`, else all that can be asked."""

    def __init__(
        self,
        folder: Path,
        settings: Enrichment,
        names: Sequence[str] = (),
        *,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._folder, self._settings = folder, settings
        self._clock, self._sleep = clock, sleep
        self._store = Lookups(folder)
        known = (*PROVIDERS, *settings.lists)
        for name in (*names, *settings.urls, *settings.per_minute):
            if name not in known:
                raise RequestError(
                    f"there is no service called {name!r}",
                    causes=(f"known are {', '.join(known)}",),
                    next_step="docs/how-to/ask-others-about-an-address.md tells of each",
                )
        if twice := PROVIDERS.keys() & settings.lists.keys():
            raise RequestError(
                f"a list cannot be called {min(twice)!r}: a service is",
                where="trailhound.toml, [enrichment] lists",
                next_step="give the list another name",
            )
        self._keys = {name: keys.key(name, folder) for name in PROVIDERS}
        self._urls = {name: client.checked(url, name) for name in PROVIDERS if (url := self._url(name))}
        self._names = tuple(dict.fromkeys(names)) or tuple(name for name in known if not self._lacks(name))

    def ask(self, addresses: Sequence[str], *, anew: bool = False) -> Iterator[Asked]:
        """Each address of each service, as it is answered. `anew` asks again although a fresh answer is stored.

        Which addresses may be asked about is the caller's to say (`own.why_not`).
        """
        before = {(one.provider, one.value): one for one in self._store.all() if one.answered}
        waiting = {one.provider: one for one in self._store.all() if one.again_time > self._now()}
        for address in dict.fromkeys(addresses):
            for name in self._names:
                title = PROVIDERS[name].title if name in PROVIDERS else name
                known = before.get((title, address))
                fresh = known and known.asked_time > self._now() - self._settings.fresh_days * _DAY
                if known and fresh and not anew:
                    yield Asked(known, stored=True)
                elif (last := waiting.get(title)) and last.again_time > self._now():
                    reply = Reply(problem=f"it wants no request before {_seconds(last.again_time)}")
                    yield Asked(self._store.record(name, address, self._now(), reply), stored=False)
                else:
                    found = self._asked(name, address)
                    if found.again_time:
                        waiting[title] = found
                    yield Asked(found, stored=False)

    def _asked(self, name: str, address: str) -> LookedUp:
        if name not in PROVIDERS:
            reply = lists.look_up(self._folder / self._settings.lists[name], address)
        elif lacking := self._lacks(name):
            reply = Reply(problem=lacking)
        else:
            self._keep_pace(name)
            request = PROVIDERS[name].request(self._urls[name], address, self._keys[name])
            reply = client.fetch(request, seconds=self._settings.seconds, proxy=self._settings.proxy)
        return self._store.record(name, address, self._now(), reply)

    def _keep_pace(self, name: str) -> None:
        """Wait until the service may be asked again, also after another run."""
        pause = 60_000 / self._settings.per_minute.get(name, PROVIDERS[name].per_minute)
        early = self._store.last_asked(name) + pause - self._now()
        if early > 0:
            self._sleep(min(early, pause) / 1000)

    def _url(self, name: str) -> str:
        return self._settings.urls.get(name, PROVIDERS[name].url)

    def _lacks(self, name: str) -> str:
        """Why a service cannot be asked at all; "" where it can."""
        if name not in PROVIDERS:
            return ""
        if name not in self._urls:
            return f"no address: write it under [enrichment] urls as {name}"
        return f"no key: set {keys.variable(name)}" if PROVIDERS[name].needs_key and not self._keys[name] else ""

    def _now(self) -> int:
        return int(self._clock() * 1000)


def _seconds(epoch_ms: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(epoch_ms / 1000))
