"""Objects of S3 → bytes: many at once, little of them in memory, each refusal with its reason.

obstore fetches what is small and has a plain name, at a quarter of boto3's cost. All else goes through
boto3: what is large, what obstore cannot name, and what it failed to get, for its errors carry no code.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta
from threading import Lock
from typing import Any

from trailhound.errors import InputError
from trailhound.sources.ahead import ahead
from trailhound.sources.aws import client_with, import_boto3
from trailhound.sources.aws_problems import explain
from trailhound.sources.items import Bucket, Content, File, Item, Keys, S3Object, Unreadable

AT_ONCE = 16
IN_MEMORY = 4 << 20  # bytes; what is larger goes to a temporary file, one at a time
_ATTEMPTS = 3  # at a body that breaks off; at a request, the libraries have their own
_PIECE = 1 << 20


class Fetcher:
    """Fetches for one process; its credentials are those of the last group."""

    def __init__(self) -> None:
        self._keys: Keys | None = None
        self._stores: dict[Bucket, Any] = {}
        self._clients: dict[Bucket, Any] = {}
        self._making = Lock()

    def fetched(self, items: Sequence[Item], keys: Keys | None) -> Iterator[File | Content | Unreadable]:
        """The items in their order, with objects of S3 as what they hold, or as the reason why not.

        A File is gone when the next item is asked for. Raises InputError when nothing could be fetched at all.
        """
        if keys != self._keys:
            self._keys, self._stores, self._clients = keys, {}, {}
        for got in ahead(self._fetch, items, AT_ONCE) if keys else items:
            if isinstance(got, S3Object):
                yield from self._spooled(got)
            else:
                yield got

    def _fetch(self, item: Item) -> Item:
        """A large object comes back as it is."""
        if not isinstance(item, S3Object) or item.size > IN_MEMORY:
            return item
        if _plain(item.key):
            import obstore  # noqa: PLC0415 - start-up
            from obstore.exceptions import BaseError  # noqa: PLC0415

            try:
                answer = obstore.get(self._store(item.bucket), item.key)
                if answer.meta["size"] > IN_MEMORY:
                    return item
                return Content(item.name, bytes(answer.bytes()), _etag(answer.meta["e_tag"]))
            except (BaseError, OSError, ValueError):
                pass  # boto3 will know the reason, or succeed
        return self._carefully(item, None)

    def _spooled(self, item: S3Object) -> Iterator[File | Content | Unreadable]:
        with tempfile.NamedTemporaryFile(prefix="trailhound-") as spool:
            yield self._carefully(item, spool)  # type: ignore[misc] - no S3Object where there is a spool

    def _carefully(self, item: S3Object, spool: Any) -> Item:
        """By boto3, into memory; into `spool` where there is one. What proves to be large comes back as it is."""
        from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415 - start-up

        payer = {"RequestPayer": "requester"} if item.bucket.requester_pays else {}
        for attempt in range(_ATTEMPTS):
            try:
                answer = self._client(item.bucket).get_object(Bucket=item.bucket.name, Key=item.key, **payer)
                with closing(answer["Body"]) as body:  # its own `with` hands out what checks no length
                    etag = _etag(answer.get("ETag"))
                    if spool is not None:
                        size = _copy(body, spool)
                        return File(item.name, os.fsencode(spool.name), size, etag)
                    if answer["ContentLength"] > IN_MEMORY:
                        return item
                    return Content(item.name, body.read(), etag)
            except (BotoCoreError, ClientError) as error:
                problem = explain(error)
                broken_off = type(error).__name__ in (
                    "IncompleteReadError",
                    "ResponseStreamingError",
                    "ReadTimeoutError",
                )
                if broken_off and attempt + 1 < _ATTEMPTS:
                    continue
                if problem.of_all and not broken_off:
                    raise InputError(
                        problem.what, where=item.name, causes=problem.causes, next_step=problem.next_step
                    ) from error
                return Unreadable(item.name, problem.reason, f"{problem.what}; {problem.next_step}")
        raise AssertionError

    def _store(self, bucket: Bucket) -> Any:
        with self._making:
            if bucket not in self._stores:
                self._stores[bucket] = _store(bucket, self._keys)
            return self._stores[bucket]

    def _client(self, bucket: Bucket) -> Any:
        with self._making:
            if bucket not in self._clients:
                assert self._keys
                self._clients[bucket] = client_with(self._keys, bucket)
            return self._clients[bucket]


def _store(bucket: Bucket, keys: Keys | None) -> Any:
    """With nothing left to the environment, which may speak of another endpoint or identity."""
    import_boto3()
    from obstore.store import S3Store  # noqa: PLC0415 - start-up

    assert keys
    options: dict[str, Any] = {"allow_http": True, "connect_timeout": "10s", "read_timeout": "60s", "timeout": "10min"}
    if authorities := os.environ.get("AWS_CA_BUNDLE"):
        with open(authorities, "rb") as file:
            options["root_certificate"] = file.read()
    credential = {
        "access_key_id": keys.access_key,
        "secret_access_key": keys.secret_key,
        "token": keys.token,
        "expires_at": datetime.now(UTC) + timedelta(days=1),  # the next group brings new ones long before
    }
    return S3Store(
        bucket.name,
        config={
            "endpoint": bucket.endpoint,
            "aws_endpoint_url_s3": bucket.endpoint,
            "region": bucket.region,
            "virtual_hosted_style_request": False,
            "request_payer": bucket.requester_pays,
            "skip_signature": False,
        },
        client_options=options,  # type: ignore[arg-type]
        retry_config={"max_retries": 5, "retry_timeout": timedelta(seconds=60)},
        credential_provider=lambda: credential,  # type: ignore[arg-type, return-value]
    )


def _plain(key: str) -> bool:
    """Whether obstore asks for this very key: it takes `a/` for `a`, and refuses empty and dotted parts."""
    return not {"", ".", ".."} & set(key.split("/"))


def _etag(value: str | None) -> str:
    return (value or "").strip('"')


def _copy(body: Any, spool: Any) -> int:
    spool.seek(0)
    spool.truncate()
    for piece in body.iter_chunks(_PIECE):
        spool.write(piece)
    spool.flush()
    return spool.tell()
