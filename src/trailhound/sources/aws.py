"""The way into AWS: whose credentials, which endpoint, and clients that have both.

boto3 and obstore come with the extra `s3`, and are imported only when something in AWS is read.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import msgspec

from trailhound.errors import InputError
from trailhound.sources.aws_problems import explain
from trailhound.sources.items import Bucket, Keys

CONNECTIONS = 32  # at once, to one endpoint
ATTEMPTS = 5  # at a request, with pauses that grow from one second to twenty
_SESSION = "trailhound"  # the name under which a role is taken; it shows in CloudTrail
_HOME = "us-east-1"  # where one may ask about any bucket


class Access(msgspec.Struct, frozen=True):
    """What is not left to boto3's usual chain: environment, profiles, container, instance."""

    profile: str | None = None
    role_arn: str | None = None
    endpoint_url: str | None = None
    requester_pays: bool = False


USUAL = Access()


class Aws:
    """Clients, credentials and buckets. Raises InputError when the libraries or the profile are missing."""

    def __init__(self, access: Access) -> None:
        self._access = access
        self._buckets: dict[str, Bucket] = {}
        with explained(f"profile {access.profile}" if access.profile else "the default profile"):
            self._session = import_boto3().Session(profile_name=access.profile)
            if access.role_arn:
                self._take_role(access.role_arn)

    @property
    def region(self) -> str | None:
        """Of the profile or the environment."""
        return self._session.region_name

    def client(self, service: str, region: str | None = None, attempts: int = ATTEMPTS) -> Any:
        with explained(service):
            return self._session.client(
                service, region_name=region, endpoint_url=self._access.endpoint_url, config=_config(attempts)
            )

    def keys(self) -> Keys:
        """Credentials as they are now: renewed when fewer than ten minutes are left to them."""
        with explained("credentials"):
            credentials = self._session.get_credentials()
            if credentials is None:
                from botocore.exceptions import NoCredentialsError  # noqa: PLC0415 - start-up

                raise NoCredentialsError
            frozen = credentials.get_frozen_credentials()
        return Keys(frozen.access_key, frozen.secret_key, frozen.token)

    def bucket(self, name: str) -> Bucket:
        """The bucket, and where it stands; asked once."""
        if name not in self._buckets:
            region = self._region_of(name)
            endpoint = self.client("s3", region).meta.endpoint_url
            self._buckets[name] = Bucket(name, region, endpoint, self._access.requester_pays)
        return self._buckets[name]

    def _region_of(self, bucket: str) -> str:
        """S3 names the Region even to those it lets do nothing else; other errors come again with the next request."""
        from botocore.exceptions import ClientError  # noqa: PLC0415 - start-up

        home = self.region or _HOME
        with explained(f"s3://{bucket}"):
            try:
                answer = self.client("s3", home).head_bucket(Bucket=bucket)
            except ClientError as error:
                answer = error.response
        headers = answer["ResponseMetadata"].get("HTTPHeaders", {})
        return answer.get("BucketRegion") or headers.get("x-amz-bucket-region") or home

    def _take_role(self, role_arn: str) -> None:
        """From now on the session's credentials are those of the role, renewed before they end."""
        from botocore import credentials  # noqa: PLC0415 - start-up

        inner = self._session._session
        own = inner.get_credentials()
        if own is None:
            return  # said when the keys are asked for
        fetcher = credentials.AssumeRoleCredentialFetcher(
            partial(inner.create_client, endpoint_url=self._access.endpoint_url, region_name=self.region or _HOME),
            own,
            role_arn,
            extra_args={"RoleSessionName": _SESSION},
        )
        inner._credentials = credentials.DeferredRefreshableCredentials(fetcher.fetch_credentials, "assume-role")


def client_with(keys: Keys, bucket: Bucket) -> Any:
    """A client of S3 for a process that has no session of its own."""
    return (
        import_boto3()
        .Session()
        .client(
            "s3",
            region_name=bucket.region,
            endpoint_url=bucket.endpoint,
            aws_access_key_id=keys.access_key,
            aws_secret_access_key=keys.secret_key,
            aws_session_token=keys.token,
            config=_config(ATTEMPTS),
        )
    )


def _config(attempts: int) -> Any:
    from botocore.config import Config  # noqa: PLC0415 - start-up

    return Config(
        retries={"mode": "standard", "total_max_attempts": attempts},
        connect_timeout=10,
        read_timeout=60,
        max_pool_connections=CONNECTIONS,
    )


def import_boto3() -> Any:
    try:
        import boto3  # noqa: PLC0415 - start-up
        import obstore  # noqa: F401, PLC0415 - start-up
    except ImportError as error:
        raise InputError(
            f"reading from AWS needs the library {error.name}",
            causes=("trailhound was installed without the extra `s3`",),
            next_step="pip install 'trailhound[s3]'",
        ) from error
    return boto3


@contextmanager
def explained(where: str) -> Iterator[None]:
    """Errors of AWS and of the way there become an InputError that says what to do."""
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415 - start-up

    try:
        yield
    except (BotoCoreError, ClientError) as error:
        problem = explain(error)
        raise InputError(problem.what, where=where, causes=problem.causes, next_step=problem.next_step) from error
