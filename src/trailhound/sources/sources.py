"""All that one ingest reads: what each name stands for, opened, one after the other."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from functools import cached_property

from trailhound.errors import RequestError
from trailhound.sources import api, s3, sqs
from trailhound.sources.aws import Access, Aws
from trailhound.sources.items import Item, Keys, Source
from trailhound.sources.layout import Selection
from trailhound.sources.path import Paths

_DATED = (s3.SCHEME, api.LOOKUP_EVENTS, api.LOGS)  # of which a span of time can be asked for
_REMOTE = (*_DATED, sqs.SCHEME)
_BY_DROPS = (api.LOOKUP_EVENTS, api.LOGS)  # they come after what comes in bulk


class Sources:
    """Files first, then what lies in AWS. Raises InputError for a name that stands for nothing, RequestError
    for a selection that cannot be made."""

    def __init__(
        self,
        names: Sequence[str],
        *,
        access: Access,
        selection: Selection,
        follow_links: bool,
        remark: Callable[[str], None],
    ) -> None:
        self._access = access
        _check(names, selection)
        self._paths = Paths([name for name in names if not name.startswith(_REMOTE)], follow_links=follow_links)
        self._opened: list[Source] = [self._paths]
        with ExitStack() as stack:
            stack.callback(self.close)
            remote = [name for name in names if name.startswith(_REMOTE)]
            for name in sorted(remote, key=lambda name: name.startswith(_BY_DROPS)):
                self._opened.append(self._open(name, selection, remark))
            stack.pop_all()

    def __enter__(self) -> Sources:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __iter__(self) -> Iterator[Item]:
        for source in self._opened:
            yield from source

    def close(self) -> None:
        for source in self._opened:
            source.close()

    def arrived(self, names: Sequence[str]) -> None:
        """Tell that these items are wholly in the lake."""
        for source in self._opened:
            source.arrived(names)

    def local_size(self) -> int:
        """Bytes of the files; how much lies in AWS is known as it comes."""
        return self._paths.size()

    def keys(self) -> Keys:
        """To fetch objects with, for the next minutes."""
        return self._aws.keys()

    @cached_property
    def _aws(self) -> Aws:
        return Aws(self._access)

    def _open(self, name: str, selection: Selection, remark: Callable[[str], None]) -> Source:
        if name.startswith(s3.SCHEME):
            return s3.S3Prefix(name, self._aws, selection, remark)
        if name.startswith(sqs.SCHEME):
            return sqs.Queue(name, self._aws, remark)
        if name.startswith(api.LOOKUP_EVENTS):
            return api.EventHistory(name, self._aws, selection, remark)
        return api.LogGroup(name, self._aws, selection, remark)


def _check(names: Sequence[str], selection: Selection) -> None:
    dated, placed = selection.days is not None, bool(selection.accounts or selection.regions)
    for name in names:
        if (placed and not name.startswith(s3.SCHEME)) or (dated and not name.startswith(_DATED)):
            raise RequestError(
                "a selection by account, Region or time cannot be made here",
                where=name,
                causes=(
                    "accounts and Regions can be selected from s3:// only",
                    "times can be selected from s3://, lookup-events: and logs: only",
                ),
                next_step="ingest all of it, and select when you search: reading more harms nothing",
            )
