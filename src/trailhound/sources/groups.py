"""Items → groups of bounded size: what a process is given at once."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterator

from trailhound.sources.items import Content, File, Group, Item, S3Object
from trailhound.sources.sources import Sources

_BYTES = 8 << 20
_ITEMS = 256
_ROUND_TRIP = 32 << 10  # bytes that are read while one object is asked for


class Groups:
    """Groups of what `sources` give, once; `size` is what is known of their bytes so far."""

    def __init__(self, sources: Sources, size: int) -> None:
        self.size = size
        self._sources = sources
        self._groups = self._grouped()
        self._seen: deque[Group] = deque()

    def __iter__(self) -> Iterator[Group]:
        return self

    def __next__(self) -> Group:
        group = self._seen.popleft() if self._seen else next(self._groups)
        if any(isinstance(item, S3Object) for item in group.items):
            group.keys = self._sources.keys()  # only now: they must hold while it is read
        return group

    def are_few(self, size: int) -> bool:
        """Whether fewer than `size` bytes come, or pages of an API, for which one waits longer than for their reading."""
        for group in self._groups:
            self._seen.append(group)
            size -= sum(map(_work, group.items))
            if isinstance(group.items[0], Content):
                return True
            if size <= 0:
                return False
        return True

    def _grouped(self) -> Iterator[Group]:
        """Files of a group are from one folder: mostly a day. A page is a group: the next may take a while."""
        items: list[Item] = []
        folder, work = None, 0
        for item in self._sources:
            here = os.path.dirname(item.path) if isinstance(item, File) else folder
            alone = isinstance(item, Content)
            if items and (alone or here != folder or work >= _BYTES or len(items) >= _ITEMS):
                yield Group(items)
                items, work = [], 0
            items.append(item)
            folder = here
            work += _work(item)
            if isinstance(item, Content | S3Object):
                self.size += max(item.size, 0)
            if alone:
                yield Group(items)
                items, work = [], 0
        if items:
            yield Group(items)


def _work(item: Item) -> int:
    match item:
        case File() | Content():
            return item.size
        case S3Object():
            return max(item.size, _ROUND_TRIP)
        case _:
            return 0
