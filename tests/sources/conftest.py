from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.sources.cloud import Cloud, running


@pytest.fixture(scope="session")
def _cloud() -> Iterator[Cloud]:
    with running() as cloud:
        yield cloud


@pytest.fixture
def cloud(_cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> Cloud:
    """An empty AWS, and an environment that leads to it."""
    _cloud.reset()
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL_S3"):
        monkeypatch.delenv(name, raising=False)
    for name, value in _cloud.environment().items():
        monkeypatch.setenv(name, value)
    return _cloud
