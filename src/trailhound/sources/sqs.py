"""`sqs:QUEUE`: objects that a queue announces, read until the queue is empty.

A message is deleted when all that it announces is wholly in the lake, never before. Until then it is
kept hidden from other readers; whoever is killed loses nothing, since it comes back by itself. What
cannot be understood or fetched stays in the queue, and is counted with its reason.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from itertools import islice
from threading import Event, Lock, Thread
from typing import Any

import msgspec

from trailhound.errors import InputError, TrailhoundError
from trailhound.sources.aws import Aws, explained
from trailhound.sources.items import Item, S3Object, Unreadable, display
from trailhound.sources.layout import left_out
from trailhound.sources.notices import Odd, Pointer, read

SCHEME = "sqs:"
HIDDEN = 300  # seconds for which a message is hidden, prolonged every third of it
WAIT = 20  # seconds to wait for a message before the queue counts as empty: SQS's longest
_TEN = 10  # messages in one request
_URL = re.compile(r"https?://.+/.+")
_REGION_IN_URL = re.compile(r"//(?:sqs\.)?([a-z]{2,3}(?:-[a-z0-9]+)+-\d{1,2})\.")


class _Message(msgspec.Struct):
    handle: str  # of the latest delivery: only that can delete it
    missing: set[str]  # names of objects not yet in the lake
    odd: bool = False  # it says something that was not understood: it stays


class Queue:
    """Objects announced by one queue. `remark` is called at the end with what is left in it."""

    def __init__(self, source: str, aws: Aws, remark: Callable[[str], None]) -> None:
        named = source.removeprefix(SCHEME)
        region = _REGION_IN_URL.search(named)
        self._aws, self._remark = aws, remark
        self._client = aws.client("sqs", region[1] if region else None)
        self.name = f"{SCHEME}{named.rpartition('/')[2]}"
        with explained(source):
            self._url = named if _URL.match(named) else self._client.get_queue_url(QueueName=named)["QueueUrl"]
        self._messages: dict[str, _Message] = {}  # that are hidden
        self._waiting: dict[str, set[str]] = {}  # name of an object → messages that announce it
        self._left_out: Counter[str] = Counter()
        self._lock = Lock()
        self._ended = Event()
        self._failure: TrailhoundError | None = None
        self._keeper = Thread(target=self._keep_hidden, daemon=True)

    def __iter__(self) -> Iterator[Item]:
        self._keeper.start()
        while messages := self._receive():
            done = []
            for message in messages:
                yield from self._opened(message)
                if self._is_done(message["MessageId"]):
                    done.append(message["MessageId"])
            self._delete(done)

    def arrived(self, names: Sequence[str]) -> None:
        done = []
        for name in names:
            for uid in self._waiting.pop(name, ()):
                self._messages[uid].missing.discard(name)
                if self._is_done(uid):
                    done.append(uid)
        self._delete(done)

    def close(self) -> None:
        """Let go of what was not read, so that the next reader need not wait for it, and say what is left."""
        self._ended.set()
        if self._keeper.ident:
            self._keeper.join()
        with suppress(InputError):  # they come back by themselves, too
            self._change("change_message_visibility_batch", list(self._messages), VisibilityTimeout=0)
            self._say()

    def _receive(self) -> list[dict[str, Any]]:
        if self._failure:
            raise self._failure
        with explained(self.name):
            answer = self._client.receive_message(
                QueueUrl=self._url, MaxNumberOfMessages=_TEN, WaitTimeSeconds=WAIT, VisibilityTimeout=HIDDEN
            )
        return answer.get("Messages", [])

    def _opened(self, message: dict[str, Any]) -> Iterator[Item]:
        """What a message announces; nothing when it is one that is being worked on, delivered once more."""
        uid, handle = message["MessageId"], message["ReceiptHandle"]
        with self._lock:
            if known := self._messages.get(uid):
                known.handle = handle
                return
            self._messages[uid] = kept = _Message(handle, set())
        announced = []
        for said in read(message.get("Body", "")):
            if isinstance(said, Odd):
                kept.odd = True
                announced.append(Unreadable(display(f"{self.name}/{uid}"), said.reason, said.detail))
            elif isinstance(said, Pointer) and (kind := left_out(said.key, "")):
                self._left_out[kind] += 1
            elif isinstance(said, Pointer):
                thing = S3Object(self._aws.bucket(said.bucket), said.key, said.size, said.etag)
                kept.missing.add(thing.name)
                self._waiting.setdefault(thing.name, set()).add(uid)
                announced.append(thing)
            else:
                self._left_out["test messages"] += 1
        yield from announced

    def _is_done(self, uid: str) -> bool:
        message = self._messages.get(uid)
        return message is not None and not message.odd and not message.missing

    def _delete(self, uids: Sequence[str]) -> None:
        self._change("delete_message_batch", uids)
        with self._lock:
            for uid in uids:
                del self._messages[uid]

    def _keep_hidden(self) -> None:
        """A thread of its own: reading may take longer than the queue would wait."""
        while not self._ended.wait(HIDDEN / 3):
            with self._lock:
                uids = list(self._messages)
            try:
                self._change("change_message_visibility_batch", uids, VisibilityTimeout=HIDDEN)
            except TrailhoundError as error:
                self._failure = error
                return

    def _change(self, operation: str, uids: Sequence[str], **change: Any) -> None:
        """For each message; one that is gone, or came back in the meantime, is nobody's loss."""
        rest = iter(uids)
        while ten := list(islice(rest, _TEN)):
            with self._lock:
                handles = [self._messages[uid].handle for uid in ten if uid in self._messages]
            entries = [{"Id": str(i), "ReceiptHandle": handle, **change} for i, handle in enumerate(handles)]
            if entries:
                with explained(self.name):
                    getattr(self._client, operation)(QueueUrl=self._url, Entries=entries)

    def _say(self) -> None:
        if self._left_out:
            kinds = ", ".join(f"{count:,} {kind}" for kind, count in sorted(self._left_out.items()))
            self._remark(f"{self.name}: nothing to read in {kinds}")
        if left := len(self._messages):
            self._remark(
                f"{self.name}: {left:,} messages stay in the queue: what they announce is not wholly in the lake"
            )
        with explained(self.name):  # the permission may be lacking, and is not needed otherwise
            name = "ApproximateNumberOfMessagesNotVisible"
            answer = self._client.get_queue_attributes(QueueUrl=self._url, AttributeNames=[name])
            if hidden := int(answer["Attributes"][name]):
                self._remark(
                    f"{self.name}: {hidden:,} messages are hidden by another reader, or by one that was killed; "
                    "the latter come back within minutes: run it again"
                )
